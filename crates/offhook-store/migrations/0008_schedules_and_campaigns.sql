-- Calls that wait for their time, and calls that belong together.
ALTER TABLE calls ADD COLUMN not_before BIGINT;
ALTER TABLE calls ADD COLUMN not_after BIGINT;
ALTER TABLE calls ADD COLUMN waits BIGINT NOT NULL DEFAULT 0;    -- 1: has not begun; nothing of it was dialled
ALTER TABLE calls ADD COLUMN follows TEXT;                       -- the call it follows up
ALTER TABLE calls ADD COLUMN repeats TEXT;                       -- the call it is another try of
ALTER TABLE calls ADD COLUMN campaign TEXT;
CREATE INDEX calls_waiting ON calls (not_before, id) WHERE waits = 1;
CREATE INDEX calls_of_a_time ON calls (not_before) WHERE not_before IS NOT NULL;
CREATE INDEX calls_following ON calls (follows) WHERE follows IS NOT NULL;
CREATE INDEX calls_of_campaign ON calls (campaign, queued_at) WHERE campaign IS NOT NULL;

-- The same asked of several. Which call went to which target, the calls know: each has a number of its own.
CREATE TABLE campaigns (
    id              TEXT   NOT NULL PRIMARY KEY,
    owner_id        TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    request         TEXT   NOT NULL,         -- JSON object, as asked for
    notes           TEXT   NOT NULL,         -- JSON object, the owner's own
    state           TEXT   NOT NULL,         -- running | stopping | done
    ending          TEXT,                    -- completed | first_fit | stopped | committed | restarted
    idempotency_key TEXT,
    request_hash    TEXT,
    created_at      BIGINT NOT NULL,
    finished_at     BIGINT
);
CREATE INDEX campaigns_of_owner ON campaigns (owner_id, created_at, id);
CREATE UNIQUE INDEX campaigns_once ON campaigns (owner_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX campaigns_unfinished ON campaigns (id) WHERE state <> 'done';

CREATE TABLE campaign_targets (
    campaign_id TEXT   NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,             -- counts from 0
    number      TEXT   NOT NULL,
    name        TEXT,
    state       TEXT   NOT NULL,             -- open | refused | cancelled
    code        TEXT,                        -- why it was refused
    message     TEXT,
    PRIMARY KEY (campaign_id, position)
);

-- Calls that are placed by the clock, when something is the case.
CREATE TABLE schedules (
    id              TEXT   NOT NULL PRIMARY KEY,
    owner_id        TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    request         TEXT   NOT NULL,         -- JSON object: when, under which condition, which call
    enabled         BIGINT NOT NULL,         -- 0: paused
    next_due_at     BIGINT,                  -- null: never again
    seen            TEXT,                    -- what the condition saw last
    last_called_at  BIGINT,
    missed          BIGINT NOT NULL,         -- runs that were missed, in all
    idempotency_key TEXT,
    request_hash    TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX schedules_of_owner ON schedules (owner_id, created_at, id);
CREATE INDEX schedules_due ON schedules (next_due_at, id) WHERE enabled = 1 AND next_due_at IS NOT NULL;
CREATE UNIQUE INDEX schedules_once ON schedules (owner_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What became of each time it was due. Whoever writes the row does the run, and nobody else.
CREATE TABLE schedule_runs (
    schedule_id TEXT   NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    due_at      BIGINT NOT NULL,
    state       TEXT   NOT NULL,             -- running | called | not_met | unclear | refused | missed | …
    times       BIGINT NOT NULL,             -- so many were missed
    began_at    BIGINT NOT NULL,
    ended_at    BIGINT,
    call_id     TEXT,
    evidence    TEXT,                        -- JSON object
    code        TEXT,                        -- why there was no call
    rule        TEXT,                        -- Rule::code, where one refused it
    message     TEXT,
    PRIMARY KEY (schedule_id, due_at)
);
CREATE INDEX schedule_runs_unfinished ON schedule_runs (schedule_id) WHERE state = 'running';
CREATE INDEX schedule_runs_over ON schedule_runs (ended_at);

-- Which schedule placed a call, and whether it was the agent's own idea to call its user.
ALTER TABLE calls ADD COLUMN schedule TEXT;
ALTER TABLE calls ADD COLUMN proactive BIGINT NOT NULL DEFAULT 0;
CREATE INDEX calls_of_schedule ON calls (schedule, queued_at) WHERE schedule IS NOT NULL;
CREATE INDEX calls_proactive ON calls (owner_id, queued_at) WHERE proactive = 1;

-- How often, and when, a user wants to be called by an agent of its own accord.
CREATE TABLE proactive (
    owner_id   TEXT   NOT NULL PRIMARY KEY REFERENCES owners (id) ON DELETE CASCADE,
    wishes     TEXT   NOT NULL,              -- JSON object
    updated_at BIGINT NOT NULL
);

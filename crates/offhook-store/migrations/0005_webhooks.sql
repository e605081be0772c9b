-- Where the events of a call are sent, and how far that is. Written with the call; it goes with it.
CREATE TABLE webhooks (
    call_id       TEXT   NOT NULL PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    url           TEXT   NOT NULL,
    state         TEXT   NOT NULL,           -- open | done | gone | given_up
    delivered_seq BIGINT NOT NULL,           -- the facts up to this one were taken
    tries         BIGINT NOT NULL,           -- attempts at the next one, in vain
    next_at       BIGINT                     -- not before
);
CREATE INDEX webhooks_open ON webhooks (call_id) WHERE state = 'open';

-- Every attempt to deliver an event.
CREATE TABLE webhook_deliveries (
    call_id TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    seq     BIGINT NOT NULL,                 -- the fact of the journal
    attempt BIGINT NOT NULL,                 -- counts from 1
    event   TEXT   NOT NULL,                 -- Fact::code
    at      BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    status  BIGINT,                          -- of the answer, if there was one
    error   TEXT,
    PRIMARY KEY (call_id, seq, attempt)
);

-- Which of its secrets an owner uses, once it was changed. The secrets themselves are not kept.
CREATE TABLE webhook_secrets (
    owner_id   TEXT   NOT NULL PRIMARY KEY REFERENCES owners (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL
);

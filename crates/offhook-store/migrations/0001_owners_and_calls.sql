-- Conventions of every table, the same text for SQLite and PostgreSQL:
--   *_at     instants, microseconds since the Unix epoch
--   *_ms     durations in milliseconds
--   ids      UUIDv7 as text, so that they sort by time of creation
--   hashes   SHA-256 as 64 lower-case hexadecimal digits
--   codes    the stable codes of offhook-core (`EndReason::code` and its like)
-- Instants come from the caller: the database's own clock is never asked.

-- Whoever asks for calls: an agent, a person, an application.
CREATE TABLE owners (
    id         TEXT   NOT NULL PRIMARY KEY,
    label      TEXT,                         -- how people call this owner
    limits     TEXT,                         -- JSON object; null means the configured defaults
    created_at BIGINT NOT NULL
);

-- API keys. Only the hash of a key is kept.
CREATE TABLE api_keys (
    id           TEXT   NOT NULL PRIMARY KEY,
    owner_id     TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    hash         TEXT   NOT NULL UNIQUE,
    kind         TEXT   NOT NULL,            -- proto | owner | admin
    label        TEXT,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_keys_owner ON api_keys (owner_id);

-- One row per call: what was asked for, written once, and what became of it, a projection of the journal that is
-- updated in the same transaction as the journal itself.
CREATE TABLE calls (
    id              TEXT   NOT NULL PRIMARY KEY,
    owner_id        TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    direction       TEXT   NOT NULL,         -- outbound | inbound

    -- The request.
    to_number       TEXT   NOT NULL,
    from_number     TEXT,
    requested_line  TEXT,
    task            TEXT   NOT NULL,
    personality     TEXT,
    greeting        TEXT,
    voice           TEXT   NOT NULL,
    language        TEXT   NOT NULL,
    bridge_number   TEXT,
    extra           TEXT,                    -- JSON object, what the gateway wants to keep besides
    queued_at       BIGINT NOT NULL,

    -- The projection.
    lifecycle       TEXT   NOT NULL,         -- queued | dialing | answered | finalized
    line            TEXT,                    -- the line that was dialled on last
    dialing_at      BIGINT,                  -- the first attempt
    answered_at     BIGINT,
    finalized_at    BIGINT,
    answered_by     TEXT,
    end_reason      TEXT,
    outcome         TEXT,
    talk_ms         BIGINT,
    sip_status      BIGINT,
    q850_cause      BIGINT,
    result_status   TEXT,
    result_summary  TEXT,
    result_evidence TEXT,                    -- JSON array of turn numbers

    -- When retention erased the words of the conversation; the facts stay.
    transcript_removed_at BIGINT
);
CREATE INDEX calls_newest ON calls (queued_at, id);
CREATE INDEX calls_of_owner ON calls (owner_id, queued_at, id);
CREATE INDEX calls_to_number ON calls (to_number, queued_at);
CREATE INDEX calls_finalized ON calls (finalized_at, id);
CREATE INDEX calls_with_words ON calls (finalized_at, id) WHERE transcript_removed_at IS NULL;
CREATE INDEX calls_live ON calls (queued_at, id) WHERE lifecycle <> 'finalized';

-- Which call an Idempotency-Key stands for. It lives as long as the call.
-- The reference is checked at commit, because this row is written first: it is what simultaneous requests race for.
CREATE TABLE idempotency (
    owner_id        TEXT   NOT NULL,
    idempotency_key TEXT   NOT NULL,
    request_hash    TEXT   NOT NULL,
    call_id         TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (owner_id, idempotency_key)
);
CREATE INDEX idempotency_call ON idempotency (call_id);

-- The facts of a call, append-only. `seq` counts from 1 within a call, without gaps.
CREATE TABLE journal (
    call_id TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,                 -- when it happened
    code    TEXT   NOT NULL,                 -- Fact::code
    fields  TEXT   NOT NULL,                 -- JSON object of Fact::fields
    PRIMARY KEY (call_id, seq)
);

-- What owners were asked to approve by phone, and the PIN with which they do. The digits of a PIN are kept nowhere.
CREATE TABLE pins (
    owner_id TEXT   NOT NULL PRIMARY KEY REFERENCES owners (id) ON DELETE CASCADE,
    digits   BIGINT NOT NULL,             -- how many
    hash     TEXT   NOT NULL,             -- kind$iterations$salt$hash
    set_at   BIGINT NOT NULL
);

CREATE TABLE approvals (
    id              TEXT   NOT NULL PRIMARY KEY,
    owner_id        TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    call_id         TEXT,                 -- in which it was asked; null: in none yet, or none came about
    operation       TEXT   NOT NULL,
    details         TEXT,                 -- JSON, as it was sent
    digest          TEXT   NOT NULL,      -- of both
    needs_pin       BIGINT NOT NULL,
    state           TEXT   NOT NULL,      -- pending | approved | declined | expired | cancelled
    reason          TEXT,                 -- why it is not approved
    decided_by      TEXT,
    evidence        TEXT   NOT NULL DEFAULT '[]',   -- JSON list of turns of the call
    idempotency_key TEXT,
    request_hash    TEXT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    decided_at      BIGINT
);
CREATE INDEX approvals_of_owner ON approvals (owner_id, created_at, id);
CREATE INDEX approvals_pending ON approvals (id) WHERE state = 'pending';
CREATE UNIQUE INDEX approvals_once ON approvals (owner_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

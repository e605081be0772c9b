-- Who did what, append-only. `owner_id` is the owner it concerns: the entry is erased together with that owner.
CREATE TABLE audit (
    id       TEXT   NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    owner_id TEXT,
    actor    TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    subject  TEXT,
    detail   TEXT                            -- JSON object
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_owner ON audit (owner_id);

-- The recording of a call; the audio is a file. The row outlives the file, so that "expired" can be told from
-- "there never was one".
CREATE TABLE recordings (
    call_id     TEXT   NOT NULL PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    path        TEXT,                        -- null once removed
    bytes       BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,                      -- null: as long as retention allows
    removed_at  BIGINT
);
CREATE INDEX recordings_expiring ON recordings (expires_at) WHERE path IS NOT NULL;

-- Files whose rows are gone and that are still to be unlinked. Written in the transaction that removes the row and
-- cleared once the file is gone, so that a crash in between leaves no recording behind.
CREATE TABLE files_to_unlink (
    path TEXT NOT NULL PRIMARY KEY
);

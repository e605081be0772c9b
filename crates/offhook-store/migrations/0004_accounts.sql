-- An account is an owner whose keys were made for somebody: by the operator, or by linking a minted key.
ALTER TABLE owners ADD COLUMN email TEXT;            -- lower case; null where nobody told it

-- What an owner's calls are like where a call does not say otherwise.
CREATE TABLE preferences (
    owner_id      TEXT   NOT NULL PRIMARY KEY REFERENCES owners (id) ON DELETE CASCADE,
    voice         TEXT,
    personality   TEXT,
    greeting      TEXT,
    warm_greeting BIGINT,                            -- 0 | 1
    changed_at    BIGINT NOT NULL
);

-- Histories are read by the end of the calls.
CREATE INDEX calls_of_owner_finalized ON calls (owner_id, finalized_at, id);

-- The user's own phones, which the operator has confirmed: where a live handoff goes without a number of its own.
CREATE TABLE owner_phones (
    owner_id     TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    number       TEXT   NOT NULL,
    is_primary   BIGINT NOT NULL,            -- 0 | 1; one at most
    confirmed_at BIGINT NOT NULL,
    PRIMARY KEY (owner_id, number)
);

-- Lines of ours that are one owner's.
CREATE TABLE reserved_numbers (
    id          BIGINT NOT NULL PRIMARY KEY,
    number      TEXT   NOT NULL UNIQUE,
    owner_id    TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    reserved_at BIGINT NOT NULL
);
CREATE INDEX reserved_numbers_owner ON reserved_numbers (owner_id);

-- How calls to an owner's reserved lines are answered.
CREATE TABLE inbound_profiles (
    owner_id            TEXT   NOT NULL PRIMARY KEY REFERENCES owners (id) ON DELETE CASCADE,
    instructions        TEXT   NOT NULL,
    greeting            TEXT   NOT NULL,
    handoff_number      TEXT,
    loop_in_user        BIGINT,              -- 0 | 1; null: handoff_number, if there is one
    passthrough_numbers TEXT   NOT NULL,     -- JSON array
    changed_at          BIGINT NOT NULL
);

-- Conversation that was paid for in advance: what was left at an instant. What was used since then is the sum of the
-- calls, and of those that retention has deleted.
ALTER TABLE owners ADD COLUMN balance_ms BIGINT;
ALTER TABLE owners ADD COLUMN balance_at BIGINT;
ALTER TABLE owners ADD COLUMN balance_erased_ms BIGINT NOT NULL DEFAULT 0;
-- The conversations of a trial whose calls retention has deleted: a trial is not filled up again.
ALTER TABLE owners ADD COLUMN trial_erased_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE owners ADD COLUMN trial_erased_ms BIGINT NOT NULL DEFAULT 0;

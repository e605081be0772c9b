-- What a number did on our lines before: how often it called today, whether its calls were spam.
CREATE INDEX calls_of_caller ON calls (from_number, queued_at);

-- Who may call an owner's lines and what happens then, where the owner says so: a JSON object.
ALTER TABLE inbound_profiles ADD COLUMN reception TEXT;

-- Calls to our lines that somebody is told about once they are over. Where, and in which words, is read when it is sent.
CREATE TABLE notices (
    call_id TEXT   NOT NULL PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    state   TEXT   NOT NULL,                 -- open | done | given_up
    tries   BIGINT NOT NULL,                 -- in vain
    next_at BIGINT                           -- not before
);
CREATE INDEX notices_open ON notices (call_id) WHERE state = 'open';

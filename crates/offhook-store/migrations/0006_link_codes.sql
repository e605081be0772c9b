-- What the operator gives to somebody who has an account: whoever has it may link a key to that account, once.
CREATE TABLE link_codes (
    hash       TEXT   NOT NULL PRIMARY KEY,
    owner_id   TEXT   NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX link_codes_owner ON link_codes (owner_id);

-- For whom the tokens of a communication resource's callbacks are: learned from the first that was signed by Microsoft
-- and carried the secret of one of our calls.
CREATE TABLE acs_audiences (
    resource   TEXT   NOT NULL PRIMARY KEY,  -- the host of its endpoint
    audience   TEXT   NOT NULL,
    learned_at BIGINT NOT NULL
);

-- Who may be called into a call, or was: what that costs, and how often somebody is called.
ALTER TABLE calls ADD COLUMN user_number TEXT;
CREATE INDEX calls_user_number ON calls (user_number);

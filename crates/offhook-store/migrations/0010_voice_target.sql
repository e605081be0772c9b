-- The one number the voice calls for an account when it is told to call "the user": set with /phone. Keys of the kind
-- `voice` may have that number called and no other.
ALTER TABLE owners ADD COLUMN voice_target TEXT;

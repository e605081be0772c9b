//! What the remote's audio sounds like to somebody who waits on hold.

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldSound {
    Music,
    LongSilence,
    /// The same announcement as before.
    Announcement,
    /// A person speaks, since this long.
    Person {
        since_ms: u32,
    },
}

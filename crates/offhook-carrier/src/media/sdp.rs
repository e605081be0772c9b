//! Session descriptions (RFC 8866) of one audio stream.

/// Which way audio flows, seen from us (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Why an offer or answer can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("not a session description: {0}")]
    Malformed(&'static str),
    #[error("no audio stream that can be used; refuse it with 488")]
    NoAudio,
    #[error("no codec in common; refuse it with 488")]
    NoCommonCodec,
    #[error("media encryption is required here and was not offered; refuse it with 488")]
    NotEncrypted,
    #[error("encryption by a method that is not accepted here; refuse it with 488")]
    NoCommonCrypto,
    #[error("an answer without an offer")]
    NoOffer,
}

//! Identifiers of the things offhook itself names. Ids of other systems keep their owner's name and type.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::time::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A UUIDv7 from the time of creation and ten random bytes, both supplied by the caller.
            pub fn from_parts(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = now.unix_millis().max(0) as u64;
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// One call, placed or received.
    CallId,
    /// An operation that somebody is asked to approve by phone.
    ApprovalId,
    /// The same asked of several numbers.
    CampaignId,
    /// Calls that are placed by the clock.
    ScheduleId,
    /// One of our telephone numbers on a carrier.
    LineId,
    /// The agent or key that asked for a call.
    OwnerId,
}

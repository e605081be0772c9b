//! What a call is.
//!
//! Everything here is a pure function of its inputs: no clock, no randomness, no file, no socket, no async.
//! Time arrives as an argument ([`Timestamp`]); the outside world arrives as an event and leaves as an action.
//! Start with [`call::Call`], the state machine of one call, and [`end::EndReason`], why a call ended.

pub mod audio;
pub mod brief;
pub mod call;
pub mod commit;
pub mod end;
pub mod id;
pub mod journal;
pub mod mask;
pub mod number;
pub mod policy;
pub mod pump;
pub mod time;
pub mod words;
pub mod zone;

pub use audio::{AudioFormat, Digit, Frame};
pub use call::{Call, CallCommand, LegCommand, LegEvent, SpeechCommand, SpeechEvent};
pub use end::{EndReason, EndedBy, Outcome};
pub use id::{ApprovalId, CallId, CampaignId, LineId, OwnerId, ScheduleId};
pub use journal::{Fact, JournalEntry};
pub use number::PhoneNumber;
pub use time::{DAY, Timestamp};
pub use words::Words;

//! What offhook remembers: owners and their keys, calls and their journals, recordings, the audit log.
//!
//! [`Store`] is one handle over SQLite or PostgreSQL with the same SQL text for both, and holds no business rules.
//! The journal is the truth about a call; its row in `calls` is a projection, updated in the same transaction
//! (`projection`). Every operation is one transaction, or says where it is several.

mod acs;
mod approvals;
mod audit;
mod batch;
mod callers;
mod calls;
mod campaigns;
mod claim;
mod db;
mod error;
mod health;
mod journal;
mod keys;
mod lines;
mod linking;
mod notices;
mod open;
mod owners;
mod phones;
mod projection;
mod recent;
mod recordings;
mod retention;
mod schedules;
mod targets;
mod waiting;
mod webhooks;

pub use acs::AudienceRow;
pub use approvals::{ApprovalRow, ApprovalState, InsertedApproval, NewApproval, PinRow, Verdict};
pub use audit::{AuditEntry, AuditFilter};
pub use batch::{Batch, Written};
pub use callers::{CallsOfCaller, WrongPins};
pub use calls::{CallFilter, CallRequest, CallRow, Idempotency, InsertCallError, Inserted, NewCall};
pub use campaigns::{
    CampaignEnding, CampaignRow, CampaignState, InsertedCampaign, NewCampaign, TargetRow, TargetState,
};
pub use claim::{Claim, ClaimError};
pub use error::StoreError;
pub use health::BackupError;
pub use journal::AppendError;
pub use keys::{CreateKeyError, KeyId, KeyKind, KeyRow, NewKey};
pub use lines::{InboundProfile, ReserveError, ReservedRow};
pub use linking::{LinkError, NewLinkCode};
pub use notices::{NoticeNext, OpenNotice};
pub use offhook_core::call::Direction;
pub use open::OpenError;
pub use owners::{BalanceRow, OwnerRow, Preferences, Talk, Talked};
pub use phones::PhoneRow;
pub use projection::{End, Lifecycle};
pub use recordings::{NewRecording, RecordingRow};
pub use retention::{Purged, Retention};
pub use schedules::{
    InsertedSchedule, NewSchedule, RunEnd, RunRefusal, RunRow, RunState, ScheduleRow, Step, Stepped,
};
pub use waiting::Ties;
pub use webhooks::{Delivery, WebhookNext, WebhookRow, WebhookSecretRow, WebhookState};

use std::path::{Path, PathBuf};

/// The database. Cheap to clone; all clones share the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    db: db::Db,
}

/// Paths are stored as text; where one is not valid UTF-8 it could not be found again.
fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn path_from_text(text: String) -> PathBuf {
    PathBuf::from(text)
}

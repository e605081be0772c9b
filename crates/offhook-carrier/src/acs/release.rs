//! What is asked of ACS outside any call: whether it is there and knows us, and the end of calls that a process before
//! this one left behind.

use std::sync::Arc;
use std::time::Duration;

use super::address::Urls;
use super::call::Call;
use super::client::{Look, Reply};
use super::leg::Driver;
use super::request::Request;
use super::result::Meaning;
use super::retry::Tried;
use super::ticket::Ticket;
use super::{AcsCarrier, TRUNK, now};
use crate::{Released, TrunkReply, TrunkReport};

/// How long a call of another process is asked for.
const PATIENCE: Duration = Duration::from_secs(6);
/// No call has this id.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
/// Further off than this a clock makes signatures worthless.
const CLOCK: Duration = Duration::from_secs(120);

impl AcsCarrier {
    /// Ask for a call that does not exist: the answer shows that the endpoint is right and that we are known there.
    pub async fn check(&self) -> TrunkReport {
        let look = self.shared.client.look(&Request::look(NOBODY)).await;
        let advice = advice(&look);
        let reply = match look.tried {
            Tried::Answered { status, .. } => TrunkReply::Answered { status, round_trip: look.took },
            Tried::Silence { .. } => TrunkReply::Silence,
            Tried::NeverLeft { why } => TrunkReply::Unreachable { why },
        };
        let server = self.config.endpoint.clone();
        TrunkReport { name: TRUNK.to_owned(), server, reply, registered: None, advice }
    }

    /// Hang up a call of a process before this one.
    pub async fn release(&self, ticket: &str) -> Released {
        let unknown = |why: &str| Released::Unknown { why: why.to_owned() };
        match Ticket::parse(ticket) {
            None => unknown("its ticket can't be read"),
            Some(Ticket::Connection(connection)) => self.terminate(&connection).await,
            Some(Ticket::Pending { reference, token }) => {
                self.watch(reference, token);
                unknown("ACS had not named it; should it come up, it is hung up")
            }
        }
    }

    async fn terminate(&self, connection: &str) -> Released {
        let request = Request::terminate(connection);
        let Ok(reply) = tokio::time::timeout(PATIENCE, self.shared.client.perform(&request)).await else {
            return Released::Unreachable {
                why: format!("ACS did not answer within {} s", PATIENCE.as_secs()),
            };
        };
        match reply {
            Reply::Done(_) => Released::Gone,
            Reply::Refused(refusal)
                if refusal.status == 404
                    || refusal.result.row().is_some_and(|row| row.meaning == Meaning::Gone) =>
            {
                Released::Gone
            }
            Reply::Refused(refusal) => Released::Unknown { why: refusal.result.detail() },
            Reply::NotDone { why, .. } | Reply::Uncertain { why } => Released::Unreachable { why },
        }
    }

    /// What ACS tells of that call comes to the same path as before.
    fn watch(&self, reference: String, token: String) {
        let Some(line) = self.config.lines.first() else { return };
        // It is only listened for: where it was told to tell us stands in its own request.
        let urls = Urls::default();
        let timing = self.config.timing;
        let Some((named, post, mailbox)) = self.calls.open_as(reference, token, timing.linger) else {
            return;
        };
        let call = Call::left_behind(now(), self.plan(&urls, &named, line, None));
        let (shared, format) = (Arc::clone(&self.shared), self.config.format);
        Box::new(Driver::new(call, named, shared, None, mailbox, post, format)).say_farewell();
    }
}

/// What to do about it; `None` when all is well.
fn advice(look: &Look) -> Option<String> {
    let clock = look.clock_off.filter(|off| *off > CLOCK);
    let text = match &look.reply {
        Reply::Refused(refusal) if refusal.status == 404 => return None,
        Reply::Done(_) => return None,
        Reply::Refused(refusal) if matches!(refusal.status, 401 | 403) => match clock {
            Some(off) => format!(
                "set this machine's clock, which is {} s off: ACS refuses old signatures",
                off.as_secs()
            ),
            None => format!(
                "check connection string or identity: ACS does not let us in ({})",
                refusal.result.detail()
            ),
        },
        Reply::Refused(refusal) if refusal.status == 400 => {
            format!("check carrier.acs.api_version: {}", refusal.result.detail())
        }
        Reply::Refused(refusal) => {
            format!("ACS answers in a way nobody expects: {}", refusal.result.detail())
        }
        Reply::NotDone { reached: false, why } => {
            format!("check the endpoint and the way to the internet: {why}")
        }
        Reply::NotDone { why, .. } | Reply::Uncertain { why } => format!("try again in a moment: {why}"),
    };
    Some(text)
}

//! The course of one approval: waiting for the user's ear, asking, and the verdict.

use std::time::Duration;

use offhook_core::brief::{Approval, Role};
use offhook_core::call::CallCommand;
use offhook_core::journal::DecidedBy;
use offhook_core::{ApprovalId, CallId, EndReason, Fact, PhoneNumber};
use offhook_store::{ApprovalState, CallFilter, Direction, Verdict};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::AskApproval;
use crate::agents::Wanted;
use crate::clock;
use crate::gateway::{Caller, Gateway, JournalStream, PlaceCall, PlaceCallError};

/// When it is tried again to reach a user who is on the phone with us.
const AGAIN: Duration = Duration::from_secs(1);
/// For the end of a call that is over, which says why it ended.
const WHY: Duration = Duration::from_secs(1);
/// When a store that is away is asked again to write the verdict.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// Turns that show what was said.
const EVIDENCE: usize = 8;

pub(super) struct Run {
    pub gateway: Gateway,
    pub caller: Caller,
    pub id: ApprovalId,
    pub target: PhoneNumber,
    pub approval: Approval,
    pub task: String,
    pub ask: AskApproval,
    pub cancelled: CancellationToken,
    pub expires_in: Duration,
    /// Whoever asked waits to hear whether anybody is called.
    pub begun: Option<oneshot::Sender<Result<(), PlaceCallError>>>,
}

/// Where it is asked.
struct Asking {
    call: CallId,
    after_seq: u64,
    /// In a call that goes on afterwards.
    within: bool,
}

/// What keeps it from being decided.
enum Stop {
    Expired,
    Cancelled,
    Closing,
}

impl Stop {
    fn verdict(self, reason: &str) -> Verdict {
        let (state, reason) = match self {
            Self::Expired => (ApprovalState::Expired, reason),
            Self::Cancelled => (ApprovalState::Cancelled, "cancelled"),
            Self::Closing => (ApprovalState::Declined, EndReason::GatewayShutdown.code()),
        };
        unapproved(state, reason)
    }
}

fn unapproved(state: ApprovalState, reason: &str) -> Verdict {
    Verdict { state, reason: Some(reason.to_owned()), by: None, evidence: Vec::new() }
}

impl Run {
    pub async fn run(mut self) {
        let expires_at = Instant::now() + self.expires_in;
        let floor = self.gateway.inner.approvals.floor(&self.target);
        let turn = match floor.clone().try_lock_owned() {
            Ok(turn) => Ok(turn),
            Err(_) => {
                self.tell_begun(Ok(()));
                tokio::select! {
                    turn = floor.lock_owned() => Ok(turn),
                    stop = self.stopped(expires_at) => Err(stop),
                }
            }
        };
        // Held until it is decided.
        let _turn = match turn {
            Ok(turn) => turn,
            Err(stop) => return self.decide(stop.verdict("another_approval_in_progress")).await,
        };
        let asking = match self.begin(expires_at).await {
            Ok(asking) => asking,
            Err(Some(verdict)) => return self.decide(verdict).await,
            // It was refused: there is nothing to keep.
            Err(None) => return,
        };
        if let Err(error) = self.gateway.inner.store.ask_approval_in(self.id, asking.call).await {
            tracing::warn!(approval_id = %self.id, %error, "in which call it is asked could not be written");
        }
        self.tell_begun(Ok(()));
        let verdict = self.follow(&asking, expires_at).await;
        self.decide(verdict).await;
    }

    fn tell_begun(&mut self, begun: Result<(), PlaceCallError>) {
        if let Some(waiting) = self.begun.take() {
            // Who does not wait any more need not know.
            let _ = waiting.send(begun);
        }
    }

    async fn stopped(&self, expires_at: Instant) -> Stop {
        tokio::select! {
            () = sleep_until(expires_at) => Stop::Expired,
            () = self.cancelled.cancelled() => Stop::Cancelled,
            () = self.gateway.inner.approvals.closing.cancelled() => Stop::Closing,
        }
    }

    /// Until the user is being asked, or the verdict why not; `None` where whoever asked was told.
    async fn begin(&mut self, expires_at: Instant) -> Result<Asking, Option<Verdict>> {
        loop {
            let refused = match self.try_begin().await {
                Ok(asking) => return Ok(asking),
                Err(refused) => refused,
            };
            let code = refused.code();
            let passes =
                matches!(code, "destination_busy" | "reserved_number_busy" | "number_pool_exhausted");
            if !passes && self.begun.is_some() {
                if let Err(error) = self.gateway.inner.store.forget_approval(self.id).await {
                    tracing::warn!(approval_id = %self.id, %error, "an approval that was refused is still kept");
                }
                self.tell_begun(Err(refused));
                return Err(None);
            }
            if !passes {
                return Err(Some(unapproved(ApprovalState::Declined, code)));
            }
            self.tell_begun(Ok(()));
            tokio::select! {
                () = sleep(AGAIN) => {}
                stop = self.stopped(expires_at) => return Err(Some(stop.verdict(code))),
            }
        }
    }

    /// In the call that the voice has with the user, or in one of its own.
    async fn try_begin(&self) -> Result<Asking, PlaceCallError> {
        if let Some(asking) = self.ask_within().await? {
            return Ok(asking);
        }
        let wish = PlaceCall {
            to: self.target.as_e164().to_owned(),
            task: self.task.clone(),
            language: self.ask.language.clone(),
            webhook_url: self.ask.webhook_url.clone(),
            role: Role::Assistant,
            agents: Wanted::Nobody,
            approval: Some(self.approval.clone()),
            ..PlaceCall::default()
        };
        let call = self.gateway.place_for_approval(self.caller, wish).await?;
        Ok(Asking { call, after_seq: 0, within: false })
    }

    /// Only in a call that we placed to the user: who calls us is not the user for the number alone.
    async fn ask_within(&self) -> Result<Option<Asking>, PlaceCallError> {
        let store = &self.gateway.inner.store;
        let unreadable = |error| super::unreadable(&error);
        let filter = CallFilter {
            owner: Some(self.caller.owner),
            direction: Some(Direction::Outbound),
            live: Some(true),
            ..CallFilter::default()
        };
        let calls = store.calls(&filter).await.map_err(unreadable)?;
        let with_user = calls.iter().filter(|call| call.request.to == self.target.as_e164());
        for call in with_user.filter(|call| call.answered_at.is_some()) {
            // What it told before is of another approval, if of any.
            let Some(after_seq) = self.gateway.inner.engine.last_seq(call.id) else { continue };
            let command = CallCommand::Approve(Box::new(self.approval.clone()));
            let asked =
                self.gateway.inner.engine.steer(call.id, Some(self.caller.owner), command, None).await;
            if let Some(Ok(_)) = asked {
                return Ok(Some(Asking { call: call.id, after_seq, within: true }));
            }
        }
        Ok(None)
    }

    /// What the call writes down of it, and of nothing else.
    async fn follow(&self, asking: &Asking, expires_at: Instant) -> Verdict {
        let Ok(mut journal) = self.gateway.journal(self.caller, asking.call, asking.after_seq).await else {
            self.end_asking(asking).await;
            return unapproved(ApprovalState::Declined, "store_unavailable");
        };
        let (mut asked, mut evidence) = (false, Vec::new());
        loop {
            let entry = tokio::select! {
                entry = journal.next() => entry,
                stop = self.stopped_unless_closing(expires_at) => {
                    self.end_asking(asking).await;
                    return stop.verdict("timed_out");
                }
            };
            let Some(entry) = entry else {
                return unapproved(ApprovalState::Declined, DecidedBy::CallEnded.code());
            };
            match entry.fact {
                Fact::ApprovalAsked { .. } => asked = true,
                Fact::RemoteSaid { turn, .. } | Fact::NotUnderstood { turn, .. } if asked => {
                    evidence.push(turn)
                }
                Fact::ApprovalDecided { approved, by } => {
                    let reason = match by {
                        _ if approved => None,
                        DecidedBy::CallEnded => Some(why_ended(&mut journal).await),
                        DecidedBy::Keys | DecidedBy::Voice => Some("declined".to_owned()),
                        DecidedBy::WrongPin | DecidedBy::TimedOut => Some(by.code().to_owned()),
                    };
                    let state = if approved { ApprovalState::Approved } else { ApprovalState::Declined };
                    let evidence = evidence.split_off(evidence.len().saturating_sub(EVIDENCE));
                    return Verdict { state, reason, by: Some(by), evidence };
                }
                Fact::Ended { reason, .. } => return unapproved(ApprovalState::Declined, reason.code()),
                _ => {}
            }
        }
    }

    /// When the process ends the call does, and says what became of it.
    async fn stopped_unless_closing(&self, expires_at: Instant) -> Stop {
        tokio::select! {
            () = sleep_until(expires_at) => Stop::Expired,
            () = self.cancelled.cancelled() => Stop::Cancelled,
        }
    }

    /// Nobody is asked any more: a call of its own is hung up, any other goes on.
    async fn end_asking(&self, asking: &Asking) {
        let engine = &self.gateway.inner.engine;
        if asking.within {
            engine.steer(asking.call, None, CallCommand::Withdraw, None).await;
        } else if let Err(error) = self.gateway.hang_up(self.caller, asking.call).await {
            tracing::warn!(approval_id = %self.id, call_id = %asking.call, %error, "a call could not be hung up");
        }
    }

    /// Until it is written, however long that takes: a verdict that nobody learns of is none. Where the process
    /// ends meanwhile the next start finds it undecided.
    async fn decide(mut self, verdict: Verdict) {
        tracing::info!(
            approval_id = %self.id, state = verdict.state.code(), reason = verdict.reason.as_deref(), "approval decided"
        );
        loop {
            let store = &self.gateway.inner.store;
            match store.decide_approval(self.id, &verdict, clock::now()).await {
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(approval_id = %self.id, %error, "a verdict could not be written; trying again");
                    sleep(WRITE_AGAIN).await;
                }
            }
        }
        self.tell_begun(Ok(()));
    }
}

/// Why a call ended that says so in a moment.
async fn why_ended(journal: &mut JournalStream) -> String {
    let end = async {
        while let Some(entry) = journal.next().await {
            if let Fact::Ended { reason, .. } = entry.fact {
                return Some(reason.code().to_owned());
            }
        }
        None
    };
    let ended = timeout(WHY, end).await.ok().flatten();
    ended.unwrap_or_else(|| DecidedBy::CallEnded.code().to_owned())
}

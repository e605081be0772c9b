//! Connecting the user to a call under way, and how that goes.

use offhook_core::brief::Introduction;
use offhook_core::call::{CallCommand, Direction, NotNow};
use offhook_core::journal::{HandoffBy, HandoffFailure, Party};
use offhook_core::policy::{Amount, HandoffAllow, Refusal, RefusalCode, Rule};
use offhook_core::{CallId, Fact, JournalEntry, PhoneNumber, Timestamp};
use offhook_store::CallRow;

use super::place::unreadable;
use super::{CallError, Caller, Gateway, PlaceCallError, SteerError, Steered};
use crate::admission::limits;

/// The wish to have the user connected; not yet checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bridge {
    /// The user's phone; when absent the one the call was placed with, else the confirmed one of the account.
    pub number: Option<String>,
    /// First tell the user in private who is there; as the call was placed when absent.
    pub warm: Option<bool>,
}

/// Without the number.
impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge").field("warm", &self.warm).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    #[error(transparent)]
    Steer(#[from] SteerError),
    /// What is wrong with the number.
    #[error(transparent)]
    Number(#[from] PlaceCallError),
}

impl From<CallError> for BridgeError {
    fn from(error: CallError) -> Self {
        Self::Steer(error.into())
    }
}

/// How a handoff goes, or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffView {
    pub state: HandoffState,
    pub by: HandoffBy,
    pub warm: bool,
    pub asked_at: Timestamp,
    pub joined_at: Option<Timestamp>,
    /// Why the user did not come.
    pub why_not: Option<HandoffFailure>,
    /// Who hung up first of those who were joined.
    pub ended_by: Option<Party>,
    /// Our line the user was called from.
    pub line: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffState {
    Dialing,
    Ringing,
    /// The user is told in private who is there.
    Introducing,
    Joined,
    Failed,
    Ended,
}

impl HandoffState {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Introducing => "introducing",
            Self::Joined => "joined",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

impl HandoffView {
    /// The last handoff of a call.
    pub(super) fn of(journal: &[JournalEntry], call_is_over: bool) -> Option<Self> {
        let mut last: Option<Self> = None;
        for entry in journal {
            if let Fact::HandoffAsked { by, warm } = entry.fact {
                last = Some(Self {
                    state: HandoffState::Dialing,
                    by,
                    warm,
                    asked_at: entry.at,
                    joined_at: None,
                    why_not: None,
                    ended_by: None,
                    // Of an earlier try, until there is another.
                    line: last.and_then(|before| before.line),
                });
            } else if let Some(handoff) = &mut last {
                handoff.learn(entry);
            }
        }
        last.map(|handoff| if call_is_over { handoff.over() } else { handoff })
    }

    /// As it stands after the call, whose process may have been killed before it could say so.
    fn over(self) -> Self {
        match self.state {
            HandoffState::Failed | HandoffState::Ended => self,
            HandoffState::Joined => {
                Self { state: HandoffState::Ended, ended_by: Some(Party::Gateway), ..self }
            }
            HandoffState::Dialing | HandoffState::Ringing | HandoffState::Introducing => {
                let why_not = Some(HandoffFailure::Cancelled);
                Self { state: HandoffState::Failed, why_not, ..self }
            }
        }
    }

    fn learn(&mut self, entry: &JournalEntry) {
        match &entry.fact {
            Fact::HandoffDialing { line } => self.line = Some(line.clone()),
            Fact::HandoffRinging {} => self.state = HandoffState::Ringing,
            Fact::HandoffAnswered {} => self.state = HandoffState::Introducing,
            Fact::HandoffJoined {} => {
                (self.state, self.joined_at) = (HandoffState::Joined, Some(entry.at));
            }
            Fact::HandoffFailed { why_not } => {
                (self.state, self.why_not) = (HandoffState::Failed, Some(*why_not));
            }
            Fact::HandoffEnded { by, .. } => {
                (self.state, self.ended_by) = (HandoffState::Ended, Some(*by));
            }
            _ => {}
        }
    }
}

impl Gateway {
    /// Have the user connected to a call of the caller's that is under way.
    pub async fn bridge(
        &self,
        caller: Caller,
        id: CallId,
        wish: Bridge,
        key: Option<String>,
    ) -> Result<Steered, BridgeError> {
        let call = self.own_call(caller, id).await?;
        let introduction = self.introduction(&wish, &call).await?;
        let to = match &wish.number {
            Some(number) => Some(self.may_join(caller, &parsed(number)?, &call).await?),
            None => None,
        };
        let named = to.is_some();
        if !named {
            self.may_be_joined(caller, &call).await?;
        }
        match self.hand_over(caller, id, (to, introduction), key.clone()).await {
            Err(SteerError::NotNow(NotNow::NobodyToJoin)) if !named => {}
            // It may have been used for the phone of the account.
            Err(SteerError::KeyReused(_)) if !named && call.request.bridge_number.is_none() => {}
            told => return Ok(told?),
        }
        let phone = self.account_phone(call.owner).await;
        let phone = phone.map_err(|_| SteerError::Missing { field: "bridge_number" })?;
        let to = Some(self.may_join(caller, &phone, &call).await?);
        Ok(self.hand_over(caller, id, (to, introduction), key).await?)
    }

    /// A call that was placed with a user knows how that one is told; what the account prefers holds for any other.
    async fn introduction(&self, wish: &Bridge, call: &CallRow) -> Result<Option<Introduction>, BridgeError> {
        let warm = match wish.warm {
            None if call.request.user_number.is_none() => {
                let preferred = self.inner.store.preferences(call.owner).await;
                preferred.map_err(|error| unreadable(&error))?.and_then(|preferred| preferred.warm_greeting)
            }
            warm => warm,
        };
        Ok(warm.map(|warm| if warm { Introduction::Warm } else { Introduction::Straight }))
    }

    /// The same rules as for whom a call is placed with, and nobody else's phone for a key that anybody may have.
    async fn may_join(
        &self,
        caller: Caller,
        user: &PhoneNumber,
        call: &CallRow,
    ) -> Result<HandoffAllow, PlaceCallError> {
        let remote = match call.direction {
            Direction::Outbound => Some(&call.request.to),
            Direction::Inbound => call.request.from.as_ref(),
        };
        let remote = remote.and_then(|number| number.parse().ok());
        let admission = &self.inner.admission;
        let phones = self.own_phones(call.owner).await.map_err(|error| unreadable(&error))?;
        let bound_to = self.bound_to(Some(caller)).await.map_err(|error| unreadable(&error))?;
        let allow = admission.check_user(user, remote.as_ref(), &phones, bound_to.as_deref())?;
        if call.request.user_number.as_deref() == Some(user.as_e164()) {
            return Ok(allow);
        }
        // Of a call that is over it is told that.
        if caller.anonymous && call.end.is_none() {
            return Err(refused(
                RefusalCode::DestinationBlocked,
                "a key that is not linked to an account can have only that user connected whose number the call was \
                 placed with; name it there, or link the key",
            ));
        }
        let often = admission.check_calls_to_user(&self.inner.store, user, &phones).await;
        often.map_err(|error| unreadable(&error))??;
        self.is_paid_for(&allow, call).await?;
        Ok(allow)
    }

    /// A key that is bound to its target has nobody else called, also where another key of the account placed the call
    /// and named its user.
    async fn may_be_joined(&self, caller: Caller, call: &CallRow) -> Result<(), PlaceCallError> {
        let bound_to = self.bound_to(Some(caller)).await.map_err(|error| unreadable(&error))?;
        let (Some(bound_to), Some(user)) = (bound_to, &call.request.user_number) else { return Ok(()) };
        if bound_to.iter().any(|number| number.as_e164() == user) {
            return Ok(());
        }
        Err(refused(
            RefusalCode::DestinationBlocked,
            "this key may have only its target called, and the user of this call is somebody else",
        ))
    }

    /// A call was promised what its own number and that of the user it was placed with cost. Another user may not
    /// cost more than that one, and none may be called into a call that was promised nothing.
    async fn is_paid_for(&self, user: &HandoffAllow, call: &CallRow) -> Result<(), PlaceCallError> {
        let owner = self.inner.store.owner(call.owner).await.map_err(|error| unreadable(&error))?;
        let owner_limits = limits::stored(owner.as_ref().and_then(|owner| owner.limits.as_deref()));
        let (admission, prices) = (&self.inner.admission, &self.inner.admission.policy().config().prices);
        let named = call.request.user_number.as_ref().and_then(|number| number.parse().ok());
        let promised = named.as_ref().map_or(Amount::ZERO, |named| prices.of(named));
        let counted = call.direction == Direction::Outbound || named.is_some();
        let limited =
            admission.limits_talk(&owner_limits) || owner.is_some_and(|owner| owner.balance.is_some());
        if !limited || owner_limits.unlimited || (counted && user.price() <= promised) {
            return Ok(());
        }
        Err(refused(
            RefusalCode::BalanceDepleted,
            "this user would cost more than was promised to the call; place it with their number, or have it in the \
             profile of the line",
        ))
    }

    /// Whom the call was handed over to is written down with it, also where nobody waits for that any more.
    async fn hand_over(
        &self,
        caller: Caller,
        id: CallId,
        (to, introduction): (Option<HandoffAllow>, Option<Introduction>),
        key: Option<String>,
    ) -> Result<Steered, SteerError> {
        let gateway = self.clone();
        let told = tokio::spawn(async move {
            let user = to.as_ref().map(|to| to.user().as_e164().to_owned());
            let told = gateway.command(caller, id, CallCommand::Bridge { to, introduction }, key).await?;
            if let Some(user) = user.filter(|_| !told.repeated)
                && let Err(error) = gateway.inner.store.set_user(id, &user).await
            {
                tracing::error!(call_id = %id, %error, "whom a call was handed over to could not be written");
            }
            Ok(told)
        });
        told.await.unwrap_or(Err(SteerError::Call(CallError::Store)))
    }
}

fn refused(code: RefusalCode, message: &str) -> PlaceCallError {
    let (rule, message) = (Rule::Handoff, message.to_owned());
    Refusal { rule, code, message, retry_after: None, quota: None }.into()
}

fn parsed(number: &str) -> Result<PhoneNumber, PlaceCallError> {
    let field = "bridge_number";
    PhoneNumber::parse(number).map_err(|error| PlaceCallError::InvalidPhone { field, why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(facts: Vec<Fact>) -> Vec<JournalEntry> {
        let entry = |(index, fact)| JournalEntry {
            seq: index as u64 + 1,
            at: Timestamp::from_unix_millis(index as i64),
            fact,
        };
        facts.into_iter().enumerate().map(entry).collect()
    }

    #[test]
    fn a_handoff_is_told_as_far_as_it_got() {
        let asked = || Fact::HandoffAsked { by: HandoffBy::Voice, warm: true };
        let dialing = || Fact::HandoffDialing { line: "+14155550199".to_owned() };
        let steps = [
            (asked(), "dialing"),
            (dialing(), "dialing"),
            (Fact::HandoffRinging {}, "ringing"),
            (Fact::HandoffAnswered {}, "introducing"),
            (Fact::HandoffFailed { why_not: HandoffFailure::UserDeclined }, "failed"),
            (asked(), "dialing"),
            (dialing(), "dialing"),
            (Fact::HandoffAnswered {}, "introducing"),
            (Fact::HandoffJoined {}, "joined"),
            (Fact::HandoffEnded { by: Party::User, joined_ms: 9 }, "ended"),
        ];
        let facts: Vec<Fact> = steps.iter().map(|(fact, _)| fact.clone()).collect();
        for (index, (_, state)) in steps.iter().enumerate() {
            let view = HandoffView::of(&journal(facts[..=index].to_vec()), false).expect("a handoff");
            assert_eq!(view.state.code(), *state, "after {index}");
        }
        let killed = HandoffView::of(&journal(facts[..9].to_vec()), true).expect("a handoff");
        assert_eq!((killed.state.code(), killed.ended_by), ("ended", Some(Party::Gateway)));
        let killed = HandoffView::of(&journal(facts[..3].to_vec()), true).expect("a handoff");
        assert_eq!((killed.state.code(), killed.why_not), ("failed", Some(HandoffFailure::Cancelled)));
        let last = HandoffView::of(&journal(facts), true).expect("a handoff");
        assert_eq!((last.joined_at, last.why_not), (Some(Timestamp::from_unix_millis(8)), None));
        assert_eq!((last.ended_by, last.line.as_deref()), (Some(Party::User), Some("+14155550199")));
        assert_eq!(HandoffView::of(&journal(vec![Fact::Ringing { early_media: false }]), true), None);
    }
}

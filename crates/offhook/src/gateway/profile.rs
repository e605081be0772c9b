//! How calls to the line of an account are answered, as the account says.

use offhook_core::PhoneNumber;
use offhook_core::brief::check::holds_secret;
use offhook_store::InboundProfile;

use super::account::{linked, unreadable};
use super::lines::ActiveLine;
use super::preferences::unwritable;
use super::voice::unbound;
use super::wish::RESTRICTED;
use super::{AccountError, Caller, Gateway};
use crate::clock;

/// Who may be put through at most.
const MOST_PASSED: usize = 100;

/// What an account wants its calls to be answered with, not yet checked.
#[derive(Clone, Default)]
pub struct NewProfile {
    pub instructions: String,
    pub greeting: String,
    pub handoff_number: Option<String>,
    /// Said, it outranks the number, which is forgotten.
    pub loop_in_user: Option<bool>,
    /// `None` keeps those there are.
    pub passthrough_numbers: Option<Vec<String>>,
}

/// Without the words and the numbers.
impl std::fmt::Debug for NewProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewProfile").field("loop_in_user", &self.loop_in_user).finish_non_exhaustive()
    }
}

/// What an account with a line of its own has set for it.
#[derive(Clone, Debug)]
pub struct Answering {
    pub line: ActiveLine,
    pub profile: Option<InboundProfile>,
}

impl Gateway {
    /// `None` where the caller has no line of its own.
    pub async fn answering(&self, caller: Caller) -> Result<Option<Answering>, AccountError> {
        if caller.anonymous {
            return Ok(None);
        }
        let Some(line) = self.active(&self.reserved_for(caller).await?) else { return Ok(None) };
        let profile = self.inner.store.inbound_profile(caller.owner).await;
        Ok(Some(Answering { line, profile: profile.map_err(|error| unreadable(&error))? }))
    }

    /// Whether this caller may say how calls to a line of its own are answered.
    pub async fn check_inbound(&self, caller: Caller) -> Result<(), AccountError> {
        linked(caller)?;
        unbound(caller)?;
        self.active_line(caller).await.map(drop)
    }

    /// What is to be kept of a new profile, if all of it can be.
    pub(super) async fn checked(
        &self,
        caller: Caller,
        new: NewProfile,
    ) -> Result<InboundProfile, AccountError> {
        for (field, text) in [("instructions", &new.instructions), ("greeting", &new.greeting)] {
            if self.inner.settings.restrict_data && holds_secret(text) {
                return Err(AccountError::InvalidProfile { field, why: RESTRICTED.to_owned() });
            }
        }
        let handoff_number = match (new.loop_in_user, &new.handoff_number) {
            (None, Some(number)) => Some(self.external(caller, number).await?),
            _ => None,
        };
        if new.loop_in_user == Some(true) {
            self.reachable_user(caller).await?;
        }
        let passthrough_numbers = match new.passthrough_numbers {
            Some(numbers) => self.passed(caller, &numbers).await?,
            None => {
                let before = self.inner.store.inbound_profile(caller.owner).await;
                let before = before.map_err(|error| unreadable(&error))?;
                before.map(|profile| profile.passthrough_numbers).unwrap_or_default()
            }
        };
        let (instructions, greeting) = (new.instructions, new.greeting);
        Ok(InboundProfile {
            instructions,
            greeting,
            handoff_number,
            loop_in_user: new.loop_in_user,
            passthrough_numbers,
        })
    }

    /// Puts a profile in the place of what there was, or removes it.
    pub(super) async fn keep_profile(
        &self,
        caller: Caller,
        new: Option<&InboundProfile>,
    ) -> Result<(), AccountError> {
        let kept = self.inner.store.set_inbound_profile(caller.owner, new, clock::now()).await;
        match kept.map_err(|error| unwritable(&error))? {
            true => Ok(()),
            // The owner was deleted since the key was looked up.
            false => Err(AccountError::NotLinked),
        }
    }

    /// A number that a call to our lines may be handed over to.
    async fn external(&self, caller: Caller, number: &str) -> Result<String, AccountError> {
        let wrong = |why: String| AccountError::InvalidHandoffNumber { why };
        let number: PhoneNumber = number.parse().map_err(|error| wrong(format!("{error}")))?;
        let phones =
            self.own_phones(caller.owner).await.map_err(|error| super::account::unreadable(&error))?;
        let decided = self.inner.admission.check_user(&number, None, &phones, None);
        decided.map(|_| number.as_e164().to_owned()).map_err(|refusal| wrong(refusal.message))
    }

    /// The account's own phone, which must be one that may be called.
    async fn reachable_user(&self, caller: Caller) -> Result<PhoneNumber, AccountError> {
        let phone = self.account_phone(caller.owner).await?;
        let own = std::slice::from_ref(&phone);
        let decided = self.inner.admission.check_user(&phone, None, own, None);
        decided
            .map(|_| phone)
            .map_err(|refusal| AccountError::InvalidLoopInDestination { why: refusal.message })
    }

    /// Each once, all of them numbers, and there is a phone to put them through to.
    async fn passed(&self, caller: Caller, numbers: &[String]) -> Result<Vec<String>, AccountError> {
        let field = "passthrough_numbers";
        let mut passed = Vec::new();
        for number in numbers {
            let wrong = |why: String| AccountError::InvalidProfile { field, why };
            let number: PhoneNumber = number.parse().map_err(|error| wrong(format!("{error}")))?;
            if !self.inner.admission.policy().config().countries.allow(&number) && !number.is_fictional() {
                return Err(wrong("has a number of a country that is not served here".to_owned()));
            }
            passed.push(number.as_e164().to_owned());
        }
        passed.sort();
        passed.dedup();
        if passed.len() > MOST_PASSED {
            let why = format!("has {} numbers; {MOST_PASSED} are possible", passed.len());
            return Err(AccountError::InvalidProfile { field, why });
        }
        if !passed.is_empty() {
            self.reachable_user(caller).await?;
        }
        Ok(passed)
    }
}

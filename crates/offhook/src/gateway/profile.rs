//! How calls to the line of an account are answered, as the account says.

use offhook_core::PhoneNumber;
use offhook_core::brief::check::holds_secret;
use offhook_store::InboundProfile;

use super::account::{linked, unreadable};
use super::lines::ActiveLine;
use super::preferences::unwritable;
use super::reception::{OwnReception, seal};
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
    /// `None` keeps what there is; `Some(None)` clears it.
    pub reception: Option<Option<NewReception>>,
}

/// Who may call the account's line and what happens then, not yet checked.
#[derive(Clone, Debug, Default)]
pub struct NewReception {
    /// Without its PIN.
    pub own: OwnReception,
    pub pin: PinChange,
}

/// What becomes of the PIN there is.
#[derive(Clone, Default)]
pub enum PinChange {
    #[default]
    Keep,
    Remove,
    Set(String),
}

/// Without the digits.
impl std::fmt::Debug for PinChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
            Self::Set(_) => "Set",
        })
    }
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
        let before = self.inner.store.inbound_profile(caller.owner).await;
        let before = before.map_err(|error| unreadable(&error))?.unwrap_or_default();
        let passthrough_numbers = match new.passthrough_numbers {
            Some(numbers) => self.passed(caller, &numbers).await?,
            None => before.passthrough_numbers,
        };
        let reception = match new.reception {
            Some(Some(new)) => Some(self.checked_reception(caller, new, before.reception.as_deref())?),
            Some(None) => None,
            None => before.reception,
        };
        let (instructions, greeting) = (new.instructions, new.greeting);
        Ok(InboundProfile {
            instructions,
            greeting,
            handoff_number,
            loop_in_user: new.loop_in_user,
            passthrough_numbers,
            reception,
        })
    }

    /// As it is stored: with its PIN sealed.
    fn checked_reception(
        &self,
        caller: Caller,
        new: NewReception,
        before: Option<&str>,
    ) -> Result<String, AccountError> {
        let field = "reception";
        let wrong =
            |of: &str, why: String| AccountError::InvalidProfile { field, why: format!(".{of} {why}") };
        let settings = &self.inner.settings;
        let digits = match &new.pin {
            PinChange::Set(digits) => Some(digits.clone()),
            PinChange::Keep | PinChange::Remove => None,
        };
        let own = OwnReception { pin: digits.clone(), ..new.own };
        own.check(settings.restrict_data).map_err(|(of, why)| wrong(of, why))?;
        let notify = own.notify.as_ref().map(|notify| ("notify.url", notify.url.as_str()));
        for (of, url) in notify.into_iter().chain(own.webhook_url.as_deref().map(|url| ("webhook_url", url)))
        {
            settings.webhooks.reach.check(url).map_err(|error| wrong(of, error.to_string()))?;
        }
        let sealed = match (&new.pin, digits) {
            (PinChange::Keep, _) => before.and_then(|json| OwnReception::stored(json).pin),
            (_, Some(digits)) => {
                let sealed = seal(&self.inner.secret, caller.owner, &digits);
                Some(sealed.ok_or_else(|| wrong("pin", "can't be kept just now; try again".to_owned()))?)
            }
            (_, None) => None,
        };
        if own.needs_pin() && sealed.is_none() {
            let why = "is missing: callers are to give one".to_owned();
            return Err(wrong("pin", why));
        }
        Ok(OwnReception { pin: sealed, ..own }.to_json())
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

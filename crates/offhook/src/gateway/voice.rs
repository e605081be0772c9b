//! The voice as a tool: the one number it calls for an account, and the call to it.
//!
//! Who the target is, is kept once, with the account; every surface reads it there when it is needed, so a change is in
//! effect at once. A key that is bound to its target is held to it by the policy ([`Rule::Target`]), whatever it asks for.
//!
//! [`Rule::Target`]: offhook_core::policy::Rule::Target

use std::time::Duration;

use offhook_core::brief::Role;
use offhook_core::{OwnerId, PhoneNumber};
use offhook_store::{AuditEntry, StoreError};

use super::place::unreadable;
use super::{Bound, Caller, Gateway, Idempotency, PlaceCall, PlaceCallError, Placed};
use crate::clock;

/// What the voice is to do where nobody says.
const JUST_CALL: &str =
    "The user asked you, their assistant, to call them. Ask what you can do for them, and do it.";

/// The number the voice calls when it is told to call the user. `Debug` masks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceTarget {
    pub number: PhoneNumber,
    pub source: TargetSource,
}

/// Who says so. The first that does counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetSource {
    /// The account, with `/phone`.
    Account,
    /// The operator, who has confirmed this phone of the account.
    Phone,
    /// The configuration, for all to whom the operator gave a key and who have none.
    Operator,
}

impl TargetSource {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Phone => "account_phone",
            Self::Operator => "operator",
        }
    }
}

/// A call to the user; not yet checked.
#[derive(Clone, Default)]
pub struct VoiceCall {
    /// What the voice is to talk about, ask and do.
    pub prompt: Option<String>,
    /// What it says first, after the disclosure.
    pub opening_message: Option<String>,
    /// Somebody else than the target, where the key may have others called.
    pub number: Option<String>,
    pub max_duration: Option<Duration>,
    /// Where the events of the call are sent.
    pub webhook_url: Option<String>,
    pub idempotency: Option<Idempotency>,
    /// The user has just asked for it.
    pub by_user: bool,
}

/// Without the number and the words.
impl std::fmt::Debug for VoiceCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceCall").field("max_duration", &self.max_duration).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    #[error(
        "no number is set that may be called; the user sets theirs with `/phone +1…` (`offhook phone +1…`, or PUT \
         /me/voice-target)"
    )]
    NoTarget,
    #[error(transparent)]
    Bound(#[from] Bound),
    #[error(transparent)]
    Place(#[from] PlaceCallError),
}

impl VoiceError {
    /// As every answer names it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoTarget => "voice_target_required",
            Self::Bound(_) => "voice_only_key",
            Self::Place(error) => error.code(),
        }
    }
}

/// A key that is bound to its target changes nothing of the account, least of all its target.
pub(super) fn unbound(caller: Caller) -> Result<(), Bound> {
    if caller.bound { Err(Bound) } else { Ok(()) }
}

impl Gateway {
    /// Whom the voice calls for this owner.
    pub async fn voice_target(&self, owner: OwnerId) -> Result<Option<VoiceTarget>, VoiceError> {
        Ok(self.target(owner).await.map_err(|error| unreadable(&error))?)
    }

    pub(super) async fn target(&self, owner: OwnerId) -> Result<Option<VoiceTarget>, StoreError> {
        let of = |number: PhoneNumber, source| VoiceTarget { number, source };
        let set = self.inner.store.voice_target(owner).await?.and_then(|number| number.parse().ok());
        if let Some(number) = set {
            return Ok(Some(of(number, TargetSource::Account)));
        }
        if let Some(number) = super::phones::chosen(&self.inner.store.phones(owner).await?) {
            return Ok(Some(of(number, TargetSource::Phone)));
        }
        let usual = self.inner.settings.voice_target.clone();
        // Whoever was given a key on a first call is nobody the operator knows: they learn no number, and ring none.
        if usual.is_some() && self.inner.store.is_minted(owner).await? {
            return Ok(None);
        }
        Ok(usual.map(|number| of(number, TargetSource::Operator)))
    }

    /// Whether that is this owner's own user.
    pub(super) async fn is_to_user(&self, owner: OwnerId, to: &PhoneNumber) -> Result<bool, StoreError> {
        Ok(self.target(owner).await?.is_some_and(|target| target.number == *to))
    }

    /// All whom this caller may have called; `None`: anybody.
    pub(super) async fn bound_to(
        &self,
        caller: Option<Caller>,
    ) -> Result<Option<Vec<PhoneNumber>>, StoreError> {
        let Some(caller) = caller.filter(|caller| caller.bound) else { return Ok(None) };
        let target = self.target(caller.owner).await?;
        Ok(Some(target.into_iter().map(|target| target.number).collect()))
    }

    /// From now on the voice calls this number for the caller's account.
    pub async fn set_voice_target(&self, caller: Caller, number: &str) -> Result<VoiceTarget, VoiceError> {
        unbound(caller)?;
        let number = parsed(number)?;
        self.inner.admission.check_destination(&number, None).map_err(PlaceCallError::from)?;
        self.keep_target(caller, Some(&number)).await?;
        Ok(VoiceTarget { number, source: TargetSource::Account })
    }

    /// The account has no target of its own any more; the one that holds then, if there is one.
    pub async fn clear_voice_target(&self, caller: Caller) -> Result<Option<VoiceTarget>, VoiceError> {
        unbound(caller)?;
        self.keep_target(caller, None).await?;
        self.voice_target(caller.owner).await
    }

    async fn keep_target(&self, caller: Caller, number: Option<&PhoneNumber>) -> Result<(), VoiceError> {
        let (store, owner) = (&self.inner.store, caller.owner);
        let kept = store.set_voice_target(owner, number.map(PhoneNumber::as_e164)).await;
        if !kept.map_err(|error| unreadable(&error))? {
            // The owner was deleted since the key was looked up.
            return Err(PlaceCallError::from(super::AuthError::InvalidKey).into());
        }
        let action = if number.is_some() { "voice_target.set" } else { "voice_target.cleared" };
        let (actor, action) = ("holder".to_owned(), action.to_owned());
        let entry =
            AuditEntry { at: clock::now(), owner: Some(owner), actor, action, subject: None, detail: None };
        if let Err(error) = store.append_audit(&entry).await {
            tracing::error!(%error, "that a voice target was changed could not be noted in the audit log");
        }
        Ok(())
    }

    /// Call the user: the target, and nobody else unless another number is named and the key may have it called.
    pub async fn call_user(&self, key: Option<&str>, ask: VoiceCall) -> Result<Placed, VoiceError> {
        let caller = self.authenticate(key).await.map_err(PlaceCallError::from)?;
        let target = self.voice_target(caller.owner).await?.map(|target| target.number);
        let to = match &ask.number {
            Some(number) => parsed(number)?,
            None => target.clone().ok_or(VoiceError::NoTarget)?,
        };
        // Whoever else is called is no user of ours.
        let role = if target.as_ref() == Some(&to) { Role::Assistant } else { Role::Caller };
        let prompt = ask.prompt.filter(|prompt| !prompt.trim().is_empty());
        let wish = PlaceCall {
            to: to.as_e164().to_owned(),
            task: prompt.unwrap_or_else(|| JUST_CALL.to_owned()),
            greeting: ask.opening_message.filter(|message| !message.trim().is_empty()),
            max_duration: ask.max_duration,
            webhook_url: ask.webhook_url,
            idempotency: ask.idempotency,
            role,
            // What an agent says is typed may be its own idea, and a key that is bound is an agent's.
            by_user: ask.by_user && !caller.bound,
            ..PlaceCall::default()
        };
        Ok(self.place_call(key, wish).await?)
    }

    /// Our own numbers, from which the voice calls.
    pub fn source_numbers(&self) -> &[PhoneNumber] {
        &self.inner.settings.lines
    }
}

fn parsed(number: &str) -> Result<PhoneNumber, PlaceCallError> {
    let field = "number";
    PhoneNumber::parse(number).map_err(|error| PlaceCallError::InvalidPhone { field, why: error.to_string() })
}

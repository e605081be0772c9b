//! A wish as it is kept with its call, and read again when the call is placed later than it was asked for.

use std::time::Duration;

use offhook_core::brief::{Commit, Role};
use offhook_core::{OwnerId, Timestamp};
use offhook_store::CallRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wish::Wish;
use super::{Caller, Gateway, PlaceCall, PlaceCallError};
use crate::agents::Wanted;

/// What was asked for and has no column of its own.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voicemail_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_owner_seconds: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    loop_in_user: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_greeting: Option<bool>,
    /// `true`, `false`, or the limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_commit: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplied: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<String>,
    /// `true`, or the names.
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<Value>,
    /// Asked for with a key that is bound to its target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bound: bool,
    /// The voice calls its own user.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    to_user: bool,
}

impl Extra {
    fn of(ask: &PlaceCall) -> Self {
        Self {
            max_duration_seconds: ask.max_duration.map(|duration| duration.as_secs()),
            voicemail_message: ask.voicemail_message.clone(),
            ask_owner_seconds: ask.ask_owner.map(|patience| patience.as_secs()),
            loop_in_user: ask.loop_in_user,
            warm_greeting: ask.warm_greeting,
            may_commit: ask.may_commit.as_ref().and_then(commit_written),
            result_schema: ask.result_schema.clone(),
            supplied: ask.supplied.clone(),
            findings: ask.findings.clone(),
            agents: agents_written(&ask.agents),
            bound: ask.bound,
            to_user: ask.role == Role::Assistant,
        }
    }
}

/// As it is kept with the call; `None` where there is nothing to keep.
pub(super) fn written(ask: &PlaceCall) -> Option<String> {
    let extra = Extra::of(ask);
    let text = || serde_json::to_string(&extra).expect("texts and numbers can be written");
    (extra != Extra::default()).then(text)
}

/// What was asked for when this call was written down.
pub(super) fn read(row: &CallRow) -> PlaceCall {
    let request = row.request.clone();
    // What a newer version wrote besides is skipped.
    let extra: Extra =
        request.extra.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    PlaceCall {
        to: request.to,
        task: request.task,
        personality: request.personality,
        greeting: request.greeting,
        voice: Some(request.voice),
        bridge_number: request.bridge_number,
        loop_in_user: extra.loop_in_user,
        warm_greeting: extra.warm_greeting,
        from: request.line,
        language: Some(request.language),
        max_duration: extra.max_duration_seconds.map(Duration::from_secs),
        voicemail_message: extra.voicemail_message,
        webhook_url: None,
        ask_owner: extra.ask_owner_seconds.map(Duration::from_secs),
        may_commit: extra.may_commit.and_then(commit_read),
        result_schema: extra.result_schema,
        follow_up_to: row.ties.follows.map(|call| call.to_string()),
        supplied: extra.supplied,
        findings: extra.findings,
        by_user: false,
        agents: extra.agents.map_or(Wanted::Nobody, agents_read),
        bound: extra.bound,
        // A call that has something approved waits for no time.
        approval: None,
        role: if extra.to_user { Role::Assistant } else { Role::Caller },
        not_before: None,
        not_after: None,
        idempotency: None,
    }
}

pub(super) fn agents_written(wanted: &Wanted) -> Option<Value> {
    match wanted {
        Wanted::AsUsual | Wanted::Nobody => None,
        Wanted::Everybody => Some(true.into()),
        Wanted::These(names) => Some(names.as_slice().into()),
    }
}

pub(super) fn agents_read(written: Value) -> Wanted {
    match serde_json::from_value(written.clone()) {
        Ok(names) => Wanted::These(names),
        Err(_) if written == true => Wanted::Everybody,
        Err(_) => Wanted::Nobody,
    }
}

pub(super) fn commit_written(commit: &Commit) -> Option<Value> {
    match commit {
        Commit::AsTasked => None,
        Commit::Never => Some(false.into()),
        Commit::Within(None) => Some(true.into()),
        Commit::Within(Some(limits)) => Some(limits.as_str().into()),
    }
}

pub(super) fn commit_read(written: Value) -> Option<Commit> {
    match written {
        Value::Bool(false) => Some(Commit::Never),
        Value::Bool(true) => Some(Commit::Within(None)),
        Value::String(limits) => Some(Commit::Within(Some(limits))),
        _ => None,
    }
}

impl Gateway {
    /// The wish of a call that waits, with what is known now of the call it follows up.
    pub(super) async fn wish_of(
        &self,
        caller: Caller,
        row: &CallRow,
        now: Timestamp,
    ) -> Result<Wish, PlaceCallError> {
        let ask = read(row);
        let account_phone = self.handoff_phone(Some(caller), &ask).await;
        // Bound when it was asked for, or by now.
        let caller = Caller { bound: caller.bound || ask.bound, ..caller };
        let mut wish = Wish::parse(ask, account_phone, &self.inner.settings, &self.inner.admission)?;
        wish.bound_to =
            self.bound_to(Some(caller)).await.map_err(|error| super::place::unreadable(&error))?;
        let prior = match self.prior(Some(caller), &wish.ask, &wish.to, now).await {
            // It expired meanwhile; what is in the task has to do.
            Err(PlaceCallError::NoSuchCall) => None,
            prior => prior?,
        };
        if let (None, Some(supplied)) = (&prior, &wish.ask.supplied) {
            wish.brief.task.push_str(&format!("\n\nWhat is known now: {}", supplied.trim()));
        }
        wish.brief.prior = prior.map(|followed| followed.prior);
        wish.ties = row.ties.clone();
        Ok(wish)
    }

    /// Whoever a call belongs to by now.
    pub(super) async fn caller_of(&self, owner: OwnerId) -> Result<Caller, PlaceCallError> {
        self.check_has_key(owner).await?;
        let anonymous = self.inner.store.is_minted(owner).await;
        let anonymous = anonymous.map_err(|error| super::place::unreadable(&error))?;
        // Nobody is freed by asking for something later.
        let free = self.inner.store.has_free_key(owner).await;
        let bound = !free.map_err(|error| super::place::unreadable(&error))?;
        Ok(Caller { owner, admin: false, anonymous, bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_asked_for_is_read_again() {
        let ask = PlaceCall {
            max_duration: Some(Duration::from_secs(90)),
            voicemail_message: Some("Please call back.".to_owned()),
            ask_owner: Some(Duration::from_secs(60)),
            warm_greeting: Some(false),
            may_commit: Some(Commit::Within(Some("Up to forty dollars.".to_owned()))),
            result_schema: Some(json!({ "type": "object", "properties": { "price": { "type": "number" } } })),
            supplied: Some("It is March 3rd.".to_owned()),
            bound: true,
            role: Role::Assistant,
            agents: Wanted::These(vec!["main".to_owned()]),
            ..PlaceCall::default()
        };
        let extra: Extra = serde_json::from_str(&written(&ask).unwrap()).unwrap();
        assert!(extra == Extra::of(&ask));
        assert_eq!(written(&PlaceCall::default()), None);
        for commit in [Commit::Never, Commit::Within(None), Commit::Within(Some("x".to_owned()))] {
            assert_eq!(commit_written(&commit).and_then(commit_read), Some(commit));
        }
        assert_eq!(commit_written(&Commit::AsTasked), None);
        assert!(serde_json::from_str::<Extra>(r#"{"later": 1}"#).unwrap() == Extra::default());
    }
}

//! What whoever answers for a line is told of a call once it is over: who called, what came of it, what was left.
//!
//! What callers said is quoted as theirs, and can't ping or link anybody where it is read.

use offhook_core::{CallId, EndReason, Fact, JournalEntry, PhoneNumber};
use offhook_store::{CallRow, StoreError};
use serde_json::{Value, json};

use super::super::Gateway;
use super::{NoticeFormat, Notify};

/// The facts a notice is made of.
const TOLD: &[&str] = &["message.taken", "call.result", "call.problem", "caller.verified"];
/// Chat systems cut off what is longer, or refuse it.
const LONGEST: usize = 1_800;

/// What is posted, and where.
#[derive(Debug)]
pub struct Notice {
    pub notify: Notify,
    pub body: Value,
}

/// What is known of a call that is over.
struct Told<'a> {
    row: &'a CallRow,
    journal: &'a [JournalEntry],
    whole_numbers: bool,
}

impl Gateway {
    /// Somebody is to be told of this call once it is over.
    pub(in crate::gateway) async fn notify_of(&self, call: CallId) {
        if let Err(error) = self.inner.store.add_notice(call).await {
            tracing::error!(call_id = %call, %error, "that somebody is to be told of a call can't be noted");
        }
        self.inner.notices.notify_one();
    }

    /// What is to be told now; `None` where nobody wants to know any more.
    pub async fn notice(&self, call: CallId) -> Result<Option<Notice>, StoreError> {
        let Some(row) = self.inner.store.call(call).await? else { return Ok(None) };
        let Some(notify) = self.notify_for(&row).await? else { return Ok(None) };
        let journal = self.inner.store.journals(&[call], TOLD).await?.remove(&call).unwrap_or_default();
        let told = Told { row: &row, journal: &journal, whole_numbers: notify.whole_numbers };
        let body = match notify.format {
            NoticeFormat::Slack => json!({ "text": for_slack(&told.text()) }),
            NoticeFormat::Discord => json!({ "content": told.text(), "allowed_mentions": { "parse": [] } }),
            NoticeFormat::Json => told.json(),
        };
        Ok(Some(Notice { notify, body }))
    }

    /// Woken whenever there may be something to tell.
    pub fn notices(&self) -> &std::sync::Arc<tokio::sync::Notify> {
        &self.inner.notices
    }

    /// As it is said now: whoever changes where notices go does not wait for those that are on their way.
    async fn notify_for(&self, row: &CallRow) -> Result<Option<Notify>, StoreError> {
        if row.owner == Self::operator() {
            let line = row.request.to.parse::<PhoneNumber>().ok();
            return Ok(line.and_then(|line| self.inner.settings.inbound.of(&line).notify.clone()));
        }
        let Some(profile) = self.inner.store.inbound_profile(row.owner).await? else { return Ok(None) };
        Ok(self.own_reception(row.owner, &profile).await?.notify)
    }
}

impl Told<'_> {
    fn text(&self) -> String {
        let mut text = format!("Call from {} to {}: {}.", self.caller(), self.row.request.to, self.outcome());
        for entry in self.journal {
            if let Fact::MessageTaken { name, message, call_back } = &entry.fact {
                let from = name.as_deref().map(|name| format!(" from {name}")).unwrap_or_default();
                text.push_str(&format!("\nMessage{from}: “{message}”"));
                if let Some(call_back) = call_back {
                    text.push_str(&format!("\nCall back: {}", self.call_back(call_back)));
                }
            }
        }
        if let Some(summary) = self.summary() {
            text.push_str(&format!("\nResult: {summary}"));
        }
        text.push_str(&format!("\nCall {}", self.row.id));
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    fn json(&self) -> Value {
        let messages = self.journal.iter().filter_map(|entry| match &entry.fact {
            Fact::MessageTaken { name, message, call_back } => {
                let call_back = call_back.as_deref().map(|number| self.call_back(number));
                Some(json!({ "name": name, "message": message, "call_back": call_back }))
            }
            _ => None,
        });
        let end = self.row.end.as_ref();
        json!({
            "event": "inbound.call",
            "call_id": self.row.id.to_string(),
            "line": self.row.request.to,
            "from": self.row.request.from.as_deref().map(|from| self.number(from)),
            "verified": self.journal.iter().any(|entry| matches!(entry.fact, Fact::CallerVerified { .. })),
            "outcome": end.map(|end| end.outcome.code()),
            "end_reason": end.map(|end| end.reason.code()),
            "declined_by": self.declined().map(|(rule, _)| rule),
            "talk_seconds": end.and_then(|end| end.talk_ms).map(|ms| ms / 1_000),
            "messages": messages.collect::<Vec<_>>(),
            "summary": self.summary(),
        })
    }

    fn caller(&self) -> String {
        let number = self.row.request.from.as_deref().map(|from| self.number(from));
        number.unwrap_or_else(|| "somebody without a number".to_owned())
    }

    fn number(&self, number: &str) -> String {
        match number.parse::<PhoneNumber>() {
            _ if self.whole_numbers => number.to_owned(),
            Ok(number) => format!("{number:?}"),
            Err(_) => "a number".to_owned(),
        }
    }

    /// The number they called from is theirs, however it is said.
    fn call_back(&self, said: &str) -> String {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let (from, said_digits) =
            (digits(self.row.request.from.as_deref().unwrap_or_default()), digits(said));
        match said_digits.len() >= 7 && from.ends_with(&said_digits) {
            true if !self.whole_numbers => "the number they called from".to_owned(),
            _ => said.to_owned(),
        }
    }

    fn outcome(&self) -> String {
        let Some(end) = self.row.end.as_ref() else { return "not over yet".to_owned() };
        if let Some((_, why)) = self.declined() {
            return format!("declined, {why}");
        }
        let talk = end.talk_ms.unwrap_or(0) / 1_000;
        let length = format!("{} min {} s", talk / 60, talk % 60);
        match end.reason {
            EndReason::VoiceSpam => format!("unwanted, told goodbye after {length}"),
            EndReason::PolicyPin => "the PIN was not given".to_owned(),
            reason if self.row.answered_at.is_some() => {
                let advice = reason.row().advice.trim_end_matches('.');
                format!("answered, {length}. {advice}")
            }
            reason => reason.row().advice.trim_end_matches('.').to_owned(),
        }
    }

    /// The rule that refused it, and in words.
    fn declined(&self) -> Option<(&str, &str)> {
        self.row.end.as_ref().filter(|end| end.reason == EndReason::PolicyRefused)?;
        self.journal.iter().find_map(|entry| match &entry.fact {
            Fact::Problem { code, message, .. } => Some((code.as_str(), message.as_str())),
            _ => None,
        })
    }

    fn summary(&self) -> Option<&str> {
        let result = self.row.result.as_ref()?;
        Some(result.summary.as_str()).filter(|summary| !summary.trim().is_empty())
    }
}

/// What a chat would read as a mention or a link, it reads as text.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

//! `POST /call/check`: what placing a call would come to, without placing it.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use offhook_core::brief::Voicemail;
use offhook_core::brief::check::{Findings, Item, Warning};
use offhook_core::zone::Closed;
use offhook_speech::tools;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::calls::wish;
use super::error::{ApiError, ErrorBody};
use super::new_call::NewCall;
use super::request::{self, Whole};
use crate::gateway::{Checked, Hours, LocalTime, PlaceCallError};

/// What is to be said of a call before it is placed.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CallCheck)]
pub struct CheckBody {
    /// Whether the call would be placed, and its briefing lacks nothing that is needed. Advice only: a call that is not
    /// ready is placed all the same.
    pub ready: bool,
    pub missing: Vec<CheckMissing>,
    pub warnings: Vec<CheckWarning>,
    /// What such a place usually asks its callers for, as far as the briefing does not mention it.
    pub likely_asked: Vec<&'static str>,
    /// What to ask the user first; the rest the agent can write itself or look up.
    pub questions: Vec<String>,
    /// What a model adds to the rules, which read words and not minds; null where none is configured, or it did not
    /// answer. It takes nothing from what they found.
    pub model_notes: Option<Vec<String>>,
    pub hours: CheckHours,
    pub policy: CheckPolicy,
    /// The first words, spoken exactly so.
    pub opening: Option<String>,
    /// What is said to a machine after the beep; null where the call is hung up then.
    pub voicemail_words: Option<String>,
    /// The whole prompt of the voice; it is told nothing else before the call.
    pub prompt: String,
    /// What the voice can do besides speaking.
    pub tools: Vec<CheckTool>,
}

/// Something a briefing needs and does not have.
#[derive(Clone, Serialize, ToSchema)]
pub struct CheckMissing {
    /// `who_for`, `goal`, `facts`, `questions`, `alternatives`, `boundaries`, `verification`, `disclosure`,
    /// `missing_information`, `voicemail` or `report`.
    #[schema(example = "who_for")]
    pub item: &'static str,
    /// Whether a call without it is likely to be of no use.
    pub needed: bool,
    /// What to write.
    pub advice: &'static str,
    /// What to ask the user, where only the user knows.
    pub question: Option<&'static str>,
}

/// Something that looks wrong.
#[derive(Clone, Serialize, ToSchema)]
pub struct CheckWarning {
    #[schema(example = "placeholder")]
    pub code: &'static str,
    pub message: &'static str,
}

/// What time it is where the number is when the call is placed, as far as its digits tell.
#[derive(Clone, Serialize, ToSchema)]
pub struct CheckHours {
    /// One, or the earliest and the latest where the number may be in several zones; none where that can't be told.
    pub local_times: Vec<CheckLocalTime>,
    /// Before 8, after 18 or at the weekend; null where it depends on the zone or can't be told.
    pub likely_closed: Option<bool>,
    /// `before_8`, `after_18` or `weekend`; null where they are likely open.
    pub reason: Option<&'static str>,
    pub message: String,
}

/// The time in one zone.
#[derive(Clone, Serialize, ToSchema)]
pub struct CheckLocalTime {
    #[schema(example = "America/Los_Angeles")]
    pub zone: &'static str,
    /// ISO 8601 with offset.
    #[schema(example = "2026-11-21T06:12:00-08:00")]
    pub at: String,
    #[schema(example = "Saturday")]
    pub weekday: String,
}

/// What the rules of this line say of the call just now.
#[derive(Clone, Serialize, ToSchema)]
pub struct CheckPolicy {
    pub allowed: bool,
    /// The code of the error `POST /call` would answer with.
    pub code: Option<String>,
    /// The rule that refuses.
    pub rule: Option<&'static str>,
    pub message: Option<String>,
    /// When asking again can help.
    pub retry_after_seconds: Option<u64>,
}

/// Something the voice can do.
#[derive(Clone, Serialize, ToSchema)]
pub struct CheckTool {
    pub name: &'static str,
    pub description: &'static str,
    /// The JSON schema of its arguments; that of `end_call` has the fields of `result_schema`.
    #[schema(value_type = Object)]
    pub parameters: Value,
}

/// Check a call before placing it.
///
/// The body is that of `POST /call`, and so are the errors for what can't be a call at all. Says what the instructions
/// lack, whether they are likely closed there now, what the rules of this line say, and every word the voice would be
/// given. Nothing is dialled, minted or counted.
#[utoipa::path(
    post, path = "/call/check", operation_id = "check_call", tag = "calls", request_body = NewCall,
    params(
        ("X-Api-Key" = Option<String>, Header, description = "The caller's key; optional where the first call needs none."),
    ),
    responses(
        (status = 200, body = CheckBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security((), ("key" = [])),
)]
pub async fn check(
    State(api): State<Api>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Json<CheckBody>, ApiError> {
    let wish = wish(&api, &headers, body).await?;
    let checked = api.gateway.check_call(request::key(&headers), wish).await;
    checked
        .map(|checked| Json(checked.into()))
        .map_err(|error| ApiError::from(error).at(&api.public_url.for_request(&headers)))
}

impl From<Checked> for CheckBody {
    fn from(checked: Checked) -> Self {
        let Checked { findings, hours, refusal, brief, notes } = checked;
        let ready = findings.lacks_nothing_needed() && refusal.is_none();
        let mut questions = questions(&findings, &hours);
        let model_notes = notes.map(|notes| {
            questions.extend(notes.questions);
            notes.notes
        });
        Self {
            ready,
            questions,
            model_notes,
            missing: findings.lacks.into_iter().map(missing).collect(),
            warnings: findings.warnings.into_iter().map(warning).collect(),
            likely_asked: findings.likely_asked,
            hours: hours.into(),
            policy: policy(refusal),
            opening: brief.opening_words(),
            voicemail_words: match &brief.voicemail {
                Voicemail::HangUp => None,
                Voicemail::LeaveMessage(message) => Some(brief.disclosed(message)),
            },
            prompt: brief.instructions(),
            tools: tools::offered(&brief)
                .map(|tool| CheckTool {
                    name: tool.name,
                    description: tool.description,
                    parameters: tool.parameters(&brief),
                })
                .collect(),
        }
    }
}

fn questions(findings: &Findings, hours: &Hours) -> Vec<String> {
    let mut questions = findings.questions();
    if hours.likely_closed == Some(true) {
        let at = when(hours);
        questions.push(match hours.later {
            true => {
                format!("It will be {at} there and they are likely closed then. Call all the same, or when?")
            }
            false => format!("It is {at} there and they are likely closed. Call now all the same, or wait?"),
        });
    }
    questions
}

/// `Saturday 06:12`, or from when to when.
fn when(hours: &Hours) -> String {
    hours.local.iter().map(LocalTime::words).collect::<Vec<_>>().join(" to ")
}

fn missing(item: Item) -> CheckMissing {
    let (needed, advice, question) = (item.is_needed(), item.advice(), item.question());
    CheckMissing { item: item.code(), needed, advice, question }
}

fn warning(warning: Warning) -> CheckWarning {
    CheckWarning { code: warning.code(), message: warning.message() }
}

impl From<Hours> for CheckHours {
    fn from(hours: Hours) -> Self {
        let (at, is) = (when(&hours), if hours.later { "will be" } else { "is" });
        let message = match (hours.likely_closed, hours.local.len()) {
            (_, 0) => "The number does not tell where it is.".to_owned(),
            (Some(true), _) => format!("It {is} {at} there; they are likely closed."),
            (Some(false), _) => format!("It {is} {at} there."),
            (None, _) => {
                format!("The number may be in several time zones, where it {is} {at}; they may be closed.")
            }
        };
        let local_times = hours.local.into_iter().map(|local| CheckLocalTime {
            zone: local.zone,
            at: local.at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            weekday: local.at.strftime("%A").to_string(),
        });
        Self {
            local_times: local_times.collect(),
            likely_closed: hours.likely_closed,
            reason: hours.reason.map(Closed::code),
            message,
        }
    }
}

fn policy(refusal: Option<PlaceCallError>) -> CheckPolicy {
    let Some(refusal) = refusal else {
        return CheckPolicy {
            allowed: true,
            code: None,
            rule: None,
            message: None,
            retry_after_seconds: None,
        };
    };
    let (rule, retry_after) = match &refusal {
        PlaceCallError::Refused { rule, retry_after, .. } => (Some(rule.code()), *retry_after),
        _ => (None, None),
    };
    let error = ApiError::from(refusal).body().error;
    CheckPolicy {
        allowed: false,
        code: Some(error.code),
        rule,
        message: Some(error.message),
        retry_after_seconds: retry_after.map(|wait| wait.as_secs().max(1)),
    }
}

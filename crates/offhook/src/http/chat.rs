//! `POST /tools/chat_command`: `/phone` and `/call`, as somebody types them in a chat, answered in words.
//!
//! The agent's chat forwards what was typed, and shows `reply`; it need not know the commands.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::{Known, Once, Whole, idempotency_key, object, replayed};
use super::voice;
use crate::gateway::{Caller, VoiceCall};

const HELP: &str = "\
/phone – which number I call you on
/phone +13125550163 – call me on this number
/phone forget – forget it
/call – call me
/call what it is about – call me, about this";

/// What was typed.
#[derive(Clone, ToSchema)]
#[schema(as = ChatCommand)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct CommandBody {
    #[schema(example = "/phone +13125550163")]
    text: String,
}

/// What to show for it.
#[derive(Clone, Serialize, ToSchema)]
pub struct ChatReply {
    pub reply: String,
    /// Where a call was placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}

/// It was not done; `reply` says why, in words for whoever typed it.
#[derive(Clone, Serialize, ToSchema)]
pub struct ChatRefusal {
    pub reply: String,
    #[serde(flatten)]
    pub error: ErrorBody,
}

/// What somebody typed in a chat: `/phone`, `/phone +1…`, `/call`, `/call what about`. Anything else is answered with
/// what there is.
#[utoipa::path(
    post, path = "/tools/chat_command", operation_id = "chat_command", tag = "voice", request_body = CommandBody,
    params(Once),
    responses((status = 200, body = ChatReply), (status = "4XX", body = ChatRefusal), (status = "5XX", body = ChatRefusal)),
    security(("key" = [])),
)]
pub async fn command(
    State(api): State<Api>,
    known: Result<Known, ApiError>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Response {
    let done = async {
        let Known(caller) = known?;
        let fields = object(&body?)?;
        idempotency_key(&headers)?;
        match fields.get("text") {
            Some(Value::String(typed)) => act(&api, caller, &headers, typed).await,
            None | Some(Value::Null) => Err(ApiError::bad_request("missing_fields", "text is required")),
            Some(_) => Err(ApiError::bad_request("invalid_request", "text must be a text")),
        }
    };
    match done.await {
        Ok((reply, repeated)) => replayed(Json(reply).into_response(), repeated),
        Err(error) => refused(error),
    }
}

fn refused(error: ApiError) -> Response {
    let body = error.body();
    let refusal = ChatRefusal { reply: body.error.message.clone(), error: body };
    let (mut parts, _) = error.into_response().into_parts();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    (parts.status, parts.headers, Json(refusal)).into_response()
}

async fn act(
    api: &Api,
    caller: Caller,
    headers: &HeaderMap,
    typed: &str,
) -> Result<(ChatReply, bool), ApiError> {
    let told = |reply: String| Ok((ChatReply { reply, call_id: None }, false));
    match Command::read(typed) {
        Command::ShowTarget => {
            let target = api.gateway.voice_target(caller.owner).await?;
            told(match target {
                Some(target) => format!("I call you on {}.", target.number.as_e164()),
                None => format!("I have no number of yours yet.\n{HELP}"),
            })
        }
        Command::SetTarget(number) => {
            let target = api.gateway.set_voice_target(caller, number).await?;
            told(format!("From now on I call you on {}.", target.number.as_e164()))
        }
        Command::Forget => told(match api.gateway.clear_voice_target(caller).await? {
            Some(target) => format!("Forgotten. Now I call you on {}.", target.number.as_e164()),
            None => "Forgotten. I have no number of yours any more.".to_owned(),
        }),
        Command::Call(about) => {
            let fields = about.map(|about| ("prompt".to_owned(), about.into()));
            let wish = voice::wish(&fields.into_iter().collect(), headers)?;
            let wish = VoiceCall { by_user: true, ..wish };
            let placed = voice::place(api, headers, wish).await?;
            let reply = if placed.repeated { "I called you already." } else { "I am calling you." };
            let call_id = Some(placed.call_id.to_string());
            Ok((ChatReply { reply: reply.to_owned(), call_id }, placed.repeated))
        }
        Command::Help => told(HELP.to_owned()),
    }
}

/// What was meant.
#[derive(Debug, PartialEq, Eq)]
enum Command<'a> {
    ShowTarget,
    SetTarget(&'a str),
    Forget,
    Call(Option<&'a str>),
    Help,
}

impl<'a> Command<'a> {
    fn read(typed: &'a str) -> Self {
        let typed = typed.trim();
        let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        // Chats with several bots write which is meant: `/phone@assistant`.
        let word = word.split('@').next().unwrap_or(word);
        let rest = rest.trim();
        match (word.to_ascii_lowercase().as_str(), rest) {
            ("/phone", "") => Self::ShowTarget,
            ("/phone", "forget" | "off" | "clear" | "none") => Self::Forget,
            ("/phone", number) => Self::SetTarget(number),
            ("/call", "") => Self::Call(None),
            ("/call", about) => Self::Call(Some(about)),
            _ => Self::Help,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed() {
        for (typed, expected) in [
            ("/phone", Command::ShowTarget),
            (" /Phone@offhook_bot ", Command::ShowTarget),
            ("/phone +1 312 555 0163", Command::SetTarget("+1 312 555 0163")),
            ("/phone not-a-number", Command::SetTarget("not-a-number")),
            ("/phone forget", Command::Forget),
            ("/call", Command::Call(None)),
            ("/call\nabout the deploy", Command::Call(Some("about the deploy"))),
            ("/calls", Command::Help),
            ("call me", Command::Help),
            ("", Command::Help),
        ] {
            assert_eq!(Command::read(typed), expected, "{typed:?}");
        }
    }
}

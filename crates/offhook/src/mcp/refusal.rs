//! What an agent reads when the API refuses: what is wrong, what to do now, and the links as they came.

use std::fmt::Write as _;

use serde_json::Value;

use super::door::Answer;

/// Whether asking again may be answered better without anything being changed.
pub fn is_transient(answer: &Answer) -> bool {
    let status = answer.status.as_u16();
    status >= 500 || status == 408 || (status == 429 && answer.code().is_some())
}

/// Message and code first, then one line each of what helps.
pub fn text(answer: &Answer) -> String {
    let error = &answer.body["error"];
    let said = |field: &str| error[field].as_str().unwrap_or_default();
    let (code, message) = (said("code"), said("message"));
    if code.is_empty() {
        return format!(
            "The server answered {} and nothing that can be read. Is it an offhook?",
            answer.status
        );
    }
    let mut text = format!("{message} ({code})");
    let mut line = |line: String| {
        let _ = write!(text, "\n{line}");
    };
    if let Some(advice) = advice(code) {
        line(advice.to_owned());
    }
    if let Some(seconds) = answer.header("retry-after") {
        line(format!("Not before {seconds} seconds from now."));
    }
    if let Some(url) = error["action"]["url"].as_str() {
        line(format!("Give the user this link exactly as it is: {url}"));
    }
    if let Some(url) = error["action"]["sign_in_url"].as_str() {
        line(format!("If they have an account already, this one: {url}"));
    }
    if let Some(quota) = quota(&error["quota"]) {
        line(quota);
    }
    text
}

fn quota(quota: &Value) -> Option<String> {
    let (used, limit) = (quota["used_seconds"].as_u64()?, quota["limit_seconds"].as_u64()?);
    let left = quota["remaining_seconds"].as_u64().unwrap_or_default();
    Some(format!("Conversation used: {used} of {limit} seconds; {left} are left."))
}

fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_phone" => "Look the number up again and write it in E.164, +14155550100.",
        "unsupported_destination" => "Tell the user that this line does not call there. Don't retry.",
        "missing_fields" => "Send what it names; a task is a whole briefing, see get_calling_guide.",
        "invalid_preferences"
        | "invalid_profile"
        | "invalid_query"
        | "invalid_request"
        | "invalid_loop_in_user" => "Correct the argument and call the tool again.",
        "invalid_handoff_number" | "invalid_loop_in_destination" => {
            "Ask the user for a number of their own, which is neither the other side's nor this line's."
        }
        "auth_required" => {
            "Ask the user for an API key and keep it with set_api_key, or link the one there is."
        }
        "invalid_api_key" | "invalid_token" => {
            "Where the key was saved it is forgotten now; the next call gets a new one, if the server gives keys away. \
             Otherwise ask the user for one."
        }
        "trial_exhausted" | "plan_required" | "reserved_number_required" | "inbound_plan_required" => {
            "This stays so until the user acts. Don't retry."
        }
        "balance_depleted" | "quota_exceeded" | "too_many_calls" => {
            "A limit of whoever runs this line. Tell the user, and don't retry by yourself."
        }
        "destination_blocked" | "forbidden" => {
            "A rule of whoever runs this line. Don't try to get around it."
        }
        "destination_busy" => {
            "There is a call to this number already, or there was one a moment ago. Look with list_calls; follow that \
             one instead of placing another."
        }
        "not_found" => "Look the id up with list_calls.",
        "recording_not_available" => {
            "There is none: the call was not answered, or recordings are deleted by now."
        }
        "conflict" => "Look with get_call how the call is now.",
        "account_phone_unavailable" => {
            "The account needs one verified phone. Don't use another number instead; ask the user."
        }
        "idempotency_key_reused" => "This key stands for another call. Take a new one for a new call.",
        "dial_failed" => "Try once more after a few seconds, without asking.",
        "number_pool_exhausted" => "All lines are busy. Try once more after 15 seconds, then tell the user.",
        "internal_error" | "overloaded" | "shutting_down" | "store_unavailable" | "request_timeout" => {
            "Nothing is wrong with the request. Try once more in a moment."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, StatusCode};
    use expect_test::expect;
    use serde_json::json;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let body = json!({ "error": {
            "code": "trial_exhausted",
            "message": "the free calls of this key are used up",
            "action": { "url": "https://x.example/sign-up?token=k", "sign_in_url": "https://x.example/sign-in?token=k" },
            "quota": { "used_seconds": 612, "remaining_seconds": 0, "limit_seconds": 600, "tier": "free" },
        }});
        expect![[r#"
            the free calls of this key are used up (trial_exhausted)
            This stays so until the user acts. Don't retry.
            Give the user this link exactly as it is: https://x.example/sign-up?token=k
            If they have an account already, this one: https://x.example/sign-in?token=k
            Conversation used: 612 of 600 seconds; 0 are left."#]]
        .assert_eq(&text(&answer(402, body)));
        assert!(text(&answer(502, Value::Null)).contains("Is it an offhook?"));
    }

    #[test]
    fn what_may_pass_by_itself() {
        let coded = json!({ "error": { "code": "number_pool_exhausted", "message": "x" } });
        for (status, body, expected) in [
            (503, Value::Null, true),
            (500, coded.clone(), true),
            (429, coded.clone(), true),
            (429, Value::Null, false),
            (404, coded.clone(), false),
            (402, coded, false),
        ] {
            assert_eq!(is_transient(&answer(status, body)), expected, "{status}");
        }
    }
}

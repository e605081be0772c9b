//! Every code an answer can have that is not a success, with its status: the one list, which the OpenAPI document and
//! the page about the API are made of.

use axum::http::StatusCode;

/// A code of the error envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub status: u16,
    pub code: &'static str,
    /// When it comes, and what to do.
    pub meaning: &'static str,
}

const fn code(status: u16, code: &'static str, meaning: &'static str) -> Code {
    Code { status, code, meaning }
}

pub const CODES: &[Code] = &[
    code(400, "missing_fields", "a required field is absent or blank"),
    code(400, "invalid_phone", "no number that can be called; send E.164, `+1…`"),
    code(400, "unsupported_destination", "a number of a country that is not served here"),
    code(
        400,
        "invalid_preferences",
        "`voice`, `personality`, `greeting` or `warm_greeting` is none of what it may be",
    ),
    code(400, "invalid_profile", "an inbound profile needs `instructions` and `greeting`"),
    code(
        400,
        "invalid_handoff_number",
        "the handoff number can't be reached from here, or is one of our lines",
    ),
    code(400, "invalid_loop_in_user", "send true or false, or leave it out"),
    code(
        400,
        "invalid_loop_in_destination",
        "the user's number is the one that is called, or a line of ours",
    ),
    code(400, "invalid_query", "a parameter of the query is none of what it may be"),
    code(400, "invalid_request", "the body is not JSON, or a field in it is none of what it may be"),
    code(
        401,
        "auth_required",
        "send a key; where one was sent, it has to be linked to an account: open `action.url`",
    ),
    code(401, "invalid_api_key", "the key is unknown or was revoked"),
    code(401, "invalid_token", "the bearer token is no key of this phone line"),
    code(402, "trial_exhausted", "the trial of this key is used up; forward `action.url`, don't repeat"),
    code(402, "plan_required", "the operator gives this to accounts with a plan; don't repeat"),
    code(402, "reserved_number_required", "no line is reserved for this account"),
    code(403, "inbound_plan_required", "this account may not see or answer calls to our lines"),
    code(403, "account_link_required", "only for accounts; link the key: open `action.url`"),
    code(403, "destination_blocked", "the operator does not let this number be called"),
    code(403, "forbidden", "calling is switched off, or a page of another web site asks"),
    code(
        403,
        "voice_only_key",
        "this key may have its target called and nothing more; ask with another key of the account",
    ),
    code(403, "wrong_pin", "`current_pin` is not the PIN that is set"),
    code(404, "not_found", "there is no such call, key or path; another's is as unknown as none"),
    code(404, "recording_not_available", "there is no recording, or its link is no more valid"),
    code(405, "method_not_allowed", "this path has other methods"),
    code(408, "request_timeout", "the body took too long to arrive"),
    code(409, "destination_busy", "a call with this number is under way, or just was"),
    code(409, "reserved_number_busy", "the reserved line is in use; ask again when that call is over"),
    code(409, "conflict", "the call can't take this now, or not any more"),
    code(413, "payload_too_large", "shorten the task"),
    code(416, "range_not_satisfiable", "the recording is shorter than that"),
    code(422, "idempotency_key_reused", "another request had this `Idempotency-Key`; choose a new one"),
    code(422, "voice_target_required", "no number is set to call; the user sets theirs with `/phone +1…`"),
    code(
        422,
        "account_phone_unavailable",
        "the account has no verified phone, or several and none is the primary",
    ),
    code(422, "pin_required", "no PIN is set; the user sets one with `offhook pin --set`"),
    code(429, "pin_locked", "too many wrong PINs; try again later"),
    code(429, "too_many_calls", "wait until a call is over"),
    code(429, "quiet_hours", "the user is not to be called at this hour; call later, or write"),
    code(429, "quota_exceeded", "the calls of a day are used up"),
    code(429, "balance_depleted", "the conversation or the money of a day is used up; forward `action.url`"),
    code(500, "internal_error", "try again, and tell the operator if it stays"),
    code(502, "dial_failed", "no trunk takes calls just now; once more after a few seconds"),
    code(503, "number_pool_exhausted", "all lines are busy; once more after 15 seconds"),
    code(
        503,
        "account_phone_lookup_unavailable",
        "the phones of the account can't be read just now; try again shortly",
    ),
    code(503, "overloaded", "more requests than can be taken in; once more after a moment"),
    code(503, "store_unavailable", "the store is away; try again shortly"),
    code(503, "shutting_down", "offhook is being stopped; try again shortly"),
    code(503, "not_ready", "no call could be placed; `checks` say why"),
];

/// Whether an answer like this is written down here.
pub fn is_known(status: StatusCode, code: &str) -> bool {
    CODES.iter().any(|known| known.status == status.as_u16() && known.code == code)
}

/// What an answer with this code has; a code that is not written down here is a fault of ours.
pub fn status(code: &str) -> StatusCode {
    let known = CODES.iter().find(|known| known.code == code);
    known
        .and_then(|known| StatusCode::from_u16(known.status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_written_once_and_in_order() {
        let statuses: Vec<u16> = CODES.iter().map(|code| code.status).collect();
        assert!(statuses.is_sorted(), "{statuses:?}");
        for (index, code) in CODES.iter().enumerate() {
            assert!(CODES[..index].iter().all(|before| before.code != code.code), "{code:?}");
        }
        assert!(is_known(StatusCode::NOT_FOUND, "not_found"));
        assert!(!is_known(StatusCode::CONFLICT, "not_found"));
        assert_eq!(status("conflict"), StatusCode::CONFLICT);
    }
}

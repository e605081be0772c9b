//! `/sign-in` and `/sign-up`: pages for the person behind an agent, who links its key to an account with a code of the
//! operator. Both are the same: accounts are made by whoever runs this line.

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use offhook_store::LinkError;
use serde::Deserialize;

use super::Api;
use crate::gateway::KEY_PREFIX;

/// Nothing is loaded from anywhere, and the form goes nowhere else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:4em auto;padding:0 1em}\
    input{font:inherit;width:100%;padding:.4em;box-sizing:border-box}button{font:inherit;padding:.4em 1.2em}";

/// What the links of answers carry, and what the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Linking {
    token: String,
    code: String,
}

pub async fn form(query: Result<Query<Linking>, QueryRejection>) -> Response {
    let token = query.map(|Query(asked)| asked.token).unwrap_or_default();
    if !is_key(&token) {
        let text = "This page needs the link that your agent was given. Ask it to place a first call.";
        return page(StatusCode::BAD_REQUEST, "No key", text, None);
    }
    let text = "Your agent has a key of its own for this phone line. With a code from whoever runs the line you link \
        that key, its calls and its history to your account. The key stays the same.";
    page(StatusCode::OK, "Link your agent", text, Some(&token))
}

pub async fn link(State(api): State<Api>, form: Result<Form<Linking>, FormRejection>) -> Response {
    let Ok(Form(Linking { token, code })) = form else {
        return page(
            StatusCode::BAD_REQUEST,
            "Not linked",
            "The form could not be read. Send it again.",
            None,
        );
    };
    if !is_key(&token) {
        return page(StatusCode::BAD_REQUEST, "Not linked", "Open the link that your agent was given.", None);
    }
    match api.gateway.link(&token, &code).await {
        Ok(_) => page(
            StatusCode::OK,
            "Linked",
            "The key is linked to your account. Tell your agent to go on.",
            None,
        ),
        Err(error) => {
            let status = match error {
                LinkError::UnknownKey => StatusCode::UNAUTHORIZED,
                LinkError::WrongCode => StatusCode::FORBIDDEN,
                LinkError::AlreadyLinked | LinkError::CallUnderWay => StatusCode::CONFLICT,
                LinkError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            let text = match error {
                LinkError::Store(_) => "This can't be done right now; try again shortly.".to_owned(),
                error => sentence(&error.to_string()),
            };
            page(status, "Not linked", &text, Some(&token))
        }
    }
}

/// Of such characters only, so that it can stand in a page and in a link as it is.
pub fn is_key(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.starts_with(KEY_PREFIX) && text.len() <= 128 && text.bytes().all(fits)
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(['.']).collect()
}

/// The texts are ours; of what was sent only a key is shown, in the form, where it is [`is_key`].
fn page(status: StatusCode, title: &str, text: &str, token: Option<&str>) -> Response {
    let form = token.map_or_else(String::new, |token| {
        format!(
            "<form method=\"post\"><input type=\"hidden\" name=\"token\" value=\"{token}\">\
             <p><label>Code<input name=\"code\" autocomplete=\"one-time-code\" required></label></p>\
             <p><button>Link</button></p></form>"
        )
    });
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style>\
         <h1>{title}</h1><p>{text}</p>{form}</html>"
    );
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, POLICY),
        // The address holds a key.
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_stand_in_a_page() {
        for (text, expected) in [
            ("clawcall_sk_demo_7Qm2v9", true),
            ("clawcall_sk_a-b", true),
            ("sk_demo", false),
            ("", false),
            ("clawcall_sk_\"><script>", false),
            ("clawcall_sk_a b", false),
        ] {
            assert_eq!(is_key(text), expected, "{text}");
        }
        assert!(!is_key(&format!("{KEY_PREFIX}{}", "x".repeat(200))));
    }
}

//! The doors of Azure Communication Services: what happens in calls, their audio, and calls that come in.
//!
//! They are a server of their own, because they are what a tunnel or the internet leads to: nothing else of offhook
//! answers there. Whoever knocks is asked for the secret first, in constant time, and only then for a token of
//! Microsoft's; what was wrong is told to nobody but the log.

mod health;
mod incoming;
mod media;

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{RequestExt as _, Router};
pub use health::{CARRIED, about};
use offhook_carrier::AcsCarrier;
use offhook_carrier::acs::CallbackError;
use serde::Deserialize;

use super::access;
use super::error::{self, ApiError};
use crate::acs::{Bearer, Guard, Trust};
use crate::clock;
use crate::doctor::Proof;

/// Where the doctor looks for these very doors.
pub const HEALTH: &str = "/webhooks/acs/health";
/// Where Event Grid tells of incoming calls.
pub const INCOMING: &str = "/webhooks/acs/incoming";

/// What is told of one call at once is far below.
const CALLBACK_BYTES: usize = 256 * 1_024;
/// The largest batch of Event Grid.
const BATCH_BYTES: usize = 1_024 * 1_024;
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// What the doors share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Doors {
    carrier: AcsCarrier,
    guard: Guard,
    /// Shows the doctor that it knocked at ours.
    proof: Proof,
}

/// The secrets a request shows in its address.
#[derive(Deserialize)]
struct Shown {
    token: Option<String>,
}

/// Which call, and its secret.
struct Named {
    call: String,
    token: String,
}

impl Doors {
    pub fn new(carrier: AcsCarrier, guard: Guard, proof: Proof) -> Self {
        Self { carrier, guard, proof }
    }

    /// Everything that answers there.
    pub fn router(&self) -> Router {
        let callback = || post(callback).layer(DefaultBodyLimit::max(CALLBACK_BYTES));
        let incoming = || {
            let limit = DefaultBodyLimit::max(BATCH_BYTES);
            post(incoming::deliver).options(incoming::handshake).layer(limit)
        };
        Router::new()
            .route("/webhooks/acs/calls/{call}", callback())
            .route("/webhooks/acs/media/{call}", get(media::connect))
            .route(INCOMING, incoming())
            .route(HEALTH, get(health::look))
            // As another product's document names them; there the call stands in the token.
            .route("/acs", callback())
            .route("/api/voice/acs-callback", callback())
            .route("/realtime-acs", get(media::connect))
            .route("/api/voice/media-streaming", get(media::connect))
            .route("/acs/incoming", incoming())
            .route("/api/voice/acs-callback/incoming", incoming())
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .layer(map_response(part))
            .layer(from_fn(access::log))
            .with_state(self.clone())
    }

    /// Whether this is for a call of ours, and of Microsoft's.
    async fn admit(&self, named: Option<Named>, headers: &HeaderMap) -> Result<Named, ApiError> {
        let named = named.filter(|named| self.carrier.knows(&named.call, &named.token));
        let named = named.ok_or_else(stranger)?;
        self.judge(self.guard.callbacks(), headers).await?;
        Ok(named)
    }

    /// Whether the token is good; the secret was.
    async fn judge(&self, trust: &Trust, headers: &HeaderMap) -> Result<(), ApiError> {
        let judged = self.guard.judge(trust, bearer(headers), clock::now()).await;
        judged.map_err(|why| if why.passes() { busy() } else { stranger() })
    }
}

/// The same for whoever has no business here.
fn stranger() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "this address is for Azure Communication Services",
    )
}

/// Whoever was refused keeps no connection: there is a place only for so many.
async fn part(mut response: Response) -> Response {
    if response.status().is_client_error() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The sender does well to send it again.
fn busy() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "not now; send it again in a moment")
}

fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), another) = (shown.next(), shown.next()) else { return Bearer::Missing };
    let token = value.to_str().ok().and_then(|text| text.trim().split_once(' '));
    match token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, token)) if another.is_none() => Bearer::Token(token.trim()),
        _ => Bearer::Odd,
    }
}

fn token(uri: &Uri) -> Option<String> {
    let Query(shown) = Query::<Shown>::try_from_uri(uri).ok()?;
    shown.token.filter(|token| !token.is_empty())
}

/// `…/{call}?token=SECRET`, or `?token=CALL.SECRET` where the path names no call.
async fn named(request: &mut Request) -> Option<Named> {
    let token = token(request.uri())?;
    let in_path = request.extract_parts::<RawPathParams>().await.ok();
    let call = in_path
        .and_then(|params| params.iter().find(|(name, _)| *name == "call").map(|(_, call)| call.to_owned()));
    match call {
        Some(call) => Some(Named { call, token }),
        None => {
            let (call, token) = token.split_once('.')?;
            Some(Named { call: call.to_owned(), token: token.to_owned() })
        }
    }
}

/// The whole body, read only once the sender is known; how long it may be is said where the route is.
async fn body(request: Request) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(BODY_PATIENCE, request.extract::<Bytes, _>()).await;
    match read {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(refused)) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "the body is too large"))
        }
        Ok(Err(_)) => Err(ApiError::bad_request("invalid_request", "the body could not be read")),
        Err(_) => {
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body took too long"))
        }
    }
}

/// What happened in a call. Answered before anything is made of it.
async fn callback(State(doors): State<Doors>, mut request: Request) -> Result<StatusCode, ApiError> {
    let named = named(&mut request).await;
    let named = doors.admit(named, request.headers()).await?;
    let body = body(request).await?;
    match doors.carrier.callback(&named.call, &named.token, &body) {
        Ok(()) => Ok(StatusCode::OK),
        Err(CallbackError::Malformed) => {
            Err(ApiError::bad_request("invalid_request", "the body must be an array of CloudEvents"))
        }
        Err(CallbackError::Unknown | CallbackError::WrongToken) => Err(stranger()),
        Err(CallbackError::Busy) => Err(busy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_shows() {
        for (values, expected) in [
            (&[][..], Bearer::Missing),
            (&["Bearer abc"], Bearer::Token("abc")),
            (&["bearer  abc "], Bearer::Token("abc")),
            (&["Basic abc"], Bearer::Odd),
            (&["Bearer"], Bearer::Odd),
            (&[""], Bearer::Odd),
            (&["Bearer abc", "Bearer abc"], Bearer::Odd),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        }
    }

    #[tokio::test]
    async fn which_call_and_its_secret() {
        use axum::body::Body;
        use tower::ServiceExt as _;

        async fn told(mut request: Request) -> String {
            named(&mut request)
                .await
                .map_or("none".to_owned(), |named| format!("{} {}", named.call, named.token))
        }
        let router = Router::new().route("/calls/{call}", get(told)).route("/acs", get(told));
        for (uri, expected) in [
            ("/calls/one?token=two", "one two"),
            ("/calls/one?x=1&token=t%2Bwo", "one t+wo"),
            ("/calls/one?token=two.three", "one two.three"),
            ("/calls/one", "none"),
            ("/calls/one?token=", "none"),
            ("/calls/one?token=two&token=three", "none"),
            ("/acs?token=one.two", "one two"),
            ("/acs?token=two", "none"),
            ("/acs", "none"),
        ] {
            let request = Request::get(uri).body(Body::empty()).unwrap();
            let body = router.clone().oneshot(request).await.unwrap().into_body();
            assert_eq!(axum::body::to_bytes(body, 1_000).await.unwrap(), expected, "{uri}");
        }
    }
}

//! Sends requests: proves who we are, waits, tries again where that is safe, and says what is known at the end.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::{AcsAuth, AcsConfig, AcsStartError, AcsTiming};
use super::entra::Tokens;
use super::request::{Method, Request};
use super::result::ResultInformation;
use super::retry::{Certainty, Tried, Tries};
use super::signature::{AccessKey, Signable};

/// No answer that makes sense is longer.
const LONGEST: usize = 256 * 1_024;

/// What is known of a request at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done(Done),
    Refused(Refusal),
    /// Certainly not done: the service was asked too often, or was not reached.
    NotDone {
        reached: bool,
        why: String,
    },
    /// It may have been done.
    Uncertain {
        why: String,
    },
}

/// What a reply of success says of the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub connection: Option<String>,
    pub correlation: Option<String>,
}

/// The service does not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// The subCode, where the error carries one.
    pub result: ResultInformation,
}

/// What came back of one try, and how long it took.
#[derive(Clone, Debug)]
pub struct Look {
    pub tried: Tried,
    pub reply: Reply,
    pub took: Duration,
    /// How far our clock is from the service's.
    pub clock_off: Option<Duration>,
}

#[derive(Debug)]
enum Proof {
    AccessKey(Box<AccessKey>),
    Entra(Tokens),
}

#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: reqwest::Url,
    api_version: String,
    proof: Proof,
    timing: AcsTiming,
}

struct Answer {
    tried: Tried,
    headers: HeaderMap,
    body: Vec<u8>,
    /// What the request was proven with, where that is a token.
    token: Option<SecretString>,
}

impl Answer {
    fn none(tried: Tried) -> Self {
        Self { tried, headers: HeaderMap::new(), body: Vec::new(), token: None }
    }

    fn status(&self) -> Option<u16> {
        match self.tried {
            Tried::Answered { status, .. } => Some(status),
            Tried::NeverLeft { .. } | Tried::Silence { .. } => None,
        }
    }
}

impl Client {
    pub fn new(config: &AcsConfig) -> Result<Self, AcsStartError> {
        let endpoint = super::normal_endpoint(&config.endpoint).ok_or(AcsStartError::Endpoint)?;
        let endpoint = reqwest::Url::parse(&endpoint).map_err(|_| AcsStartError::Endpoint)?;
        // A redirect would carry the signature of another host.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let http = http.connect_timeout(Duration::from_secs(5)).build();
        let http = http.map_err(|error| AcsStartError::Http(error.to_string()))?;
        let proof = match &config.auth {
            AcsAuth::AccessKey(key) => {
                Proof::AccessKey(Box::new(AccessKey::parse(key).ok_or(AcsStartError::AccessKey)?))
            }
            AcsAuth::Entra(entra) => Proof::Entra(Tokens::new(http.clone(), entra.clone())),
        };
        let (api_version, timing) = (config.api_version.clone(), config.timing);
        Ok(Self { http, endpoint, api_version, proof, timing })
    }

    /// Send it, as often as is safe and sensible.
    pub async fn perform(&self, request: &Request) -> Reply {
        self.perform_unless(&CancellationToken::new(), request).await
    }

    /// As [`Self::perform`], but it is not sent any more once it was called off. A try that is on its way is waited for:
    /// it may be the one that is done.
    pub async fn perform_unless(&self, called_off: &CancellationToken, request: &Request) -> Reply {
        let (began_at, first_sent) = (Instant::now(), http_date(SystemTime::now()));
        let mut tries = Tries::of(request, &self.timing);
        let mut renewed = false;
        loop {
            let answer = self.try_once(request, &first_sent, called_off).await;
            // A token that was revoked; the next one may be better.
            if answer.status() == Some(401) && !std::mem::replace(&mut renewed, true) && self.renew(&answer) {
                continue;
            }
            match tries.again_after(began_at.elapsed(), &answer.tried, rand::random()) {
                Some(wait) if !called_off.is_cancelled() => {
                    tracing::debug!(operation = ?request.operation, tried = ?answer.tried, "ACS is asked again");
                    // Called off in the meantime, it ends with what is known so far.
                    let pause = tokio::time::sleep(wait);
                    if called_off.run_until_cancelled(pause).await.is_none() {
                        return reply(&answer, tries.certainty(&answer.tried));
                    }
                }
                _ => return reply(&answer, tries.certainty(&answer.tried)),
            }
        }
    }

    /// Send it once, and say how that went.
    pub async fn look(&self, request: &Request) -> Look {
        let began_at = Instant::now();
        let never = CancellationToken::new();
        let answer = self.try_once(request, &http_date(SystemTime::now()), &never).await;
        let tries = Tries::of(request, &self.timing);
        Look {
            reply: reply(&answer, tries.certainty(&answer.tried)),
            took: began_at.elapsed(),
            clock_off: clock_off(&answer.headers),
            tried: answer.tried,
        }
    }

    fn renew(&self, refused: &Answer) -> bool {
        let (Proof::Entra(tokens), Some(token)) = (&self.proof, &refused.token) else { return false };
        tokens.forget(token);
        true
    }

    async fn try_once(&self, request: &Request, first_sent: &str, called_off: &CancellationToken) -> Answer {
        let mut url = self.endpoint.clone();
        url.set_path(&request.path);
        url.query_pairs_mut().append_pair("api-version", &self.api_version);
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut sending = self.http.request(method, url.clone()).timeout(self.timing.request);
        let mut token = None;
        match &self.proof {
            Proof::AccessKey(key) => {
                let date = http_date(SystemTime::now());
                let signable = Signable {
                    method: request.method.name(),
                    path_and_query: &format!("{}?{}", url.path(), url.query().unwrap_or_default()),
                    host: &authority(&url),
                    date: &date,
                    body: &request.body,
                };
                let signed = key.sign(&signable);
                sending = sending
                    .header("x-ms-date", date)
                    .header("x-ms-content-sha256", signed.content_sha256)
                    .header("Authorization", signed.authorization);
            }
            Proof::Entra(tokens) => match tokens.token().await {
                Ok(bearer) => {
                    sending = sending.bearer_auth(bearer.expose_secret());
                    token = Some(bearer);
                }
                Err(error) => return Answer::none(Tried::NeverLeft { why: error.to_string() }),
            },
        }
        if let Some(id) = request.repeatability {
            sending = sending
                .header("Repeatability-Request-ID", id.to_string())
                .header("Repeatability-First-Sent", first_sent);
        }
        if !request.body.is_empty() {
            sending = sending.header("Content-Type", "application/json").body(request.body.clone());
        }
        // Also after a wait for a token.
        if called_off.is_cancelled() {
            return Answer::none(Tried::NeverLeft { why: "it was called off".to_owned() });
        }
        Answer { token, ..answer(sending).await }
    }
}

async fn answer(sending: reqwest::RequestBuilder) -> Answer {
    let mut response = match sending.header("Accept", "application/json").send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Answer::none(Tried::NeverLeft { why: reason(error) });
        }
        Err(error) => return Answer::none(Tried::Silence { why: reason(error) }),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let tried = Tried::Answered { status, retry_after: retry_after(&headers, SystemTime::now()) };
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LONGEST => body.extend_from_slice(&chunk),
            Ok(None) => return Answer { tried, headers, body, token: None },
            // Done, but what was made is not known.
            Ok(Some(_)) => return Answer::none(Tried::Silence { why: "its answer is too long".to_owned() }),
            Err(error) => return Answer::none(Tried::Silence { why: reason(error) }),
        }
    }
}

/// The innermost cause says most, and the URL is a secret.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn reply(answer: &Answer, certainty: Certainty) -> Reply {
    let why = match &answer.tried {
        Tried::NeverLeft { why } | Tried::Silence { why } => why.clone(),
        Tried::Answered { status, .. } => format!("ACS answered with {status}"),
    };
    match (certainty, answer.status()) {
        (Certainty::Answered, Some(200..=299)) => Reply::Done(done(&answer.body)),
        (Certainty::Answered, Some(status)) => Reply::Refused(refusal(status, &answer.body)),
        (Certainty::NotDone, status) => Reply::NotDone { reached: status.is_some(), why },
        (Certainty::Uncertain, _) | (Certainty::Answered, None) => Reply::Uncertain { why },
    }
}

fn done(body: &[u8]) -> Done {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    Done { connection: text("callConnectionId"), correlation: text("correlationId") }
}

fn refusal(status: u16, body: &[u8]) -> Refusal {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = json.get("error").unwrap_or(&json);
    let code = error.get("code");
    let sub_code = code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.trim().parse().ok()));
    let said = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let result = ResultInformation {
        code: Some(status.into()),
        sub_code,
        message: said.chars().take(300).collect(),
        ..ResultInformation::default()
    };
    Refusal { status, result }
}

/// With the port, unless it is the usual one.
fn authority(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// `Fri, 20 Nov 2026 12:39:28 GMT`.
fn http_date(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or_default();
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

fn read_date(text: &str) -> Option<SystemTime> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok().map(SystemTime::from)
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    Some(read_date(text)?.duration_since(now).unwrap_or_default())
}

fn clock_off(headers: &HeaderMap) -> Option<Duration> {
    let theirs = read_date(headers.get(reqwest::header::DATE)?.to_str().ok()?)?;
    let ours = SystemTime::now();
    Some(ours.duration_since(theirs).unwrap_or_else(|error| error.duration()))
}

#[cfg(test)]
mod tests {
    use offhook_core::PhoneNumber;
    use wiremock::matchers::{header, method, path, query_param};
    use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

    use super::*;
    use crate::acs::config::{AcsLine, Entra};

    fn client(endpoint: &str, auth: AcsAuth) -> Client {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let line = AcsLine::new(PhoneNumber::parse("+14155550199").unwrap());
        let mut config = AcsConfig::new(endpoint, auth, "https://voice.example", vec![line]);
        config.timing.backoff = Duration::from_millis(1);
        config.timing.request = Duration::from_secs(2);
        Client::new(&config).unwrap()
    }

    fn with_key(server: &MockServer) -> Client {
        client(&server.uri(), AcsAuth::AccessKey("a2V5".into()))
    }

    /// One answer after the other, the last one for ever.
    struct InTurn(std::sync::Mutex<std::collections::VecDeque<ResponseTemplate>>);

    impl InTurn {
        fn of(answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
            Self(std::sync::Mutex::new(answers.into_iter().collect()))
        }
    }

    impl Respond for InTurn {
        fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
            let mut answers = self.0.lock().unwrap();
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
        }
    }

    fn status(status: u16) -> ResponseTemplate {
        ResponseTemplate::new(status)
    }

    fn of(request: &wiremock::Request, name: &str) -> String {
        request.headers.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    async fn asked(server: &MockServer) -> Vec<wiremock::Request> {
        server.received_requests().await.unwrap()
    }

    fn redirect() -> Request {
        Request::redirect(&"context".into(), &PhoneNumber::parse("+14155550100").unwrap())
    }

    #[tokio::test]
    async fn a_request_carries_version_signature_and_what_makes_it_repeatable() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/calling/callConnections/id:terminate"))
            .and(query_param("api-version", "2026-03-12"))
            .and(header("x-ms-content-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="))
            .respond_with(status(204))
            .expect(1)
            .mount(&server)
            .await;
        let reply = with_key(&server).perform(&Request::terminate("id")).await;
        assert_eq!(reply, Reply::Done(Done::default()));
        let sent = &asked(&server).await[0];
        let host = server.uri().replace("http://", "");
        assert_eq!(of(sent, "host"), host);
        let key = AccessKey::parse(&"a2V5".into()).unwrap();
        let signed = key.sign(&Signable {
            method: "POST",
            path_and_query: "/calling/callConnections/id:terminate?api-version=2026-03-12",
            host: &host,
            date: &of(sent, "x-ms-date"),
            body: b"",
        });
        assert_eq!(of(sent, "authorization"), signed.authorization);
        assert!(read_date(&of(sent, "repeatability-first-sent")).is_some());
        assert!(uuid::Uuid::parse_str(&of(sent, "repeatability-request-id")).is_ok());
    }

    #[tokio::test]
    async fn what_was_called_off_is_not_sent_any_more() {
        let server = MockServer::start().await;
        let throttled = status(429).insert_header("Retry-After", "0");
        Mock::given(method("POST")).respond_with(throttled).mount(&server).await;
        let (client, called_off) = (with_key(&server), CancellationToken::new());
        called_off.cancel();
        let reply = client.perform_unless(&called_off, &Request::terminate("c1")).await;
        assert_eq!(reply, Reply::NotDone { reached: false, why: "it was called off".to_owned() });
        assert!(server.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_retry_is_the_same_request() {
        let server = MockServer::start().await;
        let created = serde_json::json!({"callConnectionId": "c1", "correlationId": "k1"});
        let answers = [
            status(503).insert_header("Retry-After", "0"),
            status(500),
            status(429),
            status(201).set_body_json(created),
        ];
        Mock::given(method("POST")).respond_with(InTurn::of(answers)).mount(&server).await;
        let reply = with_key(&server).perform(&redirect()).await;
        let done = Done { connection: Some("c1".to_owned()), correlation: Some("k1".to_owned()) };
        assert_eq!(reply, Reply::Done(done));
        let asked = asked(&server).await;
        assert_eq!(asked.len(), 4);
        for name in ["repeatability-request-id", "repeatability-first-sent"] {
            let first = of(&asked[0], name);
            assert!(!first.is_empty() && asked.iter().all(|request| of(request, name) == first), "{name}");
        }
        assert!(asked.iter().all(|request| request.body == asked[0].body));
    }

    #[tokio::test]
    async fn what_can_not_be_repeated_is_not() {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(status(500)).mount(&server).await;
        let reply = with_key(&server).perform(&Request::start_media("id")).await;
        assert!(matches!(reply, Reply::Uncertain { .. }), "{reply:?}");
        assert_eq!(asked(&server).await.len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let server = MockServer::start().await;
        let body = serde_json::json!({"error": {"code": "8522", "message": "Call not found."}});
        Mock::given(method("POST")).respond_with(status(404).set_body_json(body)).mount(&server).await;
        let reply = with_key(&server).perform(&Request::terminate("id")).await;
        let Reply::Refused(refusal) = reply else { panic!("{reply:?}") };
        assert_eq!((refusal.status, refusal.result.sub_code), (404, Some(8_522)));
        assert_eq!(asked(&server).await.len(), 1);
    }

    #[tokio::test]
    async fn a_redirection_is_not_followed() {
        let server = MockServer::start().await;
        let elsewhere = status(307).insert_header("Location", "http://127.0.0.1:1/");
        Mock::given(method("GET")).respond_with(elsewhere).mount(&server).await;
        let reply = with_key(&server).perform(&Request::look("id")).await;
        assert!(matches!(&reply, Reply::Refused(refusal) if refusal.status == 307), "{reply:?}");
    }

    /// Nobody listens there: certainly not done.
    #[tokio::test]
    async fn what_never_left_is_known_not_to_have() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut client = client(&format!("http://{free}"), AcsAuth::AccessKey("a2V5".into()));
        client.timing.create = Duration::from_millis(20);
        client.timing.request = Duration::from_millis(20);
        let reply = client.perform(&redirect()).await;
        assert!(matches!(reply, Reply::NotDone { reached: false, .. }), "{reply:?}");
    }

    /// Taken, and never answered.
    #[tokio::test]
    async fn what_was_sent_and_not_answered_is_uncertain() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let taking = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                taken.push(stream);
            }
        });
        let mut client = client(&format!("http://{addr}"), AcsAuth::AccessKey("a2V5".into()));
        client.timing.request = Duration::from_millis(50);
        client.timing.create = Duration::from_millis(200);
        let reply = client.perform(&redirect()).await;
        assert!(matches!(reply, Reply::Uncertain { .. }), "{reply:?}");
        taking.abort();
    }

    #[tokio::test]
    async fn a_token_that_was_revoked_is_renewed_once() {
        let server = MockServer::start().await;
        let token = |text: &str| {
            status(200).set_body_json(serde_json::json!({"access_token": text, "expires_in": 3600}))
        };
        Mock::given(path("/contoso/oauth2/v2.0/token"))
            .respond_with(InTurn::of([token("revoked"), token("good")]))
            .mount(&server)
            .await;
        Mock::given(header("authorization", "Bearer good")).respond_with(status(204)).mount(&server).await;
        Mock::given(header("authorization", "Bearer revoked")).respond_with(status(401)).mount(&server).await;
        let entra = Entra::ClientSecret {
            authority: server.uri(),
            tenant: "contoso".to_owned(),
            client_id: "app".to_owned(),
            secret: "secret".into(),
        };
        let client = client(&server.uri(), AcsAuth::Entra(entra));
        assert_eq!(client.perform(&Request::terminate("id")).await, Reply::Done(Done::default()));
    }

    #[test]
    fn dates_as_http_writes_them() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_178_368);
        assert_eq!(http_date(at), "Fri, 20 Nov 2026 12:39:28 GMT");
        assert_eq!(read_date("Fri, 20 Nov 2026 12:39:28 GMT"), Some(at));
    }

    #[test]
    fn when_to_come_again() {
        let now = read_date("Fri, 20 Nov 2026 12:39:28 GMT").unwrap();
        for (text, seconds) in [
            ("3", Some(3)),
            (" 0 ", Some(0)),
            ("Fri, 20 Nov 2026 12:39:33 GMT", Some(5)),
            ("Fri, 20 Nov 2026 12:39:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn errors_are_read_with_their_subcode() {
        for (body, sub_code) in [
            (r#"{"error":{"code":"8522","message":"Call not found."}}"#, Some(8_522)),
            (r#"{"error":{"code":8522}}"#, Some(8_522)),
            (r#"{"code":"8522"}"#, Some(8_522)),
            (r#"{"error":{"code":"Denied"}}"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(refusal(404, body.as_bytes()).result.sub_code, sub_code, "{body}");
        }
    }
}

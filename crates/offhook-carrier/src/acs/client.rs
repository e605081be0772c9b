//! Sends requests: proves who we are, waits, tries again where that is safe, and says what is known at the end.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;

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
    /// Certainly not done: the service is overloaded, or was not reached.
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
    AccessKey(AccessKey),
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
            AcsAuth::AccessKey(key) => Proof::AccessKey(AccessKey::parse(key).ok_or(AcsStartError::AccessKey)?),
            AcsAuth::Entra(entra) => Proof::Entra(Tokens::new(http.clone(), entra.clone())),
        };
        let (api_version, timing) = (config.api_version.clone(), config.timing);
        Ok(Self { http, endpoint, api_version, proof, timing })
    }

    /// Send it, as often as is safe and sensible.
    pub async fn perform(&self, request: &Request) -> Reply {
        let (began_at, first_sent) = (Instant::now(), http_date(SystemTime::now()));
        let mut tries = Tries::of(request, &self.timing);
        let mut renewed = false;
        loop {
            let answer = self.try_once(request, &first_sent).await;
            // A token that was revoked; the next one may be better.
            if answer.status() == Some(401) && !std::mem::replace(&mut renewed, true) && self.renew(&answer) {
                continue;
            }
            match tries.again_after(began_at.elapsed(), &answer.tried, rand::random()) {
                Some(wait) => {
                    tracing::debug!(operation = ?request.operation, tried = ?answer.tried, "ACS is asked again");
                    tokio::time::sleep(wait).await;
                }
                None => return reply(&answer, tries.certainty(&answer.tried)),
            }
        }
    }

    /// Send it once, and say how that went.
    pub async fn look(&self, request: &Request) -> Look {
        let began_at = Instant::now();
        let answer = self.try_once(request, &http_date(SystemTime::now())).await;
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

    async fn try_once(&self, request: &Request, first_sent: &str) -> Answer {
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
    use super::*;

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

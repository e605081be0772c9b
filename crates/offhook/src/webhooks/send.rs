//! One attempt: a request that goes where it may, waits as long as it may, and follows nobody elsewhere.

use std::error::Error as _;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode};

use super::reach::{NoAddress, Reach};
use super::{Keys, Settings};

/// What a receiver may ask for at most; it has an attempt per wait, not per wish.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(super) struct Sender {
    http: reqwest::Client,
    reach: Reach,
    timeout: Duration,
}

/// A signed message.
#[derive(Debug)]
pub(super) struct Message {
    /// The same for every attempt, so that a receiver can tell a repeat.
    pub id: String,
    pub unix_seconds: i64,
    pub body: Vec<u8>,
}

/// What became of an attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub took: Duration,
    /// Of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it was in vain, in our own words.
    pub error: Option<String>,
    /// What the receiver asked for.
    pub retry_after: Option<Duration>,
}

impl Attempt {
    pub fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE.as_u16())
    }
}

impl Sender {
    /// Without a pool: each attempt resolves the name anew. Without a proxy: it would connect where we may not.
    pub fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(settings.reach.resolver())
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .timeout(settings.timeout)
            .build()?;
        Ok(Self { http, reach: settings.reach.clone(), timeout: settings.timeout })
    }

    /// The body of the answer is not read: nothing in it matters.
    pub async fn send(&self, url: &str, keys: &Keys, message: Message) -> Attempt {
        let begun = Instant::now();
        let answer = self.answer(url, keys, message).await;
        Self::judge(begun, answer)
    }

    /// What nobody signs: the receiver knows it by its own address.
    pub async fn post(&self, url: &str, body: Vec<u8>) -> Attempt {
        let begun = Instant::now();
        let answer = match self.request(url, body) {
            Ok(request) => request.send().await.map_err(|error| self.words(&error)),
            Err(error) => Err(error),
        };
        Self::judge(begun, answer)
    }

    fn judge(begun: Instant, answer: Result<Response, String>) -> Attempt {
        let took = begun.elapsed();
        match answer {
            Ok(response) => {
                let status = response.status();
                let retry_after = retry_after(response.headers());
                Attempt { took, status: Some(status.as_u16()), error: refusal(status), retry_after }
            }
            Err(error) => Attempt { took, status: None, error: Some(error), retry_after: None },
        }
    }

    async fn answer(&self, url: &str, keys: &Keys, message: Message) -> Result<Response, String> {
        let Message { id, unix_seconds, body } = message;
        let signature = keys.signature(&id, unix_seconds, &body);
        let request = self
            .request(url, body)?
            .header("webhook-id", id)
            .header("webhook-timestamp", unix_seconds)
            .header("webhook-signature", signature);
        request.send().await.map_err(|error| self.words(&error))
    }

    fn request(&self, url: &str, body: Vec<u8>) -> Result<RequestBuilder, String> {
        // The operator may have changed what is allowed since the call was placed.
        let url = self.reach.check(url).map_err(|error| format!("the address {error}"))?;
        Ok(self.http.post(url).header(CONTENT_TYPE, "application/json").body(body))
    }

    /// Never what the error itself says: it quotes addresses.
    fn words(&self, error: &reqwest::Error) -> String {
        if let Some(no_address) = find_no_address(error) {
            return no_address.to_string();
        }
        match error {
            error if error.is_timeout() => {
                format!("there was no answer within {} ms", self.timeout.as_millis())
            }
            error if error.is_connect() => {
                "no connection could be made: the name, the port or the certificate is wrong".to_owned()
            }
            _ => "the connection broke off before an answer came".to_owned(),
        }
    }
}

fn find_no_address(error: &reqwest::Error) -> Option<NoAddress> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<NoAddress>() {
            return Some(*found);
        }
        cause = error.source();
    }
    None
}

/// Why an answer is none that takes the event.
fn refusal(status: StatusCode) -> Option<String> {
    match status {
        status if status.is_success() => None,
        StatusCode::GONE => Some("the receiver is gone for good".to_owned()),
        status if status.is_redirection() => Some("redirects are not followed".to_owned()),
        status => Some(format!("the receiver answered {}", status.as_u16())),
    }
}

/// In seconds; a date is not worth the trouble.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WISH))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::net::TcpListener;

    use super::super::Reach;
    use super::*;

    #[tokio::test]
    async fn no_socket_is_opened_to_where_nobody_may_go() {
        crate::app::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // The second is a name that may be tried, for what else it might lead to.
        for (allowed, host) in [(vec![], "127.0.0.1"), (vec!["::1"], "localhost")] {
            let allowed = allowed.into_iter().map(|network| network.parse().unwrap()).collect();
            let settings = Settings { reach: Reach::new(false, allowed), ..Settings::new(false, vec![]) };
            let sender = Sender::new(&settings).unwrap();
            let message = Message { id: "call-1".into(), unix_seconds: 0, body: b"{}".to_vec() };
            let url = format!("http://{host}:{port}/");
            let attempt = sender.send(&url, &Keys::new([1; 32], None), message).await;
            assert!(attempt.status.is_none() && attempt.error.is_some(), "{attempt:?}");
            assert!(
                !attempt.error.unwrap().contains("127.0.0.1"),
                "the receiver's owner learns no addresses"
            );
        }
        assert!(listener.accept().now_or_never().is_none(), "somebody connected");
    }

    #[test]
    fn what_an_answer_means() {
        for (status, taken) in
            [(200, true), (204, true), (299, true), (301, false), (410, false), (500, false)]
        {
            assert_eq!(refusal(StatusCode::from_u16(status).unwrap()).is_none(), taken, "{status}");
        }
    }

    #[test]
    fn how_long_a_receiver_asks_to_be_left_alone() {
        for (value, expected) in [
            ("120", Some(120)),
            ("999999", Some(3_600)),
            ("soon", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(retry_after(&headers).map(|wait| wait.as_secs()), expected, "{value}");
        }
    }
}

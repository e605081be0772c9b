//! One offhook whose trunk is somebody else's telephone, and an agent that talks to it.

use std::net::SocketAddr;
use std::time::Duration;

use offhook::app::App;
use offhook::config::{Config, Env};
use offhook::gateway::keys;
use offhook_testkit::programs::{Protocol, free_port};
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

pub const OUR_NUMBER: &str = "+12065550911";
pub const THEIR_NUMBER: &str = "+12065551234";
/// The line that the second trunk has, and whom it reaches.
pub const OTHER_NUMBER: &str = "+12065550922";
pub const USER_NUMBER: &str = "+12065559876";

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Gateway {
    app: App,
    http: Client,
    key: String,
    /// Where our line is called.
    pub sip: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Gateway {
    /// With the local voice as it comes, speaking and listening with the programs of this machine.
    pub async fn start(trunk: SocketAddr, further: &str) -> Self {
        Self::on_trunks(&[(trunk, OUR_NUMBER)], further).await
    }

    /// With a line on each of these trunks, for one call at a time.
    pub async fn on_trunks(trunks: &[(SocketAddr, &str)], further: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sip = SocketAddr::from(([127, 0, 0, 1], free_port(Protocol::Udp)));
        let trunk = |(server, number): &(SocketAddr, &str)| {
            format!(
                "[[carrier.sip.trunk]]\nname = \"{number}\"\nserver = \"{server}\"\n\
                 [[line]]\nnumber = \"{number}\"\ntrunk = \"{number}\"\nmax_calls = 1\n"
            )
        };
        let trunks: String = trunks.iter().map(trunk).collect();
        let text = format!(
            "listen = \"127.0.0.1:0\"\n\
             data_dir = {:?}\n\
             carrier.sip.listen = [\"udp:{sip}\"]\n\
             {further}\n{trunks}",
            dir.path()
        );
        let config = Config::parse(&text, &Env::default()).unwrap_or_else(|error| panic!("{error}"));
        let app = App::start(config).await.unwrap_or_else(|error| panic!("{error}"));
        // Whoever operates it sees the calls that came in, too.
        let key = keys::create(app.gateway().store(), None, true).await.unwrap();
        let http = Client::builder().timeout(PATIENCE).build().unwrap();
        Self { app, http, key: key.expose_secret().to_owned(), sip, _dir: dir }
    }

    pub async fn stop(self) {
        self.app.shutdown().await;
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.app.url())).header("X-Api-Key", &self.key)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.app.url())).header("X-Api-Key", &self.key);
        request.json(body).send().await.unwrap().json().await.unwrap()
    }

    /// Have somebody called; the id of the call.
    pub async fn place(&self, task: &str) -> String {
        let answer =
            self.post("/call", &json!({ "to": THEIR_NUMBER, "task": task, "from": OUR_NUMBER })).await;
        answer["call_id"].as_str().unwrap_or_else(|| panic!("not called: {answer}")).to_owned()
    }

    /// The newest call there is.
    pub async fn latest(&self) -> String {
        let calls: Value = self.get("/calls").send().await.unwrap().json().await.unwrap();
        let id = calls["calls"][0]["id"].as_str();
        id.unwrap_or_else(|| panic!("no call: {calls}")).to_owned()
    }

    /// The journal of a call, up to and with the first entry of this code.
    pub async fn journal_until(&self, id: &str, code: &str) -> Vec<Value> {
        let mut response = self.get(&format!("/call/{id}/events")).send().await.unwrap();
        let (mut text, mut entries) = (String::new(), Vec::new());
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find('\n') {
                let line: String = text.drain(..=end).collect();
                let Some(data) = line.strip_prefix("data:") else { continue };
                let entry: Value = serde_json::from_str(data).unwrap();
                let last = entry["code"] == code;
                entries.push(entry);
                if last {
                    return entries;
                }
            }
        }
        panic!("the journal ended without {code}: {entries:#?}");
    }

    /// The call once it is over.
    pub async fn finalized(&self, id: &str) -> Value {
        self.journal_until(id, "call.ended").await;
        let call: Value = self.get(&format!("/call/{id}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(call["lifecycle"], "finalized", "{call}");
        call
    }

    /// The recording of a call: the remote's side and the voice's.
    pub async fn recording(&self, id: &str) -> (Vec<i16>, Vec<i16>) {
        let response = self.get(&format!("/call/{id}/recording")).send().await.unwrap();
        let bytes = response.error_for_status().unwrap().bytes().await.unwrap();
        let mut wav = hound::WavReader::new(bytes.as_ref()).expect("a WAV file");
        assert_eq!((wav.spec().sample_rate, wav.spec().channels), (8_000, 2));
        let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
        samples.as_chunks::<2>().0.iter().map(|[remote, voice]| (*remote, *voice)).unzip()
    }
}

//! One offhook with a number of Communication Services, the service, a speech model, and whoever uses the API.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook::app::App;
use offhook::config::{Config, Env};
use offhook::gateway::keys;
use offhook_testkit::acs::{Callee, FakeAcs, Person, Service, finds, speech};
use offhook_testkit::quiet::Quiet;
use offhook_testkit::realtime::{FakeRealtime, Heard, Recorded, Reply, Script};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::agent::{Agent, Call, Door};

/// Telephones of the world. Not fictional ones, which are refused where there is a carrier.
pub const CALLEE: &str = "+12025550342";
pub const OTHER: &str = "+12025550343";
pub const USER: &str = "+12025550345";
/// Our line, and another.
pub const OURS: &str = "+12025550344";

/// Where the service finds us.
pub const HOST: &str = "voice.example.org";
pub const INCOMING_TOKEN: &str = "a-secret-of-the-subscription";

pub const HELLO: &str = "Hello, this is City Clinic.";
pub const OPENING: &str = "Hello, this is an AI assistant, and this call is recorded.";
pub const MS_PER_CHAR: u32 = 20;
pub const TONE_HZ: u32 = 440;

/// What a rig is made of, to be changed before it starts.
pub struct Setup {
    pub script: Script,
    pub service: Service,
    /// More keys of `[carrier.acs]`.
    pub carrier: String,
    /// More tables.
    pub tables: String,
    /// How the account is written, in place of the right connection string.
    pub account: fn(&FakeAcs) -> String,
    pub max_calls: usize,
    change: Box<dyn FnOnce(&mut Config) + Send>,
}

impl Setup {
    /// With a model that says these things, after its opening, to someone who says those.
    pub fn new(replies: Vec<Reply>, heard: &[&str]) -> Self {
        let heard = heard.iter().map(|text| Heard::Text((*text).to_owned())).collect();
        Self {
            script: Script {
                replies,
                heard,
                ms_per_char: MS_PER_CHAR,
                tone_hz: TONE_HZ,
                ..Script::default()
            },
            service: Service { numbers: vec![OURS.to_owned()], ..Service::default() },
            carrier: String::new(),
            tables: String::new(),
            account: |acs| format!("connection_string = \"{}\"", acs.connection_string()),
            max_calls: 8,
            change: Box::new(|_| ()),
        }
    }

    pub fn carrier(mut self, lines: &str) -> Self {
        self.carrier.push_str(lines);
        self
    }

    pub fn tables(mut self, tables: &str) -> Self {
        self.tables.push_str(tables);
        self
    }

    pub fn change(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    pub async fn start(self) -> AcsRig {
        let acs = FakeAcs::with(self.service.clone()).await;
        let model = FakeRealtime::start(self.script.clone()).await;
        let quiet = Quiet::install();
        [CALLEE, OTHER, USER].iter().for_each(|number| quiet.never_number(number));
        quiet.never_said(HELLO);
        quiet.never(INCOMING_TOKEN);
        quiet.never(&acs.access_key());
        let (dir, doors) = (tempfile::tempdir().unwrap(), free_address());
        acs.reach(HOST, doors);
        let text = self.configuration(&acs, &model, dir.path(), doors);
        let mut config =
            Config::parse(&text, &Env::default()).unwrap_or_else(|problems| panic!("{problems}"));
        (self.change)(&mut config);
        let app = App::start(config.clone()).await.unwrap();
        let door = Arc::new(Door::new(app.url(), quiet.clone()));
        AcsRig { acs, model, app, door, config, quiet, dir }
    }

    /// The file of an operator.
    pub fn configuration(
        &self,
        acs: &FakeAcs,
        model: &FakeRealtime,
        dir: &std::path::Path,
        doors: SocketAddr,
    ) -> String {
        let account = (self.account)(acs);
        let (carrier, tables, max_calls) = (&self.carrier, &self.tables, self.max_calls);
        format!(
            r#"
            listen = "127.0.0.1:0"
            data_dir = {dir:?}
            [carrier.acs]
            {account}
            public_url = "https://{HOST}"
            listen = "{doors}"
            audience = "{}"
            keys_url = "{}"
            incoming_token = "{INCOMING_TOKEN}"
            {carrier}
            [[line]]
            number = "{OURS}"
            trunk = "acs"
            max_calls = {max_calls}
            [policy]
            concurrent_calls_per_destination = 8
            [speech]
            model = "openai-realtime"
            [speech.openai]
            base_url = "{}"
            api_key = "sk-test-not-a-real-key"
            {tables}
            "#,
            acs.resource_id(),
            acs.jwks_url(),
            model.url(),
        )
    }
}

/// The audio of the appends to one session.
fn sent_to(connection: u64, recorded: &[Recorded]) -> Vec<i16> {
    let appends = recorded.iter().filter(|recorded| {
        recorded.connection == connection && recorded.event["type"] == "input_audio_buffer.append"
    });
    let audio = appends.map(|append| append.event["audio"].as_str().unwrap());
    let bytes: Vec<u8> = audio.flat_map(|audio| STANDARD.decode(audio).unwrap()).collect();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Where nobody listens at the moment.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

pub struct AcsRig {
    pub acs: FakeAcs,
    pub model: FakeRealtime,
    pub app: App,
    pub door: Arc<Door>,
    pub config: Config,
    quiet: Quiet,
    dir: tempfile::TempDir,
}

impl AcsRig {
    pub fn owner(&self) -> Agent {
        Agent::new(Arc::clone(&self.door), None)
    }

    pub async fn admin(&self) -> Agent {
        let key = keys::create(self.app.gateway().store(), None, true).await.unwrap();
        self.quiet.never(key.expose_secret());
        Agent::new(Arc::clone(&self.door), Some(key.expose_secret()))
    }

    /// Tell the service where calls for us are told.
    pub async fn subscribe(&self) {
        let url = format!("https://{HOST}/webhooks/acs/incoming?token={INCOMING_TOKEN}");
        assert_eq!(self.acs.subscribe(&url).await, (true, Some(200)), "the handshake");
    }

    /// A call that is answered by someone whose media is up.
    pub async fn connected(&self, owner: &Agent, number: &str) -> (Call, Person) {
        self.acs.callee(number, Callee::answers());
        let before = self.acs.calls().len();
        let call = owner.call(number).await;
        let person = self.acs.person_after(before, number).await;
        person.until_streaming().await;
        (call, person)
    }

    /// The same, who has said hello and heard what the voice opens with.
    pub async fn greeted(&self, owner: &Agent, number: &str) -> (Call, Person) {
        let (call, person) = self.connected(owner, number).await;
        person.says(&speech(person.seen().rate(), 700, 1)).await;
        call.until_code("turn.voice").await;
        (call, person)
    }

    /// Everything one session of the model was sent to hear, 24 kHz.
    pub fn model_heard(&self, connection: u64) -> Vec<i16> {
        sent_to(connection, &self.model.recorded())
    }

    /// Until a session of the model has heard this, sample for sample.
    pub async fn until_model_heard(&self, connection: u64, spoken: &[i16]) {
        let heard = |recorded: &[Recorded]| finds(&sent_to(connection, recorded), spoken).is_some();
        self.model.wait_for("all that was said", heard).await;
    }

    /// The session whose instructions hold these words.
    pub fn session_with(&self, words: &str) -> u64 {
        let recorded = self.model.recorded();
        let found = recorded.iter().find(|recorded| {
            let instructions = recorded.event["session"]["instructions"].as_str().unwrap_or_default();
            recorded.event["type"] == "session.update" && instructions.contains(words)
        });
        found.unwrap_or_else(|| panic!("no session was told {words:?}")).connection
    }

    /// Until no call is left on either side: nothing of one stays behind.
    pub async fn until_quiet(&self) {
        self.model.until_closed().await;
        for seen in self.acs.calls() {
            assert_eq!(seen.open_sockets(), 0, "{seen:#?}");
        }
    }

    /// Stop everything. No rule of the service may have been broken, and nothing private logged.
    pub async fn stop(self) {
        self.app.shutdown().await;
        assert_eq!(self.acs.violations(), [] as [&str; 0]);
        for seen in self.acs.calls() {
            let refused: Vec<_> = seen.delivered.iter().filter(|post| post.status != Some(200)).collect();
            assert!(refused.is_empty(), "callbacks were not taken: {refused:#?}");
        }
        self.quiet.check();
        drop(self.dir);
    }
}

/// The same again and again, until what is asked for is there.
pub async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = tokio::time::timeout(limit, work).await;
    (done.unwrap_or_else(|_| panic!("{what} took more than {limit:?}")), began.elapsed())
}

pub fn goodbye(text: &str) -> Reply {
    let result = json!({ "status": "achieved", "summary": "They are open.", "quotes": [HELLO] });
    Reply::say(text).and_call("end_call", &json!({ "reason": "done", "result": result }).to_string())
}

/// The codes of a journal, in order.
pub fn codes(journal: &[Value]) -> Vec<&str> {
    journal.iter().map(|event| event["code"].as_str().unwrap()).collect()
}

/// Outcome and reason of a call that is over.
pub fn ending(over: &Value) -> (&str, &str) {
    (over["outcome"].as_str().unwrap_or_default(), over["end_reason"].as_str().unwrap_or_default())
}

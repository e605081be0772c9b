//! The carrier against a stand-in for Microsoft's HTTP side: whole calls, with callbacks and audio brought by hand.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use offhook_core::audio::SampleRate;
use offhook_core::{Frame, LegCommand, LegEvent};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::Notify;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::*;
use crate::{Carrier, LegOutput, Released, TrunkReply};

const FORMAT: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);
const LINE: &str = "+14155550199";
const REMOTE: &str = "+14155550100";

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).expect(text)
}

/// Says that something was asked, too.
struct Telling {
    answer: ResponseTemplate,
    asked: Arc<Notify>,
}

impl Respond for Telling {
    fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
        self.asked.notify_waiters();
        self.answer.clone()
    }
}

struct Rig {
    server: MockServer,
    asked: Arc<Notify>,
    carrier: AcsCarrier,
    inbox: mpsc::Receiver<IncomingCall>,
}

impl Rig {
    /// With a service that does what it is asked.
    async fn start() -> Self {
        let rig = Self::with(MockServer::start().await);
        let created = ResponseTemplate::new(201).set_body_json(json!({"callConnectionId": "c1"}));
        rig.on("POST", "^/calling/callConnections$", created).await;
        let answered = ResponseTemplate::new(200).set_body_json(json!({"callConnectionId": "c1"}));
        rig.on("POST", "^/calling/callConnections:answer$", answered).await;
        rig.on("POST", ":(terminate|reject|redirect)$", ResponseTemplate::new(204)).await;
        rig.on(
            "POST",
            ":(sendDtmfTones|transferToParticipant|stopMediaStreaming)$",
            ResponseTemplate::new(202),
        )
        .await;
        rig.on("POST", "participants:add$", ResponseTemplate::new(202)).await;
        rig.on("DELETE", "^/calling/callConnections/c1$", ResponseTemplate::new(204)).await;
        rig
    }

    fn with(server: MockServer) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let lines = vec![AcsLine::new(number(LINE))];
        let auth = AcsAuth::AccessKey("a2V5".into());
        let mut config = AcsConfig::new(&server.uri(), auth, "https://voice.example/", lines);
        config.timing.backoff = Duration::from_millis(1);
        let (incoming, inbox) = mpsc::channel(1);
        let carrier = AcsCarrier::start(config, incoming).expect("a carrier");
        Self { server, asked: Arc::default(), carrier, inbox }
    }

    async fn on(&self, verb: &str, pattern: &str, answer: ResponseTemplate) {
        let answer = Telling { answer, asked: Arc::clone(&self.asked) };
        Mock::given(method(verb)).and(path_regex(pattern)).respond_with(answer).mount(&self.server).await;
    }

    fn dial(&self) -> Leg {
        self.carrier.dial(&Dial { to: number(REMOTE), from: None }).expect("a leg")
    }

    /// What was asked with a path that ends like this, once it was.
    async fn asked(&self, end: &str) -> Value {
        within(async {
            loop {
                let asked = self.asked.notified();
                tokio::pin!(asked);
                asked.as_mut().enable();
                let requests = self.server.received_requests().await.unwrap();
                if let Some(request) = requests.iter().find(|request| request.url.path().ends_with(end)) {
                    return serde_json::from_slice(&request.body).unwrap_or_default();
                }
                asked.await;
            }
        })
        .await
    }

    async fn count(&self, end: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path().ends_with(end)).count()
    }

    /// Name and secret of the call that was asked for.
    async fn paths(&self, end: &str) -> Paths {
        let body = self.asked(end).await;
        let read = |url: &Value, place: &str| {
            let url = reqwest::Url::parse(url.as_str().unwrap()).unwrap();
            let name = url.path().strip_prefix(place).unwrap().to_owned();
            let token = url.query_pairs().find(|(key, _)| key == "token").unwrap().1.into_owned();
            (url.scheme().to_owned(), name, token)
        };
        let (scheme, call, token) = read(&body["callbackUri"], "/webhooks/acs/calls/");
        let media = read(&body["mediaStreamingOptions"]["transportUrl"], "/webhooks/acs/media/");
        assert_eq!((scheme.as_str(), media), ("https", ("wss".to_owned(), call.clone(), token.clone())));
        Paths { call, token }
    }

    fn tell(&self, paths: &Paths, kind: &str, result: Value) {
        let data = json!({"callConnectionId": "c1", "resultInformation": result});
        let body = json!([{"type": format!("Microsoft.Communication.{kind}"), "data": data}]).to_string();
        self.carrier.callback(&paths.call, &paths.token, body.as_bytes()).expect("a call that listens");
    }

    /// Microsoft's end of a media connection.
    fn connect(&self, paths: &Paths) -> DuplexStream {
        let place = self.carrier.media(&paths.call, &paths.token, Some("c1")).expect("a place");
        let (ours, theirs) = duplex(1 << 20);
        place.attach(ours);
        theirs
    }

    fn busy(&self) -> usize {
        self.carrier.lines()[0].busy
    }
}

struct Paths {
    call: String,
    token: String,
}

async fn within<T>(doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), doing).await.expect("within ten seconds")
}

async fn event(leg: &mut Leg) -> LegEvent {
    loop {
        if let LegOutput::Event(event) = within(leg.next()).await {
            return event;
        }
    }
}

async fn ticket(leg: &mut Leg) -> String {
    loop {
        if let LegOutput::Ticket(ticket) = within(leg.next()).await {
            return ticket;
        }
    }
}

/// A text frame as a client sends it.
fn frame(text: &str) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
    frame.extend_from_slice(&mask);
    frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn audio_from_acs(bytes: &[u8]) -> Vec<u8> {
    let data = BASE64_STANDARD.encode(bytes);
    frame(&format!(
        r#"{{"kind":"AudioData","audioData":{{"timestamp":"2026-11-20T12:39:28.020Z","data":"{data}","silent":false}}}}"#
    ))
}

/// The next text frame of ours.
async fn said(far: &mut DuplexStream) -> Value {
    within(async {
        let mut head = [0; 2];
        far.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0], 0x81);
        let len = match head[1] {
            126 => usize::from(far.read_u16().await.unwrap()),
            short => usize::from(short),
        };
        let mut text = vec![0; len];
        far.read_exact(&mut text).await.unwrap();
        serde_json::from_slice(&text).unwrap()
    })
    .await
}

async fn connected(rig: &Rig) -> (Leg, Paths, DuplexStream) {
    let mut leg = rig.dial();
    let first = ticket(&mut leg).await;
    assert!(is_ticket(&first));
    let paths = rig.paths("/callConnections").await;
    rig.tell(&paths, "CallConnected", json!({"code": 200, "subCode": 0}));
    let mut far = rig.connect(&paths);
    let metadata = r#"{"kind":"AudioMetadata","audioMetadata":{"encoding":"PCM","sampleRate":24000,"channels":1,"length":960}}"#;
    far.write_all(&frame(metadata)).await.unwrap();
    let mut seen = Vec::new();
    while !(seen.contains(&"Answered") && seen.contains(&"MediaUp")) {
        seen.push(match event(&mut leg).await {
            LegEvent::Answered { .. } => "Answered",
            LegEvent::MediaUp { format: FORMAT, encrypted: true } => "MediaUp",
            LegEvent::Ringing { .. } => "Ringing",
            other => panic!("{other:?}"),
        });
    }
    (leg, paths, far)
}

#[tokio::test]
async fn a_call_with_audio_both_ways() {
    let rig = Rig::start().await;
    let (mut leg, paths, mut far) = connected(&rig).await;
    assert_eq!((leg.line(), rig.busy()), (&number(LINE), 1));
    let created = rig.asked("/callConnections").await;
    assert_eq!(created["targets"][0]["phoneNumber"]["value"], REMOTE);
    assert_eq!(created["sourceCallerIdNumber"]["value"], LINE);
    for sample in 1..=3 {
        far.write_all(&audio_from_acs(&[sample; 960])).await.unwrap();
        let LegOutput::Audio(heard) = within(leg.next()).await else { panic!("no frame") };
        assert_eq!(heard, Frame::from_bytes(FORMAT, &[sample; 960]).unwrap());
        leg.play(&heard);
        let said = said(&mut far).await;
        assert_eq!(said["Kind"], "AudioData");
        assert_eq!(
            BASE64_STANDARD.decode(said["AudioData"]["Data"].as_str().unwrap()).unwrap(),
            [sample; 960]
        );
    }
    leg.stop_audio();
    assert_eq!(said(&mut far).await, json!({"Kind": "StopAudio", "AudioData": null, "StopAudio": {}}));
    far.write_all(&frame(r##"{"kind":"DtmfData","dtmfData":{"data":"#"}}"##)).await.unwrap();
    assert!(matches!(event(&mut leg).await, LegEvent::Digit(key) if key.as_char() == '#'));
    leg.send(LegCommand::SendDigits("1#".to_owned())).unwrap();
    let keys = rig.asked(":sendDtmfTones").await;
    assert_eq!(keys["tones"], json!(["one", "pound"]));
    assert_eq!(keys["targetParticipant"]["phoneNumber"]["value"], REMOTE);
    rig.tell(&paths, "SendDtmfTonesCompleted", Value::Null);
    assert_eq!(event(&mut leg).await, LegEvent::DigitsSent);
    leg.send(LegCommand::HangUp { reason: EndReason::VoiceFinished }).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    assert_eq!(rig.count(":terminate").await, 1);
    assert_eq!(rig.busy(), 0);
    let stats = leg.media_stats();
    assert_eq!((stats.received_frames, stats.sent_frames), (3, 3));
    // Microsoft's last word comes late, and is taken.
    rig.tell(&paths, "CallDisconnected", json!({"code": 200, "subCode": 7000}));
    assert_eq!(rig.carrier.media(&paths.call, &paths.token, Some("c1")).unwrap_err(), MediaRefusal::Over);
}

/// Before ACS has named the call nobody can tell whose connection it is; afterwards a wrong one is closed.
#[tokio::test]
async fn a_connection_that_came_too_early_to_be_known_is_closed_if_it_is_another_calls() {
    let rig = Rig::with(MockServer::start().await);
    let created = ResponseTemplate::new(201).set_body_json(json!({"callConnectionId": "c1"}));
    rig.on("POST", "^/calling/callConnections$", created).await;
    rig.on("POST", ":terminate$", ResponseTemplate::new(204)).await;
    let mut leg = rig.dial();
    let paths = rig.paths("/callConnections").await;
    let place = rig.carrier.media(&paths.call, &paths.token, Some("c2")).expect("nobody knows better yet");
    let (ours, mut theirs) = duplex(1 << 16);
    place.attach(ours);
    // It is taken up first, as the reply is read later.
    theirs.write_all(&audio_from_acs(&[1; 960])).await.unwrap();
    rig.tell(&paths, "CallConnected", json!({"code": 200, "subCode": 0}));
    while !matches!(event(&mut leg).await, LegEvent::Answered { .. }) {}
    let mut rest = Vec::new();
    within(theirs.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(
        rig.carrier.media(&paths.call, &paths.token, Some("c2")).map(drop),
        Err(MediaRefusal::Foreign)
    );
    drop(leg);
    rig.asked("/c1:terminate").await;
}

/// Whoever picks up says hello at once; the callback comes when it comes.
#[tokio::test]
async fn what_is_said_just_before_the_callback_is_heard_after_it() {
    let rig = Rig::start().await;
    let mut leg = rig.dial();
    let paths = rig.paths("/callConnections").await;
    let mut far = rig.connect(&paths);
    for sample in 1..=20 {
        far.write_all(&audio_from_acs(&[sample; 960])).await.unwrap();
    }
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. } | LegEvent::Ringing { .. }));
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. } | LegEvent::Ringing { .. }));
    let waits = poll_fn(|cx| Poll::Ready(leg.poll_next(cx).is_pending())).await;
    assert!(waits && leg.media_stats().received_frames == 20, "all were read, and none told of");
    rig.tell(&paths, "CallConnected", json!({"code": 200, "subCode": 0}));
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    for sample in 6..=20 {
        let LegOutput::Audio(heard) = within(leg.next()).await else { panic!("no frame") };
        assert_eq!(heard.bytes()[0], sample);
    }
}

/// The far end plays silence by itself; what it was late is made up then.
#[tokio::test]
async fn silence_is_sent_for_a_moment_only() {
    let rig = Rig::start().await;
    let (mut leg, _, mut far) = connected(&rig).await;
    for _ in 0..100 {
        leg.play(&Frame::silence(FORMAT));
    }
    assert_eq!(leg.media_stats().sent_frames, 10);
    leg.play(&Frame::from_bytes(FORMAT, &[1; 960]).unwrap());
    for _ in 0..10 {
        let silence = said(&mut far).await;
        assert_eq!(BASE64_STANDARD.decode(silence["AudioData"]["Data"].as_str().unwrap()).unwrap(), [0; 960]);
    }
    let speech = said(&mut far).await;
    assert_eq!(BASE64_STANDARD.decode(speech["AudioData"]["Data"].as_str().unwrap()).unwrap(), [1; 960]);
}

#[tokio::test]
async fn a_second_connection_takes_the_place_of_the_first() {
    let rig = Rig::start().await;
    let (mut leg, paths, mut first) = connected(&rig).await;
    let mut second = rig.connect(&paths);
    second.write_all(&audio_from_acs(&[2; 960])).await.unwrap();
    let LegOutput::Audio(heard) = within(leg.next()).await else { panic!("no frame") };
    assert_eq!(heard.bytes()[0], 2);
    leg.play(&heard);
    assert_eq!(said(&mut second).await["Kind"], "AudioData");
    let mut rest = Vec::new();
    within(first.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, [0x88, 2, 3, 0xe8], "the first was told goodbye");
}

#[tokio::test]
async fn audio_is_for_whom_the_call_is_for() {
    let rig = Rig::start().await;
    let (_leg, paths, _far) = connected(&rig).await;
    let other = rig.dial();
    let media = |call: &str, token: &str, id| rig.carrier.media(call, token, id).map(drop);
    for (call, token, id, expected) in [
        ("nobody", paths.token.as_str(), Some("c1"), Err(MediaRefusal::Unknown)),
        (paths.call.as_str(), "wrong", Some("c1"), Err(MediaRefusal::WrongToken)),
        (&paths.call, "", Some("c1"), Err(MediaRefusal::WrongToken)),
        (&paths.call, &paths.token, None, Err(MediaRefusal::Foreign)),
        (&paths.call, &paths.token, Some(""), Err(MediaRefusal::Foreign)),
        (&paths.call, &paths.token, Some("c2"), Err(MediaRefusal::Foreign)),
        (&paths.call, &paths.token, Some("c1"), Ok(())),
    ] {
        assert_eq!(media(call, token, id), expected, "{call} {token} {id:?}");
    }
    assert!(rig.carrier.knows(&paths.call, &paths.token));
    assert!(!rig.carrier.knows(&paths.call, "wrong"));
    for (call, token, body, expected) in [
        ("nobody", paths.token.as_str(), "[]", Err(CallbackError::Unknown)),
        (paths.call.as_str(), "wrong", "[]", Err(CallbackError::WrongToken)),
        (&paths.call, &paths.token, "nonsense", Err(CallbackError::Malformed)),
        (&paths.call, &paths.token, "[]", Ok(())),
    ] {
        assert_eq!(rig.carrier.callback(call, token, body.as_bytes()), expected);
    }
    drop(other);
}

#[tokio::test]
async fn a_leg_that_is_dropped_hangs_up() {
    let rig = Rig::start().await;
    let (leg, ..) = connected(&rig).await;
    drop(leg);
    rig.asked(":terminate").await;
    assert_eq!(rig.busy(), 0);
    within(rig.carrier.shutdown()).await;
}

#[tokio::test]
async fn a_leg_that_is_dropped_at_once_hangs_up_what_it_had_asked_for() {
    let rig = Rig::start().await;
    let leg = rig.dial();
    rig.asked("/callConnections").await;
    drop(leg);
    rig.asked("/c1:terminate").await;
    assert_eq!(rig.count("/callConnections").await, 1);
}

#[tokio::test]
async fn a_call_that_is_hung_up_before_it_was_asked_for_is_never_asked_for() {
    let rig = Rig::start().await;
    drop(rig.dial());
    within(rig.carrier.shutdown()).await;
    assert_eq!(rig.count("").await, 0);
}

/// It would ring somebody for a call that nobody wants any more.
#[tokio::test]
async fn a_call_that_is_hung_up_between_two_tries_is_not_asked_for_again() {
    let rig = Rig::with(MockServer::start().await);
    let later = ResponseTemplate::new(429).insert_header("Retry-After", "4");
    rig.on("POST", "^/calling/callConnections$", later).await;
    let mut leg = rig.dial();
    rig.asked("/callConnections").await;
    leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    assert!(rig.carrier.calls.live().is_empty(), "nothing is left to be waited for");
    within(rig.carrier.shutdown()).await;
    assert_eq!(rig.count("/callConnections").await, 1);
}

/// A killed process left it behind; the callback of its answer came while nobody listened, and ACS connects its audio.
#[tokio::test]
async fn a_call_left_behind_is_hung_up_when_its_audio_comes() {
    let rig = Rig::start().await;
    let carrier = Carrier::from(rig.carrier.clone());
    let pending = Ticket::Pending { reference: "ref".to_owned(), token: "token".to_owned() }.to_text();
    for _ in 0..2 {
        assert!(matches!(carrier.release(&pending).await, Released::Unknown { .. }));
    }
    let _far = rig.connect(&Paths { call: "ref".to_owned(), token: "token".to_owned() });
    rig.asked("/c1:terminate").await;
}

fn incoming(correlation: &str) -> IncomingCallEvent {
    IncomingCallEvent::from_data(&json!({
        "to": {"kind": "phoneNumber", "rawId": format!("4:{LINE}"), "phoneNumber": {"value": LINE}},
        "from": {"kind": "phoneNumber", "rawId": "4:+14155550123", "phoneNumber": {"value": "+14155550123"}},
        "callerDisplayName": "Anna",
        "serverCallId": "s1",
        "incomingCallContext": "context",
        "correlationId": correlation,
    }))
    .unwrap()
}

#[tokio::test]
async fn somebody_calls_and_is_answered() {
    let mut rig = Rig::start().await;
    rig.carrier.incoming(incoming("k1")).unwrap();
    let mut call = within(rig.inbox.recv()).await.unwrap();
    assert_eq!((call.from, call.to), (Some(number("+14155550123")), number(LINE)));
    assert_eq!((call.from_name.as_deref(), call.carrier_call_id.as_str()), (Some("Anna"), "k1"));
    assert_eq!(rig.count(":answer").await, 0);
    call.leg.send(LegCommand::Answer).unwrap();
    assert_eq!(rig.asked(":answer").await["incomingCallContext"], "context");
    let paths = rig.paths(":answer").await;
    rig.tell(&paths, "CallConnected", json!({"code": 200, "subCode": 0}));
    assert!(matches!(event(&mut call.leg).await, LegEvent::Answered { .. }));
    call.leg.send(LegCommand::SendDigits("5".to_owned())).unwrap();
    assert_eq!(rig.asked(":sendDtmfTones").await["targetParticipant"]["rawId"], "4:+14155550123");
    rig.tell(&paths, "CallDisconnected", json!({"code": 200, "subCode": 540000}));
    assert!(matches!(event(&mut call.leg).await, LegEvent::DigitsSent | LegEvent::HungUp { .. }));
}

#[tokio::test]
async fn calls_that_are_not_passed_on() {
    let mut rig = Rig::start().await;
    let elsewhere = IncomingCallEvent { to: Some(number("+14155550177")), ..incoming("k0") };
    assert_eq!(rig.carrier.incoming(elsewhere), Err(IncomingRefusal::NotOurs));
    let nowhere = IncomingCallEvent { to: None, ..incoming("k0") };
    assert_eq!(rig.carrier.incoming(nowhere), Err(IncomingRefusal::NotOurs));
    // Nobody looks at the first: the second finds no room.
    rig.carrier.incoming(incoming("k1")).unwrap();
    assert_eq!(rig.carrier.incoming(incoming("k2")), Err(IncomingRefusal::Busy));
    assert_eq!(rig.asked(":reject").await["callRejectReason"], "busy");
    let first = rig.inbox.recv().await.unwrap();
    rig.carrier.incoming(incoming("k3")).unwrap();
    let second = rig.inbox.recv().await.unwrap();
    // The line carries two.
    assert_eq!(rig.carrier.incoming(incoming("k4")), Err(IncomingRefusal::Busy));
    drop((first, second));
    assert_eq!(rig.busy(), 0);
    let before = rig.carrier.lines();
    rig.carrier.set_public_url(None);
    assert_eq!(rig.carrier.incoming(incoming("k5")), Err(IncomingRefusal::Unreachable));
    assert_eq!(rig.carrier.incoming(incoming("k5")), Err(IncomingRefusal::Unreachable));
    assert!(matches!(
        rig.carrier.dial(&Dial { to: number(REMOTE), from: None }),
        Err(DialError::Unsent { .. })
    ));
    assert_eq!(rig.carrier.lines(), before);
    rig.carrier.set_public_url(Some("https://tunnel.example"));
    // What could not be taken is taken when it is told of again.
    rig.carrier.incoming(incoming("k5")).unwrap();
    drop(rig.inbox.recv().await.unwrap());
    let _leg = rig.dial();
    let asked = rig.asked("/callConnections").await;
    assert!(asked["callbackUri"].as_str().unwrap().starts_with("https://tunnel.example/webhooks/acs/calls/"));
}

/// A call that one of our lines hands on to another rings there as well, under the same correlationId.
#[tokio::test]
async fn a_call_that_is_handed_on_rings_on_the_other_line_too() {
    let mut rig = Rig::start().await;
    let mut config = (*rig.carrier.config).clone();
    config.lines.push(AcsLine::new(number("+14155550198")));
    rig.carrier = AcsCarrier::start(config, mpsc::Sender::clone(&rig.carrier.incoming)).unwrap();
    for to in [LINE, "+14155550198"] {
        rig.carrier.incoming(IncomingCallEvent { to: Some(number(to)), ..incoming("k1") }).unwrap();
        assert_eq!(within(rig.inbox.recv()).await.unwrap().to, number(to));
    }
}

#[tokio::test]
async fn who_is_told_that_we_are_busy_is_told_so_before_we_go() {
    let rig = Rig::start().await;
    rig.carrier.incoming(incoming("k1")).unwrap();
    assert_eq!(rig.carrier.incoming(incoming("k2")), Err(IncomingRefusal::Busy));
    within(rig.carrier.shutdown()).await;
    let requests = rig.server.received_requests().await.unwrap();
    let reasons = requests.iter().map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    assert!(reasons.into_iter().any(|body| body["callRejectReason"] == "busy"));
}

#[tokio::test]
async fn a_caller_is_declined() {
    let mut rig = Rig::start().await;
    rig.carrier.incoming(incoming("k1")).unwrap();
    let mut call = rig.inbox.recv().await.unwrap();
    call.leg.send(LegCommand::HangUp { reason: EndReason::PolicyRefused }).unwrap();
    assert_eq!(rig.asked(":reject").await["callRejectReason"], "forbidden");
    assert_eq!(event(&mut call.leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn lines_are_chosen_and_used_up() {
    let rig = Rig::start().await;
    let carrier = Carrier::from(rig.carrier.clone());
    let dial = |from: Option<&str>| carrier.dial(&Dial { to: number(REMOTE), from: from.map(number) });
    assert_eq!(dial(Some("+14155550177")).unwrap_err(), DialError::UnknownLine);
    let first = dial(None).unwrap();
    let second = dial(Some(LINE)).unwrap();
    assert_eq!(dial(None).unwrap_err(), DialError::NoLine);
    drop(first);
    let third = dial(None).unwrap();
    drop((second, third));
}

#[tokio::test]
async fn a_call_of_a_process_before_this_one_is_hung_up() {
    let rig = Rig::start().await;
    let carrier = Carrier::from(rig.carrier.clone());
    let ticket = Ticket::Connection("c7".to_owned()).to_text();
    assert_eq!(carrier.release(&ticket).await, Released::Gone);
    assert_eq!(rig.count("/c7:terminate").await, 1);
    // It had not been named: it is waited for, and hung up when it comes.
    let pending = Ticket::Pending { reference: "ref".to_owned(), token: "token".to_owned() }.to_text();
    assert!(matches!(carrier.release(&pending).await, Released::Unknown { .. }));
    let paths = Paths { call: "ref".to_owned(), token: "token".to_owned() };
    rig.tell(&paths, "CallConnected", json!({"code": 200, "subCode": 0}));
    rig.asked("/c1:terminate").await;
    assert!(matches!(carrier.release("offhook-acs/9\nx").await, Released::Unknown { .. }));
    assert!(matches!(carrier.release("offhook-sip/1\nx").await, Released::Unknown { .. }));
}

#[tokio::test]
async fn what_does_not_confirm_the_end_of_such_a_call() {
    let rig = Rig::with(MockServer::start().await);
    let ticket = Ticket::Connection("c1".to_owned()).to_text();
    let gone = json!({"error": {"code": "8522", "message": "Call not found."}});
    for (answer, expected) in
        [(ResponseTemplate::new(404).set_body_json(gone), "Gone"), (ResponseTemplate::new(401), "Unknown")]
    {
        rig.server.reset().await;
        rig.on("POST", ":terminate$", answer).await;
        let released = rig.carrier.release(&ticket).await;
        assert!(format!("{released:?}").starts_with(expected), "{released:?}");
    }
}

#[tokio::test]
async fn the_check_says_what_to_do() {
    let rig = Rig::with(MockServer::start().await);
    let nobody = "/calling/callConnections/00000000-0000-0000-0000-000000000000";
    let old = "Fri, 20 Nov 2015 12:39:28 GMT";
    for (answer, advice) in [
        (ResponseTemplate::new(404).set_body_json(json!({"error": {"code": "8522"}})), None),
        (ResponseTemplate::new(401), Some("connection string")),
        (ResponseTemplate::new(401).insert_header("Date", old), Some("clock")),
        (ResponseTemplate::new(400), Some("api_version")),
        (ResponseTemplate::new(503), Some("again")),
    ] {
        rig.server.reset().await;
        Mock::given(path(nobody)).respond_with(answer).mount(&rig.server).await;
        let report = rig.carrier.check().await;
        assert!(matches!(report.reply, TrunkReply::Answered { .. }), "{report:?}");
        assert_eq!(report.advice.is_some(), advice.is_some(), "{report:?}");
        assert!(report.advice.unwrap_or_default().contains(advice.unwrap_or_default()));
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let auth = AcsAuth::AccessKey("a2V5".into());
    let lines = vec![AcsLine::new(number(LINE))];
    let config = AcsConfig::new(&format!("http://{free}"), auth, "https://voice.example", lines);
    let nowhere = AcsCarrier::start(config, mpsc::channel(1).0).unwrap().check().await;
    assert!(matches!(nowhere.reply, TrunkReply::Unreachable { .. }), "{nowhere:?}");
    assert!(nowhere.advice.unwrap().contains("endpoint"));
}

#[tokio::test]
async fn microsoft_connects_the_other_side_with_somebody_else() {
    let mut rig = Rig::start().await;
    let to = Dial { to: number("+14155550190"), from: None };
    let (mut leg, paths, _far) = connected(&rig).await;
    assert!(!leg.hand_over(HandOver::Redirect, &to));
    assert!(leg.hand_over(HandOver::Invite, &to));
    assert_eq!(
        rig.asked("participants:add").await["participantToAdd"]["phoneNumber"]["value"],
        "+14155550190"
    );
    assert!(leg.hand_over(HandOver::Transfer, &to));
    rig.asked(":transferToParticipant").await;
    rig.tell(&paths, "CallTransferAccepted", Value::Null);
    leg.leave();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    assert_eq!((rig.count("/c1").await, rig.count(":terminate").await), (1, 0));
    rig.carrier.incoming(incoming("k1")).unwrap();
    let mut call = rig.inbox.recv().await.unwrap();
    assert!(!call.leg.hand_over(HandOver::Transfer, &to));
    assert!(call.leg.hand_over(HandOver::Redirect, &to));
    assert_eq!(rig.asked(":redirect").await["target"]["phoneNumber"]["value"], "+14155550190");
    assert_eq!(event(&mut call.leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn nothing_is_dialled_once_it_was_shut_down() {
    let rig = Rig::start().await;
    let (mut leg, ..) = connected(&rig).await;
    let (ended, ()) = tokio::join!(event(&mut leg), within(rig.carrier.shutdown()));
    assert_eq!(ended, LegEvent::Closed);
    assert_eq!(rig.count(":terminate").await, 1);
    assert!(matches!(
        rig.carrier.dial(&Dial { to: number(REMOTE), from: None }),
        Err(DialError::Unsent { .. })
    ));
    assert_eq!(rig.carrier.incoming(incoming("k1")), Err(IncomingRefusal::Stopping));
}

#[test]
fn what_can_not_be_configured() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let usual = || {
        let auth = AcsAuth::AccessKey("a2V5".into());
        AcsConfig::new(
            "https://contoso.communication.azure.com",
            auth,
            "https://voice.example",
            vec![AcsLine::new(number(LINE))],
        )
    };
    let start = |config: AcsConfig| AcsCarrier::start(config, mpsc::channel(1).0).map(drop);
    assert_eq!(start(usual()), Ok(()));
    assert_eq!(start(AcsConfig { lines: Vec::new(), ..usual() }), Err(AcsStartError::NoLine));
    let twice = vec![AcsLine::new(number(LINE)), AcsLine::new(number(LINE))];
    assert_eq!(start(AcsConfig { lines: twice, ..usual() }), Err(AcsStartError::Twice(number(LINE))));
    let plain = "http://voice.example".to_owned();
    let refused = start(AcsConfig { callback_url: plain.clone(), ..usual() });
    assert_eq!(refused, Err(AcsStartError::CallbackUrl(plain.clone())));
    let refused = start(AcsConfig { media_url: plain.clone(), ..usual() });
    assert_eq!(refused, Err(AcsStartError::MediaUrl(plain)));
    assert_eq!(start(AcsConfig { endpoint: "contoso".to_owned(), ..usual() }), Err(AcsStartError::Endpoint));
    let odd = AcsAuth::AccessKey("no key".into());
    assert_eq!(start(AcsConfig { auth: odd, ..usual() }), Err(AcsStartError::AccessKey));
    assert_eq!(start(AcsConfig { format: AudioFormat::Pcmu, ..usual() }), Err(AcsStartError::Format));
}

/// RFC 6455 §1.3.
#[test]
fn the_handshake_of_the_rfc() {
    assert_eq!(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

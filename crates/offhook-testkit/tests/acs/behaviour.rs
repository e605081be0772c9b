//! What was seen of the real service, and what a test can make go wrong.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_testkit::acs::{Callee, Delivery, FakeAcs, Fault, Operation, Service, Stage, finds, speech};
use serde_json::{Value, json};

use crate::application::{Application, BASE};

const CALLEE: &str = "+12025550171";
const OURS: &str = "+12025550134";
const BEARER: &str = "a token of the directory";

async fn service() -> FakeAcs {
    FakeAcs::with(Service { bearer: Some(BEARER.to_owned()), ..Service::default() }).await
}

/// A request with a token instead of a signature, as often as is asked with the same id.
async fn ask(acs: &FakeAcs, path: &str, id: &str, body: &Value) -> Option<(u16, Value)> {
    let url = format!("{}/calling/callConnections{path}?api-version=2026-03-12", acs.endpoint());
    let request = reqwest::Client::new().post(url).bearer_auth(BEARER).json(body);
    let request = request.header("repeatability-request-id", id);
    let request = request.header("repeatability-first-sent", "Sat, 21 Nov 2026 18:00:00 GMT");
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.json().await.unwrap_or_default()))
}

fn wish(rate: &str) -> Value {
    json!({
        "targets": [{"kind": "phoneNumber", "phoneNumber": {"value": CALLEE}}],
        "sourceCallerIdNumber": {"value": OURS},
        "callbackUri": format!("{BASE}/callback"),
        "mediaStreamingOptions": {
            "transportType": "websocket", "audioChannelType": "mixed", "contentType": "audio",
            "transportUrl": "wss://voice.example.org/media", "startMediaStreaming": true, "enableBidirectional": true,
            "audioFormat": rate, "enableDtmfTones": true,
        },
    })
}

const ONE: &str = "8a3e0f1c-55a0-4d5d-9c11-7b6a7a1f0a01";
const TWO: &str = "8a3e0f1c-55a0-4d5d-9c11-7b6a7a1f0a02";

#[tokio::test]
async fn a_request_sent_twice_is_done_once() {
    let acs = service().await;
    let _application = Application::start(&acs).await;
    acs.fault(Operation::Create, Fault::LoseReply);
    acs.fault(Operation::Create, Fault::throttled(1));
    assert_eq!(ask(&acs, "", ONE, &wish("pcm24KMono")).await, None, "the reply is lost");
    assert_eq!(ask(&acs, "", ONE, &wish("pcm24KMono")).await.unwrap().0, 429);
    let (status, first) = ask(&acs, "", ONE, &wish("pcm24KMono")).await.unwrap();
    assert_eq!((status, acs.calls().len()), (201, 1), "the call that was made is told again");
    assert_eq!(first["callConnectionId"], acs.calls()[0].connection_id);
    ask(&acs, "", TWO, &wish("pcm24KMono")).await.unwrap();
    assert_eq!(acs.calls().len(), 2);
}

#[tokio::test]
async fn a_failure_is_told_in_two_events_in_any_order() {
    let acs = service().await;
    let application = Application::start(&acs).await;
    let delivery = Delivery { doubled: true, reversed: true, before_reply: true, ..Delivery::default() };
    acs.callee(CALLEE, Callee::busy().told(delivery));
    ask(&acs, "", ONE, &wish("pcm24KMono")).await.unwrap();
    // All of them before the reply.
    let heard = application.heard();
    let kinds: Vec<&str> = heard.events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["CallDisconnected", "CallDisconnected", "CreateCallFailed", "CreateCallFailed"]);
    assert_eq!(heard.events[0].1, heard.events[1].1, "twice the same event");
    let result = &heard.bodies[2]["data"]["resultInformation"];
    assert_eq!((&result["code"], &result["subCode"]), (&json!(486), &json!(560_486)));
    assert_eq!(result["sipDetails"], json!({"code": 486, "message": "Busy Here"}));
    assert_eq!(acs.calls()[0].stage, Stage::Ended);
}

#[tokio::test]
async fn sound_goes_both_ways_sample_for_sample() {
    for (format, rate) in [("pcm24KMono", 24_000), ("pcm16KMono", 16_000)] {
        let acs = service().await;
        let application = Application::start(&acs).await;
        ask(&acs, "", ONE, &wish(format)).await.unwrap();
        let person = acs.person(CALLEE).await;
        person.until_streaming().await;
        let said = speech(rate, 500, 3);
        person.says(&said).await;
        person.press("5#");
        let heard = application
            .until("the keys", |heard| {
                heard.frames.iter().filter(|frame| frame["kind"] == "DtmfData").count() == 2
            })
            .await;
        assert_eq!(heard.frames[0]["audioMetadata"]["sampleRate"], rate);
        assert_eq!(heard.upgrades[0].0, person.seen().connection_id);
        let audio = heard.frames.iter().filter(|frame| frame["kind"] == "AudioData");
        let samples: Vec<i16> = audio
            .flat_map(|frame| STANDARD.decode(frame["audioData"]["data"].as_str().unwrap()).unwrap())
            .collect::<Vec<u8>>()
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        assert!(finds(&samples, &said).is_some());

        let answer: Vec<u8> = said.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let data = STANDARD.encode(&answer);
        // In each casing that there is.
        application
            .say(&json!({"Kind": "AudioData", "AudioData": {"Data": data}, "StopAudio": null}).to_string());
        application.say(&json!({"kind": "stopAudio", "stopAudio": {}}).to_string());
        application
            .say(&json!({"kind": "audioData", "audioData": {"data": data, "isSilent": false}}).to_string());
        let seen = person.until_received(2 * said.len()).await;
        let sound = seen.sound;
        assert_eq!(sound.received(), [said.clone(), said.clone()].concat());
        assert_eq!(sound.stops().len(), 1);
        assert!(sound.heard().len() < 2 * said.len(), "what was stopped was not heard");
        assert_eq!(acs.violations(), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_media_socket_that_breaks_is_made_again_and_one_that_is_refused_is_told_of() {
    let acs = service().await;
    let application = Application::start(&acs).await;
    ask(&acs, "", ONE, &wish("pcm24KMono")).await.unwrap();
    let person = acs.person(CALLEE).await;
    person.until_streaming().await;
    person.break_media();
    person
        .until("another socket", |seen| (seen.sockets.len() == 2 && seen.open_sockets() == 1).then_some(()))
        .await;
    application.close_media();
    person.until("a third", |seen| (seen.sockets.len() == 3 && seen.open_sockets() == 1).then_some(())).await;
    let told = application.until("the third", |heard| heard.events.len() == 7).await;
    let details: Vec<&str> = told
        .bodies
        .iter()
        .filter_map(|event| event["data"]["mediaStreamingUpdate"]["mediaStreamingStatusDetails"].as_str())
        .collect();
    let again = ["streamConnectionInterrupted", "streamConnectionReestablished"];
    assert_eq!(details, [&["subscriptionStarted"][..], &again[..], &again[..]].concat());
    person.hang_up();
    let seen = person.until_ended().await;
    assert_eq!(
        seen.sockets.iter().map(|socket| socket.closed_by_application).collect::<Vec<_>>(),
        [false, true, false]
    );

    // Nobody is at that address.
    let mut nowhere = wish("pcm24KMono");
    nowhere["mediaStreamingOptions"]["transportUrl"] = json!("wss://nobody.example.org/media");
    ask(&acs, "", TWO, &nowhere).await.unwrap();
    let told =
        application.until("no media", |heard| heard.events.last().unwrap().0 == "MediaStreamingFailed").await;
    assert_eq!(told.bodies.last().unwrap()["data"]["resultInformation"]["subCode"], 8_581);
}

#[tokio::test]
async fn the_service_can_be_slow() {
    let acs = service().await;
    let _application = Application::start(&acs).await;
    acs.slow(Duration::from_millis(300));
    let began = std::time::Instant::now();
    ask(&acs, "", ONE, &wish("pcm24KMono")).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
}

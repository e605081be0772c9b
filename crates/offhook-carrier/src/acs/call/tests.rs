//! Timelines of calls: what happens on the left, what comes of it on the right, in virtual time.

mod any_order;

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use offhook_core::audio::SampleRate;
use offhook_core::{AudioFormat, Digit, EndReason, LegCommand, PhoneNumber};

use super::{Call, MediaNews, Output, Plan};
use crate::acs::client::{Done, Refusal, Reply};
use crate::acs::config::AcsTiming;
use crate::acs::event::{self, Event};
use crate::acs::request::{Identifier, MediaOptions, Operation};
use crate::acs::result::ResultInformation;

const FORMAT: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);

struct Line {
    call: Call,
    now: Instant,
    began: Instant,
    shown: String,
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).expect(text)
}

fn plan() -> Plan {
    Plan {
        reference: "ref".to_owned(),
        token: "token".into(),
        callback_url: "https://voice.example/webhooks/acs/calls/ref?token=token".into(),
        media: MediaOptions { url: "wss://voice.example/".into(), format: FORMAT },
        line: number("+14155550199"),
        display_name: None,
        remote: Some(Identifier::phone(&number("+14155550100"))),
        encrypted: true,
        timing: AcsTiming::default(),
    }
}

impl Line {
    fn dial() -> Self {
        let now = Instant::now();
        Self::of(now, Call::dial(now, plan(), &number("+14155550100")))
    }

    fn offered() -> Self {
        let now = Instant::now();
        Self::of(now, Call::offered(now, plan(), "context".into()))
    }

    fn of(now: Instant, call: Call) -> Self {
        let mut line = Self { call, now, began: now, shown: String::new() };
        line.show("begin");
        line
    }

    /// Do what is due until then.
    fn wait(&mut self, ms: u64) -> &mut Self {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.call.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.call.on_deadline(self.now);
            self.show("time");
        }
        self.now = until;
        self
    }

    fn event(&mut self, kind: &str, code: Option<(i64, i64)>) -> &mut Self {
        self.event_of("c1", kind, code)
    }

    fn event_of(&mut self, connection: &str, kind: &str, code: Option<(i64, i64)>) -> &mut Self {
        let result = code.map_or(String::new(), |(code, sub_code)| {
            format!(r#","resultInformation":{{"code":{code},"subCode":{sub_code}}}"#)
        });
        let body = format!(
            r#"[{{"type":"Microsoft.Communication.{kind}","data":{{"callConnectionId":"{connection}"{result}}}}}]"#
        );
        self.events(&body, kind)
    }

    fn events(&mut self, body: &str, name: &str) -> &mut Self {
        for event in event::parse(body.as_bytes()).unwrap() {
            self.call.on_event(self.now, event);
        }
        self.show(name)
    }

    fn reply(&mut self, operation: Operation, reply: Reply) -> &mut Self {
        let name = format!("{operation:?}: {}", shown_reply(&reply));
        self.call.on_reply(self.now, operation, reply);
        self.show(&name)
    }

    fn created(&mut self) -> &mut Self {
        self.reply(Operation::Create, done(Some("c1")))
    }

    fn told(&mut self, command: LegCommand) -> &mut Self {
        let name = format!("{command:?}");
        self.call.told(self.now, command);
        self.show(&name)
    }

    fn hang_up(&mut self) -> &mut Self {
        self.told(LegCommand::HangUp { reason: EndReason::OwnerCancelled })
    }

    fn media(&mut self, news: MediaNews) -> &mut Self {
        self.call.on_media(self.now, news);
        self.show(&format!("media {news:?}"))
    }

    fn late_media(&mut self, connection: &str) -> &mut Self {
        self.call.on_late_media(connection);
        self.show(&format!("late media of {connection}"))
    }

    fn show(&mut self, what: &str) -> &mut Self {
        let at = (self.now - self.began).as_millis();
        let mut out = Vec::new();
        while let Some(output) = self.call.poll() {
            out.push(shown(&output));
        }
        let out = if out.is_empty() { "-".to_owned() } else { out.join(", ") };
        self.shown.push_str(&format!("{at:>6} {what:<32} {out}\n"));
        self
    }

    fn check(&mut self, expected: &Expect) {
        let end = if self.call.is_finished() { "finished" } else { "not finished" };
        expected.assert_eq(&format!("{}{end}\n", self.shown));
    }
}

fn shown(output: &Output) -> String {
    match output {
        Output::Ask(request) => format!("ask {:?}", request.operation),
        Output::Leg(event) => format!("leg {event:?}"),
        Output::Ticket(ticket) => format!("ticket {}", ticket.split_once('\n').unwrap().1),
        Output::Connection(id) => format!("connection {id}"),
        Output::CallOff => "call off".to_owned(),
        Output::CloseMedia => "close media".to_owned(),
    }
}

fn shown_reply(reply: &Reply) -> String {
    match reply {
        Reply::Done(_) => "done".to_owned(),
        Reply::Refused(refusal) => format!("refused {}", refusal.status),
        Reply::NotDone { reached, .. } => {
            format!("not done, {}", if *reached { "reached" } else { "unreached" })
        }
        Reply::Uncertain { .. } => "uncertain".to_owned(),
    }
}

fn done(connection: Option<&str>) -> Reply {
    Reply::Done(Done { connection: connection.map(str::to_owned), correlation: None })
}

fn refused(status: u16, sub_code: Option<i64>) -> Reply {
    let result = ResultInformation { code: Some(status.into()), sub_code, ..ResultInformation::default() };
    Reply::Refused(Refusal { status, result })
}

fn uncertain() -> Reply {
    Reply::Uncertain { why: "timed out".to_owned() }
}

const CONNECTED: (&str, Option<(i64, i64)>) = ("CallConnected", Some((200, 0)));

impl Line {
    fn connected(&mut self) -> &mut Self {
        self.event(CONNECTED.0, CONNECTED.1)
    }
}

#[test]
fn a_call_is_placed_answered_and_hung_up_by_the_other_side() {
    let mut line = Line::dial();
    line.wait(200).created();
    line.wait(5_000).connected();
    line.wait(50).media(MediaNews::Up(FORMAT));
    line.wait(9_000).event("CallDisconnected", Some((200, 560_000)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
           200 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
          5200 CallConnected                    leg Answered { sip_call_id: None }
          5250 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
         14250 CallDisconnected                 leg HungUp { q850_cause: None }, close media
        finished
    "#]]);
}

#[test]
fn we_hang_up() {
    let mut line = Line::dial();
    line.created().connected().media(MediaNews::Up(FORMAT));
    line.wait(3_000).hang_up();
    line.wait(100).reply(Operation::Terminate, done(None));
    line.wait(100).event("CallDisconnected", Some((200, 7_000)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
          3000 HangUp(owner.cancelled)          ask Terminate
          3100 Terminate: done                  leg Closed, close media
          3200 CallDisconnected                 -
        finished
    "#]]);
}

#[test]
fn the_event_of_the_end_comes_before_the_reply_to_the_hang_up() {
    let mut line = Line::dial();
    line.created().connected().hang_up();
    line.wait(100).event("CallDisconnected", Some((200, 7_000)));
    line.wait(100).reply(Operation::Terminate, refused(404, Some(8_522)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 HangUp(owner.cancelled)          ask Terminate
           100 CallDisconnected                 leg Closed, close media
           200 Terminate: refused 404           close media
        finished
    "#]]);
}

#[test]
fn every_event_before_the_reply() {
    let mut line = Line::dial();
    line.wait(100).media(MediaNews::Up(FORMAT)).connected();
    line.wait(100).created();
    line.wait(100).event("CallDisconnected", Some((0, 560_000)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
           100 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
           100 CallConnected                    connection c1, ticket connection c1, leg Ringing { early_media: false }, leg Answered { sip_call_id: None }
           200 Create: done                     -
           300 CallDisconnected                 leg HungUp { q850_cause: None }, close media
        finished
    "#]]);
}

/// Microsoft tells one end twice, in any order.
#[test]
fn two_events_are_one_end() {
    for [first, second] in
        [["CreateCallFailed", "CallDisconnected"], ["CallDisconnected", "CreateCallFailed"]]
    {
        let mut line = Line::dial();
        line.created();
        line.shown.clear();
        line.wait(5_000).event(first, Some((200, 5_002)));
        line.wait(100).event(second, Some((200, 5_002)));
        let text = line.shown.clone();
        assert_eq!(text.matches("leg Failed(DialFailure(remote.declined").count(), 1, "{text}");
        assert_eq!(text.matches("leg ").count(), 1, "{text}");
        assert!(line.call.is_finished());
    }
}

#[test]
fn the_reason_may_come_with_the_second_of_two() {
    let mut line = Line::dial();
    line.created();
    line.wait(5_000).event("CallDisconnected", Some((200, 0)));
    line.wait(300).event("CreateCallFailed", Some((486, 560_486)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
          5000 CallDisconnected                 -
          5300 CreateCallFailed                 leg Failed(DialFailure(remote.busy, SIP Some(486), Q.850 None)), close media
        finished
    "#]]);
}

#[test]
fn an_end_that_nobody_explains_is_one_all_the_same() {
    let mut line = Line::dial();
    line.created();
    line.wait(5_000).event("CallDisconnected", None);
    line.wait(5_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
          5000 CallDisconnected                 -
          6000 time                             leg Failed(DialFailure(carrier.failed, SIP None, Q.850 None)), close media
        finished
    "#]]);
}

#[test]
fn the_same_callback_again_counts_once() {
    let mut line = Line::dial();
    line.created().connected();
    let tone = r#"[{"id":"e1","type":"Microsoft.Communication.ContinuousDtmfRecognitionToneReceived",
        "data":{"callConnectionId":"c1","tone":"five"}}]"#;
    line.events(tone, "tone").events(tone, "tone again");
    line.event_of("c2", "CallDisconnected", Some((200, 0)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 tone                             leg Digit(Digit)
             0 tone again                       -
             0 CallDisconnected                 -
        not finished
    "#]]);
}

#[test]
fn a_refused_request_is_a_refused_call() {
    for (reply, expected) in [
        (refused(401, None), "carrier.refused"),
        (refused(400, Some(8_523)), "carrier.refused"),
        (refused(403, Some(510_403)), "carrier.refused"),
        (Reply::NotDone { reached: true, why: "429".to_owned() }, "carrier.failed"),
        (Reply::NotDone { reached: false, why: "refused".to_owned() }, "carrier.unreachable"),
    ] {
        let mut line = Line::dial();
        line.reply(Operation::Create, reply);
        assert!(line.shown.contains(&format!("leg Failed(DialFailure({expected}")), "{}", line.shown);
        assert!(line.call.is_finished(), "{}", line.shown);
    }
}

/// Whether it went out is not known: nobody dials again, and should it come up, it is hung up.
#[test]
fn an_uncertain_call_is_watched() {
    let mut line = Line::dial();
    line.wait(25_000).reply(Operation::Create, uncertain());
    line.wait(30_000).connected();
    line.wait(100).reply(Operation::Terminate, done(None));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
         25000 Create: uncertain                leg Failed(DialFailure(carrier.uncertain, SIP None, Q.850 None)), close media
         55000 CallConnected                    connection c1, ask Terminate
         55100 Terminate: done                  close media
        finished
    "#]]);
    let mut line = Line::dial();
    line.reply(Operation::Create, uncertain());
    line.wait(200_000);
    assert!(line.call.is_finished());
}

/// The callback of its answer may have come while nobody listened; a connection for its audio says as much.
#[test]
fn a_call_that_is_watched_is_hung_up_when_its_audio_comes() {
    let mut line = Line::dial();
    line.wait(25_000).reply(Operation::Create, uncertain());
    line.wait(30_000).late_media("c1").late_media("c1");
    line.wait(100).reply(Operation::Terminate, done(None));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
         25000 Create: uncertain                leg Failed(DialFailure(carrier.uncertain, SIP None, Q.850 None)), close media
         55000 late media of c1                 connection c1, ask Terminate
         55000 late media of c1                 -
         55100 Terminate: done                  close media
        finished
    "#]]);
    let now = Instant::now();
    let mut line = Line::of(now, Call::left_behind(now, plan()));
    line.wait(3_000).late_media("c1");
    line.check(&expect![[r#"
             0 begin                            -
          3000 late media of c1                 connection c1, ask Terminate
        not finished
    "#]]);
}

/// ACS has the call, and the phone may have rung for as long as the request was repeated: nobody calls again silently.
#[test]
fn a_failure_that_comes_before_the_reply_comes_after_the_ringing() {
    let mut line = Line::dial();
    line.wait(4_000).event("CreateCallFailed", Some((503, 560_503)));
    line.wait(100).reply(Operation::Create, uncertain());
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
          4000 CreateCallFailed                 connection c1, ticket connection c1, leg Ringing { early_media: false }, leg Failed(DialFailure(carrier.failed, SIP Some(503), Q.850 None)), close media
          4100 Create: uncertain                -
        finished
    "#]]);
    // As older versions of the service tell it: of no call by name.
    let mut line = Line::dial();
    line.wait(4_000)
        .events(r#"[{"type":"Microsoft.Communication.CallDisconnected","data":{}}]"#, "CallDisconnected");
    line.reply(Operation::Create, Reply::NotDone { reached: false, why: "refused".to_owned() });
    line.wait(1_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
          4000 CallDisconnected                 leg Ringing { early_media: false }
          4000 Create: not done, unreached      -
          5000 time                             leg Failed(DialFailure(carrier.failed, SIP None, Q.850 None)), close media
        finished
    "#]]);
}

/// What is asked for no more and certainly was not done, is over at once; what may have been done is watched.
#[test]
fn cancelled_between_two_tries() {
    let mut line = Line::dial();
    line.wait(1_000).hang_up();
    line.reply(Operation::Create, Reply::NotDone { reached: true, why: "429".to_owned() });
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
          1000 HangUp(owner.cancelled)          call off
          1000 Create: not done, reached        leg Closed, close media
        finished
    "#]]);
    let mut line = Line::dial();
    line.wait(1_000).hang_up().reply(Operation::Create, uncertain());
    line.wait(3_000).connected();
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
          1000 HangUp(owner.cancelled)          call off
          1000 Create: uncertain                leg Closed, close media
          4000 CallConnected                    connection c1, ask Terminate
        not finished
    "#]]);
    // Whoever calls us rings until they are told; they are answered, and told.
    let mut line = Line::offered();
    line.told(LegCommand::Answer).wait(1_000).hang_up();
    line.wait(1_000).reply(Operation::Answer, done(Some("c1")));
    line.check(&expect![[r#"
             0 begin                            -
             0 Answer                           ticket pending ref token, ask Answer
          1000 HangUp(owner.cancelled)          -
          2000 Answer: done                     connection c1, ticket connection c1, ask Terminate
        not finished
    "#]]);
}

#[test]
fn a_reply_that_was_lost_does_not_matter_once_an_event_has_come() {
    let mut line = Line::dial();
    line.wait(4_000).connected();
    line.wait(20_000).reply(Operation::Create, uncertain());
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
          4000 CallConnected                    connection c1, ticket connection c1, leg Ringing { early_media: false }, leg Answered { sip_call_id: None }
         14000 time                             leg MediaLost
         24000 Create: uncertain                -
        not finished
    "#]]);
}

#[test]
fn cancelled_before_anything_is_known_of_it() {
    let mut line = Line::dial();
    line.wait(100).hang_up();
    line.wait(900).created();
    line.wait(100).reply(Operation::Terminate, done(None));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
           100 HangUp(owner.cancelled)          call off
          1000 Create: done                     connection c1, ticket connection c1, ask Terminate
          1100 Terminate: done                  leg Closed, close media
        finished
    "#]]);
    // Slower than anybody waits.
    let mut line = Line::dial();
    line.wait(100).hang_up();
    line.wait(9_000).created();
    line.wait(100).reply(Operation::Terminate, done(None));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
           100 HangUp(owner.cancelled)          call off
          5100 time                             leg Closed, close media
          9100 Create: done                     connection c1, ask Terminate
          9200 Terminate: done                  close media
        finished
    "#]]);
}

#[test]
fn a_hang_up_that_nobody_confirms_is_over_after_a_while() {
    let mut line = Line::dial();
    line.created().connected().hang_up();
    line.wait(60_000).reply(Operation::Terminate, uncertain());
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 HangUp(owner.cancelled)          ask Terminate
          5000 time                             leg Closed, close media
         60000 Terminate: uncertain             close media
        finished
    "#]]);
}

#[test]
fn microsoft_falls_silent() {
    let mut line = Line::dial();
    line.created();
    line.wait(200_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
        180000 time                             ask Terminate, leg Failed(DialFailure(carrier.uncertain, SIP None, Q.850 None)), close media
        not finished
    "#]]);
}

#[test]
fn audio_that_does_not_come_or_come_back() {
    let mut line = Line::dial();
    line.created().connected();
    line.wait(20_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
         10000 time                             leg MediaLost
        not finished
    "#]]);
    let mut line = Line::dial();
    line.created().connected().media(MediaNews::Up(FORMAT));
    line.wait(5_000).media(MediaNews::Lost);
    line.wait(4_000).media(MediaNews::Up(FORMAT));
    line.wait(5_000).media(MediaNews::Lost);
    line.wait(20_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
          5000 media Lost                       -
          9000 media Up(Pcm16(Hz24000))         -
         14000 media Lost                       -
         24000 time                             leg MediaLost
        not finished
    "#]]);
}

#[test]
fn an_open_connection_without_a_frame() {
    let mut line = Line::dial();
    line.created().connected().media(MediaNews::Up(FORMAT));
    line.wait(10_000);
    line.call.heard(line.now);
    line.wait(10_000).show("still well");
    line.wait(10_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
         20000 still well                       -
         25000 time                             leg MediaLost
        not finished
    "#]]);
}

#[test]
fn audio_that_microsoft_could_not_connect_is_asked_for_again() {
    let mut line = Line::dial();
    line.created().connected();
    for _ in 0..3 {
        line.wait(1_000).event("MediaStreamingFailed", Some((400, 8_581)));
    }
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
          1000 MediaStreamingFailed             ask StartMedia
          2000 MediaStreamingFailed             ask StartMedia
          3000 MediaStreamingFailed             -
        not finished
    "#]]);
}

#[test]
fn somebody_calls() {
    let mut line = Line::offered();
    line.wait(300).told(LegCommand::Answer);
    line.wait(200).reply(Operation::Answer, done(Some("c1")));
    line.wait(100).media(MediaNews::Up(FORMAT)).connected();
    line.wait(5_000).event("CallDisconnected", Some((200, 540_000)));
    line.check(&expect![[r#"
             0 begin                            -
           300 Answer                           ticket pending ref token, ask Answer
           500 Answer: done                     connection c1, ticket connection c1
           600 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }, leg Answered { sip_call_id: None }
           600 CallConnected                    -
          5600 CallDisconnected                 leg HungUp { q850_cause: None }, close media
        finished
    "#]]);
}

/// The caller speaks as soon as audio flows; the callback may take its time.
#[test]
fn whoever_calls_is_heard_before_the_callback() {
    let mut line = Line::offered();
    line.told(LegCommand::Answer).wait(100).media(MediaNews::Up(FORMAT));
    line.wait(50).reply(Operation::Answer, done(Some("c1")));
    line.wait(2_000).connected();
    line.check(&expect![[r#"
             0 begin                            -
             0 Answer                           ticket pending ref token, ask Answer
           100 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
           150 Answer: done                     connection c1, ticket connection c1, leg Answered { sip_call_id: None }
          2150 CallConnected                    -
        not finished
    "#]]);
    let mut line = Line::offered();
    line.told(LegCommand::Answer).wait(50).reply(Operation::Answer, done(Some("c1")));
    line.wait(100).media(MediaNews::Up(FORMAT));
    line.wait(2_000).connected();
    line.check(&expect![[r#"
             0 begin                            -
             0 Answer                           ticket pending ref token, ask Answer
            50 Answer: done                     connection c1, ticket connection c1
           150 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }, leg Answered { sip_call_id: None }
          2150 CallConnected                    -
        not finished
    "#]]);
}

#[test]
fn a_call_that_is_not_taken() {
    let mut line = Line::offered();
    line.told(LegCommand::HangUp { reason: EndReason::PolicyRefused });
    line.wait(100).reply(Operation::Reject, done(None));
    line.check(&expect![[r#"
             0 begin                            -
             0 HangUp(policy.refused)           ask Reject
           100 Reject: done                     leg Closed, close media
        finished
    "#]]);
    let mut line = Line::offered();
    line.wait(200_000);
    line.check(&expect![[r#"
             0 begin                            -
        120000 time                             leg HungUp { q850_cause: None }, close media
        finished
    "#]]);
}

#[test]
fn a_caller_who_did_not_wait() {
    let mut line = Line::offered();
    line.told(LegCommand::Answer).wait(100).reply(Operation::Answer, refused(404, Some(8_522)));
    line.check(&expect![[r#"
             0 begin                            -
             0 Answer                           ticket pending ref token, ask Answer
           100 Answer: refused 404              leg HungUp { q850_cause: None }, close media
        finished
    "#]]);
    let mut line = Line::offered();
    line.told(LegCommand::Answer).event("AnswerFailed", Some((487, 540_487)));
    line.check(&expect![[r#"
             0 begin                            -
             0 Answer                           ticket pending ref token, ask Answer
             0 AnswerFailed                     connection c1, ticket connection c1, leg HungUp { q850_cause: None }, close media
        finished
    "#]]);
    let mut line = Line::offered();
    line.told(LegCommand::Answer).event("AnswerFailed", Some((487, 10_003)));
    line.check(&expect![[r#"
             0 begin                            -
             0 Answer                           ticket pending ref token, ask Answer
             0 AnswerFailed                     connection c1, ticket connection c1, leg Failed(DialFailure(carrier.failed, SIP None, Q.850 None)), close media
        finished
    "#]]);
}

#[test]
fn keys_one_request_after_the_other() {
    let mut line = Line::dial();
    line.told(LegCommand::SendDigits("12w3".to_owned()));
    line.created().connected();
    line.wait(700).events(
        r#"[{"type":"Microsoft.Communication.SendDtmfTonesCompleted","data":{"operationContext":"digits-1"}}]"#,
        "tones completed",
    );
    line.reply(Operation::SendDigits, done(None));
    line.wait(1_000);
    line.event("SendDtmfTonesCompleted", None);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 SendDigits <4 characters>        -
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }, ask SendDigits
           700 tones completed                  -
           700 SendDigits: done                 -
          1200 time                             ask SendDigits
          1700 SendDtmfTonesCompleted           leg DigitsSent
        not finished
    "#]]);
}

#[test]
fn keys_that_were_never_confirmed_hold_nobody_up() {
    let mut line = Line::dial();
    line.created().connected().told(LegCommand::SendDigits("1".to_owned()));
    line.media(MediaNews::Up(FORMAT)).wait(9_000);
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 SendDigits <1 characters>        ask SendDigits
             0 media Up(Pcm16(Hz24000))         leg MediaUp { format: Pcm16(Hz24000), encrypted: true }
          5500 time                             leg DigitsSent
        not finished
    "#]]);
    let mut line = Line::dial();
    line.created().connected().told(LegCommand::SendDigits("1".to_owned()));
    line.reply(Operation::SendDigits, refused(400, Some(8_523)));
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 SendDigits <1 characters>        ask SendDigits
             0 SendDigits: refused 400          leg DigitsSent
        not finished
    "#]]);
}

#[test]
fn keys_of_the_remote() {
    let mut line = Line::dial();
    line.created().connected();
    line.call.pressed(Digit::from_char('5').unwrap());
    line.show("key").event("CallDisconnected", Some((200, 560_000)));
    line.call.pressed(Digit::from_char('5').unwrap());
    line.show("key after the end");
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
             0 key                              leg Digit(Digit)
             0 CallDisconnected                 leg HungUp { q850_cause: None }, close media
             0 key after the end                -
        finished
    "#]]);
}

#[test]
fn a_call_taken_from_us() {
    for (code, sub_code, expected) in [
        (200, 7_000, "leg Lost"),
        (500, 10_045, "leg Lost"),
        (410, 301_005, "leg MediaLost, leg Closed"),
        (200, 5_010, "leg HungUp { q850_cause: None }"),
    ] {
        let mut line = Line::dial();
        line.created().connected();
        line.shown.clear();
        line.event("CallDisconnected", Some((code, sub_code)));
        assert!(line.shown.contains(expected), "{code}/{sub_code}: {}", line.shown);
    }
}

#[test]
fn a_call_of_another_process_is_hung_up_when_it_comes_up() {
    let now = Instant::now();
    let mut line = Line::of(now, Call::left_behind(now, plan()));
    line.wait(3_000).connected();
    line.wait(100).reply(Operation::Terminate, done(None));
    line.check(&expect![[r#"
             0 begin                            -
          3000 CallConnected                    connection c1, ask Terminate
          3100 Terminate: done                  close media
        finished
    "#]]);
}

/// An event of no call that could be told from ours is ours.
#[test]
fn events_without_a_name() {
    let mut line = Line::dial();
    line.created();
    let nameless: Vec<Event> =
        event::parse(br#"[{"type":"Microsoft.Communication.CallConnected"}]"#).unwrap();
    line.call.on_event(line.now, nameless[0].clone());
    line.show("CallConnected");
    line.check(&expect![[r#"
             0 begin                            ticket pending ref token, ask Create
             0 Create: done                     connection c1, ticket connection c1, leg Ringing { early_media: false }
             0 CallConnected                    leg Answered { sip_call_id: None }
        not finished
    "#]]);
}

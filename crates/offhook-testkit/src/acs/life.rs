//! What happens in a call: it rings, is answered, is told of, and ends once.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::oneshot;

use super::call::{Direction, Seen, Stage, phone};
use super::callee::{Callee, Reaction};
use super::courier::Post;
use super::event::{Event, Outcome};
use super::media::{self, Order};
use super::service::Shared;

pub(super) async fn ring(shared: Arc<Shared>, call: usize, callee: Callee) {
    tokio::time::sleep(callee.rings).await;
    if shared.with(|world| world.calls[call].seen.stage) != Stage::Ringing {
        return;
    }
    match callee.then {
        Reaction::Answers => connect(shared, call).await,
        Reaction::Waits => {}
        Reaction::Fails(outcome) => fail(&shared, call, outcome).await,
    }
}

/// The failure of an outbound call is told twice, in two events.
pub(super) async fn fail(shared: &Shared, call: usize, outcome: Outcome) {
    if end(shared, call) {
        let events =
            vec![Event::new("CreateCallFailed", outcome.clone()), Event::new("CallDisconnected", outcome)];
        told(shared, call, events).await;
    }
}

/// The socket is opened while the events are under way, so that either may come first.
pub(super) async fn connect(shared: Arc<Shared>, call: usize) {
    let start = shared.change(|world| {
        let call = &mut world.calls[call];
        call.seen.stage = Stage::Connected;
        call.seen.answered_at = Some(Instant::now());
        call.participants_sequence += 1;
        call.seen.media_options["startMediaStreaming"] == json!(true)
    });
    let participants = participants(&shared, call);
    let connected =
        told(&shared, call, vec![Event::new("CallConnected", Outcome::new(200, 0, "")), participants]);
    match start {
        true => {
            tokio::join!(connected, start_media(Arc::clone(&shared), call, "subscriptionStarted"));
        }
        false => connected.await,
    }
}

fn participants(shared: &Shared, call: usize) -> Event {
    shared.with(|world| {
        let call = &mut world.calls[call];
        call.participants_sequence += 1;
        Event::plain("ParticipantsUpdated").with(json!({
            "participants": call.participants(), "sequenceNumber": call.participants_sequence,
        }))
    })
}

pub(super) async fn start_media(shared: Arc<Shared>, call: usize, details: &'static str) {
    match media::open(&shared, call).await {
        Ok(()) => tell(&shared, call, vec![Event::media("MediaStreamingStarted", Outcome::done(), details)]),
        Err(why) => {
            tracing::debug!(%why, "the media socket was refused");
            let message = "Transport url is not valid or web socket server is not operational.";
            let failed = Outcome::new(400, 8_581, message);
            let details = "initialWebSocketConnectionFailed";
            tell(&shared, call, vec![Event::media("MediaStreamingFailed", failed, details)]);
        }
    }
}

/// After the connection was lost. Its type is written out because one socket's task begins the next.
pub(super) fn restart_media(shared: Arc<Shared>, call: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(start_media(shared, call, "streamConnectionReestablished"))
}

/// Say so to the media socket, if there is one.
pub(super) fn order(shared: &Shared, call: usize, order: Order) {
    let media = shared.with(|world| world.calls[call].media.clone());
    if let Some(media) = media {
        let _ = media.try_send(order);
    }
}

/// Hand events to the courier.
pub(super) fn tell(shared: &Shared, call: usize, events: Vec<Event>) {
    post(shared, call, Post { events, done: None });
}

fn post(shared: &Shared, call: usize, post: Post) {
    let courier = shared.with(|world| world.calls[call].courier.clone());
    if courier.try_send(post).is_err() {
        shared.change(|world| world.violation("events were not taken fast enough".to_owned()));
    }
}

/// The same, until they are delivered.
async fn told(shared: &Shared, call: usize, events: Vec<Event>) {
    let (done, delivered) = oneshot::channel();
    post(shared, call, Post { events, done: Some(done) });
    let _ = delivered.await;
}

/// A call ends once; whether this was it.
fn end(shared: &Shared, call: usize) -> bool {
    let ended = shared.change(|world| {
        let seen = &mut world.calls[call].seen;
        let ends = seen.stage != Stage::Ended;
        if ends {
            seen.stage = Stage::Ended;
            seen.ended_at = Some(Instant::now());
        }
        ends
    });
    order(shared, call, Order::Close);
    ended
}

pub(super) fn end_by_application(shared: &Arc<Shared>, call: usize, seen: &Seen) {
    if seen.stage == Stage::Ringing && seen.direction == Direction::Outbound {
        let shared = Arc::clone(shared);
        let doing = Arc::clone(&shared);
        shared.spawn(async move { fail(&doing, call, Outcome::given_up()).await });
    } else if end(shared, call) {
        tell(shared, call, vec![Event::new("CallDisconnected", Outcome::hung_up())]);
    }
}

/// A phone of the call hangs up.
pub(super) fn end_by_remote(shared: &Shared, call: usize, outcome: Outcome) {
    let was = shared.with(|world| world.calls[call].seen.stage);
    let left = shared.with(|world| world.calls[call].left);
    if !end(shared, call) || left {
        return;
    }
    // Who gives up before it is answered was never in a call that there are events of.
    if was == Stage::Connected {
        tell(shared, call, vec![Event::new("CallDisconnected", outcome)]);
    }
}

/// The application is out of it; the phones go on.
pub(super) fn leave(shared: &Shared, call: usize) {
    shared.change(|world| world.calls[call].left = true);
    order(shared, call, Order::Close);
    tell(shared, call, vec![Event::new("CallDisconnected", Outcome::hung_up())]);
}

pub(super) async fn invite(shared: Arc<Shared>, call: usize, number: String, context: Option<String>) {
    let callee = shared.with(|world| world.callees.get(&number).cloned()).unwrap_or_default();
    tokio::time::sleep(callee.rings).await;
    let live = shared.with(|world| world.calls[call].seen.stage) == Stage::Connected;
    let participant = json!({"participant": phone(&number)});
    match callee.then {
        Reaction::Answers if live => {
            shared.change(|world| world.calls[call].join(&number));
            let added =
                Event::new("AddParticipantSucceeded", Outcome::done()).with(participant).context(context);
            let participants = participants(&shared, call);
            tell(&shared, call, vec![added, participants]);
        }
        Reaction::Fails(outcome) if live => {
            let failed = Event::new("AddParticipantFailed", outcome).with(participant).context(context);
            tell(&shared, call, vec![failed]);
        }
        _ => {}
    }
}

/// A phone leaves; the last one ends the call.
pub(super) fn remove(shared: &Shared, call: usize, number: &str, context: Option<String>) {
    let left = shared.change(|world| {
        world.calls[call].part(number);
        world.calls[call].seen.phones.len()
    });
    let removed = Event::new("RemoveParticipantSucceeded", Outcome::done());
    let removed = removed.with(json!({"participant": phone(number)})).context(context);
    let participants = participants(shared, call);
    tell(shared, call, vec![removed, participants]);
    if left == 0 {
        end_by_remote(shared, call, Outcome::new(200, 5_010, "The call has only one participant left."));
    }
}

pub(super) async fn transfer(shared: Arc<Shared>, call: usize, to: String, context: Option<String>) {
    let callee = shared.with(|world| world.callees.get(&to).cloned()).unwrap_or_default();
    tokio::time::sleep(callee.rings.min(Duration::from_secs(1))).await;
    let more = json!({"transferTarget": phone(&to)});
    match callee.then {
        Reaction::Fails(outcome) => {
            let failed = Event::new("CallTransferFailed", outcome).with(more).context(context);
            tell(&shared, call, vec![failed]);
        }
        _ => {
            let accepted = Event::new("CallTransferAccepted", Outcome::done()).with(more).context(context);
            if end(&shared, call) {
                let gone = Event::new("CallDisconnected", Outcome::transferred());
                tell(&shared, call, vec![accepted, gone]);
            }
        }
    }
}

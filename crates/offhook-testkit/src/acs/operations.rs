//! What each operation does.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::call::{Call, Direction, Offer, Seen, Stage, phone};
use super::event::{Event, Outcome};
use super::media::Order;
use super::request::Operation;
use super::rest::{Asked, Reply};
use super::service::{Shared, World};
use super::{courier, life};

/// Events that wait for their turn.
const POSTS: usize = 64;

pub(super) async fn perform(shared: &Arc<Shared>, asked: &Asked, body: &Value) -> Reply {
    let done = match asked.operation {
        Operation::Create => create(shared, asked, body).await,
        Operation::Answer => answer(shared, asked, body),
        Operation::Redirect => decide(shared, body, |body| Some(Offer::Redirected(target(&body["target"])?))),
        Operation::Reject => decide(shared, body, |body| {
            let reason = body["callRejectReason"].as_str().unwrap_or("none");
            ["none", "busy", "forbidden"].contains(&reason).then(|| Offer::Rejected(reason.to_owned()))
        }),
        _ => on_a_call(shared, asked, body).await,
    };
    done.unwrap_or_else(|refused| refused)
}

type Done = Result<Reply, Reply>;

pub(super) fn add_call(
    shared: &Arc<Shared>,
    direction: Direction,
    from: &str,
    to: &str,
    prepare: impl FnOnce(&mut Call),
) -> usize {
    let (courier, posts) = mpsc::channel(POSTS);
    let mut call = Call::new(direction, from, to, courier);
    prepare(&mut call);
    let index = shared.change(|world| {
        world.calls.push(call);
        world.calls.len() - 1
    });
    shared.spawn(courier::carry(Arc::clone(shared), index, posts));
    index
}

async fn create(shared: &Arc<Shared>, asked: &Asked, body: &Value) -> Done {
    addresses(shared, body)?;
    let targets = body["targets"].as_array().filter(|targets| !targets.is_empty());
    let to =
        targets.and_then(|targets| target(&targets[0])).ok_or_else(|| Reply::bad("targets is missing."))?;
    let from = body["sourceCallerIdNumber"]["value"].as_str();
    let from = from.ok_or_else(|| Reply::bad("sourceCallerIdNumber is needed to call a telephone."))?;
    if !(shared.service.numbers.is_empty() || shared.service.numbers.iter().any(|number| number == from)) {
        return Err(Reply::error(400, "8523", "The source number is not a number of this resource."));
    }
    let callee = shared.with(|world| world.callees.get(&to).cloned()).unwrap_or_default();
    let call = add_call(shared, Direction::Outbound, from, &to, |call| {
        call.configure(&asked.version(), body);
        call.delivery = callee.delivery;
    });
    let properties = shared.with(|world| world.calls[call].seen.properties());
    let life = life::ring(Arc::clone(shared), call, callee.clone());
    match callee.delivery.before_reply {
        true => life.await,
        false => shared.spawn(life),
    }
    Ok(Reply::new(201, properties))
}

fn answer(shared: &Arc<Shared>, asked: &Asked, body: &Value) -> Done {
    addresses(shared, body)?;
    let call = take_offer(shared, body, Offer::Answered)?;
    let properties = shared.change(|world| {
        world.calls[call].configure(&asked.version(), body);
        world.calls[call].seen.properties()
    });
    shared.spawn(life::connect(Arc::clone(shared), call));
    Ok(Reply::new(200, properties))
}

fn decide(shared: &Arc<Shared>, body: &Value, offer: impl FnOnce(&Value) -> Option<Offer>) -> Done {
    let offer = offer(body).ok_or_else(|| Reply::bad("The decision is not one that there is."))?;
    let call = take_offer(shared, body, offer)?;
    shared.change(|world| {
        world.calls[call].seen.stage = Stage::Ended;
        world.calls[call].seen.ended_at = Some(Instant::now());
    });
    Ok(Reply::empty(204))
}

/// An incoming call is decided once.
fn take_offer(shared: &Shared, body: &Value, offer: Offer) -> Result<usize, Reply> {
    let context = body["incomingCallContext"].as_str();
    let context = context.ok_or_else(|| Reply::bad("incomingCallContext is missing."))?;
    shared.change(|world| {
        let mut calls = world.calls.iter_mut();
        let found = calls.position(|call| call.incoming_context.as_deref() == Some(context));
        let call = found.filter(|call| world.calls[*call].seen.stage == Stage::Ringing);
        let call = call.ok_or_else(Reply::no_such_call)?;
        let seen = &mut world.calls[call].seen;
        if seen.offer != Offer::Open {
            return Err(Reply::error(409, "8519", "The call was answered already."));
        }
        seen.offer = offer;
        Ok(call)
    })
}

/// The addresses must be ones that the service would use.
fn addresses(shared: &Shared, body: &Value) -> Result<(), Reply> {
    let plain = shared.service.allow_plain;
    let good =
        |url: &str, scheme: &str, bare: &str| url.starts_with(scheme) || (plain && url.starts_with(bare));
    let callback = body["callbackUri"].as_str().unwrap_or_default();
    if !good(callback, "https://", "http://") {
        return Err(Reply::bad("The field CallbackUri is invalid."));
    }
    let media = &body["mediaStreamingOptions"];
    if media.is_null() {
        return Ok(());
    }
    let is = |field: &str, one_of: &[&str]| {
        let value = media[field].as_str().unwrap_or_default();
        one_of.iter().any(|good| good.eq_ignore_ascii_case(value))
    };
    if !(is("transportType", &["websocket"]) && is("audioChannelType", &["mixed", "unmixed"])) {
        return Err(Reply::bad("The media streaming options are invalid."));
    }
    if !(media["audioFormat"].is_null() || is("audioFormat", &["pcm16KMono", "pcm24KMono"])) {
        return Err(Reply::bad("The field AudioFormat is invalid."));
    }
    match good(media["transportUrl"].as_str().unwrap_or_default(), "wss://", "ws://") {
        true => Ok(()),
        false => Err(Reply::bad("The field TransportUrl is invalid.")),
    }
}

/// The number of an identifier.
fn target(identifier: &Value) -> Option<String> {
    let number = identifier["phoneNumber"]["value"].as_str();
    let number = number.or_else(|| identifier["rawId"].as_str()?.strip_prefix("4:"))?;
    number.starts_with('+').then(|| number.to_owned())
}

async fn on_a_call(shared: &Arc<Shared>, asked: &Asked, body: &Value) -> Done {
    let id = asked.connection_id.as_deref().unwrap_or_default();
    let live = |world: &mut World| {
        let call = world.call(id)?;
        (world.calls[call].seen.stage != Stage::Ended && !world.calls[call].left).then_some(call)
    };
    let call = shared.with(live).ok_or_else(Reply::no_such_call)?;
    let seen = shared.with(|world| world.calls[call].seen.clone());
    match asked.operation {
        Operation::Get => return Ok(Reply::new(200, seen.properties())),
        Operation::HangUp => return Ok(hang_up(shared, call, &seen)),
        Operation::Terminate => {
            life::end_by_application(shared, call, &seen);
            return Ok(Reply::empty(204));
        }
        _ if seen.stage != Stage::Connected => {
            return Err(Reply::error(400, "8501", "The call is not established."));
        }
        _ => {}
    }
    let context = body["operationContext"].as_str().map(str::to_owned);
    let target_of = |field: &str| {
        target(&body[field]).ok_or_else(|| Reply::bad(&format!("{field} is missing or no telephone number.")))
    };
    match asked.operation {
        Operation::Transfer => {
            let to = target_of("targetParticipant")?;
            shared.spawn(life::transfer(Arc::clone(shared), call, to, context.clone()));
            Ok(Reply::new(202, json!({"operationContext": context})))
        }
        Operation::Participants => {
            Ok(Reply::new(200, json!({"value": shared.with(|world| world.calls[call].participants())})))
        }
        Operation::Participant => {
            let wanted = asked.rest.replace("%3A", ":").replace("%2B", "+");
            let known = |number: &&String| format!("4:{number}") == wanted;
            let number = seen
                .phones
                .iter()
                .find(known)
                .ok_or_else(|| Reply::error(404, "8526", "No such participant."))?;
            Ok(Reply::new(200, json!({"identifier": phone(number), "isMuted": false, "isOnHold": false})))
        }
        Operation::Add => add(shared, call, body, target_of("participantToAdd")?, context),
        Operation::Remove => {
            let number = target_of("participantToRemove")?;
            life::remove(shared, call, &number, context.clone());
            Ok(Reply::new(202, json!({"operationContext": context})))
        }
        Operation::CancelAdd => {
            let invitation = body["invitationId"].as_str().unwrap_or_default();
            let cancelled = Event::new("CancelAddParticipantSucceeded", Outcome::done());
            life::tell(
                shared,
                call,
                vec![cancelled.with(json!({"invitationId": invitation})).context(context)],
            );
            Ok(Reply::new(202, json!({"invitationId": invitation})))
        }
        Operation::Mute => Ok(Reply::new(200, json!({"operationContext": context}))),
        Operation::SendDigits => {
            target_of("targetParticipant")?;
            let tones = body["tones"].as_array().filter(|tones| !tones.is_empty());
            let tones = tones.ok_or_else(|| Reply::bad("tones is missing."))?;
            let digits: Option<String> = tones.iter().map(|tone| digit(tone.as_str()?)).collect();
            let digits = digits.ok_or_else(|| Reply::bad("tones holds what is no tone."))?;
            shared.change(|world| world.calls[call].seen.digits.push_str(&digits));
            let sent = Event::new("SendDtmfTonesCompleted", Outcome::done()).context(context.clone());
            life::tell(shared, call, vec![sent]);
            Ok(Reply::new(202, json!({"operationContext": context})))
        }
        Operation::StartMedia => {
            if seen.media_options.is_null() {
                return Err(Reply::error(400, "8583", "The call has no media streaming options."));
            }
            shared.spawn(life::start_media(Arc::clone(shared), call, "subscriptionStarted"));
            Ok(Reply::empty(202))
        }
        Operation::StopMedia => {
            life::order(shared, call, Order::Close);
            let stopped = Event::media("MediaStreamingStopped", Outcome::done(), "subscriptionStopped");
            life::tell(shared, call, vec![stopped.context(context)]);
            Ok(Reply::empty(202))
        }
        _ => Err(Reply::error(404, "NotFound", "There is nothing here.")),
    }
}

/// Leaving a call of two ends it; others go on talking.
fn hang_up(shared: &Arc<Shared>, call: usize, seen: &Seen) -> Reply {
    if seen.phones.len() < 2 {
        life::end_by_application(shared, call, seen);
    } else {
        life::leave(shared, call);
    }
    Reply::empty(204)
}

fn add(shared: &Arc<Shared>, call: usize, body: &Value, number: String, context: Option<String>) -> Done {
    if body["sourceCallerIdNumber"]["value"].as_str().is_none() {
        return Err(Reply::bad("sourceCallerIdNumber is needed to add a telephone."));
    }
    let timeout = &body["invitationTimeoutInSeconds"];
    if !timeout.is_null() && timeout.as_u64().is_none_or(|seconds| seconds > 180) {
        return Err(Reply::bad("invitationTimeoutInSeconds must be from 0 to 180."));
    }
    let invitation = Uuid::new_v4().to_string();
    let participant = json!({"identifier": phone(&number), "isMuted": false, "isOnHold": false});
    let reply = json!({"participant": participant, "operationContext": context, "invitationId": invitation});
    shared.spawn(life::invite(Arc::clone(shared), call, number, context));
    Ok(Reply::new(202, reply))
}

/// The key of a tone by the service's word for it.
fn digit(tone: &str) -> Option<char> {
    let words = [
        ("zero", '0'),
        ("one", '1'),
        ("two", '2'),
        ("three", '3'),
        ("four", '4'),
        ("five", '5'),
        ("six", '6'),
        ("seven", '7'),
        ("eight", '8'),
        ("nine", '9'),
        ("a", 'A'),
        ("b", 'B'),
        ("c", 'C'),
        ("d", 'D'),
        ("pound", '#'),
        ("asterisk", '*'),
    ];
    words.iter().find(|(word, _)| *word == tone).map(|(_, key)| *key)
}

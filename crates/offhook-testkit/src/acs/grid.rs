//! Incoming calls, as Event Grid tells of them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Direction, Seen, phone};
use super::courier::deliver;
use super::operations::add_call;
use super::person::Person;
use super::service::{FakeAcs, Shared};

const TOPIC: &str = "/subscriptions/3c1a5b0e-1d0f-4bd5-8f1d-0f8d5f6a2c11/resourceGroups/voice/providers/\
                     Microsoft.Communication/CommunicationServices/acs";
/// The context of an incoming call is about this long.
const CONTEXT_BYTES: usize = 7_600;

impl FakeAcs {
    /// The topic that events of the resource come under.
    pub fn topic(&self) -> &'static str {
        TOPIC
    }

    /// Tell of incoming calls at this address from now on. Whether the handshake was passed, and the answer's status.
    pub async fn subscribe(&self, url: &str) -> (bool, Option<u16>) {
        let shared = self.shared();
        shared.change(|world| world.subscription = Some(url.to_owned()));
        let code = Uuid::new_v4().to_string();
        let data = json!({
            "validationCode": code,
            "validationUrl": format!("{}/validate?id={code}", self.endpoint()),
        });
        let event = grid_event("Microsoft.EventGrid.SubscriptionValidationEvent", "", data);
        let Some((address, host, path)) = shared.route(url) else { return (false, None) };
        let request = shared.http.post(format!("http://{address}{path}")).header("host", host);
        let request = request.header("aeg-event-type", "SubscriptionValidation").json(&json!([event]));
        let Ok(response) = request.send().await else { return (false, None) };
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap_or_default();
        (answer["validationResponse"] == json!(code), Some(status))
    }

    /// Somebody calls one of our numbers.
    pub async fn ring(&self, from: &str, to: &str) -> Person {
        self.ring_all(&[(from, to)]).await.remove(0)
    }

    /// Several call at once, and are told of in one POST.
    pub async fn ring_all(&self, calls: &[(&str, &str)]) -> Vec<Person> {
        let shared = self.shared();
        let person = |(from, to): &(&str, &str)| {
            let call = add_call(shared, Direction::Inbound, from, to, |call| {
                call.incoming_context = Some(context());
            });
            (call, Person::new(Arc::clone(shared), call, from))
        };
        let (calls, people): (Vec<usize>, Vec<Person>) = calls.iter().map(person).unzip();
        tell(shared, &calls).await;
        people
    }

    /// Event Grid delivers at least once: the event of every call that rings, once more.
    pub async fn ring_again(&self) {
        let shared = self.shared();
        let calls = shared.with(|world| {
            let offered = |call: &usize| world.calls[*call].incoming_context.is_some();
            (0..world.calls.len()).filter(offered).collect::<Vec<_>>()
        });
        tell(shared, &calls).await;
    }
}

async fn tell(shared: &Shared, calls: &[usize]) {
    let (url, events) = shared.with(|world| {
        let events: Vec<Value> = calls
            .iter()
            .map(|call| {
                let call = &world.calls[*call];
                incoming(&call.seen, call.incoming_context.as_deref().unwrap_or_default())
            })
            .collect();
        (world.subscription.clone().expect("somebody subscribed to incoming calls"), events)
    });
    let headers = [("aeg-event-type", "Notification"), ("aeg-subscription-name", "CALLS")];
    let delivered = deliver(shared, &url, &Value::from(events), None, &headers).await;
    shared.change(|world| {
        calls.iter().for_each(|call| world.calls[*call].seen.delivered.push(delivered.clone()))
    });
}

fn incoming(call: &Seen, context: &str) -> Value {
    let subject = format!("/caller/4:{}/recipient/4:{}", call.from, call.to);
    let data = json!({
        "to": phone(&call.to), "from": phone(&call.from), "serverCallId": call.server_call_id,
        "callerDisplayName": "", "incomingCallContext": context, "correlationId": call.correlation_id,
    });
    grid_event("Microsoft.Communication.IncomingCall", &subject, data)
}

fn grid_event(kind: &str, subject: &str, data: Value) -> Value {
    json!({
        "id": Uuid::new_v4().to_string(), "topic": TOPIC, "subject": subject, "data": data, "eventType": kind,
        "eventTime": jiff::Timestamp::now().to_string(), "dataVersion": "1.0", "metadataVersion": "1",
    })
}

/// Looks like a token, about 10 KB long, and is nobody's business.
fn context() -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let body: Vec<u8> =
        std::iter::repeat_with(|| *Uuid::new_v4().as_bytes()).take(CONTEXT_BYTES / 16).flatten().collect();
    format!("{}.{}.", part(br#"{"alg":"none"}"#), part(&body))
}

//! Where the events of a call are sent, how far that is, and that it goes with the call.

use offhook_store::*;

use crate::backend::Backend;
use crate::story::{at, call, finished_call, new_call, owner, store_with_owner};

const URL: &str = "https://example.com/hook?token=swordfish";

fn with_webhook(n: u16) -> NewCall {
    NewCall { webhook_url: Some(URL.into()), ..new_call(n) }
}

fn attempt(seq: u64, attempt: u32, status: Option<u16>) -> Delivery {
    let error = status.is_none().then(|| "there was no answer".to_owned());
    let event = "call.answered".to_owned();
    Delivery { seq, event, attempt, at: at(i64::from(attempt)), took_ms: 12, status, error }
}

pub async fn a_webhook_from_its_call_to_its_end(backend: &Backend) {
    let store = store_with_owner(backend).await;
    assert_eq!(store.insert_call(&with_webhook(1)).await.unwrap(), Inserted::New);
    store.insert_call(&new_call(2)).await.unwrap();
    assert_eq!(store.webhook(call(2)).await.unwrap(), None);
    assert_eq!(store.open_webhooks().await.unwrap(), [(call(1), owner(1), None)]);

    let start = store.webhook(call(1)).await.unwrap().unwrap();
    assert_eq!((start.url.as_str(), start.delivered_seq, start.tries), (URL, 0, 0));
    assert!(!format!("{start:?}").contains("swordfish"));
    for (delivery, next, state, delivered_seq, tries, next_at) in [
        (
            attempt(3, 1, None),
            WebhookNext::Again { at: at(9_000) },
            WebhookState::Open,
            0,
            1,
            Some(at(9_000)),
        ),
        (attempt(3, 2, Some(200)), WebhookNext::Taken, WebhookState::Open, 3, 0, None),
        (attempt(8, 1, Some(204)), WebhookNext::Done, WebhookState::Done, 8, 0, None),
    ] {
        assert!(store.note_delivery(call(1), &delivery, next).await.unwrap());
        let expected = WebhookRow { state, delivered_seq, tries, next_at, ..start.clone() };
        assert_eq!(store.webhook(call(1)).await.unwrap(), Some(expected));
        let open = store.open_webhooks().await.unwrap();
        assert_eq!(open.first().map(|(_, _, at)| *at), (state == WebhookState::Open).then_some(next_at));
    }
    let made = [attempt(3, 1, None), attempt(3, 2, Some(200)), attempt(8, 1, Some(204))];
    assert_eq!(store.deliveries(call(1), 10).await.unwrap(), made);
    assert_eq!(store.deliveries(call(1), 2).await.unwrap(), made[1..]);

    // What was taken, or is over, is not touched by who comes late.
    let ended = store.webhook(call(1)).await.unwrap();
    for late in [attempt(3, 9, None), attempt(9, 1, None)] {
        assert!(!store.note_delivery(call(1), &late, WebhookNext::Again { at: at(1) }).await.unwrap());
    }
    assert_eq!(
        (store.webhook(call(1)).await.unwrap(), store.deliveries(call(1), 10).await.unwrap().len()),
        (ended, 3)
    );

    for (n, next, state) in
        [(3, WebhookNext::Gone, WebhookState::Gone), (4, WebhookNext::GivenUp, WebhookState::GivenUp)]
    {
        store.insert_call(&with_webhook(n)).await.unwrap();
        store.note_delivery(call(n), &attempt(3, 5, Some(410)), next).await.unwrap();
        assert_eq!(store.webhook(call(n)).await.unwrap().unwrap().state, state);
    }
    assert_eq!(store.open_webhooks().await.unwrap(), []);
    assert!(!store.note_delivery(call(9), &attempt(1, 1, None), WebhookNext::Taken).await.unwrap());
}

pub async fn webhooks_expire_with_their_calls(backend: &Backend) {
    let store = store_with_owner(backend).await;
    finished_call(&store, &with_webhook(1), "hello").await;
    store.note_delivery(call(1), &attempt(3, 1, None), WebhookNext::Taken).await.unwrap();
    assert_eq!(backend.mentions("swordfish").await, ["webhooks"]);
    assert_eq!(backend.mentions("there was no answer").await, ["webhook_deliveries"]);
    let retention = Retention { now: at(9_000), calls_before: Some(at(5_001)), ..Retention::default() };
    assert_eq!(store.purge(retention).await.unwrap().calls, 1);
    for needle in ["swordfish", "there was no answer"] {
        assert_eq!(backend.mentions(needle).await, [""; 0]);
        for file in backend.files() {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{} still holds {needle:?}", file.display());
        }
    }
    assert_eq!(store.deliveries(call(1), 10).await.unwrap(), []);
}

pub async fn secrets_are_counted_for_each_owner(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    assert_eq!(store.webhook_secret(owner(1)).await.unwrap(), WebhookSecretRow::default());
    for generation in 1..=2 {
        let expected = WebhookSecretRow { generation, rotated_at: Some(at(i64::from(generation))) };
        let rotated = store.rotate_webhook_secret(owner(1), at(i64::from(generation))).await.unwrap();
        assert_eq!((rotated, store.webhook_secret(owner(1)).await.unwrap()), (expected, expected));
    }
    assert_eq!(store.webhook_secret(owner(2)).await.unwrap(), WebhookSecretRow::default());
    store.delete_owner(owner(1)).await.unwrap();
    assert_eq!(backend.mentions(&owner(1).to_string()).await, [""; 0]);
    assert!(matches!(store.rotate_webhook_secret(owner(1), at(9)).await, Err(StoreError::Gone)));
}

//! What callers did before, and who is told of a call.

use offhook_core::{CallId, EndReason, Fact};
use offhook_store::*;

use crate::backend::Backend;
use crate::story::{answered, at, call, ended, entries, new_call, owner, store_with_owner};

const LINE: &str = "+14155550188";
const ANA: &str = "+13125550163";

fn from(n: u16, caller: Option<&str>) -> NewCall {
    let new = new_call(n);
    let request = CallRequest {
        to: LINE.into(),
        from: caller.map(str::to_owned),
        line: Some(LINE.into()),
        ..new.request.clone()
    };
    NewCall { direction: Direction::Inbound, request, ..new }
}

/// A call that ended like this; `None`: it is not over.
async fn called(store: &Store, n: u16, caller: Option<&str>, facts: Vec<Fact>, reason: Option<EndReason>) {
    store.insert_call(&from(n, caller)).await.unwrap();
    let answered_at_all = reason != Some(EndReason::PolicyRefused);
    let facts = answered_at_all.then(answered).into_iter().chain(facts);
    let facts = facts.chain(reason.map(|reason| ended(reason, answered_at_all)));
    store.append(call(n), &entries(2, facts)).await.unwrap();
}

pub async fn callers_are_known_by_what_they_did(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let over = Some(EndReason::RemoteHungUp);
    called(&store, 1, Some(ANA), vec![], over).await;
    called(&store, 2, Some(ANA), vec![], None).await;
    called(&store, 3, None, vec![], over).await;
    called(&store, 4, Some("+13125550164"), vec![], over).await;
    // Who was not let in was not there.
    called(&store, 5, Some(ANA), vec![], Some(EndReason::PolicyRefused)).await;
    // Whom we called is no caller.
    store.insert_call(&NewCall { direction: Direction::Outbound, ..from(6, Some(ANA)) }).await.unwrap();
    let of = |of_caller, on_line, live_of_caller, live_on_line| CallsOfCaller {
        of_caller,
        on_line,
        live_of_caller,
        live_on_line,
    };
    for (line, caller, since, expected) in [
        (LINE, Some(ANA), 0, of(2, 4, 1, 1)),
        (LINE, None, 0, of(1, 4, 0, 1)),
        (LINE, Some(ANA), 2, of(1, 3, 1, 1)),
        (LINE, Some("+13125550199"), 0, of(0, 4, 0, 1)),
        ("+14155550189", Some(ANA), 0, of(0, 0, 0, 0)),
    ] {
        assert_eq!(
            store.calls_of_caller(line, caller, at(since)).await.unwrap(),
            expected,
            "{caller:?} {since}"
        );
    }
}

pub async fn spam_and_wrong_pins_are_counted(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let wrong = |attempts| Fact::CallerUnverified { attempts };
    called(&store, 1, Some(ANA), vec![], Some(EndReason::VoiceSpam)).await;
    called(&store, 2, Some(ANA), vec![], Some(EndReason::VoiceSpam)).await;
    // Told once for all of them, or each time.
    called(&store, 3, Some(ANA), vec![wrong(3)], Some(EndReason::PolicyPin)).await;
    called(&store, 4, Some(ANA), vec![wrong(1), wrong(2)], Some(EndReason::RemoteHungUp)).await;
    called(&store, 5, None, vec![wrong(3)], Some(EndReason::PolicyPin)).await;
    for (caller, since, of_caller, on_line) in
        [(Some(ANA), 0, 5, 8), (None, 0, 3, 8), (Some("+13125550199"), 0, 0, 8), (Some(ANA), 4, 2, 5)]
    {
        let expected = WrongPins { of_caller, on_line };
        assert_eq!(store.wrong_pins(LINE, caller, at(since)).await.unwrap(), expected, "{caller:?} {since}");
    }
    for (of, caller, since, calls) in [(1, ANA, 0, 2), (1, ANA, 2, 1), (2, ANA, 0, 0), (1, LINE, 0, 0)] {
        assert_eq!(store.spam_calls(owner(of), caller, at(since)).await.unwrap(), calls, "{of} {since}");
    }
}

pub async fn a_notice_is_open_until_it_is_delivered(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for n in 1..=3 {
        store.insert_call(&from(n, Some(ANA))).await.unwrap();
        store.add_notice(call(n)).await.unwrap();
        store.add_notice(call(n)).await.unwrap();
    }
    let open = async || store.open_notices(10).await.unwrap();
    let ids = |open: &[OpenNotice]| open.iter().map(|notice| notice.call).collect::<Vec<CallId>>();
    assert!(open().await.is_empty(), "nobody is told of a call that is not over");
    let over = entries(2, [answered(), ended(EndReason::RemoteHungUp, true)]);
    for n in 1..=3 {
        store.append(call(n), &over).await.unwrap();
    }
    assert_eq!(ids(&open().await), [call(1), call(2), call(3)]);
    assert!(open().await.iter().all(|notice| notice.owner == owner(1) && notice.next_at.is_none()));

    // What has to wait comes after what has not.
    store.note_notice(call(1), NoticeNext::Again { at: at(60_000) }).await.unwrap();
    assert_eq!(ids(&open().await), [call(2), call(3), call(1)]);
    let waits = open().await[2];
    assert_eq!((waits.tries, waits.next_at), (1, Some(at(60_000))));
    store.note_notice(call(1), NoticeNext::Done).await.unwrap();
    store.note_notice(call(2), NoticeNext::GivenUp).await.unwrap();
    store.note_notice(call(2), NoticeNext::Again { at: at(60_000) }).await.unwrap();
    store.add_notice(call(1)).await.unwrap();
    assert_eq!(ids(&open().await), [call(3)], "what is settled is not open again");
    assert!(store.open_notices(0).await.unwrap().is_empty());
}

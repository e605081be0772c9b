//! Whatever ends while somebody looks is counted once.

use std::time::Duration;

use offhook_core::call::Direction;
use offhook_core::policy::{Ask, LimitRange, Policy, PolicyConfig, RefusalCode, Trial};
use offhook_core::{CallId, EndReason, Fact, JournalEntry, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{Batch, CallRequest, KeyKind, NewCall, NewKey, Store, Ties};

use super::{Account, Admission, NoPlace, Place, Room, Visit};
use crate::clock;

const MINUTE: Duration = Duration::from_secs(60);
const ROOM: Room = Room { busy: 0, limit: 100 };
const TALKED: Duration = Duration::from_secs(60);

struct Story {
    store: Store,
    admission: Admission,
    owner: OwnerId,
    numbers: [PhoneNumber; 2],
}

impl Story {
    /// A call may last a minute.
    async fn new(config: PolicyConfig) -> Self {
        let store = Store::open("sqlite::memory:").await.expect("a store");
        let owner = OwnerId::from_parts(Timestamp::default(), [1; 10]);
        let key = NewKey {
            owner,
            hash: [1; 32],
            kind: KeyKind::Owner,
            label: None,
            created_at: Timestamp::default(),
        };
        store.create_key(&key).await.expect("a key");
        let talk_limit = LimitRange { default: MINUTE, max: MINUTE };
        let policy = Policy::new(PolicyConfig { talk_limit, ..config });
        let admission = Admission::new(policy, Vec::new());
        let numbers = ["+12067797979", "+12067797978"].map(|text| text.parse().expect("a number"));
        Self { store, admission, owner, numbers }
    }

    async fn visit(&self, number: usize, on_trial: bool) -> Visit {
        let account = if on_trial { Account::Anonymous } else { Account::Owner(self.owner) };
        let visit = self.admission.visit(&self.store, account, &self.numbers[number]).await.expect("a visit");
        if on_trial { visit.on_trial(&self.store, self.owner).await.expect("a visit") } else { visit }
    }

    fn take(&self, visit: Visit, number: usize) -> Result<Place, RefusalCode> {
        match visit.take(&Ask::outbound(&self.numbers[number]), ROOM, clock::now()) {
            Ok((_, place)) => Ok(place),
            Err(NoPlace::Refused(refusal)) => Err(refusal.code),
            Err(NoPlace::NoLine) => panic!("there is room"),
        }
    }

    /// Into the store, and under way.
    async fn begin(&self, place: &mut Place) -> CallId {
        let (id, now) = (CallId::from_parts(clock::now(), [2; 10]), clock::now());
        let request = CallRequest { to: self.numbers[0].as_e164().to_owned(), ..CallRequest::default() };
        let entries = vec![JournalEntry { seq: 1, at: now, fact: Fact::Queued { policy: String::new() } }];
        let new = NewCall {
            id,
            owner: self.owner,
            minted: None,
            idempotency: None,
            direction: Direction::Outbound,
            request,
            webhook_url: None,
            ties: Ties::default(),
            queued_at: now,
            entries,
        };
        self.store.insert_call(&new).await.expect("a call");
        place.keep();
        place.is_of(id);
        id
    }

    /// In the store it is over, and its place is still taken.
    async fn over_in_the_store(&self, id: CallId) {
        let talk_ms = TALKED.as_millis() as u32;
        let (reason, answered) = (EndReason::RemoteHungUp, true);
        let ended = Fact::Ended { reason, answered, talk_ms, sip_status: None, q850_cause: None };
        let now = clock::now();
        let entries = [Fact::Answered { sip_call_id: None }, ended];
        let entries = (2..).zip(entries).map(|(seq, fact)| JournalEntry { seq, at: now, fact }).collect();
        let batch = Batch { entries: vec![(id, entries)], ..Batch::default() };
        self.store.write(&batch).await.expect("written");
    }
}

fn leave(mut place: Place) {
    place.talked_since(Some(clock::now() - TALKED), false);
    drop(place);
}

/// What is there is enough for two calls, and one is under way. Whenever it ends, there is room for exactly one.
#[tokio::test]
async fn a_call_that_ends_while_somebody_looks_is_counted_once() {
    let daily = PolicyConfig { talk_per_day_per_owner: Some(2 * MINUTE), ..PolicyConfig::default() };
    let trial = Some(Trial { calls: 2, talk: Duration::ZERO });
    let trial = PolicyConfig { trial, ..PolicyConfig::default() };
    for (config, on_trial, prepaid) in
        [(daily, false, false), (trial, true, false), (PolicyConfig::default(), false, true)]
    {
        for moment in ["before", "written before", "between", "after", "never"] {
            let story = Story::new(config.clone()).await;
            if prepaid {
                let paid = Some(2 * MINUTE.as_millis() as u64);
                assert!(story.store.set_balance(story.owner, paid, clock::now()).await.expect("set"));
            }
            let mut first = story.take(story.visit(0, on_trial).await, 0).expect("the first");
            let id = story.begin(&mut first).await;
            let mut first = Some(first);
            if moment == "before" || moment == "written before" {
                story.over_in_the_store(id).await;
            }
            if moment == "before" {
                first.take().into_iter().for_each(leave);
            }
            let looked = story.visit(1, on_trial).await;
            if moment == "between" {
                story.over_in_the_store(id).await;
            }
            if moment == "between" || moment == "written before" {
                first.take().into_iter().for_each(leave);
            }
            let second = story.take(looked, 1);
            assert!(second.is_ok(), "{moment} {on_trial} {prepaid}: {:?}", second.err());
            if moment == "after" {
                story.over_in_the_store(id).await;
                first.take().into_iter().for_each(leave);
            }
            // The second is under way: there is no third.
            let third = story.take(story.visit(0, on_trial).await, 0);
            let code = third.err().filter(|code| *code != RefusalCode::DestinationBusy);
            let expected = if on_trial { RefusalCode::TrialExhausted } else { RefusalCode::BalanceDepleted };
            let expected = Some(expected).filter(|_| moment != "never");
            assert_eq!(code, expected, "{moment} {on_trial} {prepaid}");
        }
    }
}

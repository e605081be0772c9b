//! Many calls placed at once: no limit is passed, none is kept from anybody who has room.

use std::sync::Arc;

use offhook::admission::{Account, Admission, NoPlace, Place, Room};
use offhook::clock;
use offhook::writer::Writer;
use offhook_core::policy::{Ask, Countries, Policy, PolicyConfig, Rule};
use offhook_core::{CallId, Fact, JournalEntry, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{CallRequest, Direction, Inserted, NewCall, Store, Ties};
use tokio::task::JoinSet;

const ROOM: Room = Room { busy: 0, limit: 1_000 };

fn owner(n: u8) -> OwnerId {
    OwnerId::from_parts(Timestamp::default(), [n; 10])
}

fn number(n: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+1202555{:04}", 1_000 + n)).unwrap()
}

fn many_a_day() -> PolicyConfig {
    PolicyConfig {
        calls_per_day_per_owner: 10_000,
        calls_per_day_per_destination: 10_000,
        ..PolicyConfig::default()
    }
}

/// The part of the gateway that races: look, take, write, keep.
#[derive(Clone)]
struct Desk {
    store: Store,
    writer: Writer,
    admission: Admission,
}

impl Desk {
    async fn open(store: Store, config: PolicyConfig) -> Self {
        store.create_owner(owner(1), clock::now()).await.unwrap();
        let config = PolicyConfig { countries: Countries::Any, ..config };
        let admission = Admission::new(Policy::new(config), Vec::new());
        Self { writer: Writer::start(store.clone()), store, admission }
    }

    async fn place(&self, n: u32, to: &PhoneNumber) -> Result<Place, Rule> {
        let account = Account::Owner(owner(1));
        let visit = self.admission.visit(&self.store, account, to).await.unwrap();
        let now = clock::now();
        let (allow, mut place) = visit.take(&Ask::outbound(to), ROOM, now).map_err(|no| match no {
            NoPlace::Refused(refusal) => refusal.rule,
            NoPlace::NoLine => panic!("there is room on the lines"),
        })?;
        assert_eq!(allow.destination(), Some(to));
        let mut random = [0; 10];
        random[6..].copy_from_slice(&n.to_be_bytes());
        let new = NewCall {
            id: CallId::from_parts(now, random),
            owner: owner(1),
            minted: None,
            idempotency: None,
            direction: Direction::Outbound,
            request: CallRequest { to: to.as_e164().to_owned(), ..CallRequest::default() },
            webhook_url: None,
            ties: Ties::default(),
            queued_at: now,
            entries: vec![JournalEntry { seq: 1, at: now, fact: Fact::Queued { policy: allow.policy() } }],
        };
        assert_eq!(self.writer.insert(new).await.unwrap(), Inserted::New);
        place.keep();
        Ok(place)
    }

    /// So many at once, each to its number.
    async fn rush(&self, calls: u32, to: impl Fn(u32) -> PhoneNumber) -> Vec<Result<Place, Rule>> {
        let mut placing = JoinSet::new();
        for n in 0..calls {
            let (desk, to) = (self.clone(), to(n));
            placing.spawn(async move { desk.place(n, &to).await });
        }
        placing.join_all().await
    }
}

fn placed(results: Vec<Result<Place, Rule>>) -> (Vec<Place>, Vec<Rule>) {
    let (placed, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    (placed.into_iter().flatten().collect(), refused.into_iter().filter_map(Result::err).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_as_many_as_permitted_get_in() {
    let config =
        PolicyConfig { concurrent_calls_per_owner: 7, concurrent_calls_per_destination: 3, ..many_a_day() };
    let desk = Desk::open(Store::open(":memory:").await.unwrap(), config).await;
    for _ in 0..20 {
        let (per_owner, refused) = placed(desk.rush(40, number).await);
        assert_eq!(per_owner.len(), 7);
        assert!(refused.iter().all(|rule| *rule == Rule::ConcurrentCallsPerOwner), "{refused:?}");
        drop(per_owner);
        let (to_one, refused) = placed(desk.rush(40, |_| number(1)).await);
        assert_eq!((to_one.len(), desk.admission.live()), (3, 3));
        assert!(refused.iter().all(|rule| *rule == Rule::ConcurrentCallsPerDestination), "{refused:?}");
        drop(to_one);
        // Nothing is kept of owners and numbers without a call.
        assert_eq!((desk.admission.live(), desk.admission.tallies()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_a_day_are_counted_once_also_over_a_restart() {
    let config =
        PolicyConfig { concurrent_calls_per_owner: 1_000, calls_per_day_per_owner: 60, ..many_a_day() };
    let store = Store::open(":memory:").await.unwrap();
    let mut in_all = 0;
    for (rush, expected) in [25, 25, 25, 25].into_iter().zip([25, 25, 10, 0]) {
        // Each in a process of its own; calls end while others are placed.
        let desk = Desk::open(store.clone(), config.clone()).await;
        let ending = Arc::new(desk.clone());
        let results = ending.rush(rush, |n| number(in_all + n)).await;
        let (calls, refused) = placed(results);
        assert_eq!(calls.len(), expected);
        assert!(refused.iter().all(|rule| *rule == Rule::CallsPerDayPerOwner), "{refused:?}");
        in_all += rush;
    }
}

/// A call that ends lets go of what was known of its owner, at any moment of somebody else's look at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_end_meanwhile_still_count_for_the_day() {
    const LIMIT: u32 = 50;
    let config = PolicyConfig { calls_per_day_per_destination: LIMIT, ..many_a_day() };
    let config =
        PolicyConfig { concurrent_calls_per_destination: 1_000, concurrent_calls_per_owner: 1_000, ..config };
    let desk = Desk::open(Store::open(":memory:").await.unwrap(), config).await;
    let mut placing = JoinSet::new();
    for n in 0..200 {
        let desk = desk.clone();
        // Over as soon as it is placed.
        placing.spawn(async move { desk.place(n, &number(1)).await.is_ok() });
    }
    let got_in = placing.join_all().await.into_iter().filter(|got_in| *got_in).count();
    assert_eq!(got_in, LIMIT as usize);
    assert_eq!(desk.admission.tallies(), 0);
}

/// A call that could not be written was none.
#[tokio::test]
async fn a_place_that_was_not_kept_does_not_count() {
    let config = PolicyConfig { calls_per_day_per_owner: 1, ..PolicyConfig::default() };
    let desk = Desk::open(Store::open(":memory:").await.unwrap(), config).await;
    let to = number(1);
    for _ in 0..3 {
        let visit = desk.admission.visit(&desk.store, Account::Owner(owner(1)), &to).await.unwrap();
        let (_, place) = visit.take(&Ask::outbound(&to), ROOM, clock::now()).unwrap();
        drop(place);
    }
    let _kept = desk.place(1, &to).await.unwrap();
    assert_eq!(desk.place(2, &number(2)).await.unwrap_err(), Rule::CallsPerDayPerOwner);
}

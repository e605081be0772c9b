//! Calls that are placed by the clock: who runs them, and what is written of it.

use offhook_core::{EndReason, JournalEntry, ScheduleId};
use offhook_store::*;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::story::{at, call, dialing, ended, entries, new_call, owner, store_with_owner};

pub fn schedule(n: u8) -> ScheduleId {
    ScheduleId::from_parts(at(n.into()), [n; 10])
}

pub fn new_schedule(n: u8, due_ms: i64) -> NewSchedule {
    NewSchedule {
        id: schedule(n),
        owner: owner(1),
        request: "{}".to_owned(),
        enabled: true,
        next_due_at: Some(at(due_ms)),
        idempotency: None,
        created_at: at(n.into()),
        most: 100,
    }
}

fn step(n: u8, due_ms: i64, next_ms: Option<i64>) -> Step {
    Step {
        schedule: schedule(n),
        due_at: at(due_ms),
        next_due_at: next_ms.map(at),
        run: Some(at(due_ms)),
        missed: None,
        now: at(due_ms + 1),
    }
}

fn end(state: RunState, ms: i64) -> RunEnd {
    RunEnd { state, call: None, evidence: None, refusal: None, seen: None, at: at(ms) }
}

pub async fn of_any_who_try_one_takes_a_run(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for new in [new_schedule(1, 9_000), new_schedule(2, 8_000), new_schedule(3, 99_000)] {
        assert_eq!(store.insert_schedule(&new).await.unwrap(), InsertedSchedule::New);
    }
    let paused = NewSchedule { enabled: false, ..new_schedule(4, 1_000) };
    store.insert_schedule(&paused).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(8_000)));
    let due: Vec<ScheduleId> =
        store.due_schedules(at(9_500), 10).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(due, [schedule(2), schedule(1)]);

    // Nodes of a group have a connection each.
    let mut tries = JoinSet::new();
    for _ in 0..4 {
        let node = backend.open().await;
        for _ in 0..5 {
            let node = node.clone();
            tries.spawn(async move { node.step_schedule(&step(1, 9_000, Some(19_000))).await.unwrap() });
        }
    }
    let stepped = tries.join_all().await;
    assert_eq!(stepped.iter().filter(|stepped| **stepped == Stepped::Taken).count(), 1, "{stepped:?}");
    assert!(stepped.iter().all(|stepped| matches!(stepped, Stepped::Taken | Stepped::Lost)));
    let row = store.schedule(schedule(1)).await.unwrap().unwrap();
    assert_eq!(row.next_due_at, Some(at(19_000)));

    // So it is after a restart, and what was not over is found again.
    store.close().await;
    let store = backend.open().await;
    let left = store.unfinished_runs().await.unwrap();
    assert_eq!((left.len(), left[0].schedule, left[0].due_at), (1, schedule(1), at(9_000)));
    let called = RunEnd {
        call: Some(call(7)),
        evidence: Some(r#"{"reason": "it rains"}"#.to_owned()),
        seen: Some("38".to_owned()),
        ..end(RunState::Called, 9_900)
    };
    assert!(store.end_run(schedule(1), at(9_000), &called).await.unwrap());
    assert!(!store.end_run(schedule(1), at(9_000), &end(RunState::NotMet, 9_950)).await.unwrap(), "once");
    let row = store.schedule(schedule(1)).await.unwrap().unwrap();
    assert_eq!((row.seen.as_deref(), row.last_called_at), (Some("38"), Some(at(9_900))));
    let runs = store.runs(schedule(1), 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].state, runs[0].call), (1, RunState::Called, Some(call(7))));
    assert_eq!(store.unfinished_runs().await.unwrap(), []);
}

pub async fn what_was_missed_and_what_overlaps_is_written_down(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.insert_schedule(&new_schedule(1, 1_000)).await.unwrap();
    let late = Step { run: Some(at(3_000)), missed: Some((at(1_000), 2)), ..step(1, 1_000, Some(4_000)) };
    assert_eq!(store.step_schedule(&late).await.unwrap(), Stepped::Taken);
    // The next one is due, and this one is still asking.
    assert_eq!(store.step_schedule(&step(1, 4_000, Some(5_000))).await.unwrap(), Stepped::Overlapped);
    assert_eq!(store.begin_run(schedule(1), at(4_500), at(4_500)).await.unwrap(), Stepped::Overlapped);
    store.end_run(schedule(1), at(3_000), &end(RunState::NotMet, 4_600)).await.unwrap();
    let nothing = Step { run: None, missed: Some((at(5_000), 1)), ..step(1, 5_000, None) };
    assert_eq!(store.step_schedule(&nothing).await.unwrap(), Stepped::Moved);
    let told: Vec<(RunState, u64)> =
        store.runs(schedule(1), 10).await.unwrap().iter().map(|run| (run.state, run.times)).collect();
    use RunState::{Missed, NotMet, Overlapped};
    assert_eq!(told, [(Missed, 1), (Overlapped, 1), (Overlapped, 1), (NotMet, 1), (Missed, 2)]);
    let row = store.schedule(schedule(1)).await.unwrap().unwrap();
    assert_eq!((row.missed, row.next_due_at), (3, None));

    // Only so many are kept, and the one under way always is.
    store.begin_run(schedule(1), at(5_500), at(5_500)).await.unwrap();
    for ms in 0..150 {
        store.begin_run(schedule(1), at(10_000 + ms), at(10_000 + ms)).await.unwrap();
    }
    let runs = store.runs(schedule(1), 1_000).await.unwrap();
    assert_eq!((runs.len(), runs.last().unwrap().state), (101, RunState::Running));
    let calls_before = Some(at(100_000));
    store.purge(Retention { calls_before, ..Retention::default() }).await.unwrap();
    assert_eq!(store.runs(schedule(1), 1_000).await.unwrap().len(), 1);
}

pub async fn schedules_are_listed_changed_and_deleted(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    for new in [new_schedule(1, 1_000), new_schedule(2, 2_000)] {
        store.insert_schedule(&new).await.unwrap();
    }
    store.insert_schedule(&NewSchedule { owner: owner(2), ..new_schedule(3, 3_000) }).await.unwrap();
    let ids = |rows: Vec<ScheduleRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(store.schedules(Some(owner(1)), 10).await.unwrap()), [schedule(2), schedule(1)]);
    assert_eq!(ids(store.schedules(None, 2).await.unwrap()), [schedule(3), schedule(2)]);

    let before = store.schedule(schedule(1)).await.unwrap().unwrap();
    assert!(store.change_schedule(&before, r#"{"a": 1}"#, false, None, at(9)).await.unwrap());
    assert!(
        !store.change_schedule(&before, "{}", true, None, at(9)).await.unwrap(),
        "it is another one by now"
    );
    let after = store.schedule(schedule(1)).await.unwrap().unwrap();
    assert_eq!((after.request.as_str(), after.enabled, after.updated_at), (r#"{"a": 1}"#, false, at(9)));
    assert_eq!(store.step_schedule(&step(1, 1_000, None)).await.unwrap(), Stepped::Lost);

    assert_eq!(store.step_schedule(&step(2, 2_000, None)).await.unwrap(), Stepped::Taken);
    assert!(store.delete_schedule(schedule(2)).await.unwrap());
    assert!(!store.delete_schedule(schedule(2)).await.unwrap());
    assert!(!store.end_run(schedule(2), at(2_000), &end(RunState::NotMet, 2_500)).await.unwrap());
    assert_eq!(store.begin_run(schedule(2), at(3_000), at(3_000)).await.unwrap(), Stepped::Lost);
}

pub async fn so_many_an_owner_may_have(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let once = |n, hash| NewSchedule {
        idempotency: Some(Idempotency { key: "chores".to_owned(), request_hash: [hash; 32] }),
        ..new_schedule(n, 1_000)
    };
    assert_eq!(store.insert_schedule(&once(1, 1)).await.unwrap(), InsertedSchedule::New);
    assert_eq!(store.insert_schedule(&once(2, 1)).await.unwrap(), InsertedSchedule::Existing(schedule(1)));
    assert_eq!(store.insert_schedule(&once(2, 2)).await.unwrap(), InsertedSchedule::KeyReused);
    let nobody = NewSchedule { owner: owner(9), ..new_schedule(5, 1_000) };
    assert_eq!(store.insert_schedule(&nobody).await.unwrap(), InsertedSchedule::UnknownOwner);
    let mut tries = JoinSet::new();
    for n in 10..30 {
        let store = store.clone();
        tries.spawn(async move {
            store.insert_schedule(&NewSchedule { most: 5, ..new_schedule(n, 1_000) }).await.unwrap()
        });
    }
    let new =
        tries.join_all().await.into_iter().filter(|inserted| *inserted == InsertedSchedule::New).count();
    assert_eq!(new, 4, "with the first one five");
}

pub async fn calls_to_the_user_are_counted(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let ties = Ties { schedule: Some(schedule(1)), proactive: true, ..Ties::default() };
    for n in [1_000, 2_000, 3_000] {
        store.insert_call(&NewCall { ties: ties.clone(), ..new_call(n) }).await.unwrap();
    }
    store.insert_call(&new_call(4_000)).await.unwrap();
    assert_eq!(store.call(call(1_000)).await.unwrap().unwrap().ties, ties);
    let counted = |since| store.proactive_calls(owner(1), at(since), at(8_000));
    assert_eq!(counted(0).await.unwrap(), (3, Some(at(1_000)), Some(at(3_000))));
    assert_eq!(counted(1_000).await.unwrap(), (2, Some(at(2_000)), Some(at(3_000))));
    assert_eq!(counted(9_000).await.unwrap(), (0, None, None));
    assert_eq!(store.proactive_calls(owner(2), at(0), at(8_000)).await.unwrap().0, 0);

    // One for later counts when it is dialled, not when it was asked for; called off it never counts.
    let later = Ties { not_before: Some(at(7_000)), waits: true, ..ties };
    for n in [4_100, 4_200] {
        store.insert_call(&NewCall { ties: later.clone(), ..new_call(n) }).await.unwrap();
    }
    assert_eq!(counted(3_000).await.unwrap(), (0, None, None), "they wait");
    for n in [4_100, 4_200] {
        assert!(store.begin_waiting(call(n)).await.unwrap());
    }
    assert_eq!(counted(7_500).await.unwrap(), (2, Some(at(8_000)), Some(at(8_000))), "about to be dialled");
    let dialled = JournalEntry { seq: 2, at: at(7_600), fact: dialing() };
    store.append(call(4_100), &[dialled]).await.unwrap();
    store.append(call(4_200), &entries(2, [ended(EndReason::PolicyWindow, false)])).await.unwrap();
    assert_eq!(counted(7_500).await.unwrap(), (1, Some(at(7_600)), Some(at(7_600))));

    assert_eq!(store.proactive_wishes(owner(1)).await.unwrap(), None);
    for wishes in ["{}", r#"{"calls_per_day": 2}"#] {
        assert!(store.set_proactive_wishes(owner(1), wishes, at(1)).await.unwrap());
        assert_eq!(store.proactive_wishes(owner(1)).await.unwrap().as_deref(), Some(wishes));
    }
    assert!(!store.set_proactive_wishes(owner(9), "{}", at(1)).await.unwrap());
}

//! The same asked of several.

use offhook_core::{CallId, CampaignId};
use offhook_store::*;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::story::{at, call, finished_call, new_call, owner, store_with_owner};

const FIRST: &str = "+14155550100";
const SECOND: &str = "+14155550101";
const THIRD: &str = "+14155550102";

pub fn campaign(n: u8) -> CampaignId {
    CampaignId::from_parts(at(i64::from(n)), [n; 10])
}

pub fn new_campaign(n: u8) -> NewCampaign {
    NewCampaign {
        id: campaign(n),
        owner: owner(1),
        request: r#"{"task":"Ask for a quote"}"#.into(),
        notes: "{}".into(),
        idempotency: None,
        targets: vec![(FIRST.into(), Some("the one at the corner".into())), (SECOND.into(), None)],
        created_at: at(i64::from(n)),
    }
}

/// A call of a campaign.
fn placed(n: u16, of: u8, to: &str) -> NewCall {
    let ties = Ties { campaign: Some(campaign(of)), ..Ties::default() };
    let mut new = NewCall { ties, ..new_call(n) };
    new.request.to = to.into();
    new
}

fn states(row: &CampaignRow) -> Vec<(&str, TargetState, Vec<CallId>)> {
    row.targets.iter().map(|target| (&target.number[..], target.state, target.calls.clone())).collect()
}

pub async fn a_campaign_from_request_to_end(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let mut new = new_campaign(1);
    new.targets.push((THIRD.into(), None));
    assert_eq!(store.insert_campaign(&new).await.unwrap(), InsertedCampaign::New);
    let foreign = NewCampaign { owner: owner(9), ..new_campaign(2) };
    assert_eq!(store.insert_campaign(&foreign).await.unwrap(), InsertedCampaign::UnknownOwner);
    assert_eq!(store.campaign(campaign(2)).await.unwrap(), None);

    store.insert_call(&placed(1, 1, FIRST)).await.unwrap();
    store.insert_call(&placed(2, 1, FIRST)).await.unwrap();
    store.refuse_target(campaign(1), 1, "destination_blocked", "it is blocked").await.unwrap();
    assert!(store.set_campaign_notes(campaign(1), r#"{"next_action":"wait"}"#).await.unwrap());
    assert!(!store.set_campaign_notes(campaign(2), "{}").await.unwrap());
    let row = store.campaign(campaign(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.ending, row.finished_at), (CampaignState::Running, None, None));
    assert_eq!((&row.request, &row.notes[..]), (&new.request, r#"{"next_action":"wait"}"#));
    assert_eq!(
        states(&row),
        [
            (FIRST, TargetState::Open, vec![call(1), call(2)]),
            (SECOND, TargetState::Refused, vec![]),
            (THIRD, TargetState::Open, vec![]),
        ]
    );
    let refusal = ("destination_blocked".to_owned(), "it is blocked".to_owned());
    assert_eq!(row.targets[1].refusal, Some(refusal));
    assert_eq!(row.targets[0].name.as_deref(), Some("the one at the corner"));

    // The first word on why it stopped stays.
    assert_eq!(store.unfinished_campaigns().await.unwrap(), [campaign(1)]);
    assert!(store.stop_campaign(campaign(1), CampaignEnding::FirstFit).await.unwrap());
    assert!(!store.stop_campaign(campaign(1), CampaignEnding::Stopped).await.unwrap());
    let row = store.campaign(campaign(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.ending), (CampaignState::Stopping, Some(CampaignEnding::FirstFit)));
    let kept: Vec<TargetState> = row.targets.iter().map(|target| target.state).collect();
    assert_eq!(kept, [TargetState::Open, TargetState::Refused, TargetState::Cancelled]);
    store.finish_campaign(campaign(1), CampaignEnding::Completed, at(9_000)).await.unwrap();
    store.finish_campaign(campaign(1), CampaignEnding::Completed, at(9_999)).await.unwrap();
    let row = store.campaign(campaign(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.ending), (CampaignState::Done, Some(CampaignEnding::FirstFit)));
    assert_eq!(row.finished_at, Some(at(9_000)));
    assert_eq!(store.unfinished_campaigns().await.unwrap(), []);
    assert!(!store.stop_campaign(campaign(1), CampaignEnding::Stopped).await.unwrap());
}

pub async fn campaigns_are_listed_for_their_owner(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    for n in [1, 2, 3] {
        let owner = owner(if n == 2 { 2 } else { 1 });
        store.insert_campaign(&NewCampaign { owner, ..new_campaign(n) }).await.unwrap();
    }
    let listed = async |owner, limit| -> Vec<CampaignId> {
        store.campaigns(owner, limit).await.unwrap().iter().map(|row| row.id).collect()
    };
    assert_eq!(listed(Some(owner(1)), 9).await, [campaign(3), campaign(1)]);
    assert_eq!(listed(Some(owner(2)), 9).await, [campaign(2)]);
    assert_eq!(listed(None, 2).await, [campaign(3), campaign(2)]);
    assert_eq!(listed(Some(owner(9)), 9).await, []);
}

pub async fn one_of_many_simultaneous_campaigns_is_new(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let key = |request_hash| Some(Idempotency { key: "quotes".into(), request_hash });
    let mut inserts = JoinSet::new();
    for n in 0..30 {
        let store = store.clone();
        let new = NewCampaign { idempotency: key([1; 32]), ..new_campaign(n) };
        inserts.spawn(async move { (new.id, store.insert_campaign(&new).await.unwrap()) });
    }
    let inserted = inserts.join_all().await;
    let new: Vec<CampaignId> =
        inserted.iter().filter(|(_, done)| *done == InsertedCampaign::New).map(|(id, _)| *id).collect();
    assert_eq!(new.len(), 1, "{inserted:?}");
    for (id, done) in inserted {
        assert!(id == new[0] || done == InsertedCampaign::Existing(new[0]), "{done:?}");
    }
    let held = async |hash| store.idempotent_campaign(owner(1), &key(hash).unwrap()).await.unwrap();
    assert_eq!(held([1; 32]).await, Some(InsertedCampaign::Existing(new[0])));
    assert_eq!(held([2; 32]).await, Some(InsertedCampaign::KeyReused));
    assert_eq!(store.campaigns(None, 99).await.unwrap().len(), 1);
}

pub async fn campaigns_expire_after_their_calls(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for n in [1, 2] {
        store.insert_campaign(&new_campaign(n)).await.unwrap();
    }
    // Finalized at second 5.
    finished_call(&store, &placed(1, 1, FIRST), "hello").await;
    store.finish_campaign(campaign(1), CampaignEnding::Completed, at(5_000)).await.unwrap();
    let purge = async |before| {
        let retention = Retention { now: at(9_000), calls_before: Some(at(before)), ..Retention::default() };
        store.purge(retention).await.unwrap();
        store.campaigns(None, 9).await.unwrap().len()
    };
    assert_eq!(purge(5_000).await, 2);
    assert_eq!(purge(5_001).await, 1, "one that is not done stays");
    assert_eq!(backend.mentions("the one at the corner").await, ["campaign_targets"]);
}

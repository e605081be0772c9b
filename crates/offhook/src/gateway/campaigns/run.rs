//! The course of one campaign: who is called next, when no more are, and what is written of it.

use std::collections::VecDeque;
use std::time::Duration;

use offhook_core::{CallId, CampaignId};
use offhook_store::CampaignEnding;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Plan, fit};
use crate::clock;
use crate::gateway::{CallError, CallView, Caller, Gateway, Lifecycle, PlaceCallError, Steer};

/// How long a target waits for a place in all, while the rules have none for it.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A wait that is longer than this is for another day.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// How long a conversation may take to come to its end once it is no longer needed.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// When the store is asked again.
const AGAIN: Duration = Duration::from_secs(5);

const NOT_NEEDED: &str = "The call is not needed any more: thank them, say that no further help is needed, agree to \
                          nothing, say goodbye and end the call now.";

pub(super) struct Run {
    gateway: Gateway,
    caller: Caller,
    id: CampaignId,
    plan: Plan,
    /// The owner wants no more.
    stop: CancellationToken,
    waiting: VecDeque<Waiting>,
    live: Vec<CallId>,
    followed: JoinSet<CallId>,
    ending: Option<CampaignEnding>,
}

/// A target that was not called yet.
struct Waiting {
    position: usize,
    /// The rules had no place for it.
    refused: Option<Refused>,
}

#[derive(Clone, Copy)]
struct Refused {
    since: Instant,
    /// When they are asked again; the others need not wait for that.
    due: Instant,
}

impl Waiting {
    fn is_due(&self, now: Instant) -> bool {
        self.refused.is_none_or(|refused| refused.due <= now)
    }
}

impl Run {
    pub fn new(
        gateway: Gateway,
        caller: Caller,
        id: CampaignId,
        plan: Plan,
        stop: CancellationToken,
    ) -> Self {
        let waiting = (0..plan.targets.len()).map(|position| Waiting { position, refused: None }).collect();
        Self {
            gateway,
            caller,
            id,
            plan,
            stop,
            waiting,
            live: Vec::new(),
            followed: JoinSet::new(),
            ending: None,
        }
    }

    pub async fn run(mut self) {
        let closing = self.gateway.inner.campaigns.closing.clone();
        loop {
            self.place_some().await;
            if self.followed.is_empty() && (self.ending.is_some() || self.waiting.is_empty()) {
                break;
            }
            let going = self.ending.is_none();
            let due = self.next_due();
            tokio::select! {
                () = closing.cancelled(), if going => self.end(CampaignEnding::Restarted).await,
                () = self.stop.cancelled(), if going => self.end(CampaignEnding::Stopped).await,
                Some(done) = self.followed.join_next() => {
                    if let Ok(call) = done {
                        self.over(call).await;
                    }
                }
                () = until(due), if due.is_some() => {}
            }
        }
        self.write_the_end().await;
    }

    /// As many calls as may be at a time.
    async fn place_some(&mut self) {
        let at_once = self.plan.request.parallel as usize;
        while self.ending.is_none()
            && !self.stop.is_cancelled()
            && self.live.len() < at_once
            && let Some(next) = self.take_due()
        {
            self.place(next).await;
        }
    }

    /// The first of those whose time has come.
    fn take_due(&mut self) -> Option<Waiting> {
        let now = Instant::now();
        let position = self.waiting.iter().position(|target| target.is_due(now))?;
        self.waiting.remove(position)
    }

    /// When the rules are asked again, where there is room for a call.
    fn next_due(&self) -> Option<Instant> {
        let has_room = self.live.len() < self.plan.request.parallel as usize;
        let refused = self.waiting.iter().filter_map(|target| target.refused);
        refused.map(|refused| refused.due).min().filter(|_| has_room)
    }

    async fn place(&mut self, target: Waiting) {
        let (_, ask) = &self.plan.targets[target.position];
        let placed = self.gateway.place_for_campaign(self.caller, self.id, ask.clone()).await;
        let refused = match placed {
            Ok(call) => return self.follow(call),
            Err(refused) => refused,
        };
        let now = Instant::now();
        let since = target.refused.map_or(now, |refused| refused.since);
        match wait_for(&refused) {
            // What is in the way may be a call of this campaign.
            Some(wait) if now - since < PATIENCE || !self.live.is_empty() => {
                let refused = Some(Refused { since, due: now + wait });
                let at = self.waiting.partition_point(|other| other.position < target.position);
                self.waiting.insert(at, Waiting { refused, ..target });
            }
            _ => self.refuse(target.position, &refused).await,
        }
    }

    fn follow(&mut self, call: CallId) {
        self.live.push(call);
        let (gateway, caller) = (self.gateway.clone(), self.caller);
        self.followed.spawn(async move {
            gateway.until_over(caller, call).await;
            call
        });
    }

    async fn refuse(&self, position: usize, why: &PlaceCallError) {
        let message = why.to_string();
        let refused = self.gateway.inner.store.refuse_target(self.id, position as u32, why.code(), &message);
        if let Err(error) = refused.await {
            tracing::warn!(campaign_id = %self.id, %error, "why a target is not called could not be written");
        }
    }

    async fn over(&mut self, call: CallId) {
        self.live.retain(|live| *live != call);
        // What it took is free again, and whoever waited for that waits anew.
        self.waiting.iter_mut().for_each(|target| target.refused = None);
        let view = self.gateway.call(self.caller, call).await;
        let Ok(view) = view.inspect_err(|error| {
            tracing::warn!(campaign_id = %self.id, call_id = %call, %error, "a call could not be looked at");
        }) else {
            // Of what is not known nobody can say that it committed to nothing.
            if self.plan.may_commit() && self.ending.is_none() {
                self.end(CampaignEnding::Committed).await;
            }
            return;
        };
        if let Some(ending) = self.ending_after(&view).filter(|_| self.ending.is_none()) {
            self.end(ending).await;
        }
    }

    fn ending_after(&self, view: &CallView) -> Option<CampaignEnding> {
        let fits = fit::fits(self.plan.request.fit.as_ref(), view);
        if fits && self.plan.request.stop_at_first_fit {
            return Some(CampaignEnding::FirstFit);
        }
        let committed = match self.plan.may_commit() {
            true => fit::may_have_committed(view),
            false => fit::has_committed(view),
        };
        committed.then_some(CampaignEnding::Committed)
    }

    /// No more calls; those under way are brought to their end.
    async fn end(&mut self, ending: CampaignEnding) {
        self.ending = Some(ending);
        self.waiting.clear();
        if let Err(error) = self.gateway.inner.store.stop_campaign(self.id, ending).await {
            tracing::warn!(campaign_id = %self.id, %error, "why a campaign ends could not be written yet");
        }
        // Of a process that ends the calls end by themselves.
        if ending == CampaignEnding::Restarted {
            return;
        }
        for call in &self.live {
            let (gateway, caller, call) = (self.gateway.clone(), self.caller, *call);
            self.gateway.inner.campaigns.tasks.spawn(async move { gateway.wind_down(caller, call).await });
        }
    }

    /// Until it is written, or the process ends.
    async fn write_the_end(&self) {
        let ending = self.ending.unwrap_or(CampaignEnding::Completed);
        let closing = &self.gateway.inner.campaigns.closing;
        loop {
            let store = &self.gateway.inner.store;
            let Err(error) = store.finish_campaign(self.id, ending, clock::now()).await else { return };
            tracing::warn!(campaign_id = %self.id, %error, "the end of a campaign could not be written; trying again");
            if closing.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                return;
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    if let Some(at) = due {
        tokio::time::sleep_until(at).await;
    }
}

/// When it is worth asking again; `None`: not in this campaign.
fn wait_for(refused: &PlaceCallError) -> Option<Duration> {
    let wait = refused.is_passing().then(|| refused.retry_after().unwrap_or(AGAIN))?;
    (wait <= LONGEST_WAIT).then_some(wait.max(SHORTEST_WAIT))
}

impl Gateway {
    /// Until the call has ended and that is written.
    async fn until_over(&self, caller: Caller, call: CallId) {
        loop {
            if let Ok(mut journal) = self.journal(caller, call, 0).await {
                while journal.next().await.is_some() {}
            }
            match self.call(caller, call).await {
                Ok(view) if view.lifecycle != Lifecycle::Finalized => {}
                Ok(_) | Err(CallError::NotFound) => return,
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// End a call that is not needed any more: politely where somebody is on the line.
    async fn wind_down(&self, caller: Caller, call: CallId) {
        let told = self.steer(caller, call, Steer::Instruct(NOT_NEEDED.to_owned()), None).await;
        if told.is_ok() {
            let over = self.until_over(caller, call);
            if tokio::time::timeout(LAST_WORDS, over).await.is_ok() {
                return;
            }
        }
        if let Err(error) = self.hang_up(caller, call).await {
            tracing::warn!(call_id = %call, %error, "a call that is not needed any more could not be hung up");
        }
    }
}

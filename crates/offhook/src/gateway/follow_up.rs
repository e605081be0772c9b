//! What a call that follows another one up is told of it: who said what, what came of it, and what is known now.

use offhook_core::brief::{Prior, PriorWith};
use offhook_core::{CallId, CampaignId, PhoneNumber, Timestamp};

use super::{CallError, CallView, Caller, Gateway, Lifecycle, PlaceCall, PlaceCallError, Role};

/// Of the transcript, the end: there it was said what was missing.
const MOST_TURNS: usize = 60;
const MOST_BYTES: usize = 8_000;

/// A call that is followed up.
pub(super) struct Followed {
    pub call: CallId,
    /// Where it belongs, and a call to the same number with it.
    pub campaign: Option<CampaignId>,
    pub prior: Prior,
}

impl Gateway {
    /// The call that is followed up, and what is told of it. `None`: this is a first call.
    pub(super) async fn prior(
        &self,
        caller: Option<Caller>,
        ask: &PlaceCall,
        to: &PhoneNumber,
        now: Timestamp,
    ) -> Result<Option<Followed>, PlaceCallError> {
        let Some(named) = &ask.follow_up_to else { return Ok(None) };
        // Somebody without a key has no calls yet.
        let id = named.trim().parse().map_err(|_| PlaceCallError::NoSuchCall)?;
        let caller = caller.ok_or(PlaceCallError::NoSuchCall)?;
        let view = match self.call(caller, id).await {
            Ok(view) => view,
            Err(CallError::NotFound | CallError::NoRecording) => return Err(PlaceCallError::NoSuchCall),
            Err(CallError::Store) => {
                return Err(PlaceCallError::StoreAway { why: "the database can't be read" });
            }
        };
        if view.lifecycle != Lifecycle::Finalized {
            return Err(PlaceCallError::NotOver);
        }
        let prior = told(&view, with(&view, to), ask.supplied.clone(), now);
        let campaign = view.ties.campaign.filter(|_| prior.with == PriorWith::Called);
        Ok(Some(Followed { call: id, campaign, prior }))
    }
}

fn with(view: &CallView, to: &PhoneNumber) -> PriorWith {
    let same = |number: &str| number == to.as_e164();
    match view.inbound {
        false if same(&view.to) => PriorWith::Called,
        true if view.from.as_deref().is_some_and(same) => PriorWith::CalledUs,
        _ => PriorWith::SomebodyElse,
    }
}

fn told(view: &CallView, with: PriorWith, supplied: Option<String>, now: Timestamp) -> Prior {
    let over_at = view.finalized_at.unwrap_or(view.queued_at);
    Prior {
        with,
        days_ago: (now.since(over_at).as_secs() / (24 * 60 * 60)) as u32,
        outcome: view.end.as_ref().map_or("unknown", |end| end.outcome.code()).to_owned(),
        result: result(view),
        // Who said what is between the two who said it.
        transcript: if with == PriorWith::SomebodyElse { String::new() } else { transcript(view) },
        supplied,
    }
}

/// `blocked: They want the date of birth. It was not known: …`
fn result(view: &CallView) -> Option<String> {
    let result = view.result.as_ref()?;
    let mut told = format!("{}: {}", result.status.code(), result.summary.trim());
    if let Some(blocker) = &result.blocker {
        told.push_str(&format!(" In the way ({}): {}", blocker.kind.code(), blocker.what.trim()));
    }
    if !result.missing.is_empty() {
        told.push_str(&format!(" It was not known: {}", result.missing.join(" ")));
    }
    Some(told)
}

/// One turn a line; of a long one no more than the end.
fn transcript(view: &CallView) -> String {
    let turns = view.transcript.iter().filter_map(|turn| match turn.role {
        Role::Assistant => Some(("You", &turn.text)),
        Role::User => Some(("They", &turn.text)),
        Role::Tool | Role::System => None,
    });
    let lines: Vec<String> = turns
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(who, text)| format!("{who}: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect();
    let mut bytes = 0;
    let kept = lines.iter().rev().take(MOST_TURNS).take_while(|line| {
        bytes += line.len() + 1;
        bytes <= MOST_BYTES
    });
    let first = lines.len() - kept.count();
    lines[first..].join("\n")
}

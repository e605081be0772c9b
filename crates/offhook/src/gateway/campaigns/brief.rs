//! What the voice is told in each call of a campaign.

use offhook_core::brief::Commit;

use super::{StartCampaign, Target, may_commit};
use crate::gateway::PlaceCall;

/// Of the task, where no purpose is named.
const SHORT: usize = 120;

/// The call to one target.
pub(super) fn call_of(start: &StartCampaign, target: &Target) -> PlaceCall {
    let commit = start.call.may_commit.clone().filter(|_| may_commit(start));
    PlaceCall {
        to: target.to.clone(),
        task: task(start, target),
        may_commit: Some(commit.unwrap_or(Commit::Never)),
        idempotency: None,
        ..start.call.clone()
    }
}

fn task(start: &StartCampaign, target: &Target) -> String {
    let mut task = start.call.task.trim().to_owned();
    if let Some(name) = written(target.name.as_deref()) {
        task.push_str(&format!("\n\nYou are calling {name}."));
    }
    if let Some(own) = written(target.task.as_deref()) {
        task.push_str(&format!("\n\nOf this one in particular: {own}"));
    }
    if !start.facts.is_empty() {
        task.push_str("\n\nWhat is known:");
        start.facts.iter().for_each(|fact| task.push_str(&format!("\n- {}", fact.trim())));
    }
    task.push_str("\n\n");
    task.push_str(OPTIONS);
    task.push_str(if may_commit(start) { WITHIN_LIMITS } else { NO_COMMITMENT });
    task
}

fn written(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

const OPTIONS: &str = "\
Several places are asked the same, and their answers are compared. Find out price, availability and timing, and every \
condition that matters for the choice. Ask whether it can be held without payment or commitment, and for how long. \
Report these in short, so that they can be compared. ";

const NO_COMMITMENT: &str = "\
This is an enquiry only: book, buy, cancel, change and agree to nothing, and say that you will call back.";

const WITHIN_LIMITS: &str = "\
Agree to something only if all of it is within what you may agree to; otherwise say that you will call back.";

/// What it is for, in a few words.
pub(super) fn purpose(start: &StartCampaign) -> String {
    if let Some(purpose) = written(start.purpose.as_deref()) {
        return purpose.to_owned();
    }
    let task = start.call.task.split_whitespace().collect::<Vec<_>>().join(" ");
    match task.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", task[..end].trim_end()),
        None => task,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_says_what_options_are_asked_for() {
        let mut start =
            StartCampaign { facts: vec!["It is a steel frame.".to_owned()], ..Default::default() };
        start.call.task = "Ask what a new chain costs. ".to_owned();
        let target = Target {
            to: "+14155550100".to_owned(),
            name: Some("Spoke & Co".to_owned()),
            task: Some(" Ask for Dana.".to_owned()),
        };
        let call = call_of(&start, &target);
        assert_eq!((call.may_commit.clone(), &call.to), (Some(Commit::Never), &target.to));
        for part in [
            "Ask what a new chain costs.\n\nYou are calling Spoke & Co.\n\nOf this one in particular: Ask for Dana.",
            "What is known:\n- It is a steel frame.",
            "price, availability and timing",
            "held without payment or commitment, and for how long",
            "compared",
            "agree to nothing",
        ] {
            assert!(call.task.contains(part), "{part:?} in {}", call.task);
        }

        start.call.may_commit = Some(Commit::Within(Some("Up to 30 dollars.".to_owned())));
        let call = call_of(&start, &target);
        assert_eq!(call.may_commit, start.call.may_commit);
        assert!(!call.task.contains("agree to nothing"));
        // Nothing said is nothing allowed.
        start.call.may_commit = Some(Commit::AsTasked);
        assert_eq!(call_of(&start, &target).may_commit, Some(Commit::Never));
    }

    #[test]
    fn a_purpose_is_short() {
        let mut start = StartCampaign::default();
        start.call.task = "Ask ".repeat(100);
        assert_eq!(purpose(&start).chars().count(), SHORT);
        start.call.task = "Ask  what\nit costs.".to_owned();
        assert_eq!(purpose(&start), "Ask what it costs.");
        start.purpose = Some(" A new chain ".to_owned());
        assert_eq!(purpose(&start), "A new chain");
    }
}

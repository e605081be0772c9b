//! What the tools for schedules take.

use serde_json::{Map, Value};

use super::{Kind, Param, may, needed};

pub(super) const SCHEDULE: &[Param] =
    &[needed("schedule_id", Kind::Text, "The schedule, as schedule_call or list_schedules named it.")];

pub(super) const WHEN: &[Param] = &[
    may("name", Kind::Text, "What to call it."),
    may("cron", Kind::Text, "Again and again: minute hour day month weekday, 0 9 * * 1-5. This or at."),
    may("at", Kind::Text, "Once: an instant with offset, 2026-11-23T09:00:00-08:00."),
    may(
        "timezone",
        Kind::Text,
        "Whose clock cron and quiet_hours go by: Europe/Berlin. Ask the user when unsure.",
    ),
    may(
        "quiet_hours",
        Kind::Object,
        "Hours in which nothing runs: {\"from\": \"22:00\", \"to\": \"08:00\"}.",
    ),
    may(
        "missed",
        Kind::OneOf(&["run_once", "skip"]),
        "What becomes of runs that nobody was there for; the last of them is run late when left out.",
    ),
    may(
        "condition",
        Kind::Object,
        "What must be the case. A server's answer: {\"type\": \"http\", \"url\": \"https://…\", \"pointer\": \"/price\", \
         \"op\": \"<\", \"value\": 40}; op is also <=, ==, !=, >=, >, contains, exists, changed, and status is also \
         checked alone (\"!2xx\": it is down). A program of the operator's: {\"type\": \"command\", \"command\": \"NAME\"}. \
         An agent that says yes: {\"type\": \"agent\", \"question\": \"…\"}. Always when left out.",
    ),
    may(
        "cooldown_seconds",
        Kind::Number(0, 2_678_400),
        "With a condition: after a call, leave it alone for so long.",
    ),
    may("prompt", Kind::Text, "For a call to the user: what it is about. This or call."),
    may("opening_message", Kind::Text, "With prompt: what the voice says first."),
    may(
        "call",
        Kind::Object,
        "For a call to somebody else: the arguments of place_call, {\"to\": …, \"task\": …}.",
    ),
];

/// A tool by the name it has in polyclaw, and what its arguments are called here.
type OtherName = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const OTHER_NAMES: [OtherName; 3] = [
    ("schedule_task", "schedule_call", &[("description", "name"), ("run_at", "at")]),
    ("cancel_task", "cancel_schedule", &[("task_id", "schedule_id")]),
    ("list_scheduled_tasks", "list_schedules", &[]),
];

/// What a tool is called here; its arguments are renamed with it. None of those names is listed: they are for prompts
/// that were written for the other.
pub fn by_our_name<'a>(name: &'a str, arguments: &mut Map<String, Value>) -> &'a str {
    let Some((_, ours, renamed)) = OTHER_NAMES.iter().find(|(theirs, ..)| *theirs == name) else {
        return name;
    };
    for (theirs, ours) in *renamed {
        if let Some(value) = arguments.remove(*theirs) {
            arguments.insert((*ours).to_owned(), value);
        }
    }
    ours
}

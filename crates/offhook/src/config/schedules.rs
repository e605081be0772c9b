//! Calls by the clock and calls that are an agent's own idea: `[schedules]`, what conditions may use, `[proactive]`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::build::Build;
use super::keys::Kind::{Int, List, Secret, Text};
use super::keys::{Key, key};
use super::raw::{RawProactive, RawScheduleCommand, RawScheduleSecret, RawSchedules};
use crate::gateway::{ProactiveLimits, ScheduleProgram, ScheduleSecret, ScheduleSettings, zone};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("schedules.timezone", Text, "UTC", "The zone of schedules and quiet hours that name none, e.g. `Europe/Berlin`."),
    key("schedules.least_gap_minutes", Int, "60", "Between two calls of a schedule, over all the times it names."),
    key("schedules.least_look_minutes", Int, "5", "Between two looks at a condition."),
    key("schedules.most_per_owner", Int, "100", "Schedules of one owner."),
    key("schedules.question_seconds", Int, "300", "How long an agent may take to answer the question of a condition."),
    key("schedules.command[].name", Text, "", "What conditions call this program by: letters, digits, `-` and `_`."),
    key("schedules.command[].command", List, "", "The program and its arguments, e.g. `[\"/usr/local/bin/disk-full\", \"/srv\"]`. No shell, no input, and nothing of it comes from whoever made the schedule; of the environment it gets PATH, HOME, USER, LANG, TZ and TMPDIR."),
    key("schedules.command[].directory", Text, "where offhook runs", "The working directory."),
    key("schedules.command[].limit_seconds", Int, "30", "After that it is killed, with all it started."),
    key("schedules.secret[].name", Text, "", "What conditions call this secret by: `{\"secret\": \"NAME\"}` as the value of a header."),
    key("schedules.secret[].value", Secret, "", "The whole value of the header, e.g. `Bearer …`."),
    key("schedules.secret[].hosts", List, "", "Hosts that it may be sent to, e.g. `[\"api.shop.example\"]`; no others, whatever a condition says."),
    key("proactive.calls_per_day", Int, "20", "Calls to its own user that an agent may place of its own accord in any 24 hours; 0 is no limit. A user may wish for fewer: `PUT /me/proactive`."),
    key("proactive.least_gap_minutes", Int, "0", "Between two of them."),
];

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn settings(
    build: &mut Build<'_>,
    raw: &RawSchedules,
    proactive: &RawProactive,
) -> ScheduleSettings {
    let usual = ScheduleSettings::default();
    let minutes = |duration: Duration| u32::try_from(duration.as_secs() / 60).unwrap_or(u32::MAX);
    let gap = build.u32("schedules.least_gap_minutes", raw.least_gap_minutes, minutes(usual.least_gap));
    let look = build.u32("schedules.least_look_minutes", raw.least_look_minutes, minutes(usual.least_look));
    let per_day = build.u32(
        "proactive.calls_per_day",
        proactive.calls_per_day,
        usual.proactive.calls_per_day.unwrap_or(0),
    );
    let between = build.u32("proactive.least_gap_minutes", proactive.least_gap_minutes, 0);
    ScheduleSettings {
        zone: timezone(build, raw.timezone.as_deref()),
        least_gap: MINUTE * gap.max(1),
        least_look: MINUTE * look.max(1),
        most: build.u32("schedules.most_per_owner", raw.most_per_owner, usual.most),
        question_limit: build.limit("schedules.question_seconds", raw.question_seconds, usual.question_limit),
        commands: raw
            .command
            .iter()
            .enumerate()
            .filter_map(|(index, raw)| command(build, index, raw))
            .collect(),
        secrets: raw.secret.iter().enumerate().filter_map(|(index, raw)| secret(build, index, raw)).collect(),
        proactive: ProactiveLimits {
            calls_per_day: Some(per_day).filter(|calls| *calls > 0),
            least_gap: MINUTE * between,
        },
    }
}

fn timezone(build: &mut Build<'_>, written: Option<&str>) -> TimeZone {
    let Some(name) = written else { return TimeZone::UTC };
    zone(name).unwrap_or_else(|| {
        build.problem("schedules.timezone", format!("{name:?} is no zone such as Europe/Berlin"));
        TimeZone::UTC
    })
}

fn command(build: &mut Build<'_>, index: usize, raw: &RawScheduleCommand) -> Option<ScheduleProgram> {
    let at = format!("schedules.command[{index}]");
    let name = name(build, &format!("{at}.name"), raw.name.as_deref());
    let argv = raw.command.clone().unwrap_or_default();
    if argv.first().is_none_or(|program| program.trim().is_empty()) {
        build.problem(format!("{at}.command"), "is missing: the program and its arguments");
        return None;
    }
    let usual = Duration::from_secs(30);
    let limit = build.limit(&format!("{at}.limit_seconds"), raw.limit_seconds, usual);
    let directory = raw.directory.as_deref().map(PathBuf::from);
    Some(ScheduleProgram { name: name?, argv, directory, limit })
}

fn secret(build: &mut Build<'_>, index: usize, raw: &RawScheduleSecret) -> Option<ScheduleSecret> {
    let at = format!("schedules.secret[{index}]");
    let name = name(build, &format!("{at}.name"), raw.name.as_deref());
    let value = build.secret(&format!("{at}.value"), raw.value.as_ref());
    if raw.value.is_none() {
        build.problem(format!("{at}.value"), "is missing: the value of the header");
    }
    let hosts = raw.hosts.clone().unwrap_or_default();
    let hosts: Vec<String> = hosts.iter().map(|host| host.trim().to_ascii_lowercase()).collect();
    if hosts.is_empty() || hosts.iter().any(|host| host.is_empty() || host.contains(['/', '*', ':', '@'])) {
        build.problem(
            format!("{at}.hosts"),
            "must name the hosts it may be sent to, e.g. [\"api.shop.example\"]",
        );
        return None;
    }
    Some(ScheduleSecret { name: name?, value: value?, hosts })
}

fn name(build: &mut Build<'_>, key: &str, written: Option<&str>) -> Option<String> {
    let name = written.unwrap_or_default().trim();
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !fits || !(1..=40).contains(&name.len()) {
        build.problem(key, "must be one to 40 letters, digits, - and _");
        return None;
    }
    Some(name.to_owned())
}

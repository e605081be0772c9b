//! What a running offhook knows of its own state, for `/readyz` and for the doctor beside it.
//!
//! It is asked every few seconds and answers from what is known: trunks are asked in the background and seldom, the
//! model is judged by the last calls that wanted it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_carrier::acs::TRUNK;
use offhook_carrier::{LineStatus, TrunkCheck, TrunkReply, TrunkReport};
use offhook_core::journal::Part as Culprit;
use offhook_core::{CallId, EndReason, Fact, Timestamp};
use offhook_store::{CallFilter, CallRow};
use tokio::time::Instant;

use super::{Finding, acs, pass};
use crate::clock;
use crate::gateway::Gateway;

/// How long an answer of the trunks counts, when all is well and when it is not.
const TRUNKS_FRESH: Duration = Duration::from_secs(60);
const TRUNKS_FRESH_WHEN_ILL: Duration = Duration::from_secs(10);
/// How long `/readyz` waits for trunks before it tells what was known before: less than most probes, but longer for a
/// person.
const TRUNKS_PATIENCE: Duration = Duration::from_millis(500);
const TRUNKS_PATIENCE_OF_DOCTOR: Duration = Duration::from_secs(7);
/// So many calls back, one is found that came as far as the model; the newest may just have begun.
const CALLS_BACK: u32 = 5;
/// A stereo call takes a mebibyte a minute; with less room than this recordings will soon be cut short.
const LITTLE_ROOM: u64 = 512 * 1_024 * 1_024;
/// The state of `calls` while `calling_enabled` is false.
pub(super) const SWITCHED_OFF: &str = "switched_off";
const NO_ROOM: u64 = 16 * 1_024 * 1_024;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness {
    gateway: Gateway,
    trunks: Arc<Trunks>,
}

/// What the trunks answered last.
#[derive(Debug, Default)]
struct Trunks {
    /// One question at a time, whoever asks.
    asking: tokio::sync::Mutex<()>,
    last: Mutex<Option<(Instant, TrunkCheck)>>,
}

impl Readiness {
    pub fn new(gateway: Gateway) -> Self {
        Self { gateway, trunks: Arc::default() }
    }

    /// Every part, in the order a call needs it; `thorough` is worth some seconds.
    pub async fn findings(&self, thorough: bool) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.gateway.readiness().await.into_iter().map(Finding::from).collect();
        for finding in &mut findings {
            if finding.name == "calls" && finding.ok && !self.gateway.is_calling_enabled() {
                *finding = switched_off();
            }
        }
        let mut trunks = self.trunk_findings(thorough).await;
        if let Some(guard) = self.gateway.callbacks() {
            acs::judge_trunk(&mut trunks, guard);
        }
        findings.extend(trunks);
        if let Some(guard) = self.gateway.callbacks() {
            findings.extend(acs::known(guard).await);
        }
        findings.push(self.model().await);
        findings.push(room(&self.recordings()));
        findings
    }

    /// Whether the sender may read the secret of this installation.
    pub fn is_pass(&self, text: &str) -> bool {
        let secret = self.recordings().with_file_name("secret");
        pass::is_valid(text, &secret, clock::now())
    }

    fn recordings(&self) -> PathBuf {
        let any = self.gateway.engine().recorder().path(CallId::from_parts(Timestamp::default(), [0; 10]));
        any.parent().map(Path::to_owned).unwrap_or_default()
    }

    async fn trunk_findings(&self, thorough: bool) -> Vec<Finding> {
        let this = self.clone();
        // In a task of its own: who asked may have less patience than a trunk that is silent.
        let asked = tokio::spawn(async move { this.ask_trunks().await });
        let patience = if thorough { TRUNKS_PATIENCE_OF_DOCTOR } else { TRUNKS_PATIENCE };
        let _ = tokio::time::timeout(patience, asked).await;
        let reports = self.trunks.last().as_ref().map(|(_, check)| check.trunks.clone()).unwrap_or_default();
        let lines = self.gateway.engine().carrier().lines();
        trunks_of(&lines)
            .into_iter()
            .map(|line| {
                trunk(&line.trunk, line.registered, reports.iter().find(|report| report.name == line.trunk))
            })
            .collect()
    }

    async fn ask_trunks(&self) {
        let _asking = self.trunks.asking.lock().await;
        if !self.trunks.is_fresh() {
            let check = self.gateway.engine().carrier().check().await;
            *self.trunks.last() = Some((Instant::now(), check));
        }
    }

    /// By the newest call that came far enough to need it.
    async fn model(&self) -> Finding {
        let finding = Finding::new("model");
        let newest = CallFilter { limit: CALLS_BACK, ..CallFilter::default() };
        let Ok(calls) = self.gateway.store().calls(&newest).await else {
            return finding.well("not_known", "the calls can't be read".to_owned());
        };
        match calls.iter().find_map(|call| Some((call, opened(call)?))) {
            None => finding.well("not_tried", "no call has needed it yet".to_owned()),
            Some((call, true)) => {
                finding.well("ok", format!("the call of {} had it", clock::iso(call.queued_at)))
            }
            Some((call, false)) => {
                let why = self.why_lost(call.id).await;
                let found = format!("the call of {} did not get it: {why}", clock::iso(call.queued_at));
                finding.ill("failed", found, "`offhook doctor` says what is wrong with it")
            }
        }
    }

    async fn why_lost(&self, id: CallId) -> String {
        let journal = self.gateway.store().journal(id, 0).await.unwrap_or_default();
        let why = journal.into_iter().rev().find_map(|entry| match entry.fact {
            Fact::Problem { part: Culprit::Speech, message, .. } => Some(message),
            _ => None,
        });
        why.unwrap_or_else(|| "it could not be opened".to_owned())
    }
}

impl Trunks {
    fn last(&self) -> MutexGuard<'_, Option<(Instant, TrunkCheck)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh(&self) -> bool {
        self.last().as_ref().is_some_and(|(at, check)| {
            let fresh = if check.is_well() { TRUNKS_FRESH } else { TRUNKS_FRESH_WHEN_ILL };
            at.elapsed() < fresh
        })
    }
}

/// One line of each trunk.
fn trunks_of(lines: &[LineStatus]) -> Vec<&LineStatus> {
    let mut trunks: Vec<&LineStatus> = Vec::new();
    for line in lines {
        if trunks.iter().all(|known| known.trunk != line.trunk) {
            trunks.push(line);
        }
    }
    trunks
}

/// Whether the call opened the model; `None` where it did not come so far, or not yet.
fn opened(call: &CallRow) -> Option<bool> {
    match call.end.as_ref().map(|end| end.reason) {
        Some(EndReason::SpeechUnavailable) => Some(false),
        // An outbound call dials, and an inbound one is answered, once the model is there.
        _ => (call.dialing_at.is_some() || call.answered_at.is_some()).then_some(true),
    }
}

/// What is known of a trunk: whether it has registered us, as of now, and what it answered when it was last asked.
pub(super) fn trunk(name: &str, registered: Option<bool>, report: Option<&TrunkReport>) -> Finding {
    let finding = Finding::new("trunk").of(name);
    let Some(report) = report else {
        return match registered {
            Some(true) => finding.well("registered", "registered".to_owned()),
            Some(false) => finding.ill("not_registered", "not registered yet".to_owned(), "wait a moment"),
            None => finding.well("not_known", "not asked yet".to_owned()),
        };
    };
    let answer = format!("{} {}", report.server, answer(report));
    let unregistered = if registered == Some(false) { ", and we are not registered" } else { "" };
    if registered == Some(true) {
        // Whoever has just registered us is there, whatever it thinks of OPTIONS.
        return finding.well("registered", format!("registered; {answer}"));
    }
    let state = match (&report.reply, registered) {
        (TrunkReply::Unreachable { .. } | TrunkReply::Silence, _) => "unreachable",
        (TrunkReply::Answered { .. }, Some(_)) => "not_registered",
        (TrunkReply::Answered { .. }, None) if report.advice.is_some() => "refused",
        (TrunkReply::Answered { .. }, None) => "reachable",
    };
    match &report.advice {
        None => finding.well(state, answer),
        Some(advice) => finding.ill(state, format!("{answer}{unregistered}"), todo(advice, &report.server)),
    }
}

/// The advice without the words that only say again what was found: `sip.example.com does not answer; check …`.
fn todo<'a>(advice: &'a str, server: &str) -> &'a str {
    match advice.split_once("; ") {
        Some((found, todo)) if found.starts_with(server) => todo,
        _ => advice,
    }
}

fn answer(report: &TrunkReport) -> String {
    match &report.reply {
        // It was asked for a call that there is not, and may well say so.
        TrunkReply::Answered { round_trip, .. } if report.name == TRUNK && report.advice.is_none() => {
            format!("lets us in, and answers in {} ms", round_trip.as_millis())
        }
        TrunkReply::Answered { status, round_trip } if report.name == TRUNK => {
            format!("answers with {status} in {} ms", round_trip.as_millis())
        }
        TrunkReply::Answered { status, round_trip } => {
            format!("answers in {} ms ({status} to OPTIONS)", round_trip.as_millis())
        }
        TrunkReply::Silence if report.name == TRUNK => "does not answer".to_owned(),
        TrunkReply::Silence => "does not answer OPTIONS".to_owned(),
        TrunkReply::Unreachable { why } => format!("can't be reached: {why}"),
    }
}

/// The operator wants it so, but may have forgotten.
pub(super) fn switched_off() -> Finding {
    let found = "calling is switched off: no call can be placed";
    Finding::new("calls").ill(
        SWITCHED_OFF,
        found,
        "set calling_enabled to true when calls may be placed again",
    )
}

/// Whether recordings still fit on the disk.
pub(super) fn room(dir: &Path) -> Finding {
    let finding = Finding::new("disk");
    let free = match rustix::fs::statvfs(dir) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(why) => {
            return finding.ill(
                "not_known",
                format!("{}: {why}", dir.display()),
                "check that data_dir is there",
            );
        }
    };
    let found = format!("{} free for recordings in {}", size(free), dir.display());
    let todo = "free some space, or lower retention.recordings_days";
    if free < NO_ROOM {
        finding.ill("full", found, todo)
    } else if free < LITTLE_ROOM {
        finding.ill("low", found, todo)
    } else {
        finding.well("ok", found)
    }
}

fn size(bytes: u64) -> String {
    let mib = bytes / (1_024 * 1_024);
    if mib < 10_240 { format!("{mib} MiB") } else { format!("{} GiB", mib / 1_024) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(reply: TrunkReply, registered: Option<bool>, advice: Option<&str>) -> TrunkReport {
        let advice = advice.map(str::to_owned);
        TrunkReport { name: "example".into(), server: "sip.example.com".into(), reply, registered, advice }
    }

    #[test]
    fn what_is_said_of_a_trunk() {
        let answers = || TrunkReply::Answered { status: 200, round_trip: Duration::from_millis(12) };
        let unreachable = || TrunkReply::Unreachable { why: "no such host".to_owned() };
        for (registered, report, ok, state) in [
            (Some(true), None, true, "registered"),
            (Some(false), None, false, "not_registered"),
            (None, None, true, "not_known"),
            (Some(true), Some(report(answers(), Some(true), None)), true, "registered"),
            // It was asked before it registered us, and many do not answer OPTIONS at all.
            (Some(true), Some(report(answers(), Some(false), Some("wait"))), true, "registered"),
            (
                Some(true),
                Some(report(TrunkReply::Silence, Some(true), Some("firewall?"))),
                true,
                "registered",
            ),
            (Some(false), Some(report(answers(), Some(false), Some("password?"))), false, "not_registered"),
            (Some(false), Some(report(unreachable(), Some(false), Some("name?"))), false, "unreachable"),
            (None, Some(report(answers(), None, None)), true, "reachable"),
            (None, Some(report(answers(), None, Some("have it accept us"))), false, "refused"),
            (None, Some(report(TrunkReply::Silence, None, Some("firewall?"))), false, "unreachable"),
        ] {
            let finding = trunk("example", registered, report.as_ref());
            assert_eq!((finding.ok, finding.state.as_str()), (ok, state), "{registered:?} {report:?}");
            assert_eq!(finding.todo.is_empty(), ok, "what is not well comes with what to do: {finding:?}");
            assert_eq!(finding.subject.as_deref(), Some("example"));
        }
    }

    #[test]
    fn a_resource_that_knows_no_such_call_lets_us_in() {
        let of = |status, advice| TrunkReport {
            name: TRUNK.to_owned(),
            ..report(TrunkReply::Answered { status, round_trip: Duration::from_millis(30) }, None, advice)
        };
        for (report, expected) in [
            (of(404, None), "sip.example.com lets us in, and answers in 30 ms"),
            (of(401, Some("check the key")), "sip.example.com answers with 401 in 30 ms"),
        ] {
            assert_eq!(trunk(TRUNK, None, Some(&report)).found, expected);
        }
    }

    #[test]
    fn what_to_do_is_not_what_was_found() {
        for (advice, expected) in [
            ("sip.example.com does not answer; check the server", "check the server"),
            (
                "the registration was refused; check the password",
                "the registration was refused; check the password",
            ),
            ("call them", "call them"),
        ] {
            assert_eq!(todo(advice, "sip.example.com"), expected);
        }
    }

    #[test]
    fn room_for_recordings() {
        assert!(room(Path::new("/")).found.contains(" free for recordings in /"));
        let missing = room(Path::new("/no/such/directory"));
        assert_eq!((missing.ok, missing.state.as_str()), (false, "not_known"));
        assert_eq!((size(700 * 1_024 * 1_024), size(40 << 30)), ("700 MiB".to_owned(), "40 GiB".to_owned()));
    }
}

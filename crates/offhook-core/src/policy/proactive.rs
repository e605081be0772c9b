//! Calls to the user that are the agent's own idea: as often as the user likes, and when.

use std::time::Duration;

use super::rules::{Verdict, in_words, refusal, refuse_if};
use super::{Recent, RefusalCode, Rule};
use crate::time::{DAY, Timestamp};

/// What the user wishes of such calls, and how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proactive {
    /// Whether there may be any.
    pub wanted: bool,
    /// `None`: as many as one likes.
    pub calls_per_day: Option<u32>,
    /// Between the beginnings of two of them.
    pub least_gap: Duration,
    /// The user's quiet hours are now, and last until then.
    pub quiet_until: Option<Timestamp>,
    pub calls: Recent,
    pub last_at: Option<Timestamp>,
}

impl Proactive {
    pub(super) fn judge(&self, now: Timestamp) -> Verdict {
        let refuse = |code, message: String, wait: Option<Duration>| {
            let refusal = refusal(Rule::Proactive, code, message);
            Verdict::Refuse(match wait {
                Some(wait) => refusal.after(wait),
                None => refusal,
            })
        };
        if !self.wanted {
            let message = "the user wants no calls that are an agent's own idea; write instead";
            return refuse(RefusalCode::DestinationBlocked, message.to_owned(), None);
        }
        if let Some(wait) = self.quiet_until.map(|until| until.since(now)).filter(|wait| !wait.is_zero()) {
            let message = format!("the user's quiet hours are now; call in {}, or write", in_words(wait));
            return refuse(RefusalCode::QuietHours, message, Some(wait));
        }
        if let Some(limit) = self.calls_per_day.filter(|limit| self.calls.count >= *limit) {
            let wait = self.calls.oldest_at.map_or(DAY, |oldest_at| (oldest_at + DAY).since(now));
            let message = format!(
                "the user takes {limit} calls a day that are an agent's own idea; call in {}, or write",
                in_words(wait)
            );
            return refuse(RefusalCode::QuotaExceeded, message, Some(wait));
        }
        let wait = self.last_at.map_or(Duration::ZERO, |last_at| (last_at + self.least_gap).since(now));
        refuse_if(!wait.is_zero(), || {
            let message =
                format!("the user was called a while ago, and wants to be left alone for {}", in_words(wait));
            refusal(Rule::Proactive, RefusalCode::QuotaExceeded, message).after(wait)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_often_as_the_user_likes() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let now = Timestamp::from_unix_millis(1_790_000_000_000);
        let usual = Proactive {
            wanted: true,
            calls_per_day: Some(3),
            least_gap: 4 * HOUR,
            quiet_until: None,
            calls: Recent { count: 2, oldest_at: Some(now - 20 * HOUR) },
            last_at: Some(now - 5 * HOUR),
        };
        let spent = Recent { count: 3, oldest_at: Some(now - 20 * HOUR) };
        use RefusalCode::{DestinationBlocked, QuietHours, QuotaExceeded};
        for (what, proactive, expected) in [
            ("as it should be", usual, None),
            ("not wanted", Proactive { wanted: false, ..usual }, Some((DestinationBlocked, None))),
            (
                "at night",
                Proactive { quiet_until: Some(now + 6 * HOUR), ..usual },
                Some((QuietHours, Some(6 * HOUR))),
            ),
            ("night is over", Proactive { quiet_until: Some(now), ..usual }, None),
            ("too many", Proactive { calls: spent, ..usual }, Some((QuotaExceeded, Some(4 * HOUR)))),
            ("no limit", Proactive { calls: spent, calls_per_day: None, ..usual }, None),
            (
                "too soon",
                Proactive { last_at: Some(now - HOUR), ..usual },
                Some((QuotaExceeded, Some(3 * HOUR))),
            ),
            ("just in time", Proactive { last_at: Some(now - 4 * HOUR), ..usual }, None),
        ] {
            let found = match proactive.judge(now) {
                Verdict::Refuse(refusal) => Some((refusal.code, refusal.retry_after)),
                Verdict::Pass | Verdict::Silent => None,
            };
            assert_eq!(found, expected, "{what}");
        }
    }
}

//! Session timers (RFC 4028), as the one who answers sees them.

use std::time::Duration;

use offhook_core::Timestamp;

use super::call::Call;
use super::desk::Desk;
use super::transaction::Purpose;
use crate::record::Ending;
use crate::sip::{Message, Mistake};

/// An agreed session interval.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    interval: Duration,
    we_refresh: bool,
    next_at: Timestamp,
}

impl Refresh {
    /// RFC 4028 §5.
    const SHORTEST_S: u32 = 90;

    /// What a request asks for; `None` without `timer` support or `Session-Expires`.
    pub fn asked(message: &Message, now: Timestamp) -> Result<Option<Self>, Mistake> {
        let Some(value) = message.header("session-expires") else { return Ok(None) };
        let mut parts = value.split(';').map(str::trim);
        let seconds: u32 = parts.next().and_then(|seconds| seconds.parse().ok()).ok_or_else(|| {
            Mistake::new(400, "session_expires.syntax", "Session-Expires does not begin with seconds")
        })?;
        if seconds < Self::SHORTEST_S {
            return Err(Mistake::new(422, "session_expires.small", format!("{seconds} s is less than 90 s")));
        }
        if !message.list("supported").contains(&"timer") {
            return Ok(None);
        }
        let we_refresh = parts.any(|part| part == "refresher=uas");
        Ok(Some(Self::agreed(Duration::from_secs(u64::from(seconds)), we_refresh, now)))
    }

    fn agreed(interval: Duration, we_refresh: bool, now: Timestamp) -> Self {
        let next_at = now + if we_refresh { interval / 2 } else { interval };
        Self { interval, we_refresh, next_at }
    }

    /// The interval runs from the 2xx.
    pub fn restarted(self, now: Timestamp) -> Self {
        Self::agreed(self.interval, self.we_refresh, now)
    }

    /// The value of `Session-Expires` in the answer.
    pub fn header(&self) -> String {
        format!("{};refresher={}", self.interval.as_secs(), if self.we_refresh { "uas" } else { "uac" })
    }

    pub fn deadline(&self) -> Timestamp {
        self.next_at
    }
}

impl Call {
    /// Refreshes the session when it is ours to do, ends it when the far side forgot to.
    pub fn keep_session(&mut self, desk: &mut Desk, now: Timestamp) {
        let Some(refresh) = self.refresh.filter(|refresh| now >= refresh.next_at) else { return };
        if refresh.we_refresh {
            self.refresh = Some(Refresh::agreed(refresh.interval, true, now));
            let expires = format!("{};refresher=uac", refresh.interval.as_secs());
            let offer = self.audio.as_ref().map(|audio| audio.ours.offer());
            let headers = [("Supported", "timer"), ("Session-Expires", expires.as_str())];
            self.request(desk, now, Purpose::Reinvite, &headers, offer.as_deref());
        } else {
            self.refresh = None;
            let detail = format!("no refresh within {} s", refresh.interval.as_secs());
            desk.violation(now, "session.expired", detail, Some(&self.dialog.call_id));
            self.hang_up(desk, now, Ending::Lost);
        }
    }
}

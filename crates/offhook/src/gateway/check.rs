//! What placing a call would come to: what its briefing lacks, what the rules say, what time it is there, and every
//! word the voice would be given. No call is placed, no key is minted, nothing is counted.

use offhook_core::brief::Brief;
use offhook_core::brief::check::{Draft, Findings, check};
use offhook_core::zone::{self, Closed};
use offhook_core::{OwnerId, PhoneNumber, Timestamp};
use rand::RngCore as _;

use super::schedule::check_window;
use super::second_look::{self, Notes};
use super::{AuthError, Caller, Gateway, PlaceCall, PlaceCallError};
use crate::clock;

/// A call that was looked at and not placed.
#[derive(Debug)]
pub struct Checked {
    pub findings: Findings,
    pub hours: Hours,
    /// Why it would be refused just now.
    pub refusal: Option<PlaceCallError>,
    /// As the voice would get it.
    pub brief: Brief,
    /// What a model adds, where one is configured and answered.
    pub notes: Option<Notes>,
}

/// What time it is where the number is.
#[derive(Debug, PartialEq, Eq)]
pub struct Hours {
    /// Then, when the call is to be placed; else now.
    pub later: bool,
    /// One, or the earliest and the latest where the number may be in several zones; none where its digits tell
    /// nothing.
    pub local: Vec<LocalTime>,
    /// `None`: it can't be told, or depends on the zone.
    pub likely_closed: Option<bool>,
    /// In the earliest of the zones where they are closed.
    pub reason: Option<Closed>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Its IANA name.
    pub zone: &'static str,
    pub at: jiff::Zoned,
}

impl Gateway {
    /// Look at a call as [`Gateway::place_call`] would, with the same errors for what can't be a call at all.
    ///
    /// Whoever has no key is answered as a new caller would be, where those are served.
    pub async fn check_call(&self, key: Option<&str>, ask: PlaceCall) -> Result<Checked, PlaceCallError> {
        let placing = self.queue_up()?;
        let switched_off = match self.check_open() {
            Err(error @ PlaceCallError::CallingDisabled) => Some(error),
            open => open.map(|()| None)?,
        };
        let caller = match self.authenticate(key).await {
            Ok(caller) => Some(caller),
            Err(AuthError::KeyRequired) if self.inner.settings.mint_keys => None,
            Err(error) => return Err(error.into()),
        };
        let wish = self.wish(caller, ask).await?;
        let now = clock::now();
        check_window(&wish.ask, now)?;
        let due = wish.due(now);
        let refusal = match switched_off {
            Some(error) => Some(error),
            // What else the rules say, they say when its time has come.
            None if due.is_some() => {
                let bound_to = wish.bound_to.as_deref();
                self.inner.admission.check_destination(&wish.to, bound_to).err().map(PlaceCallError::from)
            }
            None => self.would_refuse(caller.unwrap_or_else(newcomer), &wish, now).await?,
        };
        // Whoever waits for a model keeps nobody from placing calls.
        drop(placing);
        let draft = Draft { brief: &wish.brief, handoff: wish.brief.handoff.is_some() };
        let hours = Hours { later: due.is_some(), ..hours(&wish.to, due.unwrap_or(now)) };
        let findings = check(draft);
        let notes = match &self.inner.settings.check_model {
            Some(model) => second_look::look(model, &wish.brief, &findings).await,
            None => None,
        };
        Ok(Checked { findings, hours, refusal, brief: wish.brief, notes })
    }
}

/// Somebody on their first call, as [`Gateway::place_call`] would have them; no key stands for them.
fn newcomer() -> Caller {
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    Caller {
        owner: OwnerId::from_parts(Timestamp::default(), random),
        admin: false,
        anonymous: true,
        bound: false,
    }
}

fn hours(number: &PhoneNumber, now: Timestamp) -> Hours {
    let now = jiff::Timestamp::from_microsecond(now.unix_micros()).unwrap_or_default();
    let mut local: Vec<LocalTime> =
        zone::zones(number).filter_map(|zone| Some(LocalTime { zone, at: now.in_tz(zone).ok()? })).collect();
    // By what the clocks show: two zones with the same time are as good as one.
    local.sort_by_key(|local| local.at.datetime());
    local.dedup_by_key(|local| local.at.datetime());
    let closed: Vec<Option<Closed>> = local.iter().map(|local| local.closed(number)).collect();
    let likely_closed = match closed.iter().filter(|closed| closed.is_some()).count() {
        _ if closed.is_empty() => None,
        0 => Some(false),
        shut if shut == closed.len() => Some(true),
        _ => None,
    };
    if local.len() > 2 {
        local.drain(1..local.len() - 1);
    }
    Hours { later: false, local, likely_closed, reason: closed.into_iter().flatten().next() }
}

impl LocalTime {
    fn closed(&self, number: &PhoneNumber) -> Option<Closed> {
        Closed::at(number, self.at.weekday().to_monday_one_offset() as u8, self.at.hour() as u8)
    }

    /// `Saturday 06:12`.
    pub fn words(&self) -> String {
        self.at.strftime("%A %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours_at(number: &str, at: &str) -> (Option<bool>, Option<&'static str>, String) {
        let at: jiff::Timestamp = at.parse().unwrap();
        let now = Timestamp::from_unix_micros(at.as_microsecond());
        let hours = hours(&PhoneNumber::parse(number).unwrap(), now);
        let shown: Vec<String> =
            hours.local.iter().map(|local| format!("{} {}", local.zone, local.words())).collect();
        (hours.likely_closed, hours.reason.map(Closed::code), shown.join(" to "))
    }

    #[test]
    fn whether_they_are_likely_closed() {
        let rows = [
            // Daylight saving is in force in March, not in January.
            ("+14155550100", "2026-03-24T15:00:00Z", Some(false), None, "America/Los_Angeles Tuesday 08:00"),
            (
                "+14155550100",
                "2026-01-20T15:59:59Z",
                Some(true),
                Some("before_8"),
                "America/Los_Angeles Tuesday 07:59",
            ),
            (
                "+14155550100",
                "2026-01-21T02:00:00Z",
                Some(true),
                Some("after_18"),
                "America/Los_Angeles Tuesday 18:00",
            ),
            (
                "+12125550100",
                "2026-01-24T15:00:00Z",
                Some(true),
                Some("weekend"),
                "America/New_York Saturday 10:00",
            ),
            ("+97226701111", "2026-01-25T08:00:00Z", Some(false), None, "Asia/Jerusalem Sunday 10:00"),
            // India is half an hour off.
            (
                "+911123456789",
                "2026-01-26T02:29:00Z",
                Some(true),
                Some("before_8"),
                "Asia/Calcutta Monday 07:59",
            ),
            // A number of no place: closed only where it is closed from coast to coast.
            (
                "+18002211161",
                "2026-01-20T14:00:00Z",
                None,
                Some("before_8"),
                "America/Los_Angeles Tuesday 06:00 to America/New_York Tuesday 09:00",
            ),
            (
                "+18002211161",
                "2026-01-20T17:00:00Z",
                Some(false),
                None,
                "America/Los_Angeles Tuesday 09:00 to America/New_York Tuesday 12:00",
            ),
            (
                "+18002211161",
                "2026-01-20T09:00:00Z",
                Some(true),
                Some("before_8"),
                "America/Los_Angeles Tuesday 01:00 to America/New_York Tuesday 04:00",
            ),
            ("+870773111632", "2026-01-20T09:00:00Z", None, None, ""),
        ];
        for (number, at, closed, reason, shown) in rows {
            assert_eq!(hours_at(number, at), (closed, reason, shown.to_owned()), "{number} at {at}");
        }
    }

    #[test]
    fn every_zone_of_the_table_has_a_clock() {
        for zone in zone::all() {
            assert!(jiff::Timestamp::UNIX_EPOCH.in_tz(zone).is_ok(), "{zone}");
        }
    }
}

//! Session timers (RFC 4028): a call whose far end vanished without a word does not live for ever.

use std::time::{Duration, Instant};

use super::message::Headers;

/// The shortest interval the RFC allows (§4).
pub const MIN_SE: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    Us,
    Them,
}

/// A negotiated session interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    pub interval: Duration,
    pub refresher: Refresher,
    refreshed_at: Instant,
}

/// What an offer of a session timer is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No timer.
    None,
    Timer(SessionTimer),
    /// 422 with this Min-SE.
    TooSmall(Duration),
}

/// `Session-Expires: 1800;refresher=uac`
fn parse(headers: &Headers) -> Option<(Duration, Option<bool>)> {
    let seconds = headers.number("Session-Expires")?;
    let value = headers.first("Session-Expires")?.to_ascii_lowercase();
    let by_uac = value.split(';').skip(1).find_map(|param| match param.split_once('=')? {
        (name, who) if name.trim() == "refresher" => match who.trim() {
            "uac" => Some(true),
            "uas" => Some(false),
            _ => None,
        },
        _ => None,
    });
    Some((Duration::from_secs(seconds.into()), by_uac))
}

/// The far end asks (in an INVITE or UPDATE it sent us); `wanted` is our own interval, `None` when timers are off.
pub fn answer_request(headers: &Headers, wanted: Option<Duration>, now: Instant) -> Answer {
    let they_support = headers.has_token("Supported", "timer");
    let timer = |interval, refresher| Answer::Timer(SessionTimer { interval, refresher, refreshed_at: now });
    match (parse(headers), wanted) {
        (Some((interval, _)), _) if interval < MIN_SE => Answer::TooSmall(MIN_SE),
        // Whether or not we wanted one: who asks for a timer gets it.
        (Some((interval, by_uac)), wanted) => {
            let floor =
                headers.number("Min-SE").map_or(MIN_SE, |s| Duration::from_secs(s.into()).max(MIN_SE));
            let interval = wanted.map_or(interval, |wanted| interval.min(wanted.max(floor)));
            match by_uac {
                Some(false) => timer(interval, Refresher::Us),
                Some(true) => timer(interval, Refresher::Them),
                None if they_support => timer(interval, Refresher::Them),
                None => timer(interval, Refresher::Us),
            }
        }
        (None, Some(wanted)) if they_support => timer(wanted.max(MIN_SE), Refresher::Us),
        (None, _) => Answer::None,
    }
}

/// What a 2xx to our INVITE or UPDATE settled.
pub fn settled(headers: &Headers, now: Instant) -> Option<SessionTimer> {
    let (interval, by_uac) = parse(headers)?;
    let refresher = if by_uac == Some(false) { Refresher::Them } else { Refresher::Us };
    Some(SessionTimer { interval: interval.max(MIN_SE), refresher, refreshed_at: now })
}

impl SessionTimer {
    /// `Session-Expires` for a request of ours, or for our 2xx to one of theirs.
    pub fn header(&self, we_are_uac: bool) -> String {
        let uac = (self.refresher == Refresher::Us) == we_are_uac;
        format!("{};refresher={}", self.interval.as_secs(), if uac { "uac" } else { "uas" })
    }

    /// Half-way through the refresher refreshes; `None` when that is not us.
    pub fn refresh_at(&self) -> Option<Instant> {
        (self.refresher == Refresher::Us).then(|| self.refreshed_at + self.interval / 2)
    }

    /// When to hang up unless refreshed: a third of the interval, at most 32 s, before its end (§10).
    pub fn expires_at(&self) -> Instant {
        self.refreshed_at + self.interval - (self.interval / 3).min(Duration::from_secs(32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    #[test]
    fn answers_to_what_the_far_end_asks() {
        let now = Instant::now();
        let our = Some(Duration::from_secs(1_800));
        let seconds = Duration::from_secs;
        for (fields, wanted, expected) in [
            (&[][..], our, None),
            (&[("Supported", "timer")], our, Some((seconds(1_800), Refresher::Us))),
            (&[("Supported", "timer")], None, None),
            (
                &[("Session-Expires", "600;refresher=uac"), ("Supported", "timer")],
                our,
                Some((seconds(600), Refresher::Them)),
            ),
            (
                &[("Session-Expires", "600;refresher=uas"), ("Supported", "timer")],
                our,
                Some((seconds(600), Refresher::Us)),
            ),
            (
                &[("Session-Expires", "600"), ("Supported", "timer")],
                our,
                Some((seconds(600), Refresher::Them)),
            ),
            (&[("Session-Expires", "600")], our, Some((seconds(600), Refresher::Us))),
            (
                &[("Session-Expires", "7200"), ("Supported", "timer")],
                our,
                Some((seconds(1_800), Refresher::Them)),
            ),
            (&[("Session-Expires", "7200"), ("Min-SE", "3600")], our, Some((seconds(3_600), Refresher::Us))),
            (&[("Session-Expires", "7200;refresher=uac")], None, Some((seconds(7_200), Refresher::Them))),
        ] {
            let expected = expected.map_or(Answer::None, |(interval, refresher)| {
                Answer::Timer(SessionTimer { interval, refresher, refreshed_at: now })
            });
            assert_eq!(answer_request(&headers(fields), wanted, now), expected, "{fields:?}");
        }
        let small = headers(&[("Session-Expires", "30")]);
        assert_eq!(answer_request(&small, our, now), Answer::TooSmall(MIN_SE));
    }

    #[test]
    fn times_and_headers() {
        let now = Instant::now();
        let ours = settled(&headers(&[("Session-Expires", "180;refresher=uac")]), now).unwrap();
        assert_eq!(ours.refresh_at(), Some(now + Duration::from_secs(90)));
        assert_eq!(ours.expires_at(), now + Duration::from_secs(148));
        assert_eq!(ours.header(true), "180;refresher=uac");
        assert_eq!(ours.header(false), "180;refresher=uas");
        let theirs = settled(&headers(&[("Session-Expires", "90 ; refresher=uas")]), now).unwrap();
        assert_eq!(theirs.refresh_at(), None);
        assert_eq!(theirs.expires_at(), now + Duration::from_secs(60));
        assert_eq!(settled(&headers(&[]), now), None);
    }
}

//! The places a trunk can be reached at, and what is known of each: which to try first (RFC 3263 §4.3).
//!
//! The DNS says in which order the trunk wants them used; what they answered, or did not, comes before that. So a
//! call need not find out by itself that a server is dead: an INVITE that nobody answered is never sent again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::config::Transport;
use super::resolve::Target;

/// A silent place is asked again so often.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// However long a place says that it wants to be left alone.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// How long a place that refused TCP is spared another attempt.
const NO_STREAM: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub struct Targets {
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    target: Target,
    state: State,
    no_stream_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    /// It was asked whether it is there.
    Asked,
    Answers,
    /// It said itself that it has too much to do: 503 with Retry-After.
    Resting {
        until: Instant,
    },
    Silent {
        ask_at: Instant,
    },
}

impl Targets {
    /// What the DNS says now; what is known of those that stay is kept.
    pub fn replace(&mut self, found: &[Target]) {
        let mut before = std::mem::take(&mut self.places);
        for target in found {
            let known = before.iter().position(|place| place.target == *target);
            self.places.push(match known {
                Some(known) => before.swap_remove(known),
                None => Place { target: target.clone(), state: State::New, no_stream_until: None },
            });
        }
    }

    /// All of them: those that answer, those nothing is known of, those that rest, those that are silent.
    pub fn best_first(&self, now: Instant) -> Vec<Target> {
        let mut places: Vec<&Place> = self.places.iter().collect();
        places.sort_by_key(|place| match place.state {
            State::Answers => 0,
            State::Resting { until } if now >= until => 0,
            State::New | State::Asked => 1,
            State::Resting { .. } => 2,
            State::Silent { .. } => 3,
        });
        places.into_iter().map(|place| place.target.clone()).collect()
    }

    fn at(&mut self, transport: Transport, addr: SocketAddr) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.target.transport == transport && place.target.addr == addr)
    }

    pub fn answered(&mut self, transport: Transport, addr: SocketAddr, now: Instant) {
        match self.at(transport, addr) {
            Some(Place { state: State::Resting { until }, .. }) if now < *until => {}
            Some(place) => place.state = State::Answers,
            None => {}
        }
    }

    pub fn rests(&mut self, transport: Transport, addr: SocketAddr, how_long: Duration, now: Instant) {
        if let Some(place) = self.at(transport, addr) {
            place.state = State::Resting { until: now + how_long.min(LONGEST_REST) };
        }
    }

    /// A request went there and nothing came back. `true` when that is news.
    pub fn silent(&mut self, transport: Transport, addr: SocketAddr, now: Instant) -> bool {
        let Some(place) = self.at(transport, addr) else { return false };
        let news = !matches!(place.state, State::Silent { .. });
        if news {
            place.state = State::Silent { ask_at: now + ASK_AGAIN };
        }
        news
    }

    /// Whom to ask whether they are there: where there is a choice, those nothing is known of and those that were
    /// silent. Connections are made when they are needed, so only datagrams are tried out in advance.
    pub fn take_unsure(&mut self, now: Instant) -> Vec<Target> {
        if self.places.len() < 2 {
            return Vec::new();
        }
        let mut asked = Vec::new();
        for place in &mut self.places {
            place.state = match place.state {
                State::New if !place.target.transport.is_reliable() => State::Asked,
                State::Silent { ask_at } if now >= ask_at => State::Silent { ask_at: now + ASK_AGAIN },
                _ => continue,
            };
            asked.push(place.target.clone());
        }
        asked
    }

    /// No connection was to be had where datagrams are taken.
    pub fn no_stream(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(place) = self.at(Transport::Udp, addr) {
            place.no_stream_until = Some(now + NO_STREAM);
        }
    }

    pub fn takes_streams(&self, addr: SocketAddr, now: Instant) -> bool {
        let refused =
            |place: &&Place| place.target.addr == addr && place.no_stream_until.is_some_and(|at| now < at);
        !self.places.iter().any(|place| refused(&place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(transport: Transport, port: u16) -> Target {
        Target::new(transport, ([192, 0, 2, 1], port).into(), "trunk.example")
    }

    fn ports(targets: &[Target]) -> Vec<u16> {
        targets.iter().map(|target| target.addr.port()).collect()
    }

    #[test]
    fn what_answers_comes_first_and_what_is_silent_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let place = |port| (Transport::Udp, SocketAddr::from(([192, 0, 2, 1], port)));
        let mut targets = Targets::default();
        targets.replace(&[1, 2, 3].map(|port| target(Transport::Udp, port)));
        assert_eq!(ports(&targets.best_first(start)), [1, 2, 3], "as the DNS says");

        let (udp, first) = place(1);
        assert!(targets.silent(udp, first, start));
        assert!(!targets.silent(udp, first, start), "no news");
        assert_eq!(ports(&targets.best_first(start)), [2, 3, 1]);
        let (_, third) = place(3);
        targets.answered(udp, third, start);
        assert_eq!(ports(&targets.best_first(start)), [3, 2, 1]);
        targets.rests(udp, third, Duration::from_secs(20), start);
        targets.answered(udp, third, at(10));
        assert_eq!(ports(&targets.best_first(at(10))), [2, 3, 1], "it wanted to be left alone for longer");
        assert_eq!(ports(&targets.best_first(at(20))), [3, 2, 1]);
        targets.answered(udp, first, at(30));
        assert_eq!(ports(&targets.best_first(at(30))), [1, 3, 2], "the order of the DNS among equals");

        targets.replace(&[2, 1, 4].map(|port| target(Transport::Udp, port)));
        assert_eq!(
            ports(&targets.best_first(at(30))),
            [1, 2, 4],
            "what is known of a place outlives an answer"
        );
    }

    #[test]
    fn places_are_asked_once_and_silent_ones_again() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut targets = Targets::default();
        targets.replace(&[target(Transport::Udp, 1)]);
        assert!(targets.take_unsure(start).is_empty(), "there is no choice");
        let all = [target(Transport::Udp, 1), target(Transport::Udp, 2), target(Transport::Tcp, 3)];
        targets.replace(&all);
        assert_eq!(ports(&targets.take_unsure(start)), [1, 2]);
        assert!(targets.take_unsure(start).is_empty());
        targets.silent(Transport::Udp, all[1].addr, at(4));
        targets.silent(Transport::Tcp, all[2].addr, at(5));
        assert!(targets.take_unsure(at(33)).is_empty());
        assert_eq!(ports(&targets.take_unsure(at(36))), [2, 3]);
        assert!(targets.take_unsure(at(37)).is_empty());
    }

    #[test]
    fn who_refused_tcp_is_spared_another_attempt_for_a_while() {
        let start = Instant::now();
        let (udp, other) = (target(Transport::Udp, 1), target(Transport::Udp, 2));
        let mut targets = Targets::default();
        targets.replace(&[udp.clone(), other.clone()]);
        targets.no_stream(udp.addr, start);
        assert!(!targets.takes_streams(udp.addr, start));
        assert!(targets.takes_streams(other.addr, start));
        assert!(targets.takes_streams(udp.addr, start + NO_STREAM));
    }
}

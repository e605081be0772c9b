//! Transactions (RFC 3261 §17 as corrected by RFC 6026): when to send again, and when to give up.
//!
//! Only timing and state live here. The agent keeps the messages and does the sending; time comes as an argument.

use std::time::{Duration, Instant};

/// The timer values everything else is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Estimated round trip; 500 ms by the RFC.
    pub t1: Duration,
}

impl Timing {
    fn t2(self) -> Duration {
        self.t1 * 8
    }

    pub fn t4(self) -> Duration {
        self.t1 * 10
    }

    /// 64 × T1: how long a request may go unanswered.
    pub fn timeout(self) -> Duration {
        self.t1 * 64
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500) }
    }
}

/// However long a proceeding INVITE is left alone: past every ring limit, only so that nothing lives for ever.
const PROCEEDING: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    Calling,
    Proceeding,
    /// A 2xx to an INVITE came: more of them, retransmitted or forked, are still passed up.
    Accepted,
    Completed,
}

/// A request we sent.
#[derive(Debug)]
pub struct Client {
    timing: Timing,
    invite: bool,
    reliable: bool,
    state: ClientState,
    interval: Duration,
    resend_at: Option<Instant>,
    ends_at: Instant,
}

/// What a response means to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Pass,
    /// A final refusal of an INVITE: acknowledge it and pass it up.
    AckAndPass,
    /// The same again: acknowledge it again.
    Ack,
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Resend,
    /// Nobody answered the request; or, for a server, nobody acknowledged the response.
    TimedOut,
    /// Nothing more can come; forget it.
    Over,
}

impl Client {
    pub fn new(timing: Timing, invite: bool, reliable: bool, now: Instant) -> Self {
        Self {
            timing,
            invite,
            reliable,
            state: ClientState::Calling,
            interval: timing.t1,
            resend_at: (!reliable).then(|| now + timing.t1),
            ends_at: now + timing.timeout(),
        }
    }

    /// An INVITE that another process sent: nothing is sent again, its final response is awaited.
    pub fn adopted(timing: Timing, reliable: bool, now: Instant) -> Self {
        let ends_at = now + timing.timeout();
        let state = ClientState::Proceeding;
        Self { timing, invite: true, reliable, state, interval: timing.t1, resend_at: None, ends_at }
    }

    pub fn deadline(&self) -> Instant {
        self.resend_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// Whether no final response came yet.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, ClientState::Calling | ClientState::Proceeding)
    }

    /// A cancelled INVITE gets 64 × T1 for its final response (RFC 3261 §9.1).
    pub fn cancelled(&mut self, now: Instant) {
        if self.is_pending() {
            self.ends_at = now + self.timing.timeout();
        }
    }

    /// Nobody waits for the outcome any more; stay only to catch a 2xx that comes too late.
    pub fn linger(&mut self, now: Instant) {
        self.settle(ClientState::Accepted, now + self.timing.timeout());
    }

    pub fn heard(&mut self, status: u16, now: Instant) -> Heard {
        match (self.state, status) {
            (ClientState::Calling | ClientState::Proceeding, ..200) => {
                if self.state == ClientState::Calling && self.invite {
                    self.ends_at = now + PROCEEDING;
                }
                self.state = ClientState::Proceeding;
                if self.invite {
                    self.resend_at = None;
                }
                Heard::Pass
            }
            (ClientState::Calling | ClientState::Proceeding, 200..300) if self.invite => {
                self.settle(ClientState::Accepted, now + self.timing.timeout());
                Heard::Pass
            }
            (ClientState::Calling | ClientState::Proceeding, _) => {
                let linger = match (self.reliable, self.invite) {
                    (true, _) => Duration::ZERO,
                    (false, true) => self.timing.timeout(),
                    (false, false) => self.timing.t4(),
                };
                self.settle(ClientState::Completed, now + linger);
                if self.invite { Heard::AckAndPass } else { Heard::Pass }
            }
            (ClientState::Accepted, 200..300) => Heard::Pass,
            (ClientState::Completed, 300..) if self.invite => Heard::Ack,
            _ => Heard::Drop,
        }
    }

    fn settle(&mut self, state: ClientState, ends_at: Instant) {
        self.state = state;
        self.resend_at = None;
        self.ends_at = ends_at;
    }

    pub fn due(&mut self, now: Instant) -> Due {
        if now >= self.ends_at {
            return if self.is_pending() { Due::TimedOut } else { Due::Over };
        }
        match self.resend_at {
            Some(at) if now >= at => {
                self.interval *= 2;
                if !self.invite {
                    self.interval = match self.state {
                        ClientState::Proceeding => self.timing.t2(),
                        _ => self.interval.min(self.timing.t2()),
                    };
                }
                self.resend_at = Some(now + self.interval);
                Due::Resend
            }
            _ => Due::Nothing,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerState {
    Proceeding,
    /// A 2xx to an INVITE went out and waits for its ACK.
    Accepted,
    Completed,
    Confirmed,
}

/// A request we received.
#[derive(Debug)]
pub struct Server {
    timing: Timing,
    invite: bool,
    reliable: bool,
    state: ServerState,
    interval: Duration,
    resend_at: Option<Instant>,
    ends_at: Instant,
}

impl Server {
    pub fn new(timing: Timing, invite: bool, reliable: bool, now: Instant) -> Self {
        let patience = if invite { PROCEEDING } else { timing.timeout() };
        Self {
            timing,
            invite,
            reliable,
            state: ServerState::Proceeding,
            interval: timing.t1,
            resend_at: None,
            ends_at: now + patience,
        }
    }

    pub fn deadline(&self) -> Instant {
        self.resend_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// Whether a final response has not been sent yet.
    pub fn is_pending(&self) -> bool {
        self.state == ServerState::Proceeding
    }

    /// A response goes out now.
    pub fn respond(&mut self, status: u16, now: Instant) {
        if status < 200 || !self.is_pending() {
            return;
        }
        self.ends_at = now + self.timing.timeout();
        if !self.invite {
            self.state = ServerState::Completed;
        } else if status < 300 {
            // Sent again on every transport: a proxy may lose it further on (RFC 3261 §13.3.1.4).
            self.state = ServerState::Accepted;
            self.resend_at = Some(now + self.interval);
        } else {
            self.state = ServerState::Completed;
            self.resend_at = (!self.reliable).then(|| now + self.interval);
        }
    }

    /// The ACK of our final response came. `true` the first time.
    pub fn acknowledged(&mut self, now: Instant) -> bool {
        let first = self.invite && matches!(self.state, ServerState::Accepted | ServerState::Completed);
        if first {
            self.state = ServerState::Confirmed;
            self.resend_at = None;
            self.ends_at = now + self.timing.t4();
        }
        first
    }

    pub fn due(&mut self, now: Instant) -> Due {
        if now >= self.ends_at {
            return match self.state {
                ServerState::Proceeding | ServerState::Accepted => Due::TimedOut,
                _ => Due::Over,
            };
        }
        match self.resend_at {
            Some(at) if now >= at => {
                self.interval = (self.interval * 2).min(self.timing.t2());
                self.resend_at = Some(now + self.interval);
                Due::Resend
            }
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every instant, in ms, at which something is due, until the end.
    fn timeline(
        start: Instant,
        mut next: impl FnMut() -> Instant,
        mut due: impl FnMut(Instant) -> Due,
    ) -> Vec<(u128, Due)> {
        let mut seen = Vec::new();
        loop {
            let at = next();
            let what = due(at);
            seen.push(((at - start).as_millis(), what));
            if matches!(what, Due::TimedOut | Due::Over) || seen.len() > 50 {
                return seen;
            }
        }
    }

    fn client(client: Client, start: Instant) -> Vec<(u128, Due)> {
        let client = std::cell::RefCell::new(client);
        timeline(start, || client.borrow().deadline(), |at| client.borrow_mut().due(at))
    }

    fn times(seen: &[(u128, Due)]) -> Vec<u128> {
        seen.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn an_unanswered_invite_doubles_and_gives_up_after_32_seconds() {
        let now = Instant::now();
        let seen = client(Client::new(Timing::default(), true, false, now), now);
        assert_eq!(times(&seen), [500, 1_500, 3_500, 7_500, 15_500, 31_500, 32_000]);
        assert_eq!(seen.last().unwrap().1, Due::TimedOut);
    }

    #[test]
    fn any_other_request_doubles_up_to_four_seconds() {
        let now = Instant::now();
        let seen = client(Client::new(Timing::default(), false, false, now), now);
        assert_eq!(
            times(&seen),
            [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]
        );
    }

    #[test]
    fn a_stream_carries_a_request_once() {
        let now = Instant::now();
        let seen = client(Client::new(Timing::default(), true, true, now), now);
        assert_eq!(seen, [(32_000, Due::TimedOut)]);
    }

    #[test]
    fn a_provisional_response_silences_an_invite_but_not_other_requests() {
        let now = Instant::now();
        let mut invite = Client::new(Timing::default(), true, false, now);
        assert_eq!(invite.heard(180, now), Heard::Pass);
        assert_eq!(invite.due(now + Duration::from_secs(30)), Due::Nothing);
        let mut bye = Client::new(Timing::default(), false, false, now);
        bye.heard(100, now);
        assert_eq!(bye.due(now + Duration::from_millis(500)), Due::Resend);
        assert_eq!(bye.deadline(), now + Duration::from_millis(4_500));
    }

    #[test]
    fn finals_of_an_invite() {
        let now = Instant::now();
        let mut refused = Client::new(Timing::default(), true, false, now);
        assert_eq!(refused.heard(486, now), Heard::AckAndPass);
        assert_eq!(refused.heard(486, now), Heard::Ack);
        assert_eq!(refused.heard(200, now), Heard::Drop);
        let mut accepted = Client::new(Timing::default(), true, false, now);
        assert_eq!(accepted.heard(200, now), Heard::Pass);
        assert_eq!(accepted.heard(200, now), Heard::Pass, "a fork's or a retransmitted 2xx reaches the call");
        assert_eq!(accepted.heard(486, now), Heard::Drop);
        assert_eq!(accepted.due(accepted.deadline()), Due::Over);
    }

    #[test]
    fn our_2xx_is_sent_until_acknowledged() {
        let now = Instant::now();
        let mut server = Server::new(Timing::default(), true, true, now);
        server.respond(180, now);
        server.respond(200, now);
        assert_eq!(server.due(now + Duration::from_millis(500)), Due::Resend);
        assert_eq!(server.due(now + Duration::from_millis(1_500)), Due::Resend);
        assert!(server.acknowledged(now + Duration::from_millis(1_600)));
        assert!(!server.acknowledged(now + Duration::from_millis(1_700)));
        assert_eq!(server.due(server.deadline()), Due::Over);

        let mut lost = Server::new(Timing::default(), true, false, now);
        lost.respond(200, now);
        assert_eq!(lost.due(now + Duration::from_secs(32)), Due::TimedOut);
    }

    #[test]
    fn our_refusal_is_sent_again_on_datagrams_only() {
        let now = Instant::now();
        for (reliable, expected) in [(false, Due::Resend), (true, Due::Nothing)] {
            let mut server = Server::new(Timing::default(), true, reliable, now);
            server.respond(486, now);
            assert_eq!(server.due(now + Duration::from_millis(500)), expected);
            assert_eq!(server.due(now + Duration::from_secs(32)), Due::Over);
        }
    }
}

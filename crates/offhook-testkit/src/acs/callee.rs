//! Who is called, and how the service tells of it.

use std::time::Duration;

use super::event::Outcome;

/// What happens when this number is called.
#[derive(Clone, Debug)]
pub struct Callee {
    pub rings: Duration,
    pub then: Reaction,
    pub delivery: Delivery,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    Answers,
    /// Rings until the call is given up, or a test answers it.
    Waits,
    Fails(Outcome),
}

/// How callbacks come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    /// Each event twice, under the same id.
    pub doubled: bool,
    /// What happened last is told first.
    pub reversed: bool,
    /// Before the reply to the request that caused them.
    pub before_reply: bool,
    /// Events that belong together in one POST.
    pub together: bool,
    /// As older versions of the service: no result with an event.
    pub bare: bool,
    /// This long after what they tell of.
    pub late: Duration,
}

impl Callee {
    pub fn answers() -> Self {
        Self::reacts(Reaction::Answers)
    }

    pub fn waits() -> Self {
        Self::reacts(Reaction::Waits)
    }

    pub fn busy() -> Self {
        Self::reacts(Reaction::Fails(Outcome::sip(486, 560_486, "Busy Here", Some(17))))
    }

    pub fn declines() -> Self {
        Self::reacts(Reaction::Fails(Outcome::sip(603, 560_603, "Decline", None)))
    }

    /// Declines as the live service was seen to tell it: with code 200.
    pub fn declines_quietly() -> Self {
        Self::reacts(Reaction::Fails(Outcome::new(200, 5_002, "")))
    }

    pub fn no_answer() -> Self {
        Self::reacts(Reaction::Fails(Outcome::sip(480, 560_480, "Temporarily Unavailable", Some(19))))
    }

    pub fn no_such_number() -> Self {
        Self::reacts(Reaction::Fails(Outcome::sip(404, 560_404, "Not Found", Some(1))))
    }

    pub fn unreachable() -> Self {
        Self::reacts(Reaction::Fails(Outcome::sip(503, 560_503, "Service Unavailable", None)))
    }

    pub fn reacts(then: Reaction) -> Self {
        Self { rings: Duration::from_millis(50), then, delivery: Delivery::default() }
    }

    pub fn after(mut self, rings: Duration) -> Self {
        self.rings = rings;
        self
    }

    pub fn told(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }
}

impl Default for Callee {
    fn default() -> Self {
        Self::answers()
    }
}

//! Whether a request is sent again, and what is known of it when it is not.
//!
//! What may have been done is sent again only with the same Repeatability headers, or where twice is as good as once; and
//! what may have been done and got no answer is uncertain, whatever came later.

use std::time::Duration;

use super::config::AcsTiming;
use super::request::{Operation, Request};

/// Longer than this nobody is waited for between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a hang-up is insisted on.
const HANG_UP_PATIENCE: Duration = Duration::from_secs(60);

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    Answered {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// Certainly not sent.
    NeverLeft {
        why: String,
    },
    /// Sent, and no answer came.
    Silence {
        why: String,
    },
}

/// What is known of a request that will not be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    Answered,
    /// Certainly not done, and it is not our fault: asked too often, or not reached.
    NotDone,
    Uncertain,
}

/// The tries of one request.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    operation: Operation,
    may_repeat: bool,
    patience: Duration,
    pause: Duration,
    maybe_done: bool,
}

impl Tries {
    pub fn of(request: &Request, timing: &AcsTiming) -> Self {
        let operation = request.operation;
        let patience = match operation {
            Operation::Create | Operation::Answer => timing.create,
            Operation::Terminate | Operation::HangUp => HANG_UP_PATIENCE,
            _ => timing.request,
        };
        Self {
            operation,
            may_repeat: request.may_repeat(),
            patience,
            pause: timing.backoff,
            maybe_done: false,
        }
    }

    /// How long to wait before the next try; `None` when this was the last one. `random` is from 0 to 1.
    pub fn again_after(&mut self, elapsed: Duration, tried: &Tried, random: f64) -> Option<Duration> {
        let asked = match tried {
            Tried::Answered { status: 429, retry_after } => *retry_after,
            // Asked to come back, we do; but it may be what a gateway says whose upstream broke off after it took on the
            // request.
            Tried::Answered { status: 503, retry_after } => {
                self.maybe_done = true;
                *retry_after
            }
            Tried::Answered { status: 408 | 500..=599, retry_after } if self.may_repeat => {
                self.maybe_done = true;
                *retry_after
            }
            Tried::Silence { .. } => {
                self.maybe_done = true;
                if !self.may_repeat {
                    return None;
                }
                None
            }
            Tried::NeverLeft { .. } => None,
            Tried::Answered { .. } => return None,
        };
        let pause = self.pause.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let wait = asked.unwrap_or_default().max(pause);
        (wait <= LONGEST_PAUSE && elapsed + wait <= self.patience).then_some(wait)
    }

    /// What the last try says of them all.
    pub fn certainty(&self, last: &Tried) -> Certainty {
        // Once asked for and not heard of, a refusal may be that of the second of two.
        let doubt = self.maybe_done && !matches!(self.operation, Operation::Terminate | Operation::HangUp);
        match last {
            Tried::Answered { status: 200..=299, .. } => Certainty::Answered,
            Tried::Answered { status: 429, .. } | Tried::NeverLeft { .. } if !doubt => Certainty::NotDone,
            Tried::Answered { status: 408 | 500..=599, .. } | Tried::Silence { .. } => Certainty::Uncertain,
            _ if doubt => Certainty::Uncertain,
            _ => Certainty::Answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acs::request::{Create, MediaOptions};

    fn timing() -> AcsTiming {
        AcsTiming { backoff: Duration::from_millis(100), ..AcsTiming::default() }
    }

    fn answered(status: u16) -> Tried {
        Tried::Answered { status, retry_after: None }
    }

    fn silence() -> Tried {
        Tried::Silence { why: "timed out".to_owned() }
    }

    fn never_left() -> Tried {
        Tried::NeverLeft { why: "refused".to_owned() }
    }

    #[test]
    fn what_is_tried_again_and_what_is_known_then() {
        use Certainty::{Answered, NotDone, Uncertain};
        let terminate = || Request::terminate("id");
        let start_media = || Request::start_media("id");
        for (request, tries, again, known) in [
            (terminate(), vec![answered(204)], false, Answered),
            (terminate(), vec![answered(404)], false, Answered),
            (terminate(), vec![answered(401)], false, Answered),
            (terminate(), vec![answered(429)], true, NotDone),
            (terminate(), vec![answered(503)], true, Uncertain),
            (terminate(), vec![answered(500)], true, Uncertain),
            (terminate(), vec![silence()], true, Uncertain),
            (terminate(), vec![silence(), answered(404)], false, Answered),
            (terminate(), vec![never_left()], true, NotDone),
            (start_media(), vec![answered(429)], true, NotDone),
            (start_media(), vec![answered(503)], true, Uncertain),
            (start_media(), vec![never_left()], true, NotDone),
            // May have been done, and must not be done twice.
            (start_media(), vec![answered(500)], false, Uncertain),
            (start_media(), vec![silence()], false, Uncertain),
            (redirect(), vec![silence()], true, Uncertain),
            // The first try may have been it, whatever is said of the second.
            (redirect(), vec![silence(), answered(429)], true, Uncertain),
            (redirect(), vec![silence(), never_left()], true, Uncertain),
            (redirect(), vec![silence(), answered(400)], false, Uncertain),
            (redirect(), vec![answered(500), answered(204)], false, Answered),
            (redirect(), vec![never_left(), answered(400)], false, Answered),
            // A gateway in front says 503 also when the request got through to whoever is behind it.
            (create(), vec![answered(503)], true, Uncertain),
            (create(), vec![answered(503), answered(429)], true, Uncertain),
            (create(), vec![answered(503), never_left()], true, Uncertain),
            (create(), vec![answered(503), answered(201)], false, Answered),
            (create(), vec![answered(524)], true, Uncertain),
            (create(), vec![answered(429)], true, NotDone),
            (create(), vec![never_left(), answered(429)], true, NotDone),
        ] {
            let mut state = Tries::of(&request, &timing());
            let mut wait = None;
            for tried in &tries {
                wait = state.again_after(Duration::ZERO, tried, 0.5);
            }
            let last = tries.last().unwrap();
            assert_eq!((wait.is_some(), state.certainty(last)), (again, known), "{request:?} {tries:?}");
        }
    }

    fn redirect() -> Request {
        let to = offhook_core::PhoneNumber::parse("+14155550100").unwrap();
        Request::redirect(&"context".into(), &to)
    }

    fn create() -> Request {
        let number = |text| offhook_core::PhoneNumber::parse(text).unwrap();
        let url = "https://voice.example/".into();
        let format = offhook_core::AudioFormat::Pcm16(offhook_core::audio::SampleRate::Hz24000);
        Request::create(&Create {
            to: &number("+14155550100"),
            from: &number("+14155550199"),
            display_name: None,
            context: "call",
            callback_url: &url,
            media: &MediaOptions { url: url.clone(), format },
        })
    }

    #[test]
    fn pauses_grow_and_end_with_the_patience() {
        let mut tries = Tries::of(&redirect(), &timing());
        let mut elapsed = Duration::ZERO;
        let mut pauses = Vec::new();
        while let Some(pause) = tries.again_after(elapsed, &answered(503), 1.0) {
            pauses.push(pause.as_millis());
            elapsed += pause;
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200]);
    }

    #[test]
    fn the_service_says_when_and_is_not_waited_for_for_ever() {
        let told = |seconds| Tried::Answered { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        let mut tries = Tries::of(&redirect(), &timing());
        assert_eq!(tries.again_after(Duration::ZERO, &told(2), 0.0), Some(Duration::from_secs(2)));
        assert_eq!(tries.again_after(Duration::ZERO, &told(3_600), 0.0), None);
        assert_eq!(tries.again_after(Duration::from_secs(9), &told(2), 0.0), None);
    }
}

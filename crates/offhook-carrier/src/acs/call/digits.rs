//! Keys on their way: one request after the other, with pauses between.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::acs::tone::Step;

/// How long a request for keys may take, and each of its keys.
const PATIENCE: Duration = Duration::from_secs(5);
const PER_KEY: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub struct Digits {
    steps: VecDeque<Step>,
    /// The context of the request that is under way, and until when it is waited for.
    sending: Option<(String, Instant)>,
    pause_until: Option<Instant>,
    requests: u32,
    /// Somebody waits to hear that all went out.
    asked: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Send { tones: Vec<&'static str>, context: String },
    Done,
}

impl Digits {
    pub fn push(&mut self, steps: VecDeque<Step>) {
        self.steps.extend(steps);
        self.asked = true;
    }

    /// The request of this context is done with; whichever is under way where none is named.
    pub fn sent(&mut self, context: Option<&str>) {
        let is_it = |(sending, _): &(String, Instant)| context.is_none_or(|context| context == sending);
        if self.sending.as_ref().is_some_and(is_it) {
            self.sending = None;
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.sending.as_ref().map(|(_, until)| *until).or(self.pause_until)
    }

    /// Whether there is more to do now.
    pub fn on_deadline(&mut self, now: Instant) -> bool {
        if self.deadline().is_none_or(|at| now < at) {
            return false;
        }
        self.sending = None;
        self.pause_until = None;
        true
    }

    pub fn next(&mut self, now: Instant) -> Option<Next> {
        if self.sending.is_some() || self.pause_until.is_some() {
            return None;
        }
        match self.steps.pop_front() {
            Some(Step::Pause(pause)) => {
                self.pause_until = Some(now + pause);
                None
            }
            Some(Step::Tones(tones)) => {
                self.requests += 1;
                let context = format!("digits-{}", self.requests);
                let until = now + PATIENCE + PER_KEY * tones.len() as u32;
                self.sending = Some((context.clone(), until));
                Some(Next::Send { tones, context })
            }
            None => std::mem::take(&mut self.asked).then_some(Next::Done),
        }
    }
}

//! The person on a test number: plays a script against what is heard. Knows nothing of SIP or RTP.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use offhook_core::{Digit, Timestamp};

use crate::media::sound;
use crate::script::{Ask, CANNOT_HEAR, HELLO, Menu, Step};

/// What the person notices.
#[derive(Clone, Copy, Debug)]
pub struct Senses<'a> {
    /// Answered, and the answer acknowledged.
    pub connected: bool,
    /// Nothing of the person's own is being played.
    pub idle: bool,
    pub remote_speaking: bool,
    /// Turns of the far side that ended.
    pub turns: u32,
    pub digits: &'a [Digit],
}

/// What the person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Ring,
    Progress,
    Answer,
    Reject(u16),
    Say(&'static str),
    Play(Arc<[i16]>),
    Hush,
    Press(&'static str),
    StartMessage,
    StopMedia,
    Hold,
    Resume,
    HangUp,
}

#[derive(Debug)]
pub struct Person {
    steps: VecDeque<Step>,
    phase: Phase,
    speed: f32,
    connected_at: Option<Timestamp>,
    said_hello: bool,
    /// How often the menu was played, or the question asked.
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Next,
    Wait {
        until: Timestamp,
    },
    Ringing {
        again_at: Timestamp,
        give_up_at: Timestamp,
    },
    Connecting,
    /// Waits for the far side to pause before saying this.
    Polite {
        text: &'static str,
        until: Timestamp,
    },
    Playing,
    Listening {
        turns: u32,
        quiet_since: Timestamp,
        patience: Duration,
        kind: Listening,
    },
    InMenu {
        menu: &'static Menu,
        digits: usize,
        give_up_at: Option<Timestamp>,
    },
    Asking {
        ask: &'static Ask,
        digits: usize,
        seen: usize,
        turns: u32,
        quiet_since: Option<Timestamp>,
    },
    Holding {
        until: Timestamp,
    },
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Listening {
    /// Says hello into silence, then hangs up.
    Expecting,
    Patient,
    Leaving,
}

impl Person {
    const POLITE: Duration = Duration::from_secs(10);
    /// RFC 3261 §13.3.1.1: a provisional response at least every minute.
    const RING_AGAIN: Duration = Duration::from_secs(55);
    const RING_AT_MOST: Duration = Duration::from_secs(600);

    pub fn new(steps: &[Step], speed: f32) -> Self {
        Self {
            steps: steps.iter().copied().collect(),
            phase: Phase::Next,
            speed: if speed > 0.0 { speed } else { 1.0 },
            connected_at: None,
            said_hello: false,
            tries: 0,
        }
    }

    /// The next thing the person does now, if any; to be asked until there is none.
    pub fn poll(&mut self, now: Timestamp, senses: &Senses) -> Option<Act> {
        if senses.connected {
            self.connected_at.get_or_insert(now);
        }
        loop {
            let before = self.phase;
            let act = self.advance(now, senses);
            if act.is_some() || self.phase == before {
                return act;
            }
        }
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Wait { until } | Phase::Holding { until } | Phase::Polite { until, .. } => Some(until),
            Phase::Ringing { again_at, give_up_at } => Some(again_at.min(give_up_at)),
            // All others are driven by the packets that go out every 20 ms.
            _ => None,
        }
    }

    fn scaled(&self, ms: u32) -> Duration {
        Duration::from_millis(u64::from(ms)).div_f32(self.speed)
    }

    fn advance(&mut self, now: Timestamp, senses: &Senses) -> Option<Act> {
        match self.phase {
            Phase::Next => match self.steps.pop_front() {
                Some(step) => self.begin(now, senses, step),
                None => self.end(),
            },
            Phase::Wait { until } if now >= until => self.go_on(),
            Phase::Ringing { give_up_at, .. } if now >= give_up_at => {
                self.then(&[Step::Reject { status: 480 }])
            }
            Phase::Ringing { again_at, give_up_at } if now >= again_at => {
                self.phase = Phase::Ringing { again_at: now + Self::RING_AGAIN, give_up_at };
                Some(Act::Ring)
            }
            Phase::Connecting if senses.connected => self.go_on(),
            Phase::Polite { text, until } if !senses.remote_speaking || now >= until => {
                self.phase = Phase::Playing;
                Some(Act::Say(text))
            }
            Phase::Playing if senses.idle => self.go_on(),
            Phase::Listening { .. } => self.listen(now, senses),
            Phase::InMenu { .. } => self.menu(now, senses),
            Phase::Asking { .. } => self.ask(now, senses),
            Phase::Holding { until } if now >= until => {
                self.phase = Phase::Next;
                Some(Act::Resume)
            }
            _ => None,
        }
    }

    fn go_on(&mut self) -> Option<Act> {
        self.phase = Phase::Next;
        None
    }

    /// Goes on with these steps before the rest of the script.
    fn then(&mut self, steps: &[Step]) -> Option<Act> {
        for step in steps.iter().rev() {
            self.steps.push_front(*step);
        }
        self.go_on()
    }

    fn end(&mut self) -> Option<Act> {
        self.phase = Phase::Done;
        self.steps.clear();
        Some(Act::HangUp)
    }

    fn begin(&mut self, now: Timestamp, senses: &Senses, step: Step) -> Option<Act> {
        let (phase, act) = match step {
            Step::Ring { ms } => (Phase::Wait { until: now + self.scaled(ms) }, Some(Act::Ring)),
            Step::RingForever => {
                let ringing =
                    Phase::Ringing { again_at: now + Self::RING_AGAIN, give_up_at: now + Self::RING_AT_MOST };
                (ringing, Some(Act::Ring))
            }
            Step::EarlyMedia { ms } => {
                self.steps.push_front(Step::Pause { ms });
                (Phase::Next, Some(Act::Progress))
            }
            Step::Answer => (Phase::Connecting, Some(Act::Answer)),
            Step::Reject { status } => (Phase::Done, Some(Act::Reject(status))),
            Step::Say(text) => (Phase::Polite { text, until: now + Self::POLITE }, None),
            Step::Announce(text) => (Phase::Playing, Some(Act::Say(text))),
            Step::Pause { ms } => (Phase::Wait { until: now + self.scaled(ms) }, None),
            Step::Listen { patience_ms } => {
                (self.listening(now, senses, patience_ms, Listening::Expecting), None)
            }
            Step::Await { ms } => (self.listening(now, senses, ms, Listening::Patient), None),
            Step::Linger { ms } => (self.listening(now, senses, ms, Listening::Leaving), None),
            Step::Menu(menu) => {
                self.tries += 1;
                let phase = Phase::InMenu { menu, digits: senses.digits.len(), give_up_at: None };
                (phase, Some(Act::Say(menu.prompt)))
            }
            Step::Ask(ask) => {
                let question = ask.questions.get(self.tries as usize).copied().unwrap_or_default();
                self.tries += 1;
                let digits = senses.digits.len();
                let phase =
                    Phase::Asking { ask, digits, seen: digits, turns: senses.turns, quiet_since: None };
                (phase, Some(Act::Say(question)))
            }
            Step::Press(keys) => (Phase::Playing, Some(Act::Press(keys))),
            Step::Music { ms } => {
                let ms = self.scaled(ms).as_millis() as u32;
                (Phase::Playing, Some(Act::Play(sound::music(ms))))
            }
            Step::Tone { hz, ms } => (Phase::Playing, Some(Act::Play(sound::tone(hz, ms)))),
            Step::Beep => (Phase::Playing, Some(Act::Play(sound::beep()))),
            Step::Record { max_ms } => {
                (Phase::Wait { until: now + self.scaled(max_ms) }, Some(Act::StartMessage))
            }
            Step::StaySilent => (Phase::Done, None),
            Step::StopMedia => (Phase::Done, Some(Act::StopMedia)),
            Step::Hold { ms } => (Phase::Holding { until: now + self.scaled(ms) }, Some(Act::Hold)),
            Step::HangUp => return self.end(),
            Step::HangUpAt { ms } => {
                (Phase::Wait { until: self.connected_at.unwrap_or(now) + self.scaled(ms) }, None)
            }
        };
        self.phase = phase;
        act
    }

    fn listening(&self, now: Timestamp, senses: &Senses, ms: u32, kind: Listening) -> Phase {
        Phase::Listening { turns: senses.turns, quiet_since: now, patience: self.scaled(ms), kind }
    }

    fn listen(&mut self, now: Timestamp, senses: &Senses) -> Option<Act> {
        let Phase::Listening { turns, quiet_since, patience, kind } = &mut self.phase else { return None };
        if senses.turns > *turns {
            if *kind == Listening::Leaving {
                // A goodbye was heard: a moment for the far side to put the phone down first.
                let until = now + (*patience / 2);
                self.phase = Phase::Wait { until };
                return None;
            }
            return self.go_on();
        }
        if senses.remote_speaking {
            *quiet_since = now;
            return None;
        }
        if now.since(*quiet_since) < *patience {
            return None;
        }
        match kind {
            Listening::Patient => self.go_on(),
            Listening::Leaving => self.end(),
            Listening::Expecting => {
                let again = Step::Listen { patience_ms: (patience.mul_f32(self.speed)).as_millis() as u32 };
                if std::mem::replace(&mut self.said_hello, true) {
                    self.then(&[Step::Say(CANNOT_HEAR), Step::HangUp])
                } else {
                    self.then(&[Step::Say(HELLO), again])
                }
            }
        }
    }

    fn menu(&mut self, now: Timestamp, senses: &Senses) -> Option<Act> {
        let wait = |person: &Self, menu: &Menu| now + person.scaled(menu.wait_ms);
        let Phase::InMenu { menu, digits, give_up_at } = self.phase else { return None };
        if let Some(key) = senses.digits.get(digits).map(|digit| digit.as_char()) {
            let settled = give_up_at.map(|at| at - self.scaled(menu.wait_ms) + self.scaled(menu.settle_ms));
            if menu.settle_ms > 0 && settled.is_none_or(|at| now < at) {
                self.phase = Phase::InMenu { menu, digits: digits + 1, give_up_at };
                return None;
            }
            if menu.key == Some(key) {
                self.tries = 0;
                self.phase = Phase::Next;
                return Some(Act::Hush);
            }
            let reply = menu.others.iter().find(|(other, _)| *other == key).map(|(_, text)| *text);
            self.menu_again(menu, Some(reply.unwrap_or(menu.unknown_key)));
            return Some(Act::Hush);
        }
        match give_up_at {
            None if senses.idle => {
                self.phase = Phase::InMenu { menu, digits, give_up_at: Some(wait(self, menu)) };
            }
            Some(at) if now >= at => self.menu_again(menu, None),
            _ => {}
        }
        None
    }

    fn menu_again(&mut self, menu: &'static Menu, reply: Option<&'static str>) {
        if self.tries < menu.tries {
            self.then(&[Step::Menu(menu)]);
        } else {
            self.then(&[Step::Announce(menu.give_up), Step::HangUp]);
        }
        if let Some(reply) = reply {
            self.then(&[Step::Announce(reply)]);
        }
    }

    fn ask(&mut self, now: Timestamp, senses: &Senses) -> Option<Act> {
        let Phase::Asking { ask, digits, seen, turns, quiet_since } = &mut self.phase else { return None };
        if senses.digits.len() - *digits >= ask.keys {
            self.tries = 0;
            self.phase = Phase::Next;
            return Some(Act::Hush);
        }
        if !senses.idle || senses.remote_speaking || senses.digits.len() > *seen || quiet_since.is_none() {
            (*seen, *quiet_since) = (senses.digits.len(), Some(now));
            return None;
        }
        let spoke = senses.turns > *turns;
        let (ask, quiet) = (*ask, quiet_since.map_or(Duration::ZERO, |since| now.since(since)));
        // Who has answered something may still be about to press keys.
        if quiet < self.scaled(if spoke { ask.reply_ms } else { ask.patience_ms }) {
            return None;
        }
        if (self.tries as usize) < ask.questions.len() {
            self.then(&[Step::Ask(ask)])
        } else {
            self.then(&[Step::Say(ask.give_up), Step::Linger { ms: 3_000 }, Step::HangUp])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a script against keys pressed at these times, and writes down what is said when.
    fn play(steps: &[Step], keys: &[(i64, char)], until_ms: i64) -> Vec<(i64, &'static str)> {
        const SENTENCE_MS: i64 = 2_000;
        let (mut person, mut busy_until, mut digits, mut said) = (Person::new(steps, 1.0), 0, vec![], vec![]);
        for ms in (0..until_ms).step_by(20) {
            digits.extend(
                keys.iter().filter(|(at, _)| *at == ms).filter_map(|(_, key)| Digit::from_char(*key)),
            );
            let (connected, remote_speaking, turns) = (true, false, 0);
            loop {
                let senses =
                    Senses { connected, idle: ms >= busy_until, remote_speaking, turns, digits: &digits };
                match person.poll(Timestamp::from_unix_millis(ms), &senses) {
                    Some(Act::Say(text)) => {
                        said.push((ms, text));
                        busy_until = ms + SENTENCE_MS;
                    }
                    Some(Act::Hush) => busy_until = ms,
                    Some(_) => {}
                    None => break,
                }
            }
        }
        said
    }

    #[test]
    fn a_slow_menu_notices_no_key_within_its_prompt_or_soon_after_it() {
        const SLOW: Menu = Menu {
            prompt: "prompt",
            key: Some('2'),
            others: &[('1', "one")],
            unknown_key: "unknown",
            wait_ms: 4_000,
            tries: 3,
            give_up: "gone",
            settle_ms: 1_500,
        };
        let steps = [Step::Menu(&SLOW), Step::Announce("through")];
        for (keys, said) in [
            (&[(1_000, '2'), (3_480, '2')][..], &[(0, "prompt"), (6_000, "prompt")][..]),
            (&[(3_500, '2')], &[(0, "prompt"), (3_500, "through")]),
            (
                &[(3_000, '2'), (3_500, '1'), (8_000, '2')],
                &[(0, "prompt"), (3_500, "one"), (5_500, "prompt")],
            ),
            (&[(3_500, '3')], &[(0, "prompt"), (3_500, "unknown"), (5_500, "prompt")]),
        ] {
            assert_eq!(play(&steps, keys, 7_900), said, "{keys:?}");
        }
    }

    #[test]
    fn a_menu_without_a_way_on_gives_up_in_the_end() {
        const NOWHERE: Menu = Menu {
            prompt: "prompt",
            key: None,
            others: &[('1', "back")],
            unknown_key: "unknown",
            wait_ms: 4_000,
            tries: 2,
            give_up: "gone",
            settle_ms: 0,
        };
        let said = play(&[Step::Menu(&NOWHERE)], &[(2_000, '1'), (6_000, '1')], 12_000);
        let texts: Vec<&str> = said.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["prompt", "back", "prompt", "back", "gone"]);
    }
}

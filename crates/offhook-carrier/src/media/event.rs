//! Keys as telephone-events (RFC 4733), in both directions.

use std::collections::VecDeque;

use offhook_core::Digit;

use super::timeline::FRAME_SAMPLES;

/// A named telephone event as it travels (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    pub event: u8,
    pub end: bool,
    /// Attenuation in dB below 0 dBm0.
    pub volume: u8,
    /// In timestamp units since the event's timestamp.
    pub duration: u16,
}

impl TelephoneEvent {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low]: [u8; 4] = *payload.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

/// Hears each key once, however often its packets are repeated.
#[derive(Debug, Default)]
pub struct EventReceiver {
    last: Option<Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    ssrc: u32,
    began: u32,
    event: TelephoneEvent,
}

impl EventReceiver {
    /// The key, on the first packet of its event that arrives, be it the last one sent.
    pub fn hear(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<Digit> {
        let event = TelephoneEvent::parse(payload)?;
        let new = Heard { ssrc, began: timestamp, event };
        let Some(last) = self.last.as_mut().filter(|last| last.ssrc == ssrc) else {
            self.last = Some(new);
            return Digit::from_event(event.event);
        };
        let since = timestamp.wrapping_sub(last.began) as i32;
        if since <= 0 {
            if since == 0 {
                last.event.duration = last.event.duration.max(event.duration);
                last.event.end |= event.end;
            }
            return None;
        }
        // An event longer than its duration field goes on in a new segment (RFC 4733 §2.5.1.3).
        let before = std::mem::replace(last, new).event;
        let follows_on = since == 0xffff || since == i32::from(before.duration);
        let continues = before.event == event.event && !before.end && follows_on;
        Digit::from_event(event.event).filter(|_| !continues)
    }
}

/// A key lasts 100 ms and is followed by 80 ms without one: twice what receivers must accept (ETSI ES 201 235-3).
const TONE_TICKS: u16 = 5;
const GAP_TICKS: u16 = 4;
/// The end of an event is sent three times (RFC 4733 §2.5.1.4).
const END_REPEATS: u16 = 2;
/// Keys waiting to be sent.
const CAPACITY: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Key(Digit),
    /// So many ticks of 20 ms.
    Pause(u16),
}

/// What to send in place of the next 20 ms of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// `first`: the event begins with this 20 ms.
    Event {
        event: TelephoneEvent,
        first: bool,
    },
    /// 20 ms of this key's tones; `at` counts its ticks.
    Tone {
        digit: Digit,
        at: u16,
    },
    Silence,
}

/// Sends keys, one tick for each 20 ms of the line.
#[derive(Debug, Default)]
pub struct EventSender {
    queue: VecDeque<Step>,
    /// Ticks since the first step began.
    at: u16,
    done: bool,
}

impl EventSender {
    /// Queue keys and pauses; other characters are passed over.
    pub fn queue(&mut self, digits: &str) {
        for key in digits.chars() {
            let step = match key {
                'w' => Step::Pause(25),
                'W' => Step::Pause(50),
                key => match Digit::from_char(key) {
                    Some(digit) => Step::Key(digit),
                    None => continue,
                },
            };
            if self.queue.len() < CAPACITY {
                self.queue.push_back(step);
            }
        }
        self.done = self.queue.is_empty();
    }

    pub fn is_sending(&self) -> bool {
        !self.queue.is_empty()
    }

    /// True once after the last key went out.
    pub fn take_done(&mut self) -> bool {
        std::mem::take(&mut self.done)
    }

    /// The next 20 ms; `None` when no key is to be sent.
    pub fn tick(&mut self, in_band: bool) -> Option<Tick> {
        let step = *self.queue.front()?;
        let at = self.at;
        self.at += 1;
        let (tick, ticks) = match step {
            Step::Pause(ticks) => (Tick::Silence, ticks),
            Step::Key(digit) => (key_tick(digit, at, in_band), TONE_TICKS + GAP_TICKS),
        };
        if self.at >= ticks {
            self.queue.pop_front();
            self.at = 0;
            self.done = self.queue.is_empty();
        }
        Some(tick)
    }
}

fn key_tick(digit: Digit, at: u16, in_band: bool) -> Tick {
    if in_band {
        return if at < TONE_TICKS { Tick::Tone { digit, at } } else { Tick::Silence };
    }
    if at >= TONE_TICKS + END_REPEATS {
        return Tick::Silence;
    }
    let duration = (at + 1).min(TONE_TICKS) * FRAME_SAMPLES as u16;
    let event = TelephoneEvent { event: digit.event(), end: at + 1 >= TONE_TICKS, volume: 10, duration };
    Tick::Event { event, first: at == 0 }
}

/// The tones of a key as they would be pressed, coded by `encode`, for a far end that takes no events.
pub fn tone(digit: Digit, at: u16, mut put: impl FnMut(i16)) {
    const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
    const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    const KEYPAD: &[u8; 16] = b"123A456B789C*0#D";
    const AMPLITUDE: f32 = 6_000.0;
    let key = KEYPAD.iter().position(|key| char::from(*key) == digit.as_char()).unwrap_or(0);
    let (low, high) = (LOW[key / 4], HIGH[key % 4]);
    for sample in 0..FRAME_SAMPLES {
        let turn = (u32::from(at) * FRAME_SAMPLES + sample) as f32 * std::f32::consts::TAU / 8_000.0;
        put(((low * turn).sin() * AMPLITUDE + (high * turn).sin() * AMPLITUDE * 1.2) as i16);
    }
}

#[cfg(test)]
mod tests {
    use offhook_core::audio::tone::{Tone, ToneDetector};

    use super::*;

    #[test]
    fn an_event_reads_back() {
        for event in [
            TelephoneEvent { event: 0, end: false, volume: 0, duration: 0 },
            TelephoneEvent { event: 255, end: true, volume: 63, duration: 65_535 },
        ] {
            assert_eq!(TelephoneEvent::parse(&event.to_bytes()), Some(event));
        }
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), None);
    }

    #[test]
    fn tones_are_heard_as_the_keys_they_stand_for() {
        let keys = "0123456789*#ABCD";
        let mut sender = EventSender::default();
        sender.queue(keys);
        let mut detector = ToneDetector::new();
        let mut heard = String::new();
        while let Some(tick) = sender.tick(true) {
            let mut samples = Vec::new();
            match tick {
                Tick::Tone { digit, at } => tone(digit, at, |sample| samples.push(sample)),
                _ => samples.resize(FRAME_SAMPLES as usize, 0),
            }
            heard.extend(detector.push(&samples).filter_map(|tone| match tone {
                Tone::Digit(digit) => Some(digit.as_char()),
                _ => None,
            }));
        }
        assert_eq!(heard, keys);
        assert!(sender.take_done() && !sender.take_done());
    }

    #[test]
    fn pauses_and_nonsense_between_keys() {
        for (digits, ticks) in [("1", 9), ("w", 25), ("W", 50), ("1w2W3", 9 * 3 + 75), (" x-()", 0), ("", 0)]
        {
            let mut sender = EventSender::default();
            sender.queue(digits);
            assert_eq!(std::iter::from_fn(|| sender.tick(false)).count(), ticks, "{digits:?}");
            assert!(sender.take_done(), "{digits:?}");
        }
    }
}

//! Keys as telephone-events (RFC 4733): reading and checking them, and pressing them.

use offhook_core::Digit;

/// One event packet's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub code: u8,
    pub end: bool,
    pub reserved: bool,
    pub volume: u8,
    pub duration: u16,
}

impl Event {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, d0, d1] = *payload else { return None };
        Some(Self {
            code,
            end: flags & 0x80 != 0,
            reserved: flags & 0x40 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([d0, d1]),
        })
    }

    pub fn write(&self) -> [u8; 4] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume, d0, d1]
    }
}

/// The event that is being received.
#[derive(Clone, Copy, Debug)]
struct Held {
    code: u8,
    timestamp: u32,
    duration: u16,
    ends: u8,
}

/// Follows the event packets of one stream.
#[derive(Debug, Default)]
pub struct EventWatch {
    held: Option<Held>,
}

/// What one event packet meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pressed {
    /// A key, once per press, when it is let go.
    pub digit: Option<Digit>,
    pub broken: Vec<(&'static str, String)>,
}

impl EventWatch {
    /// The shortest press a decoder must notice (ITU-T Q.24), in timestamp units.
    const SHORTEST: u16 = 40 * 8;

    pub fn packet(&mut self, marker: bool, timestamp: u32, payload: &[u8]) -> Pressed {
        let mut pressed = Pressed::default();
        let mut broke = |rule, detail: String| pressed.broken.push((rule, detail));
        let Some(event) = Event::parse(payload) else {
            broke("event.length", format!("a payload of {} bytes", payload.len()));
            return pressed;
        };
        if event.reserved {
            broke("event.reserved", "the reserved bit is set".to_owned());
        }
        if event.code > 15 {
            broke("event.code", format!("{} is no key", event.code));
            return pressed;
        }
        match &mut self.held {
            Some(held) if held.timestamp == timestamp => {
                if held.code != event.code {
                    broke("event.code", "the key changed within one event".to_owned());
                }
                if marker {
                    broke("event.marker", "the marker is set in mid-event".to_owned());
                }
                let grows = if held.ends > 0 {
                    event.duration == held.duration
                } else {
                    event.duration >= held.duration
                };
                if !grows {
                    let (from, to) = (held.duration, event.duration);
                    broke("event.duration", format!("the duration went from {from} to {to}"));
                }
                if held.ends > 0 && !event.end {
                    broke("event.end", "the event goes on after its end".to_owned());
                }
                held.duration = event.duration;
            }
            _ => {
                if let Some(broken) = self.unfinished() {
                    broke(broken.0, broken.1);
                }
                if !marker {
                    broke("event.marker", "the first packet of an event has no marker".to_owned());
                }
                self.held = Some(Held { code: event.code, timestamp, duration: event.duration, ends: 0 });
            }
        }
        let Some(held) = &mut self.held else { return pressed };
        if event.end {
            held.ends = held.ends.saturating_add(1);
            if held.ends == 1 {
                if event.duration < Self::SHORTEST {
                    broke("event.short", format!("a key held for {} ms", event.duration / 8));
                }
                pressed.digit = Digit::from_event(event.code);
            }
        }
        pressed
    }

    /// Forgets the event that is over; what is wrong if its end did not come thrice.
    pub fn unfinished(&mut self) -> Option<(&'static str, String)> {
        let held = self.held.take()?;
        match held.ends {
            3 => None,
            ends => Some(("event.end", format!("the end came {ends} times, not thrice"))),
        }
    }
}

/// The packets of one key press of ours, 20 ms apart: growing, then the end thrice.
pub fn press(digit: Digit) -> impl Iterator<Item = Event> {
    const STEPS: u16 = 6;
    (1..=STEPS + 2).map(move |step| Event {
        code: digit.event(),
        end: step >= STEPS,
        reserved: false,
        volume: 10,
        duration: 160 * step.min(STEPS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(packets: &[(bool, u32, [u8; 4])]) -> (Vec<char>, Vec<&'static str>) {
        let (mut watch, mut digits, mut rules) = (EventWatch::default(), Vec::new(), Vec::new());
        for (marker, timestamp, payload) in packets {
            let pressed = watch.packet(*marker, *timestamp, payload);
            digits.extend(pressed.digit.map(Digit::as_char));
            rules.extend(pressed.broken.iter().map(|(rule, _)| *rule));
        }
        rules.extend(watch.unfinished().map(|(rule, _)| rule));
        (digits, rules)
    }

    #[test]
    fn our_own_press_is_one_key_and_breaks_nothing() {
        let key = Digit::from_char('#').unwrap();
        let packets: Vec<_> = press(key).enumerate().map(|(n, event)| (n == 0, 800, event.write())).collect();
        assert_eq!(packets.len(), 8);
        assert_eq!(watch(&packets), (vec!['#'], vec![]));
    }

    #[test]
    fn each_mistake_names_its_rule() {
        let event = |end, duration| Event { code: 2, end, reserved: false, volume: 10, duration }.write();
        let ends = [(false, 0, event(true, 480)); 3];
        let cases = [
            ("no marker", [&[(false, 0, event(false, 160))][..], &ends].concat(), "event.marker"),
            ("shrinks", [&[(true, 0, event(false, 640))][..], &ends].concat(), "event.duration"),
            ("two ends", [&[(true, 0, event(false, 160))][..], &ends[..2]].concat(), "event.end"),
            (
                "short",
                vec![(true, 0, event(true, 160)), (false, 0, event(true, 160)), (false, 0, event(true, 160))],
                "event.short",
            ),
            ("never ends", vec![(true, 0, event(false, 160))], "event.end"),
            ("reserved", [&[(true, 0, [2, 0x4a, 0, 160])][..], &ends].concat(), "event.reserved"),
        ];
        for (name, packets, rule) in cases {
            assert_eq!(watch(&packets).1, [rule], "{name}");
        }
    }
}

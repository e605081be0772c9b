//! The stream we send: packets of the negotiated length, with timestamps that tell the truth about pauses.

use std::time::Duration;

use offhook_core::audio::{FRAME, SampleRate};
use offhook_core::{AudioFormat, Frame, Timestamp};

use super::conceal::{decode, encode};
use super::event::{EventSender, Tick, tone};
use super::packet::{HEADER_LEN, Header};
use super::timeline::FRAME_SAMPLES;

/// The longest packet: 60 ms, and room for an SRTP tag.
pub const MAX_PACKET: usize = HEADER_LEN + 480 + 32;

/// A caller this late did not play; its timestamps jump.
const LATE: Duration = Duration::from_millis(100);

/// Digits go on by themselves when the caller is this late.
const PATIENCE: Duration = Duration::from_millis(60);

/// How the far end wants its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub format: AudioFormat,
    pub payload_type: u8,
    /// `None`: the far end takes no telephone-events.
    pub event_payload_type: Option<u8>,
    pub ptime_ms: u8,
}

#[derive(Debug)]
pub struct Outbound {
    layout: Layout,
    ssrc: u32,
    sequence: u16,
    /// The timestamp of the next audio.
    timestamp: u32,
    /// The next packet is the first after a pause.
    marker: bool,
    /// Audio of packets longer than a frame, not yet complete.
    pending: Vec<u8>,
    /// When the next frame is due.
    due_at: Option<Timestamp>,
    digits: EventSender,
    event_timestamp: u32,
    buffer: [u8; MAX_PACKET],
    pub packets: u32,
    pub octets: u32,
    pub sent_samples: u64,
}

impl Outbound {
    pub fn new(layout: Layout, ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            layout,
            ssrc,
            sequence,
            timestamp,
            marker: true,
            pending: Vec::new(),
            due_at: None,
            digits: EventSender::default(),
            event_timestamp: 0,
            buffer: [0; MAX_PACKET],
            packets: 0,
            octets: 0,
            sent_samples: 0,
        }
    }

    pub fn set_layout(&mut self, layout: Layout) {
        if layout != self.layout {
            self.pending.clear();
            self.layout = layout;
        }
    }

    /// Send 20 ms of audio, or what the digits put in its place. `send` gets each packet, with room behind it.
    pub fn play(&mut self, now: Timestamp, frame: &Frame, mut send: impl FnMut(&mut Outgoing<'_>)) {
        self.keep_time(now);
        if self.tick_digits(&mut send) {
            return;
        }
        match (frame.format(), self.layout.format) {
            (from, to) if from == to => self.audio(frame.bytes(), &mut send),
            (AudioFormat::Pcmu | AudioFormat::Pcma, to) => {
                let from = frame.format();
                let mut recoded = frame.clone();
                recoded.bytes_mut().iter_mut().for_each(|byte| *byte = encode(to, decode(from, *byte)));
                self.audio(recoded.bytes(), &mut send);
            }
            (AudioFormat::Pcm16(SampleRate::Hz8000), to) => {
                let mut coded = [0; FRAME_SAMPLES as usize];
                let samples = frame.bytes().chunks_exact(2);
                let len = samples.len();
                for (byte, sample) in coded.iter_mut().zip(samples) {
                    *byte = encode(to, i16::from_le_bytes([sample[0], sample[1]]));
                }
                self.audio(&coded[..len], &mut send);
            }
            // A rate the line does not have: nothing that could be sent.
            _ => {}
        }
    }

    /// Queue keys. They go out even if nothing is ever played.
    pub fn send_digits(&mut self, now: Timestamp, digits: &str) {
        self.digits.queue(digits);
        self.due_at.get_or_insert(now);
    }

    pub fn take_digits_sent(&mut self) -> bool {
        self.digits.take_done()
    }

    /// When digits go on without the caller, who should have played by then.
    pub fn deadline(&self) -> Option<Timestamp> {
        let due_at = self.due_at?;
        self.digits.is_sending().then(|| due_at + PATIENCE)
    }

    /// Send digits for a caller who does not play.
    pub fn timeout(&mut self, now: Timestamp, mut send: impl FnMut(&mut Outgoing<'_>)) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.keep_time(now);
            self.tick_digits(&mut send);
        }
    }

    /// The timestamp that belongs to this moment.
    pub fn timestamp_at(&self, now: Timestamp) -> u32 {
        let since_due = self.due_at.map_or(0, |due_at| now.unix_micros() - due_at.unix_micros());
        // `timestamp` is that of the frame due at `due_at`.
        self.timestamp.wrapping_add((since_due * 8 / 1_000) as u32)
    }

    /// Skip the timestamps of a pause, so that the far end can tell it from a loss.
    fn keep_time(&mut self, now: Timestamp) {
        let due_at = *self.due_at.get_or_insert(now);
        let late = now.since(due_at);
        if late >= LATE {
            let frames = (late.as_millis() / FRAME.as_millis()) as u32;
            self.timestamp = self.timestamp.wrapping_add(frames.wrapping_mul(FRAME_SAMPLES));
            self.marker = true;
            self.pending.clear();
            self.due_at = Some(now + FRAME);
        } else {
            self.due_at = Some(due_at + FRAME);
        }
    }

    /// 20 ms of digits, if any are to be sent.
    fn tick_digits(&mut self, send: &mut impl FnMut(&mut Outgoing<'_>)) -> bool {
        let event_payload_type = self.layout.event_payload_type;
        let Some(tick) = self.digits.tick(event_payload_type.is_none()) else { return false };
        let format = self.layout.format;
        match (tick, event_payload_type) {
            (Tick::Event { event, first }, Some(payload_type)) => {
                if first {
                    self.flush(send);
                    self.event_timestamp = self.timestamp;
                }
                self.packet(payload_type, self.event_timestamp, first, &event.to_bytes(), send);
                self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES);
                self.marker = true;
            }
            (Tick::Tone { digit, at }, _) => {
                let mut coded = [0; FRAME_SAMPLES as usize];
                let mut index = 0;
                tone(digit, at, |sample| {
                    coded[index] = encode(format, sample);
                    index += 1;
                });
                self.audio(&coded, send);
            }
            _ => self.audio(&[format.silence_byte(); FRAME_SAMPLES as usize], send),
        }
        true
    }

    fn audio(&mut self, bytes: &[u8], send: &mut impl FnMut(&mut Outgoing<'_>)) {
        let len = usize::from(self.layout.ptime_ms) * 8;
        if self.pending.is_empty() && bytes.len() == len {
            self.audio_packet(bytes, send);
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes);
        let mut packets = pending.chunks_exact(len.max(1));
        packets.by_ref().for_each(|packet| self.audio_packet(packet, send));
        let rest = packets.remainder().len();
        pending.drain(..pending.len() - rest);
        self.pending = pending;
    }

    /// Send what is left of a packet that won't be completed.
    fn flush(&mut self, send: &mut impl FnMut(&mut Outgoing<'_>)) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.audio_packet(&pending, send);
        }
    }

    fn audio_packet(&mut self, bytes: &[u8], send: &mut impl FnMut(&mut Outgoing<'_>)) {
        let marker = std::mem::take(&mut self.marker);
        self.packet(self.layout.payload_type, self.timestamp, marker, bytes, send);
        self.timestamp = self.timestamp.wrapping_add(bytes.len() as u32);
        self.sent_samples += bytes.len() as u64;
    }

    fn packet(
        &mut self,
        payload_type: u8,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
        send: &mut impl FnMut(&mut Outgoing<'_>),
    ) {
        let len = HEADER_LEN + payload.len();
        let Some(room) = self.buffer.get_mut(HEADER_LEN..len) else { return };
        room.copy_from_slice(payload);
        let header = Header { marker, ..Header::new(payload_type, self.sequence, timestamp, self.ssrc) };
        header.write(&mut self.buffer);
        send(&mut Outgoing { header, buffer: &mut self.buffer, len });
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
    }
}

/// A packet ready to be encrypted in place and sent.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub header: Header,
    /// The packet is `buffer[..len]`; the rest is room for what encryption adds.
    pub buffer: &'a mut [u8],
    pub len: usize,
}

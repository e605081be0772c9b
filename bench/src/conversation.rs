//! What the model says in one session, event by event, in the shapes of the GA protocol.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::marker::{Marker, Sound};
use crate::websocket;

/// How the model's turns go.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Frames of speech in a turn.
    pub speech: u32,
    /// Frames that come at once when speech begins: how far the model is ahead of real time.
    pub ahead: u32,
    /// Frames without speech between two turns.
    pub pause: u32,
    pub sound: Sound,
}

#[derive(Debug)]
pub struct Conversation {
    session: u32,
    turns: Turns,
    turn: u32,
    state: State,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was asked for yet.
    Waiting,
    /// So many frames of the turn are out.
    Speaking(u32),
    /// So many frames of the pause are over.
    Pausing(u32),
}

/// Frames after the last of a turn was heard, until the callee is said to speak, and to have spoken.
const CALLEE_BEGINS: u32 = 10;
const CALLEE_ENDS: u32 = 25;

impl Conversation {
    pub fn new(session: u32, turns: Turns) -> Self {
        Self { session, turns, turn: 0, state: State::Waiting, scratch: Vec::new() }
    }

    pub fn sound(&self) -> Sound {
        self.turns.sound
    }

    pub fn is_due(&self) -> bool {
        self.state != State::Waiting
    }

    pub fn created(&mut self, out: &mut Vec<u8>) {
        let session = self.session();
        self.event(out, "session.created", &session);
    }

    pub fn handle(&mut self, event: &Value, out: &mut Vec<u8>) {
        match event["type"].as_str().unwrap_or_default() {
            "session.update" => {
                let session = self.session();
                self.event(out, "session.updated", &session);
            }
            "response.create" if self.state == State::Waiting => {
                self.begin(out);
            }
            "response.create" => {
                let error = r#""error":{"type":"invalid_request_error","code":"conversation_already_has_active_response","message":"busy"}"#;
                self.event(out, "error", error);
            }
            _ => {}
        }
    }

    /// Twenty milliseconds have passed. How many frames of speech were written.
    pub fn talk(&mut self, now: u64, out: &mut Vec<u8>) -> u64 {
        match self.state {
            State::Waiting => 0,
            State::Speaking(0) => self.frames(now, 0, self.turns.ahead.min(self.turns.speech), out),
            State::Speaking(number) if number < self.turns.speech => {
                self.word(number - self.turns.ahead, out);
                self.frames(now, number, 1, out)
            }
            State::Speaking(_) => {
                self.end(out);
                self.state = State::Pausing(0);
                0
            }
            State::Pausing(over) => {
                self.pause(over + 1, out);
                0
            }
        }
    }

    fn frames(&mut self, now: u64, from: u32, count: u32, out: &mut Vec<u8>) -> u64 {
        let ids = self.ids();
        let mut delta = std::mem::take(&mut self.scratch);
        delta.clear();
        let _ = write!(delta, r#"{ids},"output_index":0,"content_index":0,"delta":""#);
        let start = delta.len();
        let sound = self.turns.sound;
        delta.resize(start + (count as usize * sound.frame()).div_ceil(3) * 4, 0);
        let marker = |number| Marker { sent_at: now, utterance: self.turn, number };
        let audio: Vec<u8> = (from..from + count).flat_map(|number| marker(number).frame_of(sound)).collect();
        let _ = STANDARD.encode_slice(audio, &mut delta[start..]);
        delta.push(b'"');
        self.write(out, "response.output_audio.delta", &delta);
        self.scratch = delta;
        self.state = State::Speaking(from + count);
        u64::from(count)
    }

    /// A response of the model's own, as after a turn of the callee.
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.turn += 1;
        self.state = State::Speaking(0);
        let (response, item) = (self.response(), self.item());
        let created = format!(
            r#""response":{{"object":"realtime.response","id":"{response}","status":"in_progress","status_details":null,"output":[],"output_modalities":["audio"],"metadata":null,"usage":null}}"#
        );
        self.event(out, "response.created", &created);
        let message = format!(
            r#"{{"id":"{item}","object":"realtime.item","type":"message","status":"in_progress","role":"assistant","content":[]}}"#
        );
        let added = format!(r#""response_id":"{response}","output_index":0,"item":{message}"#);
        self.event(out, "response.output_item.added", &added);
        self.event(out, "conversation.item.added", &format!(r#""previous_item_id":null,"item":{message}"#));
        let part = format!(
            r#"{},"output_index":0,"content_index":0,"part":{{"type":"audio","transcript":""}}"#,
            self.ids()
        );
        self.event(out, "response.content_part.added", &part);
    }

    /// The words come bit by bit beside the audio.
    fn word(&mut self, index: u32, out: &mut Vec<u8>) {
        if let Some(word) = WORDS.split_inclusive(' ').nth(index as usize) {
            let delta = format!(r#"{},"output_index":0,"content_index":0,"delta":"{word}""#, self.ids());
            self.event(out, "response.output_audio_transcript.delta", &delta);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let (response, item) = (self.response(), self.item());
        let place = format!(r#"{},"output_index":0,"content_index":0"#, self.ids());
        self.event(out, "response.output_audio.done", &place);
        self.event(
            out,
            "response.output_audio_transcript.done",
            &format!(r#"{place},"transcript":"{WORDS}""#),
        );
        let part = format!(r#"{place},"part":{{"type":"audio","transcript":"{WORDS}"}}"#);
        self.event(out, "response.content_part.done", &part);
        let message = format!(
            r#"{{"id":"{item}","object":"realtime.item","type":"message","status":"completed","role":"assistant","content":[{{"type":"output_audio","transcript":"{WORDS}"}}]}}"#
        );
        let done = format!(r#""response_id":"{response}","output_index":0,"item":{message}"#);
        self.event(out, "response.output_item.done", &done);
        self.event(out, "conversation.item.done", &format!(r#""previous_item_id":null,"item":{message}"#));
        let done = format!(
            r#""response":{{"object":"realtime.response","id":"{response}","status":"completed","status_details":null,"output":[{message}],"output_modalities":["audio"],"metadata":null,"usage":{{"total_tokens":100,"input_tokens":50,"output_tokens":50}}}}"#
        );
        self.event(out, "response.done", &done);
        let limits =
            r#""rate_limits":[{"name":"tokens","limit":800000,"remaining":799000,"reset_seconds":0.1}]"#;
        self.event(out, "rate_limits.updated", limits);
    }

    /// The callee answers in the pause, once all the speech was played.
    fn pause(&mut self, over: u32, out: &mut Vec<u8>) {
        self.state = State::Pausing(over);
        let played = self.turns.ahead;
        let item = format!("item_callee_{}_{}", self.session, self.turn);
        if over == played + CALLEE_BEGINS {
            let started = format!(r#""item_id":"{item}","audio_start_ms":{}"#, self.turn * 1_000);
            self.event(out, "input_audio_buffer.speech_started", &started);
        } else if over == played + CALLEE_ENDS {
            let stopped = format!(r#""item_id":"{item}","audio_end_ms":{}"#, self.turn * 1_000 + 300);
            self.event(out, "input_audio_buffer.speech_stopped", &stopped);
            let committed = format!(r#""item_id":"{item}","previous_item_id":null"#);
            self.event(out, "input_audio_buffer.committed", &committed);
        }
        if over >= self.turns.pause.max(played + CALLEE_ENDS) {
            let transcript = format!(
                r#""item_id":"{item}","content_index":0,"transcript":"Yes, go on.","usage":{{"type":"duration","seconds":1}}"#
            );
            self.event(out, "conversation.item.input_audio_transcription.completed", &transcript);
            self.begin(out);
        }
    }

    fn session(&self) -> String {
        let sound = self.turns.sound.name();
        format!(
            r#""session":{{"type":"realtime","object":"realtime.session","id":"sess_bench","model":"bench","output_modalities":["audio"],"audio":{{"input":{{"format":{sound}}},"output":{{"format":{sound},"voice":"marin"}}}}}}"#
        )
    }

    fn response(&self) -> String {
        format!("resp_bench{:08}turn{:06}", self.session, self.turn)
    }

    fn item(&self) -> String {
        format!("item_bench{:08}turn{:06}", self.session, self.turn)
    }

    fn ids(&self) -> String {
        format!(r#""response_id":"{}","item_id":"{}""#, self.response(), self.item())
    }

    fn event(&mut self, out: &mut Vec<u8>, kind: &str, fields: &str) {
        self.write(out, kind, fields.as_bytes());
    }

    fn write(&self, out: &mut Vec<u8>, kind: &str, fields: &[u8]) {
        let mut text = Vec::with_capacity(96 + kind.len() + fields.len());
        let _ = write!(text, r#"{{"type":"{kind}","event_id":"event_bench{:012}","#, self.turn);
        text.extend_from_slice(fields);
        text.push(b'}');
        websocket::write_text(out, &text);
    }
}

const WORDS: &str =
    "Good morning, I am calling about the repair of the rear wheel and would like to know when it is ready.";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn events(mut bytes: &[u8]) -> Vec<Value> {
        let mut events = Vec::new();
        while let [0x81, short, rest @ ..] = bytes {
            let (len, rest) = match short {
                126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
                short => (usize::from(*short), rest),
            };
            events.push(serde_json::from_slice(&rest[..len]).unwrap());
            bytes = &rest[len..];
        }
        assert!(bytes.is_empty());
        events
    }

    #[test]
    fn turns_follow_each_other() {
        let mut talk = Conversation::new(1, Turns { speech: 5, ahead: 3, pause: 30, sound: Sound::Pcm });
        let mut out = Vec::new();
        talk.created(&mut out);
        talk.handle(&json!({"type": "session.update"}), &mut out);
        assert!(!talk.is_due());
        talk.handle(&json!({"type": "response.create"}), &mut out);
        let frames: u64 = (0..45).map(|beat| talk.talk(beat, &mut out)).sum();
        assert_eq!(frames, 5 + 5);
        let kinds: Vec<String> =
            events(&out).iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        let mut told = kinds;
        told.retain(|kind| !["transcript", "part", "conversation"].iter().any(|word| kind.contains(word)));
        told.dedup();
        assert_eq!(
            told.join(" "),
            "session.created session.updated response.created response.output_item.added \
             response.output_audio.delta response.output_audio.done response.output_item.done response.done \
             rate_limits.updated input_audio_buffer.speech_started input_audio_buffer.speech_stopped \
             input_audio_buffer.committed response.created response.output_item.added response.output_audio.delta \
             response.output_audio.done response.output_item.done response.done rate_limits.updated"
        );
    }

    #[test]
    fn speech_is_a_burst_and_then_a_frame_at_a_time() {
        let mut talk = Conversation::new(1, Turns { speech: 5, ahead: 3, pause: 30, sound: Sound::Pcm });
        let mut out = Vec::new();
        talk.handle(&json!({"type": "response.create"}), &mut out);
        out.clear();
        let mut frames = Vec::new();
        for beat in 0..3 {
            talk.talk(beat, &mut out);
            for event in events(&out).iter().filter(|event| event["type"] == "response.output_audio.delta") {
                let audio = STANDARD.decode(event["delta"].as_str().unwrap()).unwrap();
                frames.push(
                    audio
                        .chunks(Sound::Pcm.frame())
                        .map(|frame| Marker::read(frame).unwrap().number)
                        .collect::<Vec<_>>(),
                );
            }
            out.clear();
        }
        assert_eq!(frames, [vec![0, 1, 2], vec![3], vec![4]]);
    }
}

//! What is said on the media connection: JSON in text frames, audio as Base64 within.
//!
//! Fifty times a second each way there is a frame of audio. Those from ACS have one shape, which is read where it lies;
//! whatever is of another shape, and still JSON, is read the long way.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use offhook_core::audio::SampleRate;
use offhook_core::{AudioFormat, Digit, Frame};
use serde_json::Value;

use super::tone;
use super::websocket::{self, Sent};

/// One message from ACS.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are frames")]
pub enum Heard {
    Frame(Frame),
    /// More audio than fits a frame.
    Audio(Vec<u8>),
    Metadata(Metadata),
    Digit(Digit),
    /// JSON that does not concern us.
    Other,
    /// Nothing we can read.
    Junk,
}

/// What the audio will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    Pcm(SampleRate),
    /// Another rate, several channels, or no PCM.
    Unusable,
}

/// Read one message; audio is in this format.
pub fn read(text: &[u8], format: AudioFormat) -> Heard {
    match Cursor::new(text).audio() {
        Some(Audio { data, silent }) => {
            decode(data, silent, format).unwrap_or_else(|| read_any(text, format))
        }
        None => read_any(text, format),
    }
}

/// What the frame says, as it stands in the text.
struct Audio<'a> {
    data: &'a [u8],
    silent: bool,
}

/// `None` where it is no Base64.
fn decode(data: &[u8], silent: bool, format: AudioFormat) -> Option<Heard> {
    if data.is_empty() {
        return Some(if silent { Heard::Frame(Frame::silence(format)) } else { Heard::Other });
    }
    let mut bytes = [0; Frame::CAPACITY];
    if base64::decoded_len_estimate(data.len()) > Frame::CAPACITY + 2 {
        return BASE64_STANDARD.decode(data).ok().map(|audio| long(audio, silent, format));
    }
    let len = BASE64_STANDARD.decode_slice(data, &mut bytes).ok()?;
    let whole = len - len % format.bytes_per_sample();
    if silent {
        bytes[..whole].fill(format.silence_byte());
    }
    match Frame::from_bytes(format, &bytes[..whole]) {
        Some(frame) => Some(Heard::Frame(frame)),
        None => Some(long(bytes[..whole].to_vec(), silent, format)),
    }
}

fn long(mut audio: Vec<u8>, silent: bool, format: AudioFormat) -> Heard {
    audio.truncate(audio.len() - audio.len() % format.bytes_per_sample());
    if silent {
        audio.fill(format.silence_byte());
    }
    Heard::Audio(audio)
}

/// Reads the one shape that nearly all messages have; gives up at anything else.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// `{"kind":"AudioData","audioData":{"timestamp":"…","data":"…","silent":false}}`, in any casing.
    fn audio(&mut self) -> Option<Audio<'a>> {
        self.take(b'{')?;
        self.key(b"kind")?;
        let kind = self.string()?;
        if !kind.eq_ignore_ascii_case(b"AudioData") {
            return None;
        }
        self.take(b',')?;
        self.key(b"audioData")?;
        self.take(b'{')?;
        let (mut data, mut silent) = (None, None);
        loop {
            let name = self.string()?;
            self.take(b':')?;
            // What is said twice is for the long way to decide.
            if name.eq_ignore_ascii_case(b"data") {
                let again = data.replace(self.string()?).is_some();
                (!again).then_some(())?;
            } else if name.eq_ignore_ascii_case(b"silent") || name.eq_ignore_ascii_case(b"isSilent") {
                let again = silent.replace(self.flag()?).is_some();
                (!again).then_some(())?;
            } else {
                self.text_or_null()?;
            }
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        self.take(b'}')?;
        self.end()?;
        Some(Audio { data: data?, silent: silent.unwrap_or(false) })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn key(&mut self, expected: &[u8]) -> Option<()> {
        let name = self.string()?;
        if !name.eq_ignore_ascii_case(expected) {
            return None;
        }
        self.take(b':')
    }

    /// Without escapes: what has one is read the long way. Looks sixteen bytes ahead at a time.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let rest = self.text.get(self.at..)?;
        let is_special = |byte: &u8| *byte == b'"' || *byte == b'\\';
        let (blocks, _) = rest.as_chunks::<16>();
        let plain =
            blocks.iter().take_while(|block| !block.iter().fold(false, |any, byte| any | is_special(byte)));
        let from = plain.count() * 16;
        let len = from + rest[from..].iter().position(is_special)?;
        if rest[len] != b'"' {
            return None;
        }
        self.at += len + 1;
        Some(&rest[..len])
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.skip_space();
        let end = self.at + word.len();
        (self.text.get(self.at..end)? == word).then(|| self.at = end)
    }

    fn flag(&mut self) -> Option<bool> {
        if self.word(b"false").is_some() {
            return Some(false);
        }
        self.word(b"true").map(|()| true)
    }

    fn text_or_null(&mut self) -> Option<()> {
        self.skip_space();
        match self.text.get(self.at)? {
            b'"' => self.string().map(|_| ()),
            _ => self.word(b"null"),
        }
    }

    fn end(&mut self) -> Option<()> {
        self.skip_space();
        (self.at == self.text.len()).then_some(())
    }
}

/// Any message, the long way.
pub(super) fn read_any(text: &[u8], format: AudioFormat) -> Heard {
    let Ok(message) = serde_json::from_slice::<Value>(text) else { return Heard::Junk };
    let Some(kind) = field(&message, "kind").and_then(Value::as_str) else { return Heard::Junk };
    let kind = kind.to_ascii_lowercase();
    // `audioData` belongs to `AudioData`, and so on.
    let Some(body) = field(&message, &kind) else { return Heard::Other };
    match kind.as_str() {
        "audiodata" => audio(body, format),
        "audiometadata" => Heard::Metadata(metadata(body)),
        "dtmfdata" => {
            let key = field(body, "data").and_then(Value::as_str).and_then(tone::read);
            key.map_or(Heard::Other, Heard::Digit)
        }
        _ => Heard::Other,
    }
}

fn audio(body: &Value, format: AudioFormat) -> Heard {
    let data = field(body, "data").and_then(Value::as_str).unwrap_or_default();
    let silent = field(body, "silent").or_else(|| field(body, "isSilent")).and_then(Value::as_bool);
    decode(data.as_bytes(), silent.unwrap_or(false), format).unwrap_or(Heard::Junk)
}

fn metadata(body: &Value) -> Metadata {
    let number = |name: &str| {
        let value = field(body, name)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let encoding = field(body, "encoding").and_then(Value::as_str).unwrap_or("PCM");
    if !encoding.to_ascii_lowercase().starts_with("pcm") || number("channels").is_some_and(is_more_than_mono)
    {
        return Metadata::Unusable;
    }
    match number("sampleRate") {
        Some(24_000) => Metadata::Pcm(SampleRate::Hz24000),
        Some(16_000) => Metadata::Pcm(SampleRate::Hz16000),
        Some(8_000) => Metadata::Pcm(SampleRate::Hz8000),
        _ => Metadata::Unusable,
    }
}

/// More than one channel was not asked for.
fn is_more_than_mono(channels: u64) -> bool {
    channels > 1
}

/// A field by its name in any casing.
fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

const BEFORE: &[u8] = br#"{"Kind":"AudioData","AudioData":{"Data":""#;
const AFTER: &[u8] = br#""},"StopAudio":null}"#;
const STOP: &[u8] = br#"{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}"#;

/// A frame of ours, as a whole WebSocket frame.
pub fn write_audio(out: &mut Vec<u8>, audio: &[u8]) {
    let encoded = audio.len().div_ceil(3) * 4;
    websocket::write_header(out, Sent::Text, BEFORE.len() + encoded + AFTER.len());
    out.extend_from_slice(BEFORE);
    let from = out.len();
    out.resize(from + encoded, 0);
    // It has exactly the room it needs.
    let written = BASE64_STANDARD.encode_slice(audio, &mut out[from..]);
    debug_assert_eq!(written, Ok(encoded));
    out.extend_from_slice(AFTER);
}

/// Play no more of what was sent.
pub fn write_stop(out: &mut Vec<u8>) {
    websocket::write_frame(out, Sent::Text, STOP);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ24: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);
    const HZ16: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz16000);

    fn tone(len: usize) -> Vec<u8> {
        (0..len).map(|index| (index * 7 % 251) as u8).collect()
    }

    fn frame(bytes: &[u8]) -> Heard {
        Heard::Frame(Frame::from_bytes(HZ24, bytes).expect("a frame"))
    }

    /// As ACS sends it, and in every other casing and order.
    #[test]
    fn audio_in_any_casing() {
        let bytes = tone(960);
        let data = BASE64_STANDARD.encode(&bytes);
        for (text, short_cut) in [
            (
                format!(
                    r#"{{"kind":"AudioData","audioData":{{"timestamp":"2024-11-15T19:16:12.925Z","participantRawID":"8:acs:u","data":"{data}","silent":false}}}}"#
                ),
                true,
            ),
            (
                format!(
                    r#"{{"Kind":"AudioData","AudioData":{{"Data":"{data}","Timestamp":"2024","ParticipantRawID":null,"IsSilent":false}},"StopAudio":null}}"#
                ),
                false,
            ),
            (format!(r#"{{"kind":"audioData","audioData":{{"data":"{data}","isSilent":false}}}}"#), true),
            (
                format!("{{ \"kind\" : \"AudioData\",\n \"audioData\" : {{ \"data\" : \"{data}\" }} }}\r\n"),
                true,
            ),
            (format!(r#"{{"audioData":{{"data":"{data}"}},"kind":"AudioData"}}"#), false),
            (format!(r#"{{"kind":"AudioData","audioData":{{"data":"{data}","volume":0.5}}}}"#), false),
            (
                format!(
                    r#"{{"kind":"AudioData","audioData":{{"data":"{}"}}}}"#,
                    data.replace('+', "\\u002B").replace('/', "\\/")
                ),
                false,
            ),
        ] {
            assert_eq!(read(text.as_bytes(), HZ24), frame(&bytes), "{}…", &text[..60]);
            assert_eq!(Cursor::new(text.as_bytes()).audio().is_some(), short_cut, "{}…", &text[..60]);
        }
    }

    #[test]
    fn silence_is_audio_too() {
        let silence = Heard::Frame(Frame::silence(HZ24));
        let zeros = BASE64_STANDARD.encode([0; 960]);
        let noise = BASE64_STANDARD.encode(tone(960));
        for data in [zeros.as_str(), noise.as_str(), ""] {
            let text = format!(r#"{{"kind":"AudioData","audioData":{{"data":"{data}","silent":true}}}}"#);
            assert_eq!(read(text.as_bytes(), HZ24), silence);
        }
        let text = r#"{"kind":"AudioData","audioData":{"data":null,"silent":true}}"#;
        assert_eq!(read(text.as_bytes(), HZ24), silence);
    }

    #[test]
    fn frames_of_any_length() {
        let text = |len| {
            let data = BASE64_STANDARD.encode(tone(len));
            format!(r#"{{"kind":"AudioData","audioData":{{"data":"{data}","silent":false}}}}"#)
        };
        assert_eq!(read(text(960).as_bytes(), HZ24), frame(&tone(960)));
        assert_eq!(read(text(320).as_bytes(), HZ24), frame(&tone(320)));
        assert_eq!(read(text(959).as_bytes(), HZ24), frame(&tone(959)[..958]));
        assert_eq!(read(text(1_920).as_bytes(), HZ24), Heard::Audio(tone(1_920)));
        assert_eq!(read(text(961).as_bytes(), HZ24), Heard::Audio(tone(960)));
        assert_eq!(read(text(960).as_bytes(), HZ16), Heard::Audio(tone(960)));
        let short = Frame::from_bytes(HZ16, &tone(640)).unwrap();
        assert_eq!(read(text(640).as_bytes(), HZ16), Heard::Frame(short));
        assert_eq!(read(text(0).as_bytes(), HZ24), Heard::Other);
    }

    #[test]
    fn what_the_audio_will_be() {
        for (fields, expected) in [
            (
                r#""encoding":"PCM","sampleRate":24000,"channels":1,"length":960"#,
                Metadata::Pcm(SampleRate::Hz24000),
            ),
            (
                r#""encoding":"PCM","sampleRate":16000,"channels":1,"length":640"#,
                Metadata::Pcm(SampleRate::Hz16000),
            ),
            (r#""Encoding":"pcm","SampleRate":"24000""#, Metadata::Pcm(SampleRate::Hz24000)),
            (r#""encoding":"PCM","sampleRate":44100,"channels":1"#, Metadata::Unusable),
            (r#""encoding":"PCM","sampleRate":24000,"channels":2"#, Metadata::Unusable),
            (r#""encoding":"opus","sampleRate":24000,"channels":1"#, Metadata::Unusable),
            ("", Metadata::Unusable),
        ] {
            let text = format!(r#"{{"kind":"AudioMetadata","audioMetadata":{{{fields}}}}}"#);
            assert_eq!(read(text.as_bytes(), HZ24), Heard::Metadata(expected), "{fields}");
        }
    }

    #[test]
    fn keys_as_symbols_and_words() {
        for (data, key) in [("3", '3'), ("#", '#'), ("pound", '#'), ("Asterisk", '*'), ("nine", '9')] {
            let text = format!(r#"{{"kind":"DtmfData","dtmfData":{{"data":"{data}"}}}}"#);
            assert_eq!(read(text.as_bytes(), HZ24), Heard::Digit(Digit::from_char(key).unwrap()));
        }
    }

    #[test]
    fn what_can_not_be_read_is_nothing() {
        for (text, expected) in [
            ("", Heard::Junk),
            ("hello", Heard::Junk),
            ("{}", Heard::Junk),
            ("[]", Heard::Junk),
            (r#"{"kind":7}"#, Heard::Junk),
            (r#"{"kind":"AudioData","audioData":{"data":"not base64!"}}"#, Heard::Junk),
            (r#"{"kind":"AudioData","audioData":{"data":"AAAA","silent":"#, Heard::Junk),
            (r#"{"kind":"AudioData","audioData":{"data":"AAAA"}} trailing"#, Heard::Junk),
            (r#"{"kind":"AudioData"}"#, Heard::Other),
            (r#"{"kind":"MarkData","markData":{"id":"1"}}"#, Heard::Other),
            (r#"{"kind":"DtmfData","dtmfData":{"data":"eleven"}}"#, Heard::Other),
        ] {
            assert_eq!(read(text.as_bytes(), HZ24), expected, "{text}");
        }
        assert_eq!(read(b"\xff\xfe", HZ24), Heard::Junk);
    }

    #[test]
    fn what_we_say_is_what_microsoft_documents() {
        for len in [960, 640, 1, 0] {
            let mut out = Vec::new();
            write_audio(&mut out, &tone(len));
            let data = BASE64_STANDARD.encode(tone(len));
            let text = format!(r#"{{"Kind":"AudioData","AudioData":{{"Data":"{data}"}},"StopAudio":null}}"#);
            assert!(out.ends_with(text.as_bytes()), "{len}");
            assert!(out.len() - text.len() <= 4);
        }
        let mut out = Vec::new();
        write_stop(&mut out);
        let stop: Value = serde_json::from_slice(&out[2..]).unwrap();
        assert_eq!(stop, serde_json::json!({"Kind": "StopAudio", "AudioData": null, "StopAudio": {}}));
    }
}

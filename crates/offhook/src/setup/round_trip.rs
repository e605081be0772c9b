//! A spoken round trip: the model says a sentence, hears it again as if somebody had said it to it, and must have
//! understood. Key, deployment, voice, transcription and both directions of audio are then known to work.

use std::time::Duration;

use offhook_core::audio::AudioFormat;
use offhook_core::brief::{Brief, Opening};
use offhook_core::call::{SpeechCommand, SpeechEvent};
use offhook_core::{Frame, Words};
use offhook_speech::{Model, Prompt, SpeechOutput, SpeechSession};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

const SENTENCE: &str = "This is a test of the telephone.";
const FORMAT: AudioFormat = AudioFormat::Pcmu;
const FRAME: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
/// After the sentence, so that its end is heard: two seconds.
const SILENCE: usize = 100;

/// How it went.
#[derive(Clone, Debug)]
pub struct Trip {
    /// What the model said, by its own account.
    pub said: String,
    /// What it understood of that.
    pub heard: String,
    pub spoke_after: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum TripError {
    #[error("the model could not be opened, or was lost: {0}")]
    Lost(String),
    #[error("the model was opened, but said nothing within {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("the model spoke, but did not hear it again within {} seconds", PATIENCE.as_secs())]
    Deaf,
    #[error("the model said {said:?} and understood {heard:?}; check the transcription model")]
    Misheard { said: String, heard: String },
}

pub async fn round_trip(model: &Model) -> Result<Trip, TripError> {
    let brief =
        Brief { opening: Opening::SpeakFirst, ..Brief::new("Say what you are told to say.".to_owned()) };
    let format = model.format_for(FORMAT);
    let mut session = model.open(Prompt { brief, language: "en-US".to_owned(), format });
    let spoken = timeout(PATIENCE, speak(&mut session)).await.map_err(|_| TripError::Silent)??;
    let heard = timeout(PATIENCE, hear(&mut session, &spoken.audio)).await.map_err(|_| TripError::Deaf)??;
    let _ = session.send(SpeechCommand::Close);
    match understood(&spoken.said, &heard) {
        true => Ok(Trip { said: spoken.said, heard, spoke_after: spoken.after }),
        false => Err(TripError::Misheard { said: spoken.said, heard }),
    }
}

struct Spoken {
    said: String,
    audio: Vec<u8>,
    after: Duration,
}

async fn speak(session: &mut SpeechSession) -> Result<Spoken, TripError> {
    let (mut said, mut audio) = (String::new(), Vec::new());
    let (mut asked_at, mut after) = (Instant::now(), None);
    loop {
        match session.next().await {
            SpeechOutput::Event(SpeechEvent::Ready { .. }) => {
                asked_at = Instant::now();
                let say = Some(Words::from(SENTENCE.to_owned()));
                let _ = session.send(SpeechCommand::Open { say });
            }
            SpeechOutput::Audio { bytes, .. } => {
                after.get_or_insert_with(|| asked_at.elapsed());
                audio.extend(bytes);
            }
            SpeechOutput::Event(SpeechEvent::VoiceText { text, .. }) => said.push_str(&text),
            SpeechOutput::Event(SpeechEvent::Opened { .. }) => {
                return Ok(Spoken { said, audio, after: after.unwrap_or_default() });
            }
            SpeechOutput::Event(SpeechEvent::Lost { why }) => return Err(TripError::Lost(why)),
            SpeechOutput::Event(_) => {}
        }
    }
}

async fn hear(session: &mut SpeechSession, audio: &[u8]) -> Result<String, TripError> {
    let format = session.format();
    let silence = Frame::silence(format);
    let frames: Vec<Frame> = audio
        .chunks_exact(silence.bytes().len())
        .filter_map(|bytes| Frame::from_bytes(format, bytes))
        .collect();
    let mut frames = frames.into_iter().chain(std::iter::repeat_n(silence, SILENCE));
    let mut tick = interval(FRAME);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if let Some(frame) = frames.next() {
                    session.hear(&frame);
                }
            }
            output = session.next() => match output {
                SpeechOutput::Event(SpeechEvent::RemoteSaid { text: Some(text), .. }) => {
                    return Ok(text.to_string());
                }
                SpeechOutput::Event(SpeechEvent::Lost { why }) => return Err(TripError::Lost(why)),
                _ => {}
            }
        }
    }
}

/// Half of the words is enough: it is a test of the connection, not of the ear.
fn understood(said: &str, heard: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let letters = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        text.split_whitespace()
            .map(|word| letters(word).to_lowercase())
            .filter(|word| !word.is_empty())
            .collect()
    };
    let (said, heard) = (words(said), words(heard));
    let found = said.iter().filter(|word| heard.contains(word)).count();
    !said.is_empty() && found * 2 >= said.len()
}

#[cfg(test)]
mod tests {
    use super::understood;

    #[test]
    fn half_of_the_words_is_understood() {
        for (heard, expected) in [
            ("this is a test of the telephone", true),
            ("This was a test of a telephone!", true),
            ("Thank you for watching.", false),
            ("", false),
        ] {
            assert_eq!(understood(super::SENTENCE, heard), expected, "{heard}");
        }
        assert!(!understood("", "anything"));
    }
}

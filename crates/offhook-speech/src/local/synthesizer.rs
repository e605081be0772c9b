//! What speaks: text in, 8 kHz samples out, a sentence at a time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsStr;
use std::io::{Read as _, Seek as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offhook_core::brief::Language;

use super::config::{Server, SynthesizerConfig};
use super::endpoint::{Endpoint, EndpointError};
use super::program::{Files, Program, ProgramError};
use super::{FindError, tagged, wav};

#[derive(Debug, thiserror::Error)]
pub enum SpeakError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("no place for a temporary file: {0}")]
    File(std::io::Error),
    #[error("{0} did not make a WAV file of 16 bit samples")]
    NotWav(String),
}

/// Speaks. Cheap to clone; clones share their memory of what was spoken before.
#[derive(Clone, Debug)]
pub struct Synthesizer {
    engine: Engine,
    voices: Arc<BTreeMap<String, String>>,
    spoken: Arc<Mutex<Spoken>>,
}

#[derive(Clone, Debug)]
enum Engine {
    Flite(Program),
    EspeakNg(Program),
    Say(Program),
    Http(Endpoint),
    Tagged,
}

impl Synthesizer {
    /// For one sentence; a minute of speech takes flite a second.
    const LIMIT: Duration = Duration::from_secs(15);

    /// The first program found on this machine that speaks, with its usual voices.
    pub fn any() -> Option<Self> {
        Self::find(SynthesizerConfig::Auto, BTreeMap::new()).ok()
    }

    pub(super) fn find(
        config: SynthesizerConfig,
        voices: BTreeMap<String, String>,
    ) -> Result<Self, FindError> {
        let engine = match config {
            SynthesizerConfig::Auto => Engine::any()?,
            SynthesizerConfig::Flite => Engine::Flite(program("flite", "flite")?),
            SynthesizerConfig::EspeakNg => Engine::EspeakNg(program("espeak-ng", "espeak-ng")?),
            SynthesizerConfig::Say => Engine::Say(program("say", "say")?),
            SynthesizerConfig::Http(server) => Engine::Http(endpoint(server)?),
            SynthesizerConfig::Tagged => Engine::Tagged,
        };
        Ok(Self { engine, voices: Arc::new(voices), spoken: Arc::default() })
    }

    /// For people: `flite`, `tts-1 at http://…`.
    pub fn what(&self) -> String {
        match &self.engine {
            Engine::Flite(program) | Engine::EspeakNg(program) | Engine::Say(program) => program.name(),
            Engine::Http(endpoint) => format!("{} at {}", endpoint.model(), endpoint.base_url()),
            Engine::Tagged => "tagged tones".to_owned(),
        }
    }

    /// Whether it can speak this language (BCP 47) at all.
    pub fn speaks(&self, language: &str) -> bool {
        !matches!(self.engine, Engine::Flite(_)) || is_english(language)
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        match &self.engine {
            Engine::Http(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// `text` spoken by `voice`: one of the contract's names, or of the synthesizer's own. 8 kHz.
    pub async fn speak(&self, text: &str, voice: &str) -> Result<Arc<[i16]>, SpeakError> {
        self.speak_in("en-US", text, voice).await
    }

    pub async fn speak_in(&self, language: &str, text: &str, voice: &str) -> Result<Arc<[i16]>, SpeakError> {
        let voice = self.engine.voice(&self.voices, voice, language);
        let key = (voice, text.to_owned());
        if let Some(samples) = self.spoken().get(&key) {
            return Ok(samples);
        }
        let samples: Arc<[i16]> = self.engine.speak(text, &key.0).await?.into();
        self.spoken().insert(key, Arc::clone(&samples));
        Ok(samples)
    }

    /// No code under this lock can panic half-way.
    fn spoken(&self) -> std::sync::MutexGuard<'_, Spoken> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    fn any() -> Result<Self, FindError> {
        let found = Program::find("flite")
            .map(Self::Flite)
            .or_else(|| Program::find("espeak-ng").map(Self::EspeakNg))
            .or_else(|| if cfg!(target_os = "macos") { Program::find("say").map(Self::Say) } else { None });
        found.ok_or(FindError::NoSynthesizer)
    }

    /// The synthesizer's own name of a voice.
    fn voice(&self, configured: &BTreeMap<String, String>, voice: &str, language: &str) -> String {
        if let Some(own) = configured.get(voice) {
            return own.clone();
        }
        const FLITE: &[&str] = &["rms", "slt", "awb", "kal", "kal16"];
        let woman = matches!(voice, "jessica" | "sarah");
        let contract = woman || matches!(voice, "chris" | "eric");
        match self {
            Self::Flite(_) if FLITE.contains(&voice) => voice.to_owned(),
            Self::Flite(_) => if woman { "slt" } else { "rms" }.to_owned(),
            Self::EspeakNg(_) if contract || voice.is_empty() => {
                let variant = match voice {
                    "jessica" => "+f2",
                    "sarah" => "+f3",
                    "eric" => "+m3",
                    _ => "",
                };
                format!("{}{variant}", language.to_lowercase())
            }
            Self::Say(_) if contract => match voice {
                "jessica" | "sarah" => "Samantha",
                _ => "Daniel",
            }
            .to_owned(),
            Self::Http(_) if contract => match voice {
                "jessica" => "nova",
                "sarah" => "shimmer",
                "chris" => "onyx",
                _ => "echo",
            }
            .to_owned(),
            _ => voice.to_owned(),
        }
    }

    async fn speak(&self, text: &str, voice: &str) -> Result<Vec<i16>, SpeakError> {
        match self {
            Self::Tagged => Ok(tagged::encode(text)),
            Self::Http(endpoint) => {
                let wav = endpoint.speech(text, voice).await?;
                samples(&wav, || endpoint.base_url().to_owned())
            }
            // The text goes through standard input: a command line is for everybody on the machine to see.
            Self::Flite(program) => run(program, text, &["-voice", voice, "-f", "-", "-o"]).await,
            Self::EspeakNg(program) => run(program, text, &["-v", voice, "--stdin", "-w"]).await,
            Self::Say(program) => {
                run_named(program, text, &["-v", voice, "-f", "-", "--data-format=LEI16@16000", "-o"]).await
            }
        }
    }
}

/// Run a program that takes the file to write as its last argument. The file has no name but that of an open one.
async fn run(program: &Program, text: &str, arguments: &[&str]) -> Result<Vec<i16>, SpeakError> {
    let mut file = tempfile::tempfile().map_err(SpeakError::File)?;
    let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    all.push(OsStr::new("/dev/stdout"));
    let audio = file.try_clone().map_err(SpeakError::File)?;
    program.run(&all, Files::Speak { text: format!("{text}\n"), audio }, Synthesizer::LIMIT).await?;
    let mut wav = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut wav)).map_err(SpeakError::File)?;
    samples(&wav, || program.name())
}

/// The same for a program that writes only to a file with a fitting name.
async fn run_named(program: &Program, text: &str, arguments: &[&str]) -> Result<Vec<i16>, SpeakError> {
    let file =
        tempfile::Builder::new().prefix("offhook-").suffix(".wav").tempfile().map_err(SpeakError::File)?;
    let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    all.push(file.path().as_os_str());
    program.run(&all, Files::Named { text: format!("{text}\n") }, Synthesizer::LIMIT).await?;
    let wav = tokio::fs::read(file.path()).await.map_err(SpeakError::File)?;
    samples(&wav, || program.name())
}

fn samples(wav: &[u8], by: impl Fn() -> String) -> Result<Vec<i16>, SpeakError> {
    let (samples, rate) = wav::read(wav).ok_or_else(|| SpeakError::NotWav(by()))?;
    Ok(wav::to_8khz(samples, rate))
}

/// What flite, pocketsphinx and the script know.
pub(super) fn is_english(language: &str) -> bool {
    Language::find(language).is_some_and(|language| language.tag == "en")
}

pub(super) fn program(name: &'static str, package: &'static str) -> Result<Program, FindError> {
    Program::find(name).ok_or(FindError::NoProgram { name, package })
}

pub(super) fn endpoint(server: Server) -> Result<Endpoint, FindError> {
    Endpoint::new(server).map_err(|error| FindError::Http(error.to_string()))
}

/// Sentences that were spoken before: openings and goodbyes are the same in every call.
#[derive(Debug, Default)]
struct Spoken {
    samples: HashMap<(String, String), Arc<[i16]>>,
    oldest: VecDeque<(String, String)>,
    total: usize,
}

impl Spoken {
    /// Five minutes, 5 MB.
    const CAPACITY: usize = 8_000 * 300;

    fn get(&self, key: &(String, String)) -> Option<Arc<[i16]>> {
        self.samples.get(key).cloned()
    }

    fn insert(&mut self, key: (String, String), samples: Arc<[i16]>) {
        if samples.len() > Self::CAPACITY / 4 || self.samples.contains_key(&key) {
            return;
        }
        self.total += samples.len();
        self.oldest.push_back(key.clone());
        self.samples.insert(key, samples);
        while self.total > Self::CAPACITY {
            let Some(oldest) = self.oldest.pop_front() else { break };
            self.total -= self.samples.remove(&oldest).map_or(0, |samples| samples.len());
        }
    }
}

//! The speech model: a Realtime endpoint, or the local voice.

use std::collections::BTreeMap;
use std::time::Duration;

use offhook_speech::openai::{Auth, Config, Eagerness, NoiseReduction, TurnDetection};
use secrecy::{ExposeSecret as _, SecretString};

use super::SpeechModel;
use super::build::Build;
use super::choice;
use super::local;
use super::raw::{RawOpenAi, RawSpeech};
use super::voice;

/// The deployment of a resource whose document names none.
const AZURE_DEPLOYMENT: &str = "gpt-realtime-mini";

pub(super) fn model(build: &mut Build<'_>, raw: &RawSpeech) -> SpeechModel {
    // The name of a Realtime deployment has no other use than to be talked to, nor has a resource beside one to call
    // through.
    let deployment = build.env.get("AZURE_OPENAI_REALTIME_DEPLOYMENT").is_some();
    let deployment = deployment || voice::is_installation(build.env);
    let default = if deployment { choice::Model::OpenAi } else { choice::Model::default() };
    match raw.model.unwrap_or(default) {
        choice::Model::OpenAi => SpeechModel::OpenAi(openai(build, &raw.openai)),
        choice::Model::Local => SpeechModel::Local(local::voice(build, &raw.local)),
    }
}

fn openai(build: &mut Build<'_>, raw: &RawOpenAi) -> Config {
    let azure = build.env.get("AZURE_OPENAI_ENDPOINT").map(voice::base_url);
    let of_azure = azure.is_some() && raw.base_url.is_none();
    let base_url = raw.base_url.clone().or(azure).unwrap_or_else(|| Config::OPENAI_URL.to_owned());
    let base_url = url(build, "speech.openai.base_url", &base_url, &["https", "http", "wss", "ws"]);
    let hosts = [".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"];
    let is_azure = of_azure || hosts.iter().any(|host| base_url.contains(host));
    let deployment = build.env.get("AZURE_OPENAI_REALTIME_DEPLOYMENT").map(str::to_owned);
    // What the document that has these names deploys.
    let usual = if of_azure { AZURE_DEPLOYMENT } else { Config::MODEL };
    let model = raw.model.clone().or(deployment).unwrap_or_else(|| usual.to_owned());
    let auth = auth(build, raw, is_azure);
    let usual = Config::new(base_url, auth, model);
    Config {
        transcription_model: raw
            .transcription_model
            .clone()
            .unwrap_or_else(|| usual.transcription_model.clone()),
        voices: voices(&usual.voices, raw.voices.as_ref()),
        turn_detection: turn_detection(build, raw),
        noise_reduction: match raw.noise_reduction.unwrap_or_default() {
            choice::NoiseReduction::NearField => Some(NoiseReduction::NearField),
            choice::NoiseReduction::FarField => Some(NoiseReduction::FarField),
            choice::NoiseReduction::Off => None,
        },
        speed: within(build, "speech.openai.speed", raw.speed, 0.25, 1.5),
        headers: headers(build, raw),
        connect_timeout: raw.connect_timeout_seconds.map_or(usual.connect_timeout, at_least_a_second),
        keepalive: raw.keepalive_seconds.map_or(usual.keepalive, at_least_a_second),
        ..usual
    }
}

fn at_least_a_second(seconds: u64) -> Duration {
    Duration::from_secs(seconds.max(1))
}

fn auth(build: &mut Build<'_>, raw: &RawOpenAi, is_azure: bool) -> Auth {
    let usual = if is_azure { choice::Auth::ApiKey } else { choice::Auth::Bearer };
    let scheme = raw.auth.unwrap_or(usual);
    if scheme == choice::Auth::None {
        return Auth::None;
    }
    let written = build.secret("speech.openai.api_key", raw.api_key.as_ref());
    let named = |name: &str| build.env.get(name).map(SecretString::from);
    let azure = is_azure.then(|| named("AZURE_OPENAI_API_KEY")).flatten();
    match written.or(azure).or_else(|| named("OPENAI_API_KEY")) {
        Some(key) if scheme == choice::Auth::ApiKey => Auth::ApiKey(key),
        Some(key) => Auth::Bearer(key),
        None => {
            // A key that is written but can't be read has been reported already.
            if raw.api_key.is_none() {
                let variable = if is_azure { "AZURE_OPENAI_API_KEY" } else { "OPENAI_API_KEY" };
                build.problem(
                    "speech.openai.api_key",
                    format!(
                        "is missing; set it, or {variable} in the environment, or auth = \"none\" for a server of yours"
                    ),
                );
            }
            Auth::None
        }
    }
}

fn turn_detection(build: &mut Build<'_>, raw: &RawOpenAi) -> TurnDetection {
    if raw.turn_detection == Some(choice::TurnDetection::Semantic) {
        return TurnDetection::SemanticVad {
            eagerness: match raw.eagerness.unwrap_or_default() {
                choice::Eagerness::Low => Eagerness::Low,
                choice::Eagerness::Medium => Eagerness::Medium,
                choice::Eagerness::High => Eagerness::High,
                choice::Eagerness::Auto => Eagerness::Auto,
            },
        };
    }
    let idle = raw.vad_idle_timeout_ms.filter(|ms| *ms > 0);
    if idle.is_some_and(|ms| !(5_000..=30_000).contains(&ms)) {
        build.problem("speech.openai.vad_idle_timeout_ms", "must be 5000 to 30000, or 0 for never");
    }
    TurnDetection::ServerVad {
        threshold: within(build, "speech.openai.vad_threshold", raw.vad_threshold, 0.0, 1.0).unwrap_or(0.5),
        prefix_padding_ms: build.u32("speech.openai.vad_prefix_padding_ms", raw.vad_prefix_padding_ms, 300),
        silence_duration_ms: build.u32("speech.openai.vad_silence_ms", raw.vad_silence_ms, 500),
        idle_timeout_ms: idle.map(|ms| build.u32("speech.openai.vad_idle_timeout_ms", Some(ms), 0)),
    }
}

fn within(build: &mut Build<'_>, key: &str, written: Option<f64>, least: f64, most: f64) -> Option<f32> {
    let value = written?;
    if !(least..=most).contains(&value) {
        build.problem(key, format!("must be {least} to {most}"));
    }
    Some(value as f32)
}

fn headers(build: &mut Build<'_>, raw: &RawOpenAi) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, value) in raw.headers.iter().flatten() {
        let value = build.secret(&format!("speech.openai.headers.{name}"), Some(value));
        headers.extend(value.map(|value| (name.clone(), value.expose_secret().to_owned())));
    }
    headers
}

/// What is configured replaces single voices, not all of them.
pub(super) fn voices(
    usual: &BTreeMap<String, String>,
    written: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut voices = usual.clone();
    voices.extend(written.into_iter().flatten().map(|(ours, theirs)| (ours.clone(), theirs.clone())));
    voices
}

/// An address with one of these schemes and a host, without a slash at the end.
pub(super) fn url(build: &mut Build<'_>, key: &str, text: &str, schemes: &[&str]) -> String {
    let url = text.trim().trim_end_matches('/');
    let host = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace))
    {
        build.problem(key, format!("must be an address that begins with {}://", schemes.join(":// or ")));
    }
    url.to_owned()
}

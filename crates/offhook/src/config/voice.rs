//! The voice as a tool: whom it calls where an account has set nobody.
//!
//! The names that another product's document has for its configuration stand in for keys nobody wrote, so that an
//! installation of it can start offhook as it is. Where both say something, they must say the same: which of two phone
//! numbers is meant, or of two accounts that pay, is not for offhook to guess.

use std::collections::BTreeMap;

use offhook_core::PhoneNumber;
use toml::{Table, Value};

use super::Problem;
use super::build::Build;
use super::env::Env;
use super::raw::RawVoice;
use super::written::{Origin, set_text};

pub(super) fn target(build: &mut Build<'_>, raw: &RawVoice) -> Option<PhoneNumber> {
    let number = PhoneNumber::parse(raw.target.as_deref()?);
    build.ok("voice.target", number.map_err(|why| format!("is no number that can be called: {why}")))
}

/// Names of the other document, and the keys they stand in for as they are.
const STAND_INS: [(&str, &str); 3] = [
    ("VOICE_TARGET_NUMBER", "voice.target"),
    ("ACS_CONNECTION_STRING", "carrier.acs.connection_string"),
    ("ACS_CALLBACK_TOKEN", "carrier.acs.incoming_token"),
];

/// Lays the other document's names over what was written.
pub(super) fn overlay(
    table: &mut Table,
    origins: &mut BTreeMap<String, Origin>,
    problems: &mut Vec<Problem>,
    env: &Env,
) {
    for (name, key) in STAND_INS {
        let Some(text) = env.get(name) else { continue };
        match written(table, key) {
            Some(other) if !same(other, text, env) => problems.push(both(name, key)),
            Some(_) => {}
            None => {
                set_text(table, key, text);
                origins.insert(key.to_owned(), Origin::Env(name.to_owned()));
            }
        }
    }
}

/// Where a variable that other programs have too says something else than the keys: those count, and it is told.
pub(super) fn overruled(table: &Table, env: &Env) -> Vec<String> {
    let endpoint = env.get("AZURE_OPENAI_ENDPOINT").map(base_url);
    let deployment = env.get("AZURE_OPENAI_REALTIME_DEPLOYMENT").map(str::to_owned);
    let named = [
        ("AZURE_OPENAI_ENDPOINT", "speech.openai.base_url", endpoint),
        ("AZURE_OPENAI_REALTIME_DEPLOYMENT", "speech.openai.model", deployment),
    ];
    let odd = named.into_iter().filter(|(_, key, named)| {
        let written = written(table, key);
        named.as_ref().zip(written).is_some_and(|(named, written)| written.trim_end_matches('/') != named)
    });
    odd.map(|(name, key, _)| format!("{name} is set, but {key} says something else, and counts")).collect()
}

/// Where the Realtime API of a resource is.
pub fn base_url(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    let endpoint = endpoint.strip_suffix("/openai/v1").unwrap_or(endpoint);
    format!("{}/openai/v1", endpoint.trim_end_matches('/'))
}

/// Whether the variables are those of a whole installation: a resource to call through, and one to speak.
pub(super) fn is_installation(env: &Env) -> bool {
    env.get("ACS_CONNECTION_STRING").is_some() && env.get("AZURE_OPENAI_ENDPOINT").is_some()
}

fn both(name: &str, key: &str) -> Problem {
    let why = format!("and {key} say different things; remove one of them");
    Problem { key: name.to_owned(), why, line: None }
}

fn written<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    let mut parts = key.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value: &Value, part| value.get(part))?.as_str()
}

/// However a number is written, and wherever a secret is kept.
fn same(written: &str, text: &str, env: &Env) -> bool {
    use secrecy::ExposeSecret as _;
    let number = |text: &str| PhoneNumber::parse(text).ok();
    let secret = super::RawSecret::from(written).resolve(env);
    written.trim() == text
        || number(written).is_some_and(|written| number(text) == Some(written))
        || secret.is_ok_and(|secret| secret.expose_secret() == text)
}

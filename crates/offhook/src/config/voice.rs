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

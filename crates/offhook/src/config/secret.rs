//! Secrets as they are written in the configuration: the value itself, `${NAME}`, or `file:/path`.

use std::fmt;
use std::fs;

use secrecy::SecretString;
use serde::Deserialize;

use super::Env;

/// A secret as it was written; its `Debug` shows nothing.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct RawSecret(String);

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawSecret(…)")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("names the environment variable {0}, which is not set")]
    NoVariable(String),
    #[error("names the file {path}, which can't be read: {why}")]
    NoFile { path: String, why: std::io::Error },
    #[error("is empty")]
    Empty,
}

impl RawSecret {
    /// The secret itself. The line break at the end of a file is not part of it.
    pub fn resolve(&self, env: &Env) -> Result<SecretString, SecretError> {
        let text = if let Some(name) = self.0.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            env.get(name).ok_or_else(|| SecretError::NoVariable(name.to_owned()))?.to_owned()
        } else if let Some(path) = self.0.strip_prefix("file:") {
            fs::read_to_string(path).map_err(|why| SecretError::NoFile { path: path.to_owned(), why })?
        } else {
            self.0.clone()
        };
        let secret = text.trim();
        if secret.is_empty() { Err(SecretError::Empty) } else { Ok(secret.into()) }
    }
}

impl From<&str> for RawSecret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// How a written secret is shown: where it comes from, never what it is.
pub fn masked(written: &str) -> String {
    let is_reference = written.starts_with("file:") || (written.starts_with("${") && written.ends_with('}'));
    if is_reference { written.to_owned() } else { "********".to_owned() }
}

/// A URL without the password in it.
pub fn masked_url(written: &str) -> String {
    let Some((scheme, rest)) = written.split_once("://") else { return written.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:********@{}", without_query(place))
        }
        None => format!("{scheme}://{}", without_query(rest)),
    }
}

/// A connection option may be a password too.
fn without_query(place: &str) -> &str {
    place.split('?').next().unwrap_or(place)
}

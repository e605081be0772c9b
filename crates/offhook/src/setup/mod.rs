//! `offhook setup`: connects a speech model and a telephone network of Azure, those there are or new ones, and takes
//! back what it made.
//!
//! What changes something in somebody's subscription is a command of `az` that is shown before it runs. What was made is
//! written down before it is begun ([`made`]), so that [`undo`] removes that and nothing else. Configuration and secrets
//! are written when everything was tried ([`mod@file`]).

pub mod acs;
pub mod ask;
pub mod az;
pub mod file;
pub mod made;
pub mod numbers;
pub mod realtime;
pub mod round_trip;
pub mod undo;

use std::path::{Path, PathBuf};

use crate::config::{Env, default_file};
use ask::Ask;
use az::Az;
use made::Made;

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("{what} is missing; give {flag}")]
    Missing { what: &'static str, flag: &'static str },
    #[error(
        "the input ended; nothing was written. Run it in a terminal, or with --yes and the options it needs"
    )]
    NoInput,
    #[error("stopped; nothing was written")]
    Declined,
    #[error(transparent)]
    Az(#[from] az::AzError),
    #[error("{path}: {why}", path = path.display())]
    File { path: PathBuf, why: String },
    #[error("{0}")]
    Check(String),
}

/// What every part of a setup works with.
#[derive(Debug)]
pub struct Setup {
    pub ask: Ask,
    pub env: Env,
    /// The configuration that is added to.
    pub file: PathBuf,
    pub made: Made,
    /// Shows what would be done, and does none of it.
    pub dry_run: bool,
}

impl Setup {
    pub fn new(named: Option<&Path>, env: Env, yes: bool, dry_run: bool) -> Result<Self, SetupError> {
        let file = named.map(Path::to_owned).or_else(|| default_file(&env));
        let file =
            file.ok_or(SetupError::Missing { what: "the configuration file", flag: "--config FILE" })?;
        let made = Made::load(&dir(&file).join("setup.json"))?;
        Ok(Self { ask: Ask::new(yes), env, file, made, dry_run })
    }

    /// `None` where the program is not on this machine, or nobody is signed in.
    async fn az(&self) -> Option<Az> {
        Az::find(self.ask, &self.env, self.dry_run).await
    }

    /// Where secrets are kept.
    fn secrets(&self) -> PathBuf {
        dir(&self.file).join("secrets")
    }
}

fn dir(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// A secret from a file; the line break at its end is not part of it.
fn read_secret(file: &Path) -> Result<secrecy::SecretString, SetupError> {
    let wrong = |why: String| SetupError::File { path: file.to_owned(), why };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".to_owned())),
        secret => Ok(secret.to_owned().into()),
    }
}

//! Where Event Grid found us last. Kept across restarts: it may be long until the next call comes in.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The address at which something of Event Grid's came in last, in a file of its own.
#[derive(Debug)]
pub struct ToldAt {
    file: PathBuf,
    url: Mutex<Option<String>>,
}

impl ToldAt {
    pub fn kept_in(file: PathBuf) -> Self {
        let url = std::fs::read_to_string(&file).ok();
        Self { file, url: Mutex::new(url) }
    }

    pub fn is(&self, url: &str) -> bool {
        self.url().as_deref() == Some(url)
    }

    /// Something came in there. Written when the address is another than before, which is seldom.
    pub fn note(&self, url: &str) {
        let mut known = self.url();
        if known.as_deref() == Some(url) {
            return;
        }
        if let Err(error) = std::fs::write(&self.file, url) {
            tracing::warn!(%error, "where Event Grid finds us can't be kept; the doctor forgets it at the end");
        }
        *known = Some(url.to_owned());
    }

    fn url(&self) -> MutexGuard<'_, Option<String>> {
        self.url.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_outlives_the_process_and_counts_for_one_address() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("acs-incoming");
        let told = ToldAt::kept_in(file.clone());
        assert!(!told.is("https://one.example"));
        for url in ["https://one.example", "https://two.example"] {
            told.note(url);
            for told in [&told, &ToldAt::kept_in(file.clone())] {
                assert!(told.is(url) && !told.is("https://three.example"));
            }
        }
        assert!(!told.is("https://one.example"), "the address before leads nowhere any more");
    }
}

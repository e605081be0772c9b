//! Whether calls are taken.

use super::Gateway;

/// One component of `/readyz` and `offhook doctor`.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when all is well.
    pub todo: String,
}

impl Check {
    fn new(name: &'static str, found: &str) -> Self {
        Self { name, ok: true, found: found.to_owned(), todo: String::new() }
    }

    fn ill(self, found: &str, todo: &str) -> Self {
        Self { ok: false, found: found.to_owned(), todo: todo.to_owned(), ..self }
    }
}

impl Gateway {
    /// Cheap enough to be asked every few seconds.
    pub async fn readiness(&self) -> Vec<Check> {
        let calls = Check::new("calls", "accepted");
        let calls = if self.inner.engine.is_draining() { calls.ill("shutting down", "") } else { calls };
        vec![self.store_check().await, calls]
    }

    /// Whether the operator lets calls be placed at all.
    pub fn is_calling_enabled(&self) -> bool {
        self.inner.settings.calling
    }

    async fn store_check(&self) -> Check {
        let check = Check::new("store", "answers");
        // What was really tried to be written tells more than a question.
        if let Some(why) = self.store_away() {
            return check.ill(why, "check database_url and the disk; it is tried again twice a second");
        }
        match self.inner.store.ping().await {
            Ok(()) => check,
            Err(error) => check.ill(&error.to_string(), "check database_url and the disk"),
        }
    }

    /// Why no call can be written down just now.
    pub(super) fn store_away(&self) -> Option<&'static str> {
        if !self.inner.claim.is_held() {
            return Some("it is not certain that no other offhook uses the database");
        }
        self.inner.engine.writer().health().why()
    }
}

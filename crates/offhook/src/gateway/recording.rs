//! Recordings: who may have one, and links that open one without a key for a while.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offhook_core::{CallId, Timestamp};

use super::{CallError, Caller, Gateway};
use crate::clock;

const PURPOSE: &str = "recording";

#[derive(Clone, Debug)]
pub struct RecordingFile {
    pub path: PathBuf,
    pub content_type: &'static str,
}

impl Gateway {
    pub async fn recording(&self, caller: Caller, id: CallId) -> Result<RecordingFile, CallError> {
        self.own_call(caller, id).await.map_err(|error| match error {
            // The contract does not tell "none" from "not yours".
            CallError::NotFound => CallError::NoRecording,
            other => other,
        })?;
        self.recording_file(id).await
    }

    /// A path, below the public URL, that opens this recording until it expires.
    pub async fn sign_recording(&self, caller: Caller, id: CallId) -> Result<String, CallError> {
        self.recording(caller, id).await?;
        Ok(self.recording_link(id))
    }

    pub(super) fn recording_link(&self, id: CallId) -> String {
        let expires = (clock::now() + self.inner.settings.recording_link).unix_millis() / 1_000;
        let signature = self.inner.secret.sign(PURPOSE, &[id.to_string().as_bytes(), &expires.to_be_bytes()]);
        format!("/recordings/{id}?expires={expires}&signature={}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The recording behind a link of [`Self::sign_recording`]. `expires` in seconds since the epoch.
    pub async fn signed_recording(
        &self,
        id: CallId,
        expires: i64,
        signature: &str,
    ) -> Result<RecordingFile, CallError> {
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| CallError::NoRecording)?;
        let genuine = self.inner.secret.verify(
            PURPOSE,
            &[id.to_string().as_bytes(), &expires.to_be_bytes()],
            &signature,
        );
        let expired =
            Timestamp::from_unix_millis(0) + Duration::from_secs(expires.max(0) as u64) < clock::now();
        if !genuine || expired {
            return Err(CallError::NoRecording);
        }
        self.recording_file(id).await
    }

    async fn recording_file(&self, id: CallId) -> Result<RecordingFile, CallError> {
        let call =
            self.inner.store.call(id).await.map_err(|_| CallError::Store)?.ok_or(CallError::NoRecording)?;
        let gone = call.recording.as_ref().is_some_and(|recording| recording.removed_at.is_some());
        let path = self.inner.engine.recorder().path(id);
        if gone || !path.exists() {
            return Err(CallError::NoRecording);
        }
        Ok(RecordingFile { path, content_type: "audio/wav" })
    }
}

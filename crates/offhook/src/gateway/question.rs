//! Waiting for a question of the voice.

use std::time::Duration;

use offhook_core::{CallId, Fact};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{CallError, CallView, Caller, Gateway};

impl Gateway {
    /// The call as soon as its voice asks something, it is over, or so long has passed.
    pub async fn await_question(
        &self,
        caller: Caller,
        id: CallId,
        patience: Duration,
    ) -> Result<CallView, CallError> {
        let until = Instant::now() + patience;
        // Before it is looked at: what is asked meanwhile is then told, too.
        let mut told = self.inner.engine.subscribe(id);
        loop {
            let call = self.call(caller, id).await?;
            if call.pending_question.is_some() || call.end.is_some() || Instant::now() >= until {
                return Ok(call);
            }
            let Some(live) = &mut told else {
                // Waiting for its time, or just over.
                sleep_until(until).await;
                continue;
            };
            let asked_or_over = async {
                loop {
                    match live.recv().await {
                        Ok(entry) if matches!(entry.fact, Fact::OwnerAsked { .. } | Fact::Ended { .. }) => {
                            return;
                        }
                        Ok(_) => {}
                        // Some of it was missed; the store knows.
                        Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                    }
                }
            };
            if timeout_at(until, asked_or_over).await.is_ok() && live.is_closed() {
                told = None;
            }
        }
    }
}

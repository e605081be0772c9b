//! The calls that Microsoft may reach us for, by the name and the secret their paths carry.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::leg::Mail;

/// What waits for one call.
const MAIL: usize = 64;
/// Calls that are over are forgotten whenever so many are known.
const CROWD: usize = 64;

/// Cheap to clone; all clones know the same calls.
#[derive(Clone, Default)]
pub(super) struct Calls {
    known: Arc<Mutex<HashMap<String, Known>>>,
}

struct Known {
    token: String,
    mail: mpsc::Sender<Mail>,
    /// The callConnectionId, once it is known.
    connection: Option<String>,
    /// Until when its paths are known although it is over.
    closes_at: Option<Instant>,
}

/// Why something that came from outside is not for any call of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    Unknown,
    WrongToken,
}

/// A call whose paths are known; dropping it closes them a while later.
pub(super) struct Named {
    pub reference: String,
    pub token: String,
    linger: Duration,
    calls: Calls,
}

/// The name of a call, and both ends of its mail.
pub(super) type Opened = (Named, mpsc::Sender<Mail>, mpsc::Receiver<Mail>);

/// What the paths of one call lead to.
pub(super) struct Found {
    pub mail: mpsc::Sender<Mail>,
    pub connection: Option<String>,
    pub is_over: bool,
}

/// 256 random bits, fit for a URL.
fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

impl Calls {
    /// A new call, with names nobody can guess.
    pub fn open(&self, linger: Duration) -> (Named, mpsc::Sender<Mail>, mpsc::Receiver<Mail>) {
        self.insert(self.lock(), secret(), secret(), linger)
    }

    /// A call of a process before this one; `None` where somebody listens for it already.
    pub fn open_as(&self, reference: String, token: String, linger: Duration) -> Option<Opened> {
        let calls = self.lock();
        if calls.get(&reference).is_some_and(|known| known.closes_at.is_none()) {
            return None;
        }
        Some(self.insert(calls, reference, token, linger))
    }

    fn insert(
        &self,
        mut calls: MutexGuard<'_, HashMap<String, Known>>,
        reference: String,
        token: String,
        linger: Duration,
    ) -> Opened {
        let (mail, mailbox) = mpsc::channel(MAIL);
        let known = Known { token: token.clone(), mail: mail.clone(), connection: None, closes_at: None };
        if calls.len() >= CROWD {
            let now = Instant::now();
            calls.retain(|_, known| known.closes_at.is_none_or(|at| now < at));
        }
        calls.insert(reference.clone(), known);
        drop(calls);
        (Named { reference, token, linger, calls: self.clone() }, mail, mailbox)
    }

    /// The call of that name, for whoever knows its secret.
    pub fn find(&self, reference: &str, token: &str) -> Result<Found, Stranger> {
        let calls = self.lock();
        let now = Instant::now();
        let known = calls.get(reference).filter(|known| known.closes_at.is_none_or(|at| now < at));
        // As long for a call that nobody knows as for a wrong secret.
        let expected = known.map_or("", |known| &known.token);
        let equal = verify_slices_are_equal(expected.as_bytes(), token.as_bytes()).is_ok();
        match known {
            Some(known) if equal => Ok(Found {
                mail: known.mail.clone(),
                connection: known.connection.clone(),
                is_over: known.closes_at.is_some(),
            }),
            Some(_) => Err(Stranger::WrongToken),
            None => Err(Stranger::Unknown),
        }
    }

    /// Those that are not over.
    pub fn live(&self) -> Vec<mpsc::Sender<Mail>> {
        let calls = self.lock();
        calls.values().filter(|known| known.closes_at.is_none()).map(|known| known.mail.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Named {
    /// From now on only media of this connection is let in.
    pub fn is_connection(&self, connection: &str) {
        if let Some(known) = self.calls.lock().get_mut(&self.reference) {
            known.connection = Some(connection.to_owned());
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(known) = self.calls.lock().get_mut(&self.reference) {
            known.closes_at = Some(Instant::now() + self.linger);
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calls({})", self.lock().len())
    }
}

/// Without its secret.
impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Named(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINGER: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_call_is_found_with_its_own_secret_until_a_while_after_its_end() {
        let calls = Calls::default();
        let (one, ..) = calls.open(LINGER);
        let (other, ..) = calls.open(LINGER);
        let find =
            |named: &Named, token: &str| calls.find(&named.reference, token).map(|found| found.is_over);
        assert_eq!(find(&one, &one.token), Ok(false));
        assert_eq!(find(&one, &other.token), Err(Stranger::WrongToken));
        assert_eq!(find(&one, ""), Err(Stranger::WrongToken));
        assert_eq!(calls.find("nobody", "").map(|_| ()), Err(Stranger::Unknown));
        let (reference, token) = (one.reference.clone(), one.token.clone());
        drop(one);
        assert_eq!(calls.find(&reference, &token).map(|found| found.is_over), Ok(true));
        assert_eq!(calls.live().len(), 1);
        tokio::time::advance(LINGER).await;
        assert_eq!(calls.find(&reference, &token).map(|_| ()), Err(Stranger::Unknown));
    }

    /// Asked for twice, the second must not close the paths of the first when it goes.
    #[tokio::test(start_paused = true)]
    async fn a_call_is_listened_for_once() {
        let calls = Calls::default();
        let open = || calls.open_as("ref".to_owned(), "token".to_owned(), LINGER);
        let (first, ..) = open().expect("nobody listens for it yet");
        assert!(open().is_none());
        tokio::time::advance(10 * LINGER).await;
        assert_eq!(calls.find("ref", "token").map(|found| found.is_over), Ok(false));
        drop(first);
        assert!(open().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_over_are_forgotten() {
        let calls = Calls::default();
        for _ in 0..10 * CROWD {
            drop(calls.open(LINGER));
            tokio::time::advance(LINGER).await;
        }
        assert!(calls.lock().len() <= CROWD);
    }
}

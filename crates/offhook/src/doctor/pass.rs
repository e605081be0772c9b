//! How `offhook doctor` shows a server that both are of the same installation: whoever can read its secret may know
//! the details of its state.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offhook_core::Timestamp;

/// The header it is sent in.
pub const HEADER: &str = "x-offhook-pass";
/// Long enough for one question, and for two clocks of one machine.
const VALID: Duration = Duration::from_secs(60);
/// Keeps it apart from everything else that is signed with the secret.
const PURPOSE: &str = "doctor's pass until ";
const PROOF_PURPOSE: &str = "these doors answer ";

/// A pass from now on; `None` where there is no secret yet, or it is not ours to read.
pub fn issue(secret: &Path, now: Timestamp) -> Option<String> {
    let until = (now + VALID).unix_millis();
    let signature = hmac::sign(&key(secret)?, message(until).as_bytes());
    Some(format!("{until}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Whether it was made with this secret, lately. In constant time.
pub fn is_valid(pass: &str, secret: &Path, now: Timestamp) -> bool {
    let Some((until, signature)) = pass.split_once('.') else { return false };
    let (Ok(until), Ok(signature)) = (until.parse::<i64>(), URL_SAFE_NO_PAD.decode(signature)) else {
        return false;
    };
    let (now, latest) = (now.unix_millis(), (now + VALID).unix_millis());
    let in_time = (now..=latest).contains(&until);
    in_time
        && key(secret).is_some_and(|key| hmac::verify(&key, message(until).as_bytes(), &signature).is_ok())
}

/// Shows a doctor elsewhere in the network that it reached this very installation: answers what it was sent with
/// something that only whoever shares the secret can check.
#[derive(Clone)]
pub struct Proof(hmac::Key);

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof(…)")
    }
}

impl Proof {
    /// `None` where there is no secret yet, or it is not ours to read.
    pub fn with(secret: &Path) -> Option<Self> {
        key(secret).map(Self)
    }

    pub fn answer(&self, nonce: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, format!("{PROOF_PURPOSE}{nonce}").as_bytes()))
    }
}

fn key(secret: &Path) -> Option<hmac::Key> {
    let bytes = std::fs::read(secret).ok().filter(|bytes| !bytes.is_empty())?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn message(until: i64) -> String {
    format!("{PURPOSE}{until}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_good_for_one_installation_and_one_minute() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (dir.path().join("ours"), dir.path().join("other"));
        std::fs::write(&ours, [7; 32]).unwrap();
        std::fs::write(&other, [8; 32]).unwrap();
        let now = Timestamp::from_unix_millis(1_793_730_124_000);
        let pass = issue(&ours, now).unwrap();
        let later = |seconds| now + Duration::from_secs(seconds);
        let (until, signature) = pass.split_once('.').unwrap();
        let stretched = format!("{}.{signature}", until.parse::<i64>().unwrap() + 1_000);
        for (pass, secret, at, good) in [
            (pass.as_str(), &ours, now, true),
            (&pass, &ours, later(59), true),
            (&pass, &ours, later(61), false),
            (&pass, &other, now, false),
            (&pass, &dir.path().join("none"), now, false),
            (&stretched, &ours, later(1), false),
            ("", &ours, now, false),
            (until, &ours, now, false),
        ] {
            assert_eq!(is_valid(pass, secret, at), good, "{pass} at {at:?}");
        }
        assert_eq!(issue(&dir.path().join("none"), now), None);
    }
}

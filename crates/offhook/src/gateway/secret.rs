//! The secret of an installation, in a file that only its user may read.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore as _;
use secrecy::SecretString;

/// The secret of this installation: signs recording links, and derives keys for repeatable first calls.
pub struct Secret(hmac::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    const LEN: usize = 32;

    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Read it, or make it on the first start; only this user may read the file.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => {
                let bytes: &[u8; Self::LEN] = bytes.as_slice().try_into().map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidData, "the secret file must hold exactly 32 bytes")
                })?;
                Ok(Self::from_bytes(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(error),
        }
    }

    fn create(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; Self::LEN];
        rand::rng().fill_bytes(&mut bytes);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(&bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// What deliveries of incoming calls must carry where nothing else was configured: the same after every start.
    pub fn incoming_token(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.sign("incoming calls of acs", &[])).into()
    }

    /// A signature of these parts; a length before each keeps them apart.
    pub(super) fn sign(&self, purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
        hmac::sign(&self.0, &message(purpose, parts)).as_ref().to_vec()
    }

    /// In constant time.
    pub(super) fn verify(&self, purpose: &str, parts: &[&[u8]], signature: &[u8]) -> bool {
        hmac::verify(&self.0, &message(purpose, parts), signature).is_ok()
    }
}

fn message(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut message = purpose.as_bytes().to_vec();
    for part in parts {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

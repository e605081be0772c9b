//! SRTP keys in SDP (RFC 4568): the `a=crypto` line.

use std::fmt;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    AesCm128Sha1_80,
    AesCm128Sha1_32,
    AesCm256Sha1_80,
    AeadAes128Gcm,
    AeadAes256Gcm,
}

impl Suite {
    /// Strongest of what everybody has first.
    pub const ALL: [Suite; 5] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm256Sha1_80,
        Self::AesCm128Sha1_80,
        Self::AesCm128Sha1_32,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    pub fn key_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm128Sha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256Sha1_80 | Self::AeadAes256Gcm => 32,
        }
    }

    pub fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    pub fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    /// Bytes of authentication at the end of an RTP packet.
    pub fn rtp_tag_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_32 => 4,
            Self::AesCm128Sha1_80 | Self::AesCm256Sha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

/// A master key with its salt; never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; 46],
}

impl MasterKey {
    /// `bytes` is key and salt; `None` when they have the wrong length.
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<Self> {
        let mut key = Self { suite, bytes: [0; 46] };
        (bytes.len() == suite.key_len() + suite.salt_len()).then(|| {
            key.bytes[..bytes.len()].copy_from_slice(bytes);
            key
        })
    }

    pub fn generate(suite: Suite) -> Self {
        let mut bytes = [0; 46];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
        bytes[suite.key_len() + suite.salt_len()..].fill(0);
        Self { suite, bytes }
    }

    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len()]
    }

    pub fn salt(&self) -> &[u8] {
        &self.bytes[self.suite.key_len()..self.suite.key_len() + self.suite.salt_len()]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.suite.name())
    }
}

/// One `a=crypto` line that we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    pub tag: u32,
    pub master: MasterKey,
    /// Bytes of the key identifier that the sender puts into each packet.
    pub mki_len: u8,
}

impl Crypto {
    /// Read the value of the attribute. A suite or session parameter that we don't know makes it a line we can't use.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = Suite::from_name(words.next()?)?;
        let key = words.next()?;
        // Several keys for one line would need their identifiers told apart.
        if key.contains(';') || words.any(|parameter| !parameter.starts_with("WSH=")) {
            return None;
        }
        let (method, key) = key.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") {
            return None;
        }
        let mut parts = key.split('|');
        let encoded = parts.next()?.trim_end_matches('=');
        let decoded = BASE64_STANDARD_NO_PAD.decode(encoded).ok()?;
        let master = MasterKey::new(suite, &decoded)?;
        let mki_len = match parts.find_map(|part| part.split_once(':')) {
            Some((_, len)) => len.parse().ok().filter(|len| (1..=128).contains(len))?,
            None => 0,
        };
        Some(Self { tag, master, mki_len })
    }
}

/// The value of the attribute. Only for SDP: it holds the key.
impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suite = self.master.suite;
        let key = &self.master.bytes[..suite.key_len() + suite.salt_len()];
        write!(f, "{} {} inline:{}", self.tag, suite.name(), BASE64_STANDARD.encode(key))
    }
}

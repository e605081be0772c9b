//! SRTP and SRTCP (RFC 3711; AES-GCM by RFC 7714), in place and without allocation for each packet.
//!
//! The ciphers are aws-lc's, which the TLS of the same binary brings along. What remains is small enough to be
//! checked line by line against the RFCs' vectors, below.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::packet::Header;
use super::sdes::MasterKey;

/// The header of an RTCP packet that stays readable.
const RTCP_HEADER_LEN: usize = 8;
const SHA1_RTCP_TAG_LEN: usize = 10;
const GCM_TAG_LEN: usize = 16;

/// Streams of one sender that are told apart at the same time.
const MAX_STREAMS: usize = 4;

/// Which session key is derived (RFC 3711 §4.3.1); RTCP's follow RTP's.
#[derive(Clone, Copy)]
enum Label {
    Cipher = 0,
    Auth = 1,
    Salt = 2,
}

const RTCP_LABELS: u8 = 3;

#[expect(clippy::large_enum_variant, reason = "whole senders and receivers are boxed")]
enum Cipher {
    Counter { key: EncryptingKey, auth: hmac::Key, tag_len: usize },
    Gcm(LessSafeKey),
}

/// The session keys of one direction, for RTP or for RTCP.
struct SessionKeys {
    cipher: Cipher,
    salt: [u8; 14],
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys")
    }
}

impl SessionKeys {
    /// `None` only if the cipher library refuses keys of the right length.
    fn derive(master: &MasterKey, labels_from: u8, tag_len: usize) -> Option<Self> {
        let suite = master.suite();
        let derive = |label: Label, bytes: &mut [u8]| derive(master, labels_from + label as u8, bytes);
        let mut salt = [0; 14];
        derive(Label::Salt, &mut salt[..suite.salt_len()])?;
        let mut key = [0; 32];
        let key = &mut key[..suite.key_len()];
        derive(Label::Cipher, key)?;
        let cipher = if suite.is_aead() {
            Cipher::Gcm(gcm(key)?)
        } else {
            let mut auth = [0; 20];
            derive(Label::Auth, &mut auth)?;
            let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth);
            Cipher::Counter { key: counter(key)?, auth, tag_len }
        };
        Some(Self { cipher, salt })
    }

    /// The counter block of a packet (RFC 3711 §4.1.1).
    fn counter_block(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        xor(&mut block[4..8], &ssrc.to_be_bytes());
        xor(&mut block[8..14], &index.to_be_bytes()[2..]);
        block
    }

    /// The nonce of a packet (RFC 7714 §8.1, §9.1).
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    bytes.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
}

fn counter(key: &[u8]) -> Option<EncryptingKey> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).ok()?).ok()
}

fn gcm(key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    Some(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?))
}

/// The key derivation of RFC 3711 §4.3.3, with a rate of zero.
fn derive(master: &MasterKey, label: u8, bytes: &mut [u8]) -> Option<()> {
    let mut block = [0; 16];
    block[..master.salt().len()].copy_from_slice(master.salt());
    block[7] ^= label;
    bytes.fill(0);
    keystream(&counter(master.key())?, block, bytes)
}

/// Encrypts or decrypts: the same in counter mode.
fn keystream(key: &EncryptingKey, block: [u8; 16], bytes: &mut [u8]) -> Option<()> {
    key.less_safe_encrypt(bytes, EncryptionContext::Iv128((&block).into())).ok().map(|_| ())
}

fn sign(auth: &hmac::Key, packet: &[u8], suffix: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(auth);
    context.update(packet);
    context.update(suffix);
    context.sign()
}

fn derive_both(master: &MasterKey) -> Option<(SessionKeys, SessionKeys)> {
    let rtp = SessionKeys::derive(master, 0, master.suite().rtp_tag_len())?;
    let rtcp = SessionKeys::derive(master, RTCP_LABELS, SHA1_RTCP_TAG_LEN)?;
    Some((rtp, rtcp))
}

/// Encrypts what one source of ours sends.
#[derive(Debug)]
pub struct Sender {
    rtp: SessionKeys,
    rtcp: SessionKeys,
    /// The index of the RTP packet sent last.
    index: Option<u64>,
    rtcp_index: u32,
}

impl Sender {
    pub fn new(master: &MasterKey) -> Option<Self> {
        let (rtp, rtcp) = derive_both(master)?;
        Some(Self { rtp, rtcp, index: None, rtcp_index: 0 })
    }

    /// Encrypt the packet in `buffer[..len]`; its new length, or `None` when there is no room for the tag.
    pub fn protect_rtp(&mut self, header: &Header, buffer: &mut [u8], len: usize) -> Option<usize> {
        let index = match self.index {
            None => u64::from(header.sequence),
            Some(last) => last.wrapping_add(u64::from(header.sequence.wrapping_sub(last as u16))),
        };
        self.index = Some(index);
        let body = buffer.get_mut(header.len..len)?;
        match &self.rtp.cipher {
            Cipher::Counter { key, auth, tag_len } => {
                keystream(key, self.rtp.counter_block(header.ssrc, index), body)?;
                let tag = sign(auth, &buffer[..len], &rollover(index));
                append(buffer, len, &tag.as_ref()[..*tag_len])
            }
            Cipher::Gcm(key) => {
                let (associated, body) = buffer.get_mut(..len)?.split_at_mut(header.len);
                let nonce = self.rtp.nonce(header.ssrc, index);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*associated), body).ok()?;
                append(buffer, len, tag.as_ref())
            }
        }
    }

    /// Encrypt the compound packet in `buffer[..len]`; its new length.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        self.rtcp_index = (self.rtcp_index + 1) & 0x7fff_ffff;
        let trailer = (0x8000_0000 | self.rtcp_index).to_be_bytes();
        let ssrc = rtcp_ssrc(buffer.get(..len)?)?;
        let index = u64::from(self.rtcp_index);
        match &self.rtcp.cipher {
            Cipher::Counter { key, auth, tag_len } => {
                keystream(key, self.rtcp.counter_block(ssrc, index), &mut buffer[RTCP_HEADER_LEN..len])?;
                let len = append(buffer, len, &trailer)?;
                let tag = sign(auth, &buffer[..len], &[]);
                append(buffer, len, &tag.as_ref()[..*tag_len])
            }
            Cipher::Gcm(key) => {
                let mut associated = [0; RTCP_HEADER_LEN + 4];
                associated[..RTCP_HEADER_LEN].copy_from_slice(&buffer[..RTCP_HEADER_LEN]);
                associated[RTCP_HEADER_LEN..].copy_from_slice(&trailer);
                let (nonce, body) = (self.rtcp.nonce(ssrc, index), &mut buffer[RTCP_HEADER_LEN..len]);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), body).ok()?;
                let len = append(buffer, len, tag.as_ref())?;
                append(buffer, len, &trailer)
            }
        }
    }
}

/// Which packets of a stream were seen (RFC 3711 §3.3.2).
#[derive(Clone, Copy, Debug)]
struct Window {
    ssrc: u32,
    highest: u64,
    /// One bit for each of the 64 indices up to `highest`.
    seen: u64,
}

impl Window {
    /// The index a sequence number most likely has (RFC 3711 §3.3.1).
    fn guess(&self, sequence: u16) -> u64 {
        let step = i64::from(sequence.wrapping_sub(self.highest as u16) as i16);
        self.highest.checked_add_signed(step).unwrap_or(u64::from(sequence))
    }

    fn is_replay(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => false,
            Some(behind) => behind >= 64 || self.seen & 1 << behind != 0,
        }
    }

    fn mark(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            Some(ahead) => {
                self.seen =
                    u32::try_from(ahead).ok().and_then(|ahead| self.seen.checked_shl(ahead)).unwrap_or(0) | 1;
                self.highest = index;
            }
            None => self.seen |= 1u64.checked_shl((self.highest - index) as u32).unwrap_or(0),
        }
    }
}

/// Decrypts what the far end sends.
#[derive(Debug)]
pub struct Receiver {
    rtp: SessionKeys,
    rtcp: SessionKeys,
    mki_len: usize,
    /// Streams that proved to have the key, the latest last.
    streams: Vec<Window>,
    rtcp_streams: Vec<Window>,
}

impl Receiver {
    pub fn new(master: &MasterKey, mki_len: u8) -> Option<Self> {
        let (rtp, rtcp) = derive_both(master)?;
        let windows = || Vec::with_capacity(MAX_STREAMS);
        Some(Self { rtp, rtcp, mki_len: mki_len.into(), streams: windows(), rtcp_streams: windows() })
    }

    /// Decrypt a packet in place; the length of what is then header and payload. `None`: a forgery, a replay, or
    /// broken.
    pub fn unprotect_rtp(&mut self, header: &Header, datagram: &mut [u8]) -> Option<usize> {
        let known = self.streams.iter().find(|window| window.ssrc == header.ssrc);
        let index = known.map_or(u64::from(header.sequence), |window| window.guess(header.sequence));
        if known.is_some_and(|window| window.is_replay(index)) {
            return None;
        }
        let len = match &self.rtp.cipher {
            Cipher::Counter { key, auth, tag_len } => {
                let (rest, tag) = datagram.split_at_checked(datagram.len().checked_sub(*tag_len)?)?;
                let len = rest.len().checked_sub(self.mki_len)?;
                let signed = sign(auth, &rest[..len], &rollover(index));
                verify_slices_are_equal(&signed.as_ref()[..*tag_len], tag).ok()?;
                keystream(
                    key,
                    self.rtp.counter_block(header.ssrc, index),
                    datagram.get_mut(header.len..len)?,
                )?;
                len
            }
            Cipher::Gcm(key) => {
                let sealed = datagram.len().checked_sub(self.mki_len)?;
                let (associated, body) = datagram.get_mut(..sealed)?.split_at_mut_checked(header.len)?;
                let nonce = self.rtp.nonce(header.ssrc, index);
                header.len + key.open_in_place(nonce, Aad::from(&*associated), body).ok()?.len()
            }
        };
        mark(&mut self.streams, header.ssrc, index);
        Some(len)
    }

    /// Decrypt a compound packet in place; its length.
    pub fn unprotect_rtcp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let ssrc = rtcp_ssrc(datagram)?;
        let (len, index) = match &self.rtcp.cipher {
            Cipher::Counter { key, auth, tag_len } => {
                let (rest, tag) = datagram.split_at_checked(datagram.len().checked_sub(*tag_len)?)?;
                let signed_len = rest.len().checked_sub(self.mki_len)?;
                let signed = sign(auth, &rest[..signed_len], &[]);
                verify_slices_are_equal(&signed.as_ref()[..*tag_len], tag).ok()?;
                let (len, encrypted, index) = rtcp_trailer(&rest[..signed_len])?;
                if encrypted {
                    let block = self.rtcp.counter_block(ssrc, index);
                    keystream(key, block, datagram.get_mut(RTCP_HEADER_LEN..len)?)?;
                }
                (len, index)
            }
            Cipher::Gcm(key) => {
                let end = datagram.len().checked_sub(self.mki_len)?;
                let (sealed, encrypted, index) = rtcp_trailer(datagram.get(..end)?)?;
                // A packet that is only authenticated would need its whole body copied; nobody sends it.
                if !encrypted {
                    return None;
                }
                let mut associated = [0; RTCP_HEADER_LEN + 4];
                associated[..RTCP_HEADER_LEN].copy_from_slice(datagram.get(..RTCP_HEADER_LEN)?);
                associated[RTCP_HEADER_LEN..].copy_from_slice(datagram.get(sealed..end)?);
                let body = datagram.get_mut(RTCP_HEADER_LEN..sealed)?;
                body.len().checked_sub(GCM_TAG_LEN)?;
                let opened =
                    key.open_in_place(self.rtcp.nonce(ssrc, index), Aad::from(associated), body).ok()?;
                (RTCP_HEADER_LEN + opened.len(), index)
            }
        };
        if self.rtcp_streams.iter().any(|window| window.ssrc == ssrc && window.is_replay(index)) {
            return None;
        }
        mark(&mut self.rtcp_streams, ssrc, index);
        Some(len)
    }
}

/// Remember an authentic packet; the stream heard longest ago makes room for a new one.
fn mark(streams: &mut Vec<Window>, ssrc: u32, index: u64) {
    if let Some(at) = streams.iter().position(|window| window.ssrc == ssrc) {
        streams[at].mark(index);
        return;
    }
    if streams.len() == MAX_STREAMS {
        streams.remove(0);
    }
    streams.push(Window { ssrc, highest: index, seen: 1 });
}

fn append(buffer: &mut [u8], at: usize, bytes: &[u8]) -> Option<usize> {
    let end = at + bytes.len();
    buffer.get_mut(at..end)?.copy_from_slice(bytes);
    Some(end)
}

/// The rollover counter of a packet, as it is authenticated.
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    packet.get(4..RTCP_HEADER_LEN)?.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc))
}

/// Where the body ends, whether it is encrypted, and the index of the packet.
fn rtcp_trailer(packet: &[u8]) -> Option<(usize, bool, u64)> {
    let trailer = u32::from_be_bytes(*packet.last_chunk()?);
    let len = packet.len().checked_sub(4).filter(|len| *len >= RTCP_HEADER_LEN)?;
    Some((len, trailer & 0x8000_0000 != 0, u64::from(trailer & 0x7fff_ffff)))
}

/// The most that encryption adds to a packet.
pub const MAX_TRAILER: usize = GCM_TAG_LEN + 4;

const _: () = assert!(MAX_TRAILER >= 4 + SHA1_RTCP_TAG_LEN);

#[cfg(test)]
mod tests {
    use super::super::sdes::Suite;
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn master(suite: Suite, text: &str) -> MasterKey {
        MasterKey::new(suite, &hex(text)).unwrap()
    }

    /// The key of RFC 3711 B.3.
    fn rfc_master() -> MasterKey {
        master(Suite::AesCm128Sha1_80, "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6")
    }

    #[test]
    fn rfc_3711_b2_keystream() {
        let key = counter(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[]);
        let keys = SessionKeys { cipher: Cipher::Counter { key, auth, tag_len: 10 }, salt };
        let mut stream = vec![0; 0xff02 * 16];
        let Cipher::Counter { key, .. } = &keys.cipher else { unreachable!() };
        keystream(key, keys.counter_block(0, 0), &mut stream).unwrap();
        for (block, expected) in [
            (0x0000, "E03EAD0935C95E80E166B16DD92B4EB4"),
            (0x0001, "D23513162B02D0F72A43A2FE4A5F97AB"),
            (0x0002, "41E95B3BB0A2E8DD477901E4FCA894C0"),
            (0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
            (0xff00, "362B7C3C6773516318A077D7FC5073AE"),
            (0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"),
        ] {
            assert_eq!(stream[block * 16..][..16], hex(expected), "block {block:x}");
        }
    }

    #[test]
    fn rfc_3711_b3_key_derivation() {
        let derived = |label: Label, len: usize| {
            let mut bytes = vec![0xff; len];
            derive(&rfc_master(), label as u8, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(derived(Label::Cipher, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(Label::Salt, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(derived(Label::Auth, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// Packets known to other implementations.
    #[test]
    fn known_packets_of_the_default_suite() {
        let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
        let sealed = hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
        check_rtp(&rfc_master(), &plain, &sealed);

        let plain = hex("81c8000bcafebabe abababababababababababababababab");
        let sealed = hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
        let mut buffer = [0; 64];
        buffer[..plain.len()].copy_from_slice(&plain);
        let len = Sender::new(&rfc_master()).unwrap().protect_rtcp(&mut buffer, plain.len()).unwrap();
        assert_eq!(buffer[..len], sealed);
        let mut receiver = Receiver::new(&rfc_master(), 0).unwrap();
        assert_eq!(receiver.unprotect_rtcp(&mut buffer[..len]), Some(plain.len()));
        assert_eq!(buffer[..plain.len()], plain);
    }

    #[test]
    fn known_packet_of_gcm() {
        let master =
            master(Suite::AeadAes128Gcm, "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab");
        let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
        let sealed =
            hex("800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392");
        check_rtp(&master, &plain, &sealed);
    }

    /// RFC 7714 §16.1.1, whose keys are session keys.
    #[test]
    fn rfc_7714_vector() {
        let header = hex("8040f17b 8041f8d3 5501a0b2");
        let text = b"Gallia est omnis divisa in partes tres";
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(&hex("51756964 2070726f 2071756f"));
        let keys =
            SessionKeys { cipher: Cipher::Gcm(gcm(&hex("000102030405060708090a0b0c0d0e0f")).unwrap()), salt };
        let Cipher::Gcm(key) = &keys.cipher else { unreachable!() };
        let mut body = text.to_vec();
        let nonce = keys.nonce(0x5501_a0b2, 0xf17b);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&header), &mut body).unwrap();
        body.extend(tag.as_ref());
        assert_eq!(
            body,
            hex("f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
                 899d7f27 beb16a91 52cf765e e4390cce")
        );
    }

    fn check_rtp(master: &MasterKey, plain: &[u8], sealed: &[u8]) {
        let header = Header::parse(plain).unwrap();
        let mut buffer = [0; 64];
        buffer[..plain.len()].copy_from_slice(plain);
        let len = Sender::new(master).unwrap().protect_rtp(&header, &mut buffer, plain.len()).unwrap();
        assert_eq!(buffer[..len], *sealed);
        let mut receiver = Receiver::new(master, 0).unwrap();
        assert_eq!(receiver.unprotect_rtp(&header, &mut buffer[..len]), Some(plain.len()));
        assert_eq!(buffer[..plain.len()], *plain);
    }

    fn rtp(sequence: u16) -> (Header, [u8; 64]) {
        let header = Header::new(0, sequence, 0, 7);
        let mut buffer = [0x55; 64];
        header.write(&mut buffer);
        (header, buffer)
    }

    #[test]
    fn every_suite_survives_the_wrap_of_the_sequence_and_refuses_replays_and_forgeries() {
        for suite in Suite::ALL {
            let master = MasterKey::generate(suite);
            let (mut sender, mut receiver) =
                (Sender::new(&master).unwrap(), Receiver::new(&master, 0).unwrap());
            for step in 0..140u32 {
                let (header, mut buffer) = rtp((65_400u32 + step * 3) as u16);
                let len = sender.protect_rtp(&header, &mut buffer, 32).unwrap();
                let sealed = buffer;
                let mut forged = sealed;
                forged[20] ^= 1;
                assert_eq!(receiver.unprotect_rtp(&header, &mut forged[..len]), None, "{suite:?} forged");
                assert_eq!(receiver.unprotect_rtp(&header, &mut buffer[..len]), Some(32), "{suite:?} {step}");
                assert_eq!(buffer[..32], rtp(header.sequence).1[..32]);
                buffer = sealed;
                assert_eq!(receiver.unprotect_rtp(&header, &mut buffer[..len]), None, "{suite:?} replayed");
            }
        }
    }

    #[test]
    fn packets_out_of_order_are_taken_within_the_window() {
        let master = rfc_master();
        let (mut sender, mut receiver) = (Sender::new(&master).unwrap(), Receiver::new(&master, 0).unwrap());
        let mut sealed: Vec<_> = (0..100)
            .map(|step| {
                let (header, mut buffer) = rtp(65_500u16.wrapping_add(step));
                let len = sender.protect_rtp(&header, &mut buffer, 32).unwrap();
                (header, buffer[..len].to_vec())
            })
            .collect();
        let last = sealed.len() - 1;
        let mut take = |index: usize| {
            let (header, datagram) = &mut sealed[index];
            receiver.unprotect_rtp(header, &mut datagram.clone()).is_some()
        };
        // The first must come first: nothing else tells the rollover counter.
        let taken = [0, last, 60, 50, last - 63, last - 64, 60, 0].map(&mut take);
        assert_eq!(taken, [true, true, true, true, true, false, false, false]);
    }

    #[test]
    fn a_key_identifier_is_stepped_over() {
        for suite in [Suite::AesCm128Sha1_32, Suite::AeadAes256Gcm] {
            let master = MasterKey::generate(suite);
            let (mut sender, mut receiver) =
                (Sender::new(&master).unwrap(), Receiver::new(&master, 2).unwrap());
            let (header, mut buffer) = rtp(1);
            let len = sender.protect_rtp(&header, &mut buffer, 32).unwrap();
            let mut datagram = buffer[..len].to_vec();
            let at = if suite.is_aead() { len } else { len - 4 };
            datagram.splice(at..at, [0, 1]);
            assert_eq!(receiver.unprotect_rtp(&header, &mut datagram), Some(32), "{suite:?}");
        }
    }

    #[test]
    fn broken_packets_are_refused() {
        for suite in Suite::ALL {
            let master = MasterKey::generate(suite);
            let mut receiver = Receiver::new(&master, 4).unwrap();
            for len in 0..64 {
                let (header, mut buffer) = rtp(1);
                assert_eq!(receiver.unprotect_rtp(&header, &mut buffer[..len]), None);
                assert_eq!(receiver.unprotect_rtcp(&mut buffer[..len]), None);
            }
        }
    }
}

//! The encryption of one session as it was agreed: none, or with a key for each way.

use super::negotiation::Keys;
use super::packet::Header;
use super::sdes::MasterKey;
use super::srtp::{Receiver, Sender};

#[derive(Debug, Default)]
pub struct Encryption {
    on: bool,
    /// One for each key we ever sent with, the one in use last. A key that comes back must go on counting: the same
    /// key and count never encrypt two packets.
    senders: Vec<(MasterKey, Sender)>,
    /// The same for what we receive; each knows what it has heard before.
    receivers: Vec<((MasterKey, u8), Receiver)>,
}

/// How many keys of the far end are remembered.
const MAX_RECEIVERS: usize = 4;

impl Encryption {
    /// Take what was agreed, at first or anew.
    pub fn agree(&mut self, keys: Option<Keys>) {
        self.on = keys.is_some();
        let Some(Keys { ours, theirs, their_mki_len }) = keys else { return };
        use_last(&mut self.senders, ours, || Sender::new(&ours));
        use_last(&mut self.receivers, (theirs, their_mki_len), || Receiver::new(&theirs, their_mki_len));
        if self.receivers.len() > MAX_RECEIVERS {
            self.receivers.remove(0);
        }
    }

    /// Whether what was opened is proved to come from who has the key.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Decrypt an RTP packet in place; how much of the datagram is header and payload.
    pub fn open_rtp(&mut self, header: &Header, datagram: &mut [u8]) -> Option<usize> {
        if !self.on {
            return Some(datagram.len());
        }
        self.receivers.last_mut()?.1.unprotect_rtp(header, datagram)
    }

    /// Decrypt a compound RTCP packet in place; how much of the datagram it is.
    pub fn open_rtcp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        if !self.on {
            return Some(datagram.len());
        }
        self.receivers.last_mut()?.1.unprotect_rtcp(datagram)
    }

    /// Encrypt the RTP packet `buffer[..len]`; how long it is then.
    pub fn seal_rtp(&mut self, header: &Header, buffer: &mut [u8], len: usize) -> Option<usize> {
        if !self.on {
            return Some(len);
        }
        self.senders.last_mut()?.1.protect_rtp(header, buffer, len)
    }

    /// Encrypt the compound RTCP packet `buffer[..len]`; how long it is then.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        if !self.on {
            return Some(len);
        }
        self.senders.last_mut()?.1.protect_rtcp(buffer, len)
    }
}

/// Move what belongs to `key` to the end, making it if it is not there.
fn use_last<K: PartialEq, V>(list: &mut Vec<(K, V)>, key: K, make: impl FnOnce() -> Option<V>) {
    match list.iter().position(|(known, _)| *known == key) {
        Some(at) => list[at..].rotate_left(1),
        None => list.extend(make().map(|value| (key, value))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sdes::Suite;
    use super::*;

    fn keys(ours: MasterKey) -> Option<Keys> {
        Some(Keys { ours, theirs: ours, their_mki_len: 0 })
    }

    fn sealed(encryption: &mut Encryption, sequence: u16) -> Vec<u8> {
        let header = Header::new(0, sequence, 0, 7);
        let mut buffer = [0; 64];
        header.write(&mut buffer);
        let len = encryption.seal_rtp(&header, &mut buffer, 32).unwrap();
        buffer[..len].to_vec()
    }

    fn opened(encryption: &mut Encryption, mut datagram: Vec<u8>) -> Option<usize> {
        let header = Header::parse(&datagram).unwrap();
        encryption.open_rtp(&header, &mut datagram)
    }

    #[test]
    fn a_key_that_comes_back_goes_on_counting() {
        let [first, second] = [Suite::AesCm128Sha1_80, Suite::AeadAes128Gcm].map(MasterKey::generate);
        let (mut ours, mut theirs) = (Encryption::default(), Encryption::default());
        let mut reports = Vec::new();
        for (key, sequence) in [(keys(first), 65_535), (keys(second), 0), (None, 1), (keys(first), 2)] {
            ours.agree(key);
            theirs.agree(key);
            let datagram = sealed(&mut ours, sequence);
            assert_eq!(datagram.len() > 32, key.is_some());
            assert_eq!(opened(&mut theirs, datagram), Some(32), "{sequence}");

            let mut report = [0; 64];
            let len = ours.seal_rtcp(&mut report, 8).unwrap();
            reports.push(report[8..len].to_vec());
        }
        reports.sort();
        reports.dedup();
        assert_eq!(reports.len(), 4, "no count is used twice with a key");
    }

    #[test]
    fn what_is_not_encrypted_is_not_heard_where_it_was_agreed() {
        let mut plain = Encryption::default();
        let datagram = sealed(&mut plain, 1);
        assert_eq!(opened(&mut plain, datagram.clone()), Some(32));
        let mut encrypted = Encryption::default();
        encrypted.agree(keys(MasterKey::generate(Suite::AesCm128Sha1_80)));
        assert_eq!(opened(&mut encrypted, datagram), None);
    }
}

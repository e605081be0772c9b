//! RTP packets (RFC 3550 §5), parsed in place.

/// Bytes of a header without contributing sources and extension: the only kind we send.
pub const HEADER_LEN: usize = 12;

/// The header of a packet, and where its payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Bytes before the payload, with contributing sources and extension.
    pub len: usize,
    pub padded: bool,
}

impl Header {
    pub fn new(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> Self {
        Self { marker: false, payload_type, sequence, timestamp, ssrc, len: HEADER_LEN, padded: false }
    }

    /// Read the header of a datagram. The payload may still be encrypted, so padding is looked at later, by
    /// [`Self::payload`].
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let fixed: &[u8; HEADER_LEN] = datagram.first_chunk()?;
        if fixed[0] >> 6 != 2 || is_rtcp(datagram) {
            return None;
        }
        let mut len = HEADER_LEN + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let extension: &[u8; 4] = datagram.get(len..)?.first_chunk()?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        if len > datagram.len() {
            return None;
        }
        Some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            len,
            padded: fixed[0] & 0x20 != 0,
        })
    }

    /// The payload of the (decrypted) datagram this header was read from, without padding.
    pub fn payload<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        let payload = datagram.get(self.len..)?;
        if !self.padded {
            return Some(payload);
        }
        let padding = usize::from(*payload.last()?);
        if padding == 0 {
            return None;
        }
        payload.get(..payload.len().checked_sub(padding)?)
    }

    /// Write the fixed header to the front of `datagram`; a shorter one is left alone.
    pub fn write(&self, datagram: &mut [u8]) {
        let Some(fixed) = datagram.first_chunk_mut::<HEADER_LEN>() else { return };
        fixed[0] = 2 << 6;
        fixed[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        fixed[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        fixed[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// Whether a datagram on a shared port is RTCP (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 8 && datagram[0] >> 6 == 2 && (192..=223).contains(&datagram[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_header_reads_back() {
        let header = Header { marker: true, ..Header::new(8, 65_535, 0xdead_beef, 7) };
        let mut datagram = [0x55; HEADER_LEN + 3];
        header.write(&mut datagram);
        assert_eq!(Header::parse(&datagram), Some(header));
        assert_eq!(header.payload(&datagram), Some(&[0x55; 3][..]));
    }

    #[test]
    fn sources_extension_and_padding_are_not_payload() {
        let mut datagram = vec![0b1011_0010, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        datagram.extend([9; 8]); // two contributing sources
        datagram.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]); // one word of extension
        datagram.extend(*b"audio");
        datagram.extend([0, 0, 3]); // padding
        let header = Header::parse(&datagram).unwrap();
        assert_eq!(header.payload(&datagram), Some(&b"audio"[..]));
    }

    #[test]
    fn what_is_not_rtp_is_refused() {
        let table: [(&str, &[u8]); 6] = [
            ("nothing", &[]),
            ("short", &[0x80; 11]),
            ("version 1", &[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("rtcp", &[0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("sources beyond the end", &[0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("extension beyond the end", &[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        ];
        for (what, datagram) in table {
            assert_eq!(Header::parse(datagram), None, "{what}");
        }
        let padded_away = [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 200];
        assert_eq!(Header::parse(&padded_away).unwrap().payload(&padded_away), None);
    }
}

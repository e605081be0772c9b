//! RTP packets (RFC 3550 §5.1).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The rule that is broken when it cannot be read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3, rest @ ..] = bytes else {
            return Err("rtp.short");
        };
        if first >> 6 != 2 {
            return Err("rtp.version");
        }
        let mut payload = rest.get(usize::from(first & 0x0f) * 4..).ok_or("rtp.short")?;
        if first & 0x10 != 0 {
            let [_, _, l0, l1, ..] = payload else { return Err("rtp.extension") };
            let words = usize::from(u16::from_be_bytes([*l0, *l1]));
            payload = payload.get(4 + words * 4..).ok_or("rtp.extension")?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last().ok_or("rtp.padding")?);
            let len = payload.len().checked_sub(padding).filter(|_| padding > 0).ok_or("rtp.padding")?;
            payload = &payload[..len];
        }
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([*s0, *s1]),
            timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
            ssrc: u32::from_be_bytes([*c0, *c1, *c2, *c3]),
            payload,
        })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12 + self.payload.len());
        bytes.extend([0x80, u8::from(self.marker) << 7 | self.payload_type]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(self.payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_survives_the_wire() {
        let packet = Packet {
            marker: true,
            payload_type: 8,
            sequence: 65_535,
            timestamp: 1 << 31,
            ssrc: 9,
            payload: b"abc",
        };
        assert_eq!(Packet::parse(&packet.write()), Ok(packet));
    }

    #[test]
    fn csrc_extension_and_padding_are_not_payload() {
        let mut bytes = vec![0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([0; 4]);
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend(b"hi\0\0\x03");
        assert_eq!(Packet::parse(&bytes).unwrap().payload, b"hi");
        assert_eq!(Packet::parse(&bytes[..20]), Err("rtp.extension"));
        assert_eq!(Packet::parse(&[0x40; 12]), Err("rtp.version"));
    }
}

//! RTCP: the reports we send, and the shape of those we get (RFC 3550 §6).

/// What a compound packet said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub ssrc: u32,
    /// Packet count of a sender report.
    pub packets_sent: Option<u32>,
    pub bye: bool,
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// Whether a datagram on a multiplexed port is RTCP (RFC 5761 §4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| (192..224).contains(kind))
}

/// Reads a compound packet; the rule that is broken when it is not one.
pub fn parse(bytes: &[u8]) -> Result<Seen, &'static str> {
    let mut seen = Seen::default();
    let (mut rest, mut first, mut cname) = (bytes, true, false);
    while !rest.is_empty() {
        let [head, kind, l0, l1, ..] = rest else { return Err("rtcp.short") };
        if head >> 6 != 2 {
            return Err("rtcp.version");
        }
        let len = (usize::from(u16::from_be_bytes([*l0, *l1])) + 1) * 4;
        let packet = rest.get(..len).ok_or("rtcp.length")?;
        if first && !matches!(*kind, SENDER_REPORT | RECEIVER_REPORT) {
            return Err("rtcp.first");
        }
        let count = usize::from(head & 0x1f);
        match *kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                let fixed = if *kind == SENDER_REPORT { 28 } else { 8 };
                if packet.len() < fixed + count * 24 {
                    return Err("rtcp.report");
                }
                seen.ssrc = word(packet, 4);
                if *kind == SENDER_REPORT {
                    seen.packets_sent = Some(word(packet, 20));
                }
            }
            // The first item of the first chunk, which is where CNAME stands in practice.
            DESCRIPTION => {
                cname |= count > 0 && packet.get(8) == Some(&1) && packet.get(9).is_some_and(|len| *len > 0)
            }
            BYE => seen.bye = true,
            _ => {}
        }
        (rest, first) = (&rest[len..], false);
    }
    match (first, cname) {
        (true, _) => Err("rtcp.short"),
        (false, false) => Err("rtcp.cname"),
        (false, true) => Ok(seen),
    }
}

fn word(packet: &[u8], at: usize) -> u32 {
    packet.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

/// What a sender report of ours says.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub ssrc: u32,
    pub unix_micros: i64,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
    pub bye: bool,
}

impl Report {
    /// SR, SDES with CNAME and, at the end, BYE.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0x80, SENDER_REPORT, 0, 6];
        bytes.extend(self.ssrc.to_be_bytes());
        // NTP counts from 1900.
        let seconds = self.unix_micros.div_euclid(1_000_000) + 2_208_988_800;
        let fraction = (self.unix_micros.rem_euclid(1_000_000) << 32) / 1_000_000;
        bytes.extend((seconds as u32).to_be_bytes());
        bytes.extend((fraction as u32).to_be_bytes());
        for word in [self.timestamp, self.packets, self.octets] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend([0x81, DESCRIPTION, 0, 4]);
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend([1, 7]);
        bytes.extend(b"sandbox\0\0\0");
        if self.bye {
            bytes.extend([0x81, BYE, 0, 1]);
            bytes.extend(self.ssrc.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_report_passes_our_own_check() {
        let report =
            Report { ssrc: 7, unix_micros: 1_500_000, timestamp: 160, packets: 3, octets: 480, bye: true };
        assert_eq!(parse(&report.write()), Ok(Seen { ssrc: 7, packets_sent: Some(3), bye: true }));
    }

    #[test]
    fn broken_compounds_name_their_rule() {
        let report = Report { ssrc: 7, unix_micros: 0, timestamp: 0, packets: 0, octets: 0, bye: false };
        let good = report.write();
        assert_eq!(parse(&[]), Err("rtcp.short"));
        assert_eq!(parse(&good[28..]), Err("rtcp.first"));
        assert_eq!(parse(&good[..28]), Err("rtcp.cname"));
        assert_eq!(parse(&good[..40]), Err("rtcp.length"));
        assert_eq!(parse(&[0x40, 200, 0, 0]), Err("rtcp.version"));
        assert_eq!(parse(&[0x81, 201, 0, 1, 0, 0, 0, 7]), Err("rtcp.report"));
    }
}

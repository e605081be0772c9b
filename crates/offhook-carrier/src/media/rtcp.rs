//! RTCP packets (RFC 3550 §6), parsed in place and written into a buffer.

/// Room enough for every compound packet we write, with its SRTCP trailer.
pub const MAX_COMPOUND: usize = 256;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    SenderReport {
        ssrc: u32,
        sender: SenderInfo,
        blocks: Blocks<'a>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Blocks<'a>,
    },
    Goodbye {
        ssrc: u32,
    },
    /// Source descriptions, feedback, extended reports: nothing we act on.
    Other {
        packet_type: u8,
    },
}

/// What a sender says of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// NTP format: seconds since 1900 and their 32-bit fraction.
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// In 256ths, since the last report.
    pub fraction_lost: u8,
    /// 24 bits, signed.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time.
    pub last_report: u32,
    /// Since then, in 65536ths of a second.
    pub delay: u32,
}

/// The report blocks of a packet, read as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [[u8; 24]]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first()?;
        self.0 = rest;
        let word = |index: usize| be32(&block[index * 4..]);
        Some(ReportBlock {
            ssrc: word(0),
            fraction_lost: block[4],
            // Sign-extended from 24 bits.
            cumulative_lost: (word(1) << 8) as i32 >> 8,
            highest_sequence: word(2),
            jitter: word(3),
            last_report: word(4),
            delay: word(5),
        })
    }
}

/// The packets of a datagram, up to the first that makes no sense.
pub fn parse(datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let head: &[u8; 4] = rest.first_chunk()?;
        let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let packet = rest.get(..len).filter(|_| head[0] >> 6 == 2)?;
        rest = &rest[len..];
        parse_one(packet)
    })
}

fn parse_one(packet: &[u8]) -> Option<Packet<'_>> {
    let (count, packet_type) = (usize::from(packet[0] & 0x1f), packet[1]);
    let body = &packet[4..];
    let ssrc = || body.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc));
    let blocks = |at: usize| {
        let (blocks, _) = body.get(at..)?.as_chunks::<24>();
        Some(Blocks(blocks.get(..count)?))
    };
    Some(match packet_type {
        SENDER_REPORT => {
            let info: &[u8; 20] = body.get(4..)?.first_chunk()?;
            let sender = SenderInfo {
                ntp: u64::from(be32(&info[..])) << 32 | u64::from(be32(&info[4..])),
                rtp_timestamp: be32(&info[8..]),
                packets: be32(&info[12..]),
                octets: be32(&info[16..]),
            };
            Packet::SenderReport { ssrc: ssrc()?, sender, blocks: blocks(24)? }
        }
        RECEIVER_REPORT => Packet::ReceiverReport { ssrc: ssrc()?, blocks: blocks(4)? },
        GOODBYE if count > 0 => Packet::Goodbye { ssrc: ssrc()? },
        packet_type => Packet::Other { packet_type },
    })
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Writes a compound packet: a report first, then a source description, then perhaps a goodbye.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// `buffer` should hold [`MAX_COMPOUND`] bytes; what does not fit is left out.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// How much was written.
    pub fn finish(self) -> usize {
        self.len
    }

    /// A sender report when there is something to say of a stream of ours, a receiver report otherwise.
    pub fn report(&mut self, ssrc: u32, sender: Option<SenderInfo>, block: Option<ReportBlock>) -> &mut Self {
        let packet_type = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        self.packet(u8::from(block.is_some()), packet_type, |put| {
            put(&ssrc.to_be_bytes());
            if let Some(sender) = sender {
                put(&sender.ntp.to_be_bytes());
                put(&sender.rtp_timestamp.to_be_bytes());
                put(&sender.packets.to_be_bytes());
                put(&sender.octets.to_be_bytes());
            }
            if let Some(block) = block {
                let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
                put(&block.ssrc.to_be_bytes());
                put(&(u32::from(block.fraction_lost) << 24 | lost).to_be_bytes());
                put(&block.highest_sequence.to_be_bytes());
                put(&block.jitter.to_be_bytes());
                put(&block.last_report.to_be_bytes());
                put(&block.delay.to_be_bytes());
            }
        })
    }

    /// A source description with a canonical name.
    pub fn cname(&mut self, ssrc: u32, cname: &str) -> &mut Self {
        let name = &cname.as_bytes()[..cname.len().min(64)];
        self.packet(1, SOURCE_DESCRIPTION, |put| {
            put(&ssrc.to_be_bytes());
            put(&[1, name.len() as u8]);
            put(name);
            // The list ends with a zero byte, and the chunk on a whole word.
            put(&[0; 4][..4 - (2 + name.len()) % 4]);
        })
    }

    pub fn goodbye(&mut self, ssrc: u32) -> &mut Self {
        self.packet(1, GOODBYE, |put| put(&ssrc.to_be_bytes()))
    }

    fn packet(&mut self, count: u8, packet_type: u8, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> &mut Self {
        let mut at = self.len + 4;
        let mut fits = at <= self.buffer.len();
        write(&mut |bytes| match self.buffer.get_mut(at..at + bytes.len()) {
            Some(room) if fits => {
                room.copy_from_slice(bytes);
                at += bytes.len();
            }
            _ => fits = false,
        });
        if fits {
            let words = ((at - self.len) / 4 - 1) as u16;
            self.buffer[self.len..self.len + 2].copy_from_slice(&[2 << 6 | count, packet_type]);
            self.buffer[self.len + 2..self.len + 4].copy_from_slice(&words.to_be_bytes());
            self.len = at;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_compound_reads_back() {
        let sender = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packets: 10, octets: 11 };
        let block = ReportBlock {
            ssrc: 2,
            fraction_lost: 255,
            cumulative_lost: -3,
            highest_sequence: 70_000,
            jitter: 5,
            last_report: 6,
            delay: 7,
        };
        for name in ["", "a", "ab", "abc", "abcd", &"x".repeat(200)] {
            let mut buffer = [0xff; MAX_COMPOUND];
            let mut writer = Writer::new(&mut buffer);
            writer.report(1, Some(sender), Some(block)).cname(1, name).goodbye(1);
            let len = writer.finish();
            assert_eq!(len % 4, 0);
            let packets: Vec<_> = parse(&buffer[..len]).collect();
            let [Packet::SenderReport { ssrc: 1, sender: read, mut blocks }, description, goodbye] =
                packets[..]
            else {
                panic!("{packets:?}");
            };
            assert_eq!((read, blocks.next(), blocks.next()), (sender, Some(block), None));
            assert_eq!(description, Packet::Other { packet_type: 202 });
            assert_eq!(goodbye, Packet::Goodbye { ssrc: 1 });
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut buffer = [0; 20];
        let mut writer = Writer::new(&mut buffer);
        writer.report(1, None, None).cname(1, "a name too long for it").goodbye(1);
        assert_eq!(writer.finish(), 16);
        assert_eq!(parse(&buffer[..16]).count(), 2);
    }

    #[test]
    fn nonsense_ends_the_list() {
        let table: [(&str, &[u8], usize); 5] = [
            ("nothing", &[], 0),
            ("version 1", &[0x40, 201, 0, 1, 0, 0, 0, 1], 0),
            ("longer than the datagram", &[0x80, 201, 0, 2, 0, 0, 0, 1], 0),
            ("more blocks than bytes", &[0x81, 201, 0, 1, 0, 0, 0, 1], 0),
            ("a goodbye of nobody", &[0x80, 203, 0, 0], 1),
        ];
        for (what, datagram, packets) in table {
            assert_eq!(parse(datagram).count(), packets, "{what}");
        }
    }
}

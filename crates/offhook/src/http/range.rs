//! Byte ranges (RFC 9110 §14): which part of a recording is asked for, so that players can seek.

use std::ops::RangeInclusive;

/// What to answer to a `Range` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    Bytes(RangeInclusive<u64>),
    Unsatisfiable,
}

/// The part of `length` bytes a header asks for. Several ranges, other units and nonsense mean the whole, as the RFC
/// allows.
pub fn part(header: Option<&str>, length: u64) -> Part {
    let spec = header.and_then(|header| header.trim().strip_prefix("bytes="));
    let Some((first, last)) = spec.filter(|spec| !spec.contains(',')).and_then(|spec| spec.split_once('-'))
    else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), _) if first >= length => Part::Unsatisfiable,
        (Some(first), Some(last)) if last < first => Part::Whole,
        (Some(first), Some(last)) => Part::Bytes(first..=last.min(length - 1)),
        (Some(first), None) if last.trim().is_empty() => Part::Bytes(first..=length - 1),
        (None, Some(suffix)) if first.trim().is_empty() => match suffix.min(length) {
            0 => Part::Unsatisfiable,
            suffix => Part::Bytes(length - suffix..=length - 1),
        },
        _ => Part::Whole,
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_hundred_bytes() {
        for (header, expected) in [
            ("bytes=0-0", Part::Bytes(0..=0)),
            ("bytes=10-19", Part::Bytes(10..=19)),
            ("bytes=90-", Part::Bytes(90..=99)),
            ("bytes=90-500", Part::Bytes(90..=99)),
            ("bytes=-10", Part::Bytes(90..=99)),
            ("bytes=-500", Part::Bytes(0..=99)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=99999999999999999999-", Part::Unsatisfiable),
            ("bytes=20-10", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(part(Some(header), 100), expected, "{header}");
        }
        assert_eq!(part(None, 100), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }
}

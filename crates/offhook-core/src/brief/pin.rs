//! Digits that only the user knows.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A PIN, or what is kept of one.
#[derive(Clone)]
pub struct Pin(Kept);

#[derive(Clone)]
enum Kept {
    Digits(String),
    Hashed { digits: usize, hashed: Arc<dyn HashedPin> },
}

/// A PIN of which only a hash is known. Whoever has the key to it tells whether digits are right, in a time that says
/// nothing about them, and within a few milliseconds: audio waits meanwhile.
pub trait HashedPin: Send + Sync {
    fn is(&self, digits: &str) -> bool;
}

impl Pin {
    pub const DIGITS: RangeInclusive<usize> = 4..=12;

    /// `None` where it is not four to twelve digits.
    pub fn parse(digits: &str) -> Option<Self> {
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        (are_digits && Self::DIGITS.contains(&digits.len())).then(|| Self(Kept::Digits(digits.to_owned())))
    }

    /// One of this many digits that is kept elsewhere.
    pub fn hashed(digits: usize, hashed: Arc<dyn HashedPin>) -> Self {
        Self(Kept::Hashed { digits, hashed })
    }

    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Digits(pin) => pin.len(),
            Kept::Hashed { digits, .. } => *digits,
        }
    }

    /// Never: the shortest has four digits.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Looks at every digit, whichever is wrong, so that the time it takes tells nothing.
    pub fn is(&self, digits: &str) -> bool {
        match &self.0 {
            Kept::Digits(pin) => {
                let (pin, digits) = (pin.as_bytes(), digits.as_bytes());
                let wrong = pin.iter().zip(digits).fold(0, |wrong, (ours, theirs)| wrong | (ours ^ theirs));
                pin.len() == digits.len() && wrong == 0
            }
            // How many digits it has is no secret: it is asked for by that.
            Kept::Hashed { digits: length, hashed } => *length == digits.len() && hashed.is(digits),
        }
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, Kept::Digits(digits)) => self.is(digits),
            (Kept::Digits(digits), _) => other.is(digits),
            (Kept::Hashed { hashed, .. }, Kept::Hashed { hashed: other, .. }) => Arc::ptr_eq(hashed, other),
        }
    }
}

/// Without a digit.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

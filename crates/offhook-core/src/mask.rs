//! One-time codes and card numbers in what is said and typed, and the same text without them.
//!
//! A card number shows itself: 13 to 19 digits whose last one fits the others. A code is any few digits, so that only
//! what was said around it tells: [`Masker`] follows the conversation. Who masks can err both ways, and errs on the
//! side of masking: an amount in the sentence after "what is the code?" is a small loss. What was found once is
//! found wherever it is repeated.

mod number;
mod words;

use std::fmt;

use crate::journal::SecretKind;
use number::{Number, Parts};

/// In the place of each digit.
pub const MASK: char = '•';

/// Finds secrets in one conversation.
#[derive(Default)]
pub struct Masker {
    /// Turns for which a code, or a card, is still what digits are about.
    code: u32,
    card: u32,
    /// Turns without a digit since the last that had one, or asked for one.
    waited: u32,
    /// Keys of the remote since anybody spoke.
    typed: u32,
    /// The digits of what was found.
    known: Vec<(String, SecretKind)>,
    /// What was taken for the back of a card: too short to look for within other numbers.
    backs: Vec<String>,
}

/// A text without its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked {
    pub text: String,
    /// Which there were, each once.
    pub kinds: Vec<SecretKind>,
}

/// Without the text.
impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masked({:?})", self.kinds)
    }
}

/// Without what it found.
impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} found)", self.known.len())
    }
}

impl Masker {
    /// Turns in which a code that was asked for is given, repeated and confirmed; a card takes longer to read out.
    const CODE_TURNS: u32 = 4;
    const CARD_TURNS: u32 = 8;
    /// Turns in which somebody looks for a code without saying a digit.
    const PATIENCE: u32 = 8;
    /// Digits of a code, and the fewest of anything while a card is talked about: those on its back.
    const CODE: std::ops::RangeInclusive<usize> = 4..=8;
    const BACK: usize = 3;
    const CARD: std::ops::RangeInclusive<usize> = 13..=19;

    /// Somebody said this, or wrote it in answer to what was said; `None` when there is nothing to mask.
    pub fn said(&mut self, text: &str) -> Option<Masked> {
        let parts = Parts::of(text);
        self.count(&parts);
        self.typed = 0;
        if words::mention_code(&parts.words) {
            (self.code, self.waited) = (Self::CODE_TURNS, 0);
        }
        if words::mention_card(&parts.words) {
            (self.card, self.waited) = (Self::CARD_TURNS, 0);
        }
        let kind = |number: &Number| self.kind(number, parts.only_numbers, (self.code > 0, self.card > 0));
        let found: Vec<_> = parts.numbers.iter().filter_map(|number| Some((number, kind(number)?))).collect();
        self.remember(&found);
        masked(text, &found)
    }

    /// Who fetches a code says other things meanwhile: only a turn with digits counts, until there were none for long.
    fn count(&mut self, parts: &Parts) {
        // "One moment" holds no digits.
        if parts.numbers.iter().any(|number| number.digits.len() > 1) {
            self.waited = 0;
            (self.code, self.card) = (self.code.saturating_sub(1), self.card.saturating_sub(1));
            return;
        }
        self.waited += 1;
        if self.waited >= Self::PATIENCE {
            (self.code, self.card) = (0, 0);
        }
    }

    /// A text about the conversation, such as its summary, that is no part of it.
    pub fn noted(&self, text: &str) -> Option<Masked> {
        let parts = Parts::of(text);
        let about = (words::mention_code(&parts.words), words::mention_card(&parts.words));
        let kind = |number: &Number| self.kind(number, false, about);
        let found: Vec<_> = parts.numbers.iter().filter_map(|number| Some((number, kind(number)?))).collect();
        masked(text, &found)
    }

    /// Keys that are sent in one go, with their pauses.
    pub fn keyed(&mut self, keys: &str) -> Option<Masked> {
        let digits: String = keys.chars().filter(char::is_ascii_digit).collect();
        let number = Number { at: 0..keys.len(), digits, is_amount: false, has_letters: false };
        let kind = self.kind(&number, false, (self.code > 0, self.card > 0))?;
        self.remember(&[(&number, kind)]);
        Some(Masked { text: keys.chars().map(masked_digit).collect(), kinds: vec![kind] })
    }

    /// A key of the remote's, who presses them one by one; whether it is not to be shown.
    pub fn typed(&mut self) -> bool {
        self.typed += 1;
        self.code > 0 || self.card > 0 || self.typed > 1
    }

    /// What the next digits would most likely be.
    pub fn expects(&self) -> Option<SecretKind> {
        match (self.card > 0, self.code > 0) {
            (true, _) => Some(SecretKind::Card),
            (_, true) => Some(SecretKind::Code),
            _ => None,
        }
    }

    fn kind(&self, number: &Number, alone: bool, (code, card): (bool, bool)) -> Option<SecretKind> {
        let length = number.digits.len();
        if let Some((_, kind)) = self.known.iter().find(|(known, _)| number.digits.contains(known.as_str())) {
            return Some(*kind);
        }
        if number.has_letters {
            return code.then_some(SecretKind::Code);
        }
        let is_card = Self::CARD.contains(&length) && (card || has_check_digit(&number.digits));
        if is_card || front_of_card(&number.digits).is_some() {
            return Some(SecretKind::Card);
        }
        if number.is_amount {
            return None;
        }
        if self.backs.contains(&number.digits) {
            return Some(SecretKind::Card);
        }
        match () {
            () if card && length >= if alone { 1 } else { Self::BACK } => Some(SecretKind::Card),
            () if code && (Self::CODE.contains(&length) || alone) => Some(SecretKind::Code),
            () => None,
        }
    }

    /// It will be repeated, and there may be more of it.
    fn remember(&mut self, found: &[(&Number, SecretKind)]) {
        for (number, kind) in found {
            if let Some((front, rest)) = front_of_card(&number.digits) {
                keep(&mut self.known, (front.to_owned(), SecretKind::Card));
                if rest.len() == Self::BACK {
                    keep(&mut self.backs, rest.to_owned());
                }
            }
            match kind {
                SecretKind::Code => self.code = self.code.max(Self::CODE_TURNS - 1),
                SecretKind::Card => self.card = self.card.max(Self::CODE_TURNS),
            }
            if number.digits.len() >= *Self::CODE.start() {
                keep(&mut self.known, (number.digits.clone(), *kind));
            } else if number.digits.len() == Self::BACK && *kind == SecretKind::Card {
                keep(&mut self.backs, number.digits.clone());
            }
        }
    }
}

/// How many secrets of a kind are remembered.
const KNOWN: usize = 16;

fn keep<T: PartialEq>(kept: &mut Vec<T>, secret: T) {
    if kept.contains(&secret) {
        return;
    }
    if kept.len() == KNOWN {
        kept.remove(0);
    }
    kept.push(secret);
}

fn masked(text: &str, found: &[(&Number, SecretKind)]) -> Option<Masked> {
    if found.is_empty() {
        return None;
    }
    let (mut masked, mut kinds, mut at) = (String::with_capacity(text.len()), Vec::new(), 0);
    for (number, kind) in found {
        masked.push_str(&text[at..number.at.start]);
        let written = &text[number.at.clone()];
        if written.chars().any(char::is_alphabetic) {
            masked.extend(number.digits.chars().map(|_| MASK));
        } else {
            masked.extend(written.chars().map(masked_digit));
        }
        at = number.at.end;
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    masked.push_str(&text[at..]);
    Some(Masked { text: masked, kinds })
}

/// The digits of each number in a text, however it is written or spelled out.
pub(crate) fn numbers(text: &str) -> Vec<String> {
    Parts::of(text).numbers.into_iter().map(|number| number.digits).collect()
}

/// The words of a text that are no part of a number, in lower case.
pub(crate) fn words_beside_digits(text: &str) -> Vec<String> {
    Parts::of(text).plain
}

/// A text without the numbers that are to be hidden; `None` where there is none.
pub(crate) fn without_numbers(text: &str, is_hidden: impl Fn(&str) -> bool) -> Option<String> {
    let parts = Parts::of(text);
    let hidden = parts.numbers.iter().filter(|number| is_hidden(&number.digits));
    let found: Vec<_> = hidden.map(|number| (number, SecretKind::Code)).collect();
    masked(text, &found).map(|masked| masked.text)
}

fn masked_digit(c: char) -> char {
    if c.is_ascii_digit() { MASK } else { c }
}

/// The number of a card that is read out with what else stands on it, in one breath: the number, and the rest.
fn front_of_card(digits: &str) -> Option<(&str, &str)> {
    let front = match digits.get(..2)? {
        "34" | "37" => 15,
        _ => 16,
    };
    // The date, the three on the back, or both.
    let longer =
        (front + 3..=front + 7).contains(&digits.len()) && digits.starts_with(['2', '3', '4', '5', '6']);
    (longer && has_check_digit(&digits[..front])).then(|| digits.split_at(front))
}

/// ISO/IEC 7812-1, annex B (Luhn): what every card number ends with.
fn has_check_digit(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (u32::from(digit - b'0'), place % 2) {
            (digit, 0) => digit,
            (digit, _) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum > 0 && sum.is_multiple_of(10)
}

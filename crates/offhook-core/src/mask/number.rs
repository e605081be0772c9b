//! Numbers in a text, however they are written or spelled out.

use std::ops::Range;

use super::words;

/// A number, and where in the text it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    pub at: Range<usize>,
    pub digits: String,
    /// So much money, so many minutes.
    pub is_amount: bool,
    /// With letters among its digits.
    pub has_letters: bool,
}

/// What a text consists of.
#[derive(Debug, Default)]
pub struct Parts {
    /// In lower case.
    pub words: Vec<String>,
    /// Those that are no part of a number.
    pub plain: Vec<String>,
    pub numbers: Vec<Number>,
    /// Whether somebody says a number and nothing else.
    pub only_numbers: bool,
}

struct Word<'a> {
    at: Range<usize>,
    text: &'a str,
    lower: String,
}

impl Parts {
    pub fn of(text: &str) -> Self {
        let words = split(text);
        let mut numbers: Vec<Number> = Vec::new();
        let mut plain: Vec<String> = Vec::new();
        let mut index = 0;
        while index < words.len() {
            match number(text, &words[index..]) {
                Some((number, taken)) => {
                    numbers.push(number);
                    index += taken;
                }
                None => {
                    plain.push(words[index].lower.clone());
                    index += 1;
                }
            }
        }
        let goes_with = |said: &str| words::BETWEEN.contains(&said) || words::ANSWER.contains(&said);
        let only_numbers = plain.iter().all(|said| goes_with(said)) && !numbers.is_empty();
        Self { words: words.into_iter().map(|word| word.lower).collect(), plain, numbers, only_numbers }
    }
}

fn split(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let within = c.is_alphanumeric() || (matches!(c, '\'' | '’') && start.is_some());
        match (within, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let word = &text[from..at];
                words.push(Word { at: from..at, text: word, lower: word.to_lowercase().replace('’', "'") });
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// The number these words begin with, and how many of them it takes.
fn number(text: &str, words: &[Word<'_>]) -> Option<(Number, usize)> {
    let mut digits = String::new();
    let mut taken = 0;
    let mut has_letters = false;
    let mut index = 0;
    while let Some(word) = words.get(index) {
        let joined = taken == 0 || is_joint(&text[words[index - 1].at.end..word.at.start]);
        if !joined {
            break;
        }
        if let Some((more, used)) = some_digits(&words[index..], !digits.is_empty()) {
            // "Forty two" is 42.
            if digits.ends_with('0') && more.len() == 1 && more != "0" && is_ten(words, index) {
                digits.pop();
            }
            digits.push_str(&more);
            index += used;
            taken = index;
        } else if taken == 0 && is_mixed(word.text) {
            digits.push_str(word.text);
            (taken, has_letters) = (1, true);
            break;
        } else if taken > 0 && words::BETWEEN.contains(&word.lower.as_str()) {
            index += 1;
        } else {
            break;
        }
    }
    if taken == 0 {
        return None;
    }
    let at = words[0].at.start..words[taken - 1].at.end;
    let unit = words.get(taken).is_some_and(|word| words::UNITS.contains(&word.lower.as_str()));
    let is_amount = unit
        || text[..at.start].trim_end().ends_with(['$', '€', '£', '¥'])
        || text[at.end..].trim_start().starts_with(['%', '$', '€', '£']);
    Some((Number { at, digits, is_amount, has_letters }, taken))
}

/// What may stand between two groups of one number.
fn is_joint(between: &str) -> bool {
    between.chars().all(|c| c.is_whitespace() || matches!(c, '-' | '–' | '—' | '.' | ',' | '·' | '…'))
        && between.len() <= 6
}

/// The digits these words begin with, and how many words they take.
fn some_digits(words: &[Word<'_>], within: bool) -> Option<(String, usize)> {
    let word = words.first()?;
    if word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((word.text.to_owned(), 1));
    }
    if let Some(digits) = words::digits(&word.lower) {
        return Some((digits.to_owned(), 1));
    }
    if within && words::OH.contains(&word.lower.as_str()) {
        return Some(("0".to_owned(), 1));
    }
    let (_, times) = words::TIMES.iter().find(|(name, _)| *name == word.lower)?;
    let (digit, _) = some_digits(words.get(1..)?, true).filter(|(digits, _)| digits.len() == 1)?;
    Some((digit.repeat(*times), 2))
}

/// Whether the word before is a multiple of ten.
fn is_ten(words: &[Word<'_>], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|index| words.get(index));
    before.is_some_and(|word| word.lower.ends_with("ty") && words::digits(&word.lower).is_some())
}

/// `A7B9C2`.
fn is_mixed(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let capitals = word.bytes().filter(u8::is_ascii_uppercase).count();
    digits >= 2 && capitals >= 1 && digits + capitals == word.len() && (4..=10).contains(&word.len())
}

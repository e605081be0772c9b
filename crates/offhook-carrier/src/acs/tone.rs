//! Keys as ACS writes them: `one`, `pound`, `asterisk`; in the media stream also `1`, `#`, `*`.

use std::collections::VecDeque;
use std::time::Duration;

use offhook_core::Digit;

const WORDS: [(&str, char); 16] = [
    ("zero", '0'),
    ("one", '1'),
    ("two", '2'),
    ("three", '3'),
    ("four", '4'),
    ("five", '5'),
    ("six", '6'),
    ("seven", '7'),
    ("eight", '8'),
    ("nine", '9'),
    ("a", 'A'),
    ("b", 'B'),
    ("c", 'C'),
    ("d", 'D'),
    ("pound", '#'),
    ("asterisk", '*'),
];

/// Keys of one request; more go into the next.
const AT_ONCE: usize = 16;

/// A key the remote pressed: symbol or word, in any case.
pub fn read(tone: &str) -> Option<Digit> {
    let tone = tone.trim();
    let mut letters = tone.chars();
    if let (Some(key), None) = (letters.next(), letters.next()) {
        return Digit::from_char(key);
    }
    let word = |(word, _): &&(&str, char)| word.eq_ignore_ascii_case(tone);
    let other = [("star", '*'), ("hash", '#')];
    let key = WORDS.iter().find(word).or_else(|| other.iter().find(word))?.1;
    Digit::from_char(key)
}

/// What is done next of the keys that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Words, in one request.
    Tones(Vec<&'static str>),
    Pause(Duration),
}

/// `w` pauses half a second, `W` a whole one; what is no key is left out.
pub fn steps(digits: &str) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    for key in digits.chars() {
        match key {
            'w' => steps.push_back(Step::Pause(Duration::from_millis(500))),
            'W' => steps.push_back(Step::Pause(Duration::from_secs(1))),
            key => {
                let Some(word) = word(key) else { continue };
                match steps.back_mut() {
                    Some(Step::Tones(tones)) if tones.len() < AT_ONCE => tones.push(word),
                    _ => steps.push_back(Step::Tones(vec![word])),
                }
            }
        }
    }
    steps
}

fn word(key: char) -> Option<&'static str> {
    let key = key.to_ascii_uppercase();
    WORDS.iter().find(|(_, symbol)| *symbol == key).map(|(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_symbols_and_as_words() {
        for (word, symbol) in WORDS {
            let digit = Digit::from_char(symbol);
            assert!(digit.is_some());
            assert!(
                read(word) == digit
                    && read(&word.to_uppercase()) == digit
                    && read(&symbol.to_string()) == digit
            );
        }
        assert!(read("star") == Digit::from_char('*') && read("hash") == Digit::from_char('#'));
        for odd in ["", "ten", "12", "é", "e"] {
            assert!(read(odd).is_none(), "{odd:?}");
        }
    }

    #[test]
    fn keys_and_pauses_in_their_order() {
        let pause = |ms| Step::Pause(Duration::from_millis(ms));
        assert_eq!(
            steps("1w2W#x*"),
            [
                Step::Tones(vec!["one"]),
                pause(500),
                Step::Tones(vec!["two"]),
                pause(1_000),
                Step::Tones(vec!["pound", "asterisk"]),
            ]
        );
        assert_eq!(steps("?!"), []);
        let many = steps(&"9".repeat(AT_ONCE + 1));
        assert_eq!(many.len(), 2);
    }
}

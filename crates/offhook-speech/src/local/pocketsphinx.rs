//! CMU Pocketsphinx as it comes with Debian: words by its language model, and the phrases that matter by a second
//! look for just these.
//!
//! It knows short answers and keywords. Words it is not sure of become an ellipsis, what holds no other is not
//! understood at all.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::FindError;
use super::program::{Files, Program};
use super::recognizer::{RecognizeError, Recognizer, Transcript};

#[derive(Clone, Debug)]
pub struct Pocketsphinx {
    program: Program,
    /// The phrases of the second look, in the program's own format.
    phrases: Arc<NamedTempFile>,
}

/// Phrases a call hinges on, each with the threshold at which it is neither missed nor imagined.
const PHRASES: &[(&str, &str)] = &[
    ("press zero", "1e-15"),
    ("press one", "1e-15"),
    ("press two", "1e-15"),
    ("press three", "1e-15"),
    ("press four", "1e-15"),
    ("press five", "1e-15"),
    ("press six", "1e-15"),
    ("press seven", "1e-20"),
    ("press eight", "1e-15"),
    ("press nine", "1e-15"),
    ("please hold", "1e-15"),
    ("one moment", "1e-15"),
    ("thank you for holding", "1e-25"),
    ("leave a message", "1e-20"),
    ("after the tone", "1e-20"),
    ("after the beep", "1e-20"),
    ("take your call", "1e-20"),
    ("date of birth", "1e-20"),
    ("one time code", "1e-20"),
    ("security code", "1e-25"),
    ("account number", "1e-20"),
    ("social security", "1e-30"),
    ("credit card", "1e-20"),
    ("your name", "1e-12"),
    ("phone number", "1e-20"),
    ("account holder", "1e-20"),
    ("can you connect me", "1e-25"),
    ("can i speak", "1e-20"),
    ("on the line", "1e-15"),
    ("are you a robot", "1e-25"),
    ("say that again", "1e-20"),
    ("can you hear me", "1e-20"),
    ("how can i help you", "1e-25"),
    ("is that good for you", "1e-25"),
    ("anything else", "1e-20"),
    ("record your name", "1e-20"),
    ("reason for calling", "1e-25"),
    ("keys of your phone", "1e-25"),
    ("shall i book it", "1e-25"),
    ("charge the card", "1e-20"),
    ("card on file", "1e-20"),
    ("get back to you", "1e-20"),
    ("my colleague", "1e-20"),
    ("stay on the line", "1e-20"),
    ("what can i do for you", "1e-25"),
    ("i can talk now", "1e-20"),
    ("cannot talk now", "1e-20"),
    ("wrong number", "1e-20"),
    ("not interested", "1e-25"),
    ("thank you for calling", "1e-25"),
    ("goodbye", "1e-10"),
];

/// A word or phrase as it was heard.
#[derive(Clone, Debug, PartialEq)]
struct Spotted {
    text: String,
    start: f32,
    end: f32,
    probability: f32,
}

impl Pocketsphinx {
    /// A phrase below this was imagined.
    const PHRASE: f32 = 0.8;
    /// A word below this is not worth writing down.
    const WORD: f32 = 0.1;
    /// Below this, all of it together is noise.
    const ALL: f32 = 0.3;
    const MODEL: &str = "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin";

    pub(super) fn find() -> Result<Self, FindError> {
        let program = Program::find("pocketsphinx_continuous").ok_or(FindError::NoProgram {
            name: "pocketsphinx_continuous",
            package: "pocketsphinx pocketsphinx-en-us",
        })?;
        if cfg!(target_os = "linux") && !Path::new(Self::MODEL).exists() {
            return Err(FindError::NoProgram {
                name: "the English model of pocketsphinx",
                package: "pocketsphinx-en-us",
            });
        }
        let phrases = write_phrases().map_err(|error| FindError::File(error.to_string()))?;
        Ok(Self { program, phrases: Arc::new(phrases) })
    }

    pub(super) async fn recognize(&self, samples: &[i16]) -> Result<Option<Transcript>, RecognizeError> {
        let audio: Vec<u8> = widen(samples).iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let phrases = self.phrases.path().as_os_str();
        let only_phrases = [OsStr::new("-kws"), phrases];
        let (words, phrases) = tokio::join!(self.run(&audio, &[]), self.run(&audio, &only_phrases));
        // The second look is a help, not a must.
        Ok(transcript(&parse(&words?), &parse(&phrases.unwrap_or_default())))
    }

    /// Bare samples: the program looks for the head of a file only where its name says that there is one.
    async fn run(&self, samples: &[u8], further: &[&OsStr]) -> Result<String, RecognizeError> {
        let audio = nameless(samples).map_err(RecognizeError::File)?;
        let mut arguments =
            ["-infile", "/dev/stdin", "-time", "yes", "-logfn", "/dev/null"].map(OsStr::new).to_vec();
        arguments.extend(further);
        let output = self.program.run(&arguments, Files::Hear { audio }, Recognizer::LIMIT).await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// A file without a name that begins with these bytes.
fn nameless(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

fn write_phrases() -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("offhook-").suffix(".phrases").tempfile()?;
    for (phrase, threshold) in PHRASES {
        writeln!(file, "{phrase} /{threshold}/")?;
    }
    Ok(file)
}

/// Telephone audio as the model of the program wants it: 16 kHz, with something in the upper half of the band.
///
/// Each sample is doubled, which mirrors the lower half of the band into the upper. A proper filter leaves that empty,
/// which no recording the model was made from ever was: it then hears a fifth of the words.
fn widen(samples: &[i16]) -> Vec<i16> {
    const PAUSE: usize = 3_200;
    let mut wide = vec![0; PAUSE];
    wide.extend(samples.iter().flat_map(|sample| [*sample; 2]));
    wide.resize(wide.len() + PAUSE, 0);
    wide
}

/// Lines of a word or phrase, its start and end in seconds, and how probable it is. The others repeat the text.
fn parse(output: &str) -> Vec<Spotted> {
    output.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Spotted> {
    let mut fields = line.split_whitespace().rev();
    let probability = fields.next()?.parse().ok()?;
    let end = fields.next()?.parse().ok()?;
    let start = fields.next()?.parse().ok()?;
    let mut words: Vec<&str> = fields.collect();
    words.reverse();
    let text = words.join(" ");
    // Alternative pronunciations are marked "to(3)"; silence and noise "<sil>", "[NOISE]", "++UM++".
    let text = text.split('(').next().unwrap_or_default();
    let is_word = text.starts_with(|c: char| c.is_alphanumeric() || c == '\'');
    is_word.then(|| Spotted { text: text.to_owned(), start, end, probability })
}

/// The words, with the phrases in place of what was heard where they were.
fn transcript(words: &[Spotted], phrases: &[Spotted]) -> Option<Transcript> {
    let mut certain: Vec<&Spotted> = Vec::new();
    let mut by_probability: Vec<&Spotted> = phrases
        .iter()
        .filter(|phrase| phrase.probability >= Pocketsphinx::PHRASE && !contradicted(phrase, words))
        .collect();
    by_probability.sort_by(|one, other| other.probability.total_cmp(&one.probability));
    for phrase in by_probability {
        if certain.iter().all(|other| overlap(phrase, other) <= 0.0) {
            certain.push(phrase);
        }
    }
    let covered = |word: &Spotted| {
        let length = (word.end - word.start).max(0.01);
        certain.iter().any(|phrase| overlap(word, phrase) > length / 2.0)
    };
    let mut all: Vec<&Spotted> = words.iter().filter(|word| !covered(word)).collect();
    all.extend(&certain);
    all.sort_by(|one, other| one.start.total_cmp(&other.start));
    write_down(&all)
}

/// Where the first look is sure of other words, a short phrase was imagined: "press two" in "customer".
fn contradicted(phrase: &Spotted, words: &[Spotted]) -> bool {
    const SURE: f32 = 0.5;
    let there: Vec<&Spotted> =
        words.iter().filter(|word| overlap(word, phrase) > (word.end - word.start) / 2.0).collect();
    let shared = there.iter().any(|word| phrase.text.split(' ').any(|part| part == word.text));
    let mean = there.iter().map(|word| word.probability).sum::<f32>() / there.len().max(1) as f32;
    !shared && mean > SURE
}

fn overlap(one: &Spotted, other: &Spotted) -> f32 {
    one.end.min(other.end) - one.start.max(other.start)
}

const GAP: &str = "…";
/// What any hum or breath sounds like.
const FILLERS: &[&str] =
    &[GAP, "a", "ah", "and", "eh", "er", "hm", "hmm", "huh", "mm", "oh", "uh", "um", "ha", "the", "but"];

fn write_down(all: &[&Spotted]) -> Option<Transcript> {
    let mut text: Vec<&str> = Vec::new();
    let (mut sum, mut count) = (0.0, 0.0);
    for spotted in all {
        if spotted.probability >= Pocketsphinx::WORD {
            let words = spotted.text.split(' ').count() as f32;
            sum += spotted.probability * words;
            count += words;
            text.push(&spotted.text);
        } else if text.last() != Some(&GAP) {
            text.push(GAP);
        }
    }
    let only_fillers = text.iter().all(|word| FILLERS.contains(word));
    if only_fillers || sum / count < Pocketsphinx::ALL {
        return None;
    }
    Some(Transcript { text: text.join(" "), confidence: Some((sum / count * 1_000.0) as u32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_become_one_text() {
        let words = "what is your day of bird\n<s> 0.000 0.110 0.99\nwhat 0.20 0.40 0.95\nis 0.41 0.50 0.90\n\
                     your(2) 0.51 0.80 0.05\nday 0.85 1.10 0.40\nof 1.11 1.20 0.30\nbird 1.21 1.60 0.70\n<sil> 1.7 2.0 1.0\n";
        let phrases = "date of birth\ndate of birth 0.84 1.62 0.90\ndate of birth 0.84 1.60 0.82\none moment 0.1 0.5 0.3\n";
        let heard = transcript(&parse(words), &parse(phrases)).unwrap();
        assert_eq!(heard.text, "what is … date of birth");
        assert!(heard.confidence.is_some_and(|confidence| (900..920).contains(&confidence)));
    }

    #[test]
    fn a_phrase_in_the_middle_of_another_word_is_imagined() {
        let words = "this 0.1 0.3 0.9\nis 0.31 0.4 0.9\ncustomer 0.5 1.1 1.0\nservice 1.2 1.6 0.9";
        let heard = transcript(&parse(words), &parse("press two 0.5 1.1 0.9")).unwrap();
        assert_eq!(heard.text, "this is customer service");
    }

    #[test]
    fn guesses_and_hums_are_nothing() {
        for words in
            ["", "one 0.1 0.4 0.02", "oh 0.1 0.9 0.9", "hm 0.1 0.3 0.9\nfoo 0.4 0.6 0.05", "two 0.1 0.2 0.2"]
        {
            assert_eq!(transcript(&parse(words), &[]), None, "{words}");
        }
    }
}

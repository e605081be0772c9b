//! Who said what, as far as it was really heard.
//!
//! This is the only place where turns get their numbers.

use super::Utterance;
use crate::journal::Fact;
use crate::pump::Heard;
use crate::words::Words;

/// The transcript so far, and the utterances that are not in it yet.
///
/// A model sends the words of an utterance before, with or after its audio; the turn is written once both the
/// playout is over and the words are known.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: u32,
    /// What the remote said, to find quotes in.
    remote: Vec<RemoteTurn>,
    utterances: Vec<Spoken>,
    /// When the voice spoke with the user in private, in milliseconds of the call; the last may go on.
    private: Vec<(u32, Option<u32>)>,
    /// From here on nothing is written down.
    over_ms: Option<u32>,
}

/// Whom the voice speaks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The remote, and what is said is written down.
    Both,
    /// The user, in private.
    User,
    /// The voice has left.
    Nobody,
}

#[derive(Debug)]
struct RemoteTurn {
    started_ms: u32,
    words: Vec<Words>,
}

#[derive(Debug)]
struct Spoken {
    utterance: Utterance,
    text: Option<Words>,
    started_ms: Option<u32>,
    over: Option<Over>,
}

/// How an utterance ended.
#[derive(Clone, Copy, Debug)]
struct Over {
    ended_ms: u32,
    heard: Heard,
    interrupted: bool,
}

impl Turns {
    /// How much earlier than the first sound a recognizer may say that a turn began.
    const HEAD_START_MS: u32 = 300;

    /// From now on the voice speaks with the user, and the remote does not hear it.
    pub fn begin_private(&mut self, at_ms: u32) {
        self.private.push((at_ms, None));
    }

    pub fn end_private(&mut self, at_ms: u32) {
        if let Some((_, end)) = self.private.last_mut() {
            *end = Some(at_ms);
        }
    }

    /// Nothing that is said from now on is written down.
    pub fn end(&mut self, at_ms: u32) {
        self.over_ms = Some(at_ms);
    }

    pub fn are_over(&self) -> bool {
        self.over_ms.is_some()
    }

    /// Whose ears something was for that a recognizer says began here.
    pub fn audience(&self, started_ms: u32) -> Audience {
        let heard_ms = started_ms.saturating_add(Self::HEAD_START_MS);
        if self.is_private(heard_ms) {
            Audience::User
        } else if self.over_ms.is_some_and(|over_ms| started_ms >= over_ms) {
            Audience::Nobody
        } else {
            Audience::Both
        }
    }

    fn is_private(&self, at_ms: u32) -> bool {
        let within = |(from, to): &(u32, Option<u32>)| at_ms >= *from && to.is_none_or(|to| at_ms < to);
        self.private.iter().any(within)
    }

    /// The number of a turn that nobody but the user heard.
    pub fn private(&mut self) -> u32 {
        self.next()
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Whether this utterance is known to begin with these words, as far as its words are known.
    pub fn begins_with(&self, utterance: Utterance, words: &str) -> bool {
        let spoken = self.utterances.iter().find(|spoken| spoken.utterance == utterance);
        let text = spoken.and_then(|spoken| spoken.text.as_ref());
        text.is_some_and(|text| {
            !text.is_empty() && (text.starts_with(words) || words.starts_with(text.as_str()))
        })
    }

    /// The number of a turn of the remote, in which this was understood.
    pub fn remote(&mut self, text: &str, started_ms: u32) -> u32 {
        let turn = self.next();
        self.remote.push(RemoteTurn { started_ms, words: words(text) });
        turn
    }

    /// What the remote began to say between these two moments since the answer.
    pub fn said_between(&self, from_ms: u32, to_ms: u32) -> Vec<Words> {
        let between = self.remote.iter().filter(|turn| (from_ms..to_ms).contains(&turn.started_ms));
        between.flat_map(|turn| turn.words.iter().cloned()).collect()
    }

    pub fn remote_spoke(&self) -> bool {
        !self.remote.is_empty()
    }

    pub fn started(&mut self, utterance: Utterance, at_ms: u32) {
        self.entry(utterance).started_ms.get_or_insert(at_ms);
    }

    pub fn text(&mut self, utterance: Utterance, text: Words) -> Option<Fact> {
        self.entry(utterance).text = Some(text);
        self.complete(utterance)
    }

    pub fn finished(&mut self, heard: Heard, at_ms: u32) -> Option<Fact> {
        self.over(Over { ended_ms: at_ms, heard, interrupted: false })
    }

    pub fn cut_off(&mut self, heard: Heard, at_ms: u32) -> Option<Fact> {
        self.over(Over { ended_ms: at_ms, heard, interrupted: true })
    }

    fn over(&mut self, over: Over) -> Option<Fact> {
        let utterance = over.heard.utterance;
        self.entry(utterance).over.get_or_insert(over);
        self.complete(utterance)
    }

    fn entry(&mut self, utterance: Utterance) -> &mut Spoken {
        let index = match self.utterances.iter().position(|spoken| spoken.utterance == utterance) {
            Some(index) => index,
            None => {
                self.utterances.push(Spoken { utterance, text: None, started_ms: None, over: None });
                self.utterances.len() - 1
            }
        };
        &mut self.utterances[index]
    }

    /// The turn of an utterance, once nothing of it is missing and something of it was heard.
    fn complete(&mut self, utterance: Utterance) -> Option<Fact> {
        let index = self.utterances.iter().position(|spoken| spoken.utterance == utterance)?;
        let Spoken { text: Some(text), over: Some(over), started_ms, .. } = &self.utterances[index] else {
            return None;
        };
        let Over { ended_ms, heard, interrupted } = *over;
        let started_ms = started_ms.unwrap_or(ended_ms);
        let text = heard.words(text).to_owned();
        self.utterances.remove(index);
        if text.is_empty() {
            return None;
        }
        if self.is_private(started_ms) {
            return Some(Fact::PrivateTurn { turn: self.next(), started_ms, ended_ms });
        }
        Some(Fact::VoiceSaid { turn: self.next(), started_ms, ended_ms, text, interrupted })
    }
}

/// The words of a text, in lower case and without punctuation.
pub(super) fn words(text: &str) -> Vec<Words> {
    let apart = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'));
    apart.filter(|word| !word.is_empty()).map(|word| word.to_lowercase().into()).collect()
}

/// Whether both say the same, as far as a recognizer can tell. All menus sound alike but for what they offer: short
/// words and the word for pressing a key tell nothing. One may begin with an apology.
pub(super) fn alike(one: &[Words], other: &[Words]) -> bool {
    let telling = |said: &[Words]| -> Vec<Words> {
        said.iter()
            .filter(|word| word.chars().count() > 3 && *word != "press" && *word != "please")
            .cloned()
            .collect()
    };
    let (one, other) = (telling(one), telling(other));
    let shorter = one.len().min(other.len());
    shorter >= 2 && in_common(&one, &other) * 4 >= shorter * 3
}

/// How many words two texts have in common, in the same order: their longest common subsequence.
pub(super) fn in_common(quote: &[Words], said: &[Words]) -> usize {
    let mut best = vec![0; said.len() + 1];
    for word in quote {
        let mut diagonal = 0;
        for (index, other) in said.iter().enumerate() {
            let above = best[index + 1];
            best[index + 1] = if word == other { diagonal + 1 } else { above.max(best[index]) };
            diagonal = above;
        }
    }
    best[said.len()]
}

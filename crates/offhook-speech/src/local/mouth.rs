//! What the voice says: lines in order, sentence by sentence.
//!
//! How far the playout is, only the call sees; it reports what was cut off. When a line should be over is counted from
//! the audio handed over, to know when it is our turn again.

use std::collections::VecDeque;
use std::sync::Arc;

use offhook_core::call::{SpeechEvent, ToolCall, ToolCallId, Utterance};
use offhook_core::pump::Heard;

/// One piece of work for the synthesizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job(pub u32);

#[derive(Clone, Debug, PartialEq)]
pub enum MouthEvent {
    Synthesize { job: Job, sentence: String },
    Audio { utterance: Utterance, samples: Arc<[i16]> },
    Event(SpeechEvent),
}

#[derive(Debug, Default)]
pub struct Mouth {
    agenda: VecDeque<Item>,
    current: Option<Current>,
    /// Handed over, and perhaps still playing.
    handed: VecDeque<Handed>,
    playing_until_ms: u64,
    last_audio_ms: u64,
    utterances: u32,
    jobs: u32,
    tools: u32,
    events: VecDeque<MouthEvent>,
}

#[derive(Debug)]
enum Item {
    Line(Line),
    Tool(ToolCall),
}

#[derive(Debug)]
struct Line {
    text: String,
    sentences: VecDeque<String>,
    /// Said also while the remote speaks.
    at_once: bool,
    /// More sentences may come.
    open: bool,
    /// Said again until all of it was handed over.
    must_be_heard: bool,
}

/// The line that is being made into audio.
#[derive(Debug)]
struct Current {
    utterance: Utterance,
    line: Line,
    /// The sentence that is with the synthesizer.
    job: Option<(Job, String)>,
    /// The sentences whose audio was handed over.
    spoken: String,
    /// A sentence of it could not be made.
    lacks: bool,
}

/// A line whose audio was handed over, as far as it was made.
#[derive(Debug)]
struct Handed {
    utterance: Utterance,
    text: String,
    spoken: String,
    ends_at_ms: u64,
}

/// A line of which not all was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub text: String,
    /// The words of it that were.
    pub heard: String,
}

impl Cut {
    fn unheard(text: String) -> Self {
        Self { text, heard: String::new() }
    }
}

impl Mouth {
    /// A tool that ends the call comes this much after the last audio, when that is certainly being played.
    const TOOL_LAG_MS: u64 = 150;
    /// How far the playout may be behind what is counted here.
    const PLAYOUT_LAG_MS: u64 = 1_000;

    pub fn say(&mut self, text: &str, at_once: bool) {
        let text = text.trim().to_owned();
        let sentences = sentences(&text);
        self.agenda.push_back(Item::Line(Line {
            text,
            sentences,
            at_once,
            open: false,
            must_be_heard: false,
        }));
    }

    /// Say this before all else, to the end; it takes the place of such as is still to be said.
    pub fn open(&mut self, text: &str) {
        self.agenda.retain(|item| !matches!(item, Item::Line(line) if line.must_be_heard));
        if let Some(current) = &mut self.current
            && current.line.must_be_heard
        {
            current.line.must_be_heard = false;
            self.finish_current();
        }
        let text = text.trim().to_owned();
        let sentences = sentences(&text);
        let line = Line { text, sentences, at_once: true, open: false, must_be_heard: true };
        self.agenda.push_front(Item::Line(line));
    }

    pub fn tool(&mut self, tool: ToolCall) {
        self.agenda.push_back(Item::Tool(tool));
    }

    /// Whatever is being said.
    pub fn tool_now(&mut self, tool: ToolCall) {
        self.tools += 1;
        self.emit(SpeechEvent::ToolCall { id: ToolCallId(self.tools), tool });
    }

    /// One more sentence of the line that is being thought up; begins it if there is none.
    pub fn say_more(&mut self, sentence: &str) {
        let sentence = sentence.trim();
        let open = match (self.agenda.back_mut(), &mut self.current) {
            (Some(Item::Line(line)), _) if line.open => Some(line),
            (None, Some(current)) if current.line.open => Some(&mut current.line),
            _ => None,
        };
        match open {
            Some(line) => {
                line.text = format!("{} {sentence}", line.text);
                line.sentences.push_back(sentence.to_owned());
            }
            None => self.agenda.push_back(Item::Line(Line {
                text: sentence.to_owned(),
                sentences: VecDeque::from([sentence.to_owned()]),
                at_once: false,
                open: true,
                must_be_heard: false,
            })),
        }
    }

    /// Nothing more comes of the line that was being thought up.
    pub fn end_line(&mut self) {
        if let Some(current) = &mut self.current {
            current.line.open = false;
        }
        for item in &mut self.agenda {
            if let Item::Line(line) = item {
                line.open = false;
            }
        }
    }

    /// Begin what can begin, and report what happened.
    pub fn poll(&mut self, now_ms: u64, remote_speaks: bool) -> Option<MouthEvent> {
        self.forget_played(now_ms);
        self.advance(now_ms, remote_speaks);
        self.events.pop_front()
    }

    /// What there is to tell while nothing may be said; audio that was on its way is dropped.
    pub fn told(&mut self) -> Option<SpeechEvent> {
        while let Some(event) = self.events.pop_front() {
            if let MouthEvent::Event(event) = event {
                return Some(event);
            }
        }
        None
    }

    fn advance(&mut self, now_ms: u64, remote_speaks: bool) {
        loop {
            if let Some(current) = &mut self.current {
                if current.job.is_some() {
                    return;
                }
                if let Some(sentence) = current.line.sentences.pop_front() {
                    self.jobs += 1;
                    current.job = Some((Job(self.jobs), sentence.clone()));
                    return self.events.push_back(MouthEvent::Synthesize { job: Job(self.jobs), sentence });
                }
                if current.line.open {
                    return;
                }
                self.finish_current();
            }
            match self.agenda.front() {
                Some(Item::Line(line)) if remote_speaks && !line.at_once => return,
                Some(Item::Tool(_)) if now_ms < self.tool_at_ms() => return,
                _ => {}
            }
            match self.agenda.pop_front() {
                Some(Item::Line(line)) => self.begin(line),
                Some(Item::Tool(tool)) => self.tool_now(tool),
                None => return,
            }
        }
    }

    fn begin(&mut self, line: Line) {
        self.utterances += 1;
        let utterance = Utterance(self.utterances);
        self.current = Some(Current { utterance, line, job: None, spoken: String::new(), lacks: false });
    }

    /// No more of the line is made. It is returned if no audio of it was.
    fn finish_current(&mut self) -> Option<String> {
        let Current { utterance, line, spoken, job, lacks } = self.current.take()?;
        let whole = job.is_none() && line.sentences.is_empty() && !lacks && !spoken.is_empty();
        let text = line.text.clone();
        self.emit(SpeechEvent::UtteranceDone { utterance });
        let unsaid = spoken.is_empty() && !line.must_be_heard;
        match (line.must_be_heard, whole) {
            (true, true) => self.emit(SpeechEvent::Opened { utterance }),
            (true, false) => self.wait(line),
            (false, _) => {}
        }
        if unsaid {
            return Some(text);
        }
        if !spoken.is_empty() {
            self.handed.push_back(Handed { utterance, text, spoken, ends_at_ms: self.playing_until_ms });
        }
        None
    }

    fn tool_at_ms(&self) -> u64 {
        self.last_audio_ms + if self.last_audio_ms == 0 { 0 } else { Self::TOOL_LAG_MS }
    }

    fn emit(&mut self, event: SpeechEvent) {
        self.events.push_back(MouthEvent::Event(event));
    }

    /// The synthesizer is done with a sentence, or could not do it.
    pub fn spoken(&mut self, now_ms: u64, job: Job, samples: Option<Arc<[i16]>>, remote_speaks: bool) {
        let Some(current) = &mut self.current else { return };
        let Some((_, sentence)) = current.job.take_if(|(wanted, _)| *wanted == job) else { return };
        let Some(samples) = samples.filter(|samples| !samples.is_empty()) else {
            current.lacks = true;
            return;
        };
        if current.spoken.is_empty() && remote_speaks && !current.line.at_once {
            return self.put_back();
        }
        if !current.spoken.is_empty() {
            current.spoken.push(' ');
        }
        current.spoken.push_str(&sentence);
        let (utterance, text) = (current.utterance, current.spoken.as_str().into());
        self.playing_until_ms = self.playing_until_ms.max(now_ms) + samples.len() as u64 / 8;
        self.last_audio_ms = now_ms.max(1);
        self.emit(SpeechEvent::VoiceText { utterance, text });
        self.events.push_back(MouthEvent::Audio { utterance, samples });
    }

    /// Somebody began to speak before us: the line waits, whole.
    fn put_back(&mut self) {
        if let Some(current) = self.current.take() {
            self.wait(current.line);
            let utterance = current.utterance;
            self.emit(SpeechEvent::UtteranceDone { utterance });
        }
    }

    /// The line is the next, from its first word.
    fn wait(&mut self, line: Line) {
        let sentences = sentences(&line.text);
        self.agenda.push_front(Item::Line(Line { sentences, ..line }));
    }

    /// The call cut an utterance off.
    pub fn cut(&mut self, now_ms: u64, heard: Heard) -> Option<Cut> {
        self.playing_until_ms = now_ms;
        if self.current.as_ref().is_some_and(|current| current.utterance <= heard.utterance) {
            self.finish_current();
        }
        let handed = self.handed.iter().position(|handed| handed.utterance == heard.utterance)?;
        let Handed { text, spoken, .. } = self.handed.remove(handed)?;
        let cut = Cut { heard: heard.words(&spoken).to_owned(), text };
        // What came after it was dropped unheard.
        self.handed.retain(|handed| handed.utterance < heard.utterance);
        if self.current.as_ref().is_some_and(|current| current.utterance > heard.utterance) {
            self.put_back();
        }
        Some(cut)
    }

    /// Take back every line that has not begun; tools stay.
    pub fn take_unsaid(&mut self) -> Vec<Cut> {
        let mut unsaid = Vec::new();
        self.agenda.retain(|item| match item {
            Item::Line(line) if !line.at_once => {
                unsaid.push(Cut::unheard(line.text.clone()));
                false
            }
            _ => true,
        });
        unsaid
    }

    /// Stop altogether.
    pub fn hush(&mut self, now_ms: u64) -> Vec<Cut> {
        let unsaid = self.finish_current().map(Cut::unheard);
        self.playing_until_ms = now_ms;
        unsaid.into_iter().chain(self.take_unsaid()).collect()
    }

    /// What was played to its end can't be cut off any more.
    fn forget_played(&mut self, now_ms: u64) {
        while self.handed.front().is_some_and(|handed| handed.ends_at_ms + Self::PLAYOUT_LAG_MS <= now_ms) {
            self.handed.pop_front();
        }
    }

    /// Whether anything is still to be said or done.
    pub fn has_more(&self) -> bool {
        self.current.is_some() || !self.agenda.is_empty()
    }

    pub fn playing_until_ms(&self) -> u64 {
        self.playing_until_ms
    }

    /// When [`Self::poll`] has something to do that nothing else announces.
    pub fn deadline_ms(&self) -> Option<u64> {
        match self.agenda.front() {
            Some(Item::Tool(_)) if self.current.is_none() => Some(self.tool_at_ms()),
            _ => None,
        }
    }
}

/// The sentences of a text; one for the synthesizer at a time.
pub fn sentences(text: &str) -> VecDeque<String> {
    let mut all = VecDeque::new();
    let mut rest = text.trim();
    while let Some(end) = sentence_end(rest) {
        let (sentence, after) = rest.split_at(end);
        all.push_back(sentence.trim().to_owned());
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        all.push_back(rest.to_owned());
    }
    all
}

/// Where the first sentence ends, if another begins after it. Short ones go with the next, to be spoken in one breath.
pub fn sentence_end(text: &str) -> Option<usize> {
    const SHORT: usize = 12;
    text.match_indices(['.', '!', '?']).map(|(at, mark)| at + mark.len()).find(|end| {
        let abbreviated = ["Mr.", "Mrs.", "Ms.", "Dr.", "St.", "No.", "a.m.", "p.m."]
            .iter()
            .any(|short| text[..*end].ends_with(short));
        *end >= SHORT && !abbreviated && text[*end..].starts_with(char::is_whitespace)
    })
}

//! Holds the log to its promise: above DEBUG no whole phone number, no key, nothing that was said.
//!
//! Every line at INFO or above is kept, with its spans. What a test knows to be private can be told before or after
//! the line was written; [`Quiet::check`] fails with the lines that hold any of it. It does not panic inside the
//! log call: a session that panics is caught by design, and the leak would pass as a fault of one call.
//!
//! The log of a program in a process of its own is judged by the same rules: [`Quiet::read`] takes it as text.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Everything logged so far, and what must not be in it.
#[derive(Clone, Debug, Default)]
pub struct Quiet {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    private: Vec<String>,
    trap: Option<&'static str>,
}

/// Shorter texts turn up by chance.
const SHORTEST: usize = 6;
/// So many words in a row, of so many characters, are recognised as a part of what was said.
const WORDS: usize = 4;
const WORDS_LEN: usize = 16;

/// What begins something private that nobody told us of.
struct Mark {
    start: &'static str,
    /// Which characters it has.
    fits: fn(char) -> bool,
    /// How many of them make it one.
    least: usize,
}

const fn mark(start: &'static str, fits: fn(char) -> bool, least: usize) -> Mark {
    Mark { start, fits, least }
}

const MARKS: [Mark; 6] = [
    // A telephone number: as it is written, and in an address.
    mark("+", is_digit, 8),
    mark("sip:", is_digit, 8),
    mark("tel:", is_digit, 8),
    // An API key of ours, and one of a speech model.
    mark("clawcall_sk_", is_token, 8),
    mark("sk-", is_token, 16),
    // The key of an SRTP stream in SDP.
    mark("inline:", is_base64, 8),
];

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_".contains(c)
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=".contains(c)
}

impl Quiet {
    /// Listen to the log of this process, which must have no subscriber yet. Every call after the first returns the
    /// same listener.
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Quiet> = OnceLock::new();
        let install = || {
            let quiet = Quiet::default();
            let subscriber = tracing_subscriber::registry().with(quiet.clone());
            subscriber.try_init().expect("no other subscriber was installed in this process");
            quiet
        };
        INSTALLED.get_or_init(install).clone()
    }

    /// This text is private, as it is.
    pub fn never(&self, text: &str) {
        let mut kept = self.kept();
        if text.len() >= SHORTEST && !kept.private.iter().any(|known| known == text) {
            kept.private.push(text.to_owned());
        }
    }

    /// This was said, or is to be said: private as a whole and in any part of some length.
    pub fn never_said(&self, text: &str) {
        self.never(text);
        let words: Vec<&str> = text.split_whitespace().collect();
        for part in words.windows(WORDS).map(|part| part.join(" ")) {
            if part.len() >= WORDS_LEN {
                self.never(&part);
            }
        }
    }

    /// Judge the log of another process, as it was written at INFO and above.
    pub fn read(&self, log: &str) {
        log.lines().for_each(|line| self.keep(line.to_owned()));
    }

    /// A number in E.164: private as it is, without the plus, and without the country code `1`.
    pub fn never_number(&self, number: &str) {
        self.never(number);
        self.never(number.trim_start_matches('+'));
        self.never(number.trim_start_matches("+1"));
    }

    /// Panic in whatever task next logs this message, at DEBUG or above: a fault in the middle of a part that has
    /// none a test could reach.
    pub fn trap(&self, message: &'static str) {
        self.kept().trap = Some(message);
    }

    /// Whether the trap is still waiting.
    pub fn is_trapping(&self) -> bool {
        self.kept().trap.is_some()
    }

    fn spring(&self, event: &Event<'_>) {
        let Some(message) = self.kept().trap else { return };
        let mut line = Line::new("");
        event.record(&mut line);
        let sprung = line.0.contains(message) && self.kept().trap.take().is_some();
        assert!(!sprung, "a test set a trap for {message:?}");
    }

    /// The lines so far that hold something private.
    pub fn leaks(&self) -> Vec<String> {
        let kept = self.kept();
        let leaks = |line: &&String| {
            kept.private.iter().any(|text| line.contains(text.as_str())) || looks_private(line)
        };
        kept.lines.iter().filter(leaks).cloned().collect()
    }

    /// Panics when something private was logged.
    #[track_caller]
    pub fn check(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "private words were logged above DEBUG: {leaks:#?}");
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, line: String) {
        self.kept().lines.push(line);
    }
}

/// Whether a line holds a number or a key that nobody told us of.
fn looks_private(line: &str) -> bool {
    MARKS.iter().any(|mark| {
        let run = |at: usize| line[at + mark.start.len()..].chars().take_while(|c| (mark.fits)(*c)).count();
        line.match_indices(mark.start).any(|(at, _)| run(at) >= mark.least)
    })
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Quiet {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        if *metadata.level() <= Level::INFO {
            let mut line = Line::new(metadata.name());
            attributes.record(&mut line);
            self.keep(line.0);
        }
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut line = Line::new("recorded");
        values.record(&mut line);
        self.keep(line.0);
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.spring(event);
        let metadata = event.metadata();
        if *metadata.level() <= Level::INFO {
            let mut line = Line::new(metadata.target());
            event.record(&mut line);
            self.keep(line.0);
        }
    }
}

/// A line as it would be written.
struct Line(String);

impl Line {
    fn new(start: &str) -> Self {
        Self(start.to_owned())
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCE: &str = "My date of birth is the first of May.";

    /// What is told to be private, what is logged, whether it may be.
    fn logged(log: impl FnOnce()) -> Quiet {
        let quiet = Quiet::default();
        let subscriber = tracing_subscriber::registry().with(quiet.clone());
        tracing::subscriber::with_default(subscriber, log);
        quiet
    }

    #[test]
    fn a_leak_is_found() {
        let leaks: [(&str, fn()); 11] = [
            ("a number", || tracing::info!(to = "+14155550100", "dialling")),
            ("a number in an address", || tracing::warn!("no answer from sip:4155550100@127.0.0.1")),
            ("a number in a span", || drop(tracing::info_span!("call", to = "14155550100"))),
            ("a number nobody told us of", || tracing::error!("refused: {}", "+442071838750")),
            ("a number without a plus nobody told us of", || tracing::info!("INVITE sip:442071838750@x")),
            ("a key", || tracing::info!(key = "clawcall_sk_0123456789", "minted")),
            ("a key of a model", || tracing::info!("sent Bearer sk-proj-0123456789abcdef")),
            ("an SRTP key", || {
                tracing::info!("a=crypto:1 AES inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj")
            }),
            ("what was said", || tracing::info!(text = SENTENCE, "a turn ended")),
            ("a part of what was said", || tracing::warn!("can't say: date of birth is the …")),
            ("what was said, in a value recorded later", || {
                let span = tracing::info_span!("turn", text = tracing::field::Empty);
                span.record("text", SENTENCE);
            }),
        ];
        for (what, leak) in leaks {
            let quiet = logged(leak);
            // It may be known only after the fact what was private.
            quiet.never_number("+14155550100");
            quiet.never_said(SENTENCE);
            assert_eq!(quiet.leaks().len(), 1, "{what} was not found");
        }
    }

    #[test]
    fn the_log_of_a_program_is_judged_as_well() {
        let quiet = Quiet::default();
        quiet.read("INFO offhook: call started\nWARN offhook: no answer from +442071838750\n");
        assert_eq!(quiet.leaks(), ["WARN offhook: no answer from +442071838750"]);
    }

    #[test]
    #[should_panic(expected = "private words were logged above DEBUG")]
    fn a_leak_fails_the_test() {
        logged(|| tracing::info!(to = "+14155550100", "dialling")).check();
    }

    #[test]
    fn a_trap_springs_once() {
        let quiet = Quiet::default();
        quiet.trap("not an event");
        let subscriber = tracing_subscriber::registry().with(quiet.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("something else");
            let sprung = std::panic::catch_unwind(|| tracing::debug!("this is not an event"));
            assert!(sprung.is_err() && !quiet.is_trapping());
            tracing::debug!("this is not an event");
        });
    }

    #[test]
    fn what_may_be_logged() {
        let quiet = logged(|| {
            tracing::debug!(to = "+14155550100", text = SENTENCE, "at DEBUG anything may be seen");
            tracing::info!(
                call_id = "01890a5d-ac96-774b-bcce-b302099a8057",
                to = "+1415…00",
                ms = 1_250,
                "answered"
            );
            tracing::warn!("set api_key to a key that begins with clawcall_sk_");
        });
        quiet.never_number("+14155550100");
        quiet.never_said(SENTENCE);
        quiet.check();
    }
}

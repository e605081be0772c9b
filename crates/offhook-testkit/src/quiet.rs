//! Holds the log to its promise: above DEBUG no whole phone number, no key, nothing that was said.
//!
//! Every line at INFO or above is kept, with its spans. What a test knows to be private can be told before or after
//! the line was written; [`Quiet::check`] fails with the lines that hold any of it. It does not panic inside the
//! log call: a session that panics is caught by design, and the leak would pass as a fault of one call.

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
/// So many digits after a plus are a telephone number.
const NUMBER_DIGITS: usize = 8;
/// Begins an API key; so many characters behind it make it one.
const KEY: (&str, usize) = ("clawcall_sk_", 8);
/// Begins the key of an SRTP stream in SDP.
const SRTP_KEY: &str = "inline:";

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
    let run = |text: &str, fits: fn(char) -> bool| text.chars().take_while(|c| fits(*c)).count();
    let after = |start: &'static str, fits: fn(char) -> bool, least: usize| {
        line.match_indices(start).any(|(at, _)| run(&line[at + start.len()..], fits) >= least)
    };
    after("+", |c| c.is_ascii_digit(), NUMBER_DIGITS)
        || after(KEY.0, |c| c.is_ascii_alphanumeric() || "-_".contains(c), KEY.1)
        || after(SRTP_KEY, |c| c.is_ascii_alphanumeric() || "+/=".contains(c), KEY.1)
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
        let leaks: [(&str, fn()); 8] = [
            ("a number", || tracing::info!(to = "+14155550100", "dialling")),
            ("a number in an address", || tracing::warn!("no answer from sip:4155550100@127.0.0.1")),
            ("a number in a span", || drop(tracing::info_span!("call", to = "14155550100"))),
            ("a number nobody told us of", || tracing::error!("refused: {}", "+442071838750")),
            ("a key", || tracing::info!(key = "clawcall_sk_0123456789", "minted")),
            ("an SRTP key", || {
                tracing::info!("a=crypto:1 AES inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj")
            }),
            ("what was said", || tracing::info!(text = SENTENCE, "a turn ended")),
            ("what was said, in a value recorded later", || {
                let span = tracing::info_span!("turn", text = tracing::field::Empty);
                span.record("text", SENTENCE);
            }),
        ];
        for (what, leak) in leaks {
            let quiet = logged(leak);
            // It may be known only after the fact what was private.
            quiet.never_number("+14155550100");
            quiet.never(SENTENCE);
            assert_eq!(quiet.leaks().len(), 1, "{what} was not found");
        }
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
        quiet.never(SENTENCE);
        quiet.check();
    }
}

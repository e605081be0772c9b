//! What people said, or are to be told: never in a log line by accident.

use std::fmt;
use std::ops::Deref;

/// Words of a call, or keys pressed in it. `Debug` shows only how many characters there are, so that an event in a log
/// line gives nothing away; whoever wants to read them asks for the text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Words(String);

impl Words {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        veiled(&self.0, f)
    }
}

/// How long a text is, in place of the text.
pub(crate) fn veiled(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "<{} characters>", text.chars().count())
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0
    }
}

impl PartialEq<str> for Words {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Words {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

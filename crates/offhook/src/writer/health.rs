//! Whether the store takes what it is told.

use offhook_store::StoreError;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    #[default]
    Well,
    /// It refused the last time; calls that run go on, and what they tell waits.
    Away { why: &'static str },
    /// It is away, and nothing more can wait for it: calls that run are hung up.
    Full { why: &'static str },
}

impl Health {
    /// What is wrong; `None` when all is well.
    pub fn why(&self) -> Option<&'static str> {
        match self {
            Self::Well => None,
            Self::Away { why } | Self::Full { why } => Some(why),
        }
    }

    /// Nothing more can wait. Whether that is news.
    pub(super) fn fill(&mut self) -> bool {
        let Self::Away { why } = *self else { return false };
        *self = Self::Full { why };
        true
    }

    /// The store refused. Whether that is news.
    pub(super) fn fail(&mut self, error: &StoreError) -> bool {
        let news = *self == Self::Well;
        if news {
            *self = Self::Away { why: why(error) };
        }
        news
    }
}

/// For callers, who must not learn where the database is; the log has the whole of it.
pub(super) fn why(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy => "the database is overloaded or locked",
        StoreError::Full => "the disk of the database is full",
        _ => "the database can't be written to",
    }
}

//! Where Microsoft finds us: known from the start, or told, and told anew, by a tunnel.

use std::sync::{Arc, PoisonError, RwLock};

/// The beginnings of the addresses of calls. Cheap to clone; all clones are told together.
#[derive(Clone, Debug, Default)]
pub(super) struct Address {
    now: Arc<RwLock<Option<Urls>>>,
}

/// Without a slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Urls {
    pub callback: String,
    pub media: String,
}

impl Address {
    pub fn of(callback: &str, media: &str) -> Self {
        let address = Self::default();
        let known = !callback.is_empty();
        address.set(known.then(|| Urls { callback: callback.to_owned(), media: media.to_owned() }));
        address
    }

    pub fn set(&self, urls: Option<Urls>) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = urls;
    }

    /// `None` while nobody can reach us.
    pub fn now(&self) -> Option<Urls> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Urls {
    /// Of the address everything is reached at.
    pub fn below(public_url: &str) -> Self {
        let callback = public_url.trim_end_matches('/').to_owned();
        Self { media: callback.replacen("http", "ws", 1), callback }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_and_taken_back() {
        let address = Address::of("", "");
        let clone = address.clone();
        assert_eq!(clone.now(), None);
        address.set(Some(Urls::below("https://line.example/")));
        let urls = clone.now().unwrap();
        assert_eq!(
            (urls.callback.as_str(), urls.media.as_str()),
            ("https://line.example", "wss://line.example")
        );
        address.set(None);
        assert_eq!(clone.now(), None);
    }
}

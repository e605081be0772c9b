//! The conversation so far, to tell a new connection.

use std::collections::VecDeque;

use super::super::client_event::Role;

veiled!(History);

/// What was said, in order. Bounded by forgetting the oldest.
#[derive(Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
    chars: usize,
}

struct Entry {
    /// Empty for what offhook itself remarked.
    item_id: String,
    role: Role,
    text: String,
}

impl History {
    const ENTRIES: usize = 400;
    const CHARS: usize = 48_000;

    /// An item takes its place in the conversation; its words come later.
    pub fn begin(&mut self, item_id: &str, role: Role) {
        if item_id.is_empty() || self.entries.iter().rev().any(|entry| entry.item_id == item_id) {
            return;
        }
        self.push(Entry { item_id: item_id.to_owned(), role, text: String::new() });
    }

    /// The words of an item, as far as they were heard.
    pub fn set_text(&mut self, item_id: &str, text: &str) {
        let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.item_id == item_id) else {
            return;
        };
        self.chars = self.chars - entry.text.len() + text.len();
        text.clone_into(&mut entry.text);
        self.forget();
    }

    pub fn remark(&mut self, text: &str) {
        self.push(Entry { item_id: String::new(), role: Role::System, text: text.to_owned() });
    }

    /// What has words, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &str)> {
        let spoken = self.entries.iter().filter(|entry| !entry.text.is_empty());
        spoken.map(|entry| (entry.role, entry.text.as_str()))
    }

    fn push(&mut self, entry: Entry) {
        self.chars += entry.text.len();
        self.entries.push_back(entry);
        self.forget();
    }

    fn forget(&mut self) {
        while self.entries.len() > Self::ENTRIES || self.chars > Self::CHARS {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.chars -= oldest.text.len();
        }
    }
}

//! Who may speak when: one response at a time, the rest in a queue.

use std::collections::VecDeque;
use std::time::Duration;

use offhook_core::Timestamp;

use super::super::client_event::{self, Ask};
use super::Protocol;

/// The response that is being made, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Responses {
    active: Option<Active>,
    queue: VecDeque<Wanted>,
    pub failed_in_a_row: u32,
    /// After a failure the next attempt waits.
    hold_until: Option<Timestamp>,
}

/// A response we want from the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub ask: Ask,
    pub why: Why,
}

impl Wanted {
    /// Whether the call waits for these words, whatever becomes of a response.
    pub fn must_be_opened(&self) -> bool {
        self.why == Why::Opening && matches!(self.ask, Ask::Words(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The first words of the call.
    Opening,
    /// The honest word about a connection that was lost.
    Honest,
    /// The remote said something that the server was told not to answer by itself.
    Owed,
    Asked,
}

#[derive(Debug)]
pub(super) struct Active {
    /// `None` until the server has named it.
    pub response_id: Option<String>,
    /// What it was asked for, and by which event; `None` when the server began it by itself.
    pub asked: Option<(String, Wanted)>,
    pub give_up_at: Timestamp,
    /// Cut off by the remote: no more of it is passed on.
    pub muted: bool,
    pub cancelled: bool,
}

impl Responses {
    const QUEUE: usize = 16;
    const FIRST_HOLD: Duration = Duration::from_millis(500);
    /// Without a sign of life of it.
    const PATIENCE: Duration = Duration::from_secs(20);

    pub fn is_full(&self) -> bool {
        self.queue.len() >= Self::QUEUE
    }

    pub fn is_idle(&self) -> bool {
        self.active.is_none() && self.queue.is_empty()
    }

    pub fn active(&mut self) -> Option<&mut Active> {
        self.active.as_mut()
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        self.give_up_at().or(self.hold_until)
    }

    pub fn give_up_at(&self) -> Option<Timestamp> {
        self.active.as_ref().map(|active| active.give_up_at)
    }

    /// The wait is twice as long after every failure.
    pub fn failed(&mut self, now: Timestamp) {
        self.failed_in_a_row += 1;
        self.hold_until = Some(now + Self::FIRST_HOLD * 2u32.saturating_pow(self.failed_in_a_row - 1));
    }

    /// Whether the wait after a failure is not over yet.
    pub fn held(&mut self, now: Timestamp) -> bool {
        self.hold_until.take_if(|at| *at <= now);
        self.hold_until.is_some()
    }

    /// Any number of plain answers that wait are one answer.
    pub fn want(&mut self, ask: Ask, why: Why) {
        let wanted = Wanted { ask, why };
        if wanted.ask != Ask::Answer || !self.queue.contains(&wanted) {
            self.queue.push_back(wanted);
        }
    }

    /// Words that must be heard: before everything that waits, and in the place of such as still wait.
    pub fn want_opening(&mut self, ask: Ask) {
        self.queue.retain(|wanted| wanted.why != Why::Opening);
        self.want_first(Wanted { ask, why: Why::Opening });
    }

    /// They were asked for, and not said to their end. Nothing is to be done when others took their place.
    pub fn want_opening_again(&mut self, wanted: Option<Wanted>) {
        let replaced = self.queue.iter().any(|waiting| waiting.why == Why::Opening);
        if let Some(wanted) = wanted.filter(|wanted| wanted.must_be_opened() && !replaced) {
            self.want_first(wanted);
        }
    }

    pub fn want_first(&mut self, wanted: Wanted) {
        if !self.queue.contains(&wanted) {
            self.queue.push_front(wanted);
        }
    }

    /// Before everything that waits.
    pub fn want_honest_word(&mut self, instructions: &str) {
        self.want_first(Wanted { ask: Ask::Instructed(instructions.to_owned()), why: Why::Honest });
    }

    /// Whether words that nothing may come between are still to be spoken: the first of the call, or the first after
    /// a loss.
    pub fn must_be_heard(&self) -> bool {
        let active = self.active.as_ref().and_then(|active| active.asked.as_ref()).map(|(_, wanted)| wanted);
        active.into_iter().chain(&self.queue).any(|wanted| matches!(wanted.why, Why::Opening | Why::Honest))
    }

    /// Whether words that must be heard are being said.
    pub fn opens(&self) -> bool {
        let asked = self.active.as_ref().and_then(|active| active.asked.as_ref());
        asked.is_some_and(|(_, wanted)| wanted.why == Why::Opening)
    }

    pub fn clear_queue(&mut self) {
        self.queue.clear();
    }

    /// The server named a response: ours if we asked for one, otherwise its own idea.
    pub fn created(&mut self, response_id: &str, now: Timestamp) {
        let asked =
            self.active.take().and_then(|active| active.asked.filter(|_| active.response_id.is_none()));
        if asked.is_none() {
            // The server answers by itself what an answer was owed for.
            self.queue.retain(|wanted| wanted.why != Why::Owed);
        }
        self.active = Some(Active {
            response_id: Some(response_id.to_owned()),
            asked,
            give_up_at: now + Self::PATIENCE,
            muted: false,
            cancelled: false,
        });
    }

    /// A sign of life.
    pub fn alive(&mut self, now: Timestamp) {
        if let Some(active) = &mut self.active {
            active.give_up_at = now + Self::PATIENCE;
        }
    }

    /// The response is over. `None` when it was not the one that counts, e.g. one outside of the conversation.
    pub fn done(&mut self, response_id: &str) -> Option<Active> {
        let active = self.active.as_ref()?;
        let this = active.response_id.as_deref().is_none_or(|id| id == response_id || response_id.is_empty());
        if this { self.active.take() } else { None }
    }

    pub fn take_active(&mut self) -> Option<Active> {
        self.active.take()
    }

    /// Our request met one of the server's own: ask again when that is done, unless that is just what was asked for.
    pub fn collided(&mut self, event_id: Option<&str>, now: Timestamp) {
        let active = self.active.get_or_insert_with(|| Active {
            response_id: None,
            asked: None,
            give_up_at: now + Self::PATIENCE,
            muted: false,
            cancelled: false,
        });
        let refused = active.asked.take_if(|(asked, _)| event_id.is_none_or(|id| id == asked));
        if let Some((_, wanted)) = refused
            && wanted.why != Why::Owed
        {
            self.want_first(wanted);
        }
    }

    /// Our request failed for another reason; what it asked for is returned.
    pub fn refused(&mut self, event_id: Option<&str>) -> Option<Wanted> {
        let event_id = event_id?;
        let active = self.active.as_ref()?;
        let ours =
            active.response_id.is_none() && active.asked.as_ref().is_some_and(|(asked, _)| asked == event_id);
        if !ours {
            return None;
        }
        self.active.take()?.asked.map(|(_, wanted)| wanted)
    }

    fn next(&mut self, event_id: &str, now: Timestamp) -> Option<&Ask> {
        if self.active.is_some() {
            return None;
        }
        let wanted = self.queue.pop_front()?;
        let active = self.active.insert(Active {
            response_id: None,
            asked: Some((event_id.to_owned(), wanted)),
            give_up_at: now + Self::PATIENCE,
            muted: false,
            cancelled: false,
        });
        active.asked.as_ref().map(|(_, wanted)| &wanted.ask)
    }
}

impl Protocol {
    /// Ask for the next response that waits, if none is being made.
    pub(super) fn ask_next(&mut self, now: Timestamp) {
        let waits = self.responses.active.is_none() && !self.responses.queue.is_empty();
        if !waits || !self.is_live() || self.suspended || self.responses.held(now) {
            return;
        }
        let event_id = self.ids.next();
        if let Some(ask) = self.responses.next(&event_id, now) {
            let text = client_event::response_create(&event_id, ask);
            self.write(text);
        }
    }

    /// Stop the response that is being made, if one is.
    pub(super) fn cancel_active(&mut self) {
        let Some(active) = self.responses.active() else { return };
        active.muted = true;
        // One without a name yet is cancelled as soon as it has one.
        if let Some(response_id) = active.response_id.clone()
            && !std::mem::replace(&mut active.cancelled, true)
        {
            let event_id = self.ids.next();
            self.write(client_event::response_cancel(&event_id, &response_id));
        }
    }
}

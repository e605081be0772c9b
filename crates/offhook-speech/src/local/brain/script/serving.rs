//! The assistant of whoever is on the line: what they want goes to an agent, and its answer is read out.

use super::asking::Missing;
use super::*;

/// What to say where a call is for nothing in particular.
pub(super) const OFFER: &str = "What can I do for you?";

/// Of an answer, what can be listened to.
const LONGEST: usize = 600;

impl Script {
    /// What they say, as a request; `None` where it is none.
    pub(super) fn serve(
        &mut self,
        meaning: &Meaning,
        text: &str,
        sure: bool,
        goodbye: bool,
    ) -> Option<Vec<Act>> {
        match meaning {
            _ if goodbye => None,
            Meaning::Greeting if self.next >= self.plan.lines.len() => Some(vec![Act::Say(OFFER.to_owned())]),
            Meaning::Question | Meaning::Wants(_) | Meaning::Commit | Meaning::Decision | Meaning::Talk => {
                Some(if sure { self.delegate(text) } else { self.not_understood() })
            }
            _ => None,
        }
    }

    /// Nothing is done that was not surely heard.
    fn delegate(&mut self, text: &str) -> Vec<Act> {
        self.unanswered = None;
        self.asking = Some(Missing {
            kind: BlockerKind::MissingInformation,
            what: text.to_owned(),
            reason: "it could not be found out".to_owned(),
            say: "I am sorry, I could not find that out just now. What else can I do?".to_owned(),
            by_keys: false,
            quotes: self.last_heard.clone(),
        });
        let prompt = text.to_owned().into();
        let say = "One moment, I will have a look.".to_owned();
        vec![Act::Say(say), Act::Tool(ToolCall::InvokeAgent { agent: None, prompt })]
    }

    /// An answer, to its last whole sentence that can be listened to.
    pub(super) fn read_out(&self, answer: &str) -> Vec<Act> {
        let answer = answer.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = answer.char_indices().nth(LONGEST).map_or(answer.len(), |(end, _)| end);
        let end = match cut < answer.len() {
            true => answer[..cut].rfind(['.', '!', '?']).map_or(cut, |stop| stop + 1),
            false => cut,
        };
        vec![Act::Say(answer[..end].to_owned())]
    }
}

//! May the user be connected on this number? It is dialled like any other, so the same rules hold for it.

use super::rules::{Case, Verdict};
use super::{Ask, Facts, Policy, Refusal, RefusalCode, Rule};
use crate::number::PhoneNumber;
use crate::time::Timestamp;

/// The permission to call the user into a call: to one number, however often it is tried. Made by [`Policy::decide`]
/// and [`Policy::decide_handoff`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffAllow {
    user: PhoneNumber,
}

/// What a number must pass to be dialled at all; how many calls there are has no say in it.
const RULES: [Rule; 6] = [
    Rule::Emergency,
    Rule::SandboxNumber,
    Rule::Country,
    Rule::BlockedDestination,
    Rule::AllowedDestination,
    Rule::PremiumNumber,
];

impl HandoffAllow {
    /// The one number that may be called.
    pub fn user(&self) -> &PhoneNumber {
        &self.user
    }
}

impl Policy {
    /// Whether the user may be called at this number into a call with `remote`. Of the facts only our own lines
    /// matter.
    pub fn decide_handoff(
        &self,
        user: &PhoneNumber,
        remote: Option<&PhoneNumber>,
        facts: &Facts<'_>,
        now: Timestamp,
    ) -> Result<HandoffAllow, Refusal> {
        if remote == Some(user) {
            return Err(wrong(
                "the user to connect can't be whom the call is with; name the user's own number",
            ));
        }
        if facts.own_lines.contains(user) {
            return Err(wrong(
                "the user to connect can't be this very phone line; name the user's own number",
            ));
        }
        let ask = Ask::outbound(user);
        let case = Case { config: &self.config, ask: &ask, facts, now };
        for rule in RULES {
            if let Verdict::Refuse(refusal) = rule.judge(&case) {
                let message = format!("the user can't be connected: {}", refusal.message);
                return Err(Refusal { rule: Rule::Handoff, message, ..refusal });
            }
        }
        Ok(HandoffAllow { user: user.clone() })
    }
}

fn wrong(message: &str) -> Refusal {
    let (rule, code) = (Rule::Handoff, RefusalCode::InvalidLoopInDestination);
    Refusal { rule, code, message: message.to_owned(), retry_after: None, quota: None }
}

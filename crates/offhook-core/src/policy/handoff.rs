//! May the user be connected on this number? It is dialled like any other, so the same rules hold for it.
//!
//! A confirmed phone of the account is the user's own: how often it is called is nobody else's business. It is never
//! asked whether the number was called a moment ago, or is in a call: that may be over when the user is wanted.

use super::rules::{Case, Verdict, refusal};
use super::{Amount, Ask, Facts, Policy, Refusal, RefusalCode, Rule, UserNumbers};
use crate::number::PhoneNumber;
use crate::time::Timestamp;

/// The permission to call the user into a call: to one number, however often it is tried. Made by [`Policy::decide`]
/// and [`Policy::decide_handoff`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffAllow {
    user: PhoneNumber,
    price: Amount,
}

/// What a number must pass to be dialled at all.
const RULES: [Rule; 7] = [
    Rule::Emergency,
    Rule::SandboxNumber,
    Rule::Country,
    Rule::BlockedDestination,
    Rule::AllowedDestination,
    Rule::PremiumNumber,
    Rule::Target,
];

impl HandoffAllow {
    /// The one number that may be called.
    pub fn user(&self) -> &PhoneNumber {
        &self.user
    }

    /// What a begun minute with the user costs, besides what the call does.
    pub fn price(&self) -> Amount {
        self.price
    }
}

impl Policy {
    /// Whether the user may be called at this number into a call with `remote`. Of the facts only our own lines, whom
    /// the key is bound to, the account's phones and how often the number was called matter.
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
        if !facts.own_phones.contains(user) {
            self.decide_foreign(&case, user)?;
        }
        Ok(HandoffAllow { user: user.clone(), price: self.config.prices.of(user) })
    }

    /// Nobody has confirmed that this is the user's own phone.
    fn decide_foreign(&self, case: &Case<'_>, user: &PhoneNumber) -> Result<(), Refusal> {
        if self.config.user_numbers == UserNumbers::Account {
            let message = "only a confirmed phone of the account can be connected; ask whoever runs this line to \
                           confirm yours";
            return Err(refusal(Rule::Handoff, RefusalCode::DestinationBlocked, message));
        }
        match case.calls_per_day_to_user(user) {
            Verdict::Refuse(refusal) => Err(refusal),
            Verdict::Pass | Verdict::Silent => Ok(()),
        }
    }
}

fn wrong(message: &str) -> Refusal {
    refusal(Rule::Handoff, RefusalCode::InvalidLoopInDestination, message)
}

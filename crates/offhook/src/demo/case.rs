//! What the demo calls: each test number by itself, and some once more with somebody's help.

use offhook_core::EndReason;
use offhook_core::journal::TaskStatus;
use offhook_sandbox::{Expected, NUMBERS, TestNumber};
use serde_json::{Value, json};

/// One call of the demo.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub number: &'static TestNumber,
    pub help: Help,
    pub expected: Expected,
}

/// What the agent does besides placing the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    None,
    /// Answers what the voice asks.
    Answers(&'static str),
    /// Has the user connected, on this number.
    Connects(&'static str),
}

/// Left on a machine.
pub const MESSAGE: &str =
    "Hello, this message is for the office. Please call Jordan Lee back about the appointment. Thank you.";

const ACCOUNT_NUMBER: &str = "The account number is 482913.";
const OWN_PHONE: &str = "+14155550190";

impl Case {
    /// Each number by itself, then once more those where somebody can help: a number takes one call at a time.
    pub fn all() -> Vec<Self> {
        let alone = |number| Self { number, help: Help::None, expected: number.expected };
        NUMBERS.iter().map(alone).chain(NUMBERS.iter().filter_map(Self::helped)).collect()
    }

    fn helped(number: &'static TestNumber) -> Option<Self> {
        let (help, expected) = match &number.number[8..] {
            "0110" => (
                Help::Connects(OWN_PHONE),
                Expected {
                    end_reasons: &[EndReason::RemoteHungUp, EndReason::UserHungUp],
                    status: Some(TaskStatus::Partly),
                    blocker: None,
                    ..number.expected
                },
            ),
            "0118" => (
                Help::Answers(ACCOUNT_NUMBER),
                Expected { status: Some(TaskStatus::Achieved), blocker: None, ..number.expected },
            ),
            _ => return None,
        };
        Some(Self { number, help, expected })
    }

    /// A number by its last digits, with all the help there is.
    pub fn named(digits: &str) -> Option<Self> {
        let found = |case: &Self| digits.len() >= 4 && case.number.number.ends_with(digits);
        Self::all().into_iter().rev().find(found)
    }

    pub fn title(&self) -> String {
        let title = self.number.title;
        match self.help {
            Help::None => title.to_owned(),
            Help::Answers(_) => format!("{title}, told"),
            Help::Connects(_) => format!("{title}, connected"),
        }
    }

    /// What the agent does besides, for people.
    pub fn help_text(&self) -> Option<String> {
        match self.help {
            Help::None => None,
            Help::Answers(answer) => Some(format!("The agent answers what the voice asks: {answer}")),
            Help::Connects(number) => Some(format!("The user can be connected, on {number}.")),
        }
    }

    /// The body of `POST /call`.
    pub fn request(&self) -> Value {
        let number = self.number.number;
        let mut body = json!({
            "to": number,
            "task": self.task(),
            "greeting": "I am calling on behalf of Jordan Lee.",
        });
        if number.ends_with("0106") {
            body["voicemail"] = json!({ "action": "leave_message", "message": MESSAGE });
        }
        match self.help {
            Help::None => {}
            Help::Answers(_) => body["ask_owner"] = json!(true),
            Help::Connects(number) => body["bridge_number"] = json!(number),
        }
        body
    }

    /// The call instructions.
    fn task(&self) -> &'static str {
        if self.number.number[8..].starts_with("019") {
            return "Call Jordan Lee. Say that the dental office moved the appointment to Thursday at three. \
                    Ask whether that is fine.";
        }
        "Call the office on behalf of Jordan Lee. Ask for an appointment on Thursday afternoon. \
         My name is Jordan Lee. Do not agree to any payment. If they ask for anything that is not written here, \
         say that you do not have it at hand and will call back."
    }

    /// What of a call is not as documented.
    pub fn differences(&self, call: &Value) -> Vec<String> {
        let Expected { outcome, end_reasons, answered_by, status, blocker } = self.expected;
        let reasons: Vec<&str> = end_reasons.iter().map(|reason| reason.code()).collect();
        let result = &call["result"];
        let right = [
            ("outcome", call["outcome"] == outcome.code()),
            ("end_reason", call["end_reason"].as_str().is_some_and(|code| reasons.contains(&code))),
            ("answered_by", call["answered_by"].as_str() == answered_by.map(|by| by.code())),
            ("status", status.is_none_or(|status| result["status"] == status.code())),
            ("blocker", blocker.is_none_or(|blocker| result["blocker"]["kind"] == blocker.code())),
        ];
        right.iter().filter(|(_, right)| !right).map(|(what, _)| (*what).to_owned()).collect()
    }
}

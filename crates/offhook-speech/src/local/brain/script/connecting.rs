//! They want to speak to the person on whose behalf the call is made.

use offhook_core::call::{ALONE_AGAIN, IN_PRIVATE};

use super::*;

/// How far that person is on the way into the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connecting {
    /// There is nobody to connect.
    Impossible,
    Possible,
    /// Their phone rings, or they are being told who is there.
    UnderWay,
    /// What is said now is said in private.
    Private,
    /// They do not come, and the other side is told so.
    Failed,
}

impl Connecting {
    pub fn new(brief: &Brief) -> Self {
        if brief.handoff.is_some() { Self::Possible } else { Self::Impossible }
    }

    pub fn is_under_way(self) -> bool {
        matches!(self, Self::UnderWay | Self::Private)
    }
}

impl Script {
    pub(super) fn wants_user(&self) -> Verdict {
        let whom = self.whom();
        let verdict = Verdict::new(TaskStatus::Blocked, &format!("they want to speak to {whom} in person"));
        let verdict = verdict.because(BlockerKind::WantsUser, &format!("{whom} in person"), &self.last_heard);
        verdict.then(&format!("{whom} has to speak to them, alone or in a call that connects them."))
    }

    pub(super) fn hand_over(&mut self) -> Vec<Act> {
        if self.connecting == Connecting::Possible {
            self.connecting = Connecting::UnderWay;
            let reason = format!("they want to speak to {} in person", self.whom());
            return vec![Act::Tool(ToolCall::LoopInUser { reason: reason.into() })];
        }
        self.not_connected("I can't connect you right now.")
    }

    pub(super) fn not_connected(&mut self, why: &str) -> Vec<Act> {
        self.connecting = Connecting::Impossible;
        let say = format!(
            "{why} I will let {} know that you want to speak in person. Thank you. Goodbye.",
            self.whom()
        );
        let verdict = self.wants_user();
        self.end(verdict, say.trim_start())
    }

    /// A remark of offhook's: the user listens now, in private, or does not come.
    pub fn told(&mut self, remark: &str) {
        if !self.connecting.is_under_way() {
            return;
        }
        match remark {
            IN_PRIVATE => self.connecting = Connecting::Private,
            ALONE_AGAIN => self.connecting = Connecting::Failed,
            _ => {}
        }
    }

    /// The other side was told that the user does not come: this call gets no further.
    pub(super) fn without_user(&mut self) -> Option<Vec<Act>> {
        (self.connecting == Connecting::Failed).then(|| self.not_connected(""))
    }

    pub(super) fn heard_while_connecting(&mut self, text: &str) -> Vec<Act> {
        if self.connecting == Connecting::Private {
            if hearing::meaning(text) == Meaning::Voicemail {
                return vec![Act::Tool(ToolCall::ReportVoicemail { kind: AnsweredBy::Voicemail })];
            }
            let Some(joins) = hearing::consent(text) else { return Vec::new() };
            self.connecting = Connecting::UnderWay;
            return vec![Act::Tool(ToolCall::UserDecides { joins })];
        }
        if hearing::says_goodbye(text) {
            return self.not_connected("");
        }
        match hearing::meaning(text) {
            Meaning::Repeat | Meaning::Greeting => vec![Act::Say("One moment, please.".to_owned())],
            _ => Vec::new(),
        }
    }
}

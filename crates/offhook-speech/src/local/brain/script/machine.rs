//! Machines in front of whoever is called, and hold.

use super::*;

/// Whether a machine is on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    No,
    /// A menu, a screening service, or the hold after it: silent until a person speaks.
    Front,
    /// A person asked to wait.
    Hold,
}

/// The keys of a menu are pressed so often, each time after a longer pause: some machines listen late.
const PAUSES: [&str; 4] = ["", "W", "WW", "WWW"];
pub(super) const COMES_BACK: &str = "the phone menu comes back to the same choices";
/// A service that asks more often who is calling does not listen.
const SCREENED_AT_MOST: u32 = 3;

impl Script {
    /// Something that is not speech has been audible for a while.
    pub fn music(&mut self) -> Vec<Act> {
        if self.waits_for_somebody() {
            return Vec::new();
        }
        match (self.stage, self.machine) {
            (Stage::Over | Stage::Waiting, _) | (_, Machine::Hold) => Vec::new(),
            _ => self.hold(),
        }
    }

    /// What a machine says, or a person before we may speak again; `None` when it is our turn to talk.
    pub(super) fn by_machine(&mut self, meaning: &Meaning, text: &str) -> Option<Vec<Act>> {
        match meaning {
            Meaning::Voicemail if !self.is_in_talk() || self.machine == Machine::Front => {
                self.stage = Stage::Over;
                Some(self.report(AnsweredBy::Voicemail).into_iter().collect())
            }
            Meaning::Screening if !self.is_in_talk() => {
                let opening = self.opening.clone().unwrap_or_default();
                Some(self.screened(&opening))
            }
            Meaning::Menu(choices) => Some(self.press(choices)),
            Meaning::Hold => Some(self.hold()),
            _ if self.machine == Machine::Front && !hearing::greets(text) => Some(Vec::new()),
            _ => None,
        }
    }

    /// Say once what it is that answered.
    fn report(&mut self, kind: AnsweredBy) -> Option<Act> {
        let known = self.reported.replace(kind) == Some(kind);
        (!known).then_some(Act::Tool(ToolCall::ReportVoicemail { kind }))
    }

    /// Who is calling, if that is not being said already, and why; then it is up to them.
    pub(super) fn screened(&mut self, opening: &str) -> Vec<Act> {
        self.machine = Machine::Front;
        let mut acts: Vec<Act> = self.report(AnsweredBy::Screening).into_iter().collect();
        self.times_screened += 1;
        if self.times_screened <= SCREENED_AT_MOST {
            self.next = self.unanswered.take().unwrap_or(self.next);
            acts.extend(self.next_line(opening));
        }
        acts
    }

    fn press(&mut self, choices: &[Choice]) -> Vec<Act> {
        self.machine = Machine::Front;
        let mut acts: Vec<Act> = self.report(AnsweredBy::Menu).into_iter().collect();
        let Some(key) = choose(choices, &self.plan.topic()) else {
            self.menus_without_choice += 1;
            if self.menus_without_choice >= Self::MISHEARD {
                acts.extend(self.stuck("none of the choices of the phone menu fits"));
            }
            return acts;
        };
        match self.pause_before(choices) {
            Some(pause) => {
                acts.push(Act::Tool(ToolCall::SendDigits { digits: format!("{pause}{key}").into() }));
            }
            None => acts.extend(self.stuck(COMES_BACK)),
        }
        acts
    }

    /// How long to wait before the key; `None` once it was pressed often enough.
    fn pause_before(&mut self, choices: &[Choice]) -> Option<&'static str> {
        let known = self.menus.iter().position(|(menu, _)| menu == choices);
        let index = known.unwrap_or_else(|| {
            self.menus.push((choices.to_vec(), 0));
            self.menus.len() - 1
        });
        let pressed = &mut self.menus[index].1;
        let pause = PAUSES.get(*pressed as usize).copied();
        *pressed += 1;
        pause
    }

    pub(super) fn stuck(&mut self, why: &str) -> Vec<Act> {
        let verdict = Verdict::new(TaskStatus::Blocked, why);
        let verdict = verdict.because(BlockerKind::StuckMenu, why, &self.last_heard);
        self.end(verdict.then("Call again at another time, or on another number."), "Goodbye.")
    }

    fn hold(&mut self) -> Vec<Act> {
        if std::mem::replace(&mut self.on_hold, true) {
            return Vec::new();
        }
        let talked = self.remote_talked && self.machine != Machine::Front;
        self.machine = if talked { Machine::Hold } else { Machine::Front };
        vec![Act::Tool(ToolCall::WaitOnHold)]
    }
}

/// The choice that has most to do with `topic`, else the one that leads to a person.
fn choose(choices: &[Choice], topic: &[String]) -> Option<char> {
    const PERSON: &[&str] =
        &["operator", "representative", "agent", "receptionist", "person", "reception", "other"];
    let common = |choice: &Choice| {
        hearing::stems(choice.label.iter()).iter().filter(|stem| topic.contains(stem)).count()
    };
    let best = choices.iter().rev().max_by_key(|choice| common(choice)).filter(|choice| common(choice) > 0);
    let person =
        || choices.iter().find(|choice| choice.label.iter().any(|word| PERSON.contains(&word.as_str())));
    best.or_else(person).map(|choice| choice.key)
}

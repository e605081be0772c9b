//! What became of the task: what the voice says, held against what was said.
//!
//! Nothing the voice claims is taken on its word. A claim stands with the turns it rests on, found by its quotes; one
//! without a turn is dropped, and the status with it. Commitments are looked for in what was really said, whatever the
//! voice says of them.

use super::evidence::{Bond, Evidence, Said, Speaker};
use super::{BlockerClaim, Call, Claim, FieldClaim, Shown};
use crate::brief::{Brief, Commit, FieldKind, ResultField};
use crate::commit::{self, Act};
use crate::journal::{BlockerKind, Fact, ItemKind, TaskStatus};
use crate::words::Words;

/// What is known of the result so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    claimed: Claimed,
    said: Said,
    /// Commitments that were looked at, made or asked for.
    seen: Vec<(ItemKind, Act, Vec<u32>)>,
    /// What the owner said yes to while the call went on.
    granted: Vec<Act>,
    /// What the owner was asked, and after which turn.
    asked: Vec<(Words, Option<u32>)>,
}

#[derive(Debug, Default)]
enum Claimed {
    #[default]
    Nothing,
    /// Said by the voice, but not all of its quotes were found yet: the transcript may lag behind.
    ByVoice(Box<Claim>),
    Told,
}

/// One part of a result.
#[derive(Debug)]
struct Item {
    kind: ItemKind,
    name: String,
    value: Words,
    turns: Vec<u32>,
}

/// A claim after it was held against what was said.
#[derive(Debug)]
struct Settled {
    status: TaskStatus,
    summary: String,
    evidence_turns: Vec<u32>,
    items: Vec<Item>,
}

impl Call {
    /// Take what the voice says became of the task; only the first time counts.
    pub(super) fn voice_claims(&mut self, claim: Box<Claim>) {
        if let Claimed::Nothing = self.report.claimed {
            self.report.claimed = Claimed::ByVoice(claim);
            self.tell_result(false);
        }
    }

    /// What the call itself knows became of the task, without anybody's word for it.
    pub(super) fn claim(&mut self, claim: Claim) {
        if let Claimed::Nothing = self.report.claimed {
            self.tell(claim.as_known());
        }
    }

    /// Journal the result once its evidence is found in the transcript, or at the end with what there is: words that
    /// nobody said are no evidence.
    pub(super) fn tell_result(&mut self, at_the_end: bool) {
        let settled = match &self.report.claimed {
            Claimed::Told => return,
            Claimed::Nothing if at_the_end => self.held_against(&self.report.unreported()),
            Claimed::Nothing => return,
            Claimed::ByVoice(claim) if at_the_end || self.report.finds_all_of(claim) => {
                self.held_against(claim)
            }
            Claimed::ByVoice(_) => return,
        };
        self.tell(settled);
    }

    fn tell(&mut self, mut settled: Settled) {
        self.add_missing(&mut settled);
        self.report.claimed = Claimed::Told;
        for Item { kind, name, value, turns } in settled.items {
            self.journal(Fact::ResultItem { kind, name, value: value.into(), turns });
        }
        let Settled { status, summary, evidence_turns, .. } = settled;
        self.journal(Fact::Result { status, summary, evidence_turns });
    }

    fn held_against(&self, claim: &Claim) -> Settled {
        Scales { report: &self.report, brief: &self.brief }.weigh(claim)
    }

    /// Everything that was asked of the owner and not answered: that is what stood in the way, unless the goal was
    /// reached without.
    fn add_missing(&self, settled: &mut Settled) {
        if settled.status == TaskStatus::Achieved || self.missing.is_empty() {
            return;
        }
        if settled.status == TaskStatus::Unclear {
            settled.status = TaskStatus::Blocked;
        }
        for question in &self.missing {
            if !settled.summary.contains(question.as_str()) {
                settled.summary.push_str(" Missing: ");
                settled.summary.push_str(question);
            }
        }
        if settled.items.iter().all(|item| item.kind != ItemKind::Blocker) {
            let questions: Vec<&str> = self.missing.iter().map(Words::as_str).collect();
            let asked = self.report.asked.iter().filter(|(question, _)| self.missing.contains(question));
            let turns: Vec<u32> = asked.filter_map(|(_, turn)| *turn).collect();
            let kind = BlockerKind::MissingInformation;
            settled.items.push(Item::blocker(kind, questions.join(" ").into(), turns));
        }
    }

    /// Look on while facts are written down. Whether somebody said something.
    pub(super) fn take_note(&mut self, fact: &Fact) -> bool {
        // What is read out to be approved is no promise of the voice's.
        if matches!(fact, Fact::VoiceSaid { .. }) && self.awaits_decision() {
            return false;
        }
        let language = &self.brief.language;
        let report = &mut self.report;
        match fact {
            Fact::RemoteSaid { turn, started_ms, text, .. } => {
                report.said.add(Speaker::Remote, (*turn, *started_ms), text, language);
                return true;
            }
            Fact::VoiceSaid { turn, started_ms, text, .. } => {
                report.said.add(Speaker::Voice, (*turn, *started_ms), text, language);
                return true;
            }
            Fact::OwnerAsked { question, .. } => {
                report.asked.push((question.as_str().into(), report.said.last_of_remote()));
            }
            Fact::OwnerAnswered { answer, .. } => {
                report.grant(answer);
                if commit::agrees(answer, language) {
                    report.grant_asked(language);
                }
            }
            Fact::OwnerSaid { text } | Fact::OwnerInstructed { text } => report.grant(text),
            _ => {}
        }
        false
    }

    /// Tell at once who agreed to something, or wanted that: it is what it is, whatever comes of the call.
    pub(super) fn tell_commitments(&mut self) {
        let bonds = self.report.said.bonds();
        for bond in &bonds {
            let allowed = bond.is_made && self.report.lets(&self.brief, bond, &bonds);
            let kind = match bond.is_made {
                false => ItemKind::AskedToCommit,
                true if allowed => ItemKind::Commitment,
                true => ItemKind::Breach,
            };
            let Bond { act, turns, text, .. } = bond;
            let seen = |(other, for_what, at): &(ItemKind, Act, Vec<u32>)| {
                (*other == ItemKind::AskedToCommit) == (kind == ItemKind::AskedToCommit)
                    && for_what == act
                    && at.last() == turns.last()
            };
            if !self.report.seen.iter().any(seen) {
                self.report.seen.push((kind, *act, turns.clone()));
                self.journal(Fact::ResultItem {
                    kind,
                    name: act.code().to_owned(),
                    value: text.to_string(),
                    turns: turns.clone(),
                });
            }
        }
    }
}

impl Report {
    /// What the owner orders to be done.
    fn grant(&mut self, text: &str) {
        self.granted.extend(Act::ALL.iter().filter(|act| commit::is_tasked(text, **act)));
    }

    /// The owner says yes: to what the question names; where it names nothing (*is that all right?*), to what the remote
    /// asked for before it; else only to take what was offered.
    fn grant_asked(&mut self, language: &str) {
        const OFFERED: [Act; 3] = [Act::Booking, Act::Change, Act::Agreement];
        let Some((question, turn)) = self.asked.last() else { return };
        let named = [language, "en"].into_iter().flat_map(|language| commit::asked(question, language));
        let mut acts: Vec<Act> = named.map(|found| found.act).collect();
        if acts.iter().all(|act| *act == Act::Agreement) {
            let bonds = self.said.bonds();
            let before = bonds.iter().filter(|bond| !bond.is_made && bond.turns.last() == turn.as_ref());
            acts.extend(before.map(|bond| bond.act));
        }
        match acts.as_slice() {
            [] => self.granted.extend(OFFERED),
            acts => self.granted.extend(acts),
        }
    }

    /// Whether the voice had leave for this.
    fn lets(&self, brief: &Brief, bond: &Bond, bonds: &[Bond]) -> bool {
        let lets = |act: Act| self.granted.contains(&act) || brief.lets(act);
        let takes = |bond: &Bond| commit::is_taking(&bond.text, &brief.language);
        // Somebody may book a table with "I'll take it", and with a yes to "would you like the one at seven?".
        let asked = |other: &&Bond| !other.is_made && bond.turns.contains(&other.turns[0]);
        let is_taken =
            || takes(bond) || bonds.iter().filter(asked).any(|other| other.act == bond.act && takes(other));
        lets(bond.act)
            || bond.act == Act::Agreement
                && [Act::Booking, Act::Purchase, Act::Change].into_iter().any(lets)
                && is_taken()
    }

    fn finds_all_of(&self, claim: &Claim) -> bool {
        let by_remote = |quotes: &[Words]| self.said.find(quotes, Some(Speaker::Remote)).is_whole;
        by_remote(&claim.quotes)
            && claim.fields.iter().all(|field| by_remote(&field.quotes))
            && claim.blocker.iter().all(|blocker| by_remote(&blocker.quotes))
            && claim.asked_to_commit.iter().all(|shown| by_remote(&shown.quotes))
            && claim.commitments.iter().all(|shown| self.said.find(&shown.quotes, None).is_whole)
    }

    /// What is known where the voice did not say anything about it.
    fn unreported(&self) -> Claim {
        let Some(refusal) = self.said.refusal(&self.said.last_words()) else {
            let summary =
                "The call ended before the voice reported a result; the transcript shows how far it came.";
            return Claim::new(TaskStatus::Unclear, summary);
        };
        let summary =
            format!("The call ended before the voice reported a result. They said: \"{}\"", refusal.as_str());
        Claim { quotes: vec![refusal.clone()], ..Claim::new(TaskStatus::Blocked, summary) }
    }

    /// Whether one of these turns is told of already, as one of these.
    fn is_told(&self, kinds: &[ItemKind], turns: &[u32]) -> bool {
        self.seen
            .iter()
            .any(|(kind, _, at)| kinds.contains(kind) && at.iter().any(|turn| turns.contains(turn)))
    }
}

impl Brief {
    /// Whether the instructions let the voice agree to this.
    fn lets(&self, act: Act) -> bool {
        match self.commit {
            Commit::Within(_) => true,
            Commit::Never => false,
            Commit::AsTasked => {
                let supplied = self.prior.as_ref().and_then(|prior| prior.supplied.as_deref());
                let texts = [Some(self.task.as_str()), self.greeting.as_deref(), supplied];
                texts.into_iter().flatten().any(|text| commit::is_tasked(text, act))
            }
        }
    }
}

/// A claim on one side, what was said on the other.
struct Scales<'a> {
    report: &'a Report,
    brief: &'a Brief,
}

/// What became of the parts of a claim.
#[derive(Default)]
struct Weighed {
    items: Vec<Item>,
    /// Something had no turn, or was no answer to what was asked for.
    dropped: bool,
    /// The fields that are needed and not known.
    lacks: Vec<String>,
    /// The turns of what stands.
    turns: Vec<u32>,
}

impl Weighed {
    /// What a summary that claims more must not be read without.
    fn doubt(&self, status: TaskStatus) -> String {
        match (status, self.dropped) {
            (TaskStatus::Partly, false) => format!(" Not found out: {}.", self.lacks.join(", ")),
            (TaskStatus::Partly, true) => " Not all of it is shown by what was said.".to_owned(),
            _ => " What was said does not show it.".to_owned(),
        }
    }
}

impl Scales<'_> {
    fn weigh(&self, claim: &Claim) -> Settled {
        let mut weighed = Weighed::default();
        weighed.turns.extend(self.by_remote(&claim.quotes).turns);
        self.fields(&claim.fields, &mut weighed);
        self.commitments(&claim.commitments, &mut weighed);
        self.asked_to_commit(&claim.asked_to_commit, &mut weighed);
        weighed.turns.sort_unstable();
        weighed.turns.dedup();
        // Who is told no has not been told yes, whatever is made of it.
        let refused = claim.status == TaskStatus::Achieved && self.report.said.refuses(&weighed.turns);
        let claimed = if refused { TaskStatus::Blocked } else { claim.status };
        let blocker = self.blocker(claim, claimed, &mut weighed);
        let status = self.status(claimed, &weighed, blocker.is_some());
        weighed.items.extend(blocker.filter(|_| status != TaskStatus::Achieved));
        let next_step = claim.next_step.as_ref().filter(|step| !step.trim().is_empty());
        weighed.items.extend(next_step.map(|step| Item::next_step(step.clone())));
        let mut summary = claim.summary.to_string();
        if status != claim.status {
            summary.push_str(&weighed.doubt(status));
        }
        Settled { status, summary, evidence_turns: weighed.turns, items: weighed.items }
    }

    fn by_remote(&self, quotes: &[Words]) -> Evidence {
        self.report.said.find(quotes, Some(Speaker::Remote))
    }

    /// The fields that were asked for, in their order.
    fn fields(&self, claimed: &[FieldClaim], weighed: &mut Weighed) {
        for field in &self.brief.fields {
            let claim = claimed.iter().find(|claim| claim.name == field.name && *claim.value != *"null");
            let turns = claim.map(|claim| self.by_remote(&claim.quotes).turns).unwrap_or_default();
            match claim {
                Some(claim) if !turns.is_empty() && field.takes(&claim.value) => {
                    weighed.turns.extend(&turns);
                    let (name, value) = (field.name.clone(), claim.value.clone());
                    weighed.items.push(Item { kind: ItemKind::Field, name, value, turns });
                    continue;
                }
                Some(_) => weighed.dropped = true,
                None => {}
            }
            if field.required {
                weighed.lacks.push(field.name.clone());
            }
        }
    }

    /// What the voice says that it agreed to. Whether it was allowed to is known of what was said; of what only it
    /// knows of, by whether it had leave for anything.
    fn commitments(&self, claimed: &[Shown], weighed: &mut Weighed) {
        for Shown { what, quotes } in claimed {
            let turns = self.report.said.find(quotes, None).turns;
            weighed.dropped |= turns.is_empty();
            let told = self.report.is_told(&[ItemKind::Commitment, ItemKind::Breach], &turns);
            if turns.is_empty() || told {
                continue;
            }
            let barred = self.report.granted.is_empty() && !Act::ALL.iter().any(|act| self.brief.lets(*act));
            let kind = if barred { ItemKind::Breach } else { ItemKind::Commitment };
            weighed.items.push(Item { kind, name: String::new(), value: what.clone(), turns });
        }
    }

    fn asked_to_commit(&self, claimed: &[Shown], weighed: &mut Weighed) {
        for Shown { what, quotes } in claimed {
            let turns = self.by_remote(quotes).turns;
            weighed.dropped |= turns.is_empty();
            if turns.is_empty() || self.report.is_told(&[ItemKind::AskedToCommit], &turns) {
                continue;
            }
            let (kind, name) = (ItemKind::AskedToCommit, String::new());
            weighed.items.push(Item { kind, name, value: what.clone(), turns });
        }
    }

    /// What stands in the way. Where the voice only says that something does, what was said tells what.
    fn blocker(&self, claim: &Claim, claimed: TaskStatus, weighed: &mut Weighed) -> Option<Item> {
        let Some(BlockerClaim { kind, what, quotes }) = &claim.blocker else {
            let is_blocked = claimed == TaskStatus::Blocked && !weighed.turns.is_empty();
            return is_blocked.then(|| {
                let kind = blocker_in(&self.report.said, &weighed.turns);
                let what = self.report.said.refusal(&weighed.turns).unwrap_or(&claim.summary);
                Item::blocker(kind, what.clone(), weighed.turns.clone())
            });
        };
        let turns = match quotes.as_slice() {
            [] => weighed.turns.clone(),
            quotes => self.by_remote(quotes).turns,
        };
        if turns.is_empty() {
            weighed.dropped = true;
            return None;
        }
        weighed
            .turns
            .extend(turns.iter().filter(|turn| !weighed.turns.contains(turn)).copied().collect::<Vec<_>>());
        weighed.turns.sort_unstable();
        Some(Item::blocker(*kind, what.clone(), turns))
    }

    /// The status that what stands can bear.
    fn status(&self, claimed: TaskStatus, weighed: &Weighed, blocked: bool) -> TaskStatus {
        let is_shown = !weighed.turns.is_empty();
        match claimed {
            // Who only asks has confirmed nothing.
            TaskStatus::Achieved if !self.report.said.states(&weighed.turns) => TaskStatus::Unclear,
            TaskStatus::Achieved if weighed.dropped || !weighed.lacks.is_empty() => TaskStatus::Partly,
            TaskStatus::Partly | TaskStatus::Failed if !is_shown => TaskStatus::Unclear,
            TaskStatus::Blocked if !is_shown && !blocked => TaskStatus::Unclear,
            status => status,
        }
    }
}

impl Item {
    fn blocker(kind: BlockerKind, what: Words, turns: Vec<u32>) -> Self {
        Self { kind: ItemKind::Blocker, name: kind.code().to_owned(), value: what, turns }
    }

    fn next_step(what: Words) -> Self {
        Self { kind: ItemKind::NextStep, name: String::new(), value: what, turns: Vec::new() }
    }
}

impl Claim {
    /// As it is, because the call itself was there.
    fn as_known(&self) -> Settled {
        let blocker = self.blocker.as_ref();
        let blocker = blocker.map(|blocker| Item::blocker(blocker.kind, blocker.what.clone(), Vec::new()));
        let next_step = self.next_step.clone().map(Item::next_step);
        Settled {
            status: self.status,
            summary: self.summary.to_string(),
            evidence_turns: Vec::new(),
            items: blocker.into_iter().chain(next_step).collect(),
        }
    }
}

/// What usually stands in the way, by the words of the other side, in English.
const BLOCKERS: &[(BlockerKind, &[&str])] = &[
    (
        BlockerKind::VerificationCode,
        &["one time code", "verification code", "security code", "passcode", "the code", "one time password"],
    ),
    (
        BlockerKind::WantsUser,
        &["in person", "account holder", "speak to them", "speak with them", "speak to him", "speak to her"],
    ),
    (BlockerKind::Payment, &["credit card", "card number", "a deposit", "prepayment", "a payment"]),
    (
        BlockerKind::MissingInformation,
        &[
            "date of birth",
            "birthday",
            "account number",
            "order number",
            "reference number",
            "member number",
            "policy number",
            "confirmation number",
            "what is the",
            "what's the",
            "what is your",
            "what's your",
        ],
    ),
    (BlockerKind::Closed, &["closed", "opening hours", "office hours", "business hours"]),
    (BlockerKind::WrongNumber, &["wrong number"]),
];

fn blocker_in(said: &Said, turns: &[u32]) -> BlockerKind {
    let found = BLOCKERS.iter().find(|(_, phrases)| said.says(turns, phrases));
    found.map_or(BlockerKind::Other, |(kind, _)| *kind)
}

impl ResultField {
    /// Whether this well-formed JSON is a value for the field.
    fn takes(&self, json: &str) -> bool {
        let json = json.trim();
        let number = || json.parse::<f64>().is_ok_and(f64::is_finite);
        match &self.kind {
            FieldKind::Text => json.len() > 2 && is_text(json),
            FieldKind::Number => number(),
            FieldKind::Integer => json.parse::<i64>().is_ok(),
            FieldKind::Boolean => matches!(json, "true" | "false"),
            FieldKind::TextList => is_list_of_texts(json),
            FieldKind::Choice(choices) => choices.iter().any(|choice| as_json(choice) == json),
        }
    }
}

fn is_text(json: &str) -> bool {
    json.len() >= 2 && json.starts_with('"') && json.ends_with('"')
}

fn is_list_of_texts(json: &str) -> bool {
    let Some(mut rest) = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        let Some(text) = rest.strip_prefix('"') else { return rest.is_empty() };
        let mut escaped = false;
        let end = text.bytes().position(|byte| {
            let is_end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            is_end
        });
        match end {
            Some(end) => rest = &text[end + 1..],
            None => return false,
        }
    }
}

/// A text as JSON, the way everybody writes it.
fn as_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            '\r' => json.push_str("\\r"),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

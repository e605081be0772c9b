//! What becomes of a claim: it stands with the turns it rests on, or it falls.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use offhook_core::brief::{Brief, Commit, FieldKind, ResultField};
use offhook_core::call::{
    Action, BlockerClaim, Call, CallCommand, Claim, Direction, FieldClaim, Input, LegEvent, Limits, Shown,
    SpeechEvent, ToolCall, ToolCallId, Utterance,
};
use offhook_core::journal::{BlockerKind, TaskStatus};
use offhook_core::pump::{Heard, PumpEvent};
use offhook_core::{Fact, Timestamp, Words};

/// A conversation, and what is found of its result.
struct Talk {
    call: Call,
    now: Timestamp,
    utterances: u32,
    found: String,
}

impl Talk {
    fn new(brief: Brief) -> Self {
        let now = Timestamp::from_unix_millis(0);
        let call = Call::new(Direction::Outbound, brief, Limits::default(), now);
        let mut talk = Self { call, now, utterances: 0, found: String::new() };
        talk.input(Input::Speech(SpeechEvent::Ready { model: "test".to_owned() }));
        talk.input(Input::Leg(LegEvent::Answered { sip_call_id: None }));
        talk.pass(1_500);
        talk.input(Input::Tick);
        talk.voice("Hello, this is an AI assistant, and this call is recorded.");
        talk
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
    }

    fn input(&mut self, input: Input) {
        self.call.handle(self.now, input);
        while let Some(action) = self.call.poll() {
            match action {
                Action::Journal(Fact::ResultItem { kind, name, value, turns }) => {
                    let name = if name.is_empty() { name } else { format!(" {name}") };
                    writeln!(self.found, "{kind}{name} {value:?} {turns:?}").unwrap();
                }
                Action::Journal(Fact::Result { status, summary, evidence_turns }) => {
                    writeln!(self.found, "{status}: {summary} {evidence_turns:?}").unwrap();
                }
                _ => {}
            }
        }
    }

    fn speech(&mut self, event: SpeechEvent) -> &mut Self {
        self.input(Input::Speech(event));
        self
    }

    /// The remote says this, and is understood at once.
    fn remote(&mut self, text: &str) -> &mut Self {
        let started_ms = self.now.unix_millis() as u32;
        self.pass(900);
        self.late(text, started_ms)
    }

    /// What the remote said a while ago is understood only now.
    fn late(&mut self, text: &str, started_ms: u32) -> &mut Self {
        let (text, ended_ms) = (Some(text.into()), started_ms + 800);
        self.speech(SpeechEvent::RemoteSaid { text, confidence: None, started_ms, ended_ms })
    }

    fn voice(&mut self, text: &str) -> &mut Self {
        let utterance = Utterance(self.utterances);
        self.utterances += 1;
        self.speech(SpeechEvent::VoiceText { utterance, text: text.into() });
        self.input(Input::Pump(PumpEvent::Started(utterance)));
        self.pass(900);
        self.input(Input::Pump(PumpEvent::Finished(Heard { utterance, heard_ms: 900, of_ms: 900 })));
        if utterance == Utterance(0) {
            self.speech(SpeechEvent::Opened { utterance });
        }
        self.pass(100);
        self
    }

    fn owner(&mut self, command: CallCommand) -> &mut Self {
        self.input(Input::Command(command));
        self
    }

    fn asks(&mut self, question: &str) -> &mut Self {
        let tool = ToolCall::AskOwner { question: question.into() };
        self.speech(SpeechEvent::ToolCall { id: ToolCallId(1), tool })
    }

    fn claims(&mut self, claim: Claim) -> &mut Self {
        let tool = ToolCall::EndCall { reason: "done".into(), result: Some(Box::new(claim)) };
        self.speech(SpeechEvent::ToolCall { id: ToolCallId(1), tool })
    }

    #[track_caller]
    fn ends_with(&mut self, expected: Expect) {
        self.input(Input::Leg(LegEvent::HungUp { q850_cause: None }));
        self.speech(SpeechEvent::Lost { why: "closed".to_owned() });
        assert!(self.call.is_over());
        expected.assert_eq(&self.found);
    }
}

fn asking() -> Brief {
    Brief::new("Ask whether a table for two is free on Friday at seven, and what it costs.")
}

fn quotes(quotes: &[&str]) -> Vec<Words> {
    quotes.iter().map(|quote| (*quote).into()).collect()
}

fn claim(status: TaskStatus, summary: &str, said: &[&str]) -> Claim {
    Claim { quotes: quotes(said), ..Claim::new(status, summary) }
}

fn blocker(kind: BlockerKind, what: &str, said: &[&str]) -> Option<BlockerClaim> {
    Some(BlockerClaim { kind, what: what.into(), quotes: quotes(said) })
}

fn field(name: &str, kind: FieldKind, required: bool) -> ResultField {
    ResultField { name: name.to_owned(), kind, required, description: None }
}

fn says(name: &str, value: &str, said: &[&str]) -> FieldClaim {
    FieldClaim { name: name.to_owned(), value: value.into(), quotes: quotes(said) }
}

#[test]
fn a_claim_stands_with_its_turns() {
    Talk::new(asking())
        .remote("Yes, we have a table at seven.")
        .claims(claim(TaskStatus::Achieved, "A table is free.", &["we have a table at seven"]))
        .ends_with(expect![[r#"
            achieved: A table is free. [2]
        "#]]);
}

#[test]
fn words_picked_from_a_turn_are_no_quote_of_it() {
    let claimed = |status, said| claim(status, "A table is booked for Friday at seven.", &[said]);
    for (remote, quote, stands) in [
        (
            "We are closed on Friday, call back on Monday at seven.",
            "Your table on Friday at seven is booked",
            false,
        ),
        ("Hello, Bay Dental.", "Hello", false),
        ("Good morning, thank you for calling.", "Thank you for calling", false),
        (
            "No, sorry, on Friday everything at seven is booked, try the table at the bar.",
            "your table is booked",
            false,
        ),
        ("Yes, on Friday at seven, I have put you down.", "on Friday at seven I've put you down", true),
        ("So that would be a table for two at 7, okay? Let me see.", "it's booked, a table for two", false),
        ("It is booked: a table for two.", "It's booked a table for two", true),
        ("Yes.", "Yes", true),
    ] {
        let mut talk = Talk::new(asking());
        talk.remote(remote).claims(claimed(TaskStatus::Achieved, quote));
        talk.input(Input::Leg(LegEvent::HungUp { q850_cause: None }));
        talk.speech(SpeechEvent::Lost { why: "closed".to_owned() });
        assert_eq!(talk.found.contains("[2]"), stands, "{quote:?} of {remote:?}: {}", talk.found);
    }
}

#[test]
fn achieved_without_a_turn_of_the_remote_is_unclear() {
    let nobody_said = claim(TaskStatus::Achieved, "Booked.", &["your table is booked for tonight"]);
    Talk::new(asking()).remote("Hello?").claims(nobody_said).ends_with(expect![[r#"
        unclear: Booked. What was said does not show it. []
    "#]]);
    let only_ours = claim(TaskStatus::Achieved, "Told them.", &["this is an AI assistant"]);
    Talk::new(asking()).remote("Hello?").claims(only_ours).ends_with(expect![[r#"
        unclear: Told them. What was said does not show it. []
    "#]]);
    let nothing = claim(TaskStatus::Achieved, "Done.", &[]);
    Talk::new(asking()).remote("Hello.").claims(nothing).ends_with(expect![[r#"
        unclear: Done. What was said does not show it. []
    "#]]);
}

#[test]
fn a_question_confirms_nothing() {
    Talk::new(asking())
        .remote("What is your date of birth?")
        .claims(claim(TaskStatus::Achieved, "Done.", &["what is your date of birth"]))
        .ends_with(expect![[r#"
            unclear: Done. What was said does not show it. [2]
        "#]]);
}

#[test]
fn what_cannot_be_shown_is_no_failure_either() {
    for status in [TaskStatus::Partly, TaskStatus::Blocked, TaskStatus::Failed] {
        let mut talk = Talk::new(asking());
        talk.remote("Hello?").claims(claim(status, "So it is.", &["we have nothing at all"]));
        talk.ends_with(expect![[r#"
            unclear: So it is. What was said does not show it. []
        "#]]);
    }
}

#[test]
fn a_late_transcript_still_counts() {
    Talk::new(asking())
        .claims(claim(TaskStatus::Achieved, "A table is free.", &["we have a table at seven"]))
        .late("Yes, we have a table at seven.", 3_000)
        .ends_with(expect![[r#"
            achieved: A table is free. [2]
        "#]]);
}

#[test]
fn fields_come_with_their_turns_in_the_order_they_were_asked_for() {
    let fields = vec![
        field("free", FieldKind::Boolean, true),
        field("price", FieldKind::Number, true),
        field("seats", FieldKind::Integer, false),
        field("size", FieldKind::Choice(vec!["large".to_owned(), "a \"small\" one".to_owned()]), false),
        field("times", FieldKind::TextList, false),
        field("who", FieldKind::Text, false),
    ];
    let claimed = vec![
        says("who", r#""Maria""#, &["my name is Maria"]),
        says("price", "19.5", &["it is nineteen fifty"]),
        says("free", "true", &["we have a table"]),
        says("times", r#"["7 pm", "8 \"sharp\""]"#, &["at seven or at eight sharp"]),
        says("seats", "4", &["we have a table"]),
        says("size", r#""a \"small\" one""#, &["we have a table"]),
        says("weather", r#""fine""#, &["we have a table"]),
    ];
    Talk::new(Brief { fields, ..asking() })
        .remote("We have a table at seven or at eight sharp.")
        .remote("It is nineteen fifty. My name is Maria.")
        .claims(Claim {
            fields: claimed,
            next_step: Some("Call again to book it.".into()),
            ..claim(TaskStatus::Achieved, "A table is free.", &["we have a table"])
        })
        .ends_with(expect![[r#"
            field free "true" [2]
            field price "19.5" [3]
            field seats "4" [2]
            field size "\"a \\\"small\\\" one\"" [2]
            field times "[\"7 pm\", \"8 \\\"sharp\\\"\"]" [2]
            field who "\"Maria\"" [3]
            next_step "Call again to book it." []
            achieved: A table is free. [2, 3]
        "#]]);
}

#[test]
fn a_field_without_a_turn_is_dropped_and_the_status_lowered() {
    let fields = || vec![field("price", FieldKind::Number, false)];
    let mut talk = Talk::new(Brief { fields: fields(), ..asking() });
    let invented = vec![says("price", "20", &["it costs twenty dollars"])];
    let free = || claim(TaskStatus::Achieved, "A table is free.", &["we have a table"]);
    talk.remote("We have a table.").claims(Claim { fields: invented, ..free() });
    talk.ends_with(expect![[r#"
        partly: A table is free. Not all of it is shown by what was said. [2]
    "#]]);
    // Of the wrong kind.
    let mut talk = Talk::new(Brief { fields: fields(), ..asking() });
    let wrong = vec![says("price", r#""a lot""#, &["we have a table"])];
    talk.remote("We have a table.").claims(Claim { fields: wrong, ..free() });
    talk.ends_with(expect![[r#"
        partly: A table is free. Not all of it is shown by what was said. [2]
    "#]]);
    // Not known, and not needed.
    let mut talk = Talk::new(Brief { fields: fields(), ..asking() });
    talk.remote("We have a table.").claims(Claim { fields: vec![says("price", "null", &[])], ..free() });
    talk.ends_with(expect![[r#"
        achieved: A table is free. [2]
    "#]]);
    // Not known, and needed.
    let fields = vec![field("price", FieldKind::Number, true)];
    let mut talk = Talk::new(Brief { fields, ..asking() });
    talk.remote("We have a table.").claims(free());
    talk.ends_with(expect![[r#"
        partly: A table is free. Not found out: price. [2]
    "#]]);
}

#[test]
fn a_blocker_names_what_is_needed() {
    Talk::new(asking())
        .remote("Before I can help you, what is your date of birth?")
        .claims(Claim {
            blocker: blocker(
                BlockerKind::MissingInformation,
                "The date of birth of Jordan Lee.",
                &["what is your date of birth"],
            ),
            ..claim(TaskStatus::Blocked, "They need a date of birth.", &[])
        })
        .ends_with(expect![[r#"
            blocker missing_information "The date of birth of Jordan Lee." [2]
            blocked: They need a date of birth. [2]
        "#]]);
    // One that nobody spoke of is none.
    Talk::new(asking())
        .remote("Hello?")
        .claims(Claim {
            blocker: blocker(BlockerKind::Payment, "A deposit.", &["we take a deposit of fifty dollars"]),
            ..claim(TaskStatus::Blocked, "They want a deposit.", &[])
        })
        .ends_with(expect![[r#"
            unclear: They want a deposit. What was said does not show it. []
        "#]]);
}

#[test]
fn a_blocker_that_was_not_named_is_found_in_what_was_said() {
    for (said, expected) in [
        ("Please read me the one time code.", "verification_code"),
        ("For that I must speak to the account holder in person.", "wants_user"),
        ("What is the date of birth?", "missing_information"),
        ("We need a credit card for that.", "payment"),
        ("Our office is closed on Sundays.", "closed"),
        ("That is not how it works.", "other"),
    ] {
        let mut talk = Talk::new(asking());
        talk.remote(said).claims(claim(TaskStatus::Blocked, "Blocked.", &[said]));
        assert!(talk.found.contains(&format!("blocker {expected} ")), "{said}: {}", talk.found);
    }
}

#[test]
fn a_no_is_no_success() {
    const NO: &str = "I am sorry, I cannot help you without the date of birth.";
    Talk::new(asking())
        .remote(NO)
        .claims(claim(TaskStatus::Achieved, "All done.", &["I cannot help you without the date of birth"]))
        .ends_with(expect![[r#"
            blocker missing_information "I am sorry, I cannot help you without the date of birth." [2]
            blocked: All done. What was said does not show it. [2]
        "#]]);
    // Nor is it where the voice had no time to say anything about it.
    Talk::new(asking()).remote("What is your date of birth?").remote(NO).remote("Goodbye.").ends_with(expect![[r#"
        blocker missing_information "I am sorry, I cannot help you without the date of birth." [3]
        blocked: The call ended before the voice reported a result. They said: "I am sorry, I cannot help you without the date of birth." [3]
    "#]]);
}

#[test]
fn an_open_question_is_what_is_missing() {
    let brief = Brief { ask_owner: Some(Duration::from_secs(60)), ..asking() };
    Talk::new(brief)
        .remote("Which name is it under?")
        .asks("Which name is the table under?")
        .ends_with(expect![[r#"
            blocker missing_information "Which name is the table under?" [2]
            blocked: The call ended before the voice reported a result; the transcript shows how far it came. Missing: Which name is the table under? []
        "#]]);
}

#[test]
fn a_commitment_without_leave_is_a_breach_with_its_turn() {
    for commit in [Commit::AsTasked, Commit::Never] {
        Talk::new(Brief { commit, ..asking() })
            .remote("We have a table at seven. Shall I book it and charge the card on file?")
            .voice("Thank you. Please book it. Goodbye.")
            .ends_with(expect![[r#"
                asked_to_commit booking "Shall I book it and charge the card on file?" [2]
                asked_to_commit payment "Shall I book it and charge the card on file?" [2]
                breach booking "Please book it." [3]
                unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
            "#]]);
    }
}

#[test]
fn a_yes_is_a_commitment_to_what_was_asked() {
    Talk::new(asking())
        .remote("Shall I book it for you?")
        .voice("Yes, please.")
        .claims(claim(TaskStatus::Achieved, "Booked.", &["shall I book it"]))
        .ends_with(expect![[r#"
            asked_to_commit booking "Shall I book it for you?" [2]
            breach booking "Yes, please." [2, 3]
            unclear: Booked. What was said does not show it. [2]
        "#]]);
    // The transcript of the question comes after the answer to it.
    let mut talk = Talk::new(asking());
    talk.pass(1_000);
    talk.voice("Sure, go ahead.").late("Would you like me to book that?", 2_500);
    talk.ends_with(expect![[r#"
        asked_to_commit booking "Would you like me to book that?" [3]
        breach booking "Sure, go ahead." [2, 3]
        unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
    "#]]);
}

#[test]
fn a_refusal_is_none() {
    Talk::new(asking())
        .remote("Shall I book it for you?")
        .voice("No, thank you. I can't book it, and will let Jordan know.")
        .remote("Should I put her down for seven then?")
        .voice("Okay, let me check with her first.")
        .ends_with(expect![[r#"
            asked_to_commit booking "Shall I book it for you?" [2]
            asked_to_commit booking "Should I put her down for seven then?" [4]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
}

#[test]
fn what_the_task_asks_for_is_no_breach_and_nothing_else_is_covered_by_it() {
    Talk::new(Brief::new("Book a table for two on Friday at seven, for Jordan Lee."))
        .voice("I would like to book a table for two.")
        .remote("Certainly. Shall I charge the card on file?")
        .voice("Yes, please.")
        .remote("It is booked for Friday at seven.")
        .claims(Claim {
            commitments: vec![Shown {
                what: "A table on Friday at seven.".into(),
                quotes: quotes(&["it is booked for Friday at seven"]),
            }],
            ..claim(TaskStatus::Achieved, "Booked.", &["it is booked for Friday at seven"])
        })
        .ends_with(expect![[r#"
            commitment booking "I would like to book a table for two." [2]
            asked_to_commit payment "Shall I charge the card on file?" [3]
            breach payment "Yes, please." [3, 4]
            commitment "A table on Friday at seven." [5]
            achieved: Booked. [5]
        "#]]);
}

#[test]
fn what_the_task_speaks_of_or_forbids_has_no_leave() {
    let task =
        "For Jordan Lee: ask what it costs to cancel the membership. Under no circumstances pay a deposit.";
    Talk::new(Brief::new(task))
        .remote("Shall I cancel it now?")
        .voice("Yes, please cancel the membership. I will pay the deposit.")
        .ends_with(expect![[r#"
            asked_to_commit cancellation "Shall I cancel it now?" [2]
            breach cancellation "Yes, please cancel the membership." [3]
            breach payment "I will pay the deposit." [3]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
}

#[test]
fn whoever_is_to_book_may_take_what_is_offered_and_sign_nothing() {
    Talk::new(Brief::new("Book a table for two on Friday at seven, for Jordan Lee."))
        .remote("Would you like the table at seven?")
        .voice("Yes, please.")
        .remote("It comes with our dinner plan, ninety dollars a month.")
        .voice("I agree to the terms.")
        .ends_with(expect![[r#"
            asked_to_commit agreement "Would you like the table at seven?" [2]
            commitment agreement "Yes, please." [2, 3]
            breach agreement "I agree to the terms." [5]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
}

#[test]
fn a_yes_of_the_owner_lets_what_was_asked_and_no_more() {
    let answer = |text: &str| CallCommand::Answer { question_id: None, text: text.into() };
    let brief = || Brief { commit: Commit::Never, ask_owner: Some(Duration::from_secs(60)), ..asking() };
    Talk::new(brief())
        .remote("Shall I book it and charge the card on file?")
        .asks("They have a table at seven. Should I book it?")
        .owner(answer("Yes."))
        .voice("Please book it and charge the card.")
        .ends_with(expect![[r#"
            asked_to_commit booking "Shall I book it and charge the card on file?" [2]
            asked_to_commit payment "Shall I book it and charge the card on file?" [2]
            commitment booking "Please book it and charge the card." [3]
            breach payment "Please book it and charge the card." [3]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
    // A yes to a question that names nothing is one to what they asked for.
    Talk::new(brief())
        .remote("Shall I cancel it then?")
        .asks("That is the last date. Is that all right?")
        .owner(answer("Yes, go ahead."))
        .voice("Please cancel it and book another one.")
        .ends_with(expect![[r#"
            asked_to_commit cancellation "Shall I cancel it then?" [2]
            commitment cancellation "Please cancel it and book another one." [3]
            breach booking "Please cancel it and book another one." [3]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
    // An instruction lets what it orders, not what it speaks of.
    let mut talk = Talk::new(brief());
    talk.owner(CallCommand::Instruct { text: "Ask what it costs to cancel. Book nothing.".into() });
    talk.voice("Please cancel it.").ends_with(expect![[r#"
        breach cancellation "Please cancel it." [2]
        unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
    "#]]);
}

#[test]
fn whoever_may_commit_does_not_breach() {
    Talk::new(Brief { commit: Commit::Within(Some("Up to 50 dollars.".to_owned())), ..asking() })
        .remote("Shall I book it for you?")
        .voice("Yes, please book it.")
        .ends_with(expect![[r#"
            asked_to_commit booking "Shall I book it for you?" [2]
            commitment booking "Yes, please book it." [3]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
}

#[test]
fn an_owner_who_says_yes_lets_it() {
    let answer = |text: &str| CallCommand::Answer { question_id: None, text: text.into() };
    let brief = || Brief { commit: Commit::Never, ask_owner: Some(Duration::from_secs(60)), ..asking() };
    Talk::new(brief())
        .remote("Shall I book it?")
        .asks("They have a table at seven. Should I book it?")
        .owner(answer("Yes, book it."))
        .voice("Please book it.")
        .ends_with(expect![[r#"
            asked_to_commit booking "Shall I book it?" [2]
            commitment booking "Please book it." [3]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
    Talk::new(brief())
        .remote("Shall I book it?")
        .asks("They have a table at seven. Should I book it?")
        .owner(answer("No, do not book it."))
        .voice("Please book it.")
        .ends_with(expect![[r#"
            asked_to_commit booking "Shall I book it?" [2]
            breach booking "Please book it." [3]
            unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
        "#]]);
    // What the owner wants said is the owner's word.
    let mut talk = Talk::new(brief());
    talk.owner(CallCommand::Say { text: "Please book it.".into() }).voice("Please book it.");
    talk.ends_with(expect![[r#"
        commitment booking "Please book it." [2]
        unclear: The call ended before the voice reported a result; the transcript shows how far it came. []
    "#]]);
}

#[test]
fn a_commitment_that_only_the_voice_knows_of_is_told_with_its_turns_or_not_at_all() {
    let shown = |what: &str, said: &str| Shown { what: what.into(), quotes: quotes(&[said]) };
    Talk::new(Brief { commit: Commit::Never, ..asking() })
        .remote("Then you are down for seven. We will expect you.")
        .claims(Claim {
            commitments: vec![
                shown("They expect us at seven.", "then you are down for seven"),
                shown("A deposit.", "the deposit is paid"),
            ],
            asked_to_commit: vec![shown("To come on time.", "please be on time")],
            ..claim(TaskStatus::Achieved, "We are expected.", &["we will expect you"])
        })
        .ends_with(expect![[r#"
            breach "They expect us at seven." [2]
            partly: We are expected. Not all of it is shown by what was said. [2]
        "#]]);
}

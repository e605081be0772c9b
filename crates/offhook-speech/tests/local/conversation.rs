//! Whole conversations over the channels of a session, in virtual time.

use expect_test::{Expect, expect};
use offhook_core::brief::{Brief, FieldKind, Introduction, Prior, PriorWith, ResultField};
use offhook_core::call::{
    ALONE_AGAIN, BlockerClaim, Claim, FieldClaim, IN_PRIVATE, Shown, SpeechCommand, SpeechEvent, ToolCall,
};
use offhook_speech::local::{Config, Local};

use crate::phone::{Phone, brief};

pub const TASK: &str = "Call the office on behalf of Jordan Lee. Ask for an appointment on Thursday afternoon. \
                    My name is Jordan Lee. Do not agree to any payment. If they ask for anything that is not \
                    written here, say that you do not have it at hand and will call back.";

fn call(task: &str) -> Phone {
    Phone::call(&Local::find(Config::tagged()).unwrap(), task)
}

/// What the remote does next.
pub enum Remote {
    Says(&'static str),
    /// Speaks, but nobody could tell what.
    Mumbles,
    Music,
    Quiet(u128),
    /// Not the remote: the owner answers what it was asked.
    Owner(Option<&'static str>),
    /// What the last tool answers.
    Tool(&'static str),
    /// A remark of offhook's.
    Note(&'static str),
}
pub use Remote::{Mumbles, Music, Note, Owner, Quiet, Says, Tool};

/// Plays the remote's part, each once the voice has been silent for a moment, until the voice is done.
pub async fn converse(task: &str, remote: &[Remote], expected: Expect) -> Phone {
    converse_by(brief(task), remote, expected).await
}

pub async fn converse_by(brief: Brief, remote: &[Remote], expected: Expect) -> Phone {
    let mut phone = Phone::with(&Local::find(Config::tagged()).unwrap(), brief);
    phone.open();
    phone.voice_says("recorded").await;
    for part in remote {
        match part {
            Says(text) => phone.say(text),
            Mumbles => phone.play(&hum(900)),
            Music => phone.play(&hum(5_000)),
            Quiet(ms) => phone.for_ms(*ms).await,
            Owner(answer) => {
                let answer = answer.map(Into::into);
                phone.send(SpeechCommand::OwnerAnswered { question: "?".into(), answer, respond: true });
            }
            Tool(output) => {
                let id = phone.events.iter().rev().find_map(|event| match event {
                    SpeechEvent::ToolCall { id, .. } => Some(*id),
                    _ => None,
                });
                let (id, output) = (id.expect("a tool was called"), (*output).to_owned());
                phone.send(SpeechCommand::ToolOutput { id, output, respond: true });
            }
            Note(text) => phone.send(SpeechCommand::Note { text: (*text).into(), respond: false }),
        }
        phone.remote_is_done().await;
        phone.for_ms(1_000).await;
        phone.voice_is_done().await;
    }
    phone.for_ms(500).await;
    let result = phone.events.iter().rev().find_map(|event| match event {
        SpeechEvent::ToolCall { tool: ToolCall::EndCall { result: Some(result), .. }, .. } => {
            Some(shown(result))
        }
        _ => None,
    });
    let lines = phone.talk().map(str::to_owned);
    let talk =
        lines.filter(|line| !line.starts_with("they begin") && !line.starts_with("they stop")).chain(result);
    expected.assert_eq(&talk.skip(2).collect::<Vec<_>>().join("\n"));
    phone
}

fn shown(claim: &Claim) -> String {
    let mut text = format!("{}: {} ({} quotes)", claim.status, claim.summary.as_str(), claim.quotes.len());
    for FieldClaim { name, value, quotes } in &claim.fields {
        text += &format!("\nfield {name}: {} ({} quotes)", value.as_str(), quotes.len());
    }
    for (what, all) in [("commitment", &claim.commitments), ("asked to commit", &claim.asked_to_commit)] {
        for Shown { what: to_what, quotes } in all {
            text += &format!("\n{what}: {} ({} quotes)", to_what.as_str(), quotes.len());
        }
    }
    if let Some(BlockerClaim { kind, what, quotes }) = &claim.blocker {
        text += &format!("\nblocker {kind}: {} ({} quotes)", what.as_str(), quotes.len());
    }
    if let Some(next_step) = &claim.next_step {
        text += &format!("\nnext: {}", next_step.as_str());
    }
    text
}

fn hum(ms: usize) -> Vec<i16> {
    (0..ms * 8).map(|n| (6_000.0 * (n as f32 * 0.35).sin()) as i16).collect()
}

#[tokio::test(start_paused = true)]
async fn a_receptionist_is_asked_thanked_and_left() {
    let remote = [
        Says("Hello, this is Green Street Dental. How can I help you?"),
        Says("Yes, we have an opening on Thursday at three. Is that good for you?"),
        Says("Very good. That is Thursday at three. Is there anything else?"),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Hello, this is Green Street Dental. How can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Yes, we have an opening on Thursday at three. Is that good for you?
        we: Thank you. I can't decide that myself. I will pass it on to Jordan Lee, who will get back to you.
        they: Very good. That is Thursday at three. Is there anything else?
        we: That is all. Thank you. Goodbye.
        end_call a decision was asked for, and left open
        blocked: A decision was asked for, and left open. They said: "Yes, we have an opening on Thursday at three. Is that good for you?" Then: "Very good. That is Thursday at three. Is there anything else?" (2 quotes)
        blocker decision: Yes, we have an opening on Thursday at three. Is that good for you? (1 quotes)
        next: Call again with a decision on this: Yes, we have an opening on Thursday at three. Is that good for you?"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_tree_is_passed_by_its_key_and_hold_is_waited_out_in_silence() {
    let remote = [
        Says("Thank you for calling City Clinic. For opening hours, press one. For appointments, press two."),
        Says("Please hold. We will connect you."),
        Music,
        Says("Your call is important to us. Please stay on the line."),
        Mumbles,
        Says("Hello, this is Anna at City Clinic. Thank you for holding. How can I help you?"),
        Says("Yes, we have time on Friday at ten."),
        Says("Goodbye."),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Thank you for calling City Clinic. For opening hours, press one. For appointments, press two.
        report_voicemail ivr
        send_digits 2
        they: Please hold. We will connect you.
        wait_on_hold
        they: ?
        they: Your call is important to us. Please stay on the line.
        they: ?
        they: Hello, this is Anna at City Clinic. Thank you for holding. How can I help you?
        we: Hello, this is an AI assistant, and this call is recorded. I would like to ask for an appointment on Thursday afternoon.
        they: Yes, we have time on Friday at ten.
        we: Thank you. I have noted that, and will pass it on to Jordan Lee.
        they: Goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "Yes, we have time on Friday at ten." (1 quotes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn voicemail_is_reported_and_then_only_said_what_the_call_wants() {
    let remote = [Says(
        "You have reached the voicemail of Sam Miller. I cannot take your call right now. Please leave a message after the tone.",
    )];
    let mut phone = converse(TASK, &remote, expect![[r#"
        they: You have reached the voicemail of Sam Miller. I cannot take your call right now. Please leave a message after the tone.
        report_voicemail voicemail"#]]).await;
    phone.send(SpeechCommand::Suspend);
    phone.for_ms(3_000).await;
    phone.send(SpeechCommand::Resume);
    phone.send(SpeechCommand::Say { text: "Please call Jordan Lee back.".into() });
    phone.voice_says("Please call Jordan Lee back.").await;
    let said = phone.lines.len();
    phone.for_ms(20_000).await;
    assert_eq!(phone.lines.len(), said, "{}", phone.lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_at_hand_ends_the_call_and_is_named() {
    let remote = [
        Says("Hello, this is Lake Side Medical. How can I help you?"),
        Says("Before I can help you, what is your date of birth?"),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Hello, this is Lake Side Medical. How can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Before I can help you, what is your date of birth?
        we: I am sorry, I do not have the date of birth at hand. I will find out and call back. Thank you. Goodbye.
        end_call missing: date of birth
        blocked: Missing: date of birth. They said: "Before I can help you, what is your date of birth?" (1 quotes)
        blocker missing_information: date of birth (1 quotes)
        next: Call again with this: date of birth"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_one_time_code_is_never_told_not_even_one_in_the_instructions() {
    let remote = [
        Says("Hello, how can I help you?"),
        Says("We have sent a one time code to your phone. Please read me the one time code."),
    ];
    let task = "Ask for the balance. The one-time code is 445566.";
    converse(task, &remote, expect![[r#"
        they: Hello, how can I help you?
        we: I would like to ask for the balance.
        they: We have sent a one time code to your phone. Please read me the one time code.
        we: I am sorry, I do not have the one-time code at hand. I will find out and call back. Thank you. Goodbye.
        end_call missing: one-time code
        blocked: Missing: one-time code. They said: "We have sent a one time code to your phone. Please read me the one time code." (1 quotes)
        blocker verification_code: one-time code (1 quotes)
        next: You have to do this yourself, as they ask for the one-time code."#]]).await;
}

#[tokio::test(start_paused = true)]
async fn facts_of_the_instructions_are_answered() {
    let remote = [
        Says("City Clinic, good morning."),
        Says("May I have your name, please?"),
        Says("And what is the patient's date of birth?"),
        Says("Which insurance do you have?"),
        Says("Good, Thursday at three it is."),
        Quiet(6_000),
    ];
    let task = "Book an appointment for Thursday. My name is Jordan Lee. Date of birth: 3 May 1990. \
                If they ask about insurance, say that it is Acme Health.";
    converse(task, &remote, expect![[r#"
        they: City Clinic, good morning.
        we: I would like to book an appointment for Thursday.
        they: May I have your name, please?
        we: The name is Jordan Lee.
        they: And what is the patient's date of birth?
        we: The date of birth is 3 May 1990.
        they: Which insurance do you have?
        we: It is Acme Health.
        they: Good, Thursday at three it is.
        we: Thank you. I have noted that, and will pass it on.
        we: That is all. Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "May I have your name, please?" Then: "And what is the patient's date of birth?" Then: "Which insurance do you have?" Then: "Good, Thursday at three it is." (4 quotes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn who_wants_the_person_in_person_is_told_they_will_hear_of_it() {
    let remote = [
        Says("Hello, this is North Bank. How can I help you?"),
        Says("For that I must speak to the account holder in person. Can you connect me to them?"),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Hello, this is North Bank. How can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: For that I must speak to the account holder in person. Can you connect me to them?
        we: I can't connect you right now. I will let Jordan Lee know that you want to speak in person. Thank you. Goodbye.
        end_call they want to speak to Jordan Lee in person
        blocked: They want to speak to Jordan Lee in person. They said: "For that I must speak to the account holder in person. Can you connect me to them?" (1 quotes)
        blocker wants_user: Jordan Lee in person (1 quotes)
        next: Jordan Lee has to speak to them, alone or in a call that connects them."#]]).await;
}

#[tokio::test(start_paused = true)]
async fn screening_is_told_who_calls_and_why_and_the_person_after_it_once_more() {
    let remote = [
        Says("Hello. This person uses call screening. Please state your name and why you are calling."),
        Says("Thank you. Please stay on the line."),
        Says("Hello, this is Kim. I have read why you are calling. What can I do for you?"),
        Says("Yes, Thursday at four is free."),
        Says("Goodbye."),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Hello. This person uses call screening. Please state your name and why you are calling.
        report_voicemail screening
        we: Hello, this is an AI assistant, and this call is recorded. I would like to ask for an appointment on Thursday afternoon.
        they: Thank you. Please stay on the line.
        wait_on_hold
        they: Hello, this is Kim. I have read why you are calling. What can I do for you?
        we: Hello, this is an AI assistant, and this call is recorded. I would like to ask for an appointment on Thursday afternoon.
        they: Yes, Thursday at four is free.
        we: Thank you. I have noted that, and will pass it on to Jordan Lee.
        they: Goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "Yes, Thursday at four is free." (1 quotes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_pressed_later_each_time_and_then_the_menu_is_stuck() {
    const MENU: &str = "Welcome. For appointments, press one. For everything else, press two.";
    let remote = [
        Says(MENU),
        Says("That is not possible at the moment."),
        Says(MENU),
        Says(MENU),
        Says(MENU),
        Says(MENU),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Welcome. For appointments, press one. For everything else, press two.
        report_voicemail ivr
        send_digits 1
        they: That is not possible at the moment.
        they: Welcome. For appointments, press one. For everything else, press two.
        send_digits W1
        they: Welcome. For appointments, press one. For everything else, press two.
        send_digits WW1
        they: Welcome. For appointments, press one. For everything else, press two.
        send_digits WWW1
        they: Welcome. For appointments, press one. For everything else, press two.
        we: Goodbye.
        end_call the phone menu comes back to the same choices
        blocked: The phone menu comes back to the same choices. There was no answer that was understood. (0 quotes)
        blocker stuck_menu: the phone menu comes back to the same choices (1 quotes)
        next: Call again at another time, or on another number."#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_speech_to_nobody_is_a_recording() {
    let remote = [Says(
        "Hi, this is Robin at Sunrise Plumbing. I am out on a job or talking to another customer. Tell me your name, \
         the address and what it is about, and I will get back to you before the end of the day.",
    )];
    converse(TASK, &remote, expect![[r#"
        they: Hi, this is Robin at Sunrise Plumbing. I am out on a job or talking to another customer. Tell me your name, the address and what it is about, and I will get back to you before the end of the day.
        report_voicemail voicemail"#]]).await;
}

fn connectable() -> Brief {
    Brief { handoff: Some(Introduction::Warm), ..brief(TASK) }
}

const IN_PERSON: &str = "For that I must speak to the account holder in person. Can you connect me to them?";

#[tokio::test(start_paused = true)]
async fn the_user_is_connected_where_there_is_one_and_says_so() {
    for (says, joins) in [("Yes, put them through.", "true"), ("Not now, please.", "false")] {
        let mut phone = Phone::with(&Local::find(Config::tagged()).unwrap(), connectable());
        phone.open();
        phone.voice_says("recorded").await;
        for text in ["Hello, this is North Bank.", IN_PERSON, "Hello? Are you there?"] {
            phone.say(text);
            phone.remote_is_done().await;
            phone.for_ms(4_000).await;
        }
        phone.send(SpeechCommand::Note { text: IN_PRIVATE.into(), respond: false });
        for text in ["Hello, this is Alex.", says] {
            phone.say(text);
            phone.remote_is_done().await;
            phone.for_ms(2_000).await;
        }
        let said: Vec<&str> = phone.talk().skip(2).filter(|line| !line.starts_with("they ")).collect();
        let line = "we: I would like to ask for an appointment on Thursday afternoon.";
        assert_eq!(
            said,
            [
                "they: Hello, this is North Bank.",
                line,
                &format!("they: {IN_PERSON}"),
                "loop_in_user they want to speak to Jordan Lee in person",
                "they: Hello? Are you there?",
                "we: One moment, please.",
                "they: Hello, this is Alex.",
                &format!("they: {says}"),
                &format!("user_decides {joins}"),
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_does_not_come_leaves_the_call_blocked() {
    let remote = [Says("Hello, this is North Bank."), Says(IN_PERSON), Note(ALONE_AGAIN), Quiet(7_000)];
    converse_by(connectable(), &remote, expect![[r#"
        they: Hello, this is North Bank.
        we: I would like to ask for an appointment on Thursday afternoon.
        they: For that I must speak to the account holder in person. Can you connect me to them?
        loop_in_user they want to speak to Jordan Lee in person
        we: I will let Jordan Lee know that you want to speak in person. Thank you. Goodbye.
        end_call they want to speak to Jordan Lee in person
        blocked: They want to speak to Jordan Lee in person. They said: "For that I must speak to the account holder in person. Can you connect me to them?" (1 quotes)
        blocker wants_user: Jordan Lee in person (1 quotes)
        next: Jordan Lee has to speak to them, alone or in a call that connects them."#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_back_has_what_was_missing() {
    let prior = Prior {
        with: PriorWith::Called,
        days_ago: 0,
        outcome: "answered".to_owned(),
        result: Some("Missing: date of birth.".to_owned()),
        transcript: String::new(),
        supplied: Some("The date of birth is 3 May 1990".to_owned()),
    };
    let brief = Brief { prior: Some(prior), ..brief(TASK) };
    let remote = [
        Says("Hello, this is Lake Side Medical. How can I help you?"),
        Says("Before I can help you, what is your date of birth?"),
        Says("I need your date of birth. You can say it, or type it with the keys of your phone."),
        Says("Thank you. Your appointment is on Monday at nine. Goodbye."),
    ];
    converse_by(brief, &remote, expect![[r#"
        they: Hello, this is Lake Side Medical. How can I help you?
        we: I am calling back. I would like to ask for an appointment on Thursday afternoon.
        they: Before I can help you, what is your date of birth?
        we: The date of birth is 3 May 1990.
        they: I need your date of birth. You can say it, or type it with the keys of your phone.
        we: The date of birth is 3 May 1990.
        send_digits 05031990
        they: Thank you. Your appointment is on Monday at nine. Goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "Before I can help you, what is your date of birth?" Then: "I need your date of birth. You can say it, or type it with the keys of your phone." Then: "Thank you. Your appointment is on Monday at nine. Goodbye." (3 quotes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn fields_are_filled_with_what_was_said_and_no_more() {
    let field =
        |name: &str, kind| ResultField { name: name.to_owned(), kind, required: false, description: None };
    let choice = FieldKind::Choice(vec!["Monday".to_owned(), "Thursday".to_owned()]);
    let fields = vec![
        field("price", FieldKind::Number),
        field("day", choice),
        field("deposit", FieldKind::Text),
        field("price_includes_tax", FieldKind::Boolean),
    ];
    let remote = [
        Says("Hello, how can I help you?"),
        Says("Thursday is free, and the price is $90."),
        Says("Goodbye."),
    ];
    converse_by(
        Brief { fields, ..brief(TASK) },
        &remote,
        expect![[r#"
        they: Hello, how can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Thursday is free, and the price is $90.
        we: Thank you. I have noted that, and will pass it on to Jordan Lee.
        they: Goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "Thursday is free, and the price is $90." (1 quotes)
        field price: 90.0 (1 quotes)
        field day: "Thursday" (1 quotes)"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_understood_is_asked_again_and_then_left_politely() {
    converse(
        TASK,
        &[Quiet(3_000), Mumbles, Mumbles, Mumbles],
        expect![[r#"
            we: I would like to ask for an appointment on Thursday afternoon.
            they: ?
            we: I am sorry, I did not understand that. Could you please say it again?
            they: ?
            we: I am sorry, I still did not understand. Could you say it in a few short words?
            they: ?
            we: I am sorry, I can't understand you well enough. I will call back. Thank you. Goodbye.
            end_call the other side could not be understood
            unclear: The other side could not be understood. There was no answer that was understood. (0 quotes)"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn it_says_what_it_is_and_goes_on() {
    let remote = [
        Says("Hello?"),
        Says("Are you a robot?"),
        Says("Sorry, could you repeat that?"),
        Says("No, we are closed on Thursday."),
        Says("Bye."),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Hello?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Are you a robot?
        we: Yes, I am an AI assistant, calling on behalf of Jordan Lee. I would like to ask for an appointment on Thursday afternoon.
        they: Sorry, could you repeat that?
        we: Hello, this is an AI assistant, and this call is recorded. I would like to ask for an appointment on Thursday afternoon.
        they: No, we are closed on Thursday.
        we: Thank you. I have noted that, and will pass it on to Jordan Lee.
        they: Bye.
        we: Thank you. Goodbye.
        end_call answered, perhaps with a no
        unclear: Answered, perhaps with a no. They said: "No, we are closed on Thursday." (1 quotes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn somebody_silent_is_told_why_we_call_and_not_pestered() {
    converse(
        TASK,
        &[Quiet(60_000)],
        expect!["we: I would like to ask for an appointment on Thursday afternoon."],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_barge_in_is_reported_at_once_and_the_line_said_again() {
    let mut phone = call(TASK);
    phone.open();
    phone.voice_says("recorded").await;
    phone.say("Hello?");
    phone
        .until("the first line", 5_000, |phone| {
            phone.lines.last().is_some_and(|line| line.contains("we: I would"))
        })
        .await;
    phone.for_ms(200).await;
    let before = phone.ms();
    phone.say("Wait a second, who is calling?");
    let begun = phone.events.len();
    phone
        .until("the barge-in", 1_000, |phone| {
            phone.events[begun..].contains(&SpeechEvent::RemoteSpeechStarted)
        })
        .await;
    assert!(phone.ms() - before <= 200, "noticed after {} ms", phone.ms() - before);
    phone.barge_in();
    phone.remote_is_done().await;
    phone.for_ms(3_000).await;
    expect![[r#"
        0 ready: local (tagged tones, tagged tones, script)
        0 we: Hello, this is an AI assistant, and this call is recorded.
        1500 they begin
        2300 they stop
        2300 they: Hello?
        2300 we: I would like to ask for an appointment on Thursday afternoon.
        2700 they begin
        4000 they stop
        4000 they: Wait a second, who is calling?
        4000 we: I am an AI assistant, calling on behalf of Jordan Lee. I would like to ask for an appointment on Thursday afternoon."#]].assert_eq(&phone.lines.join("\n"));
}

/// The far end puts the call on hold in mid-sentence: what nobody heard is said again when they are back.
#[tokio::test(start_paused = true)]
async fn a_line_that_hold_cuts_off_is_said_again() {
    let mut phone = call(TASK);
    phone.open();
    phone.voice_says("recorded").await;
    phone.say("Hello?");
    phone
        .until("the first line", 5_000, |phone| {
            phone.lines.last().is_some_and(|line| line.contains("we: I would"))
        })
        .await;
    phone.for_ms(200).await;
    phone.send(SpeechCommand::Suspend);
    phone.barge_in();
    phone.for_ms(5_000).await;
    phone.send(SpeechCommand::Resume);
    phone.say("Thank you for waiting, how can I help?");
    phone.remote_is_done().await;
    phone.for_ms(3_000).await;
    expect![[r#"
        they begin
        they stop
        they: Hello?
        we: I would like to ask for an appointment on Thursday afternoon.
        they begin
        they stop
        they: Thank you for waiting, how can I help?
        we: I would like to ask for an appointment on Thursday afternoon."#]]
    .assert_eq(&phone.talk().skip(2).collect::<Vec<_>>().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_it_is_our_turn() {
    let mut phone = call(TASK);
    phone.say("Hello, this is Green Street Dental.");
    phone.for_ms(4_000).await;
    assert!(phone.spoken.is_empty(), "{}", phone.lines.join("\n"));
    phone.open();
    phone.for_ms(6_000).await;
    expect![[r#"
        0 ready: local (tagged tones, tagged tones, script)
        100 they begin
        1500 they stop
        1500 they: Hello, this is Green Street Dental.
        4000 we: Hello, this is an AI assistant, and this call is recorded.
        5500 we: I would like to ask for an appointment on Thursday afternoon."#]]
    .assert_eq(&phone.lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn on_hold_it_neither_listens_nor_speaks() {
    let mut phone = call(TASK);
    phone.open();
    phone.for_ms(500).await;
    phone.send(SpeechCommand::Suspend);
    phone.for_ms(1_000).await;
    phone.say("Nobody should hear this.");
    phone.for_ms(4_000).await;
    phone.send(SpeechCommand::Resume);
    phone.say("Here I am again.");
    phone.for_ms(4_000).await;
    expect![[r#"
        0 ready: local (tagged tones, tagged tones, script)
        0 we: Hello, this is an AI assistant, and this call is recorded.
        5600 they begin
        6700 they stop
        6700 they: Here I am again.
        6700 we: I would like to ask for an appointment on Thursday afternoon."#]]
    .assert_eq(&phone.lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn the_last_words_are_written_down_before_the_session_ends() {
    let mut phone = call(TASK);
    phone.open();
    phone.voice_says("recorded").await;
    phone.say("Sorry, I must go.");
    phone
        .until("their speech", 2_000, |phone| phone.events.contains(&SpeechEvent::RemoteSpeechStarted))
        .await;
    phone.for_ms(600).await;
    phone.send(SpeechCommand::Close);
    phone
        .until("the end", 5_000, |phone| matches!(phone.events.last(), Some(SpeechEvent::Lost { .. })))
        .await;
    let said = phone.events.iter().any(
        |event| matches!(event, SpeechEvent::RemoteSaid { text: Some(text), confidence: Some(1_000), .. } if text == "Sorry, I must go."),
    );
    assert!(said, "{}", phone.lines.join("\n"));
    let result = phone.events.iter().find_map(|event| match event {
        SpeechEvent::ToolCall { tool: ToolCall::EndCall { result: Some(result), .. }, .. } => Some(result),
        _ => None,
    });
    expect![[r#"The other side ended the call early. They said: "Sorry, I must go.""#]]
        .assert_eq(result.map_or("", |result| result.summary.as_str()));
}

/// Told that time is nearly up, it says goodbye and reports how far it came.
#[tokio::test(start_paused = true)]
async fn near_the_talk_limit_it_says_goodbye() {
    let mut phone = call(TASK);
    phone.open();
    phone.voice_says("recorded").await;
    phone.say("Hello, who is there?");
    phone.remote_is_done().await;
    phone.for_ms(4_000).await;
    phone.send(SpeechCommand::WrapUp { text: "Thirty seconds are left.".into() });
    phone.voice_says("Goodbye").await;
    phone.for_ms(3_000).await;
    let ended =
        |event: &SpeechEvent| matches!(event, SpeechEvent::ToolCall { tool: ToolCall::EndCall { .. }, .. });
    assert!(phone.events.iter().any(ended), "{:?}", phone.events);
}

/// A hold cuts the first words off before all of them were handed over: they come again, whole, before all else.
#[tokio::test(start_paused = true)]
async fn first_words_that_a_hold_cuts_off_are_said_again() {
    let mut phone = call(TASK);
    phone.open();
    phone.send(SpeechCommand::Suspend);
    phone.for_ms(2_000).await;
    let opened = |phone: &Phone| {
        phone.events.iter().filter(|event| matches!(event, SpeechEvent::Opened { .. })).count()
    };
    assert_eq!(opened(&phone), 0, "{:?}", phone.events);
    phone.send(SpeechCommand::Resume);
    phone.voice_says("recorded").await;
    phone.for_ms(500).await;
    assert_eq!(opened(&phone), 1, "{:?}", phone.events);
}

/// A message for a machine takes the place of first words that were not said.
#[tokio::test(start_paused = true)]
async fn a_message_takes_the_place_of_the_first_words() {
    let mut phone = call(TASK);
    phone.open();
    phone.send(SpeechCommand::Suspend);
    phone.for_ms(500).await;
    phone.send(SpeechCommand::Resume);
    phone.send(SpeechCommand::Open { say: Some("This is the message.".into()) });
    phone.voice_says("message").await;
    phone.for_ms(3_000).await;
    let said: Vec<&str> = phone.talk().filter(|line| line.contains("recorded")).collect();
    assert!(said.is_empty(), "{said:?}");
}

//! What is missing is asked: of the owner, or of an agent.

use std::time::Duration;

use expect_test::expect;
use offhook_core::brief::{Agents, Brief, Role};

use crate::conversation::{Owner, Quiet, Says, TASK, Tool, converse, converse_by};
use crate::phone::brief;

const ACCOUNT: &str = "What is your account number? Please type its six digits with the keys of your phone.";

fn asking(task: &str) -> Brief {
    Brief { ask_owner: Some(Duration::from_secs(60)), ..brief(task) }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_asked_of_the_owner_said_and_typed() {
    let remote = [
        Says("Hello, this is Bay Water. How can I help you?"),
        Says(ACCOUNT),
        Says("Are you still there?"),
        Owner(Some("The account number is 482913.")),
        Says("Thank you. We will come on Thursday at two."),
        Says("Goodbye."),
    ];
    converse_by(asking(TASK), &remote, expect![[r#"
        they: Hello, this is Bay Water. How can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: What is your account number? Please type its six digits with the keys of your phone.
        we: One moment, please. I will check that.
        ask_owner They ask for the account number. What is it?
        they: Are you still there?
        we: The account number is 482913.
        send_digits 482913
        they: Thank you. We will come on Thursday at two.
        we: Thank you. I have noted that, and will pass it on to Jordan Lee.
        they: Goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "What is your account number? Please type its six digits with the keys of your phone." Then: "Thank you. We will come on Thursday at two." (2 quotes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_of_the_owner_it_closes_politely() {
    let remote = [Says("Hello, this is Bay Water."), Says(ACCOUNT), Owner(None)];
    converse_by(asking(TASK), &remote, expect![[r#"
        they: Hello, this is Bay Water.
        we: I would like to ask for an appointment on Thursday afternoon.
        they: What is your account number? Please type its six digits with the keys of your phone.
        we: One moment, please. I will check that.
        ask_owner They ask for the account number. What is it?
        we: I am sorry, I do not have the account number at hand. I will find out and call back. Thank you. Goodbye.
        end_call missing: account number
        blocked: Missing: account number. They said: "What is your account number? Please type its six digits with the keys of your phone." (1 quotes)
        blocker missing_information: account number (1 quotes)
        next: Call again with this: account number"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_not_asked_for() {
    let remote = [Says("Hello, this is Bay Power."), Says("Please read me the one time code.")];
    converse_by(asking(TASK), &remote, expect![[r#"
        they: Hello, this is Bay Power.
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Please read me the one time code.
        we: I am sorry, I do not have the one-time code at hand. I will find out and call back. Thank you. Goodbye.
        end_call missing: one-time code
        blocked: Missing: one-time code. They said: "Please read me the one time code." (1 quotes)
        blocker verification_code: one-time code (1 quotes)
        next: You have to do this yourself, as they ask for the one-time code."#]]).await;
}

#[tokio::test(start_paused = true)]
async fn what_binds_is_not_agreed_to() {
    let remote = [
        Says("Hello, this is Corner Garage. How can I help you?"),
        Says("Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?"),
        Says("Very well. Thank you for calling Corner Garage. Goodbye."),
    ];
    converse(TASK, &remote, expect![[r#"
        they: Hello, this is Corner Garage. How can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?
        we: Thank you. I can't decide that myself. I will pass it on to Jordan Lee, who will get back to you.
        they: Very well. Thank you for calling Corner Garage. Goodbye.
        we: Thank you. Goodbye.
        end_call a decision was asked for, and left open
        blocked: A decision was asked for, and left open. They said: "Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?" Then: "Very well. Thank you for calling Corner Garage. Goodbye." (2 quotes)
        asked to commit: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file? (1 quotes)
        blocker decision: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file? (1 quotes)
        next: Call again with a decision on this: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn the_owner_may_agree() {
    let remote = [
        Says("Hello, this is Corner Garage. How can I help you?"),
        Says("Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?"),
        Owner(Some("Yes, please book it.")),
        Says("It is booked for Thursday at four. Goodbye."),
    ];
    converse_by(asking(TASK), &remote, expect![[r#"
        they: Hello, this is Corner Garage. How can I help you?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?
        we: One moment, please. I will check that.
        ask_owner They ask: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file? What is the answer?
        we: Yes, please book it.
        they: It is booked for Thursday at four. Goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?" Then: "It is booked for Thursday at four. Goodbye." (2 quotes)
        commitment: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file? (1 quotes)
        asked to commit: Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file? (1 quotes)"#]]).await;
}

fn agents() -> Option<Agents> {
    let (wait, work) = (Duration::from_secs(60), Duration::from_secs(300));
    Some(Agents {
        known: vec![("main".into(), String::new())],
        owner: None,
        wait,
        work,
        parallel: 1,
        most: 9,
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_asked_of_an_agent_where_there_is_one() {
    let brief = Brief { agents: agents(), ..brief(TASK) };
    let remote = [
        Says("Hello?"),
        Says("Sure. What is your date of birth?"),
        Tool("The date of birth is 3 May 1990."),
        Says("Thank you, that is booked."),
    ];
    converse_by(
        brief,
        &remote,
        expect![[r#"
        they: Hello?
        we: I would like to ask for an appointment on Thursday afternoon.
        they: Sure. What is your date of birth?
        we: One moment, please. I will check that.
        invoke_agent They ask for the date of birth. What is it?
        we: The date of birth is 3 May 1990.
        they: Thank you, that is booked.
        we: Thank you. I have noted that, and will pass it on to Jordan Lee."#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_assistant_has_looked_up_what_it_is_asked_and_reads_out_the_answer() {
    let brief = Brief { agents: agents(), role: Role::Assistant, ..brief("") };
    let remote = [
        Quiet(2_000),
        Says("When is the next train to Bern?"),
        Tool("It goes at ten past nine."),
        Says("Tell my sister that I am late."),
        Tool("No answer: it took too long. Say that you are sorry."),
        Says("Thank you, goodbye."),
    ];
    converse_by(brief, &remote, expect![[r#"
        we: What can I do for you?
        they: When is the next train to Bern?
        we: One moment, I will have a look.
        invoke_agent When is the next train to Bern?
        we: It goes at ten past nine.
        they: Tell my sister that I am late.
        we: One moment, I will have a look.
        invoke_agent Tell my sister that I am late.
        we: I am sorry, I could not find that out just now. What else can I do?
        they: Thank you, goodbye.
        we: Thank you. Goodbye.
        end_call said and answered
        achieved: They said: "When is the next train to Bern?" Then: "Tell my sister that I am late." (2 quotes)"#]]).await;
}

//! Briefings, and what the rules say of them.

use offhook_core::brief::check::{Draft, Findings, Item, Warning, check};
use offhook_core::brief::{Brief, Commit, Opening, Voicemail};

fn brief(task: &str) -> Brief {
    Brief { opening: Opening::SpeakFirst, ..Brief::new(task) }
}

fn findings(task: &str) -> Findings {
    check(Draft { brief: &brief(task), handoff: false })
}

fn lacks(task: &str) -> String {
    findings(task).lacks.iter().map(|item| item.code()).collect::<Vec<_>>().join(" ")
}

fn warns(draft: Draft<'_>) -> String {
    check(draft).warnings.iter().map(|warning| warning.code()).collect::<Vec<_>>().join(" ")
}

const WHOLE: &str = "\
Call Dr. Rivera's office on behalf of Jordan Lee, who has a dental cleaning on Tuesday, March 30 at 2:30 PM. Confirm \
that it is still on the calendar, and ask whether new insurance papers are needed. If it must be moved, ask for \
openings on Wednesday or Thursday after 2 PM; don't accept a morning or another dentist without checking with Jordan. \
If they ask for a date of birth, say you do not have it and will call back. On voicemail, hang up. Report what they \
said.";

#[test]
fn what_a_briefing_lacks() {
    let everything = "who_for goal facts questions alternatives boundaries verification disclosure \
                      missing_information voicemail report";
    let rest = "alternatives boundaries verification disclosure missing_information voicemail report";
    let rows = [
        ("Check on my appointment.", everything),
        ("follow up about the refund", everything),
        ("Sort out my bill", everything),
        (WHOLE, ""),
        // Anybody may ask when they open.
        ("Ask when they open on Saturday, for Mira Okafor. If nobody answers, hang up.", ""),
        ("Ask when they open on Saturday.", "who_for voicemail"),
        ("what time do they close on Sundays? calling for mira okafor", "voicemail"),
        ("I'd like to know if they have size 44 hiking boots in stock", "who_for questions voicemail"),
        // A booking needs more.
        ("Book a table for two for Jordan Lee on Friday, June 5 at 7 PM.", &format!("questions {rest}")),
        ("Book a table for two on Friday at seven", &format!("who_for questions {rest}")),
        ("Ask for Maria and reschedule my cleaning", &format!("who_for facts {rest}")),
        // Other words for the same.
        (
            "Calling for Ana Ruiz: please move the oil change booked on 4 May (work order 3381) to any other day that \
             week, mornings preferred. Ask how long it takes. You may accept any morning slot, anything else needs \
             Ana's approval. Keep her address private. Should they want something you don't know, say you'll get back \
             to them. If the machine answers, just hang up. Then summarise what was agreed.",
            "",
        ),
        (
            "on behalf of sam: cancel the gym membership no. 88121 by june 30. ask for written confirmation. never \
             agree to a retention offer or a fee. if they need the password or anything you do not have, tell them \
             sam will call. no answer: hang up and let me know.",
            "alternatives",
        ),
        // The weakest that is enough to go on with.
        ("For Kim Park: ask whether invoice 2291 was paid.", rest),
    ];
    for (task, expected) in rows {
        assert_eq!(lacks(task), expected, "{task}");
    }
}

#[test]
fn case_apostrophes_and_line_breaks_do_not_matter() {
    assert_eq!(lacks(&WHOLE.replace('\'', "\u{2019}").replace(". ", ".\n\n- ")), "");
    assert_eq!(lacks(&WHOLE.to_lowercase()), "");
    assert_eq!(lacks(&WHOLE.to_uppercase()), "");
}

#[test]
fn who_is_called_for() {
    let rows = [
        ("Ask about opening hours on behalf of Mira.", true),
        ("Ask about opening hours on behalf of the user.", false),
        ("Ask about opening hours for me.", false),
        ("Ask the hours. Customer: Mira Okafor.", true),
        ("Ask about hours. My name is Mira Okafor.", true),
        ("Ask for Mira about the opening hours.", false),
        ("Ask for the opening hours for Saturday.", false),
        ("Ask for the opening hours for May.", false),
        ("Ask whether the table for Saturday is free, reservation under the name Okafor", true),
    ];
    for (task, expected) in rows {
        assert_eq!(!findings(task).lacks.contains(&Item::WhoFor), expected, "{task}");
    }
    let personality = Some("Sam, a patient assistant working for Mira Okafor.".to_owned());
    let brief = Brief { personality, ..brief("Ask when they open on Sunday.") };
    assert!(!check(Draft { brief: &brief, handoff: false }).lacks.contains(&Item::WhoFor));
}

#[test]
fn words_for_a_machine_are_a_plan_for_one() {
    let voicemail = Voicemail::LeaveMessage("Please call Jordan back.".to_owned());
    let brief = Brief { voicemail, ..brief("Ask when they open, for Jordan Lee.") };
    assert_eq!(check(Draft { brief: &brief, handoff: false }).lacks, []);
}

#[test]
fn what_looks_wrong() {
    let rows = [
        (WHOLE, ""),
        ("Ask for [name] at the desk, for Jordan Lee.", "placeholder"),
        ("Ask for {{contact}} at the desk.", "placeholder"),
        ("Ask for an appointment at <time>.", "placeholder"),
        ("Ask for the price of part TBD.", "placeholder"),
        ("Ask whether 3 < 4 and 5 > 2 hold [1].", ""),
        ("Pay with card 4111 1111 1111 1111.", "secret"),
        ("Pay with card 4111-1111-1111-1111.", "secret"),
        ("The order number is 4111 1111 1111 1112.", ""),
        ("Ask about ticket 1234567890123.", ""),
        ("Call the office at +1 415 555 0100 about order 20391.", ""),
        ("The SSN is 078-05-1120.", "secret"),
        ("The account password is hunter2.", "secret"),
        ("PIN: 4711", "secret"),
        ("The gate code is 8812.", "secret"),
        ("The confirmation code is 8812.", ""),
        ("The zip code is 94107.", ""),
        ("If they want a one-time code, say the user must be there.", ""),
        ("Book a table for tomorrow at 7.", "relative_date"),
        ("Ask for an opening next Tuesday.", "relative_date"),
        ("If you reach voicemail, leave a message asking them to call back.", "message_not_left"),
        ("If you reach voicemail, leave no message.", ""),
        ("If you reach voicemail, do not leave a message.", ""),
        ("Once a person is there, bridge Jordan into the call.", "handoff_without_number"),
        ("Pretend to be Jordan Lee.", "impersonation"),
        ("Don't say that you are an AI.", "impersonation"),
        ("Fragen Sie bitte, ob am Samstag geöffnet ist, und bis wann.", "not_english"),
        ("土曜日は何時に開店しますか。予約はできますか。", "not_english"),
    ];
    for (task, expected) in rows {
        assert_eq!(warns(Draft { brief: &brief(task), handoff: false }), expected, "{task}");
    }
}

#[test]
fn what_is_asked_for_must_be_allowed() {
    for (task, commit, language, expected) in [
        ("Book a table for Jordan Lee.", Commit::Never, "en-US", "commitment_forbidden"),
        ("Book a table for Jordan Lee.", Commit::AsTasked, "en-US", ""),
        ("Ask what a table costs. Do not book one.", Commit::Never, "en-US", ""),
        ("Ask what a table costs.", Commit::Never, "pl-PL", "commitments_unread"),
        ("Ask what a table costs.", Commit::Never, "pt-BR", ""),
    ] {
        let brief = Brief { commit, language: language.to_owned(), ..brief(task) };
        assert_eq!(warns(Draft { brief: &brief, handoff: false }), expected, "{task}");
    }
    // Whoever says what may be agreed to need not say it again.
    let task = "Reschedule the appointment of Jordan Lee on March 30.";
    let lacks = |commit| check(Draft { brief: &Brief { commit, ..brief(task) }, handoff: false }).lacks;
    assert!(lacks(Commit::AsTasked).contains(&Item::Boundaries));
    assert!(!lacks(Commit::Within(Some("Any afternoon.".to_owned()))).contains(&Item::Boundaries));
}

#[test]
fn a_handoff_needs_a_number_and_a_trigger() {
    let triggered = brief("Ask for the claims desk, then bridge Jordan in.");
    assert_eq!(warns(Draft { brief: &triggered, handoff: true }), "");
    let silent = brief("Ask for the claims desk.");
    assert_eq!(warns(Draft { brief: &silent, handoff: true }), "handoff_without_trigger");
}

#[test]
fn personality_and_greeting_hold_what_they_are_for() {
    let rows = [
        (Some("Alex, a calm assistant. Friendly, never pushy."), None, ""),
        (Some("Alex. The appointment is on March 30 at 2:30 PM."), None, "personality_facts"),
        (
            Some("Alex is calm. Alex is kind. Alex is patient. Alex waits. Alex listens."),
            None,
            "personality_long",
        ),
        (None, Some("Hello, this is Alex calling for Jordan Lee about an appointment."), ""),
        (None, Some("Hello, this is Alex. If they ask, say Jordan is away."), "greeting_instructs"),
        (None, Some("Hello. ".repeat(40).leak() as &str), "greeting_long"),
    ];
    for (personality, greeting, expected) in rows {
        let (personality, greeting) = (personality.map(str::to_owned), greeting.map(str::to_owned));
        let brief = Brief { personality, greeting, ..brief(WHOLE) };
        assert_eq!(warns(Draft { brief: &brief, handoff: false }), expected, "{brief:?}");
    }
}

#[test]
fn what_such_a_place_will_ask_for() {
    let airline = findings("Call the airline for Ana Ruiz and change the flight on May 4.");
    assert_eq!(airline.likely_asked, ["the record locator"]);
    assert!(airline.live_verification);
    let dentist = findings("Call the dentist for Ana Ruiz. Confirm the appointment on May 4.");
    assert_eq!(dentist.likely_asked, ["the patient's date of birth", "the insurance", "a callback number"]);
    assert!(!dentist.live_verification);
    // Whoever only asks for the hours is asked nothing.
    assert_eq!(findings("Ask the dentist's office when they open, for Ana Ruiz.").likely_asked, [""; 0]);
}

#[test]
fn few_questions_and_only_what_the_user_alone_knows() {
    assert!(findings(WHOLE).questions().len() <= 1, "{:?}", findings(WHOLE).questions());
    let weak = findings("Check on my appointment.").questions();
    assert!((3..=7).contains(&weak.len()), "{weak:#?}");
    assert!(
        weak.iter().all(|question| question.ends_with('?') || question.ends_with("needed?")),
        "{weak:#?}"
    );
}

#[test]
fn no_text_is_too_strange_to_read() {
    for task in
        ["", " ", "?", "\u{0}", "'''", "[", "{{}}", "a-", "n't", "\u{2019}\u{2019}", "$", "1", "🦀 🦀 🦀"]
    {
        findings(task);
    }
    findings(&"for ".repeat(50_000));
    findings(&"[".repeat(50_000));
    findings(&"4".repeat(50_000));
}

#[test]
fn every_item_and_warning_has_a_code_of_its_own_and_words() {
    let mut codes: Vec<&str> = Item::ALL.iter().map(|item| item.code()).collect();
    codes.extend(Warning::ALL.iter().map(|warning| warning.code()));
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all);
    assert!(Item::ALL.iter().all(|item| item.advice().ends_with('.')));
    assert!(Warning::ALL.iter().all(|warning| warning.message().ends_with('.')));
}

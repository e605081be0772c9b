//! Whoever is on the line shows who they are before the voice knows what the call is about.

use expect_test::expect;
use offhook_core::brief::{Brief, Gate, Pin};
use offhook_core::call::Direction;

use crate::script::Scenario;

fn gated() -> Scenario {
    let beyond = Brief { greeting: None, ..Brief::new("Read the owner's calendar to them.") };
    let pin = Pin::parse("4711").expect("a PIN");
    let gate = Gate { pin, attempts: 3, beyond: Box::new(beyond) };
    let brief = Brief { gate: Some(gate), ..Brief::new("Somebody calls the line of Jordan Lee.") };
    Scenario { direction: Direction::Inbound, brief, ..Scenario::default() }
}

#[test]
fn it_is_asked_for_with_the_first_words() {
    gated().check_connected(
        "1500 tick
         3000 opened 0
         3000 voice_text 0 Hello, this is an AI assistant. Please enter your PIN.
         6000 played 0 3000",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
            6000 journal: turn.voice turn=1 started_ms=6000 ended_ms=6000 text="Hello, this is an AI assistant. Please enter your PIN." interrupted=false
        "#]],
    );
}

#[test]
fn keys_open_the_way_with_the_last_digit_or_the_hash_key() {
    gated().check_talking(
        "4000 digit 4
         4300 digit 7
         4600 digit 1
         4900 digit 1
         5200 digit #
         9000 remote_said What is on my calendar? It is 4711, by the way.",
        expect![[r##"
            4000 mask recording 3500-4300 ms
            4300 mask recording 3800-4600 ms
            4600 mask recording 4100-4900 ms
            4900 mask recording 4400-5200 ms
            4900 journal: caller.verified by="keys"
            4900 speech: brief "Read the owner's calendar to them."
            4900 speech: say "Thank you."
            4900 speech: note "Whoever is on the line has shown with a PIN who they are. Begin now with what the call is for.", wants an answer
            5200 journal: leg.digit_received digit="#"
            9000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="What is on my calendar? It is ••••, by the way." confidence=-
            9000 mask recording 0-800 ms
            9000 journal: turn.masked turn=1 from_ms=0 to_ms=800 kind="code"
        "##]],
    );
}

#[test]
fn spoken_digits_open_it_too_also_in_pieces_and_are_masked() {
    gated().check_talking(
        "4000 said_at 3000 Well, it is four seven
         6000 said_at 5000 one one.",
        expect![[r#"
            4000 journal: turn.remote turn=1 started_ms=3000 ended_ms=3500 text="Well, it is ••" confidence=-
            4000 mask recording 2700-3800 ms
            4000 journal: turn.masked turn=1 from_ms=2700 to_ms=3800 kind="code"
            6000 journal: turn.remote turn=2 started_ms=5000 ended_ms=5500 text="••." confidence=-
            6000 mask recording 4700-5800 ms
            6000 journal: turn.masked turn=2 from_ms=4700 to_ms=5800 kind="code"
            6000 journal: caller.verified by="voice"
            6000 speech: brief "Read the owner's calendar to them."
            6000 speech: say "Thank you."
            6000 speech: note "Whoever is on the line has shown with a PIN who they are. Begin now with what the call is for.", wants an answer
        "#]],
    );
}

#[test]
fn keys_while_the_question_is_asked_count_and_nothing_follows_before_its_end() {
    gated().check_connected(
        "1500 tick
         2000 digit 4
         2100 digit 7
         2200 digit 1
         2300 digit 1
         3000 opened 0
         6000 played 0 3000",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
            2000 mask recording 1500-2300 ms
            2100 mask recording 1600-2400 ms
            2200 mask recording 1700-2500 ms
            2300 mask recording 1800-2600 ms
            6000 journal: caller.verified by="keys"
            6000 speech: brief "Read the owner's calendar to them."
            6000 speech: say "Thank you."
            6000 speech: note "Whoever is on the line has shown with a PIN who they are. Begin now with what the call is for.", wants an answer
        "#]],
    );
}

#[test]
fn three_wrong_ones_end_the_call() {
    gated().check_talking(
        "4000 said_at 3000 1234
         5000 playing 1
         6000 digit 9
         6100 digit 9
         6200 digit #
         6300 cut_off 1 900 2000
         8000 said_at 7500 It is 4 7 1 2
         9000 playing 3
         11000 played 3 2000",
        expect![[r#"
            4000 journal: turn.remote turn=1 started_ms=3000 ended_ms=3500 text="••••" confidence=-
            4000 mask recording 2700-3800 ms
            4000 journal: turn.masked turn=1 from_ms=2700 to_ms=3800 kind="code"
            4000 speech: say "That was not the right PIN. Please try again."
            6000 mask recording 5500-6300 ms
            6100 mask recording 5600-6400 ms
            6200 mask recording 5700-6500 ms
            6200 stop playout
            6200 speech: say "That was not the right PIN. Please try again."
            6300 speech: truncate 1 at 900 of 2000 ms
            8000 journal: turn.remote turn=2 started_ms=7500 ended_ms=8000 text="It is • • • •" confidence=-
            8000 mask recording 7200-8300 ms
            8000 journal: turn.masked turn=2 from_ms=7200 to_ms=8300 kind="code"
            8000 journal: caller.unverified attempts=3
            8000 speech: say "I am sorry, I cannot go on without the PIN. Goodbye."
        "#]],
    );
}

#[test]
fn silence_is_asked_once_more_and_not_for_ever() {
    gated().check_talking("200000 closed", expect![[r#"
         13500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         25500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         37500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         49500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         61500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         73500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         85500 speech: say "Please enter your PIN on the keypad and press the hash key, or say it digit by digit."
         91500 journal: caller.unverified attempts=0
         91500 speech: say "I am sorry, I cannot go on without the PIN. Goodbye."
        111500 stop playout
        111500 leg: hang up, policy.pin
        111500 speech: close
        151500 journal: call.answered_by answered_by="unknown"
        151500 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
        151500 journal: call.ended reason="policy.pin" answered=true talk_ms=111500 sip_status=- q850_cause=-
    "#]]);
}

#[test]
fn a_question_is_answered_from_what_may_be_known_and_tools_wait() {
    gated().check_talking(
        "4000 said_at 3000 Who is this?
         5000 ask What is on the calendar?
         6000 remote_mumbled",
        expect![[r#"
            4000 journal: turn.remote turn=1 started_ms=3000 ended_ms=3500 text="Who is this?" confidence=-
            4000 speech: note "Whoever is on the line was asked for a PIN, and said something else. Answer in one short sentence, from what you know and nothing else; then ask for the PIN again. You can neither check it nor go on without it.", wants an answer
            5000 journal: tool.called tool="ask_owner" arguments="What is on the calendar?"
            5000 journal: tool.answered tool="ask_owner" output="not before the PIN was given"
            5000 speech: tool 1 answered "not before the PIN was given"
            6000 journal: turn.not_understood turn=2 started_ms=0 ended_ms=500
            6000 mask recording 0-800 ms
            6000 journal: turn.masked turn=2 from_ms=0 to_ms=800 kind="code"
        "#]],
    );
}

#[test]
fn numbers_recited_until_one_fits_are_one_wrong_guess() {
    gated().check_talking(
        "4000 remote_said It is 1234, or 9876, or 4711.
         6000 remote_said Then it is 4711. I mean 4711.",
        expect![[r#"
            4000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="It is ••••, or ••••, or ••••." confidence=-
            4000 mask recording 0-800 ms
            4000 journal: turn.masked turn=1 from_ms=0 to_ms=800 kind="code"
            4000 speech: say "That was not the right PIN. Please try again."
            6000 journal: turn.remote turn=2 started_ms=0 ended_ms=500 text="Then it is ••••. I mean ••••." confidence=-
            6000 mask recording 0-800 ms
            6000 journal: turn.masked turn=2 from_ms=0 to_ms=800 kind="code"
            6000 journal: caller.verified by="voice"
            6000 speech: brief "Read the owner's calendar to them."
            6000 speech: say "Thank you."
            6000 speech: note "Whoever is on the line has shown with a PIN who they are. Begin now with what the call is for.", wants an answer
        "#]],
    );
}

//! What is masked of a conversation, and what is not.

use offhook_core::journal::SecretKind::{self, Card, Code};
use offhook_core::mask::Masker;

/// The last of these turns, masked, and what was found in it.
fn last(turns: &[&str]) -> (String, Vec<SecretKind>) {
    let mut masker = Masker::default();
    let (last, before) = turns.split_last().expect("a turn");
    before.iter().for_each(|turn| drop(masker.said(turn)));
    match masker.said(last) {
        Some(masked) => (masked.text, masked.kinds),
        None => ((*last).to_owned(), Vec::new()),
    }
}

#[test]
fn codes_in_the_turn_that_names_them() {
    for (said, masked) in [
        ("Your code is 482913.", "Your code is ••••••."),
        ("Your code is 48 29 13.", "Your code is •• •• ••."),
        ("Your code is 4-8-2-9-1-3, okay?", "Your code is •-•-•-•-•-•, okay?"),
        ("The code is four eight two nine one three.", "The code is ••••••."),
        ("The code is four, eight, two, nine.", "The code is ••••."),
        ("The one-time code reads forty eight twenty nine thirteen", "The one-time code reads ••••••"),
        ("The PIN is 0423, and we are open until 5.", "The PIN is ••••, and we are open until 5."),
        ("The passcode is double four oh seven.", "The passcode is ••••."),
        ("Your verification code is G-482913.", "Your verification code is G-••••••."),
        ("The security code is A7B9C2.", "The security code is ••••••."),
        ("We sent you a confirmation code, it is 552918.", "We sent you a confirmation code, it is ••••••."),
        ("El código es cuatro ocho dos nueve.", "El código es ••••."),
        ("Der Code lautet vier acht zwei neun.", "Der Code lautet ••••."),
        ("Le code est quatre huit deux neuf.", "Le code est ••••."),
        ("Il codice è quattro otto due nove.", "Il codice è ••••."),
        ("O código é quatro oito dois nove.", "O código é ••••."),
        ("De code is vier acht twee negen.", "De code is ••••."),
    ] {
        assert_eq!(last(&[said]), (masked.to_owned(), vec![Code]), "{said}");
    }
}

#[test]
fn codes_in_answer_to_what_was_asked() {
    let ask = "Please read me the one time code we sent to your phone.";
    for (turns, masked) in [
        (vec![ask, "482913"], "••••••"),
        (vec![ask, "Sure, it's four eight two nine one three."], "Sure, it's ••••••."),
        (vec![ask, "One moment please.", "It is 4829 13."], "It is •••• ••."),
        // In pieces, with pauses that end the turn.
        (vec![ask, "Four eight.", "Two nine."], "••."),
        (
            vec![ask, "482913", "Let me repeat: 482913. Is that right?"],
            "Let me repeat: ••••••. Is that right?",
        ),
        (vec!["What is your PIN?", "zero one two three"], "••••"),
        (vec!["Can you tell me the password?", "nine nine two one"], "••••"),
    ] {
        assert_eq!(last(&turns), (masked.to_owned(), vec![Code]), "{turns:?}");
    }
}

#[test]
fn a_code_that_takes_a_while_to_find() {
    let turns = [
        "We texted you a code. What is it?",
        "Let me check.",
        "One moment.",
        "Are you still there?",
        "Yes, it is 4 8 2 9 1 3",
    ];
    assert_eq!(last(&turns), ("Yes, it is • • • • • •".to_owned(), vec![SecretKind::Code]));
}

#[test]
fn cards_show_themselves() {
    for (said, masked) in [
        ("4242 4242 4242 4242", "•••• •••• •••• ••••"),
        ("It's 4242-4242-4242-4242, thanks.", "It's ••••-••••-••••-••••, thanks."),
        ("You can use 378282246310005.", "You can use •••••••••••••••."),
        ("four two four two, four two four two, four two four two, four two four two", "••••••••••••••••"),
        (
            "forty two forty two forty two forty two forty two forty two forty two forty two",
            "••••••••••••••••",
        ),
    ] {
        assert_eq!(last(&[said]), (masked.to_owned(), vec![Card]), "{said}");
    }
}

#[test]
fn cards_that_are_read_out_in_pieces() {
    let ask = "Can I have the card number, please?";
    for (turns, masked) in [
        (vec![ask, "4242"], "••••"),
        (vec![ask, "4242", "4242", "and then 4242"], "and then ••••"),
        (
            vec![ask, "Four two four two.", "Okay.", "Four two four two.", "Okay.", "One one one one."],
            "••••.",
        ),
        // Misheard, so that the last digit does not fit.
        (vec![ask, "4242 4242 4242 4241"], "•••• •••• •••• ••••"),
        (vec![ask, "4242 4242 4242 4242", "And the expiry date?", "Twelve twenty seven."], "••••."),
        (vec![ask, "4242 4242 4242 4242", "And the three digits on the back?", "One two three."], "•••."),
    ] {
        assert_eq!(last(&turns), (masked.to_owned(), vec![Card]), "{turns:?}");
    }
}

#[test]
fn what_stays() {
    for turns in [
        vec!["We are open from 9 to 5, and until 1300 on Saturdays."],
        vec!["The appointment is on Thursday, May 5, 2027, at 10:30."],
        vec!["Call us at 415 555 0132."],
        vec!["The order number is 48291377."],
        vec!["The ZIP code is 94110."],
        vec!["The area code is 4155."],
        vec!["There is an error code 5012 on the display."],
        vec!["Your confirmation code is 48XK91, for Thursday at three."],
        vec!["Your booking code is 482913."],
        // No card has this last digit.
        vec!["The account is 4242424242424241."],
        vec!["My date of birth?", "The fifth of May 1985."],
        vec!["What is the code?", "I don't have it, but it would cost 1500 dollars."],
        vec!["What is the code?", "That is $1500 then."],
        vec![
            "What is the code?",
            "One moment.",
            "Hold on.",
            "No.",
            "I can't find it.",
            "Then let us talk of something else.",
            "As you like.",
            "Well then.",
            "How big are you?",
            "We have 1200 rooms.",
        ],
    ] {
        let said = turns[turns.len() - 1].to_owned();
        assert_eq!(last(&turns), (said, vec![]), "{turns:?}");
    }
}

#[test]
fn what_was_found_is_found_again_wherever_it_stands() {
    let mut masker = Masker::default();
    masker.said("Which one time code did you get?");
    masker.said("It is 482913.").expect("a code");
    for _ in 0..10 {
        masker.said("Yes.");
    }
    let noted = |text: &str| masker.noted(text).map(|masked| masked.text);
    assert_eq!(
        noted("They wanted 482913, and took it.").as_deref(),
        Some("They wanted ••••••, and took it.")
    );
    assert_eq!(noted("four eight two nine one three").as_deref(), Some("••••••"));
    assert_eq!(noted("They open at 9, and the order is 771234."), None);
    assert_eq!(noted("The code 771234 was read out.").as_deref(), Some("The code •••••• was read out."));
}

#[test]
fn the_back_of_a_card_is_known_again() {
    let mut masker = Masker::default();
    let said = masker.said("It is 4242 4242 4242 4242, 737 on the back.").expect("a card");
    assert_eq!(said.text, "It is •••• •••• •••• ••••, ••• on the back.", "in one breath");
    assert_eq!(masker.noted("It is 4242424242424242.").expect("the card").text, "It is ••••••••••••••••.");
    assert_eq!(
        masker.noted("They took the payment with 737.").expect("its back").text,
        "They took the payment with •••."
    );
    for note in ["They took $737.", "Their number is 14155737100.", "Ask for room 738."] {
        assert_eq!(masker.noted(note), None, "{note}");
    }
}

#[test]
fn keys() {
    let mut masker = Masker::default();
    for menu in ["2", "1w1", "1234#"] {
        assert_eq!(masker.keyed(menu), None, "{menu}: a menu, or an extension");
    }
    assert_eq!(masker.keyed("4242424242424242#").expect("a card").text, "••••••••••••••••#");
    let mut masker = Masker::default();
    masker.said("Please type in the one time code.");
    let masked = masker.keyed("48w29W13#").expect("a code");
    assert_eq!((masked.text.as_str(), masked.kinds), ("••w••W••#", vec![Code]));
    assert_eq!(masker.keyed("2"), None, "too short to be a code");
}

#[test]
fn keys_of_the_remote() {
    let mut masker = Masker::default();
    let hidden: Vec<bool> = (0..6).map(|_| masker.typed()).collect();
    assert_eq!(
        hidden,
        [false, true, true, true, true, true],
        "a choice is one key; three of a PIN are too many to show"
    );
    masker.said("Thank you.");
    assert!(!masker.typed(), "a new beginning");
    masker.said("Now type your PIN.");
    assert!(masker.typed());
}

#[test]
fn nothing_shows_in_a_debug_line() {
    let mut masker = Masker::default();
    let masked = masker.said("Your code is 482913, for Jordan.").expect("a code");
    assert_eq!(format!("{masker:?} {masked:?}"), "Masker(1 found) Masked([Code])");
}

proptest::proptest! {
    #[test]
    fn any_text_is_masked_without_a_panic(turns: Vec<String>) {
        let mut masker = Masker::default();
        for turn in turns {
            if let Some(masked) = masker.said(&format!("the code is 48291 {turn}")) {
                proptest::prop_assert!(!masked.text.contains("48291"));
            }
            masker.keyed(&turn);
            masker.noted(&turn);
        }
    }

    /// However sixteen digits of a card are grouped.
    #[test]
    fn no_group_of_a_card_is_left(groups in proptest::collection::vec(1usize..6, 3..16)) {
        let digits = "4242424242424242";
        let mut text = String::new();
        let mut at = 0;
        for length in groups {
            let end = (at + length).min(digits.len());
            text.push_str(&digits[at..end]);
            text.push(' ');
            at = end;
        }
        text.push_str(&digits[at..]);
        let masked = Masker::default().said(&text).expect("a card").text;
        proptest::prop_assert!(!masked.contains(|c: char| c.is_ascii_digit()));
    }
}

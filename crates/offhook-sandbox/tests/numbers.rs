//! Every number does what its row says, with real audio.

mod phone;

use std::sync::atomic::Ordering;

use offhook_sandbox::script::{CANNOT_HEAR, HELLO};
use offhook_sandbox::{CallRecord, Ending, NUMBERS, Sandbox, Stage};
use phone::{Phone, WORD_MS, clean, exchange, header, over, until};

async fn dial(number: &str) -> (Sandbox, Phone) {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), number).await;
    phone.dial().await;
    (sandbox, phone)
}

/// Waits until so many sentences were begun.
async fn said(sandbox: &Sandbox, count: usize) {
    until(sandbox, |calls| (calls[0].said.len() >= count).then_some(())).await;
}

/// Waits for so many sentences to be over, then speaks.
async fn reply_to(sandbox: &Sandbox, phone: &Phone, sentences: usize) {
    said(sandbox, sentences).await;
    let words: usize = sandbox.calls()[0].said.iter().map(|text| text.split(' ').count()).sum();
    until(sandbox, |_| (phone.rtp.heard_ms() + WORD_MS >= words as u32 * WORD_MS).then_some(())).await;
    phone.rtp.say(300);
}

async fn finished(sandbox: Sandbox, phone: &Phone) -> CallRecord {
    phone.hung_up().await;
    let call = over(&sandbox).await;
    clean(&sandbox);
    assert_eq!(call.stage, Stage::Ended(Ending::PersonHungUp));
    call
}

#[tokio::test]
async fn the_unanswered_numbers_refuse_as_their_row_says() {
    for (number, status, rings) in [
        ("+14155550101", 486, false),
        ("+14155550103", 603, true),
        ("+14155550104", 404, false),
        ("+14155550105", 480, false),
        ("+14155550192", 603, true),
        ("+14155550193", 486, false),
        ("+14155550199", 404, false),
    ] {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), number).await;
        let invite = phone.invite();
        phone.send(&invite).await;
        let mut rang = false;
        let last = loop {
            let text = phone.receive().await;
            rang |= text.starts_with("SIP/2.0 180 ");
            if !text.starts_with("SIP/2.0 1") {
                break text;
            }
        };
        assert!(last.starts_with(&format!("SIP/2.0 {status} ")), "{number}: {last}");
        assert_eq!(rang, rings, "{number}");
        clean(&sandbox);
    }
}

#[tokio::test]
async fn two_numbers_ring_until_the_caller_gives_up() {
    for number in ["+14155550102", "+14155550196"] {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), number).await;
        let invite = phone.invite();
        phone.send(&invite).await;
        let ringing = phone.expect(" 180 ").await;
        assert!(header(&ringing, "To").contains(";tag="));
        assert_eq!(sandbox.calls()[0].stage, Stage::Ringing);
    }
}

#[tokio::test]
async fn the_receptionist_talks_in_turns_and_says_goodbye() {
    let (sandbox, phone) = dial("+14155550100").await;
    for turn in 1..=3 {
        reply_to(&sandbox, &phone, turn).await;
        until(&sandbox, |calls| (calls[0].turns as usize >= turn).then_some(())).await;
    }
    let call = finished(sandbox, &phone).await;
    assert_eq!(call.said.last().unwrap(), "Thank you for calling. Goodbye.");
    assert_eq!((call.said.len(), call.turns), (4, 3));
    assert!((850..=950).contains(&call.heard.speech_ms), "{:?}", call.heard);
    assert!(call.heard.speech_dbfs().unwrap() > -20.0);
}

#[tokio::test]
async fn a_person_who_hears_nothing_says_hello_once_and_hangs_up() {
    let (sandbox, phone) = dial("+14155550190").await;
    let call = finished(sandbox, &phone).await;
    assert_eq!(call.said[1..], [HELLO, CANNOT_HEAR]);
}

#[tokio::test]
async fn voicemail_records_what_is_said_after_the_tone() {
    for number in ["+14155550106", "+14155550119", "+14155550195"] {
        let (sandbox, mut phone) = dial(number).await;
        until(&sandbox, |calls| calls[0].message.is_some().then_some(())).await;
        phone.rtp.say(600);
        until(&sandbox, |calls| (calls[0].message.as_ref()?.heard.speech_ms >= 600).then_some(())).await;
        phone.hang_up().await;
        let call = over(&sandbox).await;
        let message = call.message.unwrap();
        assert_eq!(call.stage, Stage::Ended(Ending::RemoteHungUp));
        assert_eq!(message.heard.speech_ms, 600);
        assert!(message.duration_ms() >= 600 && message.heard.speech_dbfs().unwrap() > -20.0);
        clean(&sandbox);
    }
}

#[tokio::test]
async fn the_phone_tree_wants_key_two() {
    let (sandbox, phone) = dial("+14155550107").await;
    said(&sandbox, 1).await;
    phone.rtp.press('1');
    said(&sandbox, 2).await;
    assert!(sandbox.calls()[0].said[1].starts_with("We are open"));
    said(&sandbox, 3).await;
    phone.rtp.press('2');
    said(&sandbox, 5).await;
    let call = &sandbox.calls()[0];
    assert!(call.said[3].starts_with("Please hold"), "{:?}", call.said);
    assert!(call.said[4].contains("Thank you for holding"), "{:?}", call.said);
    assert_eq!(call.digits_text(), "12");
    clean(&sandbox);
}

#[tokio::test]
async fn the_phone_tree_gives_up_after_three_times() {
    let (sandbox, phone) = dial("+14155550107").await;
    let call = finished(sandbox, &phone).await;
    assert_eq!(call.said.len(), 4);
    assert_eq!(call.said[3], "We did not get your choice. Goodbye.");
}

#[tokio::test]
async fn a_menu_to_nowhere_comes_back_whatever_is_pressed() {
    let (sandbox, phone) = dial("+14155550117").await;
    for (turn, key) in [(1, '1'), (3, '2'), (5, '1')] {
        said(&sandbox, turn).await;
        phone.rtp.press(key);
    }
    said(&sandbox, 7).await;
    let call = &sandbox.calls()[0];
    assert_eq!((&call.said[0], &call.said[1]), (&call.said[6], &call.said[5]));
    assert!(call.said[1].ends_with("back to the main menu."), "{:?}", call.said);
    clean(&sandbox);
}

#[tokio::test]
async fn slow_menus_lose_a_key_that_comes_too_soon() {
    let (sandbox, phone) = dial("+14155550120").await;
    said(&sandbox, 1).await;
    phone.rtp.press('2');
    said(&sandbox, 2).await;
    let call = &sandbox.calls()[0];
    assert_eq!((&call.said[0], call.digits_text()), (&call.said[1], "2".to_owned()));
    clean(&sandbox);
}

#[tokio::test]
async fn hold_comes_with_its_announcement_thrice() {
    let (sandbox, phone) = dial("+14155550114").await;
    reply_to(&sandbox, &phone, 1).await;
    said(&sandbox, 6).await;
    let call = &sandbox.calls()[0];
    assert!(call.said[2..5].iter().all(|said| said.starts_with("Your call is important")), "{:?}", call.said);
    assert!(call.said[5].contains("Thank you for holding"), "{:?}", call.said);
    clean(&sandbox);
}

#[tokio::test]
async fn silence_may_be_hold() {
    let (sandbox, phone) = dial("+14155550121").await;
    reply_to(&sandbox, &phone, 1).await;
    said(&sandbox, 2).await;
    let before = sandbox.calls()[0].rtp_sent;
    said(&sandbox, 3).await;
    let call = &sandbox.calls()[0];
    assert!(call.said[2].starts_with("Thank you for holding"), "{:?}", call.said);
    assert!(call.rtp_sent > before + 70, "silence is sent");
    clean(&sandbox);
}

#[tokio::test]
async fn screening_puts_through_who_says_something() {
    let (sandbox, phone) = dial("+14155550115").await;
    reply_to(&sandbox, &phone, 1).await;
    said(&sandbox, 3).await;
    let call = &sandbox.calls()[0];
    assert!(
        call.said[0].contains("record your name") && call.said[2].contains("this is Kim"),
        "{:?}",
        call.said
    );
    clean(&sandbox);
}

#[tokio::test]
async fn the_users_phones_press_their_key_once_they_were_spoken_to() {
    for (number, key, then) in [
        ("+14155550190", 1, "Yes, I am here. I can talk now."),
        ("+14155550194", 2, "I cannot talk now. Goodbye."),
    ] {
        let (sandbox, phone) = dial(number).await;
        said(&sandbox, 1).await;
        assert!(phone.rtp.keys.lock().unwrap().is_empty(), "{number}");
        reply_to(&sandbox, &phone, 1).await;
        said(&sandbox, 2).await;
        assert_eq!(sandbox.calls()[0].said[1], then);
        assert!(phone.rtp.keys.lock().unwrap().iter().all(|pressed| *pressed == key), "{number}");
        assert!(!phone.rtp.keys.lock().unwrap().is_empty(), "{number}");
        clean(&sandbox);
    }
}

#[tokio::test]
async fn who_needs_a_secret_takes_it_by_keys() {
    for (number, keys, thanks) in [
        ("+14155550108", "020490", "Thank you. I have found you."),
        ("+14155550113", "1234", "Thank you. The code is right."),
        ("+14155550118", "482913", "Thank you. I have found your account."),
    ] {
        let (sandbox, phone) = dial(number).await;
        reply_to(&sandbox, &phone, 1).await;
        said(&sandbox, 2).await;
        keys.chars().for_each(|key| phone.rtp.press(key));
        said(&sandbox, 3).await;
        let call = &sandbox.calls()[0];
        assert!(call.said[2].starts_with(thanks), "{:?}", call.said);
        clean(&sandbox);
    }
}

#[tokio::test]
async fn who_needs_a_secret_and_does_not_get_it_is_sorry() {
    for number in ["+14155550108", "+14155550113", "+14155550118"] {
        let (sandbox, phone) = dial(number).await;
        reply_to(&sandbox, &phone, 1).await;
        let call = finished(sandbox, &phone).await;
        assert_eq!(call.said.len(), 4);
        assert!(call.said[3].starts_with("I am sorry, I cannot help you"), "{:?}", call.said);
    }
}

#[tokio::test]
async fn one_number_hangs_up_by_itself() {
    let (sandbox, phone) = dial("+14155550109").await;
    let call = finished(sandbox, &phone).await;
    assert_eq!(call.said, ["Hello?"]);
}

#[tokio::test]
async fn one_number_asks_for_the_user_and_waits() {
    let (sandbox, phone) = dial("+14155550110").await;
    reply_to(&sandbox, &phone, 1).await;
    said(&sandbox, 2).await;
    assert!(sandbox.calls()[0].said[1].contains("connect me"), "{:?}", sandbox.calls()[0].said);
}

#[tokio::test]
async fn silence_is_sent_and_a_lost_medium_is_not() {
    let (sandbox, mut phone) = dial("+14155550111").await;
    until(&sandbox, |calls| (calls[0].rtp_sent > 30).then_some(())).await;
    assert_eq!(phone.rtp.heard_ms(), 0);
    phone.hang_up().await;

    let (sandbox, mut phone) = dial("+14155550112").await;
    said(&sandbox, 1).await;
    // Twelve words, then not a packet more, while ours still go out.
    until(&sandbox, |calls| (calls[0].rtp_received > calls[0].rtp_sent + 25).then_some(())).await;
    assert!(phone.rtp.packets.load(Ordering::Relaxed) <= sandbox.calls()[0].rtp_sent);
    phone.hang_up().await;
    clean(&sandbox);
}

#[tokio::test]
async fn a_law_is_spoken_where_it_is_offered_first() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    let invite = phone.invite().replace("RTP/AVP 0 ", "RTP/AVP 8 ").replace("rtpmap:0 PCMU", "rtpmap:8 PCMA");
    phone.send(&invite).await;
    let answer = phone.expect(" 200 ").await;
    assert!(answer.contains("RTP/AVP 8 101\r\n"), "{answer}");
}

#[test]
fn every_number_of_the_design_is_there() {
    let numbers: Vec<&str> = NUMBERS.iter().map(|number| &number.number[8..]).collect();
    let expected = "0100 0101 0102 0103 0104 0105 0106 0107 0108 0109 0110 0111 0112 0113 0114 0115 0116 0117 0118 \
                    0119 0120 0121 0190 0191 0192 0193 0194 0195 0196";
    assert_eq!(numbers.join(" "), expected);
}

//! Why calls end: the table is consistent, complete, and says what the contract says.

use expect_test::expect;
use offhook_core::end::{EndReason, EndedBy, Outcome, Retry, from_sip_status, q850_cause};

#[test]
fn codes_are_unique_and_begin_with_who_ended_it() {
    for (n, row) in EndReason::TABLE.iter().enumerate() {
        let (prefix, rest) = row.code.split_once('.').expect("who.what");
        assert_eq!(prefix, row.by.code(), "{}", row.code);
        assert!(rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", row.code);
        assert!(EndReason::TABLE[..n].iter().all(|other| other.code != row.code), "{} twice", row.code);
    }
    for by in EndedBy::ALL {
        assert!(EndReason::TABLE.iter().any(|row| row.by == by), "{by:?} never ends a call");
    }
}

#[test]
fn every_reason_finds_its_own_row() {
    for row in EndReason::TABLE {
        assert_eq!(row.reason.row().code, row.code);
        assert_eq!(EndReason::from_code(row.code), Some(row.reason));
        assert_eq!(row.reason.to_string(), row.code);
        assert_eq!(row.reason.by(), row.by);
    }
    assert_eq!(EndReason::from_code("remote.bored"), None);
}

#[test]
fn outcomes_read_back() {
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
    }
    assert_eq!(Outcome::from_code("completed"), None);
}

#[test]
fn a_call_that_rang_is_never_repeated_silently_and_one_that_was_picked_up_is_answered() {
    for row in EndReason::TABLE {
        assert_eq!(row.reason.outcome(true), Outcome::Answered, "{}", row.code);
        assert_ne!(row.reason.outcome(false), Outcome::Answered, "{}", row.code);
        for (rang, answered) in [(true, true), (false, true), (true, false)] {
            assert_ne!(row.reason.retry(rang, answered), Retry::OnceSilently, "{}", row.code);
        }
        assert_eq!(row.reason.retry(false, false), row.retry, "{}", row.code);
    }
}

#[test]
fn retries_follow_the_outcome() {
    for row in EndReason::TABLE {
        let permitted: &[Retry] = match row.unanswered {
            Outcome::NoAnswer | Outcome::Busy | Outcome::Rejected => &[Retry::AskFirst],
            Outcome::InvalidNumber | Outcome::Unreachable => &[Retry::Never],
            // Whoever cancelled it does not want it; a time that has passed can be set anew.
            Outcome::Cancelled => &[Retry::Never, Retry::AskFirst],
            // Once silently, unless the remote may have heard of the first attempt.
            Outcome::NetworkError | Outcome::SystemError => &[Retry::OnceSilently, Retry::AskFirst],
            Outcome::Failed | Outcome::Answered => &[Retry::AskFirst, Retry::Never],
        };
        assert!(permitted.contains(&row.retry), "{}: {:?} after {:?}", row.code, row.retry, row.unanswered);
    }
    assert_eq!(EndReason::CarrierUncertain.retry(false, false), Retry::AskFirst, "it may have rung");
}

#[test]
fn every_final_response_has_a_reason() {
    use EndReason::*;
    let table: &[(&[u16], bool, EndReason)] = &[
        (&[486, 600], false, RemoteBusy),
        (&[408, 480, 487], true, RemoteNoAnswer),
        (&[480, 502, 300, 302, 380], false, RemoteUnreachable),
        (&[603, 607, 608, 699], true, RemoteDeclined),
        (&[301, 404, 410, 484, 485, 604], false, RemoteInvalidNumber),
        (&[408], false, CarrierUncertain),
        (
            &[305, 401, 402, 403, 405, 406, 407, 415, 420, 421, 422, 433, 488, 493, 499, 606],
            false,
            CarrierRefused,
        ),
        (&[430, 481, 482, 483, 487, 491, 500, 501, 503, 504, 505, 513, 580, 599], false, CarrierFailed),
    ];
    for (statuses, rang, reason) in table {
        for status in *statuses {
            assert_eq!(from_sip_status(*status, *rang), *reason, "{status}");
        }
    }
}

#[test]
fn no_response_is_blamed_on_us_or_counts_as_answered() {
    for status in 300..=699 {
        for rang in [false, true] {
            let reason = from_sip_status(status, rang);
            assert!(matches!(reason.by(), EndedBy::Remote | EndedBy::Carrier), "{status}: {reason}");
        }
    }
}

#[test]
fn causes_are_those_of_q_850() {
    for row in EndReason::TABLE {
        let cause = q850_cause(row.reason);
        let known = [1, 16, 17, 18, 19, 20, 21, 27, 34, 38, 41, 57, 102];
        assert!(known.contains(&cause), "{}: {cause}", row.code);
    }
}

#[test]
fn the_table_of_the_documentation() {
    expect![[r#"
        | code | outcome if nobody had picked up | retry | Q.850 | what to tell the user |
        |---|---|---|---|---|
        | `remote.hung_up` | `no_answer` | `ask_first` | 16 | The other side hung up. |
        | `remote.busy` | `busy` | `ask_first` | 17 | The line is busy; try again in a few minutes. |
        | `remote.no_answer` | `no_answer` | `ask_first` | 19 | Nobody picked up. |
        | `remote.declined` | `rejected` | `ask_first` | 21 | The call was declined. |
        | `remote.invalid_number` | `invalid_number` | `never` | 1 | The number is not in service; verify it. |
        | `remote.unreachable` | `unreachable` | `never` | 20 | The number can't be reached; verify it or try much later. |
        | `owner.cancelled` | `cancelled` | `never` | 16 | The call was cancelled on request. |
        | `voice.finished` | `failed` | `never` | 16 | The conversation was brought to its end. |
        | `voice.voicemail` | `no_answer` | `ask_first` | 16 | Voicemail answered. |
        | `voice.spam` | `failed` | `never` | 16 | An unwanted call was ended. |
        | `policy.ring_limit` | `no_answer` | `ask_first` | 19 | Nobody picked up within the ring limit. |
        | `policy.talk_limit` | `failed` | `ask_first` | 102 | The call reached its talk limit. |
        | `policy.silence` | `failed` | `ask_first` | 102 | The line stayed silent. |
        | `policy.hold_limit` | `failed` | `ask_first` | 102 | The call stayed on hold past the limit. |
        | `policy.refused` | `failed` | `never` | 21 | A calling rule refused the call. |
        | `policy.pin` | `failed` | `never` | 21 | The PIN was not given. |
        | `policy.window` | `cancelled` | `ask_first` | 102 | The time for this call had passed. |
        | `carrier.unreachable` | `network_error` | `once_silently` | 38 | The telephone carrier could not be reached. |
        | `carrier.failed` | `network_error` | `once_silently` | 41 | The telephone carrier failed. |
        | `carrier.refused` | `failed` | `never` | 57 | The telephone carrier refused the call; check account, credentials and caller ID. |
        | `carrier.uncertain` | `network_error` | `ask_first` | 38 | It is not known whether the call went out. |
        | `carrier.media_lost` | `network_error` | `ask_first` | 27 | The audio from the other side stopped. |
        | `carrier.lost` | `network_error` | `ask_first` | 27 | The connection to the telephone carrier was lost. |
        | `carrier.no_line` | `system_error` | `once_silently` | 34 | All lines are in use; try again in 15 seconds. |
        | `speech.unavailable` | `system_error` | `once_silently` | 41 | The speech model could not be reached. |
        | `speech.lost` | `system_error` | `ask_first` | 41 | The speech model was lost. |
        | `gateway.shutdown` | `system_error` | `ask_first` | 16 | offhook was shut down during the call. |
        | `gateway.restarted` | `system_error` | `ask_first` | 16 | offhook stopped unexpectedly during the call. |
        | `user.hung_up` | `failed` | `never` | 16 | You hung up. |
        | `gateway.fault` | `system_error` | `once_silently` | 16 | An internal error ended the call. |
    "#]].assert_eq(&EndReason::markdown_table());
}

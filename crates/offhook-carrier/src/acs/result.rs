//! What the codes of ACS mean: the one table from `code` and `subCode` to the end of a call.
//!
//! A subCode of `560xxx` (outbound), `540xxx` (inbound), `510xxx` or `511xxx` ends with the SIP status of the carrier; any
//! other is Microsoft's own. The carrier's own words, `sipDetails` and `q850Details`, are better than both: an event
//! with code 500 and subCode 560503 may well carry a 486 there.

use offhook_core::call::DialFailure;
use offhook_core::end::{EndReason, from_sip_status};

/// `resultInformation` of an event, or the `error` of a reply, as far as it says something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultInformation {
    pub code: Option<i64>,
    pub sub_code: Option<i64>,
    /// In Microsoft's words; may quote a number.
    pub message: String,
    pub sip_code: Option<i64>,
    pub q850_code: Option<i64>,
}

/// What happened, in the words of the telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The conversation ended as conversations do, by the other side.
    HungUp,
    /// We, or somebody with our key, ended it.
    EndedByUs,
    Busy,
    NoAnswer,
    Declined,
    /// Cancelled before it was answered.
    Cancelled,
    BadNumber,
    Unreachable,
    /// Our caller ID, trunk or account is not let through.
    Blocked,
    /// Another application answered the call.
    Elsewhere,
    MediaLost,
    /// Microsoft gave the call up: it lasted too long, or a keep-alive was missing.
    GivenUp,
    ServiceFailed,
    /// A request of ours that was wrong, or came at the wrong time.
    Misuse,
    Throttled,
    /// The call is not there any more, or never was.
    Gone,
    /// About the audio connection alone.
    Streaming,
    /// Of recognizing keys or speech; ends nothing.
    Recognize,
}

/// One row: a subCode with the top-level codes it comes with, where those matter.
#[derive(Clone, Copy, Debug)]
pub struct ResultRow {
    pub sub_codes: (i64, i64),
    /// `None`: whatever it is.
    pub code: Option<i64>,
    pub meaning: Meaning,
    pub says: &'static str,
}

const fn row(sub_code: i64, meaning: Meaning, says: &'static str) -> ResultRow {
    ResultRow { sub_codes: (sub_code, sub_code), code: None, meaning, says }
}

const fn row_with(code: i64, sub_code: i64, meaning: Meaning, says: &'static str) -> ResultRow {
    ResultRow { sub_codes: (sub_code, sub_code), code: Some(code), meaning, says }
}

use Meaning::{
    BadNumber, Blocked, Busy, Cancelled, Declined, Elsewhere, EndedByUs, GivenUp, Gone, HungUp, MediaLost,
    Misuse, NoAnswer, Recognize, ServiceFailed, Streaming, Throttled,
};

/// The codes Microsoft documents, and those seen on the live service. The first row that fits counts.
pub const TABLE: &[ResultRow] = &[
    row_with(603, 0, Declined, "declined"),
    row_with(487, 0, Cancelled, "cancelled before it was answered"),
    row_with(200, 0, HungUp, "ended normally"),
    row_with(0, 0, HungUp, "ended normally"),
    row(560_000, HungUp, "the other side hung up"),
    row(540_000, HungUp, "the other side hung up"),
    row(5_000, HungUp, "removed from the call"),
    row(5_300, HungUp, "removed from the call"),
    row(5_010, HungUp, "nobody else was left in the call"),
    row(7_000, EndedByUs, "ended through the API"),
    row(7_015, HungUp, "ended after a transfer"),
    row(4_521, HungUp, "ended abruptly"),
    row(560_486, Busy, "busy"),
    row(540_486, Busy, "busy"),
    row(8_539, Busy, "busy"),
    row(8_540, Busy, "busy"),
    row(560_480, NoAnswer, "nobody answered"),
    row(560_408, NoAnswer, "nobody answered in time"),
    row(500_001, NoAnswer, "nobody answered in time"),
    row(4_506, NoAnswer, "nobody answered in time"),
    row(10_004, NoAnswer, "nobody answered in time"),
    row(8_541, NoAnswer, "nobody answered"),
    row(8_587, NoAnswer, "nobody answered"),
    row(560_603, Declined, "declined"),
    row(560_403, Declined, "declined"),
    row(5_002, Declined, "declined"),
    row(5_003, Declined, "declined"),
    row(10_024, Declined, "declined"),
    row(8_538, Declined, "declined"),
    row(540_487, Cancelled, "cancelled before it was answered"),
    row(560_487, Cancelled, "cancelled before it was answered"),
    row(8_542, Cancelled, "cancelled before it was answered"),
    row(560_404, BadNumber, "no such number"),
    row(511_404, BadNumber, "no such number"),
    row(560_484, BadNumber, "the number is incomplete"),
    row(510_403, Blocked, "blocked: taken for spam, or the caller ID is not allowed"),
    row(511_532, Blocked, "the trunk refuses it: check the direct routing of the resource"),
    row(10_003, Elsewhere, "another application of this resource answered it"),
    row(531_004, MediaLost, "the audio was lost"),
    row(301_004, MediaLost, "the audio was lost"),
    row(301_005, MediaLost, "the audio was lost"),
    row(8_537, GivenUp, "ended by Microsoft: it lasted too long, or a keep-alive was missing"),
    row(10_110, GivenUp, "ended by Microsoft: it lasted too long"),
    row(560_500, ServiceFailed, "the carrier failed"),
    row(560_503, ServiceFailed, "the carrier failed"),
    row(10_045, ServiceFailed, "Microsoft's service failed"),
    row(8_523, Misuse, "a request was wrong"),
    row(8_501, Misuse, "the call is not established"),
    row(8_528, Gone, "the call is over"),
    row(8_585, Misuse, "the call is in another state"),
    row(8_519, Misuse, "the request conflicts with another"),
    row(8_583, Misuse, "a condition of the request does not hold"),
    row(8_522, Gone, "there is no such call"),
    row(7_504, Misuse, "the resource may not do this; check its numbers and permissions"),
    row(7_507, Misuse, "the resource may not do this; check its numbers and permissions"),
    row(7_501, Misuse, "the resource does not know our key; check connection string and clock"),
    row(7_509, Misuse, "the signature is wrong; check access key and clock"),
    row(10_009, Misuse, "we are not authorized; check connection string or identity"),
    row(8_516, Throttled, "too many requests"),
    row(8_529, Throttled, "too many requests"),
    row(8_530, Throttled, "too many requests"),
    row(8_581, Streaming, "the address for audio is not valid, or nobody answers there"),
    row(8_603, Streaming, "the audio connection failed"),
    row(8_604, Streaming, "the audio connection was cancelled"),
    row(8_510, Recognize, "nothing was said"),
    row(8_531, Recognize, "as many keys as were asked for"),
    row(8_532, Recognize, "no further key came"),
    row(8_514, Recognize, "the key that ends the input"),
    ResultRow {
        sub_codes: (9_001, 9_999),
        code: None,
        meaning: ServiceFailed,
        says: "Microsoft's service failed",
    },
];

impl ResultRow {
    fn fits(&self, code: Option<i64>, sub_code: i64) -> bool {
        let (first, last) = self.sub_codes;
        (first..=last).contains(&sub_code) && (self.code.is_none() || self.code == code)
    }
}

impl ResultInformation {
    pub fn row(&self) -> Option<&'static ResultRow> {
        let sub_code = self.sub_code?;
        TABLE.iter().find(|row| row.fits(self.code, sub_code))
    }

    /// The SIP status at the bottom of it, where the call came that far.
    pub fn sip_status(&self) -> Option<u16> {
        let said = self.sip_code.filter(is_final);
        let carried = || {
            let sub_code = self.sub_code?;
            matches!(sub_code / 1_000, 510 | 511 | 540 | 560).then_some(sub_code % 1_000).filter(is_final)
        };
        said.or_else(carried).and_then(|status| u16::try_from(status).ok())
    }

    pub fn q850_cause(&self) -> Option<u8> {
        self.q850_code.and_then(|cause| u8::try_from(cause).ok()).filter(|cause| (1..128).contains(cause))
    }

    /// Whether it says anything of why a call ended.
    pub fn is_telling(&self) -> bool {
        let sub_code = self.sub_code.is_some_and(|sub_code| sub_code != 0);
        sub_code
            || self.sip_status().is_some()
            || self.q850_cause().is_some()
            || self.code.is_some_and(|code| is_final(&code))
    }

    pub fn meaning(&self) -> Meaning {
        let row = self.row().map(|row| row.meaning);
        // The carrier's own words, then Microsoft's. Of a status that the subCode only repeats, its row knows more.
        let repeats =
            |status: &i64| row.is_some() && self.sub_code.is_some_and(|code| code % 1_000 == *status);
        let status = self.sip_code.filter(|status| is_final(status) && !repeats(status));
        let said = status.and_then(of_sip).or_else(|| self.q850_cause().and_then(of_q850));
        match (said, row) {
            (Some(said), _) => said,
            (None, Some(row)) => row,
            (None, None) => {
                let carried = self.sip_status().map(i64::from).and_then(of_sip);
                carried.or_else(|| self.code.filter(is_final).and_then(of_sip)).unwrap_or(match self.code {
                    Some(0 | 200..=299) => HungUp,
                    _ => ServiceFailed,
                })
            }
        }
    }

    /// For the journal and the operator: codes, and what they mean.
    pub fn detail(&self) -> String {
        let mut text = match (self.code, self.sub_code) {
            (Some(code), Some(sub_code)) => format!("ACS {code}/{sub_code}"),
            (Some(code), None) | (None, Some(code)) => format!("ACS {code}"),
            (None, None) => "ACS gave no reason".to_owned(),
        };
        if let Some(status) = self.sip_code {
            text.push_str(&format!(", SIP {status}"));
        }
        if let Some(row) = self.row() {
            text.push_str(": ");
            text.push_str(row.says);
        }
        text
    }

    /// Why a call of ours was not answered.
    pub fn dial_failure(&self) -> DialFailure {
        DialFailure {
            reason: self.meaning().unanswered(),
            sip_status: self.sip_status(),
            q850_cause: self.q850_cause(),
            detail: self.detail(),
        }
    }
}

impl Meaning {
    /// Of a call that nobody had answered.
    pub const fn unanswered(self) -> EndReason {
        match self {
            Self::Busy => EndReason::RemoteBusy,
            // Cancelled, and not by us: the network gave it up.
            Self::HungUp | Self::NoAnswer | Self::Cancelled => EndReason::RemoteNoAnswer,
            Self::Declined => EndReason::RemoteDeclined,
            Self::BadNumber => EndReason::RemoteInvalidNumber,
            Self::Unreachable => EndReason::RemoteUnreachable,
            Self::Blocked | Self::Misuse => EndReason::CarrierRefused,
            Self::EndedByUs
            | Self::Elsewhere
            | Self::MediaLost
            | Self::GivenUp
            | Self::ServiceFailed
            | Self::Throttled
            | Self::Gone
            | Self::Streaming
            | Self::Recognize => EndReason::CarrierFailed,
        }
    }

    /// Of a call that was up, and that we did not end.
    pub const fn answered(self) -> EndReason {
        match self {
            Self::MediaLost | Self::Streaming => EndReason::CarrierMediaLost,
            // Ended with our key, and not by this call: it was taken from us.
            Self::EndedByUs
            | Self::GivenUp
            | Self::ServiceFailed
            | Self::Misuse
            | Self::Throttled
            | Self::Blocked
            | Self::Gone => EndReason::CarrierLost,
            Self::HungUp
            | Self::Busy
            | Self::NoAnswer
            | Self::Declined
            | Self::Cancelled
            | Self::BadNumber
            | Self::Unreachable
            | Self::Elsewhere
            | Self::Recognize => EndReason::RemoteHungUp,
        }
    }
}

/// [`TABLE`] as it stands in the documentation.
pub fn markdown_table() -> String {
    let mut table = String::from(
        "| subCode | code | what happened | if nobody had answered | in a call |\n|---|---|---|---|---|\n",
    );
    for ResultRow { sub_codes: (first, last), code, meaning, says } in TABLE {
        let sub_code = if first == last { first.to_string() } else { format!("{first}–{last}") };
        let code = code.map_or_else(String::new, |code| code.to_string());
        let (unanswered, answered) = match meaning {
            Streaming | Recognize => (String::new(), String::new()),
            meaning => (format!("`{}`", meaning.unanswered()), format!("`{}`", meaning.answered())),
        };
        table.push_str(&format!("| {sub_code} | {code} | {says} | {unanswered} | {answered} |\n"));
    }
    table
}

fn is_final(status: &i64) -> bool {
    (300..700).contains(status)
}

fn of_sip(status: i64) -> Option<Meaning> {
    // As if it had rung: ACS does not say, and 480 is what it gives for nobody there.
    let reason = from_sip_status(u16::try_from(status).ok()?, true);
    Some(match (status, reason) {
        (403, _) => Declined,
        (487, _) => Cancelled,
        (429, _) => Throttled,
        (_, EndReason::RemoteBusy) => Busy,
        (_, EndReason::RemoteNoAnswer) => NoAnswer,
        (_, EndReason::RemoteDeclined) => Declined,
        (_, EndReason::RemoteInvalidNumber) => BadNumber,
        (_, EndReason::RemoteUnreachable) => Meaning::Unreachable,
        (_, EndReason::CarrierRefused) => Blocked,
        // 500 and 503 say that it failed; a cause may say why.
        _ => return None,
    })
}

/// What a cause of the telephone network (ITU-T Q.850) means before an answer.
fn of_q850(cause: u8) -> Option<Meaning> {
    Some(match cause {
        1 | 22 | 28 => BadNumber,
        17 => Busy,
        18 | 19 => NoAnswer,
        21 => Declined,
        3 | 20 | 27 => Meaning::Unreachable,
        57 => Blocked,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(code: i64, sub_code: i64) -> ResultInformation {
        ResultInformation { code: Some(code), sub_code: Some(sub_code), ..ResultInformation::default() }
    }

    /// Every row of Microsoft's tables, and what becomes of the call: unanswered, and answered.
    #[test]
    fn codes() {
        let unanswered = [
            (200, 5_002, "remote.declined"),
            (200, 5_003, "remote.declined"),
            (403, 560_403, "remote.declined"),
            (487, 10_024, "remote.declined"),
            (603, 0, "remote.declined"),
            (603, 560_603, "remote.declined"),
            (480, 8_538, "remote.declined"),
            (486, 560_486, "remote.busy"),
            (486, 540_486, "remote.busy"),
            (400, 8_539, "remote.busy"),
            (400, 8_540, "remote.busy"),
            (480, 560_480, "remote.no_answer"),
            (408, 560_408, "remote.no_answer"),
            (408, 500_001, "remote.no_answer"),
            (408, 4_506, "remote.no_answer"),
            (487, 10_004, "remote.no_answer"),
            (400, 8_541, "remote.no_answer"),
            (400, 8_587, "remote.no_answer"),
            (487, 560_487, "remote.no_answer"),
            (487, 540_487, "remote.no_answer"),
            (487, 0, "remote.no_answer"),
            (400, 8_542, "remote.no_answer"),
            (404, 560_404, "remote.invalid_number"),
            (404, 511_404, "remote.invalid_number"),
            (484, 560_484, "remote.invalid_number"),
            (403, 510_403, "carrier.refused"),
            (403, 511_532, "carrier.refused"),
            (401, 7_501, "carrier.refused"),
            (401, 7_509, "carrier.refused"),
            (401, 10_009, "carrier.refused"),
            (403, 7_504, "carrier.refused"),
            (403, 7_507, "carrier.refused"),
            (400, 8_523, "carrier.refused"),
            (400, 8_501, "carrier.refused"),
            (400, 8_585, "carrier.refused"),
            (409, 8_519, "carrier.refused"),
            (412, 8_583, "carrier.refused"),
            (500, 560_500, "carrier.failed"),
            (503, 560_503, "carrier.failed"),
            (500, 10_045, "carrier.failed"),
            (500, 9_001, "carrier.failed"),
            (500, 9_999, "carrier.failed"),
            (429, 8_516, "carrier.failed"),
            (429, 8_529, "carrier.failed"),
            (429, 8_530, "carrier.failed"),
            (487, 10_003, "carrier.failed"),
            (410, 301_005, "carrier.failed"),
            // Nowhere documented: the SIP status it carries, then the code.
            (600, 560_600, "remote.busy"),
            (502, 560_502, "remote.unreachable"),
            (410, 560_410, "remote.invalid_number"),
            (486, 123_456, "remote.busy"),
            (500, 123_456, "carrier.failed"),
        ];
        for (code, sub_code, expected) in unanswered {
            let failure = result(code, sub_code).dial_failure();
            assert_eq!(failure.reason.code(), expected, "{code}/{sub_code} before an answer");
        }
        let answered = [
            (200, 0, "remote.hung_up"),
            (0, 0, "remote.hung_up"),
            (200, 560_000, "remote.hung_up"),
            (0, 540_000, "remote.hung_up"),
            (200, 5_000, "remote.hung_up"),
            (200, 5_300, "remote.hung_up"),
            (200, 5_010, "remote.hung_up"),
            (200, 4_521, "remote.hung_up"),
            (200, 7_000, "carrier.lost"),
            (410, 531_004, "carrier.media_lost"),
            (410, 301_004, "carrier.media_lost"),
            (410, 301_005, "carrier.media_lost"),
            (408, 8_537, "carrier.lost"),
            (429, 10_110, "carrier.lost"),
            (500, 10_045, "carrier.lost"),
            (503, 560_503, "carrier.lost"),
            (404, 8_522, "carrier.lost"),
            (400, 8_528, "carrier.lost"),
        ];
        for (code, sub_code, expected) in answered {
            assert_eq!(
                result(code, sub_code).meaning().answered().code(),
                expected,
                "{code}/{sub_code} in a call"
            );
        }
    }

    #[test]
    fn the_carriers_own_words_are_better() {
        let said = |code, sub_code, sip_code, q850_code| {
            let result = ResultInformation { sip_code, q850_code, ..result(code, sub_code) };
            let failure = result.dial_failure();
            (failure.reason.code(), failure.sip_status, failure.q850_cause)
        };
        assert_eq!(said(500, 560_503, Some(486), Some(17)), ("remote.busy", Some(486), Some(17)));
        assert_eq!(said(500, 560_503, Some(503), Some(17)), ("remote.busy", Some(503), Some(17)));
        assert_eq!(said(500, 560_503, None, Some(1)), ("remote.invalid_number", Some(503), Some(1)));
        assert_eq!(said(503, 560_503, Some(503), Some(41)), ("carrier.failed", Some(503), Some(41)));
        assert_eq!(said(480, 560_480, Some(480), Some(19)), ("remote.no_answer", Some(480), Some(19)));
        assert_eq!(said(403, 510_403, Some(403), None), ("carrier.refused", Some(403), None));
        // Nonsense is no reason.
        assert_eq!(said(486, 560_486, Some(7), Some(999)), ("remote.busy", Some(486), None));
    }

    #[test]
    fn a_result_that_says_nothing_waits_for_one_that_does() {
        assert!(!ResultInformation::default().is_telling());
        assert!(!result(200, 0).is_telling());
        assert!(result(200, 5_002).is_telling());
        assert!(result(486, 560_486).is_telling());
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for (index, row) in TABLE.iter().enumerate() {
            let (first, _) = row.sub_codes;
            let found = TABLE.iter().position(|other| other.fits(row.code, first));
            assert_eq!(found, Some(index), "{row:?}");
        }
    }
}

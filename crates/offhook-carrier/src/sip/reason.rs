//! Why a call was ended, in the words of the telephone network: the Reason header (RFC 3326), and Warning.

use offhook_core::EndReason;
use offhook_core::end::q850_cause;

use super::message::Headers;
use super::uri::{split_list, unquote};

/// The Q.850 cause a BYE, CANCEL or refusal carried, or the one its SIP status stands for.
pub fn q850(headers: &Headers) -> Option<u8> {
    match parse(headers, "Q.850") {
        Some(cause) => u8::try_from(cause).ok().filter(|cause| (1..128).contains(cause)),
        None => from_status(parse(headers, "SIP")?),
    }
}

/// What a SIP status is in the telephone network (RFC 3398 §8.2.6).
fn from_status(status: u16) -> Option<u8> {
    Some(match status {
        // Somebody else picked up (RFC 3326 §2).
        200 => 26,
        404 | 485 | 604 => 1,
        408 => 102,
        410 => 22,
        480 => 18,
        484 => 28,
        486 | 600 => 17,
        487 => 16,
        403 | 603 => 21,
        500 | 503 => 41,
        _ => return None,
    })
}

fn parse(headers: &Headers, protocol: &str) -> Option<u16> {
    headers.fields("Reason").flat_map(split_list).find_map(|value| {
        let mut parts = value.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(protocol) {
            return None;
        }
        parts.find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim().eq_ignore_ascii_case("cause").then(|| unquote(value.trim()).parse().ok())?
        })
    })
}

/// What a refusal says for people (RFC 3261 §20.43): `307 isup.example "Session parameter 'foo' not understood"`.
pub fn warning(headers: &Headers) -> Option<String> {
    let warning = headers.list("Warning").next()?;
    let quoted = warning.find('"').map(|at| unquote(warning[at..].trim()))?;
    Some(quoted).filter(|text| !text.trim().is_empty())
}

/// What we send with a BYE or a refusal.
pub fn header(reason: EndReason) -> String {
    format!("Q.850;cause={};text=\"{}\"", q850_cause(reason), reason.code())
}

/// What we send with a CANCEL: its SIP side too, for proxies that look no further.
pub fn cancel_header(reason: EndReason) -> String {
    format!("SIP;cause=487;text=\"Request Terminated\", {}", header(reason))
}

/// The status with which an inbound call is refused for that reason.
pub fn refusal(reason: EndReason) -> u16 {
    match reason {
        EndReason::RemoteBusy | EndReason::CarrierNoLine => 486,
        EndReason::GatewayShutdown | EndReason::SpeechUnavailable | EndReason::SpeechLost => 503,
        EndReason::GatewayFault => 500,
        EndReason::PolicyRingLimit | EndReason::RemoteNoAnswer => 480,
        EndReason::RemoteInvalidNumber => 404,
        EndReason::CarrierRefused | EndReason::CarrierMediaLost => 488,
        _ => 603,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_reasons_of_others() {
        for (fields, cause) in [
            (&["Q.850;cause=16;text=\"Terminated\""][..], Some(16)),
            (&["SIP ;cause=200 ;text=\"Call completed elsewhere\""], Some(26)),
            (&["SIP;cause=486, Q.850 ; cause = 18"], Some(18)),
            (&["SIP;cause=603;text=\"no; cause=1, really\"", "q.850;text=x;cause=\"21\""], Some(21)),
            (&["SIP;cause=486"], Some(17)),
            (&["SIP;cause=799"], None),
            (&["Q.850;cause=0"], None),
            (&["Q.850;cause=900"], None),
            (&["Q.850", "Preemption;cause=1"], None),
            (&[], None),
        ] {
            let mut headers = Headers::default();
            for field in fields {
                headers.push("Reason", *field);
            }
            assert_eq!(q850(&headers), cause, "{fields:?}");
        }
    }

    #[test]
    fn reads_warnings() {
        for (field, text) in [
            ("307 isup.example \"Parameter 'foo' not understood\"", Some("Parameter 'foo' not understood")),
            ("399 a.example \"one, two\", 399 b.example \"three\"", Some("one, two")),
            ("399 a.example \"\"", None),
            ("399 a.example", None),
            ("", None),
        ] {
            let mut headers = Headers::default();
            headers.push("Warning", field);
            assert_eq!(warning(&headers).as_deref(), text, "{field}");
        }
    }

    #[test]
    fn every_reason_of_ours_can_be_read_back() {
        for row in EndReason::TABLE {
            let mut headers = Headers::default();
            headers.push("Reason", header(row.reason));
            assert_eq!(q850(&headers), Some(q850_cause(row.reason)), "{}", row.code);
            headers.set("Reason", cancel_header(row.reason));
            assert_eq!(q850(&headers), Some(q850_cause(row.reason)), "{}", row.code);
            assert!((400..700).contains(&refusal(row.reason)));
        }
    }
}

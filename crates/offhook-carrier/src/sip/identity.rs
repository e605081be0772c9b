//! Who calls whom: how a trunk wants it written, and what is made of what trunks write (RFC 3261 §8.1.1, RFC 3323,
//! RFC 3325).

use offhook_core::PhoneNumber;

use super::config::{FromUser, Identity, NumberFormat, Trunk};
use super::message::{Headers, Request};
use super::uri::{Uri, quote};

/// What an INVITE says about the caller.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// Without a tag.
    pub from: String,
    pub headers: Vec<(&'static str, String)>,
}

/// A number of E.164 as this trunk writes it.
pub fn written(trunk: &Trunk, e164: &str) -> String {
    match trunk.number_format {
        NumberFormat::PlusE164 => e164.to_owned(),
        NumberFormat::Digits => e164.trim_start_matches('+').to_owned(),
    }
}

/// What the network calls somebody there: `<sip:user@server>`.
pub fn address(trunk: &Trunk, user: &str) -> String {
    match trunk.server.host.contains(':') {
        true => format!("<sip:{user}@[{}]>", trunk.server.host),
        false => format!("<sip:{user}@{}>", trunk.server.host),
    }
}

/// A call from that line.
pub fn caller(trunk: &Trunk, e164: &str, display_name: Option<&str>) -> Caller {
    let number = written(trunk, e164);
    let named = |user: &str| match display_name {
        Some(name) => format!("{} {}", quote(name), address(trunk, user)),
        None => address(trunk, user),
    };
    let from = match (trunk.from_user, &trunk.username) {
        (FromUser::Anonymous, _) => "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
        (FromUser::Account, Some(account)) => named(account),
        (FromUser::Account, None) | (FromUser::Number, _) => named(&number),
    };
    let mut headers = Vec::new();
    match trunk.identity {
        Identity::From => {}
        Identity::Asserted => headers.push(("P-Asserted-Identity", named(&number))),
        Identity::Preferred => headers.push(("P-Preferred-Identity", named(&number))),
    }
    if trunk.from_user == FromUser::Anonymous {
        headers.push(("Privacy", "id".to_owned()));
    }
    Caller { from, headers }
}

/// Which of our numbers is called: by the Request-URI, by what the network calls it, or by To.
///
/// A trunk may leave the country code out. The number then has to be the end of one of ours, and of no other.
pub fn called(ours: &[&str], invite: &Request) -> Option<usize> {
    let named = ["P-Called-Party-ID", "To"].map(|name| invite.headers.name_addr(name).map(|addr| addr.uri));
    let uris = [Some(invite.uri.clone())].into_iter().chain(named).flatten();
    let users: Vec<String> = uris.filter_map(|uri| uri.user).collect();
    let digits =
        || users.iter().filter_map(|user| user.split(';').next()).map(|user| user.trim_start_matches('+'));
    let exact = |digits: &str| ours.iter().position(|ours| ours.trim_start_matches('+') == digits);
    digits().find_map(exact).or_else(|| digits().find_map(|digits| called_nationally(ours, digits)))
}

/// The shortest national number anybody has; an extension is none.
const SHORTEST: usize = 7;

fn called_nationally(ours: &[&str], digits: &str) -> Option<usize> {
    let number = digits.trim_start_matches('0');
    if number.len() < SHORTEST || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut ends_so = ours.iter().enumerate().filter(|(_, ours)| ours.ends_with(number));
    match (ends_so.next(), ends_so.next()) {
        (Some((line, _)), None) => Some(line),
        _ => None,
    }
}

/// Who calls: what the network asserts, before what the caller claims (RFC 3325).
pub fn calling(headers: &Headers, format: NumberFormat) -> (Option<PhoneNumber>, Option<String>) {
    let asserted = headers.name_addr("P-Asserted-Identity");
    let claimed = headers.name_addr("From");
    let number = |uri: &Uri| {
        let user = uri.user.as_deref()?.split(';').next()?;
        PhoneNumber::parse(&international(user, format)?).ok()
    };
    let from = asserted.iter().chain(&claimed).find_map(|addr| number(&addr.uri));
    let name = asserted.and_then(|addr| addr.display).or_else(|| claimed.and_then(|addr| addr.display));
    (from, name)
}

/// A caller's number with its country code. A national number is none: 4155550100 is San Francisco, not Switzerland.
/// Unless the trunk writes international numbers like that.
fn international(user: &str, format: NumberFormat) -> Option<String> {
    let is_north_american = user.len() == 11 && user.starts_with('1');
    let is_complete =
        format == NumberFormat::Digits && user.starts_with(|first| ('1'..='9').contains(&first));
    match user.strip_prefix("00") {
        Some(digits) => Some(format!("+{digits}")),
        None if user.starts_with('+') => Some(user.to_owned()),
        None => (is_complete || is_north_american).then(|| format!("+{user}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    const OURS: [&str; 3] = ["+14155550199", "+493012345678", "+443012345678"];

    fn invite(uri: &str, to: &str) -> Request {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:x@a>;tag=1\r\nTo: {to}\r\n\
             Call-ID: id\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        let Message::Request(request) = Message::parse(text.as_bytes()).unwrap() else { panic!() };
        request
    }

    #[test]
    fn the_number_that_is_called_is_found_however_it_is_written() {
        for (uri, to, line) in [
            ("sip:+14155550199@us", "<sip:x@us>", Some(0)),
            ("sip:14155550199@us", "<sip:x@us>", Some(0)),
            ("sip:+14155550199;npdi@us;user=phone", "<sip:x@us>", Some(0)),
            ("tel:+14155550199", "<sip:x@us>", Some(0)),
            ("sip:4155550199@us", "<sip:x@us>", Some(0)),
            ("sip:0014155550199@us", "<sip:x@us>", Some(0)),
            ("sip:account@us", "<sip:+493012345678@us>", Some(1)),
            // The end of two of ours.
            ("sip:03012345678@us", "<sip:x@us>", None),
            // What To says exactly comes before what the Request-URI may mean.
            ("sip:4155550199@us", "<sip:+443012345678@us>", Some(2)),
            ("sip:0199@us", "<sip:199@us>", None),
            ("sip:us", "<sip:us>", None),
        ] {
            assert_eq!(called(&OURS, &invite(uri, to)), line, "{uri} {to}");
        }
        let mut request = invite("sip:account@us", "<sip:account@us>");
        request.headers.push("P-Called-Party-ID", "<sip:+493012345678@us>");
        assert_eq!(called(&OURS, &request), Some(1));
    }

    #[test]
    fn who_calls_is_a_number_of_the_world_or_nobody() {
        use super::NumberFormat::{Digits, PlusE164};
        for (asserted, from, format, number) in [
            (None, "\"A\" <sip:+14155550100@a>", PlusE164, Some("+14155550100")),
            (Some("<tel:+493012345678>"), "<sip:+14155550100@a>", PlusE164, Some("+493012345678")),
            (Some("<sip:anonymous@a>"), "<sip:+14155550100@a>", PlusE164, Some("+14155550100")),
            (None, "<sip:14155550100@a>", PlusE164, Some("+14155550100")),
            (None, "<sip:4155550100@a>", PlusE164, None),
            (None, "<sip:493012345678@a>", PlusE164, None),
            (None, "<sip:493012345678@a>", Digits, Some("+493012345678")),
            (None, "<sip:00493012345678@a>", PlusE164, Some("+493012345678")),
            (None, "\"Anonymous\" <sip:anonymous@anonymous.invalid>", Digits, None),
        ] {
            let mut headers = Headers::default();
            headers.push("From", from);
            asserted.into_iter().for_each(|asserted| headers.push("P-Asserted-Identity", asserted));
            let (seen, _) = calling(&headers, format);
            assert_eq!(seen.as_ref().map(|seen| seen.as_e164()), number, "{asserted:?} {from}");
        }
    }

    #[test]
    fn each_trunk_is_told_who_calls_in_its_own_way() {
        use super::{FromUser as User, Identity as By, NumberFormat as Format};
        let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
        let number = "\"Us\" <sip:+14155550199@sip.example.com>";
        let digits = "\"Us\" <sip:14155550199@sip.example.com>";
        let account = "\"Us\" <sip:alice@sip.example.com>";
        let asserted = ("P-Asserted-Identity", number);
        let hidden = ("Privacy", "id");
        for (from_user, identity, format, from, headers) in [
            (User::Number, By::From, Format::PlusE164, number, &[][..]),
            (User::Number, By::From, Format::Digits, digits, &[]),
            (User::Number, By::Asserted, Format::PlusE164, number, &[asserted]),
            (User::Account, By::From, Format::PlusE164, account, &[]),
            (User::Account, By::Preferred, Format::Digits, account, &[("P-Preferred-Identity", digits)]),
            (User::Anonymous, By::Asserted, Format::PlusE164, anonymous, &[asserted, hidden]),
        ] {
            let mut trunk = Trunk::peer("t", "sip.example.com:5080".parse().unwrap());
            trunk.username = Some("alice".into());
            (trunk.from_user, trunk.identity, trunk.number_format) = (from_user, identity, format);
            let caller = caller(&trunk, "+14155550199", Some("Us"));
            assert_eq!(caller.from, from);
            let named: Vec<_> = caller.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(named, headers, "{from_user:?} {identity:?}");
        }
    }

    #[test]
    fn a_name_is_quoted_and_may_be_missing() {
        let trunk = Trunk::peer("t", "[2001:db8::1]".parse().unwrap());
        let from = |name| caller(&trunk, "+14155550199", name).from;
        assert_eq!(from(None), "<sip:+14155550199@[2001:db8::1]>");
        assert_eq!(from(Some("A \"B\"")), "\"A \\\"B\\\"\" <sip:+14155550199@[2001:db8::1]>");
    }
}

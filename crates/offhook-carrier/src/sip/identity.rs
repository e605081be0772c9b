//! Who calls whom, as a trunk wants it written: From, To, and the number in a header of its own (RFC 3261 §8.1.1,
//! RFC 3323, RFC 3325).

use super::config::{FromUser, Identity, NumberFormat, Trunk};
use super::uri::quote;

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

#[cfg(test)]
mod tests {
    use super::*;

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

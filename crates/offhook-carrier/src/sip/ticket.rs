//! What is written down of a call so that another process of ours can hang it up, should this one be killed.
//!
//! Text, and opaque to everybody else. It holds neither session descriptions nor credentials: keys are of no use to
//! a hang-up, and a challenge is answered afresh.

use std::net::SocketAddr;

use super::config::Transport;
use super::dialog::Dialog;
use super::message::{Method, Request};
use super::net::Flow;
use super::uri::Uri;

const VERSION: &str = "offhook-sip/1";
/// No signalling that makes sense needs more; what is longer is not worth a place in every journal.
const MAX_LENGTH: usize = 8_192;

/// A call of another process, as far as a hang-up needs to know it.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// By name: the order in the configuration may change between two starts.
    pub trunk: String,
    /// Where its signalling last came from, or went to.
    pub far: Option<(Transport, SocketAddr)>,
    pub stage: Stage,
}

#[derive(Clone, Debug)]
pub enum Stage {
    /// An INVITE of ours without a final response: to be cancelled, never to be sent again.
    Pending(Request),
    /// To be ended with a BYE.
    Dialog(Dialog),
}

impl Ticket {
    pub fn pending(trunk: &str, flow: &Flow, invite: &Request) -> Self {
        let mut reduced = Request::new(Method::Invite, invite.uri.clone());
        for name in ["Via", "Route", "From", "To", "Call-ID", "CSeq", "Contact"] {
            reduced.headers.copy(&invite.headers, name);
        }
        Self { trunk: trunk.to_owned(), far: Some(far(flow)), stage: Stage::Pending(reduced) }
    }

    pub fn dialog(trunk: &str, flow: Option<&Flow>, dialog: &Dialog) -> Self {
        Self { trunk: trunk.to_owned(), far: flow.map(far), stage: Stage::Dialog(dialog.clone()) }
    }

    /// `None` for what no far end in its right mind sends.
    pub fn to_text(&self) -> Option<String> {
        let mut text = Writer(VERSION.to_owned());
        text.line("trunk", &self.trunk);
        if let Some((transport, addr)) = self.far {
            text.line("far", &format!("{} {addr}", transport.name()));
        }
        match &self.stage {
            Stage::Pending(invite) => {
                let headers = &invite.headers;
                text.line("invite", &invite.uri.to_string());
                text.line("via", headers.first("Via")?);
                headers.fields("Route").for_each(|route| text.line("route", route));
                text.line("call-id", headers.call_id()?);
                text.line("local", headers.first("From")?);
                text.line("remote", headers.first("To")?);
                text.line("contact", headers.first("Contact").unwrap_or_default());
                text.line("seq", &headers.cseq()?.0.to_string());
            }
            Stage::Dialog(dialog) => {
                text.line("target", &dialog.target.to_string());
                dialog.routes.iter().for_each(|route| text.line("route", route));
                text.line("call-id", &dialog.call_id);
                text.line("local", &dialog.local);
                text.line("remote", &dialog.remote);
                text.line("remote-tag", &dialog.remote_tag);
                text.line("contact", &dialog.contact);
                text.line("seq", &dialog.local_seq.to_string());
            }
        }
        let lines = text.0;
        (lines.len() <= MAX_LENGTH && !lines.contains(['\r', '\0'])).then_some(lines)
    }

    /// `None` when it was written by a version that this one does not know.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH || text.contains(['\r', '\0']) {
            return None;
        }
        let mut lines = text.split('\n');
        if lines.next()? != VERSION {
            return None;
        }
        let lines = Reader(lines.map(|line| line.split_once(' ')).collect::<Option<_>>()?);
        let far = match lines.one("far") {
            Some(far) => {
                let (transport, addr) = far.split_once(' ')?;
                Some((Transport::parse(transport)?, addr.parse().ok()?))
            }
            None => None,
        };
        let stage = match lines.one("invite") {
            Some(uri) => Stage::Pending(lines.invite(uri)?),
            None => Stage::Dialog(lines.dialog()?),
        };
        Some(Self { trunk: lines.one("trunk")?.to_owned(), far, stage })
    }
}

/// The lines of a ticket, by name.
struct Reader<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Reader<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(have, _)| *have == name).map(|(_, value)| *value)
    }

    fn one(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn seq(&self) -> Option<u32> {
        self.one("seq")?.parse().ok()
    }

    fn invite(&self, uri: &str) -> Option<Request> {
        let mut invite = Request::new(Method::Invite, Uri::parse(uri)?);
        invite.headers.push("Via", self.one("via")?);
        self.all("route").for_each(|route| invite.headers.push("Route", route));
        invite.headers.push("From", self.one("local")?);
        invite.headers.push("To", self.one("remote")?);
        invite.headers.push("Call-ID", self.one("call-id")?);
        invite.headers.push("CSeq", format!("{} INVITE", self.seq()?));
        invite.headers.push("Contact", self.one("contact")?);
        Some(invite)
    }

    fn dialog(&self) -> Option<Dialog> {
        Some(Dialog {
            call_id: self.one("call-id")?.to_owned(),
            local: self.one("local")?.to_owned(),
            remote: self.one("remote")?.to_owned(),
            remote_tag: self.one("remote-tag")?.to_owned(),
            contact: self.one("contact")?.to_owned(),
            target: Uri::parse(self.one("target")?)?,
            routes: self.all("route").map(str::to_owned).collect(),
            local_seq: self.seq()?,
            remote_seq: None,
        })
    }
}

/// One `name value` a line. A line break inside a value would become a line of its own, so it becomes a space.
struct Writer(String);

impl Writer {
    fn line(&mut self, name: &str, value: &str) {
        self.0.push('\n');
        self.0.push_str(name);
        self.0.push(' ');
        self.0.extend(value.chars().map(|c| if c == '\n' { ' ' } else { c }));
    }
}

fn far(flow: &Flow) -> (Transport, SocketAddr) {
    (flow.transport, flow.remote)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dialog() -> Dialog {
        Dialog {
            call_id: "id@host".into(),
            local: "\"Us, here\" <sip:us@example.com>;tag=us".into(),
            remote: "<sip:them@example.com>;tag=them".into(),
            remote_tag: "them".into(),
            contact: "<sip:us@192.0.2.1>".into(),
            target: Uri::parse("sip:them@192.0.2.9:5070;transport=tcp").unwrap(),
            routes: vec!["<sip:p1.example;lr>".into(), "\"P\" <sip:p2.example;lr>".into()],
            local_seq: 7,
            remote_seq: Some(3),
        }
    }

    fn flow() -> Flow {
        Flow::datagram(0, "[2001:db8::1]:5060".parse().unwrap())
    }

    #[test]
    fn a_dialog_comes_back_as_it_was_written() {
        let text = Ticket::dialog("far away", Some(&flow()), &dialog()).to_text().unwrap();
        let ticket = Ticket::parse(&text).unwrap();
        assert_eq!((ticket.trunk.as_str(), ticket.far), ("far away", Some((Transport::Udp, flow().remote))));
        assert_eq!(ticket.to_text().as_deref(), Some(text.as_str()));
        let Stage::Dialog(mut again) = ticket.stage else { panic!("{text}") };
        assert_eq!(again.request(Method::Bye).to_bytes(), dialog().request(Method::Bye).to_bytes());
    }

    #[test]
    fn an_invite_comes_back_without_what_is_secret() {
        let mut invite = Request::new(Method::Invite, Uri::parse("sip:them@example.com").unwrap());
        for (name, value) in [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone;rport"),
            ("Route", "<sip:proxy.example;lr>"),
            ("From", "<sip:us@example.com>;tag=us"),
            ("To", "<sip:them@example.com>"),
            ("Call-ID", "id"),
            ("CSeq", "2 INVITE"),
            ("Contact", "<sip:us@192.0.2.1>"),
            ("Authorization", "Digest response=\"secret\""),
        ] {
            invite.headers.push(name, value);
        }
        let invite = invite.with_body("application/sdp", "a=crypto:1 inline:secret");
        let text = Ticket::pending("far", &flow(), &invite).to_text().unwrap();
        assert!(!text.contains("secret"), "{text}");
        let Stage::Pending(again) = Ticket::parse(&text).unwrap().stage else { panic!("{text}") };
        for name in ["Via", "Route", "From", "To", "Call-ID", "CSeq", "Contact"] {
            assert_eq!(again.headers.first(name), invite.headers.first(name), "{name}");
        }
        assert_eq!(again.uri, invite.uri);
    }

    #[test]
    fn a_far_end_can_add_no_lines() {
        let mut evil = dialog();
        evil.remote = "<sip:them@example.com>;tag=a\ntarget sip:somebody@else".into();
        let text = Ticket::dialog("far", None, &evil).to_text().unwrap();
        let Stage::Dialog(again) = Ticket::parse(&text).unwrap().stage else { panic!("{text}") };
        assert_eq!(again.target, dialog().target);
        evil.remote = "x".repeat(MAX_LENGTH);
        assert_eq!(Ticket::dialog("far", None, &evil).to_text(), None);
    }

    #[test]
    fn what_another_version_wrote_is_not_guessed_at() {
        let text = Ticket::dialog("far", None, &dialog()).to_text().unwrap();
        for wrong in ["", "offhook-sip/2", &text.replace("sip/1", "sip/2"), &text.replace("seq 7", "seq x")] {
            assert!(Ticket::parse(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(lines in prop::collection::vec("(trunk|far|invite|via|seq|target) .{0,20}", 0..9)) {
            let _ = Ticket::parse(&format!("{VERSION}\n{}", lines.join("\n")));
        }
    }
}

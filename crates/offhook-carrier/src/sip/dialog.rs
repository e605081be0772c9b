//! Dialogs (RFC 3261 §12): who talks to whom, by which route, and with which sequence numbers.

use std::fmt;

use super::message::{Headers, Method, Request, Response};
use super::uri::{NameAddr, Scheme, Uri};

/// One dialog, seen from our side.
#[derive(Clone)]
pub struct Dialog {
    pub call_id: String,
    /// The From of requests we send, with our tag.
    pub local: String,
    /// The To of requests we send, with the far end's tag.
    pub remote: String,
    pub remote_tag: String,
    /// Our Contact header.
    pub contact: String,
    pub target: Uri,
    pub routes: Vec<String>,
    pub local_seq: u32,
    pub remote_seq: Option<u32>,
}

/// What a request received inside a dialog is by its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    InOrder,
    /// Older than one we have seen: refuse it with 500.
    Late,
}

impl Dialog {
    /// Of an INVITE we sent and a response to it.
    pub fn of_response(invite: &Request, response: &Response) -> Option<Self> {
        let headers = &response.headers;
        let routes: Vec<String> = headers.list("Record-Route").map(str::to_owned).collect();
        Some(Self {
            call_id: headers.call_id()?.to_owned(),
            local: invite.headers.first("From")?.to_owned(),
            remote: headers.first("To")?.to_owned(),
            // A far end of RFC 2543 may have none (RFC 3261 §12.1.2).
            remote_tag: headers.to_tag().unwrap_or_default(),
            contact: invite.headers.first("Contact")?.to_owned(),
            // There has to be one. Who was called is there to be hung up on all the same.
            target: contact(headers).unwrap_or_else(|| invite.uri.clone()),
            routes: routes.into_iter().rev().collect(),
            local_seq: invite.headers.cseq()?.0,
            remote_seq: None,
        })
    }

    /// Of an INVITE we received and are about to answer with `local_tag`.
    pub fn of_request(invite: &Request, local_tag: &str, contact: String) -> Option<Self> {
        let headers = &invite.headers;
        let target = self::contact(headers)?;
        Some(Self {
            call_id: headers.call_id()?.to_owned(),
            local: format!("{};tag={local_tag}", headers.first("To")?),
            remote: headers.first("From")?.to_owned(),
            remote_tag: headers.from_tag().unwrap_or_default(),
            contact,
            target,
            routes: headers.list("Record-Route").map(str::to_owned).collect(),
            local_seq: 0,
            remote_seq: Some(headers.cseq()?.0),
        })
    }

    /// A new request inside the dialog.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_seq += 1;
        let seq = self.local_seq;
        let mut request = self.bare(method, seq);
        if matches!(request.method, Method::Invite | Method::Update) {
            request.headers.push("Contact", self.contact.clone());
        }
        request
    }

    /// The ACK of a 2xx to the INVITE with this sequence number, carrying that INVITE's credentials.
    pub fn ack(&self, invite: &Request) -> Request {
        let seq = invite.headers.cseq().map_or(self.local_seq, |(seq, _)| seq);
        let mut ack = self.bare(Method::Ack, seq);
        ack.headers.copy(&invite.headers, "Authorization");
        ack.headers.copy(&invite.headers, "Proxy-Authorization");
        ack
    }

    fn bare(&self, method: Method, seq: u32) -> Request {
        let (uri, routes) = self.path();
        let mut request = Request::new(method, uri);
        for route in routes {
            request.headers.push("Route", route);
        }
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", self.local.clone());
        request.headers.push("To", self.remote.clone());
        request.headers.push("Call-ID", self.call_id.clone());
        request.headers.push("CSeq", format!("{seq} {}", request.method));
        request
    }

    /// Request-URI and Route headers; a strict router gets itself as the Request-URI (RFC 3261 §12.2.1.1).
    fn path(&self) -> (Uri, Vec<String>) {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route));
        match first {
            Some(strict) if !strict.uri.has_param("lr") => {
                let mut routes: Vec<String> = self.routes[1..].to_vec();
                routes.push(format!("<{}>", self.target));
                (strict.uri, routes)
            }
            _ => (self.target.clone(), self.routes.clone()),
        }
    }

    /// Where requests go: the first route, or else the remote target.
    pub fn next_hop(&self) -> Uri {
        self.routes
            .first()
            .and_then(|route| NameAddr::parse(route))
            .map_or_else(|| self.target.clone(), |route| route.uri)
    }

    pub fn has_routes(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Take note of a request received inside the dialog.
    pub fn received(&mut self, request: &Request) -> Order {
        let Some((seq, _)) = request.headers.cseq() else { return Order::Late };
        if self.remote_seq.is_some_and(|last| seq <= last) {
            return Order::Late;
        }
        self.remote_seq = Some(seq);
        Order::InOrder
    }

    /// A target refresh (re-INVITE or UPDATE, or its 2xx) may move the remote target.
    pub fn retarget(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = target;
        }
    }
}

/// Without what names people.
impl fmt::Debug for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialog")
            .field("call_id", &self.call_id)
            .field("remote_tag", &self.remote_tag)
            .field("target", &self.target)
            .field("local_seq", &self.local_seq)
            .field("remote_seq", &self.remote_seq)
            .finish_non_exhaustive()
    }
}

/// Where its sender wants requests of the dialog: an address of SIP, or none.
pub fn contact(headers: &Headers) -> Option<Uri> {
    let contact = headers.list("Contact").next().and_then(NameAddr::parse)?;
    (contact.uri.scheme != Scheme::Tel).then_some(contact.uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    fn request(text: &str) -> Request {
        let Message::Request(request) = Message::parse(text.replace('\n', "\r\n").as_bytes()).unwrap() else {
            panic!()
        };
        request
    }

    fn response(text: &str) -> Response {
        let Message::Response(response) = Message::parse(text.replace('\n', "\r\n").as_bytes()).unwrap()
        else {
            panic!()
        };
        response
    }

    const INVITE: &str = "INVITE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP c;branch=z9hG4bKa\nFrom: <sip:a@example.com>;tag=us\n\
        To: <sip:b@example.com>\nCall-ID: id\nCSeq: 7 INVITE\nContact: <sip:a@192.0.2.1>\nAuthorization: Digest x\n\n";

    fn ok(extra: &str) -> Response {
        response(&format!(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP c;branch=z9hG4bKa\nFrom: <sip:a@example.com>;tag=us\n\
             To: <sip:b@example.com>;tag=them\nCall-ID: id\nCSeq: 7 INVITE\nContact: <sip:b@192.0.2.9:5070>\n{extra}\n"
        ))
    }

    #[test]
    fn the_route_of_a_caller_is_the_record_route_reversed() {
        let extra =
            "Record-Route: <sip:p3.example;lr>, <sip:p2.example;lr>\nRecord-Route: <sip:p1.example;lr>\n";
        let mut dialog = Dialog::of_response(&request(INVITE), &ok(extra)).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:b@192.0.2.9:5070");
        let routes: Vec<_> = bye.headers.list("Route").collect();
        assert_eq!(routes, ["<sip:p1.example;lr>", "<sip:p2.example;lr>", "<sip:p3.example;lr>"]);
        assert_eq!(bye.headers.cseq(), Some((8, Method::Bye)));
        assert_eq!(dialog.next_hop().host, "p1.example");
    }

    #[test]
    fn the_ack_has_the_number_and_the_credentials_of_its_invite() {
        let invite = request(INVITE);
        let mut dialog = Dialog::of_response(&invite, &ok("")).unwrap();
        dialog.request(Method::Options);
        let ack = dialog.ack(&invite);
        assert_eq!(ack.headers.cseq(), Some((7, Method::Ack)));
        assert_eq!(ack.headers.first("Authorization"), Some("Digest x"));
        assert_eq!(ack.headers.to_tag().as_deref(), Some("them"));
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri() {
        let mut dialog =
            Dialog::of_response(&request(INVITE), &ok("Record-Route: <sip:old.example>\n")).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:old.example");
        assert_eq!(bye.headers.list("Route").collect::<Vec<_>>(), ["<sip:b@192.0.2.9:5070>"]);
    }

    #[test]
    fn a_far_end_that_says_too_little_can_still_be_hung_up_on() {
        let whole = ok("").headers;
        for missing in ["Contact", "To"] {
            let mut ok = ok("");
            ok.headers.remove(missing);
            if missing == "To" {
                ok.headers.push("To", "<sip:b@example.com>");
            }
            let mut dialog = Dialog::of_response(&request(INVITE), &ok).unwrap();
            let bye = dialog.request(Method::Bye);
            let target = contact(&ok.headers).map_or("sip:b@example.com".into(), |uri| uri.to_string());
            assert_eq!(
                (bye.uri.to_string(), bye.headers.to_tag()),
                (target, ok.headers.to_tag()),
                "{missing}"
            );
        }
        for contact in ["<tel:+14155550100>", "*", "<sip:>"] {
            let mut ok = Response { headers: whole.clone(), ..ok("") };
            ok.headers.set("Contact", contact);
            let dialog = Dialog::of_response(&request(INVITE), &ok).unwrap();
            assert_eq!(dialog.target.to_string(), "sip:b@example.com", "{contact}");
        }
    }

    #[test]
    fn an_inbound_dialog_answers_under_its_own_tag() {
        let invite = request(&INVITE.replace("Contact:", "Record-Route: <sip:p1;lr>, <sip:p2;lr>\nContact:"));
        let mut dialog = Dialog::of_request(&invite, "mine", "<sip:me@192.0.2.5>".into()).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.headers.from_tag().as_deref(), Some("mine"));
        assert_eq!(bye.headers.to_tag().as_deref(), Some("us"));
        assert_eq!(bye.headers.list("Route").collect::<Vec<_>>(), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(dialog.received(&invite), Order::Late);
        assert_eq!(dialog.received(&request(&INVITE.replace("7 INVITE", "9 INVITE"))), Order::InOrder);
    }
}

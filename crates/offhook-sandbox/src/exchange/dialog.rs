//! A dialog (RFC 3261 §12): its identity, and the requests sent inside it.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::sip::response::Asked;
use crate::sip::{Message, Method, Mistake, NameAddr, Request, Uri, Via};

#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: Option<String>,
    /// From of our requests, with our tag.
    pub local: String,
    /// To of our requests, with the far side's tag once known.
    pub remote: String,
    /// Our own Contact.
    pub contact: String,
    pub remote_target: String,
    pub routes: Vec<String>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    pub peer: SocketAddr,
    /// The route the far side must send by, when the exchange asked to stay in the path.
    pub record_route: Option<String>,
}

impl Dialog {
    /// The dialog an INVITE makes when it is answered with `local_tag`.
    pub fn answering(request: &Request, local_tag: String, contact: String, source: SocketAddr) -> Self {
        let message = &request.message;
        Self {
            call_id: request.call_id.clone(),
            local: format!("{};tag={local_tag}", message.header("to").unwrap_or_default()),
            local_tag,
            remote_tag: Some(request.from_tag.clone()),
            remote: message.header("from").unwrap_or_default().to_owned(),
            contact,
            remote_target: request.contact.as_ref().map(|c| c.uri.text.clone()).unwrap_or_default(),
            routes: message.list("record-route").into_iter().map(str::to_owned).collect(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq.number),
            peer: source,
            record_route: None,
        }
    }

    pub fn matches(&self, request: &Request) -> bool {
        self.call_id == request.call_id
            && request.to_tag.as_deref() == Some(self.local_tag.as_str())
            && self.remote_tag.as_deref() == Some(request.from_tag.as_str())
    }

    /// Takes what a 2xx to our INVITE says (RFC 3261 §12.1.2).
    pub fn established(&mut self, response: &Message, to: &str, contact: Option<&NameAddr>) {
        self.remote = to.to_owned();
        self.remote_tag = NameAddr::parse(to).and_then(|to| to.tag().map(str::to_owned));
        self.routes = response.list("record-route").into_iter().rev().map(str::to_owned).collect();
        if let Some(contact) = contact {
            self.remote_target = contact.uri.text.clone();
        }
    }

    /// The rules of a request inside the dialog, beyond those of any request.
    pub fn check(&mut self, request: &Request) -> Result<(), Mistake> {
        let number = request.cseq.number;
        // An ACK carries the number of its INVITE; any other number counts, even of a request that is refused.
        let last = match request.method {
            Method::Ack => None,
            _ => self.remote_cseq.replace(number.max(self.remote_cseq.unwrap_or(0))),
        };
        let own = Uri::parse(&self.contact);
        if own.is_some_and(|own| !own.same_target(&request.uri)) {
            let detail = format!("the {} goes to another URI than our Contact", request.method);
            return Err(Mistake::new(400, "dialog.remote_target", detail));
        }
        let routes = request.message.list("route");
        let expected: Vec<&str> = self.record_route.iter().map(String::as_str).collect();
        if routes != expected {
            return Err(Mistake::new(400, "dialog.route", "Route is not the route set of the dialog"));
        }
        match last {
            Some(last) if number <= last => {
                Err(Mistake::new(500, "cseq.order", format!("CSeq {number} after {last}")))
            }
            Some(last) if number != last + 1 => {
                Err(Mistake::new(400, "cseq.step", format!("CSeq {number} after {last}, not one more")))
            }
            _ => Ok(()),
        }
    }

    /// A request of ours. ACK and CANCEL pass the number of their INVITE, and CANCEL its branch.
    pub fn request(
        &mut self,
        method: Method,
        addr: SocketAddr,
        branch: String,
        cseq: Option<u32>,
        headers: &[(&str, &str)],
        sdp: Option<&str>,
    ) -> (Asked, Vec<u8>) {
        let cseq = cseq.unwrap_or_else(|| {
            self.local_cseq += 1;
            self.local_cseq
        });
        let mut text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {addr};branch={branch};rport\r\n",
            self.remote_target
        );
        for route in &self.routes {
            let _ = write!(text, "Route: {route}\r\n");
        }
        let _ = write!(
            text,
            "Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            self.local, self.remote, self.call_id
        );
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if method == Method::Invite {
            let _ = write!(text, "Contact: <{}>\r\nAllow: {}\r\n", self.contact, Method::ALLOWED);
        }
        if sdp.is_some() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let body = sdp.unwrap_or_default();
        let _ = write!(text, "User-Agent: {}\r\nContent-Length: {}\r\n\r\n{body}", crate::SERVER, body.len());
        let asked = Asked {
            call_id: self.call_id.clone(),
            from: self.local.clone(),
            to: self.remote.clone(),
            cseq,
            method,
            branch,
        };
        (asked, text.into_bytes())
    }

    pub fn branch(token: &str) -> String {
        format!("{}{token}", Via::COOKIE)
    }
}

//! Ways in for the fuzzer: each takes bytes as the network gives them, and may neither panic nor loop.

use super::config::NumberFormat;
use super::digest::{Challenge, Credentials, Subject};
use super::message::{Message, Request, Response};
use super::session_timer;
use super::stream::{Framer, Piece};
use super::{dialog, identity, reason, uri, usage};

/// A datagram, and the same bytes as a stream.
pub fn message(bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes) {
        read(&message);
    }
    let mut framer = Framer::default();
    for part in bytes.chunks(7) {
        framer.buffer().extend_from_slice(part);
        while let Ok(Some(piece)) = framer.next_piece() {
            if let Piece::Message(bytes) = piece {
                let _ = Message::parse(&bytes);
            }
        }
    }
}

/// One challenge of a 401 or 407, answered.
pub fn challenge(field: &str) {
    let who = Credentials { username: "user".into(), password: "secret".to_owned().into(), realm: None };
    let about = Subject { method: "INVITE", uri: "sip:a@b", body: b"v=0" };
    if let Some(challenge) = Challenge::parse(field, false) {
        let _ = challenge.answer(&who, about, "cnonce", 1);
    }
}

/// Whatever the agent reads of a message, from headers that may hold anything.
fn read(message: &Message) {
    let headers = message.headers();
    let _ = (reason::q850(headers), session_timer::settled(headers, std::time::Instant::now()));
    let _ = (reason::warning(headers), dialog::contact(headers), usage::unsupported(headers));
    let _ = (identity::calling(headers, NumberFormat::Digits), format!("{message:?}"));
    for (_, value) in headers.iter() {
        let _ = (uri::NameAddr::parse(value), uri::Uri::parse(value), uri::unquote(value));
        let _ = uri::split_list(value).count();
    }
    match message {
        Message::Request(request) => read_request(request),
        Message::Response(response) => read_response(response),
    }
}

fn read_request(request: &Request) {
    let _ = identity::called(&["+14155550199"], request);
    let _ = (request.sdp(), request.response(200, "tag").with_body(usage::SDP, "v=0").to_bytes());
    if let Some(mut dialog) = dialog::Dialog::of_request(request, "tag", "<sip:a@b>".into()) {
        let _ = (dialog.next_hop(), dialog.received(request), dialog.ack(request).to_bytes());
    }
}

fn read_response(response: &Response) {
    let who = Credentials { username: "user".into(), password: "secret".to_owned().into(), realm: None };
    let _ = (response.sdp(), response.to_bytes(), super::digest::choose(response, &who));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// What a header can hold, in every order.
    const PIECES: [&str; 24] = [
        "\"", "\\", "<", ">", ",", ";", "=", ":", "@", " ", "\t", "sip:", "a", "%", "%4", "[", "]", "tag",
        "é", "Digest ", "nonce", "realm", "qop", "0",
    ];

    fn value() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_header_value_is_too_odd(value in value(), header in prop::sample::select(vec![
            "From", "To", "Via", "Contact", "Require", "Warning", "P-Asserted-Identity", "P-Called-Party-ID", "Record-Route", "WWW-Authenticate", "Reason", "Session-Expires", "CSeq",
        ]), response in any::<bool>()) {
            let start = if response { "SIP/2.0 401 Who" } else { "INVITE sip:a@b SIP/2.0" };
            let mut text = format!("{start}\r\n{header}: {value}\r\n");
            for line in ["Via: SIP/2.0/UDP a;branch=b", "From: <sip:a@b>;tag=1", "To: <sip:a@b>", "Call-ID: x", "CSeq: 1 INVITE"] {
                if !line.starts_with(header) {
                    text.push_str(line);
                    text.push_str("\r\n");
                }
            }
            super::message(format!("{text}\r\n").as_bytes());
            super::challenge(&value);
        }
    }
}

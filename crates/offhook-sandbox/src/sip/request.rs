//! The rules every request is held to, whatever its method (RFC 3261 §8.1.1, §8.2, §20).

use super::{CSeq, Message, Method, Mistake, NameAddr, Start, Uri, Via};

/// A request that broke no rule of form.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub via: Via,
    pub from: NameAddr,
    pub from_tag: String,
    pub to_tag: Option<String>,
    pub call_id: String,
    pub cseq: CSeq,
    pub contact: Option<NameAddr>,
    pub message: Message,
}

/// Headers that stand at most once.
const SINGLE: [&str; 9] = [
    "from",
    "to",
    "call-id",
    "cseq",
    "max-forwards",
    "content-length",
    "content-type",
    "session-expires",
    "min-se",
];

const EXTENSIONS: [&str; 1] = ["timer"];

impl Request {
    pub fn check(message: &Message) -> Result<Self, Mistake> {
        let Start::Request { method, uri, version } = &message.start else {
            return Err(Mistake::new(400, "sip.start_line", "a request was expected"));
        };
        if version != "SIP/2.0" {
            return Err(Mistake::new(505, "sip.version", format!("the version is {version}")));
        }
        let via = check_via(message)?;
        for name in SINGLE {
            if message.count(name) > 1 {
                return Err(Mistake::new(400, "header.repeated", format!("{name} stands more than once")));
            }
        }
        let from = name_addr(message, "from")?;
        let from_tag = from.tag().map(str::to_owned);
        let from_tag = from_tag.ok_or_else(|| Mistake::new(400, "from.tag", "From has no tag"))?;
        let to = name_addr(message, "to")?;
        let to_tag = to.tag().map(str::to_owned);
        let call_id = required(message, "call-id")?.to_owned();
        let cseq = CSeq::parse(required(message, "cseq")?).ok_or_else(|| {
            Mistake::new(400, "cseq.syntax", "CSeq is not a number below 2**31 and a method")
        })?;
        if cseq.method != *method {
            return Err(Mistake::new(400, "cseq.method", format!("CSeq says {}, not {method}", cseq.method)));
        }
        check_max_forwards(message, method)?;
        if let Some(status) = method.refusal() {
            return Err(Mistake::new(status, "method", format!("{method} is not served")));
        }
        let uri = check_uri(uri)?;
        let contact = check_contact(message, method)?;
        check_body(message)?;
        check_require(message, method)?;
        Ok(Self {
            method: method.clone(),
            uri,
            via,
            from,
            from_tag,
            to_tag,
            call_id,
            cseq,
            contact,
            message: message.clone(),
        })
    }

    pub fn body(&self) -> &[u8] {
        body(&self.message)
    }

    /// What is good practice rather than law: recorded, never refused.
    pub fn house_rules(&self) -> Vec<Mistake> {
        let mut broken = Vec::new();
        if !self.via.params.has("rport") {
            broken.push(Mistake::new(200, "via.rport", "Via does not ask for rport (RFC 3581)"));
        }
        if self.message.header("content-length").is_none() {
            broken.push(Mistake::new(200, "content_length.missing", "there is no Content-Length"));
        }
        if self.method == Method::Invite && self.message.header("allow").is_none() {
            broken.push(Mistake::new(200, "invite.allow", "the INVITE has no Allow"));
        }
        broken
    }
}

/// The body as Content-Length cuts it.
pub fn body(message: &Message) -> &[u8] {
    let declared = message.header("content-length").and_then(|len| len.parse().ok());
    &message.body[..declared.unwrap_or(message.body.len()).min(message.body.len())]
}

fn required<'a>(message: &'a Message, name: &'static str) -> Result<&'a str, Mistake> {
    message
        .header(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Mistake::new(400, "header.missing", format!("there is no {name}")))
}

fn name_addr(message: &Message, name: &'static str) -> Result<NameAddr, Mistake> {
    NameAddr::parse(required(message, name)?)
        .ok_or_else(|| Mistake::new(400, "header.syntax", format!("{name} is not an address")))
}

fn check_via(message: &Message) -> Result<Via, Mistake> {
    required(message, "via")?;
    let mut top = None;
    for via in message.list("via") {
        let via = Via::parse(via).ok_or_else(|| Mistake::new(400, "via.syntax", "Via cannot be read"))?;
        top.get_or_insert(via);
    }
    let top = top.ok_or_else(|| Mistake::new(400, "header.missing", "there is no via"))?;
    if !top.transport.eq_ignore_ascii_case("UDP") {
        return Err(Mistake::new(400, "via.transport", format!("came by UDP, Via says {}", top.transport)));
    }
    match top.branch() {
        Some(branch) if branch.len() > Via::COOKIE.len() && branch.starts_with(Via::COOKIE) => Ok(top),
        Some(_) => Err(Mistake::new(400, "via.branch", "the branch does not begin with z9hG4bK")),
        None => Err(Mistake::new(400, "via.branch", "Via has no branch")),
    }
}

fn check_max_forwards(message: &Message, method: &Method) -> Result<(), Mistake> {
    let value = required(message, "max-forwards")?;
    match value.parse::<u8>() {
        Ok(0) if *method != Method::Ack => Err(Mistake::new(483, "max_forwards.zero", "no hop is left")),
        Ok(_) => Ok(()),
        Err(_) => Err(Mistake::new(400, "max_forwards.syntax", "Max-Forwards is not between 0 and 255")),
    }
}

fn check_uri(text: &str) -> Result<Uri, Mistake> {
    if text.starts_with('<') {
        return Err(Mistake::new(400, "uri.syntax", "the Request-URI stands in angle brackets"));
    }
    let uri =
        Uri::parse(text).ok_or_else(|| Mistake::new(400, "uri.syntax", "the Request-URI cannot be read"))?;
    match uri.scheme.as_str() {
        "sip" | "tel" => Ok(uri),
        scheme => Err(Mistake::new(416, "uri.scheme", format!("{scheme} is not served here"))),
    }
}

fn check_contact(message: &Message, method: &Method) -> Result<Option<NameAddr>, Mistake> {
    let contacts = message.list("contact");
    if *method == Method::Register && contacts == ["*"] {
        return Ok(None);
    }
    let mut parsed = Vec::new();
    for contact in &contacts {
        let contact = NameAddr::parse(contact).filter(|contact| contact.uri.scheme.starts_with("sip"));
        parsed.push(
            contact.ok_or_else(|| Mistake::new(400, "contact.syntax", "Contact is not a SIP address"))?,
        );
    }
    match (method, parsed.len()) {
        (Method::Invite | Method::Update, 0) => {
            Err(Mistake::new(400, "contact.missing", format!("the {method} has no Contact")))
        }
        (Method::Invite | Method::Update, 2..) => {
            Err(Mistake::new(400, "contact.several", format!("the {method} has several Contacts")))
        }
        _ => Ok(parsed.into_iter().next()),
    }
}

fn check_body(message: &Message) -> Result<(), Mistake> {
    if let Some(declared) = message.header("content-length") {
        let declared: usize = declared
            .parse()
            .map_err(|_| Mistake::new(400, "content_length.syntax", "Content-Length is not a number"))?;
        if declared != message.body.len() {
            let detail = format!("Content-Length says {declared}, the body has {}", message.body.len());
            return Err(Mistake::new(400, "content_length.wrong", detail));
        }
    }
    if body(message).is_empty() {
        return Ok(());
    }
    let kind = message.header("content-type");
    let kind =
        kind.ok_or_else(|| Mistake::new(400, "content_type.missing", "a body without Content-Type"))?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/sdp") {
        return Err(Mistake::new(415, "content_type.unsupported", format!("the body is {kind}")));
    }
    match message.header("content-encoding") {
        None => Ok(()),
        Some("identity") => Ok(()),
        Some(coding) => Err(Mistake::new(415, "content_encoding", format!("the body is coded as {coding}"))),
    }
}

fn check_require(message: &Message, method: &Method) -> Result<(), Mistake> {
    let required = [message.list("require"), message.list("proxy-require")].concat();
    if *method == Method::Cancel && !required.is_empty() {
        return Err(Mistake::new(400, "cancel.require", "a CANCEL has Require or Proxy-Require"));
    }
    // RFC 3261 §8.2.2.3: Require of an ACK for 2xx only repeats the INVITE's.
    if *method == Method::Ack {
        return Ok(());
    }
    let unknown: Vec<&str> = required.into_iter().filter(|tag| !EXTENSIONS.contains(tag)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Mistake::new(420, "require", unknown.join(", "))) }
}

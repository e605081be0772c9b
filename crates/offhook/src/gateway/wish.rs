//! A wish for a call, parsed: every field checked, in the contract's order.

use offhook_core::brief::check::holds_secret;
use offhook_core::brief::{self, Brief, Introduction, ResultField, Voicemail};
use offhook_core::policy::{Allow, Ask, Rule};
use offhook_core::{CallId, Fact, JournalEntry, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{CallRequest, Direction, NewCall, NewKey, Ties};
use rand::RngCore as _;

use super::{AccountPhoneError, PlaceCall, PlaceCallError, Settings, result_schema, schedule, stored};
use crate::admission::Admission;
use crate::webhooks::UrlError;

pub use offhook_core::brief::VOICES;

pub(super) struct Wish {
    pub ask: PlaceCall,
    pub to: PhoneNumber,
    pub from: Option<PhoneNumber>,
    /// Whom a live handoff connects.
    pub user: Option<PhoneNumber>,
    /// All whom the key that asks may have called; `None`: anybody.
    pub bound_to: Option<Vec<PhoneNumber>>,
    pub brief: Brief,
    /// What the call has to do with others.
    pub ties: Ties,
}

impl Wish {
    /// `account_phone`: where `loop_in_user` goes.
    pub fn parse(
        ask: PlaceCall,
        account_phone: Result<PhoneNumber, AccountPhoneError>,
        settings: &Settings,
        admission: &Admission,
    ) -> Result<Self, PlaceCallError> {
        required("to", &ask.to)?;
        required("task", &ask.task)?;
        let to = phone("to", &ask.to)?;
        let from = ask.from.as_deref().map(|from| phone("from", from)).transpose()?;
        let voice = ask.voice.clone().unwrap_or_else(|| VOICES[0].to_owned());
        let user = match check_voice(&voice).and_then(|()| user(&ask, account_phone)) {
            Ok(user) => user,
            // A number that may not be called at all is told first. Where nothing else is wrong that waits: a repeat
            // with its idempotency key is answered whatever the rules say by now.
            Err(error) => {
                return Err(admission.check_destination(&to, None).map_or_else(Into::into, |()| error));
            }
        };
        if let Some(url) = &ask.webhook_url {
            let refused = |error: UrlError| PlaceCallError::InvalidField {
                field: "webhook_url",
                why: error.to_string(),
            };
            settings.webhooks.reach.check(url).map_err(refused)?;
        }
        let fields = result_fields(&ask)?;
        if ask.supplied.is_some() && ask.follow_up_to.is_none() {
            let why = "needs follow_up_to: the call in which it was missing".to_owned();
            return Err(PlaceCallError::InvalidField { field: "supplied", why });
        }
        if settings.restrict_data {
            without_secrets(&ask)?;
        }
        let message = ask.voicemail_message.clone().filter(|message| !message.trim().is_empty());
        let brief = Brief {
            personality: ask.personality.clone(),
            // What is to be approved is the greeting.
            greeting: ask.greeting.clone().filter(|_| ask.approval.is_none()),
            voice,
            language: ask.language.clone().unwrap_or_else(|| settings.language.clone()),
            opening: settings.opening,
            disclosure: settings.disclosure,
            voicemail: message.map_or(Voicemail::HangUp, Voicemail::LeaveMessage),
            ask_owner: ask.ask_owner,
            handoff: user.as_ref().map(|_| introduction(&ask)),
            commit: ask.may_commit.clone().unwrap_or_default(),
            fields,
            mask_secrets: settings.mask_secrets,
            restrict_data: settings.restrict_data,
            role: ask.role,
            approval: ask.approval.clone(),
            name: settings.assistant_name.clone(),
            agents: agents(&ask, settings)?,
            findings: ask.findings.clone(),
            ..Brief::new(ask.task.clone())
        };
        Ok(Self { ask, to, from, user, bound_to: None, brief, ties: Ties::default() })
    }

    /// As the rules are asked.
    pub fn asked(&self) -> Ask<'_> {
        let line = self.from.as_ref();
        let handoff = self.user.as_ref();
        Ask { line, handoff, talk_limit: self.ask.max_duration, ..Ask::outbound(&self.to) }
    }

    /// When it is to be placed, where that is not now.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        self.ask.not_before.filter(|at| *at > now)
    }

    /// As it is written down when it is let in.
    pub fn new_call(&self, owner: OwnerId, minted: Option<NewKey>, allow: &Allow, now: Timestamp) -> NewCall {
        self.written(NewCall { minted, ..queued(owner, Direction::Outbound, self.request(), allow, now) })
    }

    fn request(&self) -> CallRequest {
        let from = self.from.as_ref().map(|from| from.as_e164().to_owned());
        CallRequest {
            to: self.to.as_e164().to_owned(),
            line: from.clone(),
            from,
            bridge_number: self.ask.bridge_number.clone(),
            user_number: self.user.as_ref().map(|user| user.as_e164().to_owned()),
            extra: stored::written(&self.ask),
            ..said_to(&self.brief)
        }
    }

    fn written(&self, new: NewCall) -> NewCall {
        NewCall {
            webhook_url: self.ask.webhook_url.clone(),
            idempotency: self.ask.idempotency.clone(),
            ties: self.ties.clone(),
            ..new
        }
    }
}

/// A call that is placed later, as it is written down now.
pub(super) fn scheduled(
    wish: &Wish,
    owner: OwnerId,
    minted: Option<NewKey>,
    ties: Ties,
    now: Timestamp,
) -> NewCall {
    let not_before = ties.not_before.unwrap_or(now);
    let new = begun(owner, Direction::Outbound, wish.request(), schedule::waits(not_before, now));
    NewCall { ties, ..wish.written(NewCall { minted, ..new }) }
}

/// What a call is written down with besides its numbers.
pub(super) fn said_to(brief: &Brief) -> CallRequest {
    CallRequest {
        task: brief.task.clone(),
        personality: brief.personality.clone(),
        greeting: brief.greeting.clone(),
        voice: brief.voice.clone(),
        language: brief.language.clone(),
        ..CallRequest::default()
    }
}

/// A call with its first fact: which rules let it in.
pub(super) fn queued(
    owner: OwnerId,
    direction: Direction,
    request: CallRequest,
    allow: &Allow,
    now: Timestamp,
) -> NewCall {
    let first = JournalEntry { seq: 1, at: now, fact: Fact::Queued { policy: allow.policy() } };
    begun(owner, direction, request, first)
}

/// A call that is not answered, with its first fact: the rule that refused it.
pub(super) fn turned_away(owner: OwnerId, request: CallRequest, rule: Rule, now: Timestamp) -> NewCall {
    let first = JournalEntry { seq: 1, at: now, fact: Fact::Queued { policy: rule.code().to_owned() } };
    begun(owner, Direction::Inbound, request, first)
}

fn begun(owner: OwnerId, direction: Direction, request: CallRequest, first: JournalEntry) -> NewCall {
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    NewCall {
        id: CallId::from_parts(first.at, random),
        owner,
        minted: None,
        idempotency: None,
        direction,
        request,
        webhook_url: None,
        ties: Ties::default(),
        queued_at: first.at,
        entries: vec![first],
    }
}

fn check_voice(voice: &str) -> Result<(), PlaceCallError> {
    if VOICES.contains(&voice) { Ok(()) } else { Err(PlaceCallError::InvalidVoice) }
}

/// Whom a live handoff connects; the account's own phone outranks a number of the request.
fn user(
    ask: &PlaceCall,
    account_phone: Result<PhoneNumber, AccountPhoneError>,
) -> Result<Option<PhoneNumber>, PlaceCallError> {
    match (ask.loop_in_user, ask.bridge_number.as_deref()) {
        (true, _) => Ok(Some(account_phone?)),
        (false, Some(number)) => phone("bridge_number", number).map(Some),
        (false, None) => Ok(None),
    }
}

fn introduction(ask: &PlaceCall) -> Introduction {
    if ask.warm_greeting.unwrap_or(true) { Introduction::Warm } else { Introduction::Straight }
}

/// Who may be asked on the call.
fn agents(ask: &PlaceCall, settings: &Settings) -> Result<Option<brief::Agents>, PlaceCallError> {
    let agents = settings.agents.for_call(&ask.agents);
    agents.map_err(|error| PlaceCallError::InvalidField { field: "agents", why: error.to_string() })
}

fn result_fields(ask: &PlaceCall) -> Result<Vec<ResultField>, PlaceCallError> {
    let Some(schema) = &ask.result_schema else { return Ok(Vec::new()) };
    let refused = |why| PlaceCallError::InvalidField { field: "result_schema", why };
    result_schema::fields(schema).map_err(refused)
}

/// Restricted data has no place in what the voice is told.
fn without_secrets(ask: &PlaceCall) -> Result<(), PlaceCallError> {
    let texts = [
        ("task", Some(&ask.task)),
        ("personality", ask.personality.as_ref()),
        ("greeting", ask.greeting.as_ref()),
        ("supplied", ask.supplied.as_ref()),
        ("voicemail.message", ask.voicemail_message.as_ref()),
    ];
    let holds = |(_, text): &(&'static str, Option<&String>)| text.is_some_and(|text| holds_secret(text));
    match texts.into_iter().find(holds) {
        Some((field, _)) => Err(PlaceCallError::InvalidField { field, why: RESTRICTED.to_owned() }),
        None => Ok(()),
    }
}

/// Why a text is refused where restricted data is.
pub(super) const RESTRICTED: &str = "\
holds a card number, a password, a code or an identity number, and this line takes none; have the user connected for that \
part instead";

fn required(field: &'static str, value: &str) -> Result<(), PlaceCallError> {
    if value.trim().is_empty() { Err(PlaceCallError::MissingField { field }) } else { Ok(()) }
}

fn phone(field: &'static str, text: &str) -> Result<PhoneNumber, PlaceCallError> {
    PhoneNumber::parse(text).map_err(|error| PlaceCallError::InvalidPhone { field, why: error.to_string() })
}

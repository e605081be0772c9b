//! One call as a state machine without IO: replies, callbacks, news of the audio connection, commands and time go in;
//! requests, and events for the leg, come out.
//!
//! Callbacks come in any order, several times, and before the reply to the request that caused them. A call that was
//! asked for and never heard of is watched until it is certain that it can't come up any more, and hung up if it does.

mod digits;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use offhook_core::call::DialFailure;
use offhook_core::{AudioFormat, EndReason, LegCommand, LegEvent, PhoneNumber};
use secrecy::SecretString;

use self::digits::Digits;
use super::client::{Done, Refusal, Reply};
use super::config::AcsTiming;
use super::event::{Event, Kind};
use super::request::{Create, Identifier, MediaOptions, Operation, Request};
use super::result::{Meaning, ResultInformation};
use super::ticket::Ticket;
use super::tone;

/// Ids of callbacks that are remembered, so that the same one counts once.
const REMEMBERED: usize = 64;
/// Of two events for one end, how long the one that says why may come after the other.
const GRACE: Duration = Duration::from_secs(1);
/// How long a call that came in can be answered at all.
const OFFER: Duration = Duration::from_secs(120);
/// How often a lost audio connection is asked for again.
const RESTARTS: u8 = 2;

/// What a call is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of its paths.
    pub reference: String,
    pub token: SecretString,
    pub callback_url: SecretString,
    pub media: MediaOptions,
    pub line: PhoneNumber,
    pub display_name: Option<String>,
    /// Whom keys are sent to; `None` as long as ACS has not named the caller.
    pub remote: Option<Identifier>,
    /// Whether audio comes over TLS.
    pub encrypted: bool,
    pub timing: AcsTiming,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    Ask(Request),
    Leg(LegEvent),
    Ticket(String),
    /// From now on only this connection is ours.
    Connection(String),
    /// The request for the call is not to be sent once more.
    CallOff,
    CloseMedia,
}

/// What is new with the audio connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaNews {
    Up(AudioFormat),
    Lost,
    /// What comes there can't be used.
    Unusable,
}

/// How ACS itself connects the other side with somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// Another phone rings for a call that is not answered yet.
    Redirect,
    /// The two are connected, and we are out of it.
    Transfer,
    /// Somebody joins the call.
    Invite,
}

#[derive(Debug)]
enum Phase {
    /// Somebody calls, and we have not said anything yet.
    Offered(SecretString),
    /// The call was asked for, and neither granted nor refused.
    Asking,
    /// It exists.
    Connecting,
    Connected {
        since: Instant,
    },
    /// Its end was asked for.
    Ending,
    /// It may exist: to be ended as soon as ACS names it.
    Watching {
        until: Instant,
    },
    Over,
}

#[derive(Clone, Copy, Debug)]
enum Media {
    Never,
    Up { heard_at: Instant },
    Lost { since: Instant },
}

#[derive(Debug)]
pub struct Call {
    plan: Plan,
    inbound: bool,
    phase: Phase,
    /// The callConnectionId.
    connection: Option<String>,
    hang_up: Option<EndReason>,
    /// The leg has heard its last.
    told_end: bool,
    answered: bool,
    /// When waiting for an answer, or for the end, is over.
    patience_until: Instant,
    /// An end whose reason may still come.
    unexplained: Option<(Instant, ResultInformation)>,
    seen: VecDeque<String>,
    media: Media,
    format: Option<AudioFormat>,
    media_told: bool,
    restarts: u8,
    digits: Digits,
    out: VecDeque<Output>,
}

impl Call {
    fn new(plan: Plan, inbound: bool, phase: Phase, patience_until: Instant) -> Self {
        Self {
            plan,
            inbound,
            phase,
            connection: None,
            hang_up: None,
            told_end: false,
            answered: false,
            patience_until,
            unexplained: None,
            seen: VecDeque::new(),
            media: Media::Never,
            format: None,
            media_told: false,
            restarts: 0,
            digits: Digits::default(),
            out: VecDeque::new(),
        }
    }

    /// Call somebody.
    pub fn dial(now: Instant, plan: Plan, to: &PhoneNumber) -> Self {
        let patience_until = now + plan.timing.setup;
        let mut call = Self::new(plan, false, Phase::Asking, patience_until);
        call.write_pending_ticket();
        let request = Request::create(&Create {
            to,
            from: &call.plan.line,
            display_name: call.plan.display_name.as_deref(),
            context: &call.plan.reference,
            callback_url: &call.plan.callback_url,
            media: &call.plan.media,
        });
        call.out.push_back(Output::Ask(request));
        call
    }

    /// Somebody calls; `context` is what the call is answered with.
    pub fn offered(now: Instant, plan: Plan, context: SecretString) -> Self {
        Self::new(plan, true, Phase::Offered(context), now + OFFER)
    }

    /// A call of a process before this one, of which only its paths are known.
    pub fn left_behind(now: Instant, plan: Plan) -> Self {
        let until = now + plan.timing.setup;
        let mut call = Self::new(plan, false, Phase::Watching { until }, until);
        call.told_end = true;
        call
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Nothing is left to be done.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.out.is_empty()
    }

    /// What ACS calls it, once that is known.
    pub fn connection(&self) -> Option<&str> {
        self.connection.as_deref()
    }

    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// The leg has heard its last; it may be that something is still to be done.
    pub fn is_over(&self) -> bool {
        self.told_end
    }

    pub fn deadline(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Over => return None,
            Phase::Watching { until } => Some(until),
            Phase::Connected { .. } if self.hang_up.is_none() => None,
            _ => Some(self.patience_until).filter(|_| !self.told_end),
        };
        let unexplained = self.unexplained.as_ref().map(|(until, _)| *until);
        [own, unexplained, self.media_deadline(), self.digits.deadline()].into_iter().flatten().min()
    }

    pub fn on_deadline(&mut self, now: Instant) {
        if self.unexplained.as_ref().is_some_and(|(until, _)| *until <= now)
            && let Some((_, result)) = self.unexplained.take()
        {
            return self.fail(result.dial_failure());
        }
        if self.media_deadline().is_some_and(|at| at <= now) {
            self.media_told = true;
            self.leg(LegEvent::MediaLost);
        }
        if self.digits.on_deadline(now) {
            self.go_on_with_digits(now);
        }
        match self.phase {
            Phase::Watching { until } if until <= now => self.phase = Phase::Over,
            Phase::Watching { .. } | Phase::Over => {}
            Phase::Connected { .. } if self.hang_up.is_none() => {}
            _ if self.told_end || now < self.patience_until => {}
            _ => self.out_of_patience(now),
        }
    }

    fn out_of_patience(&mut self, now: Instant) {
        match self.phase {
            Phase::Offered(_) => self.end(LegEvent::HungUp { q850_cause: None }),
            _ if self.hang_up.is_some() => self.end_but(LegEvent::Closed, now),
            _ => {
                self.terminate();
                let detail = "ACS never said what became of the call".to_owned();
                self.end_but(LegEvent::Failed(failure(EndReason::CarrierUncertain, detail)), now);
            }
        }
    }

    pub fn told(&mut self, now: Instant, command: LegCommand) {
        match command {
            LegCommand::Answer => self.answer(now),
            LegCommand::HangUp { reason } => self.hang_up(now, reason),
            LegCommand::SendDigits(digits) => {
                self.digits.push(tone::steps(&digits));
                self.go_on_with_digits(now);
            }
        }
    }

    /// Hand the call over to ACS itself, in one of the ways it knows; `false` where it is not in a state for that.
    pub fn hand_over(&mut self, how: HandOver, to: &PhoneNumber) -> bool {
        let request = match (how, &self.phase, &self.connection) {
            (HandOver::Redirect, Phase::Offered(context), _) => {
                let request = Request::redirect(context, to);
                self.phase = Phase::Ending;
                request
            }
            (HandOver::Transfer, Phase::Connected { .. }, Some(connection)) => {
                Request::transfer(connection, to, &self.plan.line, &self.plan.reference)
            }
            (HandOver::Invite, Phase::Connected { .. }, Some(connection)) => {
                Request::add_participant(connection, to, &self.plan.line, &self.plan.reference)
            }
            _ => return false,
        };
        self.out.push_back(Output::Ask(request));
        true
    }

    /// Let the others go on without us.
    pub fn leave(&mut self, now: Instant) {
        let (Phase::Connected { .. }, Some(connection)) = (&self.phase, &self.connection) else { return };
        self.out.push_back(Output::Ask(Request::hang_up(connection)));
        self.hang_up = Some(EndReason::UserHungUp);
        self.patience_until = now + self.plan.timing.hang_up;
        self.phase = Phase::Ending;
    }

    fn answer(&mut self, now: Instant) {
        let Phase::Offered(context) = &self.phase else { return };
        let Plan { reference, callback_url, media, .. } = &self.plan;
        let request = Request::answer(context, reference, callback_url, media);
        self.phase = Phase::Asking;
        self.patience_until = now + self.plan.timing.setup;
        self.write_pending_ticket();
        self.out.push_back(Output::Ask(request));
    }

    fn hang_up(&mut self, now: Instant, reason: EndReason) {
        if self.told_end || self.hang_up.is_some() {
            return;
        }
        self.hang_up = Some(reason);
        self.patience_until = now + self.plan.timing.hang_up;
        match &self.phase {
            _ if self.unexplained.take().is_some() => self.end(LegEvent::Closed),
            Phase::Offered(context) => {
                let request = Request::reject(context, reason);
                self.out.push_back(Output::Ask(request));
                self.phase = Phase::Ending;
            }
            // Another try would ring somebody for a call that nobody wants any more.
            Phase::Asking if !self.inbound && self.connection.is_none() => {
                self.out.push_back(Output::CallOff)
            }
            _ => self.terminate(),
        }
    }

    /// End it, if ACS has named it by now.
    fn terminate(&mut self) {
        let Some(connection) = &self.connection else { return };
        if !matches!(self.phase, Phase::Ending | Phase::Over) {
            self.out.push_back(Output::Ask(Request::terminate(connection)));
            self.phase = Phase::Ending;
        }
    }

    pub fn on_reply(&mut self, now: Instant, operation: Operation, reply: Reply) {
        match operation {
            Operation::Create | Operation::Answer => self.on_asked(now, reply),
            Operation::Terminate | Operation::HangUp | Operation::Reject | Operation::Redirect => {
                self.on_ended(operation, &reply);
            }
            Operation::SendDigits => {
                if !matches!(reply, Reply::Done(_)) {
                    tracing::warn!(?reply, "ACS sent no keys");
                    self.digits.sent(None);
                    self.go_on_with_digits(now);
                }
            }
            Operation::Transfer | Operation::AddParticipant => {
                if !matches!(reply, Reply::Done(_)) {
                    tracing::warn!(?operation, ?reply, "ACS does not hand the call over");
                }
            }
            Operation::StartMedia | Operation::StopMedia | Operation::Look => {
                if !matches!(reply, Reply::Done(_)) {
                    tracing::debug!(?operation, ?reply, "ACS does not do it");
                }
            }
        }
    }

    fn on_asked(&mut self, now: Instant, reply: Reply) {
        match reply {
            Reply::Done(Done { connection, correlation }) => {
                tracing::debug!(correlation, "ACS takes the call on");
                if let Some(connection) = connection {
                    self.is_named(&connection);
                }
                self.is_taken_on();
                if matches!(self.phase, Phase::Asking | Phase::Watching { .. }) {
                    self.terminate();
                }
                self.note_answered(now);
            }
            // An event has told of it: it was done, whatever became of the reply.
            _ if self.connection.is_some()
                || matches!(self.phase, Phase::Connecting | Phase::Connected { .. }) => {}
            Reply::Refused(refusal) => self.on_refused(&refusal),
            Reply::NotDone { reached, why } => {
                let reason = match reached {
                    true => EndReason::CarrierFailed,
                    false => EndReason::CarrierUnreachable,
                };
                self.fail(failure(reason, why));
            }
            Reply::Uncertain { why } => {
                if self.told_end {
                    return;
                }
                let event = match self.hang_up {
                    Some(_) => LegEvent::Closed,
                    None if self.inbound => LegEvent::Lost,
                    None => LegEvent::Failed(failure(EndReason::CarrierUncertain, why)),
                };
                self.end_but(event, now);
            }
        }
    }

    fn on_refused(&mut self, refusal: &Refusal) {
        let mut failure = refusal.result.dial_failure();
        // A request that was refused is no word of the telephone network.
        (failure.sip_status, failure.q850_cause) = (None, None);
        let meaning = refusal.result.row().map(|row| row.meaning);
        failure.reason = match (meaning, refusal.status) {
            // The caller did not wait.
            _ if self.inbound && matches!(refusal.status, 404 | 410) => EndReason::RemoteHungUp,
            (Some(meaning), _) => meaning.unanswered(),
            (None, _) => EndReason::CarrierRefused,
        };
        self.fail(failure);
    }

    /// The end was asked for, and this came of it.
    fn on_ended(&mut self, operation: Operation, reply: &Reply) {
        let gone = match reply {
            Reply::Done(_) => true,
            // It is over anyway, or was never ours.
            Reply::Refused(refusal) => {
                refusal.status == 404 || refusal.result.row().is_some_and(|row| row.meaning == Meaning::Gone)
            }
            Reply::NotDone { .. } | Reply::Uncertain { .. } => false,
        };
        if !gone {
            tracing::error!(?operation, ?reply, "ACS did not confirm the end of a call; it may go on");
        }
        self.end(LegEvent::Closed);
    }

    pub fn on_event(&mut self, now: Instant, event: Event) {
        if matches!(self.phase, Phase::Over) || self.is_repeated(&event) || !self.is_ours(&event) {
            return;
        }
        self.is_taken_on();
        match event.kind {
            Kind::CallConnected => self.on_connected(now),
            Kind::CallDisconnected | Kind::CreateCallFailed | Kind::AnswerFailed | Kind::ConnectFailed => {
                return self.on_end(now, event);
            }
            Kind::ContinuousDtmfRecognitionToneReceived => {
                if let Some(digit) = event.tone.as_deref().and_then(tone::read) {
                    self.leg(LegEvent::Digit(digit));
                }
            }
            Kind::SendDtmfTonesCompleted | Kind::SendDtmfTonesFailed => {
                self.digits.sent(event.operation_context.as_deref());
                self.go_on_with_digits(now);
            }
            Kind::MediaStreamingFailed => self.on_streaming_failed(&event),
            Kind::ParticipantsUpdated => self.learn_remote(&event.participants),
            Kind::CallTransferAccepted
            | Kind::CallTransferFailed
            | Kind::AddParticipantSucceeded
            | Kind::AddParticipantFailed => {
                let why = event.result.as_ref().map(ResultInformation::detail).unwrap_or_default();
                tracing::info!(kind = ?event.kind, why, "what became of a call that was to be handed over");
            }
            _ => {}
        }
        if matches!(self.phase, Phase::Watching { .. }) || (self.hang_up.is_some() && !self.told_end) {
            // It is there after all.
            self.terminate();
        }
    }

    fn is_repeated(&mut self, event: &Event) -> bool {
        let Some(id) = &event.id else { return false };
        if self.seen.contains(id) {
            return true;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(id.clone());
        false
    }

    /// Whether it is about this call; the first to name it is believed, until the reply does.
    fn is_ours(&mut self, event: &Event) -> bool {
        let Some(named) = &event.connection else { return true };
        match &self.connection {
            Some(ours) if ours != named => {
                tracing::warn!(kind = ?event.kind, "a callback about another call was ignored");
                return false;
            }
            Some(_) => {}
            None => self.is_named(named),
        }
        true
    }

    fn is_named(&mut self, connection: &str) {
        if self.connection.as_deref() == Some(connection) {
            return;
        }
        self.connection = Some(connection.to_owned());
        self.out.push_back(Output::Connection(connection.to_owned()));
        if !self.told_end {
            self.out.push_back(Output::Ticket(Ticket::Connection(connection.to_owned()).to_text()));
        }
    }

    /// ACS has the call, whoever said so first. It does not say when the phone rings. That it may by now, is what counts:
    /// nobody calls again without asking.
    fn is_taken_on(&mut self) {
        if !matches!(self.phase, Phase::Asking) || self.hang_up.is_some() {
            return;
        }
        self.phase = Phase::Connecting;
        if !self.inbound {
            self.leg(LegEvent::Ringing { early_media: false });
        }
    }

    fn write_pending_ticket(&mut self) {
        use secrecy::ExposeSecret as _;
        let (reference, token) = (self.plan.reference.clone(), self.plan.token.expose_secret().to_owned());
        self.out.push_back(Output::Ticket(Ticket::Pending { reference, token }.to_text()));
    }

    /// Who calls us is connected when we have answered and audio flows: the callback that says so may take its time,
    /// and the caller speaks already.
    fn note_answered(&mut self, now: Instant) {
        let flows = matches!(self.media, Media::Up { .. });
        if self.inbound && flows && matches!(self.phase, Phase::Connecting) {
            self.on_connected(now);
        }
    }

    fn on_connected(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Asking | Phase::Connecting) || self.hang_up.is_some() {
            return;
        }
        self.phase = Phase::Connected { since: now };
        self.answered = true;
        self.leg(LegEvent::Answered { sip_call_id: None });
        self.go_on_with_digits(now);
    }

    fn on_end(&mut self, now: Instant, event: Event) {
        let result = event.result.unwrap_or_default();
        if self.told_end || self.hang_up.is_some() {
            return self.end(LegEvent::Closed);
        }
        if self.answered {
            let q850_cause = result.q850_cause();
            // Older versions of the service give no reason for what is usual.
            let is_silent = result == ResultInformation::default();
            let reason = if is_silent { EndReason::RemoteHungUp } else { result.meaning().answered() };
            return match reason {
                EndReason::CarrierMediaLost => {
                    self.leg(LegEvent::MediaLost);
                    self.end(LegEvent::Closed);
                }
                EndReason::CarrierLost => {
                    tracing::warn!(why = result.detail(), "ACS ended a call");
                    self.end(LegEvent::Lost);
                }
                _ => self.end(LegEvent::HungUp { q850_cause }),
            };
        }
        match self.unexplained.take() {
            None if !result.is_telling() => self.unexplained = Some((now + GRACE, result)),
            Some((_, earlier)) if !result.is_telling() => self.fail(earlier.dial_failure()),
            _ => self.fail(result.dial_failure()),
        }
    }

    fn on_streaming_failed(&mut self, event: &Event) {
        let why = event.result.as_ref().map(ResultInformation::detail).unwrap_or_default();
        tracing::warn!(why, details = event.streaming, "ACS could not connect the audio of a call to us");
        let is_up = matches!(self.media, Media::Up { .. });
        if let (Phase::Connected { .. }, Some(connection)) = (&self.phase, &self.connection)
            && !is_up
            && self.restarts < RESTARTS
        {
            self.restarts += 1;
            self.out.push_back(Output::Ask(Request::start_media(connection)));
        }
    }

    /// Who withholds its number still has an identifier.
    fn learn_remote(&mut self, participants: &[String]) {
        let line = Identifier::phone(&self.plan.line);
        if self.plan.remote.is_none() {
            let others = participants.iter().filter_map(|raw_id| Identifier::raw(raw_id));
            self.plan.remote = others.into_iter().find(|other| *other != line);
        }
    }

    /// A media connection that comes with the name of a call which was only watched: it is there after all.
    pub fn on_late_media(&mut self, connection: &str) {
        if matches!(self.phase, Phase::Watching { .. }) && self.connection.is_none() {
            self.is_named(connection);
            self.terminate();
        }
    }

    pub fn on_media(&mut self, now: Instant, news: MediaNews) {
        if self.told_end {
            return;
        }
        match news {
            MediaNews::Up(format) => {
                self.media = Media::Up { heard_at: now };
                self.restarts = 0;
                if self.format.replace(format) != Some(format) {
                    self.leg(LegEvent::MediaUp { format, encrypted: self.plan.encrypted });
                }
                self.note_answered(now);
            }
            MediaNews::Lost => self.media = Media::Lost { since: now },
            MediaNews::Unusable => {
                tracing::error!("ACS sends audio in a form that can't be used");
                self.media_told = true;
                let connection = self.connection.as_deref();
                self.out.extend(connection.map(|connection| Output::Ask(Request::stop_media(connection))));
                self.leg(LegEvent::MediaLost);
            }
        }
    }

    /// A frame came. Nothing else is done per frame in here.
    pub fn heard(&mut self, now: Instant) {
        self.media = Media::Up { heard_at: now };
        self.media_told = false;
    }

    pub fn pressed(&mut self, key: offhook_core::Digit) {
        if !self.told_end {
            self.leg(LegEvent::Digit(key));
        }
    }

    /// When the audio of a call that is up counts as lost.
    fn media_deadline(&self) -> Option<Instant> {
        let Phase::Connected { since } = self.phase else { return None };
        if self.media_told || self.hang_up.is_some() {
            return None;
        }
        let timing = &self.plan.timing;
        Some(match self.media {
            Media::Never => since + timing.reconnect,
            Media::Lost { since: lost_at } => since.max(lost_at) + timing.reconnect,
            Media::Up { heard_at } => since.max(heard_at) + timing.stall,
        })
    }

    fn go_on_with_digits(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Connected { .. }) {
            return;
        }
        let Some(connection) = self.connection.clone() else { return };
        while let Some(next) = self.digits.next(now) {
            match (next, &self.plan.remote) {
                (digits::Next::Send { tones, context }, Some(remote)) => {
                    let request = Request::send_digits(&connection, remote, &tones, &context);
                    self.out.push_back(Output::Ask(request));
                }
                (digits::Next::Send { .. }, None) => {
                    tracing::warn!("keys can't be sent to a caller ACS does not name");
                    self.digits.sent(None);
                }
                (digits::Next::Done, _) => self.leg(LegEvent::DigitsSent),
            }
        }
    }

    fn leg(&mut self, event: LegEvent) {
        if !self.told_end {
            self.out.push_back(Output::Leg(event));
        }
    }

    /// A call that was never answered is over.
    fn fail(&mut self, failure: DialFailure) {
        let event = match failure.reason {
            _ if self.hang_up.is_some() => LegEvent::Closed,
            // Nobody was called: the caller is gone.
            EndReason::RemoteHungUp
            | EndReason::RemoteNoAnswer
            | EndReason::RemoteDeclined
            | EndReason::RemoteBusy
                if self.inbound =>
            {
                LegEvent::HungUp { q850_cause: failure.q850_cause }
            }
            _ => LegEvent::Failed(failure),
        };
        self.end(event);
    }

    /// The call is over.
    fn end(&mut self, event: LegEvent) {
        self.leg(event);
        self.told_end = true;
        self.unexplained = None;
        self.phase = Phase::Over;
        self.out.push_back(Output::CloseMedia);
    }

    /// It is over for the leg; whether it is at the other end, is to be seen.
    fn end_but(&mut self, event: LegEvent, now: Instant) {
        self.leg(event);
        self.told_end = true;
        self.out.push_back(Output::CloseMedia);
        if !matches!(self.phase, Phase::Ending) {
            self.phase = Phase::Watching { until: now + self.plan.timing.setup };
        }
    }
}

fn failure(reason: EndReason, detail: String) -> DialFailure {
    DialFailure { reason, sip_status: None, q850_cause: None, detail }
}

#[cfg(test)]
mod tests;

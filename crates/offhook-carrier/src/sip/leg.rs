//! The leg of a SIP call: what its signalling says as events, its audio as frames.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

use offhook_core::call::DialFailure;
use offhook_core::{AudioFormat, EndReason, Frame, LegCommand, LegEvent, PhoneNumber};
use tokio::sync::mpsc;

use super::Errand;
use crate::leg::{Busy, LegOutput};
use crate::media::{Media, MediaEvent, MediaStats};

/// What the signalling of a call tells its leg.
pub(crate) enum Signal {
    Event(LegEvent),
    Ticket(String),
    /// The far end's answer to our offer.
    RemoteAnswer(String),
    /// A new offer of the far end, to be answered with [`Told::LocalAnswer`].
    RemoteOffer(String),
}

/// What a leg tells the signalling of its call.
pub(crate) enum Told {
    Answer {
        sdp: String,
    },
    HangUp {
        reason: EndReason,
    },
    /// `None` refuses the offer.
    LocalAnswer {
        sdp: Option<String>,
    },
    Dropped,
}

/// Dropping it hangs up.
pub(crate) struct SipLeg {
    call: u64,
    line: PhoneNumber,
    media: Media,
    signals: mpsc::Receiver<Signal>,
    asks: mpsc::Sender<Errand>,
    ready: VecDeque<LegEvent>,
    /// Of an inbound call: the offer to answer; the inner `None` when the INVITE had none.
    unanswered: Option<Option<String>>,
    /// An offer of a re-INVITE that the signalling had no room for our answer to.
    offered: Option<String>,
    up: Option<(AudioFormat, bool)>,
    answered: bool,
    held: bool,
    over: bool,
}

impl SipLeg {
    pub(crate) fn new(
        call: u64,
        line: PhoneNumber,
        media: Media,
        signals: mpsc::Receiver<Signal>,
        asks: mpsc::Sender<Errand>,
        unanswered: Option<Option<String>>,
    ) -> Self {
        let ready = VecDeque::new();
        Self {
            call,
            line,
            media,
            signals,
            asks,
            ready,
            unanswered,
            offered: None,
            up: None,
            answered: false,
            held: false,
            over: false,
        }
    }

    /// See [`crate::Leg::poll_next`]: re-INVITEs are answered in here too.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegOutput> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(LegOutput::Event(event));
            }
            if self.over {
                return Poll::Pending;
            }
            if self.offered.is_some() && self.answer_offer().is_ok() {
                continue;
            }
            match self.signals.poll_recv(cx) {
                Poll::Ready(Some(Signal::Ticket(ticket))) => return Poll::Ready(LegOutput::Ticket(ticket)),
                Poll::Ready(Some(signal)) => self.signalled(signal),
                Poll::Ready(None) => self.ended(LegEvent::Lost),
                Poll::Pending => return self.media.poll(cx).map(output),
            }
        }
    }

    pub fn send(&mut self, command: LegCommand) -> Result<(), Busy> {
        match command {
            LegCommand::Answer => self.answer(),
            LegCommand::HangUp { reason } => self.tell(Told::HangUp { reason }),
            LegCommand::SendDigits(digits) => {
                self.media.send_digits(&digits);
                Ok(())
            }
        }
    }

    /// Send a frame of the model to the remote, at once.
    pub fn play(&mut self, model_frame: &Frame) {
        self.media.play(model_frame);
    }

    pub fn media_stats(&self) -> MediaStats {
        self.media.stats()
    }

    /// Our number that this call is on.
    pub fn line(&self) -> &PhoneNumber {
        &self.line
    }

    fn tell(&self, told: Told) -> Result<(), Busy> {
        match self.asks.try_send(Errand::Leg(self.call, told)) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Busy),
            // The carrier is gone; `next` says so.
            Err(mpsc::error::TrySendError::Closed(_)) | Ok(()) => Ok(()),
        }
    }

    fn answer(&mut self) -> Result<(), Busy> {
        let Some(offer) = self.unanswered.take() else { return Ok(()) };
        // Room first: the media must not be answered twice.
        let Ok(place) = self.asks.try_reserve() else {
            self.unanswered = Some(offer);
            return if self.asks.is_closed() { Ok(()) } else { Err(Busy) };
        };
        let sdp = match &offer {
            Some(offer) => self.media.answer(offer),
            None => Ok(self.media.offer()),
        };
        let told = match sdp {
            Ok(sdp) => Told::Answer { sdp },
            Err(_) => Told::HangUp { reason: EndReason::CarrierRefused },
        };
        place.send(Errand::Leg(self.call, told));
        if offer.is_some() {
            self.media_changed();
        }
        Ok(())
    }

    fn signalled(&mut self, signal: Signal) {
        match signal {
            Signal::Event(event) => match event {
                LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost => {
                    self.ended(event)
                }
                event => {
                    let answered = matches!(event, LegEvent::Answered { .. });
                    self.ready.push_back(event);
                    if answered {
                        self.answered = true;
                        // Early media may have stopped long ago; from now on silence means something.
                        self.media.watch();
                        self.note_hold();
                    }
                }
            },
            // Passed on as it comes.
            Signal::Ticket(_) => {}
            Signal::RemoteAnswer(sdp) => match self.media.accept(&sdp) {
                Ok(()) => self.media_changed(),
                Err(error) if self.up.is_none() => {
                    let _ = self.tell(Told::HangUp { reason: EndReason::CarrierRefused });
                    let (reason, detail) = (EndReason::CarrierRefused, error.to_string());
                    self.ended(LegEvent::Failed(DialFailure {
                        reason,
                        sip_status: None,
                        q850_cause: None,
                        detail,
                    }));
                }
                // The session goes on as it was agreed before.
                Err(error) => tracing::debug!(%error, "a later answer of the far end can't be used"),
            },
            Signal::RemoteOffer(sdp) => {
                self.offered = Some(sdp);
                // Where there is no room it is tried again with the next packet; the far end repeats itself, too.
                let _ = self.answer_offer();
            }
        }
    }

    /// Room first: the media must not follow an offer that the signalling then can't accept.
    fn answer_offer(&mut self) -> Result<(), Busy> {
        let Ok(place) = self.asks.try_reserve() else { return Err(Busy) };
        let Some(offer) = self.offered.take() else { return Ok(()) };
        let sdp = self.media.answer(&offer).ok();
        let usable = sdp.is_some();
        place.send(Errand::Leg(self.call, Told::LocalAnswer { sdp }));
        if usable {
            self.media_changed();
        }
        Ok(())
    }

    fn media_changed(&mut self) {
        let now = self.media.format().map(|format| (format, self.media.encrypted()));
        if let Some((format, encrypted)) = now.filter(|_| now != self.up) {
            self.up = now;
            self.ready.push_back(LegEvent::MediaUp { format, encrypted });
        }
        self.note_hold();
    }

    fn note_hold(&mut self) {
        // Whoever may not send to the far end is on hold (RFC 3264 §8.4); only listening to us is none, and neither
        // is early media that flows one way.
        let held = self.answered && !self.media.direction().sends();
        if held != std::mem::replace(&mut self.held, held) {
            self.ready.push_back(if held { LegEvent::Held } else { LegEvent::Resumed });
        }
    }

    fn ended(&mut self, event: LegEvent) {
        self.over = true;
        self.media.stop();
        self.ready.push_back(event);
    }
}

fn output(event: MediaEvent) -> LegOutput {
    match event {
        MediaEvent::Audio(remote_frame) => LegOutput::Audio(remote_frame),
        MediaEvent::Digit(digit) => LegOutput::Event(LegEvent::Digit(digit)),
        MediaEvent::DigitsSent => LegOutput::Event(LegEvent::DigitsSent),
        MediaEvent::Stalled => LegOutput::Event(LegEvent::MediaLost),
    }
}

impl Drop for SipLeg {
    fn drop(&mut self) {
        self.media.stop();
        // Where there is no room for this, the agent sees the closed channel within a second.
        let _ = self.tell(Told::Dropped);
    }
}

impl fmt::Debug for SipLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipLeg").field("call", &self.call).field("line", &self.line).finish_non_exhaustive()
    }
}

/// Without session descriptions: they may hold keys.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
            Self::Ticket(_) => f.write_str("Ticket(…)"),
            Self::RemoteAnswer(_) => f.write_str("RemoteAnswer(…)"),
            Self::RemoteOffer(_) => f.write_str("RemoteOffer(…)"),
        }
    }
}

/// Without session descriptions: they may hold keys.
impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { .. } => f.write_str("Answer(…)"),
            Self::HangUp { reason } => f.debug_struct("HangUp").field("reason", reason).finish(),
            Self::LocalAnswer { sdp } => {
                write!(f, "LocalAnswer({})", if sdp.is_some() { "…" } else { "none" })
            }
            Self::Dropped => f.write_str("Dropped"),
        }
    }
}

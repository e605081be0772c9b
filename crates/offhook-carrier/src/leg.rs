//! One carrier-side connection of a call, whichever network it is on: its signalling as events, its audio as frames.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use offhook_core::{EndReason, Frame, LegCommand, LegEvent, PhoneNumber};

use crate::Dial;
use crate::acs::{AcsLeg, HandOver};
use crate::media::MediaStats;
use crate::sip::leg::SipLeg;

/// What comes out of a leg.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of them are frames, and boxing one would allocate per frame"
)]
pub enum LegOutput {
    Event(LegEvent),
    /// What to write down so that a later process can hang this leg up with [`crate::Carrier::release`]; the last
    /// one counts. Opaque, and of no interest to anybody else.
    Ticket(String),
    /// The next frame of the remote.
    Audio(Frame),
}

/// The signalling has more to do than it can take; say it again in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the carrier takes no more commands at the moment; try again")]
pub struct Busy;

/// One connection to a telephone. Dropping it hangs up.
#[derive(Debug)]
pub struct Leg(Kind);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a session boxes its leg")]
enum Kind {
    Sip(SipLeg),
    Acs(AcsLeg),
}

impl From<SipLeg> for Leg {
    fn from(leg: SipLeg) -> Self {
        Self(Kind::Sip(leg))
    }
}

impl From<AcsLeg> for Leg {
    fn from(leg: AcsLeg) -> Self {
        Self(Kind::Acs(leg))
    }
}

impl Leg {
    /// The next event or frame. Cancel-safe. Must be polled steadily: much of the signalling is done in here too.
    ///
    /// After the last event of a call (`Failed`, `HungUp`, `Closed`, `Lost`) it waits for ever.
    pub async fn next(&mut self) -> LegOutput {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`]. To be polled again after [`Self::send`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegOutput> {
        match &mut self.0 {
            Kind::Sip(leg) => leg.poll_next(cx),
            Kind::Acs(leg) => leg.poll_next(cx),
        }
    }

    pub fn send(&mut self, command: LegCommand) -> Result<(), Busy> {
        match &mut self.0 {
            Kind::Sip(leg) => leg.send(command),
            Kind::Acs(leg) => leg.send(command),
        }
    }

    /// Send a frame of the model to the remote, at once.
    pub fn play(&mut self, model_frame: &Frame) {
        match &mut self.0 {
            Kind::Sip(leg) => leg.play(model_frame),
            Kind::Acs(leg) => leg.play(model_frame),
        }
    }

    /// Drop what was played and not heard yet, as far as the network buffers any.
    pub fn stop_audio(&mut self) {
        match &mut self.0 {
            // A packet that is out can't be called back, and nothing is kept here.
            Kind::Sip(_) => {}
            Kind::Acs(leg) => leg.stop_audio(),
        }
    }

    /// Have the network itself connect the other side with somebody else, where it can; `false` where it can't, or not
    /// now.
    ///
    /// `true` says that it was asked for, not that it was done: what becomes of it stands in the log only. Who is
    /// transferred away is seen to hang up, and somebody who was invited is just heard.
    pub fn hand_over(&mut self, how: HandOver, to: &Dial) -> bool {
        match &mut self.0 {
            Kind::Sip(_) => false,
            Kind::Acs(leg) => leg.hand_over(how, &to.to),
        }
    }

    /// Let those whom the network connected go on without us; a call of two is hung up.
    pub fn leave(&mut self) {
        match &mut self.0 {
            Kind::Sip(leg) => {
                // A leg that takes no command hangs up when it is dropped.
                let _ = leg.send(LegCommand::HangUp { reason: EndReason::UserHungUp });
            }
            Kind::Acs(leg) => leg.leave(),
        }
    }

    pub fn media_stats(&self) -> MediaStats {
        match &self.0 {
            Kind::Sip(leg) => leg.media_stats(),
            Kind::Acs(leg) => leg.media_stats(),
        }
    }

    /// Our number that this call is on.
    pub fn line(&self) -> &PhoneNumber {
        match &self.0 {
            Kind::Sip(leg) => leg.line(),
            Kind::Acs(leg) => leg.line(),
        }
    }
}

/// Without tickets: they hold numbers.
impl fmt::Debug for LegOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
            Self::Ticket(_) => f.write_str("Ticket(…)"),
            Self::Audio(remote_frame) => f.debug_tuple("Audio").field(remote_frame).finish(),
        }
    }
}

//! The legs of a call: the remote's, and the user's where there is a handoff. Dialling them, telling them, and what
//! they tell.

use offhook_carrier::{Dial, DialError, LegOutput};
use offhook_core::call::{DialFailure, Input, LegEvent};
use offhook_core::journal::Part;
use offhook_core::policy::HandoffAllow;
use offhook_core::{EndReason, Fact, LegCommand, call::CallCommand};
use tokio::time::Instant;

use super::Session;
use super::side::{Passed, Side};
use super::sources::Source;

impl Session {
    /// Dial whoever waits for it. Nobody is called of whom a process that is killed next would not know: the store must
    /// be well, and what was told before on its way there.
    pub(super) fn dial(&mut self) {
        if (!self.to_dial && self.to_dial_user.is_none())
            || (self.journal.is_behind() && !self.journal.is_stuck())
        {
            return;
        }
        let stuck = self.journal.is_stuck();
        if std::mem::take(&mut self.to_dial) {
            if stuck {
                self.not_dialled();
            } else {
                self.dial_remote();
            }
        }
        if let Some(user) = self.to_dial_user.take() {
            if stuck {
                let why = "the store is away".to_owned();
                self.user_not_dialled(&DialError::Unsent { why });
            } else {
                self.dial_user(&user);
            }
        }
    }

    fn not_dialled(&mut self) {
        let message = "nobody was dialled, because the store is away".to_owned();
        self.inputs.push_back(Input::Problem {
            part: Part::Gateway,
            code: "not_dialled".to_owned(),
            message,
        });
        self.inputs.push_back(Input::Command(CallCommand::Fault));
    }

    fn dial_remote(&mut self) {
        let Some(dial) = &self.dial else { return };
        match self.carrier.dial(dial) {
            Ok(leg) => {
                self.write(Fact::Dialing { line: leg.line().to_string() });
                self.remote = Some(Side::new(Box::new(leg)));
                self.sources.stir(Source::Leg);
            }
            Err(error) => self.inputs.push_back(Input::Leg(LegEvent::Failed(dial_failure(&error)))),
        }
    }

    /// From the line of the call, which is its owner's to show; from another one that is when that carries no more.
    fn dial_user(&mut self, user: &HandoffAllow) {
        let mut dialled = Err(DialError::NoLine);
        for line in self.remote.iter().map(Side::line).chain(&self.lines) {
            dialled = self.carrier.dial(&Dial::user(user).on(line));
            if !matches!(dialled, Err(DialError::NoLine)) {
                break;
            }
        }
        match dialled {
            Ok(leg) => {
                self.write(Fact::HandoffDialing { line: leg.line().to_string() });
                self.user = Some(Side::new(Box::new(leg)));
                self.sources.stir(Source::Second);
            }
            Err(error) => self.user_not_dialled(&error),
        }
    }

    fn user_not_dialled(&mut self, error: &DialError) {
        self.inputs.push_back(Input::Second(LegEvent::Failed(dial_failure(error))));
    }

    pub(super) fn command_leg(&mut self, command: LegCommand) {
        match &mut self.remote {
            Some(remote) => remote.command(command),
            None => self.inputs.push_back(Input::Leg(LegEvent::Closed)),
        }
        self.pass_leg_commands();
    }

    pub(super) fn command_second(&mut self, command: LegCommand) {
        // Not dialled yet, and not wanted any more.
        self.to_dial_user = None;
        match &mut self.user {
            Some(user) if user.is_open() => user.command(command),
            _ => self.inputs.push_back(Input::Second(LegEvent::Closed)),
        }
        self.pass_leg_commands();
    }

    /// Tell the legs what they have room for; the rest stays in order for the next turn of the loop.
    pub(super) fn pass_leg_commands(&mut self) {
        for (side, source) in [(&mut self.remote, Source::Leg), (&mut self.user, Source::Second)] {
            match side.as_mut().map_or(Passed::Nothing, Side::pass_commands) {
                Passed::Nothing => {}
                Passed::Some => self.sources.stir(source),
                Passed::Gone if source == Source::Leg => {
                    self.inputs.push_back(Input::Leg(LegEvent::Closed));
                }
                Passed::Gone => self.inputs.push_back(Input::Second(LegEvent::Closed)),
            }
        }
    }

    /// Whoever the voice speaks with hears no more of what the network still holds.
    pub(super) fn stop_audio(&mut self) {
        let Some(with_remote) = self.route.voice().map(|voice| voice.is_with_remote()) else { return };
        if let Some(side) = if with_remote { &mut self.remote } else { &mut self.user } {
            side.stop_audio();
        }
    }

    pub(super) fn leg_output(&mut self, output: LegOutput) {
        match output {
            LegOutput::Audio(frame) => self.remote_frame(&frame),
            LegOutput::Event(event) => {
                if let LegEvent::MediaUp { .. } = event {
                    self.remote_format_changed();
                    self.start_recording();
                }
                self.handle(Input::Leg(event));
            }
            LegOutput::Ticket(ticket) => {
                self.write(Fact::Ticket { ticket });
                self.settle();
            }
        }
    }

    pub(super) fn second_output(&mut self, output: LegOutput) {
        match output {
            LegOutput::Audio(frame) => self.user_frame(&frame),
            LegOutput::Event(event) => {
                match event {
                    LegEvent::MediaUp { .. } => self.user_format_changed(),
                    LegEvent::Answered { .. } => self.user_answered_at = Some(Instant::now()),
                    _ => {}
                }
                self.handle(Input::Second(event));
            }
            LegOutput::Ticket(ticket) => {
                self.write(Fact::HandoffTicket { ticket });
                self.settle();
            }
        }
    }
}

fn dial_failure(error: &DialError) -> DialFailure {
    let reason = match error {
        DialError::NoLine => EndReason::CarrierNoLine,
        DialError::UnknownLine => EndReason::CarrierRefused,
        DialError::Unsent { .. } => EndReason::CarrierUnreachable,
    };
    DialFailure { reason, sip_status: None, q850_cause: None, detail: error.to_string() }
}

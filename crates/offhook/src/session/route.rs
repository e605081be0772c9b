//! Where the audio of a call goes: between the voice and whoever it speaks with, and after a handoff between remote and
//! user.
//!
//! Recorder and model are reached through [`Voice`] alone. A join takes it out of the session for good: from then on
//! there is no way to either.

use std::time::Duration;

use offhook_core::Frame;
use offhook_core::audio::FRAME;
use offhook_core::audio::mix::Mixer;
use offhook_core::call::{Input, Utterance};
use offhook_core::journal::Party;
use offhook_core::pump::Heard;
use tokio::time::Instant;

use super::audio::AudioPath;
use super::company::Company;
use super::listening::Listening;
use super::side::Side;
use super::sources::Source;
use super::{PLAYOUT_RESYNC, REMOTE_HASTE, REMOTE_PATIENCE, Session};
use crate::recorder::Recording;

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a call has one of these, and the voice for most of its life")]
pub enum Route {
    Voice(Voice),
    Joined(Joined),
}

/// The voice is on the line.
#[derive(Debug)]
pub struct Voice {
    pub audio: Option<AudioPath>,
    /// Of the remote's leg, whomever the voice speaks with.
    pub recording: Option<Recording>,
    with: Party,
    /// To the remote.
    pub(super) listening: Listening,
    /// For the remote, where somebody else is waited for.
    company: Option<Company>,
    /// Up to when what the user says in private is complete.
    user_until: Instant,
}

/// Remote and user hear each other.
#[derive(Debug)]
pub struct Joined {
    mixer: Mixer,
    /// The user's answer.
    since: Instant,
    to_user: Option<Instant>,
    to_remote: Option<Instant>,
    told: bool,
}

impl Route {
    pub fn new() -> Self {
        Self::Voice(Voice {
            audio: None,
            recording: None,
            with: Party::Remote,
            listening: Listening::default(),
            company: None,
            user_until: Instant::now(),
        })
    }

    pub fn voice(&mut self) -> Option<&mut Voice> {
        match self {
            Self::Voice(voice) => Some(voice),
            Self::Joined(_) => None,
        }
    }

    /// The way from model to pump, as long as there is one.
    pub fn audio(&mut self) -> Option<&mut AudioPath> {
        self.voice()?.audio.as_mut()
    }

    pub fn stop_playout(&mut self) -> Option<Heard> {
        self.audio()?.pump.barge_in()
    }

    /// Whether there is anything to send every 20 ms.
    pub fn plays(&self) -> bool {
        match self {
            Self::Voice(voice) => voice.audio.is_some(),
            Self::Joined(_) => true,
        }
    }
}

impl Voice {
    pub fn is_with_remote(&self) -> bool {
        self.with != Party::User
    }

    /// Somebody speaks: no sound is needed to show that the line is not dead.
    pub fn hush_company(&mut self) {
        if let Some(company) = &mut self.company {
            company.hush();
        }
    }
}

impl Joined {
    /// How long the first frame of each took, once both have crossed; told once.
    fn crossed(&mut self) -> Option<Input> {
        let (to_user, to_remote) = self.to_user.zip(self.to_remote)?;
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let ms =
            |at: Instant| at.saturating_duration_since(self.since).as_millis().min(u32::MAX.into()) as u32;
        Some(Input::FirstCrossed { to_user_ms: ms(to_user), to_remote_ms: ms(to_remote) })
    }
}

/// Nobody speaks faster than time goes by; recording, transcript and the model's bill keep to the clock. Whether this
/// frame does.
fn keeps_pace(until: &mut Instant, frame: &Frame) -> bool {
    let in_time = *until <= Instant::now() + REMOTE_HASTE;
    if in_time {
        *until += frame.duration();
    }
    in_time
}

impl Session {
    pub(super) fn remote_frame(&mut self, frame: &Frame) {
        if !self.connected {
            return;
        }
        match &mut self.route {
            Route::Joined(joined) => joined.mixer.to_user.push(frame),
            Route::Voice(voice) => {
                if !keeps_pace(&mut self.remote_until, frame) {
                    self.dropped_frames += 1;
                    return;
                }
                if let Some(recording) = &mut voice.recording {
                    recording.remote(frame);
                }
                if voice.is_with_remote() {
                    self.voice_hears(frame);
                }
            }
        }
    }

    /// What the user says is heard by the voice in private, or by the remote, or by nobody yet.
    pub(super) fn user_frame(&mut self, frame: &Frame) {
        match &mut self.route {
            Route::Joined(joined) => joined.mixer.to_remote.push(frame),
            Route::Voice(voice) => {
                if voice.is_with_remote() || !keeps_pace(&mut voice.user_until, frame) {
                    return;
                }
                if let Some(audio) = &mut voice.audio {
                    audio.remote_frame(frame, &mut self.speech);
                    self.sources.stir(Source::Speech);
                }
            }
        }
    }

    /// Where the remote sends nothing there is silence: transcript and recording keep the time of the call, and the
    /// model's turn detection hears that nobody speaks. The same for a user whom the voice listens to.
    fn fill_silence(&mut self, now: Instant) {
        while now.saturating_duration_since(self.remote_until) > REMOTE_PATIENCE {
            let Some(format) = self.remote.as_ref().and_then(Side::format) else { break };
            self.remote_frame(&Frame::silence(format));
        }
        while let Route::Voice(voice) = &self.route
            && !voice.is_with_remote()
            && now.saturating_duration_since(voice.user_until) > REMOTE_PATIENCE
        {
            let Some(format) = self.user.as_ref().and_then(Side::format) else { break };
            self.user_frame(&Frame::silence(format));
        }
    }

    /// Speech after silence goes out at once instead of with the next beat; see [`Self::play_frame`].
    pub(super) fn model_audio(&mut self, utterance: Utterance, bytes: Vec<u8>) {
        let Some(audio) = self.route.audio() else { return };
        let was_idle = audio.pump.is_idle();
        audio.model_audio(utterance, bytes);
        let wait = self.playout.deadline().saturating_duration_since(Instant::now());
        if was_idle && self.connected && !wait.is_zero() && self.ahead.is_zero() {
            self.ahead = wait;
            self.reset_playout(Instant::now());
        }
    }

    /// Send the frames that are due. What a first frame of speech was early, the next frame of silence is late, so that
    /// on the whole a frame leaves every 20 ms and the far end's jitter buffer never fills up.
    pub(super) fn play_frame(&mut self) {
        let mut due = self.playout.deadline() + FRAME;
        if self.route.audio().is_none_or(|audio| audio.pump.is_idle()) {
            due += std::mem::take(&mut self.ahead);
        }
        let now = Instant::now();
        self.playout.as_mut().reset(if now > due + PLAYOUT_RESYNC { now + FRAME } else { due });
        match &mut self.route {
            Route::Joined(_) => return self.play_across(),
            Route::Voice(voice) if voice.is_with_remote() => self.play_to_remote(),
            Route::Voice(_) => self.play_to_user(),
        }
        self.fill_silence(now);
        self.report_playout();
    }

    fn play_to_remote(&mut self) {
        let (Some(remote), Some(voice)) = (&mut self.remote, self.route.voice()) else { return };
        let Some(audio) = &mut voice.audio else { return };
        let (speaks, frame) = audio.next_model_frame(remote.is_deaf());
        let frame = match &mut voice.company {
            Some(company) if speaks => {
                company.hush();
                frame
            }
            Some(company) => company.next_frame().unwrap_or(frame),
            None => frame,
        };
        remote.play(frame);
        if let Some(recording) = &mut voice.recording {
            recording.voice(frame);
        }
    }

    /// The voice is with the user; the remote waits, and hears that the line is not dead.
    fn play_to_user(&mut self) {
        let (Some(user), Some(remote)) = (&mut self.user, &mut self.remote) else { return };
        let (Some(voice), Some(format)) = (self.route.voice(), remote.format()) else { return };
        if let Some(audio) = &mut voice.audio {
            user.play(audio.next_model_frame(user.is_deaf()).1);
        }
        let silence;
        let frame = match voice.company.as_mut().and_then(Company::next_frame) {
            Some(note) => note,
            None => {
                silence = Frame::silence(format);
                &silence
            }
        };
        remote.play(frame);
        if let Some(recording) = &mut voice.recording {
            recording.voice(frame);
        }
    }

    /// To each what the other said.
    fn play_across(&mut self) {
        let Route::Joined(Joined { mixer, to_user, to_remote, .. }) = &mut self.route else { return };
        let ways = [
            (&mut mixer.to_user, &mut self.user, to_user),
            (&mut mixer.to_remote, &mut self.remote, to_remote),
        ];
        for (crossing, side, first) in ways {
            let Some(side) = side else { continue };
            let (from_other, frame) = crossing.pull();
            side.play(frame);
            if from_other {
                first.get_or_insert_with(Instant::now);
            }
        }
        if let Route::Joined(joined) = &mut self.route
            && let Some(crossed) = joined.crossed()
        {
            self.handle(crossed);
        }
    }

    /// The remote's leg has a format, or another one than before.
    pub(super) fn remote_format_changed(&mut self) {
        let Some(format) = self.remote.as_ref().and_then(Side::format) else { return };
        match &mut self.route {
            Route::Joined(joined) => joined.mixer.renew_remote(format),
            Route::Voice(voice) => {
                if voice.company.as_ref().is_some_and(|company| company.format() != format) {
                    voice.company = Some(Company::new(format));
                }
                if voice.is_with_remote() {
                    self.use_format_of(Party::Remote);
                }
            }
        }
    }

    pub(super) fn user_format_changed(&mut self) {
        let Some(format) = self.user.as_ref().and_then(Side::format) else { return };
        match &mut self.route {
            Route::Joined(joined) => joined.mixer.renew_user(format),
            Route::Voice(voice) if !voice.is_with_remote() => self.use_format_of(Party::User),
            Route::Voice(_) => {}
        }
    }

    /// Convert for the leg of this party from now on.
    fn use_format_of(&mut self, party: Party) {
        self.release_waiting();
        let side = if party == Party::User { &self.user } else { &self.remote };
        let Some(format) = side.as_ref().and_then(Side::format) else { return };
        let Some(voice) = self.route.voice() else { return };
        let cut_off = AudioPath::renew(&mut voice.audio, format, self.speech.use_format(format));
        self.inputs.extend(cut_off.map(Input::CutOff));
        self.sources.stir(Source::Speech);
        self.sources.stir(Source::Playout);
    }

    /// The voice hears and speaks to this party from now on, on one and the same clock.
    pub(super) fn attach(&mut self, party: Party) {
        let until = self.remote_until;
        let Some(voice) = self.route.voice() else { return };
        voice.with = party;
        voice.user_until = until;
        self.use_format_of(party);
    }

    pub(super) fn keep_company(&mut self, wanted: bool) {
        let format = self.remote.as_ref().and_then(Side::format);
        if let Some(voice) = self.route.voice() {
            voice.company = format.filter(|_| wanted).map(Company::new);
        }
    }

    pub(super) fn stop_recording(&mut self) {
        if let Some(recording) = self.route.voice().and_then(|voice| voice.recording.take()) {
            self.recorded = Some(recording.finish());
        }
    }

    /// Make this part of the recording silent, also of one that has ended: words may be understood late.
    pub(super) fn mask_recording(&mut self, from_ms: u32, to_ms: u32) {
        match self.route.voice().and_then(|voice| voice.recording.as_mut()) {
            Some(recording) => recording.blank(from_ms, to_ms),
            None => self.recorded.iter().for_each(|recorded| recorded.blank(from_ms, to_ms)),
        }
    }

    /// Let the two hear each other. The voice is dropped here, with all that leads to recorder and model.
    pub(super) fn join(&mut self) {
        let usual = self.carrier.preferred_format();
        let format = |side: &Option<Side>| side.as_ref().and_then(Side::format).unwrap_or(usual);
        let mixer = Mixer::new(format(&self.remote), format(&self.user));
        let Some(voice) = self.route.voice() else { return };
        // Who was asked has answered just now; who was not, with picking up.
        let asked = !voice.is_with_remote();
        let since = self.user_answered_at.filter(|_| !asked).unwrap_or_else(Instant::now);
        self.overflow = voice.audio.as_ref().map_or(Duration::ZERO, |audio| audio.pump.overflow());
        self.stop_recording();
        self.route = Route::Joined(Joined { mixer, since, to_user: None, to_remote: None, told: false });
        self.ahead = Duration::ZERO;
        self.reset_playout(Instant::now());
    }
}

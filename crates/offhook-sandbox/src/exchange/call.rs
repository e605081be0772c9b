//! One call: its dialog, its audio, its person, and what ties them together.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_core::{Digit, Timestamp};

use super::desk::Desk;
use super::dialog::Dialog;
use super::transaction::{GIVE_UP, Purpose, Resend, TxKey};
use super::{Output, refresh::Refresh};
use crate::media::ear::Ear;
use crate::media::mouth::Mouth;
use crate::media::{rtcp, sound};
use crate::person::{Act, Person, Senses};
use crate::record::{CallKey, CallRecord, Ending, Stage, VoiceMessage};
use crate::sdp::{Description, Direction, Ours, Stream};

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub struct Unacked {
    pub bytes: Vec<u8>,
    pub to: SocketAddr,
    pub cseq: u32,
    pub branch: String,
    /// The credentials of the INVITE, which the ACK has to repeat.
    pub credentials: Vec<String>,
    /// The offer went out in the 2xx, so the ACK has to answer it.
    pub answer_due: bool,
    pub resend: Resend,
}

/// The audio side, once there are ports.
#[derive(Debug)]
pub struct Audio {
    pub ours: Ours,
    pub stream: Option<Stream>,
    pub ear: Option<Ear>,
    pub mouth: Option<Mouth>,
    /// The person's media has stopped for good.
    pub stopped: bool,
    report_at: Timestamp,
    rtcp_received: u32,
    rtcp_bye: bool,
}

#[derive(Debug)]
pub struct Call {
    pub key: CallKey,
    pub placed_here: bool,
    pub number: String,
    pub remote: String,
    pub dialog: Dialog,
    pub stage: Stage,
    /// The transaction of the INVITE being answered.
    pub invite: Option<TxKey>,
    /// What the far side described last.
    pub theirs: Option<Description>,
    pub audio: Option<Audio>,
    pub unacked: Option<Unacked>,
    pub refresh: Option<Refresh>,
    pub connected: bool,
    /// The exchange put the far side on hold.
    pub holding: bool,
    pub person: Person,
    pub started_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    said: Vec<String>,
    message: Option<VoiceMessage>,
    /// When our own INVITE was taken back.
    pub cancelled_at: Option<Timestamp>,
    media_closed: bool,
    ticked_at: Timestamp,
    /// Where audio came from that did not come from the port agreed on.
    astray: Option<u16>,
    /// Goes up whenever the record changes in a way worth telling.
    pub version: u64,
}

impl Call {
    /// Late packets of a call that is over are still taken for this long.
    const MEDIA_LINGERS: Duration = Duration::from_millis(500);
    const LINGERS: Duration = Duration::from_secs(33);
    const REPORT_EVERY: Duration = Duration::from_secs(5);
    const SLOW_TICK: Duration = Duration::from_millis(100);
    const RING_AT_MOST: Duration = Duration::from_secs(180);

    pub fn new(
        key: CallKey,
        now: Timestamp,
        dialog: Dialog,
        number: String,
        remote: String,
        person: Person,
    ) -> Self {
        Self {
            key,
            placed_here: false,
            number,
            remote,
            dialog,
            stage: Stage::Trying,
            invite: None,
            theirs: None,
            audio: None,
            unacked: None,
            refresh: None,
            connected: false,
            holding: false,
            person,
            started_at: now,
            answered_at: None,
            ended_at: None,
            said: Vec::new(),
            message: None,
            cancelled_at: None,
            media_closed: false,
            ticked_at: now,
            astray: None,
            version: 0,
        }
    }

    pub fn media_bound(&mut self, desk: &mut Desk, now: Timestamp, addr: SocketAddr) {
        let session_id = u64::from(desk.random_rtp().0);
        self.audio = Some(Audio {
            ours: Ours { session_id, version: 1, addr, direction: Direction::SendRecv },
            stream: None,
            ear: None,
            mouth: None,
            stopped: false,
            report_at: now + Self::REPORT_EVERY,
            rtcp_received: 0,
            rtcp_bye: false,
        });
        if self.placed_here {
            self.invite(desk, now)
        } else {
            self.take_offer(desk, now)
        }
        self.run(desk, now);
    }

    /// Starts or changes the stream as offer and answer came out.
    pub fn agreed(&mut self, desk: &mut Desk, now: Timestamp, stream: Stream) {
        let Some(audio) = &mut self.audio else { return };
        let (ssrc, sequence, timestamp) = desk.random_rtp();
        let config = &desk.config;
        let they_may_send = stream.direction.sends() && audio.ours.direction.receives();
        let we_may_send = stream.direction.receives() && audio.ours.direction.sends() && !audio.stopped;
        let ear =
            audio.ear.get_or_insert_with(|| Ear::new(stream.clone(), config.turn_end, config.keep_audio));
        ear.renegotiated(now, stream.clone(), they_may_send);
        let (law, event) = (stream.law, stream.telephone_event);
        let mouth = audio.mouth.get_or_insert_with(|| Mouth::new(now, law, event, ssrc, sequence, timestamp));
        mouth.renegotiated(law, event);
        if we_may_send {
            mouth.reopen(now)
        } else {
            mouth.close()
        }
        audio.stream = Some(stream);
    }

    pub fn rtp(&mut self, desk: &mut Desk, now: Timestamp, from: SocketAddr, bytes: &[u8]) {
        let Some(audio) = &mut self.audio else { return };
        if self.ended_at.is_some() {
            return;
        }
        if audio.stream.as_ref().is_some_and(|stream| stream.rtcp_mux) && rtcp::is_rtcp(bytes) {
            return self.rtcp(desk, now, bytes);
        }
        let (Some(stream), Some(ear)) = (&audio.stream, &mut audio.ear) else { return };
        // Symmetric RTP: what does not come from where we send to would not pass a NAT. Told at the end, and only
        // if nothing came from there, as ports are reused and strangers' packets go astray.
        if from.port() != stream.addr.port() {
            self.astray = Some(from.port());
            return;
        }
        let before = (ear.turns(), ear.digits().len(), ear.is_remote_speaking());
        let broken = ear.packet(now, bytes);
        let after = (ear.turns(), ear.digits().len(), ear.is_remote_speaking());
        self.version += u64::from(before != after || !broken.is_empty());
        for (rule, detail) in broken {
            desk.violation(now, rule, detail, Some(&self.dialog.call_id));
        }
        if before != after {
            self.run(desk, now);
        }
    }

    pub fn rtcp(&mut self, desk: &mut Desk, now: Timestamp, bytes: &[u8]) {
        let Some(audio) = &mut self.audio else { return };
        let broken = match rtcp::parse(bytes) {
            Ok(seen) => {
                audio.rtcp_received += 1;
                audio.rtcp_bye |= seen.bye;
                let ear = audio.ear.as_ref();
                let other = ear.and_then(Ear::ssrc).is_some_and(|ssrc| ssrc != seen.ssrc);
                let received = ear.map_or(0, Ear::packets);
                // Packets on the way or lost account for a few.
                let off = seen.packets_sent.is_some_and(|sent| sent.abs_diff(received) > 50 + received / 10);
                match (other, off) {
                    (true, _) => Some(("rtcp.ssrc", "the report has another SSRC than the audio".to_owned())),
                    (_, true) => {
                        Some(("rtcp.count", format!("{:?} sent, {received} received", seen.packets_sent)))
                    }
                    _ => None,
                }
            }
            Err(rule) => Some((rule, format!("a compound packet of {} bytes", bytes.len()))),
        };
        self.version += 1;
        if let Some((rule, detail)) = broken {
            desk.violation(now, rule, detail, Some(&self.dialog.call_id));
        }
    }

    /// Everything that time alone brings about.
    pub fn tick(&mut self, desk: &mut Desk, now: Timestamp) {
        if self.ended_at.is_some_and(|at| now >= at + Self::MEDIA_LINGERS) && !self.media_closed {
            self.media_closed = true;
            desk.out.push_back(Output::CloseMedia { call: self.key });
        }
        if self.ended_at.is_some() {
            return;
        }
        self.ticked_at = now;
        if self.placed_here && !self.connected && now >= self.give_up_at() {
            match self.cancelled_at {
                None => self.cancel(desk, now),
                Some(_) => self.end(desk, now, Ending::Lost),
            }
        }
        self.resend_answer(desk, now);
        self.keep_session(desk, now);
        self.speak(desk, now);
        if let Some(ear) = self.audio.as_mut().and_then(|audio| audio.ear.as_mut()) {
            let before = ear.turns();
            ear.tick(now);
            self.version += u64::from(ear.turns() != before);
        }
        self.run(desk, now);
    }

    fn resend_answer(&mut self, desk: &mut Desk, now: Timestamp) {
        let Some(unacked) = &mut self.unacked else { return };
        if now >= unacked.resend.give_up_at {
            self.unacked = None;
            desk.violation(now, "ack.missing", "no ACK for 200".to_owned(), Some(&self.dialog.call_id));
            self.hang_up(desk, now, Ending::Lost);
        } else if unacked.resend.due(now) {
            let (to, bytes) = (unacked.to, unacked.bytes.clone());
            desk.send(to, bytes);
        }
    }

    /// Sends the packets that are due.
    fn speak(&mut self, desk: &mut Desk, now: Timestamp) {
        let key = self.key;
        let Some(Audio { stream: Some(stream), mouth: Some(mouth), report_at, stopped, .. }) =
            &mut self.audio
        else {
            return;
        };
        while let Some(bytes) = mouth.packet(now) {
            desk.out.push_back(Output::Rtp { call: key, to: stream.addr, bytes });
        }
        if now >= *report_at && !*stopped {
            *report_at = now + Self::REPORT_EVERY;
            let bytes = report(mouth, now, false);
            let (to, mux) = (stream.rtcp, stream.rtcp_mux);
            desk.out.push_back(if mux {
                Output::Rtp { call: key, to, bytes }
            } else {
                Output::Rtcp { call: key, to, bytes }
            });
        }
    }

    pub fn rendered(&mut self, text: &str, clip: &std::sync::Arc<[i16]>) {
        if let Some(mouth) = self.audio.as_mut().and_then(|audio| audio.mouth.as_mut()) {
            mouth.rendered(text, clip);
        }
    }

    /// Lets the person do what they do now.
    pub fn run(&mut self, desk: &mut Desk, now: Timestamp) {
        while self.ended_at.is_none() {
            if self.audio.is_none() || (self.placed_here && !self.connected) {
                return;
            }
            let audio = self.audio.as_ref();
            let ear = audio.and_then(|audio| audio.ear.as_ref());
            let mouth = audio.and_then(|audio| audio.mouth.as_ref());
            let senses = Senses {
                connected: self.connected,
                idle: mouth.is_none_or(Mouth::is_idle),
                remote_speaking: ear.is_some_and(Ear::is_remote_speaking),
                turns: ear.map_or(0, Ear::turns),
                digits: ear.map_or(&[], |ear| ear.digits()),
            };
            let Some(act) = self.person.poll(now, &senses) else { return };
            self.version += 1;
            self.perform(desk, now, act);
        }
    }

    fn perform(&mut self, desk: &mut Desk, now: Timestamp, act: Act) {
        match act {
            Act::Ring => self.ring(desk, now),
            Act::Progress => {
                self.progress(desk, now);
                self.play(sound::ringback(60_000));
            }
            Act::Answer => {
                // Ringback ends where the call begins.
                self.mouth().into_iter().for_each(Mouth::hush);
                self.answer(desk, now);
            }
            Act::Reject(status) => self.reject(desk, now, status),
            Act::Say(text) => self.say(desk, text),
            Act::Play(clip) => self.play(clip),
            Act::Hush => self.mouth().into_iter().for_each(Mouth::hush),
            Act::Press(keys) => {
                if let Some(mouth) = self.mouth() {
                    mouth.press(keys.chars().filter_map(Digit::from_char));
                }
            }
            Act::StartMessage => {
                if let Some(ear) = self.audio.as_mut().and_then(|audio| audio.ear.as_mut()) {
                    ear.start_message();
                }
            }
            Act::StopMedia => {
                if let Some(audio) = &mut self.audio {
                    audio.stopped = true;
                    audio.mouth.as_mut().into_iter().for_each(Mouth::close);
                }
            }
            Act::Hold => self.hold(desk, now, true),
            Act::Resume => self.hold(desk, now, false),
            Act::HangUp => self.hang_up(desk, now, Ending::PersonHungUp),
        }
    }

    fn mouth(&mut self) -> Option<&mut Mouth> {
        self.audio.as_mut().and_then(|audio| audio.mouth.as_mut())
    }

    fn play(&mut self, clip: std::sync::Arc<[i16]>) {
        if let Some(mouth) = self.mouth() {
            mouth.play(clip);
        }
    }

    fn say(&mut self, desk: &mut Desk, text: &'static str) {
        self.said.push(text.to_owned());
        let clip = desk.clip(text);
        let Some(mouth) = self.mouth() else { return };
        match clip {
            Some(clip) => mouth.play(clip),
            None => mouth.play_when_rendered(text),
        }
    }

    /// Ends the call from this side, whatever its state.
    pub fn hang_up(&mut self, desk: &mut Desk, now: Timestamp, ending: Ending) {
        match self.stage {
            Stage::Ended(_) => return,
            Stage::Answered => self.request(desk, now, Purpose::Bye, &[], None),
            _ if self.placed_here => return self.cancel(desk, now),
            _ => return self.reject(desk, now, 480),
        }
        self.end(desk, now, ending);
    }

    pub fn end(&mut self, desk: &mut Desk, now: Timestamp, ending: Ending) {
        if self.ended_at.is_some() {
            return;
        }
        self.stage = Stage::Ended(ending);
        self.ended_at = Some(now);
        self.unacked = None;
        self.version += 1;
        if let Some(port) = self.astray.filter(|_| self.record().rtp_received == 0) {
            let detail = format!("all audio came from port {port}, none from the one agreed on");
            desk.violation(now, "rtp.source", detail, Some(&self.dialog.call_id));
        }
        if let Some(Audio { stream: Some(stream), mouth: Some(mouth), ear, stopped, .. }) = &mut self.audio {
            if !*stopped {
                let (to, bytes) = (stream.rtcp, report(mouth, now, true));
                desk.out.push_back(match stream.rtcp_mux {
                    true => Output::Rtp { call: self.key, to, bytes },
                    false => Output::Rtcp { call: self.key, to, bytes },
                });
            }
            mouth.close();
            self.message = ear.as_mut().and_then(Ear::take_message).map(VoiceMessage::new);
        }
    }

    /// Whether nothing more can come for this call.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.media_closed && self.ended_at.is_some_and(|at| now >= at + Self::LINGERS)
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        if let Some(ended_at) = self.ended_at {
            return Some(ended_at + if self.media_closed { Self::LINGERS } else { Self::MEDIA_LINGERS });
        }
        let unacked = self.unacked.as_ref().map(|unacked| unacked.resend.deadline());
        let refresh = self.refresh.as_ref().map(Refresh::deadline);
        let mouth = self.audio.as_ref().and_then(|audio| audio.mouth.as_ref());
        let packet = mouth.and_then(Mouth::deadline);
        // A person whose packets do not drive the clock still has to notice time.
        let slow = (mouth.is_some() && packet.is_none()).then(|| self.ticked_at + Self::SLOW_TICK);
        let unanswered = (self.placed_here && !self.connected).then(|| self.give_up_at());
        [unacked, refresh, packet, slow, unanswered, self.person.deadline()].into_iter().flatten().min()
    }

    /// Timer C of a call of our own: when ringing, or waiting for the end of a CANCEL, has taken too long.
    fn give_up_at(&self) -> Timestamp {
        match self.cancelled_at {
            Some(at) => at + GIVE_UP,
            None => self.started_at + Self::RING_AT_MOST,
        }
    }

    pub fn record(&self) -> CallRecord {
        let audio = self.audio.as_ref();
        let ear = audio.and_then(|audio| audio.ear.as_ref());
        let live_message = ear.and_then(Ear::message).map(|samples| VoiceMessage::new(samples.to_vec()));
        CallRecord {
            key: self.key,
            sip_call_id: self.dialog.call_id.clone(),
            number: self.number.clone(),
            remote: self.remote.clone(),
            placed_here: self.placed_here,
            stage: self.stage,
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: self.ended_at,
            heard: ear.map(Ear::heard).unwrap_or_default(),
            turns: ear.map_or(0, Ear::turns),
            digits: ear.map(|ear| ear.digits().to_vec()).unwrap_or_default(),
            rtp_received: ear.map_or(0, Ear::packets),
            rtp_sent: audio.and_then(|audio| audio.mouth.as_ref()).map_or(0, |mouth| mouth.counts().2),
            rtcp_received: audio.map_or(0, |audio| audio.rtcp_received),
            rtcp_bye: audio.is_some_and(|audio| audio.rtcp_bye),
            said: self.said.clone(),
            message: self.message.clone().or(live_message),
            audio: ear.map(|ear| ear.tape().to_vec()).unwrap_or_default(),
        }
    }
}

fn report(mouth: &Mouth, now: Timestamp, bye: bool) -> Vec<u8> {
    let (ssrc, timestamp, packets, octets) = mouth.counts();
    rtcp::Report { ssrc, unix_micros: now.unix_micros(), timestamp, packets, octets, bye }.write()
}

//! The people who are called: they answer at once, talk without a pause, note what they hear, and hang up when told.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};

use crate::heard::{Beat, Census, Heard, call_of, number_of};
use crate::marker::Marker;
use crate::net::{self, HERE, Inbox, Outbox, PACKET};
use crate::sip::{self, Dialog, Message};
use crate::stats::Histogram;
use crate::wheel::Wheel;

/// Audio arrives on these few sockets, told apart by the port it comes from.
const SOCKETS: usize = 16;
const MILLI: u64 = 1_000_000;
const RETRANSMIT: u64 = 500 * MILLI;
const TRIES: u32 = 7;

/// All callees, by the number of the call.
#[derive(Debug)]
pub struct Callees {
    sip: UdpSocket,
    here: SocketAddrV4,
    sockets: Vec<UdpSocket>,
    calls: Vec<Callee>,
    by_call_id: HashMap<String, u32>,
    by_port: Vec<u32>,
    wheel: Wheel,
    inbox: Inbox,
    outboxes: Vec<Outbox>,
    /// Callees that hang up by themselves after this long.
    pub hang_up_after: Option<u64>,
    pub heard: Heard,
}

#[derive(Debug, Default)]
struct Callee {
    state: State,
    peer: Option<SocketAddr>,
    dialog: Option<Dialog>,
    /// Sent again until the far end reacts.
    pending: String,
    next_try_at: u64,
    tries: u32,
    answered_at: Option<u64>,
    hang_up_at: Option<u64>,
    audio_to: Option<SocketAddrV4>,
    /// How many were sent.
    frames: u32,
    beat: Option<Beat>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// Answered, the ACK is missing.
    Answering,
    Talking,
    /// We hung up, the answer is missing.
    Leaving,
    Gone,
}

const NOBODY: u32 = u32::MAX;

impl Callees {
    pub fn new(now: u64) -> io::Result<Self> {
        let sip = UdpSocket::bind((HERE, 0))?;
        net::roomy(&sip)?;
        let mut sockets = Vec::with_capacity(SOCKETS);
        for _ in 0..SOCKETS {
            let socket = UdpSocket::bind((HERE, 0))?;
            net::roomy(&socket)?;
            net::stamp_arrivals(&socket)?;
            sockets.push(socket);
        }
        let here = SocketAddrV4::new(HERE, sip.local_addr()?.port());
        Ok(Self {
            sip,
            here,
            sockets,
            calls: Vec::new(),
            by_call_id: HashMap::new(),
            by_port: vec![NOBODY; 1 << 16],
            wheel: Wheel::new(now),
            inbox: Inbox::new(),
            outboxes: (0..SOCKETS).map(|_| Outbox::default()).collect(),
            hang_up_after: None,
            heard: Heard::default(),
        })
    }

    pub fn sip_socket(&self) -> &UdpSocket {
        &self.sip
    }

    pub fn audio_sockets(&self) -> &[UdpSocket] {
        &self.sockets
    }

    /// Where the trunk is.
    pub fn address(&self) -> SocketAddrV4 {
        self.here
    }

    pub fn answered_at(&self, call: u32) -> Option<u64> {
        self.calls.get(call as usize)?.answered_at
    }

    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for callee in &self.calls {
            census.answered += usize::from(callee.answered_at.is_some());
            census.talking += usize::from(callee.state == State::Talking);
            census.leaving += usize::from(callee.state == State::Leaving);
        }
        census
    }

    /// Calls that talk at the moment.
    pub fn talking(&self) -> Vec<u32> {
        let talking = self.calls.iter().zip(0..).filter(|(callee, _)| callee.state == State::Talking);
        talking.map(|(_, call)| call).collect()
    }

    /// Read the SIP socket until it is empty.
    pub fn read_sip(&mut self, now: u64) {
        let mut datagram = [0; 8_192];
        while let Ok((len, from)) = self.sip.recv_from(&mut datagram) {
            if let Some(message) = Message::parse(&datagram[..len]) {
                self.take(&message, from, now);
            }
        }
    }

    fn take(&mut self, message: &Message<'_>, from: SocketAddr, now: u64) {
        let call = message.header("Call-ID").and_then(|id| self.by_call_id.get(id)).copied();
        match (message.status, message.method, call) {
            (Some(status), "BYE", Some(call)) if status >= 200 => self.gone(call),
            (Some(_), ..) => {}
            (None, "INVITE", None) => self.invited(message, from, now),
            (None, "INVITE", Some(call)) => self.send(call),
            (None, "ACK", Some(call)) => self.acknowledged(call, now),
            (None, "ACK", None) => {}
            (None, "BYE", call) => {
                self.respond(message, from, "200 OK", call.unwrap_or(0));
                if let Some(call) = call {
                    self.gone(call);
                }
            }
            (None, _, call) => self.respond(message, from, "200 OK", call.unwrap_or(0)),
        }
    }

    fn respond(&self, request: &Message<'_>, to: SocketAddr, status: &str, tag: u32) {
        let response = request.response(status, tag, "", "");
        let _ = self.sip.send_to(response.as_bytes(), to);
    }

    fn invited(&mut self, invite: &Message<'_>, from: SocketAddr, now: u64) {
        let call = invite.user().and_then(call_of);
        let (Some(call), Some(call_id)) = (call, invite.header("Call-ID")) else {
            return self.respond(invite, from, "404 Not Found", 0);
        };
        let Some(audio_to) = sip::media_address(invite.body) else {
            return self.respond(invite, from, "488 Not Acceptable Here", call);
        };
        self.respond(invite, from, "180 Ringing", call);
        self.by_call_id.insert(call_id.to_owned(), call);
        if self.calls.len() <= call as usize {
            self.calls.resize_with(call as usize + 1, Callee::default);
        }
        let audio_at = self.sockets[call as usize % SOCKETS].local_addr();
        let audio_at = SocketAddrV4::new(HERE, audio_at.map_or(0, |addr| addr.port()));
        let more = format!(
            "Contact: <sip:{}@{}>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Type: application/sdp\r\n",
            number_of(call),
            self.here
        );
        let callee = &mut self.calls[call as usize];
        callee.pending = invite.response("200 OK", call, &more, &sip::answer(audio_at));
        callee.dialog = Dialog::of(invite, call);
        callee.peer = Some(from);
        callee.state = State::Answering;
        callee.audio_to = Some(audio_to);
        callee.next_try_at = now + RETRANSMIT;
        callee.tries = 0;
        self.by_port[usize::from(audio_to.port())] = call;
        self.send(call);
    }

    fn send(&self, call: u32) {
        let callee = &self.calls[call as usize];
        if let Some(peer) = callee.peer {
            let _ = self.sip.send_to(callee.pending.as_bytes(), peer);
        }
    }

    fn acknowledged(&mut self, call: u32, now: u64) {
        let callee = &mut self.calls[call as usize];
        if callee.state == State::Answering {
            callee.state = State::Talking;
            callee.answered_at = Some(now);
            callee.hang_up_at = self.hang_up_after.map(|after| now + after);
            self.wheel.insert(call, call);
        }
    }

    /// Hang up.
    pub fn leave(&mut self, call: u32, now: u64) {
        let callee = &mut self.calls[call as usize];
        let Some(dialog) = callee.dialog.as_ref().filter(|_| callee.state == State::Talking) else { return };
        callee.pending = dialog.bye(self.here, call);
        callee.state = State::Leaving;
        callee.next_try_at = now + RETRANSMIT;
        callee.tries = 0;
        self.wheel.remove(call, call);
        self.send(call);
    }

    fn gone(&mut self, call: u32) {
        let callee = &mut self.calls[call as usize];
        callee.state = State::Gone;
        callee.dialog = None;
        callee.pending = String::new();
        if let Some(audio_to) = callee.audio_to.take()
            && self.by_port[usize::from(audio_to.port())] == call
        {
            self.by_port[usize::from(audio_to.port())] = NOBODY;
        }
        self.wheel.remove(call, call);
    }

    /// What time brings: retransmissions and the end of short calls. To be called a few times a second.
    pub fn tick(&mut self, now: u64) {
        for call in 0..self.calls.len() as u32 {
            let callee = &mut self.calls[call as usize];
            match callee.state {
                State::Answering | State::Leaving if now >= callee.next_try_at => {
                    callee.tries += 1;
                    callee.next_try_at = now + (RETRANSMIT << callee.tries.min(3));
                    if callee.tries > TRIES { self.gone(call) } else { self.send(call) }
                }
                State::Talking if callee.hang_up_at.is_some_and(|at| now >= at) => self.leave(call, now),
                _ => {}
            }
        }
    }

    /// Send the frames that are due, each from the port its callee named.
    pub fn talk(&mut self, now: u64) {
        let Self { wheel, calls, outboxes, sockets, heard, .. } = self;
        while let Some(due) = wheel.turn(now) {
            let sent_at = net::now();
            for call in due {
                let callee = &mut calls[*call as usize];
                let Some(to) = callee.audio_to else { continue };
                callee.frames += 1;
                outboxes[*call as usize % SOCKETS].push(to, packet(*call, callee.frames, sent_at));
            }
            for (outbox, socket) in outboxes.iter_mut().zip(sockets.iter()) {
                let sent = outbox.send(socket) as u64;
                heard.frames_sent += if heard.covers(sent_at) { sent } else { 0 };
            }
        }
    }

    /// Read what has arrived on an audio socket.
    pub fn listen(&mut self, socket: usize) {
        let Self { inbox, sockets, calls, by_port, heard, .. } = self;
        inbox.receive(&sockets[socket], |port, arrived_at, datagram| {
            let call = by_port[usize::from(port)];
            if let (Some(callee), Some((_, payload))) =
                (calls.get_mut(call as usize), datagram.split_at_checked(12))
            {
                heard.note(&mut callee.beat, arrived_at, Marker::read(payload));
            }
        });
    }

    /// How late the generator was since this was asked last.
    pub fn take_lateness(&mut self) -> Histogram {
        std::mem::take(&mut self.wheel.lateness)
    }
}

fn packet(call: u32, number: u32, sent_at: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = 0x80;
    packet[1] = if number == 1 { 0x80 } else { 0 };
    packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&number.wrapping_mul(160).to_be_bytes());
    packet[8..12].copy_from_slice(&(0x0ff0_0000 + call).to_be_bytes());
    packet[12..].copy_from_slice(&Marker { sent_at, utterance: call, number }.frame());
    packet
}

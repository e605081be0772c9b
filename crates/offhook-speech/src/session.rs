//! One conversation with a speech model, as the session task of a call sees it.
//!
//! The Realtime provider is polled inline: [`SpeechSession::next`] reads the socket and writes what
//! [`SpeechSession::hear`] left, without another task between. A provider that runs in tasks of its own takes the
//! other half of [`SpeechSession::from_channels`].

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use offhook_core::Frame;
use offhook_core::audio::AudioFormat;
use offhook_core::call::{SpeechCommand, SpeechEvent, ToolCall, Utterance};
use tokio::sync::{Notify, mpsc};

use crate::apology::{Apology, Prepared};
use crate::openai;

/// What a conversation brings forth.
#[derive(Clone, PartialEq)]
pub enum SpeechOutput {
    Event(SpeechEvent),
    /// Audio of the voice in the session's format, as fast as the model makes it.
    Audio {
        utterance: Utterance,
        bytes: Vec<u8>,
    },
}

/// Without the audio.
impl fmt::Debug for SpeechOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Audio { utterance, bytes } => write!(f, "Audio({utterance:?}, {} bytes)", bytes.len()),
        }
    }
}

/// The command queue is full: the model does not keep up. The command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the speech model does not keep up; the command was not taken")]
pub struct Busy;

/// One conversation. Dropping it closes it.
#[derive(Debug)]
pub struct SpeechSession {
    format: AudioFormat,
    inner: Inner,
    /// Somebody listens, and expects to be talked to.
    talking: bool,
    /// The last utterance that was begun.
    last: Utterance,
    apology: Prepared,
    /// What is still to be told after the model was lost.
    farewell: VecDeque<SpeechOutput>,
}

#[derive(Debug)]
enum Inner {
    OpenAi(Box<openai::Connection>),
    Channels(CallEnd),
}

/// Commands that wait for a provider's task.
const COMMANDS: usize = 64;
/// Outputs that wait for the session; a provider waits when they are full.
const OUTPUTS: usize = 256;

impl SpeechSession {
    fn new(format: AudioFormat, inner: Inner) -> Self {
        Self {
            format,
            inner,
            talking: false,
            last: Utterance(0),
            apology: Prepared::default(),
            farewell: VecDeque::new(),
        }
    }

    pub(crate) fn openai(format: AudioFormat, connection: openai::Connection) -> Self {
        Self::new(format, Inner::OpenAi(Box::new(connection)))
    }

    /// Where nobody is to be heard or spoken to: no model is asked, and it is over from the first.
    pub fn without_model(format: AudioFormat) -> Self {
        Self::from_channels(format).0
    }

    /// For a provider that runs in tasks of its own. When the provider drops its sender, the session reports `Lost`.
    pub fn from_channels(format: AudioFormat) -> (Self, ProviderEnd) {
        let remote_frames = FrameQueue::default();
        let (commands, command_inbox) = mpsc::channel(COMMANDS);
        let (output_sender, outputs) = mpsc::channel(OUTPUTS);
        let call_end = CallEnd { remote_frames: remote_frames.clone(), commands, outputs };
        let provider_end = ProviderEnd { remote_frames, commands: command_inbox, outputs: output_sender };
        (Self::new(format, Inner::Channels(call_end)), provider_end)
    }

    pub(crate) fn with_apology(mut self, apology: Prepared) -> Self {
        self.apology = apology;
        self
    }

    /// What [`Self::hear`] takes and [`SpeechOutput::Audio`] is in.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Hear and speak as the leg does, where the model can and no audio has gone either way yet, so that audio passes
    /// untouched. What the format is from now on.
    pub fn use_format(&mut self, leg: AudioFormat) -> AudioFormat {
        if let Inner::OpenAi(connection) = &mut self.inner {
            let wanted = openai::OpenAi::format_for(leg);
            if connection.use_format(wanted) {
                self.format = wanted;
            }
        }
        self.format
    }

    /// The next output. Cancel-safe: dropping the future loses nothing. After `Lost` it never resolves again.
    pub async fn next(&mut self) -> SpeechOutput {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`]. To be polled again after [`Self::hear`], [`Self::send`] and [`Self::use_format`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<SpeechOutput> {
        if let Some(output) = self.farewell.pop_front() {
            return Poll::Ready(output);
        }
        let output = ready!(match &mut self.inner {
            Inner::OpenAi(connection) => connection.poll_next(cx),
            Inner::Channels(end) => end.poll_next(cx),
        });
        match &output {
            SpeechOutput::Audio { utterance, .. }
            | SpeechOutput::Event(SpeechEvent::VoiceText { utterance, .. }) => {
                self.last = self.last.max(*utterance);
            }
            // It has said its goodbye.
            SpeechOutput::Event(SpeechEvent::ToolCall { tool: ToolCall::EndCall { .. }, .. }) => {
                self.talking = false;
            }
            SpeechOutput::Event(SpeechEvent::Lost { .. }) if self.talking => {
                return Poll::Ready(self.apologize(output));
            }
            SpeechOutput::Event(_) => {}
        }
        Poll::Ready(output)
    }

    /// A last utterance before `lost`: nobody is left with a dead line and no reason.
    fn apologize(&mut self, lost: SpeechOutput) -> SpeechOutput {
        let apology = self.apology.get().cloned().unwrap_or_else(Apology::tones);
        let utterance = Utterance(self.last.0 + 1);
        let text = apology.text.clone().map(|text| SpeechEvent::VoiceText { utterance, text });
        self.farewell.extend(text.map(SpeechOutput::Event));
        self.farewell.push_back(SpeechOutput::Event(SpeechEvent::UtteranceDone { utterance }));
        self.farewell.push_back(lost);
        SpeechOutput::Audio { utterance, bytes: apology.audio(self.format) }
    }

    /// What the remote said just now, in [`Self::format`]. Never blocks; what does not fit displaces the oldest.
    pub fn hear(&mut self, remote_frame: &Frame) {
        debug_assert_eq!(remote_frame.format(), self.format);
        match &mut self.inner {
            Inner::OpenAi(connection) => connection.hear(remote_frame),
            Inner::Channels(end) => end.remote_frames.push(remote_frame),
        }
    }

    pub fn send(&mut self, command: SpeechCommand) -> Result<(), Busy> {
        match command {
            SpeechCommand::Open { .. } => self.talking = true,
            SpeechCommand::Close => self.talking = false,
            _ => {}
        }
        match &mut self.inner {
            Inner::OpenAi(connection) => connection.send(command),
            Inner::Channels(end) => end.send(command),
        }
    }

    /// Remote frames lost because the model did not keep up.
    pub fn dropped_frames(&self) -> u64 {
        match &self.inner {
            Inner::OpenAi(connection) => connection.dropped_frames(),
            Inner::Channels(end) => end.remote_frames.dropped(),
        }
    }
}

#[derive(Debug)]
struct CallEnd {
    remote_frames: FrameQueue,
    commands: mpsc::Sender<SpeechCommand>,
    outputs: mpsc::Receiver<SpeechOutput>,
}

impl Drop for CallEnd {
    fn drop(&mut self) {
        self.remote_frames.close();
    }
}

impl CallEnd {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<SpeechOutput> {
        match ready!(self.outputs.poll_recv(cx)) {
            Some(output) => Poll::Ready(output),
            None if self.remote_frames.is_closed() => Poll::Pending,
            None => {
                self.remote_frames.close();
                let why = "the speech model stopped".to_owned();
                Poll::Ready(SpeechOutput::Event(SpeechEvent::Lost { why }))
            }
        }
    }

    /// A provider that is gone says so in [`Self::next`]; a command to it is not refused but pointless.
    fn send(&mut self, command: SpeechCommand) -> Result<(), Busy> {
        match self.commands.try_send(command) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Busy),
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }
}

/// The provider's half of [`SpeechSession::from_channels`].
///
/// `commands` yields `None`, and `remote_frames` too, once the session is gone.
#[derive(Debug)]
pub struct ProviderEnd {
    pub remote_frames: FrameQueue,
    pub commands: mpsc::Receiver<SpeechCommand>,
    pub outputs: mpsc::Sender<SpeechOutput>,
}

/// Remote frames on their way to a provider's task: the oldest give way when it does not keep up.
#[derive(Clone, Debug, Default)]
pub struct FrameQueue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Queue>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    dropped: u64,
    closed: bool,
}

impl FrameQueue {
    /// Two seconds.
    const CAPACITY: usize = 100;

    /// The next frame; `None` once the session is gone. Cancel-safe. For one consumer.
    pub async fn next(&self) -> Option<Frame> {
        loop {
            {
                let mut queue = self.lock();
                if let Some(frame) = queue.frames.pop_front() {
                    return Some(frame);
                }
                if queue.closed {
                    return None;
                }
            }
            self.shared.pushed.notified().await;
        }
    }

    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn push(&self, frame: &Frame) {
        let mut queue = self.lock();
        if queue.frames.len() == Self::CAPACITY {
            queue.frames.pop_front();
            queue.dropped += 1;
        }
        queue.frames.push_back(frame.clone());
        drop(queue);
        self.shared.pushed.notify_one();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.shared.pushed.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// No code under this lock can panic half-way: a poisoned queue is still whole.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: AudioFormat = AudioFormat::Pcmu;

    fn frame(value: u8) -> Frame {
        Frame::from_bytes(FORMAT, &[value; 160]).unwrap()
    }

    fn lost(output: &SpeechOutput) -> bool {
        matches!(output, SpeechOutput::Event(SpeechEvent::Lost { .. }))
    }

    #[tokio::test]
    async fn a_provider_that_is_gone_is_lost_once() {
        let (mut session, provider) = SpeechSession::from_channels(FORMAT);
        let event = SpeechOutput::Event(SpeechEvent::RemoteSpeechStarted);
        provider.outputs.send(event.clone()).await.unwrap();
        drop(provider);
        assert_eq!(session.next().await, event, "what was said before comes first");
        assert!(lost(&session.next().await));
        assert_eq!(session.send(SpeechCommand::Close), Ok(()));
        tokio::select! {
            biased;
            output = session.next() => panic!("{output:?} after Lost"),
            () = tokio::task::yield_now() => {}
        }
    }

    #[tokio::test]
    async fn a_provider_hears_that_the_session_is_gone() {
        let (session, mut provider) = SpeechSession::from_channels(FORMAT);
        drop(session);
        assert_eq!(provider.remote_frames.next().await, None);
        assert_eq!(provider.commands.recv().await, None);
    }

    #[tokio::test]
    async fn the_oldest_frames_give_way() {
        let (mut session, provider) = SpeechSession::from_channels(FORMAT);
        for value in 0..=FrameQueue::CAPACITY as u8 {
            session.hear(&frame(value));
        }
        assert_eq!(session.dropped_frames(), 1);
        assert_eq!(provider.remote_frames.next().await, Some(frame(1)));
    }

    #[tokio::test]
    async fn commands_are_refused_when_nobody_takes_them() {
        let (mut session, _provider) = SpeechSession::from_channels(FORMAT);
        for _ in 0..COMMANDS {
            assert_eq!(session.send(SpeechCommand::Resume), Ok(()));
        }
        assert_eq!(session.send(SpeechCommand::Resume), Err(Busy));
    }
}

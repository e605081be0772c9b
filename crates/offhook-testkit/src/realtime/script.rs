//! What the fake server is told to do.

use std::time::Duration;

/// How a fake server behaves. All its connections share one script; replies and transcripts are used up in order.
#[derive(Clone, Debug)]
pub struct Script {
    /// One for each response; when they are used up, the last one is repeated.
    pub replies: Vec<Reply>,
    /// One for each turn of the remote; when they are used up, the last one is repeated.
    pub heard: Vec<Heard>,
    pub names: Names,
    /// A response whose instructions hold a text between two lines of three dashes says that text instead of the
    /// next reply, as an obedient model would.
    pub obedient: bool,
    /// Send back every piece of audio as it comes, and do nothing else: for measuring, at next to no cost.
    pub echo: bool,
    /// How old a session gets.
    pub expires_in: Duration,
    /// Between two pieces of audio of a response, each 100 ms long. Zero sends all at once.
    pub pace: Duration,
    /// Hz; a multiple of 10.
    pub tone_hz: u32,
    /// How much audio a character of text makes.
    pub ms_per_char: u32,
    /// The key a client must show, as bearer or `api-key`.
    pub key: Option<String>,
    /// Refuse every `session.update` with this code and message.
    pub refuse_session: Option<(String, String)>,
    /// Keep the events of the clients.
    pub record: bool,
}

/// One response of the fake model.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Said as audio with this transcript.
    pub text: Option<String>,
    /// A function call, after the words: its name and arguments.
    pub tool: Option<(String, String)>,
    pub end: End,
}

/// How a response ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    #[default]
    Completed,
    Failed {
        code: String,
        message: String,
    },
    /// `max_output_tokens` or `content_filter`.
    Incomplete {
        reason: String,
    },
    /// The connection breaks after the first half of the audio.
    Drop,
    /// The session is declared expired after the first half of the audio, and closed.
    Expire,
}

/// What the fake transcription makes of a turn of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Text(String),
    Failed,
    /// Never an answer.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Ga,
    /// The event names of the protocol before it was generally available.
    Beta,
}

impl Reply {
    pub fn say(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }

    pub fn call(tool: &str, arguments: &str) -> Self {
        Self { tool: Some((tool.to_owned(), arguments.to_owned())), ..Self::default() }
    }

    pub fn and_call(mut self, tool: &str, arguments: &str) -> Self {
        self.tool = Some((tool.to_owned(), arguments.to_owned()));
        self
    }

    pub fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            replies: vec![Reply::say("Certainly, one moment please.")],
            heard: vec![Heard::Text("Hello, who is calling?".to_owned())],
            names: Names::Ga,
            obedient: true,
            echo: false,
            expires_in: Duration::from_secs(3_600),
            pace: Duration::ZERO,
            tone_hz: 440,
            ms_per_char: 60,
            key: None,
            refuse_session: None,
            record: true,
        }
    }
}

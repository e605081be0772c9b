//! What a person on a test number does, step by step, as data.

/// One step of a script; each is finished before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// 180, and wait.
    Ring {
        ms: u32,
    },
    /// 180, and never an answer.
    RingForever,
    /// 183 with ringback as early media, and wait.
    EarlyMedia {
        ms: u32,
    },
    Answer,
    /// A final response instead of an answer.
    Reject {
        status: u16,
    },
    /// Speak, once the far side is not speaking.
    Say(&'static str),
    /// Speak as machines do: whoever else is speaking.
    Announce(&'static str),
    Pause {
        ms: u32,
    },
    /// Wait for the far side's turn to end. After silence: "Hello?", once; after more of it, hang up.
    Listen {
        patience_ms: u32,
    },
    /// As `Listen`, but go on when nothing is said.
    Await {
        ms: u32,
    },
    /// Play a menu until the right key is pressed.
    Menu(&'static Menu),
    /// Ask for something that can only be typed in, as people here do not understand words.
    Ask(&'static Ask),
    /// Press keys.
    Press(&'static str),
    Music {
        ms: u32,
    },
    Beep,
    /// A pure tone, to be known again elsewhere.
    Tone {
        hz: u16,
        ms: u32,
    },
    /// Record what the far side says until it hangs up.
    Record {
        max_ms: u32,
    },
    /// Stay on the line, sending silence, until the far side hangs up.
    StaySilent,
    /// No more packets, without a word of warning; stay until the far side hangs up.
    StopMedia,
    /// Put the far side on hold with a re-INVITE, and take it back.
    Hold {
        ms: u32,
    },
    HangUp,
    /// Hang up this long after the answer.
    HangUpAt {
        ms: u32,
    },
    /// Leave the far side the time to say goodbye and hang up, then hang up.
    Linger {
        ms: u32,
    },
}

/// A phone tree of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Menu {
    pub prompt: &'static str,
    /// The key that leads on; there may be none.
    pub key: Option<char>,
    /// What other keys lead to, before the menu is played again.
    pub others: &'static [(char, &'static str)],
    pub unknown_key: &'static str,
    pub wait_ms: u32,
    pub tries: u32,
    /// Said before hanging up.
    pub give_up: &'static str,
    /// How long after a prompt a key is noticed, for machines that are slow to listen; 0: at any time.
    pub settle_ms: u32,
}

/// A question that is asked until it is answered by enough keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub questions: &'static [&'static str],
    pub keys: usize,
    pub patience_ms: u32,
    /// After the far side said something instead.
    pub reply_ms: u32,
    /// Said before hanging up.
    pub give_up: &'static str,
}

/// Said by anyone who hears nothing.
pub const HELLO: &str = "Hello? Is anyone there?";
pub const CANNOT_HEAR: &str = "I cannot hear you. Goodbye.";

impl Step {
    /// Every sentence of the step.
    pub fn sentences(&self) -> Vec<&'static str> {
        match self {
            Self::Say(text) | Self::Announce(text) => vec![text],
            Self::Listen { .. } => vec![HELLO, CANNOT_HEAR],
            Self::Menu(menu) => {
                let others = menu.others.iter().map(|(_, text)| *text);
                [menu.prompt, menu.unknown_key, menu.give_up].into_iter().chain(others).collect()
            }
            Self::Ask(ask) => ask.questions.iter().copied().chain([ask.give_up]).collect(),
            _ => Vec::new(),
        }
    }
}

//! The words that may be written where only some may: each list stands here and nowhere else.

use serde::Deserialize;

/// Enums of words; the first is what counts when nothing is written, unless the builder says otherwise.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $first:ident = $first_word:literal $(, $variant:ident = $word:literal)* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        pub enum $name {
            #[default]
            #[serde(rename = $first_word)]
            $first,
            $(#[serde(rename = $word)] $variant,)*
        }

        impl $name {
            pub const WORDS: &'static [&'static str] = &[$first_word $(, $word)*];
            pub const DEFAULT: &'static str = $first_word;
        }
    )*};
}

choices! {
    /// Whom a call may be handed over to.
    UserNumbers { Any = "any", Account = "account" }

    LogFormat { Text = "text", Json = "json" }

    /// From whom calls are accepted.
    Callers { Trunks = "trunks", Anybody = "anybody", Nobody = "nobody" }

    /// Without a default: what the address of the server says.
    Transport { Udp = "udp", Tcp = "tcp", Tls = "tls" }

    /// Who stands in From.
    From { Number = "number", Account = "account", Anonymous = "anonymous" }

    /// Where the number stands besides.
    Identity { From = "from", Asserted = "p-asserted", Preferred = "p-preferred" }

    NumberFormat { Plus = "+e164", Digits = "e164" }

    Srtp { Off = "off", Optional = "optional", Required = "required" }

    Model { Local = "local", OpenAi = "openai-realtime" }

    Opening { ListenFirst = "listen_first", SpeakFirst = "speak_first" }

    /// The default depends on the address.
    Auth { Bearer = "bearer", ApiKey = "api-key", None = "none" }

    TurnDetection { Server = "server_vad", Semantic = "semantic_vad" }

    Eagerness { Auto = "auto", Low = "low", Medium = "medium", High = "high" }

    NoiseReduction { Off = "off", NearField = "near_field", FarField = "far_field" }

    Synthesizer { Auto = "auto", Flite = "flite", EspeakNg = "espeak-ng", Say = "say", Http = "http" }

    Recognizer { Pocketsphinx = "pocketsphinx", Http = "http" }

    Brain { Script = "script", Http = "http" }

    /// How requests to ACS are signed. Without a default: what is written.
    AcsAuth { Key = "key", ClientSecret = "client_secret", Workload = "workload", Managed = "managed" }

    AcsAudio { Hz24000 = "24khz", Hz16000 = "16khz" }

    Tunnel { None = "none", Cloudflared = "cloudflared", Ngrok = "ngrok", Tailscale = "tailscale" }

    /// Whose calls may have agents asked. The default depends on who can reach offhook.
    AgentKeys { Any = "any", Admin = "admin" }

    /// How an agent is asked. Without a default: what is written for it.
    Agent { Chat = "chat", Command = "command", Http = "http", Owner = "owner" }

    /// Who may call a line.
    LineAccess { Open = "open", Closed = "closed", List = "list", Pin = "pin" }

    Trust { Pin = "pin", Number = "number" }

    Outside { Decline = "decline", Message = "message" }

    NoticeFormat { Slack = "slack", Discord = "discord", Json = "json" }
}

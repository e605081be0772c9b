//! Every configuration key: its name, what may be written there, its default, what it is for.
//!
//! This table is the one source of the environment names, the check for unknown keys, `offhook config show` and
//! `docs/config.md`; a test holds it against the fields of [`super::RawConfig`].

use std::borrow::Cow;

use offhook_speech::openai;

use super::{acs, agents, choice, inbound, schedules};

/// One key of `offhook.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted; `[]` stands for each table of a list: `carrier.sip.trunk[].server`.
    pub path: &'static str,
    pub kind: Kind,
    /// As it would be written, or in words when it depends on something; empty when there is none, or where
    /// [`Key::default_text`] asks another crate.
    default: &'static str,
    pub doc: &'static str,
}

/// What may be written for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Never shown. Also `${NAME}` for an environment variable and `file:/path` for a file.
    Secret,
    /// A URL that may hold a password, which is never shown. Also `${NAME}` and `file:/path`.
    SecretUrl,
    Bool,
    Int,
    Float,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts; in the environment separated by commas.
    List,
    /// A table of texts; in the environment `name=value`, separated by commas.
    Map,
    /// A table of secrets, written the same way.
    SecretMap,
}

impl Kind {
    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::SecretUrl => "URL".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Int => "whole number".to_owned(),
            Self::Float => "number".to_owned(),
            Self::Choice(choices) => choices.join(" or "),
            Self::List => "list of texts".to_owned(),
            Self::Map => "table of texts".to_owned(),
            Self::SecretMap => "table of secrets".to_owned(),
        }
    }
}

impl Key {
    /// `carrier.sip.trunk[].server` → `OFFHOOK_CARRIER_SIP_TRUNK_SERVER`.
    pub fn env(&self) -> String {
        let path = self.path.replace("[]", "").replace('.', "_");
        format!("OFFHOOK_{}", path.to_ascii_uppercase())
    }

    /// The table it is in, without its own name; empty at the top.
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The default, also where another crate has it.
    pub fn default_text(&self) -> Cow<'static, str> {
        match self.path {
            "speech.openai.voices" => {
                let pair = |(ours, theirs): (&str, &str)| format!("{ours} = \"{theirs}\"");
                format!("{{ {} }}", openai::Config::VOICES.map(pair).join(", ")).into()
            }
            _ => self.default.into(),
        }
    }

    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }
}

pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The names other products' documents use for the same settings; ours win.
pub const FOREIGN_NAMES: &[(&str, &str)] = &[
    ("CALLING_ENABLED", "calling_enabled"),
    ("ACS_CONNECTION_STRING", "carrier.acs.connection_string; where both are set they must be the same"),
    ("ACS_SOURCE_NUMBER", "a [[line]] with trunk = \"acs\""),
    ("ACS_CALLBACK_TOKEN", "carrier.acs.incoming_token; where both are set they must be the same"),
    (
        "AZURE_OPENAI_ENDPOINT",
        "speech.openai.base_url (with `/openai/v1` behind it) and speech.openai.auth = \"api-key\"",
    ),
    ("AZURE_OPENAI_API_KEY", "speech.openai.api_key, when AZURE_OPENAI_ENDPOINT is used"),
    ("AZURE_OPENAI_REALTIME_DEPLOYMENT", "speech.openai.model, and speech.model = \"openai-realtime\""),
    ("OPENAI_API_KEY", "speech.openai.api_key, when nothing above gives one"),
    ("VOICE_TARGET_NUMBER", "voice.target; where both are set they must be the same"),
];

pub(super) const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, doc }
}

use Kind::{Bool, Choice, Float, Int, List, Map, Secret, SecretMap, SecretUrl, Text};

/// All of them, in the order of `docs/config.md`. What has a file of its own has its keys there.
pub const KEYS: &[Key] = &in_one::<{ count(PARTS) }>(PARTS);

const PARTS: &[&[Key]] = &[GATEWAY, acs::KEYS, inbound::KEYS, agents::KEYS, schedules::KEYS];

const fn count(parts: &[&[Key]]) -> usize {
    let (mut all, mut part) = (0, 0);
    while part < parts.len() {
        all += parts[part].len();
        part += 1;
    }
    all
}

const fn in_one<const ALL: usize>(parts: &[&[Key]]) -> [Key; ALL] {
    let mut all = [parts[0][0]; ALL];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            all[at] = parts[part][index];
            at += 1;
            index += 1;
        }
        part += 1;
    }
    all
}

const GATEWAY: &[Key] = &[
    key(
        "listen",
        Text,
        "127.0.0.1:7465",
        "Where the HTTP API listens: address and port. Put a TLS proxy in front of it before it leaves the machine.",
    ),
    key(
        "public_url",
        Text,
        "http:// and the listen address; where that is every address, what a request calls this server",
        "The address callers reach the API at; recording links begin with it.",
    ),
    key(
        "data_dir",
        Text,
        "$XDG_DATA_HOME/offhook",
        "Database, recordings and the secret of this installation.",
    ),
    key(
        "database_url",
        SecretUrl,
        "offhook.db in data_dir",
        "`sqlite:PATH`, a plain path, or `postgres://USER:PASSWORD@HOST/DATABASE`.",
    ),
    key(
        "allow_anonymous_keys",
        Bool,
        "true when listen is a loopback address and there is no public_url",
        "Whether a caller without a key is given one on its first call. Otherwise keys are made with `offhook key create`.",
    ),
    key("calling_enabled", Bool, "true", "The main switch: when false, no call is placed."),
    key("recording_link_minutes", Int, "10", "How long a link to a recording works without a key."),
    key(
        "log",
        Text,
        "info",
        "What is logged, as a filter of `tracing`: `info`, `debug`, `offhook_carrier=debug,info`. Never in it: whole phone numbers, transcripts, secrets.",
    ),
    key(
        "log_format",
        Choice(choice::LogFormat::WORDS),
        choice::LogFormat::DEFAULT,
        "How log lines are written.",
    ),
    key(
        "carrier.sip.listen",
        List,
        "[\"udp:0.0.0.0:5060\"]",
        "Where SIP is spoken: `udp:`, `tcp:` or `tls:` before address and port. Used when a trunk is configured.",
    ),
    key(
        "carrier.sip.public_addr",
        Text,
        "",
        "The IP address far ends reach us at, when it is not the one that is listened on (NAT). For SIP and audio.",
    ),
    key(
        "carrier.sip.nameservers",
        List,
        "the system's",
        "DNS servers to ask where trunks are, instead of the system's: `192.0.2.53` or `192.0.2.53:5353`.",
    ),
    key(
        "carrier.sip.rtp_ports",
        Text,
        "any free port",
        "The UDP ports for audio, e.g. `16384-32767`; each call takes two.",
    ),
    key(
        "carrier.sip.rtp_addr",
        Text,
        "the address of the first listen",
        "The IP address the audio ports are opened on.",
    ),
    key(
        "carrier.sip.codecs",
        List,
        "[\"PCMU\", \"PCMA\"]",
        "The audio formats to offer, the preferred one first.",
    ),
    key(
        "carrier.sip.media_timeout_seconds",
        Int,
        "15",
        "A call whose audio has stopped for so long is ended.",
    ),
    key(
        "carrier.sip.max_pending",
        Int,
        "200",
        "Calls that are not answered yet, both ways; past it a caller gets 503.",
    ),
    key("carrier.sip.max_calls", Int, "2000", "All calls; past it a caller gets 503."),
    key(
        "carrier.sip.inbound",
        Choice(choice::Callers::WORDS),
        choice::Callers::DEFAULT,
        "From whom calls are accepted: from the addresses of the trunks, from anybody who can reach the port (scanners will), from nobody.",
    ),
    key(
        "carrier.sip.inbound_addrs",
        List,
        "[]",
        "Further IP addresses and networks (`192.0.2.0/24`) to accept calls from, beside those of the trunks.",
    ),
    key(
        "carrier.sip.tls_certificate",
        Text,
        "",
        "A PEM file with the certificate chain for a `tls:` address.",
    ),
    key("carrier.sip.tls_key", Secret, "", "Its private key in PEM, usually `file:/path`."),
    key("carrier.sip.trunk[].name", Text, "the host of server", "What lines call it by."),
    key(
        "carrier.sip.trunk[].server",
        Text,
        "",
        "The peer: `host`, `host:port`, with `;transport=tcp` if needed. Without a port it is looked up in DNS (SRV).",
    ),
    key(
        "carrier.sip.trunk[].transport",
        Choice(choice::Transport::WORDS),
        "what server says, else udp",
        "How the peer is spoken to.",
    ),
    key(
        "carrier.sip.trunk[].outbound_proxy",
        Text,
        "",
        "Every request goes here instead of to the server itself.",
    ),
    key("carrier.sip.trunk[].username", Text, "", "The account, as it stands in the SIP address."),
    key(
        "carrier.sip.trunk[].auth_username",
        Text,
        "username",
        "The name for authentication where it differs.",
    ),
    key("carrier.sip.trunk[].password", Secret, "", "The password of the account."),
    key("carrier.sip.trunk[].realm", Text, "any", "Answer only challenges of this realm."),
    key(
        "carrier.sip.trunk[].from",
        Choice(choice::From::WORDS),
        choice::From::DEFAULT,
        "Whom the From header of a call names: the number of the line, `username`, or nobody (the number is then hidden from the one who is called, and `identity` has to tell it the trunk).",
    ),
    key(
        "carrier.sip.trunk[].identity",
        Choice(choice::Identity::WORDS),
        choice::Identity::DEFAULT,
        "Where else the number of the line stands: nowhere but in From, in P-Asserted-Identity, or in P-Preferred-Identity.",
    ),
    key(
        "carrier.sip.trunk[].number_format",
        Choice(choice::NumberFormat::WORDS),
        choice::NumberFormat::DEFAULT,
        "How numbers are written to the trunk, ours and those we call: `+14155550123`, or `14155550123`.",
    ),
    key(
        "carrier.sip.trunk[].register",
        Bool,
        "true with a username and a password",
        "Whether to register, so that calls reach us.",
    ),
    key(
        "carrier.sip.trunk[].expires_seconds",
        Int,
        "3600",
        "How long a registration is asked to last; it is refreshed in time.",
    ),
    key(
        "carrier.sip.trunk[].keepalive_seconds",
        Int,
        "0",
        "How often the peer is asked whether it is there (OPTIONS); 0 is never. 30 keeps most NATs open.",
    ),
    key(
        "carrier.sip.trunk[].session_timer_seconds",
        Int,
        "1800",
        "Session timer (RFC 4028), so that a call whose peer vanished ends; 0 is none.",
    ),
    key(
        "carrier.sip.trunk[].srtp",
        Choice(choice::Srtp::WORDS),
        choice::Srtp::DEFAULT,
        "Whether audio is encrypted. Use it with `tls` only: the keys travel in the signalling.",
    ),
    key(
        "carrier.sip.trunk[].tls_ca",
        Text,
        "the system's",
        "A PEM file with the certificates that may have signed the peer's.",
    ),
    key(
        "carrier.sip.trunk[].tls_insecure",
        Bool,
        "false",
        "Accept any certificate. Keeps nobody out who listens in; for tests.",
    ),
    key("line[].number", Text, "", "A telephone number of ours, in E.164: `+14155550123`."),
    key("line[].name", Text, "", "The name shown to the one who is called, where the network passes it on."),
    key(
        "line[].trunk",
        Text,
        "the only trunk",
        "The trunk it is reached through; `acs` for a number of Azure Communication Services.",
    ),
    key("line[].max_calls", Int, "10", "Calls at the same time on this number."),
    key(
        "speech.model",
        Choice(choice::Model::WORDS),
        choice::Model::DEFAULT,
        "What talks: programs on this machine, or a Realtime endpoint.",
    ),
    key("speech.language", Text, "en-US", "The language of a call that names none (BCP 47)."),
    key(
        "speech.opening",
        Choice(choice::Opening::WORDS),
        choice::Opening::DEFAULT,
        "Who speaks first when a call is answered; people expect to say hello before they are spoken to.",
    ),
    key("speech.listen_seconds", Int, "2", "With `listen_first`: how long to wait for a hello."),
    key("speech.assistant_name", Text, "", "What the voice is called, if it is to have a name."),
    key(
        "speech.disclosure_ai",
        Bool,
        "true",
        "Whether the first sentence says that this is an AI assistant.",
    ),
    key(
        "speech.disclosure_recording",
        Bool,
        "true",
        "Whether the first sentence says that the call is recorded.",
    ),
    key(
        "speech.disclosure_sentence",
        Text,
        "offhook's, in the language of the call",
        "Your own first sentence, said as it is in every call and language. It must say what the two disclosures stand for: an AI assistant, and a recording.",
    ),
    key(
        "speech.i_accept_the_legal_risk",
        Bool,
        "false",
        "Needed to turn a disclosure off. Many laws demand both; ask a lawyer, not this file.",
    ),
    key(
        "speech.openai.base_url",
        Text,
        "https://api.openai.com/v1",
        "Up to and including the version. Azure: `https://NAME.openai.azure.com/openai/v1`.",
    ),
    key("speech.openai.api_key", Secret, "", "The key of the endpoint."),
    key(
        "speech.openai.auth",
        Choice(choice::Auth::WORDS),
        "api-key for an Azure address, else bearer",
        "How the key is sent.",
    ),
    key("speech.openai.model", Text, "gpt-realtime-2.1", "The model; on Azure the name of its deployment."),
    key(
        "speech.openai.transcription_model",
        Text,
        "gpt-transcribe",
        "What writes down the remote's words; on Azure the name of a deployment.",
    ),
    key("speech.openai.voices", Map, "", "The endpoint's names of the voices callers choose from."),
    key(
        "speech.openai.turn_detection",
        Choice(choice::TurnDetection::WORDS),
        choice::TurnDetection::DEFAULT,
        "How the end of the remote's turn is found: by pauses, or by what was said.",
    ),
    key("speech.openai.vad_threshold", Float, "0.5", "server_vad: 0 to 1; higher needs louder speech."),
    key(
        "speech.openai.vad_prefix_padding_ms",
        Int,
        "300",
        "server_vad: how much before the first sound belongs to a turn.",
    ),
    key("speech.openai.vad_silence_ms", Int, "500", "server_vad: how long a pause ends a turn."),
    key(
        "speech.openai.vad_idle_timeout_ms",
        Int,
        "0",
        "server_vad: speak up when the remote says nothing for this long; 5000 to 30000, 0 is never.",
    ),
    key(
        "speech.openai.eagerness",
        Choice(choice::Eagerness::WORDS),
        choice::Eagerness::DEFAULT,
        "semantic_vad: how quickly to answer.",
    ),
    key(
        "speech.openai.noise_reduction",
        Choice(choice::NoiseReduction::WORDS),
        choice::NoiseReduction::DEFAULT,
        "What the endpoint does about noise.",
    ),
    key("speech.openai.speed", Float, "the endpoint's", "How fast the voice speaks, 0.25 to 1.5."),
    key(
        "speech.openai.headers",
        SecretMap,
        "",
        "Further headers for the connection, e.g. `OpenAI-Organization`.",
    ),
    key("speech.openai.connect_timeout_seconds", Int, "10", "How long a connection may take to be made."),
    key(
        "speech.openai.keepalive_seconds",
        Int,
        "6",
        "After so long without a word from the endpoint it is pinged, after twice as long it is lost.",
    ),
    key(
        "speech.local.synthesizer",
        Choice(choice::Synthesizer::WORDS),
        choice::Synthesizer::DEFAULT,
        "What speaks: a program on this machine (`auto` takes the first that is there), or a server.",
    ),
    key(
        "speech.local.synthesizer_http.base_url",
        Text,
        "",
        "A server with `/audio/speech` like OpenAI's, up to and including the version: `http://127.0.0.1:8880/v1`.",
    ),
    key("speech.local.synthesizer_http.api_key", Secret, "", "Its key, if it wants one."),
    key("speech.local.synthesizer_http.model", Text, "", "The model to ask for."),
    key(
        "speech.local.recognizer",
        Choice(choice::Recognizer::WORDS),
        choice::Recognizer::DEFAULT,
        "What listens: the program on this machine, or a server. Pocketsphinx understands short answers and keywords, not free conversation.",
    ),
    key(
        "speech.local.recognizer_http.base_url",
        Text,
        "",
        "A server with `/audio/transcriptions` like OpenAI's, up to and including the version.",
    ),
    key("speech.local.recognizer_http.api_key", Secret, "", "Its key, if it wants one."),
    key("speech.local.recognizer_http.model", Text, "", "The model to ask for."),
    key(
        "speech.local.brain",
        Choice(choice::Brain::WORDS),
        choice::Brain::DEFAULT,
        "What decides what to say: a fixed course of conversation, or a chat model.",
    ),
    key(
        "speech.local.brain_http.base_url",
        Text,
        "",
        "A server with `/chat/completions` like OpenAI's, up to and including the version: `http://127.0.0.1:11434/v1` for Ollama.",
    ),
    key("speech.local.brain_http.api_key", Secret, "", "Its key, if it wants one."),
    key("speech.local.brain_http.model", Text, "", "The model to ask for; it must know tools."),
    key(
        "speech.local.voices",
        Map,
        "",
        "The synthesizer's names of the voices callers choose from; a name that is not listed goes there as it is.",
    ),
    key("speech.local.turn_end_ms", Int, "700", "How long a pause ends the remote's turn."),
    key(
        "voice.target",
        Text,
        "",
        "The number that `make_voice_call` and `/call` call for accounts that have set none with `/phone` ([the voice as a tool](voice.md)).",
    ),
    key(
        "policy.countries",
        List,
        "[\"US\"]",
        "Countries that may be called, two letters each; `[\"*\"]` is all of them.",
    ),
    key(
        "policy.allowed_destinations",
        List,
        "[]",
        "When not empty, only these may be called: numbers (`+14155550100`) or beginnings of numbers (`+1415*`).",
    ),
    key("policy.blocked_destinations", List, "[]", "Never called; stronger than the allowed ones."),
    key(
        "policy.premium_numbers",
        Bool,
        "false",
        "Whether premium-rate and shared-cost numbers may be called.",
    ),
    key("policy.concurrent_calls", Int, "1000", "Calls at the same time, all together."),
    key(
        "policy.concurrent_calls_per_owner",
        Int,
        "10",
        "Calls at the same time for one key. All keys that were given out on a first call count as one.",
    ),
    key("policy.concurrent_calls_per_destination", Int, "1", "Calls at the same time with one number."),
    key(
        "policy.calls_per_day_per_owner",
        Int,
        "200",
        "Calls for one key in any 24 hours. All keys that were given out on a first call count as one.",
    ),
    key(
        "policy.calls_per_day_per_destination",
        Int,
        "20",
        "Calls to one number in any 24 hours, also into calls of others: as the user who is connected, unless it is a confirmed phone of the account.",
    ),
    key(
        "policy.minutes_per_day_per_owner",
        Int,
        "0",
        "Minutes of conversation for one key in any 24 hours, counting what calls under way may yet last; 0 is no limit. A call is cut off when they are used up. All keys that were given out on a first call count as one.",
    ),
    key(
        "policy.spend_per_day_per_owner",
        Text,
        "0",
        "What the conversations of one key may cost in any 24 hours, e.g. `\"5.00\"`, in the currency of `policy.price_per_minute`; 0 is no limit.",
    ),
    key(
        "policy.user_numbers",
        Choice(choice::UserNumbers::WORDS),
        choice::UserNumbers::DEFAULT,
        "Whom a call may be handed over to: any number that may be called, or only confirmed phones of the account whose call it is.",
    ),
    key("policy.price_per_minute", Text, "0", "What a begun minute of conversation costs, e.g. `\"0.014\"`."),
    key(
        "policy.prices",
        Map,
        "",
        "Where it costs something else, by country or by how numbers begin: `{ CA = \"0.02\", \"+447\" = \"0.11\" }`. The longest beginning decides; a country only where none fits.",
    ),
    key(
        "policy.require_plan",
        Bool,
        "false",
        "Whether only those accounts may call whose limits or balance were set with `offhook account limits`, and keys on trial.",
    ),
    key(
        "policy.trial_calls",
        Int,
        "0",
        "Conversations of five seconds or more for a key that was given out on a first call. The trial ends when these and `policy.trial_minutes` are used up; with both 0 there is no trial, and such a key has the limits of all others.",
    ),
    key(
        "policy.trial_minutes",
        Int,
        "0",
        "Minutes of conversation for a key that was given out on a first call.",
    ),
    key("policy.cool_down_seconds", Int, "0", "How long a number is left alone after a call to it."),
    key(
        "policy.repeat_window_seconds",
        Int,
        "120",
        "A call that failed before anything rang may be tried once more without asking, by offhook itself or by whoever placed it, not by both: for so long after its end the same call again is that other try. 0 counts none.",
    ),
    key(
        "policy.campaign_parallel",
        Int,
        "4",
        "Calls of one campaign at the same time; 0 allows no campaigns.",
    ),
    key("policy.ring_limit_seconds", Int, "60", "How long it rings before we give up."),
    key("policy.ring_limit_max_seconds", Int, "180", "The most a caller may ask for."),
    key("policy.talk_limit_seconds", Int, "900", "How long a conversation lasts before it is cut off."),
    key("policy.talk_limit_max_seconds", Int, "14400", "The most a caller may ask for."),
    key("policy.silence_limit_seconds", Int, "30", "A call in which nobody speaks for so long is ended."),
    key("policy.hold_limit_seconds", Int, "900", "How long to wait on hold."),
    key(
        "policy.user_ring_seconds",
        Int,
        "30",
        "How long the phone of the user rings who is to be connected, before the voice goes on without.",
    ),
    key(
        "policy.bridge_limit_seconds",
        Int,
        "3600",
        "How long user and other side may talk once they are joined, at the least: the talk limit of the call counts \
         where it is later. Where minutes or money are limited, or the call asked for a limit, it alone counts.",
    ),
    key("retention.recordings_days", Int, "30", "Recordings are deleted after so many days; 0 keeps them."),
    key(
        "retention.transcripts_days",
        Int,
        "90",
        "What was said is deleted after so many days; 0 keeps it. The summary of a result may quote it, and goes with the call.",
    ),
    key(
        "retention.calls_days",
        Int,
        "365",
        "Calls are deleted with all that belongs to them after so many days; 0 keeps them.",
    ),
    key(
        "privacy.mask_secrets",
        Bool,
        "false",
        "Whether one-time codes and card numbers are masked in transcripts, results, events and webhooks, and silent in recordings. What was masked can't be had back.",
    ),
    key(
        "privacy.restricted_data",
        Bool,
        "false",
        "Whether card numbers, passwords, codes and identity numbers are kept out: instructions that hold them are refused with 400, the voice is told neither to ask for them nor to take or pass them on, and `mask_secrets` is on.",
    ),
    key(
        "check.model_http.base_url",
        Text,
        "",
        "A server with `/chat/completions` like OpenAI's, up to and including the version, that looks at a briefing in `POST /call/check` after the rules did. The words of the briefing are sent there; without this key they are sent nowhere.",
    ),
    key("check.model_http.api_key", Secret, "", "Its key, if it wants one."),
    key("check.model_http.model", Text, "", "The model to ask for."),
    key(
        "webhooks.allow_http",
        Bool,
        "false",
        "Whether `webhook_url` may begin with `http://` for other machines than this one. What is said on the phone then crosses the network unencrypted.",
    ),
    key(
        "webhooks.allowed_addrs",
        List,
        "[\"127.0.0.0/8\", \"::1\"] when listen is a loopback address and there is no public_url; otherwise []",
        "IP addresses and networks (`10.1.0.0/16`) that events may be sent to although they are not public. Whoever may place a call chooses the receiver.",
    ),
    key(
        "sandbox.enabled",
        Bool,
        "true when no trunk is configured",
        "Run the exchange of test numbers on this machine. With it no real call is placed.",
    ),
];

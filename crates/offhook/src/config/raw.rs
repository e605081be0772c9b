//! What was written: the fields of `offhook.toml` as they stand there, nothing decided yet.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::choice;
use super::secret::RawSecret;

macro_rules! raw {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(pub $field: $ty,)*
        }
    )*};
}

type Text = Option<String>;
type Int = Option<u64>;
type Flag = Option<bool>;
type List = Option<Vec<String>>;
type Map = Option<BTreeMap<String, String>>;

raw! {
    /// The whole file. Every field is described in [`super::KEYS`].
    RawConfig {
        listen: Text,
        public_url: Text,
        data_dir: Text,
        database_url: Option<RawSecret>,
        allow_anonymous_keys: Flag,
        calling_enabled: Flag,
        recording_link_minutes: Int,
        log: Text,
        log_format: Option<choice::LogFormat>,
        carrier: RawCarrier,
        line: Vec<RawLine>,
        speech: RawSpeech,
        inbound: RawInbound,
        voice: RawVoice,
        policy: RawPolicy,
        retention: RawRetention,
        privacy: RawPrivacy,
        check: RawCheck,
        webhooks: RawWebhooks,
        schedules: RawSchedules,
        proactive: RawProactive,
        sandbox: RawSandbox,
        agent: Vec<RawAgent>,
        agents: RawAgents,
    }

    RawCarrier { sip: RawSip, acs: RawAcs }

    RawAcs {
        connection_string: Option<RawSecret>,
        endpoint: Text,
        auth: Option<choice::AcsAuth>,
        tenant_id: Text,
        client_id: Text,
        client_secret: Option<RawSecret>,
        token_file: Text,
        authority: Text,
        api_version: Text,
        audio: Option<choice::AcsAudio>,
        public_url: Text,
        listen: Text,
        tunnel: Option<choice::Tunnel>,
        tunnel_program: Text,
        tunnel_token: Option<RawSecret>,
        tunnel_name: Text,
        audience: Text,
        issuer: Text,
        keys_url: Text,
        openid_url: Text,
        accept_unsigned: Flag,
        incoming_token: Option<RawSecret>,
        incoming_topic: Text,
        incoming_tenant_id: Text,
        incoming_audience: Text,
        incoming_application: Text,
    }

    RawSip {
        listen: List,
        public_addr: Text,
        nameservers: List,
        rtp_ports: Text,
        rtp_addr: Text,
        codecs: List,
        media_timeout_seconds: Int,
        max_pending: Int,
        max_calls: Int,
        inbound: Option<choice::Callers>,
        inbound_addrs: List,
        tls_certificate: Text,
        tls_key: Option<RawSecret>,
        trunk: Vec<RawTrunk>,
    }

    RawTrunk {
        name: Text,
        server: Text,
        transport: Option<choice::Transport>,
        outbound_proxy: Text,
        username: Text,
        auth_username: Text,
        password: Option<RawSecret>,
        realm: Text,
        from: Option<choice::From>,
        identity: Option<choice::Identity>,
        number_format: Option<choice::NumberFormat>,
        register: Flag,
        expires_seconds: Int,
        keepalive_seconds: Int,
        session_timer_seconds: Int,
        srtp: Option<choice::Srtp>,
        tls_ca: Text,
        tls_insecure: Flag,
    }

    RawLine {
        number: Text,
        name: Text,
        trunk: Text,
        max_calls: Int,
    }

    RawSpeech {
        model: Option<choice::Model>,
        language: Text,
        opening: Option<choice::Opening>,
        listen_seconds: Int,
        assistant_name: Text,
        disclosure_ai: Flag,
        disclosure_recording: Flag,
        disclosure_sentence: Text,
        i_accept_the_legal_risk: Flag,
        openai: RawOpenAi,
        local: RawLocal,
    }

    RawOpenAi {
        base_url: Text,
        api_key: Option<RawSecret>,
        auth: Option<choice::Auth>,
        model: Text,
        transcription_model: Text,
        voices: Map,
        turn_detection: Option<choice::TurnDetection>,
        vad_threshold: Option<f64>,
        vad_prefix_padding_ms: Int,
        vad_silence_ms: Int,
        vad_idle_timeout_ms: Int,
        eagerness: Option<choice::Eagerness>,
        noise_reduction: Option<choice::NoiseReduction>,
        speed: Option<f64>,
        headers: Option<BTreeMap<String, RawSecret>>,
        connect_timeout_seconds: Int,
        keepalive_seconds: Int,
    }

    RawLocal {
        synthesizer: Option<choice::Synthesizer>,
        synthesizer_http: RawServer,
        recognizer: Option<choice::Recognizer>,
        recognizer_http: RawServer,
        brain: Option<choice::Brain>,
        brain_http: RawServer,
        voices: Map,
        turn_end_ms: Int,
    }

    /// A server with an OpenAI-compatible endpoint.
    RawServer {
        base_url: Text,
        api_key: Option<RawSecret>,
        model: Text,
    }

    RawInbound {
        instructions: Text,
        greeting: Text,
        closed_greeting: Text,
        personality: Text,
        voice: Text,
        language: Text,
        trusted_instructions: Text,
        callers: Option<choice::LineAccess>,
        trust: Option<choice::Trust>,
        pin: Option<RawSecret>,
        anonymous: Flag,
        hours: List,
        time_zone: Text,
        outside_hours: Option<choice::Outside>,
        calls_per_day: Int,
        calls_per_day_per_caller: Int,
        concurrent_calls: Int,
        concurrent_calls_per_caller: Int,
        messages: Flag,
        spam: Flag,
        handoff_number: Text,
        agents: List,
        webhook_url: Text,
        notify_url: Option<RawSecret>,
        notify_format: Option<choice::NoticeFormat>,
        notify_whole_numbers: Flag,
        notify_declined: Flag,
        pin_attempts: Int,
        blocked: List,
        spam_block_after: Int,
        account_agents: List,
        line: Vec<RawInboundLine>,
        caller: Vec<RawInboundCaller>,
    }

    RawInboundLine {
        number: Text,
        instructions: Text,
        greeting: Text,
        closed_greeting: Text,
        personality: Text,
        voice: Text,
        language: Text,
        trusted_instructions: Text,
        callers: Option<choice::LineAccess>,
        trust: Option<choice::Trust>,
        pin: Option<RawSecret>,
        anonymous: Flag,
        hours: List,
        time_zone: Text,
        outside_hours: Option<choice::Outside>,
        calls_per_day: Int,
        calls_per_day_per_caller: Int,
        concurrent_calls: Int,
        concurrent_calls_per_caller: Int,
        messages: Flag,
        spam: Flag,
        handoff_number: Text,
        agents: List,
        webhook_url: Text,
        notify_url: Option<RawSecret>,
        notify_format: Option<choice::NoticeFormat>,
        notify_whole_numbers: Flag,
        notify_declined: Flag,
    }

    RawInboundCaller {
        number: Text,
        name: Text,
        lines: List,
        trusted: Flag,
        pin: Option<RawSecret>,
        instructions: Text,
        greeting: Text,
        language: Text,
    }

    RawVoice { target: Text }

    RawPolicy {
        countries: List,
        allowed_destinations: List,
        blocked_destinations: List,
        premium_numbers: Flag,
        concurrent_calls: Int,
        concurrent_calls_per_owner: Int,
        concurrent_calls_per_destination: Int,
        calls_per_day_per_owner: Int,
        calls_per_day_per_destination: Int,
        minutes_per_day_per_owner: Int,
        spend_per_day_per_owner: Text,
        price_per_minute: Text,
        prices: Map,
        user_numbers: Option<choice::UserNumbers>,
        require_plan: Flag,
        trial_calls: Int,
        trial_minutes: Int,
        cool_down_seconds: Int,
        repeat_window_seconds: Int,
        campaign_parallel: Int,
        ring_limit_seconds: Int,
        ring_limit_max_seconds: Int,
        talk_limit_seconds: Int,
        talk_limit_max_seconds: Int,
        silence_limit_seconds: Int,
        hold_limit_seconds: Int,
        user_ring_seconds: Int,
        bridge_limit_seconds: Int,
    }

    RawRetention {
        recordings_days: Int,
        transcripts_days: Int,
        calls_days: Int,
    }

    RawPrivacy {
        mask_secrets: Flag,
        restricted_data: Flag,
    }

    RawCheck { model_http: RawServer }

    RawWebhooks {
        allow_http: Flag,
        allowed_addrs: List,
    }

    RawSchedules {
        timezone: Text,
        least_gap_minutes: Int,
        least_look_minutes: Int,
        most_per_owner: Int,
        question_seconds: Int,
        command: Vec<RawScheduleCommand>,
        secret: Vec<RawScheduleSecret>,
    }

    RawScheduleCommand {
        name: Text,
        command: List,
        directory: Text,
        limit_seconds: Int,
    }

    RawScheduleSecret {
        name: Text,
        value: Option<RawSecret>,
        hosts: List,
    }

    RawProactive { calls_per_day: Int, least_gap_minutes: Int }

    RawSandbox { enabled: Flag }

    RawAgent {
        name: Text,
        description: Text,
        kind: Option<choice::Agent>,
        base_url: Text,
        api_key: Option<RawSecret>,
        model: Text,
        system_prompt: Text,
        headers: Option<BTreeMap<String, RawSecret>>,
        command: List,
        directory: Text,
        env: List,
        url: Option<RawSecret>,
        secret: Option<RawSecret>,
    }

    RawAgents {
        wait_seconds: Int,
        work_seconds: Int,
        parallel: Int,
        parallel_in_all: Int,
        keys: Option<choice::AgentKeys>,
        most: Int,
    }
}

//! The configuration: what is written, what it means, what is said about a mistake.

use std::time::Duration;

use expect_test::{Expect, expect, expect_file};
use offhook::config::{self, Config, Env, KEYS, Kind, SpeechModel, Written};
use offhook_carrier::sip::{FromUser, Identity, Inbound, NumberFormat, TlsTrust, Transport};
use offhook_core::brief::{Language, Opening};
use offhook_core::policy::Countries;
use offhook_speech::local::{BrainConfig, SynthesizerConfig};
use offhook_speech::openai::{Auth, TurnDetection};
use secrecy::ExposeSecret as _;

const TRUNK: &str = r#"
    [[carrier.sip.trunk]]
    server = "sip.example.com"
    username = "offhook"
    password = "hunter2"

    [[line]]
    number = "+12065550123"
"#;

fn parse(text: &str) -> Config {
    Config::parse(text, &Env::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn complain(text: &str, env: Env, expect: &Expect) {
    let error = Config::parse(text, &env).expect_err("this configuration is wrong");
    expect.assert_eq(&format!("{error}\n"));
}

#[test]
fn without_a_file_the_sandbox_runs_on_loopback_with_the_local_voice() {
    let config = Config::parse("", &Env::from([("HOME", "/home/mira")])).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:7465");
    assert_eq!(config.data_dir.to_str(), Some("/home/mira/.local/share/offhook"));
    assert_eq!(config.database_url.expose_secret(), "sqlite:/home/mira/.local/share/offhook/offhook.db");
    assert!(config.sandbox && config.sip.is_none() && config.policy.sandbox);
    assert!(config.allow_anonymous_keys && config.calling_enabled);
    assert!(config.disclosure.ai && config.disclosure.recording);
    assert!(config.inbound.usual.purpose.is_none() && config.inbound.lines.is_empty());
    assert_eq!(config.opening, Opening::ListenFirst { deadline: Duration::from_secs(2) });
    assert!(
        matches!(config.speech, SpeechModel::Local(local) if matches!(local.synthesizer, SynthesizerConfig::Auto))
    );
}

#[test]
fn a_line_belongs_to_the_network_it_names() {
    let acs = "[carrier.acs]\nconnection_string = \"endpoint=https://contoso.communication.azure.com/;accesskey=a2V5a2U=\"\n\
        public_url = \"https://line.example.com/\"\n";
    let sip = "[[carrier.sip.trunk]]\nname = \"main\"\nserver = \"sip.example.com\"\n";
    let line = |number: u32, trunk: &str| format!("[[line]]\nnumber = \"+1206555{number:04}\"\n{trunk}\n");
    let numbers = |text: &str, env: &[(&str, &str)]| -> Result<(Vec<String>, Vec<String>), String> {
        let env: Env = env.iter().copied().collect();
        let config = Config::parse(text, &env).map_err(|error| error.to_string())?;
        let shown = |number: &offhook_core::PhoneNumber| number.as_e164()[8..].to_owned();
        let sip =
            config.sip.iter().flat_map(|sip| sip.lines.iter().map(|line| shown(&line.number))).collect();
        let acs = config.acs.iter().flat_map(|acs| acs.carrier.lines.iter().map(|line| shown(&line.number)));
        Ok((sip, acs.collect()))
    };
    let own = |sip: &[&str], acs: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Ok((own(sip), own(acs)))
    };
    let (one, two, named) = (line(101, ""), line(102, "trunk = \"acs\""), line(103, "trunk = \"main\""));
    let source = [("ACS_SOURCE_NUMBER", "+12065550104")];
    assert_eq!(numbers(&format!("{acs}{one}{two}"), &[]), own(&[], &["0101", "0102"]));
    assert_eq!(numbers(&format!("{sip}{acs}{one}{two}{named}"), &[]), own(&["0101", "0103"], &["0102"]));
    assert_eq!(numbers(&format!("{sip}{one}"), &source), own(&["0101"], &[]), "no resource is configured");
    assert_eq!(numbers(acs, &source), own(&[], &["0104"]));
    assert_eq!(numbers(&format!("{acs}{two}"), &source), own(&[], &["0102", "0104"]));
    for (text, problem) in [
        (acs.to_owned(), "line is missing: add a [[line]] with trunk = \"acs\""),
        (format!("{sip}{two}"), "\"acs\" is the name of no trunk"),
        (format!("{acs}{two}{two}"), "line[1].number is configured twice"),
        (format!("{sip}{acs}{two}{}", line(102, "trunk = \"main\"")), "twice: for a SIP trunk and for acs"),
        (
            format!("{acs}{named}"),
            "line needs a [[carrier.sip.trunk]], or [carrier.acs], to be reached through",
        ),
        (
            format!("{acs}{two}[sandbox]\nenabled = true\n"),
            "sandbox.enabled is true, but a trunk is configured",
        ),
    ] {
        let error = numbers(&text, &[]).unwrap_err();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn the_xdg_directories_count_when_they_are_absolute() {
    for (value, expected) in [("/data", "/data/offhook"), ("data", "/home/mira/.local/share/offhook")] {
        let config =
            Config::parse("", &Env::from([("HOME", "/home/mira"), ("XDG_DATA_HOME", value)])).unwrap();
        assert_eq!(config.data_dir.to_str(), Some(expected));
    }
}

#[test]
fn a_trunk_and_a_line_make_a_carrier() {
    let sip = parse(TRUNK).sip.expect("a trunk is configured");
    let (trunk, line) = (&sip.trunks[0], &sip.lines[0]);
    assert_eq!((trunk.name.as_str(), trunk.register), ("sip.example.com", true));
    assert_eq!(
        (line.number.as_e164(), line.trunk.as_str(), line.max_calls),
        ("+12065550123", "sip.example.com", 10)
    );
    assert_eq!(
        (sip.listen[0].transport, sip.listen[0].addr.to_string().as_str()),
        (Transport::Udp, "0.0.0.0:5060")
    );
    assert_eq!(sip.inbound, Inbound::Trunks { also: vec![] });
}

#[test]
fn every_part_of_a_carrier() {
    let sip = parse(
        r#"
        [carrier.sip]
        listen = ["udp:127.0.0.1:5070", "tcp:[::1]:5071"]
        public_addr = "203.0.113.7"
        rtp_ports = "20000-20099"
        codecs = ["PCMA"]
        max_pending = 5
        max_calls = 7
        inbound_addrs = ["198.51.100.4", "203.0.113.0/28"]

        [[carrier.sip.trunk]]
        name = "a"
        server = "a.example.com:5080"
        transport = "tcp"
        session_timer_seconds = 0
        keepalive_seconds = 30
        srtp = "optional"

        [[carrier.sip.trunk]]
        name = "b"
        server = "b.example.com;transport=tls"
        tls_insecure = true

        [[line]]
        number = "+1 206 555 0123"
        trunk = "b"
        name = "Harbour Cycles"
        max_calls = 2
        "#,
    )
    .sip
    .expect("a trunk is configured");
    let (a, b) = (&sip.trunks[0], &sip.trunks[1]);
    assert_eq!((a.server.port, a.server.transport), (Some(5080), Some(Transport::Tcp)));
    assert_eq!((a.session_timer, a.options_keepalive), (None, Some(Duration::from_secs(30))));
    assert_eq!((b.server.transport, &b.tls, b.register), (Some(Transport::Tls), &TlsTrust::Insecure, false));
    assert_eq!(sip.lines[0].display_name.as_deref(), Some("Harbour Cycles"));
    assert_eq!((sip.max_pending, sip.max_calls, sip.rtp.ports), (5, 7, Some(20_000..=20_099)));
    let also = ["198.51.100.4", "203.0.113.0/28"].map(|network| network.parse().unwrap());
    assert_eq!(sip.inbound, Inbound::Trunks { also: also.into() });
}

#[test]
fn a_realtime_endpoint() {
    let env = Env::from([("SPEECH_KEY", "sk-1")]);
    let text = r#"
        [speech]
        model = "openai-realtime"
        opening = "speak_first"
        [speech.openai]
        api_key = "${SPEECH_KEY}"
        turn_detection = "semantic_vad"
        voices = { chris = "ash" }
    "#;
    let config = Config::parse(text, &env).unwrap();
    assert_eq!(config.opening, Opening::SpeakFirst);
    let SpeechModel::OpenAi(openai) = config.speech else { panic!("not the Realtime endpoint") };
    assert!(matches!(openai.auth, Auth::Bearer(key) if key.expose_secret() == "sk-1"));
    assert!(matches!(openai.turn_detection, TurnDetection::SemanticVad { .. }));
    assert_eq!((openai.voices["chris"].as_str(), openai.voices["jessica"].as_str()), ("ash", "marin"));
}

#[test]
fn the_names_of_azure_are_understood() {
    let env = Env::from([
        ("AZURE_OPENAI_ENDPOINT", "https://mira.openai.azure.com/"),
        ("AZURE_OPENAI_API_KEY", "azure-key"),
        ("AZURE_OPENAI_REALTIME_DEPLOYMENT", "talk"),
        ("OPENAI_API_KEY", "not this one"),
    ]);
    let SpeechModel::OpenAi(openai) = Config::parse("", &env).unwrap().speech else { panic!("not Azure") };
    assert_eq!(
        (openai.base_url.as_str(), openai.model.as_str()),
        ("https://mira.openai.azure.com/openai/v1", "talk")
    );
    assert!(matches!(openai.auth, Auth::ApiKey(key) if key.expose_secret() == "azure-key"));
}

#[test]
fn the_key_of_openai_is_taken_when_no_other_is_configured() {
    let text = "speech.model = \"openai-realtime\"";
    for (vars, expected) in [
        (vec![("OPENAI_API_KEY", "sk-env")], "sk-env"),
        (vec![("OPENAI_API_KEY", "sk-env"), ("OFFHOOK_SPEECH_OPENAI_API_KEY", "sk-ours")], "sk-ours"),
    ] {
        let env = Env::from_iter(vars);
        let SpeechModel::OpenAi(openai) = Config::parse(text, &env).unwrap().speech else {
            panic!("not OpenAI")
        };
        assert!(matches!(openai.auth, Auth::Bearer(key) if key.expose_secret() == expected));
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let env = Env::from([
        ("OFFHOOK_LISTEN", "0.0.0.0:80"),
        ("CALLING_ENABLED", "false"),
        ("OFFHOOK_POLICY_COUNTRIES", "US, ca"),
        ("OFFHOOK_POLICY_TALK_LIMIT_SECONDS", "60"),
        ("OFFHOOK_SPEECH_LOCAL_BRAIN", "http"),
        ("OFFHOOK_SPEECH_LOCAL_BRAIN_HTTP_BASE_URL", "http://127.0.0.1:11434/v1/"),
        ("OFFHOOK_SPEECH_LOCAL_BRAIN_HTTP_MODEL", "llama"),
        ("OFFHOOK_SPEECH_LOCAL_VOICES", "chris=slt, eric=kal"),
        ("OFFHOOK_CARRIER_SIP_TRUNK_SERVER", "sip.example.com"),
        ("OFFHOOK_LINE_NUMBER", "+12065550123"),
    ]);
    let config = Config::parse("listen = \"127.0.0.1:1\"\n[policy]\ncountries = [\"DE\"]", &env).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:80");
    assert!(!config.allow_anonymous_keys, "keys are not given away beyond this machine");
    assert!(!config.calling_enabled && !config.sandbox);
    assert_eq!(config.policy.countries.to_string(), "US, CA");
    assert_eq!(config.policy.talk_limit.default, Duration::from_secs(60));
    assert_eq!(config.sip.unwrap().lines[0].number.as_e164(), "+12065550123");
    let SpeechModel::Local(local) = config.speech else { panic!("not the local voice") };
    assert!(
        matches!(local.brain, BrainConfig::Http(server) if server.base_url == "http://127.0.0.1:11434/v1")
    );
    assert_eq!(local.voices.len(), 2);
}

/// An installation of polyclaw starts with the names its document has, and nothing else.
#[test]
fn the_names_of_the_other_document_are_taken_as_they_are() {
    const POLYCLAW: [(&str, &str); 7] = [
        (
            "ACS_CONNECTION_STRING",
            "endpoint=https://line.communication.azure.com/;accesskey=c2VjcmV0IG9mIHRoZSByZXNvdXJjZQ==",
        ),
        ("ACS_SOURCE_NUMBER", "+12065550134"),
        ("VOICE_TARGET_NUMBER", "+12065550171"),
        ("ACS_CALLBACK_TOKEN", "c3VmZmljaWVudGx5IGxvbmc"),
        ("AZURE_OPENAI_ENDPOINT", "https://aoai.openai.azure.com/"),
        ("AZURE_OPENAI_API_KEY", "hunter2"),
        ("OFFHOOK_CARRIER_ACS_PUBLIC_URL", "https://line.example.org"),
    ];
    let env = |more: &[(&'static str, &'static str)]| POLYCLAW.iter().chain(more).copied().collect::<Env>();
    let config = Config::parse("", &env(&[])).unwrap();
    assert_eq!(config.voice_target.unwrap().as_e164(), "+12065550171");
    let acs = config.acs.expect("the carrier");
    assert_eq!(acs.carrier.lines[0].number.as_e164(), "+12065550134");
    assert!(acs.incoming.token.is_some_and(|token| token.expose_secret() == "c3VmZmljaWVudGx5IGxvbmc"));
    let SpeechModel::OpenAi(speech) = config.speech else { panic!("not the Realtime voice") };
    assert_eq!(speech.base_url, "https://aoai.openai.azure.com/openai/v1");
    assert!(matches!(speech.auth, Auth::ApiKey(key) if key.expose_secret() == "hunter2"));
    assert_eq!(speech.model, "gpt-realtime-mini");
    let named = Config::parse("", &env(&[("AZURE_OPENAI_REALTIME_DEPLOYMENT", "voice-2")])).unwrap();
    assert!(matches!(named.speech, SpeechModel::OpenAi(speech) if speech.model == "voice-2"));

    // The same said twice is the same, however it is written; something else is a mistake, which is told.
    let same = "voice.target = \"+1 206 555 0171\"\ncarrier.acs.incoming_token = \"${ACS_CALLBACK_TOKEN}\"";
    assert_eq!(Config::parse(same, &env(&[])).unwrap().voice_target.unwrap().as_e164(), "+12065550171");
    let other =
        "voice.target = \"+12065550172\"\ncarrier.acs.connection_string = \"endpoint=https://a;accesskey=b\"";
    let error = Config::parse(other, &env(&[])).unwrap_err().to_string();
    assert_eq!(
        error,
        "VOICE_TARGET_NUMBER and voice.target say different things; remove one of them\n\
         ACS_CONNECTION_STRING and carrier.acs.connection_string say different things; remove one of them"
    );
    let error = Config::parse("voice.target = \"5550171\"", &Env::default()).unwrap_err().to_string();
    assert!(error.starts_with("voice.target is no number that can be called"), "{error}");
    // What other programs read too is overruled by the keys, and that is told.
    let text = "speech.openai.base_url = \"https://other.openai.azure.com/openai/v1\"";
    let written = Written::parse(None, text, &env(&[])).unwrap();
    assert_eq!(
        written.warnings,
        ["AZURE_OPENAI_ENDPOINT is set, but speech.openai.base_url says something else, and counts"]
    );
}

#[test]
fn limits() {
    let limits = |text: &str| parse(&format!("[policy]\n{text}")).policy.talk_limit;
    // A longer default raises the most that may be asked for; a shorter most lowers the default.
    assert_eq!(limits("talk_limit_seconds = 20000").max, Duration::from_secs(20_000));
    assert_eq!(limits("talk_limit_max_seconds = 60").default, Duration::from_secs(60));
    assert_eq!(parse("[policy]\ncountries = [\"*\"]").policy.countries, Countries::Any);
    assert_eq!(parse("[retention]\ncalls_days = 0").retention.calls, None);
}

/// It takes the place of offhook's sentence, whatever the language, and is never silently left unsaid.
#[test]
fn the_disclosure_may_be_the_operators_own_sentence() {
    let own =
        "speech.disclosure_sentence = \"This is the assistant of Green Street Dental,\n  and we record.\"";
    let own = own.replace('\n', "");
    let said = |config: &Config, language: &str| config.disclosure.words(Language::of(language));
    let config = parse(&own);
    let sentence = "This is the assistant of Green Street Dental, and we record.";
    assert_eq!((said(&config, "en-US"), said(&config, "de-DE")), (Some(sentence), Some(sentence)));
    assert_ne!(said(&parse(""), "en-US"), said(&parse(""), "de-DE"), "offhook's own follows the language");

    let off = "speech.disclosure_ai = false\nspeech.disclosure_recording = false\nspeech.i_accept_the_legal_risk = true";
    let long = format!("speech.disclosure_sentence = {:?}", "We record. ".repeat(40));
    for (text, why) in [(format!("{own}\n{off}"), "is never said"), (long, "is too long")] {
        let error = Config::parse(&text, &Env::default()).unwrap_err().to_string();
        assert!(error.starts_with("speech.disclosure_sentence ") && error.contains(why), "{error}");
    }
}

#[test]
fn all_mistakes_at_once_each_with_its_line_and_the_nearest_key() {
    complain(
        r#"lissen = "x"
[speech]
model = "openai"
disclosure_ai = 1
[speech.opnai]
api_key = "x"
[policy]
talk_limit = 5
[[trunk]]
"#,
        Env::default(),
        &expect![[r#"
            lissen is no key of offhook; did you mean listen?
            speech.model "openai" is not one of local, openai-realtime
            speech.disclosure_ai must be true or false, not an integer
            speech.opnai is no key of offhook; did you mean speech.openai?
            policy.talk_limit is no key of offhook; did you mean policy.talk_limit_seconds?
            trunk is no key of offhook; did you mean carrier.sip.trunk?
        "#]],
    );
}

#[test]
fn what_can_not_be_meant() {
    complain(
        r#"
        listen = "localhost"
        log = "offhook=loud"
        public_url = "calls.example.com"
        sandbox.enabled = true
        speech.disclosure_recording = false
        speech.disclosure_sentence = " "
        speech.local.brain = "http"
        policy.countries = ["USA"]
        policy.blocked_destinations = ["911"]
        policy.talk_limit_seconds = 60
        policy.talk_limit_max_seconds = 30
        policy.silence_limit_seconds = 0
        carrier.sip.rtp_ports = "80-90"

        [[carrier.sip.trunk]]
        server = "sip:user@host"
        [[carrier.sip.trunk]]
        name = "b"
        server = "b.example.com"
        register = true
        [[line]]
        number = "5550123"
        [[line]]
        number = "+12065550123"
        trunk = "c"
        "#,
        Env::default(),
        &expect![[r#"
            speech.local.brain_http.base_url is missing: the address of the server, e.g. http://127.0.0.1:11434/v1
            speech.local.brain_http.model is missing: the model to ask the server for
            listen "localhost" is not an IP address with a port, e.g. 127.0.0.1:7465
            log "offhook=loud" is no filter, e.g. info or offhook_carrier=debug,info
            public_url must be an address callers can open, e.g. https://calls.example.com
            sandbox.enabled is true, but a trunk is configured; remove one of them: with the sandbox no real call is placed
            speech.disclosure_recording is false, which many laws forbid; it also needs speech.i_accept_the_legal_risk = true
            speech.disclosure_sentence is empty; leave the key out for offhook's own sentence
            policy.countries has "USA": a country is written in two letters, e.g. US
            policy.blocked_destinations has "911": a destination is a number in E.164 (+14155550100) or the beginning of one (+1415*)
            policy.talk_limit_seconds is more than policy.talk_limit_max_seconds
            policy.silence_limit_seconds must be at least 1
            carrier.sip.rtp_ports "80-90" is not a range of ports above 1023, e.g. 16384-32767
            carrier.sip.trunk[0].server "sip:user@host": a SIP server is written host, host:port or host:port;transport=udp|tcp|tls
            carrier.sip.trunk[1].register is true, which needs username and password
            line[0].number is not one of our numbers: a telephone number in E.164 starts with + and the country code, e.g. +14155550100
            line[1].trunk "c" is the name of no trunk
        "#]],
    );
}

#[test]
fn nameservers_have_the_usual_port_unless_it_is_said() {
    let text = format!("carrier.sip.nameservers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]\n{TRUNK}");
    let servers = parse(&text).sip.expect("a trunk is configured").nameservers;
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"].map(|addr| addr.parse().unwrap()));
}

#[test]
fn each_trunk_is_told_who_calls_as_it_wants_it() {
    let trunk = |keys: &str| {
        let text = TRUNK.replace("password", &format!("{keys}\npassword"));
        let trunk = parse(&text).sip.expect("a trunk is configured").trunks.remove(0);
        (trunk.from_user, trunk.identity, trunk.number_format)
    };
    assert_eq!(trunk(""), (FromUser::Number, Identity::From, NumberFormat::PlusE164));
    assert_eq!(
        trunk("from = \"account\"\nidentity = \"p-preferred\"\nnumber_format = \"e164\""),
        (FromUser::Account, Identity::Preferred, NumberFormat::Digits)
    );
    assert_eq!(
        trunk("from = \"anonymous\"\nidentity = \"p-asserted\""),
        (FromUser::Anonymous, Identity::Asserted, NumberFormat::PlusE164)
    );
    complain(
        r#"
        carrier.sip.nameservers = ["192.0.2.53", "dns.example"]

        [[carrier.sip.trunk]]
        server = "a.example.com"
        from = "anonymous"
        [[carrier.sip.trunk]]
        server = "b.example.com"
        from = "account"
        [[line]]
        number = "+12065550123"
        trunk = "a.example.com"
        "#,
        Env::default(),
        &expect![[r#"
            carrier.sip.nameservers has "dns.example"; write an IP address, with a port if it is not 53
            carrier.sip.trunk[0].from is "anonymous", so identity has to be "p-asserted" or "p-preferred"
            carrier.sip.trunk[1].from is "account", which needs a username
        "#]],
    );
}

#[test]
fn what_is_written_in_the_wrong_form_is_told_with_the_right_one() {
    for (text, complaint) in [
        ("listen = 7465", "listen must be a text in quotes, not an integer"),
        (
            "policy.countries = \"US\"",
            "policy.countries must be a list of texts: [\"…\", \"…\"], not a string",
        ),
        (
            "speech.openai.voices = [\"a\"]",
            "speech.openai.voices must be a table of texts: { name = \"…\" }, not an array",
        ),
        ("policy.ring_limit_seconds = -5", "policy.ring_limit_seconds must be 0 or more"),
        ("retention.calls_days = 1.5", "retention.calls_days must be a whole number, not a float"),
        ("data_dir = \"\"", "data_dir is empty; name a directory, or leave the key out"),
        (
            "database_url = \"mysql://x/y\"",
            "database_url must be sqlite:PATH, a plain path, or postgres://USER:PASSWORD@HOST/DATABASE",
        ),
        (
            "[carrier.sip.trunk]\nserver = \"a\"",
            "carrier.sip.trunk is a list of tables: [[carrier.sip.trunk]]",
        ),
        (
            "[[carrier.sip.trunk]]\nserver = \"a\"\npassword = \"x\"\n[[line]]\nnumber = \"+12065550123\"",
            "carrier.sip.trunk[0].password is set without a username, so nobody can be sent it; add the username",
        ),
        // Said once: that the line has no trunk follows from it.
        (
            "[[carrier.sip.trunk]]\nname = \"a\"\n[[line]]\nnumber = \"+12065550123\"",
            "carrier.sip.trunk[0].server is missing: the host of the trunk, e.g. sip.example.com",
        ),
    ] {
        let error = Config::parse(text, &Env::default()).expect_err(text);
        assert_eq!(error.to_string(), complaint, "{text}");
    }
}

#[test]
fn a_mistake_is_told_with_the_line_or_the_variable_it_stands_in() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("offhook.toml");
    std::fs::write(&file, "[policy]\ncountries = [\"USA\"]\n\n[carrier.sip]\nrtp_ports = \"1-2\"\n").unwrap();
    let env = Env::from([("OFFHOOK_LISTEN", "localhost")]);
    let error =
        Config::load(Some(&file), &env).unwrap_err().to_string().replace(&file.display().to_string(), "FILE");
    expect![[r#"
        OFFHOOK_LISTEN "localhost" is not an IP address with a port, e.g. 127.0.0.1:7465
        FILE:2: policy.countries has "USA": a country is written in two letters, e.g. US"#]]
    .assert_eq(&error);
}

#[test]
fn a_missing_secret_is_named_and_never_shown() {
    complain(
        r#"
        database_url = "${DATABASE}"
        speech.model = "openai-realtime"
        speech.openai.api_key = "file:/nowhere/key"
        "#,
        Env::from([("OFFHOOK_LOG_FORMAT", "xml")]),
        &expect![[r#"
            OFFHOOK_LOG_FORMAT "xml" is not one of text, json
        "#]],
    );
    complain(
        "database_url = \"${DATABASE}\"\nspeech.model = \"openai-realtime\"\nspeech.openai.api_key = \"file:/nowhere/key\"",
        Env::default(),
        &expect![[r#"
            database_url names the environment variable DATABASE, which is not set
            speech.openai.api_key names the file /nowhere/key, which can't be read: No such file or directory (os error 2)
        "#]],
    );
}

#[test]
fn secrets_are_not_shown_but_where_they_come_from_is() {
    let env = Env::from([("OFFHOOK_SPEECH_OPENAI_API_KEY", "sk-very-secret"), ("OFFHOOK_LISTNE", "x")]);
    let text = format!("database_url = \"postgres://mira:hunter2@db/offhook?sslpassword=hunter2\"\n{TRUNK}");
    let text = format!("{text}\n[speech.openai.headers]\nX-Token = \"hunter2\"");
    let written = Written::parse(None, &text, &env).unwrap();
    let shown = config::entries_text(&written);
    assert!(!shown.contains("hunter2") && !shown.contains("very-secret"), "{shown}");
    assert!(!config::entries_json(&written).to_string().contains("hunter2"));
    assert!(!format!("{written:?} {:?}", Config::parse(&text, &env).unwrap()).contains("hunter2"));
    for line in [
        "database_url = \"postgres://mira:********@db/offhook\"  # file",
        "carrier.sip.trunk[0].password = \"********\"  # file",
        "speech.openai.api_key = \"********\"  # OFFHOOK_SPEECH_OPENAI_API_KEY",
        "# speech.model: default: local",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\nis not in\n{shown}");
    }
    assert_eq!(written.warnings, ["the environment variable OFFHOOK_LISTNE belongs to no key of offhook"]);
}

#[test]
fn a_secret_file_is_read_without_its_line_break() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "sk-file\n").unwrap();
    let text =
        format!("speech.model = \"openai-realtime\"\nspeech.openai.api_key = \"file:{}\"", path.display());
    let SpeechModel::OpenAi(openai) = parse(&text).speech else { panic!("not OpenAI") };
    assert!(matches!(openai.auth, Auth::Bearer(key) if key.expose_secret() == "sk-file"));
}

#[test]
fn a_file_that_is_named_must_exist_and_a_mistake_in_it_has_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("offhook.toml");
    assert!(Config::load(Some(&path), &Env::default()).unwrap_err().to_string().contains("can't be read"));
    std::fs::write(&path, "\n\nlissen = 1\n").unwrap();
    let error = Config::load(Some(&path), &Env::default()).unwrap_err().to_string();
    assert_eq!(error, format!("{}:3: lissen is no key of offhook; did you mean listen?", path.display()));
    std::fs::write(&path, "listen = \n").unwrap();
    assert!(Config::load(Some(&path), &Env::default()).unwrap_err().to_string().contains("line 1"));
}

/// Each key alone, with a value of its kind, is taken by the struct; and each field of the struct is a key.
#[test]
fn the_table_of_keys_and_the_struct_know_the_same() {
    for key in KEYS {
        let value = match key.kind {
            Kind::Text | Kind::Secret | Kind::SecretUrl => "\"x\"".to_owned(),
            Kind::Choice(choices) => format!("{:?}", choices[0]),
            Kind::Bool => "true".to_owned(),
            Kind::Int => "1".to_owned(),
            Kind::Float => "0.5".to_owned(),
            Kind::List => "[\"x\"]".to_owned(),
            Kind::Map | Kind::SecretMap => "{ x = \"y\" }".to_owned(),
        };
        let text = match key.path.split_once("[].") {
            Some((list, name)) => format!("[[{list}]]\n{name} = {value}"),
            None => format!("{} = {value}", key.path),
        };
        toml::from_str::<config::RawConfig>(&text).unwrap_or_else(|error| panic!("{}: {error}", key.path));
        // The error for an unknown field lists the known ones.
        let probe = text.replacen(&format!("{} =", key.name()), "no_such_field =", 1);
        let probe = if key.path.contains("[].") || !key.path.contains('.') {
            probe
        } else {
            format!("{}.no_such_field = 1", key.section())
        };
        let error = toml::from_str::<config::RawConfig>(&probe).unwrap_err().to_string();
        for field in error.split('`').skip(3).step_by(2) {
            let path = if key.section().is_empty() {
                field.to_owned()
            } else {
                format!("{}.{field}", key.section())
            };
            let known = KEYS.iter().any(|key| {
                key.path
                    .strip_prefix(&path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
            assert!(known, "{path} can be written but is not in the table of keys");
        }
    }
}

/// `UPDATE_EXPECT=1` writes it.
#[test]
fn the_page_of_all_keys_is_up_to_date() {
    expect_file!["../../../docs/config.md"].assert_eq(&config::document());
}

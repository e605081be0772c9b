//! The command line as people and scripts use it: the real program, its output and its exit codes.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use expect_test::{Expect, expect};
use offhook::app::App;
use offhook::config::{Config, Env, SpeechModel};
use offhook_speech::local;
use offhook_testkit::quiet::Quiet;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(90);

/// One machine: a home of its own, and nothing of ours in the environment.
struct Machine {
    home: tempfile::TempDir,
    url: Option<String>,
}

impl Machine {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: None }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(args).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        command.envs(self.url.as_ref().map(|url| ("OFFHOOK_URL", url)));
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    async fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().await.unwrap()
    }

    /// With this exit code; what it printed.
    #[track_caller]
    fn expect(output: &Output, code: i32) -> String {
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server in this process, with a voice that needs no programs.
async fn server(dir: &Path) -> App {
    let text = format!("listen = \"127.0.0.1:0\"\ndata_dir = {dir:?}");
    let mut config = Config::parse(&text, &Env::default()).unwrap();
    config.speech = SpeechModel::Local(local::Config::tagged());
    let quiet = Quiet::install();
    offhook_sandbox::NUMBERS.iter().for_each(|number| quiet.never_number(number.number));
    offhook_sandbox::numbers::sentences().into_iter().for_each(|sentence| quiet.never_said(sentence));
    App::start(config).await.unwrap()
}

/// Nothing private may have been logged.
async fn stop(app: App) {
    app.shutdown().await;
    Quiet::install().check();
}

fn check(actual: &str, expect: &Expect) {
    expect.assert_eq(actual);
}

#[tokio::test]
async fn the_help_is_worth_reading() {
    let machine = Machine::new();
    let help = Machine::expect(&machine.run(&["--help"]).await, 0);
    check(
        &help,
        &expect![[r#"
            A phone line for AI agents that you run yourself

            Usage: offhook [OPTIONS] <COMMAND>

            Commands:
              demo         Make a real call to a test number on this machine and show it as it happens
              serve        Run the phone line: HTTP API, calls, everything
              call         Place a call
              follow       Show a call as it happens; what you type answers, steers or ends it
              calls        List calls, newest first
              show         Show one call
              hangup       Hang up a call
              say          Have the voice of a call say something next
              instruct     Give the voice of a call a note to follow, which it does not say
              digits       Press keys in a call
              answer       Answer the question that the voice of a call has for you
              bridge       Hand a call over to the user now: their phone rings, they are joined, and the voice
                           leaves
              campaign     Ask several places the same in parallel, and compare what they say
              me           Show the account behind the key
              balance      Show what is left to the key
              link         Print the page where the key is linked to an account; it holds the key
              phone        Show, keep or forget your own number, for callbacks and handoffs
              webhook      Show what became of the events of a call, and what they are signed with
              mcp          Speak the Model Context Protocol on standard input and output, for an agent that
                           starts this
              skill        Put the skill where agents look for skills, so that they know how to call
              key          Make, list, rotate and revoke API keys (on the machine of the server)
              account      Make accounts, their limits and their codes (on the machine of the server)
              doctor       Check configuration, ports, store, trunk and model, and say what to do
              backup       Copy database, recordings and secret (on the machine of the server)
              config       Show or check the configuration
              completions  Print a completion script
              help         Print this message or the help of the given subcommand(s)

            Options:
              -h, --help     Print help
              -V, --version  Print version

            Everywhere:
                  --config <FILE>  The configuration file [default: $XDG_CONFIG_HOME/offhook/offhook.toml] [env:
                                   OFFHOOK_CONFIG]
                  --json           Print JSON for programs
                  --url <URL>      Where the server answers [default: from `listen` of the configuration] [env:
                                   OFFHOOK_URL]

            Examples:
              offhook demo                                    a real call to a test number, no account needed
              offhook serve                                   the API on http://127.0.0.1:7465
              offhook call +14155550100 "Ask for a table for two on Friday at seven" --check
              offhook call +14155550100 "Ask for a table for two on Friday at seven" --wait
              offhook call +14155550110 "Ask for Dr. Lee, then hand over" --bridge=+13125550163 --follow
              offhook show 0199a1e0-… --transcript
              offhook skill install                           so that your agents know how to call
              offhook doctor                                  what is not right yet, and what to do about it

            Exit codes:
              0  done                  3  the server can't be reached
              1  a call was not answered, or a check failed
              2  wrong usage or configuration
              4  the server refused the request; the message says why
        "#]],
    );
    for command in [
        "demo",
        "serve",
        "call",
        "calls",
        "show",
        "hangup",
        "say",
        "instruct",
        "digits",
        "answer",
        "bridge",
        "follow",
        "campaign",
        "me",
        "balance",
        "link",
        "phone",
        "webhook",
        "mcp",
        "skill",
        "key",
        "account",
        "doctor",
        "backup",
        "config",
        "completions",
    ] {
        let help = Machine::expect(&machine.run(&[command, "--help"]).await, 0);
        assert!(help.contains("Usage: offhook"), "{help}");
    }
    let demo = Machine::expect(&machine.run(&["demo", "--help"]).await, 0);
    assert!(demo.contains("+14155550112"), "every test number is listed: {demo}");
}

#[tokio::test]
async fn wrong_usage_and_wrong_configuration_are_two() {
    let machine = Machine::new();
    for args in [&["dial"][..], &["call"], &["call", "+14155550100"], &["demo", "--number", "0999"]] {
        let output = machine.run(args).await;
        Machine::expect(&output, 2);
        assert!(!errors(&output).is_empty(), "{args:?}");
    }
    machine.file(".config/offhook/offhook.toml", "lissen = 1\n");
    let output = machine.run(&["config", "check"]).await;
    Machine::expect(&output, 2);
    assert!(errors(&output).contains("offhook.toml:1: lissen is no key of offhook; did you mean listen?"));
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let machine = Machine::new();
    machine.file("offhook.toml", "[speech.openai]\napi_key = \"sk-very-secret\"\n");
    let file = machine.home.path().join("offhook.toml");
    let config = ["--config", file.to_str().unwrap()];
    let shown = Machine::expect(&machine.run(&[config[0], config[1], "config", "show"]).await, 0);
    assert!(
        shown.contains("speech.openai.api_key = \"********\"") && !shown.contains("very-secret"),
        "{shown}"
    );
    let shown = Machine::expect(&machine.run(&[config[0], config[1], "config", "show", "--json"]).await, 0);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["keys"].as_array().unwrap().iter().any(|key| key["key"] == "listen"));
    Machine::expect(&machine.run(&[config[0], config[1], "config", "check"]).await, 0);
}

#[tokio::test]
async fn without_a_server_three_is_said() {
    let mut machine = Machine::new();
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    machine.url = Some(format!("http://127.0.0.1:{port}"));
    let output = machine.run(&["calls"]).await;
    Machine::expect(&output, 3);
    assert!(errors(&output).contains("offhook serve"), "{}", errors(&output));
}

#[tokio::test]
async fn a_call_from_the_command_line() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());

    // Busy: the call was made, and the answer is no.
    let output = machine.run(&["call", "+14155550101", "Ask", "when", "they", "open.", "--wait"]).await;
    let printed = Machine::expect(&output, 1);
    assert!(printed.contains("ended: remote.busy") && printed.contains("Outcome     busy"), "{printed}");

    // The minted key was kept, for this user only, and serves the next command.
    let saved = std::fs::read_to_string(machine.home.path().join(".config/clawcall/key.json")).unwrap();
    assert!(saved.contains("clawcall_sk_"));
    let calls = Machine::expect(&machine.run(&["calls", "--json"]).await, 0);
    let calls: Value = serde_json::from_str(&calls).unwrap();
    let call = &calls["calls"][0];
    assert_eq!(
        (call["outcome"].as_str(), call["task"].as_str()),
        (Some("busy"), Some("Ask when they open."))
    );
    let id = call["id"].as_str().unwrap();
    let shown = Machine::expect(&machine.run(&["show", id, "--transcript"]).await, 0);
    assert!(shown.contains("Nobody spoke."), "{shown}");
    Machine::expect(&machine.run(&["hangup", id]).await, 0);

    // What the server refuses is four, with its words.
    let output = machine.run(&["call", "911", "Help"]).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("(invalid_phone)"), "{}", errors(&output));
    stop(app).await;
}

#[tokio::test]
async fn a_call_is_checked_without_being_placed() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    let task = "Check on my appointment.";
    let printed = Machine::expect(&machine.run(&["call", "+14155550100", task, "--check"]).await, 0);
    assert!(printed.starts_with("Rules       the call would be placed\nHours       It is "), "{printed}");
    assert!(printed.contains("            ! who_for: Say on whose behalf"), "{printed}");
    assert!(printed.contains("Ask first   1. On whose behalf") && printed.contains(&format!("  {task}\n")));

    let told = Machine::expect(&machine.run(&["call", "+442071234567", task, "--check", "--json"]).await, 1);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["ready"], &told["policy"]["rule"]), (&Value::Bool(false), &Value::from("country")));
    let output = machine.run(&["call", "911", task, "--check"]).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("(invalid_phone)"), "{}", errors(&output));
    Machine::expect(&machine.run(&["call", "+14155550100", task, "--check", "--wait"]).await, 2);
    // Nobody was given a key.
    assert!(!machine.home.path().join(".config/clawcall/key.json").exists());
    stop(app).await;
}

/// What is typed while a call is shown reaches it: an answer, a word too much, and the end.
#[tokio::test]
async fn a_call_is_followed_answered_and_ended_from_the_keyboard() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    let task = "Ask for an appointment on Thursday, for Jordan Lee.";
    let args = ["call", "+14155550108", task, "--ask-owner", "120", "--follow"];
    let mut following = machine.command(&args);
    following.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut following = following.spawn().unwrap();
    let (mut keyboard, screen) = (following.stdin.take().unwrap(), following.stdout.take().unwrap());
    let mut screen = tokio::io::BufReader::new(screen).lines();
    let followed = async {
        let mut shown = Vec::new();
        while let Some(line) = screen.next_line().await.unwrap() {
            if line.contains("[asks the agent: ") {
                keyboard.write_all(b"/dance\nThe fifth of May 1980.\n").await.unwrap();
            }
            if line.contains("agent    The fifth of May 1980.") {
                keyboard.write_all(b"/hangup\n").await.unwrap();
            }
            shown.push(line);
        }
        (shown, following.wait_with_output().await.unwrap())
    };
    let (shown, output) = tokio::time::timeout(PATIENCE, followed).await.expect("the call ends");
    let shown = shown.join("\n");
    assert!(shown.contains("ended: owner.cancelled") && shown.contains("Outcome     answered"), "{shown}");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(errors(&output).contains("there is no /dance; type an answer"), "{}", errors(&output));
    stop(app).await;
}

#[tokio::test]
async fn the_user_s_number_is_kept_and_used_for_handoffs() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    let file = || std::fs::read_to_string(machine.home.path().join(".config/clawcall/key.json")).unwrap();
    let call = ["call", "+14155550101", "Ask.", "--wait", "--bridge"];
    let output = machine.run(&call).await;
    Machine::expect(&output, 2);
    assert!(errors(&output).contains("offhook phone"), "{}", errors(&output));

    assert_eq!(Machine::expect(&machine.run(&["phone"]).await, 0), "none is kept\n");
    Machine::expect(&machine.run(&["phone", "5550190"]).await, 2);
    Machine::expect(&machine.run(&["phone", "+1 415 555 0190"]).await, 0);
    assert!(file().contains("\"user_phone_number\": \"+14155550190\""), "{}", file());
    Machine::expect(&machine.run(&call).await, 1);
    assert!(file().contains("+14155550190") && file().contains("clawcall_sk_"), "{}", file());

    let link = Machine::expect(&machine.run(&["link"]).await, 0);
    assert!(link.starts_with(&format!("{}/sign-up?token=clawcall_sk_", app.url())), "{link}");
    let balance = Machine::expect(&machine.run(&["balance"]).await, 0);
    assert!(balance.contains("Left        ") && balance.contains("Last 24 h   1"), "{balance}");
    // A key of a first call has no account yet.
    let output = machine.run(&["me"]).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("/sign-up?token="), "{}", errors(&output));
    // What is told to a call that is over comes too late, with or without a number.
    let calls = Machine::expect(&machine.run(&["calls", "--json"]).await, 0);
    let calls: Value = serde_json::from_str(&calls).unwrap();
    let id = calls["calls"][0]["id"].as_str().unwrap();
    for told in [&["bridge", id, "--straight"][..], &["bridge", id, "+14155550192"], &["say", id, "Hello?"]] {
        let output = machine.run(told).await;
        Machine::expect(&output, 4);
        assert!(errors(&output).contains("(conflict)"), "{told:?}: {}", errors(&output));
    }
    let log = Machine::expect(&machine.run(&["webhook", "log", id]).await, 0);
    assert_eq!(log, "This call was placed without a webhook.\n");
    let secret = async |more: &[&str]| machine.run(&[&["webhook", "secret"][..], more].concat()).await;
    let first = Machine::expect(&secret(&[]).await, 0);
    assert!(first.starts_with("whsec_"), "{first}");
    assert_ne!(Machine::expect(&secret(&["--rotate"]).await, 0), first);
    // Following a call that is over shows it, and ends.
    let shown = Machine::expect(&machine.run(&["follow", id]).await, 1);
    assert!(shown.contains("ended: remote.busy") && shown.contains("Outcome     busy"), "{shown}");

    assert_eq!(Machine::expect(&machine.run(&["phone", "--forget"]).await, 0), "none is kept\n");
    assert!(file().contains("clawcall_sk_"));
    stop(app).await;
}

#[tokio::test]
async fn a_call_s_terms_reach_the_server() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    machine.file("price.json", r#"{"type": "object", "properties": {"price_usd": {"type": "number"}}}"#);
    let schema = machine.home.path().join("price.json").display().to_string();
    let task = "For Jordan Lee: ask what it costs. Up to 60 dollars is fine.";
    let terms = [
        "--bridge=+14155550190",
        "--straight",
        "--may-commit=up to 60 dollars",
        "--result-schema",
        &schema,
        "--language",
        "en-US",
        "--check",
        "--json",
    ];
    let checked =
        Machine::expect(&machine.run(&[&["call", "+14155550100", task][..], &terms].concat()).await, 0);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    let prompt = checked["prompt"].as_str().unwrap();
    assert!(prompt.contains("up to 60 dollars") && checked.to_string().contains("price_usd"), "{checked}");

    let later = ["--not-before", "2031-01-01T00:00:00Z"];
    let output = machine.run(&[&["call", "+14155550100", task][..], &later].concat()).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("not_before"), "{}", errors(&output));
    let output = machine.run(&["call", "+14155550100", task, "--follow-up-to", "nothing"]).await;
    Machine::expect(&output, 4);
    Machine::expect(&machine.run(&["call", "+14155550100", task, "--supplied", "x"]).await, 2);
    let output = machine.run(&["call", "+14155550100", task, "--result-schema", "nothing.json"]).await;
    Machine::expect(&output, 2);
    stop(app).await;
}

#[tokio::test]
async fn a_campaign_from_the_command_line() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    // A campaign needs a key; the first call brings one.
    Machine::expect(&machine.run(&["call", "+14155550101", "Ask.", "--wait"]).await, 1);
    let task = "For Jordan Lee: ask whether they have a wheel in stock.";
    let to = ["--to", "+14155550101=Bay", "--to", "+14155550103=Hill"];
    let printed =
        Machine::expect(&machine.run(&[&["campaign", "start", task, "--wait"][..], &to].concat()).await, 0);
    assert!(
        printed.contains("  done\n") && printed.contains("  Bay ") && printed.contains("  Hill "),
        "{printed}"
    );
    let listed = Machine::expect(&machine.run(&["campaign", "list"]).await, 0);
    let id = listed.split_whitespace().next().unwrap().to_owned();
    assert!(printed.starts_with(&id), "{listed}");
    let noted = ["campaign", "note", &id, "--next-action", "Try the hill again.", "--json"];
    let noted: Value = serde_json::from_str(&Machine::expect(&machine.run(&noted).await, 0)).unwrap();
    assert_eq!(noted["next_action"], "Try the hill again.");
    Machine::expect(&machine.run(&["campaign", "stop", &id]).await, 0);
    Machine::expect(&machine.run(&["campaign", "show", "nothing"]).await, 4);
    stop(app).await;
}

#[tokio::test]
async fn the_skill_goes_where_agents_look() {
    let machine = Machine::new();
    let exists = |path: &str| machine.home.path().join(path).join("offhook/SKILL.md").is_file();
    std::fs::create_dir_all(machine.home.path().join(".claude")).unwrap();
    let printed = Machine::expect(&machine.run(&["skill", "install"]).await, 0);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert!(exists(".agents/skills") && exists(".claude/skills") && !exists(".cursor/skills"));
    assert!(machine.home.path().join(".claude/skills/offhook/references/outbound.md").is_file());
    Machine::expect(&machine.run(&["skill", "install", "--for", "cursor", "--for", "openclaw"]).await, 0);
    assert!(exists(".cursor/skills") && exists(".openclaw/skills"));
    let dir = machine.home.path().join("project/skills").display().to_string();
    Machine::expect(&machine.run(&["skill", "install", "--dir", &dir]).await, 0);
    assert!(exists("project/skills"));
    Machine::expect(&machine.run(&["skill", "install", "--for", "nobody"]).await, 2);
    let shown = Machine::expect(&machine.run(&["skill", "show"]).await, 0);
    assert!(shown.starts_with("---\nname: offhook\n"), "{shown}");
}

#[tokio::test]
async fn a_saved_key_the_server_does_not_know_is_removed_one_from_the_environment_is_not() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    machine.file(
        ".config/clawcall/key.json",
        r#"{"api_key": "clawcall_sk_old", "user_phone_number": "+14155550190"}"#,
    );
    let saved = || std::fs::read_to_string(machine.home.path().join(".config/clawcall/key.json")).unwrap();
    let output =
        machine.command(&["calls"]).env("OFFHOOK_API_KEY", "clawcall_sk_none").output().await.unwrap();
    Machine::expect(&output, 4);
    assert!(saved().contains("clawcall_sk_old"));
    let output = machine.run(&["calls"]).await;
    Machine::expect(&output, 4);
    assert!(!saved().contains("clawcall_sk_old") && saved().contains("+14155550190"), "{}", saved());
    stop(app).await;
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_beside_a_running_server() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    let run = async |args: &[&str], key: &str| {
        let mut command = machine.command(args);
        command.env("OFFHOOK_DATA_DIR", data.path()).env("OFFHOOK_API_KEY", key);
        command.output().await.unwrap()
    };
    let key = Machine::expect(&run(&["key", "create", "--label", "Mira"], "").await, 0).trim().to_owned();
    assert!(key.starts_with("clawcall_sk_"), "{key}");
    Machine::expect(&run(&["calls"], &key).await, 0);
    let listed = Machine::expect(&run(&["key", "list", "--json"], "").await, 0);
    let row: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!((row["label"].as_str(), row["revoked"].as_bool()), (Some("Mira"), Some(false)));
    assert!(!listed.contains(&key), "a key is shown once");
    Machine::expect(&run(&["key", "revoke", row["id"].as_str().unwrap()], "").await, 0);
    Machine::expect(&run(&["calls"], &key).await, 4);
    Machine::expect(&run(&["key", "revoke", "nobody"], "").await, 1);
    stop(app).await;
}

#[tokio::test]
async fn an_account_has_limits_phones_and_a_line_beside_a_running_server() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    let run = async |args: &[&str], code| {
        let mut command = machine.command(args);
        let output = command.env("OFFHOOK_DATA_DIR", data.path()).arg("--json").output().await.unwrap();
        let printed = Machine::expect(&output, code);
        serde_json::from_str::<Value>(printed.lines().last().unwrap_or("null")).unwrap()
    };
    let made = run(&["account", "create", "--email", "mira@example.com"], 0).await;
    let id = made["id"].as_str().unwrap();
    assert!(run(&["account", "code", id], 0).await["code"].as_str().unwrap().len() > 16);
    let limits = run(&["account", "limits", id, "--calls-per-day", "5", "--balance-minutes", "90"], 0).await;
    assert_eq!((&limits["limits"], &limits["balance_minutes"]), (&json!({ "calls_per_day": 5 }), &json!(90)));
    for (number, primary) in [("+13605550911", false), ("+13605550912", true)] {
        let args = ["account", "phone", id, number, "--primary"];
        run(if primary { &args[..] } else { &args[..4] }, 0).await;
    }
    run(&["account", "reserve", id, "+14155550199"], 0).await;
    let shown = run(&["account", "show", id], 0).await;
    assert_eq!((&shown["balance_seconds"], &shown["lines"]), (&json!(5_400), &json!(["+14155550199"])));
    let phones = json!([
        { "number": "+13605550912", "primary": true }, { "number": "+13605550911", "primary": false },
    ]);
    assert_eq!((&shown["phones"], &shown["email"]), (&phones, &json!("mira@example.com")));

    // Each call of it says all.
    let limits = run(&["account", "limits", id, "--unlimited"], 0).await;
    assert_eq!(limits["limits"], json!({ "unlimited": true }));
    run(&["account", "phone", id, "+13605550911", "--remove"], 0).await;
    run(&["account", "release", "+14155550199"], 0).await;
    let shown = run(&["account", "show", id], 0).await;
    assert_eq!((&shown["balance_seconds"], &shown["lines"]), (&Value::Null, &json!([])));
    assert_eq!(shown["phones"].as_array().unwrap().len(), 1);

    let nobody = "00000000-0000-7000-8000-000000000009";
    for (args, code) in [
        (&["account", "show", nobody][..], 1),
        (&["account", "limits", nobody], 1),
        (&["account", "phone", nobody, "+13605550911"], 1),
        (&["account", "phone", id, "12"], 2),
        (&["account", "phone", id, "+13605550911", "--remove"], 1),
        (&["account", "reserve", nobody, "+14155550199"], 1),
        (&["account", "release", "+14155550199"], 1),
        (&["account", "limits", id, "--unlimited", "--minutes-per-day", "5"], 2),
        (&["account", "limits", id, "--spend-per-day", "much"], 1),
    ] {
        run(args, code).await;
    }
    stop(app).await;
}

/// What the doctor found: mark, name and the rest of each line.
fn findings(printed: &str) -> Vec<(bool, &str, &str)> {
    let finding = |line: &'static str| -> Option<(bool, &'static str, &'static str)> {
        let (mark, rest) = line.split_at_checked(6)?;
        let (name, found) = rest.split_at_checked(16)?;
        matches!(mark, "ok    " | "FAIL  ").then_some((mark == "ok    ", name.trim(), found))
    };
    let lines = printed.to_owned().leak().lines();
    lines.filter_map(finding).collect()
}

#[track_caller]
fn expect_finding(printed: &str, ok: bool, name: &str, found: &str) {
    let seen = findings(printed);
    let same = |(seen_ok, seen_name, seen_found): &(bool, &str, &str)| {
        *seen_ok == ok && *seen_name == name && seen_found.contains(found)
    };
    assert!(
        seen.iter().any(same),
        "no {name} with {found:?}, {} in:\n{printed}",
        if ok { "ok" } else { "FAIL" }
    );
}

#[tokio::test]
async fn the_doctor_on_a_fresh_machine_finds_nothing_wrong_and_leaves_nothing_behind() {
    let machine = Machine::new();
    // Port 0: another test may use the usual one.
    let output = machine.command(&["doctor"]).env("OFFHOOK_LISTEN", "127.0.0.1:0").output().await.unwrap();
    let printed = Machine::expect(&output, 0);
    expect_finding(&printed, true, "configuration", "no file: everything has its default");
    expect_finding(&printed, true, "data directory", "will be made at the first start");
    expect_finding(&printed, true, "trunk", "only the test numbers");
    expect_finding(&printed, true, "model", "flite");
    assert!(printed.ends_with("\nAll is well.\n"), "{printed}");
    assert_eq!(std::fs::read_dir(machine.home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_with_a_configuration() {
    let machine = Machine::new();
    machine.file(".config/offhook/offhook.toml", "lissen = 1\n\n[speech]\nmodel = \"parrot\"\n");
    let printed = Machine::expect(&machine.run(&["doctor"]).await, 1);
    expect_finding(&printed, false, "configuration", "offhook.toml:1: lissen is no key of offhook");
    assert!(printed.contains("offhook.toml:4: speech.model \"parrot\" is not one of local, openai-realtime"));
    assert!(
        printed.contains("→ mend what is named above") && printed.ends_with("\nOne thing to mend.\n"),
        "{printed}"
    );
    let told = Machine::expect(&machine.run(&["doctor", "--json"]).await, 1);
    let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!((&told["ok"], &told["state"]), (&Value::Bool(false), &Value::from("wrong")));
}

#[tokio::test]
async fn the_doctor_asks_a_server_that_runs_already() {
    let machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    let doctor = async |listen: String, data: &Path| {
        let mut command = machine.command(&["doctor"]);
        command.env("OFFHOOK_LISTEN", listen).env("OFFHOOK_DATA_DIR", data).output().await.unwrap()
    };
    let printed = Machine::expect(&doctor(app.addr().to_string(), data.path()).await, 0);
    expect_finding(&printed, true, "API port", "is in use by the running offhook");
    expect_finding(&printed, true, "store", "opens");
    expect_finding(&printed, true, "disk", "free for recordings");

    // Another installation has other keys and calls; that it answers is no good news.
    let printed = Machine::expect(&doctor(app.addr().to_string(), machine.home.path()).await, 1);
    expect_finding(&printed, false, "API port", "with other data answers");
    stop(app).await;

    let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let hangs_up = tokio::spawn(async move { while stranger.accept().await.is_ok() {} });
    let printed = Machine::expect(&doctor(address, data.path()).await, 1);
    expect_finding(&printed, false, "API port", "another program answers");
    hangs_up.abort();
}

/// Where a trunk says no to everything, and where its port is taken.
#[tokio::test]
async fn the_doctor_tries_trunks_and_their_ports() {
    let machine = Machine::new();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let trunk = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = |listen: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\n[carrier.sip]\nlisten = [\"udp:{listen}\"]\n\
             [[carrier.sip.trunk]]\nname = \"main\"\nserver = \"{}\"\nusername = \"u\"\npassword = \"p\"\n\
             [[line]]\nnumber = \"+12065550123\"\n",
            trunk.local_addr().unwrap()
        )
    };
    let refusing = async {
        let mut buffer = [0; 4_096];
        loop {
            let (count, from) = trunk.recv_from(&mut buffer).await.unwrap();
            trunk
                .send_to(refusal(std::str::from_utf8(&buffer[..count]).unwrap()).as_bytes(), from)
                .await
                .unwrap();
        }
    };
    let doctor = async {
        machine.file(".config/offhook/offhook.toml", &config("127.0.0.1:0"));
        let printed = Machine::expect(&machine.run(&["doctor"]).await, 1);
        expect_finding(&printed, true, "SIP ports", "can be used");
        expect_finding(&printed, false, "trunk", "and we are not registered");
        assert!(printed.contains("→ the registration was refused; check username, password"), "{printed}");

        let used = taken.local_addr().unwrap().to_string();
        machine.file(".config/offhook/offhook.toml", &config(&used));
        let printed = Machine::expect(&machine.run(&["doctor"]).await, 1);
        expect_finding(&printed, false, "SIP ports", &format!("UDP {used} is in use by another program"));
    };
    tokio::select! {
        () = refusing => {}
        () = doctor => {}
    }
}

/// What a registrar says to somebody it does not know.
fn refusal(request: &str) -> String {
    let kept = request.lines().filter(|line| {
        ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
    });
    let lines: String = kept
        .map(|line| if line.starts_with("To:") { format!("{line};tag=x\r\n") } else { format!("{line}\r\n") })
        .collect();
    format!("SIP/2.0 403 Forbidden\r\n{lines}Content-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn what_is_wrong_with_a_command_is_told_with_what_to_do() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    for (args, code, told) in [
        (&["--url", "ftp://x", "calls"][..], 2, "write http:// or https://"),
        (&["--url", "nonsense", "calls"], 2, "write http:// or https://"),
        (&["calls"], 4, "export OFFHOOK_API_KEY=$(offhook key create)"),
        (&["show", "xyz"], 4, "export OFFHOOK_API_KEY=$(offhook key create)"),
        (&["calls", "-n", "0"], 2, "1..=200"),
        (&["call", "4155550101", "Ask"], 4, "starts with + and the country code"),
        (&["call", "+14155550101", " "], 4, "task is required"),
        (&["call", "+14155550101", "Ask", "--voice", "bob"], 2, "jessica, sarah, chris, eric"),
        (&["call", "+14155550101", "Ask", "--max-duration", "0"], 2, "1..=86400"),
        (&["call", "+14155550101", "Ask", "--from", "+14155550123"], 4, "not one of our lines"),
        (&["call", "+14155550101", "Ask", "--voicemail", ""], 4, "must say what to leave"),
        (&["key", "revoke", "xyz"], 1, "there is no database"),
        (&["backup", "/tmp"], 1, "there is no database"),
        (&["demo", "--number", "5"], 2, "offhook demo --help"),
        (&["completions", "tcsh"], 2, "bash, elvish, fish, powershell, zsh"),
        (&["--config", "/nope", "serve"], 2, "/nope can't be read"),
        (&["key"], 2, "Usage: offhook key"),
        (&["--json"], 2, "requires a subcommand"),
    ] {
        let output = machine.run(args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(errors(&output).contains(told), "{args:?}: {}", errors(&output));
    }
    stop(app).await;
}

/// A service has secrets that its operator's shell has not.
#[tokio::test]
async fn keys_are_made_without_the_secrets_of_the_service() {
    let machine = Machine::new();
    machine.file(
        ".config/offhook/offhook.toml",
        "[speech]\nmodel = \"openai-realtime\"\n[speech.openai]\napi_key = \"${ONLY_THE_SERVICE_HAS_IT}\"\n",
    );
    Machine::expect(&machine.run(&["config", "check"]).await, 2);
    // Where no server ever ran, a key would be of no use.
    let output = machine.run(&["key", "create"]).await;
    Machine::expect(&output, 1);
    assert!(errors(&output).contains("offhook.db; start `offhook serve` first"), "{}", errors(&output));

    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    let output =
        machine.command(&["key", "create"]).env("OFFHOOK_DATA_DIR", data.path()).output().await.unwrap();
    let key = Machine::expect(&output, 0);
    assert!(key.starts_with("clawcall_sk_"), "{key}");
    stop(app).await;
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_a_whole_installation() {
    let machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    let run = async |args: &[&str], app: &App, data: &Path| {
        let mut command = machine.command(args);
        command.env("OFFHOOK_URL", app.url()).env("OFFHOOK_DATA_DIR", data).output().await.unwrap()
    };
    Machine::expect(
        &run(&["call", "+14155550109", "Ask when they open.", "--wait"], &app, data.path()).await,
        0,
    );
    let to = machine.home.path().join("backup");
    let printed = Machine::expect(&run(&["backup", to.to_str().unwrap()], &app, data.path()).await, 0);
    assert!(printed.contains("new recordings: 1"), "{printed}");
    // Once more into the same place would overwrite a database; it says so.
    let again = run(&["backup", to.to_str().unwrap()], &app, data.path()).await;
    Machine::expect(&again, 1);
    assert!(errors(&again).contains("offhook.db"), "{}", errors(&again));
    stop(app).await;

    let restored = server(&to).await;
    let calls = Machine::expect(&run(&["calls", "--json"], &restored, &to).await, 0);
    let calls: Value = serde_json::from_str(&calls).unwrap();
    assert_eq!(calls["calls"][0]["outcome"], "answered", "the key is known, and the call is there");
    assert!(calls["calls"][0]["recording_url"].is_string(), "its recording, too");
    stop(restored).await;
}

#[tokio::test]
async fn completions() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = Machine::expect(&machine.run(&["completions", shell]).await, 0);
        assert!(script.contains("hangup"), "{shell}");
    }
}

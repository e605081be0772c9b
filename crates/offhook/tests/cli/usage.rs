//! Help, wrong usage, the configuration, completions, and the skill.

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::machine::{Machine, errors, server, stop};

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
              approve      Have the user approve something by phone: exit code 0 is a yes
              pin          Show, set or clear the PIN with which you approve
              campaign     Ask several places the same in parallel, and compare what they say
              schedule     Call by the clock, when a condition holds
              me           Show the account behind the key
              balance      Show what is left to the key
              link         Print the page where the key is linked to an account; it holds the key
              phone        Show, set or forget your own number: where the voice calls you, and where handoffs go
              webhook      Show what became of the events of a call, and what they are signed with
              mcp          Speak the Model Context Protocol on standard input and output, for an agent that
                           starts this
              skill        Put the skill where agents look for skills, so that they know how to call
              key          Make, list, rotate and revoke API keys (on the machine of the server)
              account      Make accounts, their limits and their codes (on the machine of the server)
              acs          What Azure Communication Services needs to know, and what is known of it (on the
                           machine of the server)
              setup        Connect a speech model and telephones of Azure, guided; or take back what that made
              doctor       Check configuration, ports, store, trunk and model, and say what to do
              backup       Copy database, recordings and secret (on the machine of the server)
              config       Show or check the configuration
              completions  Print a completion script
              help         Print this message or the help of the given subcommand(s)

            Options:
              -h, --help     Print help
              -V, --version  Print version

            Everywhere:
                  --config <FILE>    The configuration file [default: $XDG_CONFIG_HOME/offhook/offhook.toml]
                                     [env: OFFHOOK_CONFIG]
                  --env-file <FILE>  Read NAME=value lines for what the environment does not say, e.g. the .env
                                     of another installation
                  --json             Print JSON for programs
                  --url <URL>        Where the server answers [default: from `listen` of the configuration]
                                     [env: OFFHOOK_URL]

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
              5  the user declined what was to be approved
              6  nobody approved it in time, or it was cancelled
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
async fn completions() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = Machine::expect(&machine.run(&["completions", shell]).await, 0);
        assert!(script.contains("hangup"), "{shell}");
    }
}

/// The `.env` of another installation is read where it is named, and nowhere else.
#[tokio::test]
async fn names_and_values_are_read_from_a_file_that_is_named() {
    let machine = Machine::new();
    machine.file(".env", "# polyclaw\nexport VOICE_TARGET_NUMBER=\"+12065550171\"\n");
    let file = machine.home.path().join(".env").display().to_string();
    let shown = Machine::expect(&machine.run(&["--env-file", &file, "config", "show"]).await, 0);
    let target = shown.lines().find(|line| line.contains("voice.target")).unwrap();
    assert!(target.contains("+12065550171") && target.contains("VOICE_TARGET_NUMBER"), "{target}");
    let shown = Machine::expect(&machine.run(&["config", "show"]).await, 0);
    assert!(!shown.contains("+12065550171"), "{shown}");
    machine.file(".env", "secret without a name\n");
    for path in [file.as_str(), "/nowhere/.env"] {
        let output = machine.run(&["config", "show", "--env-file", path]).await;
        Machine::expect(&output, 2);
        assert!(errors(&output).contains(path) && !errors(&output).contains("secret"), "{}", errors(&output));
    }
}

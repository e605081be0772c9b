//! Calls, campaigns, and what an agent keeps.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};

use crate::machine::{Machine, PATIENCE, errors, server, stop};

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
async fn the_user_is_called_on_the_number_they_have_set() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    // The first call gets a key; then there is somebody to keep a number for.
    Machine::expect(&machine.run(&["call", "+14155550101", "Ask.", "--wait"]).await, 1);
    let output = machine.run(&["call", "me", "Say hello.", "--wait"]).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("/phone") && errors(&output).contains("voice_target_required"));
    // What the server does not let be called is not kept here either.
    let output = machine.run(&["phone", "+442079460958"]).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("(unsupported_destination)"), "{}", errors(&output));
    assert_eq!(Machine::expect(&machine.run(&["phone"]).await, 0), "none is kept\n");

    let set = Machine::expect(&machine.run(&["phone", "+14155550109", "--json"]).await, 0);
    let set: Value = serde_json::from_str(&set).unwrap();
    assert_eq!((&set["number"], &set["source"]), (&"+14155550109".into(), &"account".into()));
    let printed = Machine::expect(&machine.run(&["call", "me", "Say", "hello.", "--wait"]).await, 0);
    assert!(printed.contains("Outcome     answered"), "{printed}");
    for refused in [&["call", "me", "--check"][..], &["call", "me", "--from", "+14155550199"]] {
        let output = machine.run(refused).await;
        Machine::expect(&output, 2);
        assert!(errors(&output).contains("is not for `offhook call me`"), "{}", errors(&output));
    }
    assert_eq!(Machine::expect(&machine.run(&["phone", "--forget"]).await, 0), "none is kept\n");
    Machine::expect(&machine.run(&["call", "me"]).await, 4);
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
async fn a_script_goes_on_only_after_a_yes() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    // With its first call this machine gets a key.
    Machine::expect(&machine.run(&["call", "+14155550101", "Ask when they open.", "--wait"]).await, 1);

    let approve = ["approve", "Deploy build 42", "--detail", "risk=low", "--wait", "--json"];
    for (phone, exit, state, reason) in [
        ("+14155550190", 0, "approved", Value::Null),
        ("+14155550194", 5, "declined", Value::from("declined")),
        ("+14155550193", 5, "declined", Value::from("remote.busy")),
    ] {
        Machine::expect(&machine.run(&["phone", phone]).await, 0);
        let printed = Machine::expect(&machine.run(&approve).await, exit);
        let approval: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((&approval["state"], &approval["reason"]), (&Value::from(state), &reason), "{approval}");
        let id = approval["id"].as_str().unwrap();
        let shown = Machine::expect(&machine.run(&["approve", "--show", id]).await, exit);
        assert!(shown.contains(&format!("{id}  {state}  Deploy build 42")), "{shown}");
    }

    // One that rings for long is cancelled.
    Machine::expect(&machine.run(&["phone", "+14155550196"]).await, 0);
    let printed = Machine::expect(&machine.run(&["approve", "Deploy build 43", "--json"]).await, 0);
    let asked: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(asked["state"], "pending", "{asked}");
    let id = asked["id"].as_str().unwrap();
    let printed = Machine::expect(&machine.run(&["approve", "--cancel", id]).await, 0);
    assert!(printed.contains("cancelled"), "{printed}");
    Machine::expect(&machine.run(&["approve", "--show", id]).await, 6);
    Machine::expect(&machine.run(&["approve"]).await, 2);
    Machine::expect(&machine.run(&["approve", "Deploy", "--require-pin"]).await, 4);
    stop(app).await;
}

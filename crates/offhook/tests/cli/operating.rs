//! Beside a running server: keys, accounts, backups.

use std::path::Path;

use offhook::app::App;
use serde_json::{Value, json};

use crate::machine::{Machine, errors, server, stop};

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
async fn a_key_for_an_agent_calls_its_user_and_nobody_else() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    let run = async |args: &[&str], key: &str| {
        let mut command = machine.command(args);
        command.env("OFFHOOK_DATA_DIR", data.path()).env("OFFHOOK_API_KEY", key);
        command.output().await.unwrap()
    };
    let made = run(&["key", "create", "--voice-only", "--target", "+14155550109"], "").await;
    let key = Machine::expect(&made, 0).trim().to_owned();
    assert!(errors(&made).contains("allow_anonymous_keys = false"), "{}", errors(&made));
    assert_eq!(Machine::expect(&run(&["phone"], &key).await, 0), "+14155550109\n");
    Machine::expect(&run(&["call", "me", "--wait"], &key).await, 0);
    for refused in [&["call", "+14155550101", "Ask."][..], &["phone", "+14155550101"], &["phone", "--forget"]]
    {
        let output = run(refused, &key).await;
        Machine::expect(&output, 4);
        assert!(errors(&output).contains("its target"), "{refused:?}: {}", errors(&output));
    }
    let listed = Machine::expect(&run(&["key", "list", "--json"], "").await, 0);
    let row: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let id = row["id"].as_str().unwrap();
    assert_eq!(row["voice_only"], true);
    Machine::expect(&run(&["key", "bind", id, "--free"], "").await, 0);
    Machine::expect(&run(&["call", "+14155550101", "Ask."], &key).await, 0);
    Machine::expect(&run(&["key", "bind", id], "").await, 0);
    Machine::expect(&run(&["call", "+14155550101", "Ask."], &key).await, 4);
    Machine::expect(&run(&["key", "bind", "nobody"], "").await, 1);
    // A further key of an account, whose target the operator sets.
    let account = Machine::expect(&run(&["account", "create"], "").await, 0).trim().to_owned();
    let bound = run(&["key", "create", "--voice-only", "--account", &account], "").await;
    let bound = Machine::expect(&bound, 0).trim().to_owned();
    Machine::expect(&run(&["call", "me"], &bound).await, 4);
    Machine::expect(&run(&["account", "target", &account, "+14155550101"], "").await, 0);
    Machine::expect(&run(&["call", "me", "--wait"], &bound).await, 1);
    assert!(
        Machine::expect(&run(&["account", "show", &account], "").await, 0).contains("target   +14155550101")
    );
    Machine::expect(&run(&["account", "target", &account, "--remove"], "").await, 0);
    Machine::expect(&run(&["call", "me"], &bound).await, 4);
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

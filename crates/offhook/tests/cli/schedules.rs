//! Schedules on the command line.

use serde_json::Value;

use crate::machine::{Machine, errors, server, stop};

#[tokio::test]
async fn a_schedule_from_the_command_line() {
    let mut machine = Machine::new();
    let data = tempfile::tempdir().unwrap();
    let app = server(data.path()).await;
    machine.url = Some(app.url());
    // The first call gets a key.
    Machine::expect(
        &machine.run(&["call", "+14155550101", "Ask", "when", "they", "open.", "--wait"]).await,
        1,
    );

    let up = format!("{}/healthz", app.url());
    let add =
        ["schedule", "add", "--cron", "0 9 * * 1-5", "--to", "+14155550101", "--name", "Up", "--http", &up];
    let dry =
        [&add[..], &["--test", "/status == ok", "--dry-run", "Tell", "them", "it", "is", "up."]].concat();
    let printed = Machine::expect(&machine.run(&dry).await, 0);
    assert!(printed.starts_with("would call now; the condition: holds\n  /status is ok"), "{printed}");
    assert_eq!(Machine::expect(&machine.run(&["schedule", "list"]).await, 0), "", "nothing is kept of it");

    let made =
        [&add[..], &["--status", "!2xx", "--quiet-hours", "22:00-08:00", "--json", "It is down."]].concat();
    let made: Value = serde_json::from_str(&Machine::expect(&machine.run(&made).await, 0)).unwrap();
    assert_eq!(made["condition"]["status"], "!2xx", "{made}");
    let id = made["id"].as_str().unwrap();
    for (command, expected) in [
        (vec!["schedule", "list"], "waiting  0 9 * * 1-5"),
        (vec!["schedule", "pause", id], "paused"),
        (vec!["schedule", "resume", id], "waiting"),
        (vec!["schedule", "run", id, "--dry-run"], "would not call now; the condition: does not hold"),
        (vec!["schedule", "run", id], "running"),
        (vec!["schedule", "show", id], id),
        (vec!["schedule", "remove", id], "removed"),
    ] {
        let printed = Machine::expect(&machine.run(&command).await, 0);
        assert!(printed.contains(expected), "{command:?}: {printed}");
    }
    let gone = machine.run(&["schedule", "show", id]).await;
    Machine::expect(&gone, 4);
    let output =
        machine.run(&["schedule", "add", "--cron", "0,1 0 1 1 *", "--to", "+14155550101", "Hello."]).await;
    Machine::expect(&output, 4);
    assert!(errors(&output).contains("closer than the 60 minutes"), "{}", errors(&output));
    Machine::expect(&machine.run(&["schedule", "add", "Hello."]).await, 2);
    stop(app).await;
}

//! What the doctor finds, and what it says to do.

use std::path::Path;

use serde_json::Value;

use crate::machine::{Machine, server, stop};

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

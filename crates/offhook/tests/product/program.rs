//! The real program, as its user starts it.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::rig::PATIENCE;

pub struct Program {
    child: Child,
    pub url: String,
    log: JoinHandle<String>,
}

impl Program {
    /// With the `offhook.toml` of that directory.
    pub async fn start(home: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(["--json", "serve", "--config"]).arg(home.join("offhook.toml"));
        command.env_clear().env("HOME", home).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.unwrap();
            log
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(&line.expect("it says where it answers")).unwrap();
        Self { child, url: told["url"].as_str().unwrap().to_owned(), log }
    }

    /// SIGKILL: no goodbye, no flush. What it logged.
    pub async fn kill(mut self) -> String {
        self.child.kill().await.unwrap();
        self.log.await.unwrap()
    }
}

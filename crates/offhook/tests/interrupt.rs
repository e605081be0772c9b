//! Ctrl-C at the command line: the first stops in order, the second at once, and what may go on is said.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::net::{TcpListener, UdpSocket};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// Nothing here takes this long unless it is broken; stopping in order may.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

fn offhook(args: &[&str], home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(args).env_clear().env("HOME", home).kill_on_drop(true);
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn ctrl_c(child: &Child) {
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
}

async fn line_with(lines: &mut Lines<BufReader<impl AsyncRead + Unpin>>, words: &str) -> String {
    loop {
        let line = soon(lines.next_line()).await.unwrap().unwrap_or_else(|| panic!("{words} was never said"));
        if line.contains(words) {
            return line;
        }
    }
}

/// A server with one call that never ends, and what it was asked for.
struct Deaf {
    url: String,
    followed: Arc<Semaphore>,
    hung_up: Arc<Semaphore>,
}

impl Deaf {
    /// `hang_up` is what it answers to that; nothing at all when `None`.
    async fn start(hang_up: Option<StatusCode>) -> Self {
        let (followed, hung_up) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (following, hanging_up) = (followed.clone(), hung_up.clone());
        let events = move || async move {
            following.add_permits(1);
            let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
            Response::new(Body::from_stream(endless))
        };
        let hangup = move || async move {
            hanging_up.add_permits(1);
            let Some(status) = hang_up else { return std::future::pending().await };
            let error = json!({ "error": { "code": "store_unavailable", "message": "try again shortly" } });
            (status, axum::Json(error)).into_response()
        };
        let router = Router::new()
            .route("/call", post(async || (StatusCode::CREATED, axum::Json(json!({ "call_id": "c1" })))))
            .route("/call/{id}/events", get(events))
            .route("/call/{id}/hangup", post(hangup));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, followed, hung_up }
    }

    async fn call(&self, home: &std::path::Path) -> Child {
        let child = offhook(&["--url", &self.url, "call", "+14155550100", "Ask.", "--wait"], home).spawn();
        soon(self.followed.acquire()).await.unwrap().forget();
        child.unwrap()
    }
}

#[track_caller]
fn expect_failure(output: &Output, told: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told.iter().all(|told| errors.contains(told)), "{errors}");
}

#[tokio::test]
async fn a_call_that_could_not_be_hung_up_is_not_left_without_a_word() {
    let home = tempfile::tempdir().unwrap();
    let server = Deaf::start(Some(StatusCode::SERVICE_UNAVAILABLE)).await;
    let child = server.call(home.path()).await;
    ctrl_c(&child).await;
    let output = soon(child.wait_with_output()).await.unwrap();
    expect_failure(&output, &["hanging up", "store_unavailable", "the call may go on", "offhook hangup c1"]);
}

#[tokio::test]
async fn who_presses_twice_is_not_kept_waiting_for_a_server_that_does_not_answer() {
    let home = tempfile::tempdir().unwrap();
    let server = Deaf::start(None).await;
    let child = server.call(home.path()).await;
    ctrl_c(&child).await;
    soon(server.hung_up.acquire()).await.unwrap().forget();
    ctrl_c(&child).await;
    let output = soon(child.wait_with_output()).await.unwrap();
    expect_failure(&output, &["hanging up", "the call may go on", "offhook hangup c1"]);
}

/// The trunk hears the INVITE and says nothing, so that stopping in order takes long.
#[tokio::test]
async fn a_server_that_is_told_twice_stops_at_once() {
    let home = tempfile::tempdir().unwrap();
    let trunk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n[carrier.sip]\nlisten = [\"udp:127.0.0.1:0\"]\n\
         [[carrier.sip.trunk]]\nname = \"main\"\nserver = \"{}\"\n[[line]]\nnumber = \"+12065550123\"\n",
        home.path().join("data"),
        trunk.local_addr().unwrap()
    );
    std::fs::write(home.path().join("offhook.toml"), config).unwrap();
    let file = home.path().join("offhook.toml");
    let mut child = offhook(&["--config", file.to_str().unwrap(), "serve"], home.path()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut logged = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = line_with(&mut said, "offhook answers at ").await.replace("offhook answers at ", "");

    let wish = json!({ "to": "+12065550242", "task": "Ask when they open." });
    let placed = reqwest::Client::new().post(format!("{url}/call")).json(&wish).send().await.unwrap();
    let placed: Value = placed.json().await.unwrap();
    assert!(placed["call_id"].is_string(), "{placed}");
    let mut datagram = [0; 4_096];
    while !datagram.starts_with(b"INVITE") {
        soon(trunk.recv_from(&mut datagram)).await.unwrap();
    }
    ctrl_c(&child).await;
    line_with(&mut logged, "shutting down").await;
    ctrl_c(&child).await;
    line_with(&mut logged, "stopped at once").await;
    assert_eq!(soon(child.wait()).await.unwrap().code(), Some(1));
}

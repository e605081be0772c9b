//! A tunnel from the public internet to the doors of the callbacks, made by a program of the user's.
//!
//! offhook starts the program, reads the address from what it prints, starts it again when it dies, and ends it when it
//! ends itself. The tunnel leads to a listener that serves nothing but the doors.

mod program;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

pub use program::{Kind, Said, TunnelConfig};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A line of output that is longer is cut.
const LONGEST_LINE: u64 = 16 * 1_024;
/// How many characters of its last line are told.
const LAST_LINE: usize = 200;
/// How long the output of a program that has ended is waited for; what it started may hold it open.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long the program may take to end when it is asked to.
const GOODBYE: Duration = Duration::from_secs(2);
/// What the program is given of our environment: nothing that may hold a secret of ours.
const PASSED_ON: [&str; 14] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
];

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    /// Before the program is started again; doubled each time, up to `most`.
    pub first: Duration,
    pub most: Duration,
    /// How long it may take to get an address.
    pub patience: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(60));
        Self { first, most, patience: Duration::from_secs(40) }
    }
}

/// How the tunnel is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunnelState {
    /// Where the doors are reached; `None` while there is no way.
    pub url: Option<String>,
    /// What was wrong last; `None` while all is well.
    pub problem: Option<String>,
    /// How often the program was started.
    pub starts: u32,
}

/// What the program said so far.
#[derive(Debug, Default)]
struct Heard {
    url: Option<String>,
    ready: bool,
    problem: Option<String>,
    /// Where nothing was recognised as a problem, the last words are the best there is.
    last_line: String,
}

/// A tunnel that is kept up until `stop`.
#[derive(Debug)]
pub struct Tunnel {
    config: TunnelConfig,
    /// What the tunnel leads to.
    to: SocketAddr,
    pacing: Pacing,
    state: watch::Sender<TunnelState>,
}

impl Tunnel {
    pub fn new(config: TunnelConfig, to: SocketAddr, pacing: Pacing) -> (Self, watch::Receiver<TunnelState>) {
        let (state, watched) = watch::channel(TunnelState::default());
        (Self { config, to, pacing, state }, watched)
    }

    /// Start the program, and again when it dies, until `stop`. It is gone when this returns.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = self.pacing.first;
        loop {
            let started_at = Instant::now();
            let why = self.once(&stop).await;
            if stop.is_cancelled() {
                self.state.send_modify(|state| state.url = None);
                return;
            }
            // One that has worked for a while begins anew with short pauses.
            if started_at.elapsed() > self.pacing.most {
                pause = self.pacing.first;
            }
            let program = self.config.kind.program();
            tracing::warn!(program, %why, "the tunnel is down; it is started again in a moment");
            self.state.send_modify(|state| (state.url, state.problem) = (None, Some(why)));
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(self.pacing.most);
        }
    }

    /// From the start of the program to its end; why it ended.
    async fn once(&self, stop: &CancellationToken) -> String {
        self.state.send_modify(|state| state.starts += 1);
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(why) => return format!("{} can't be started: {why}", self.config.program.display()),
        };
        let (lines, mut said) = mpsc::channel(64);
        read_lines(child.stdout.take(), lines.clone());
        read_lines(child.stderr.take(), lines);
        // Known for as long as nobody has waited for it.
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let ended = stop.run_until_cancelled(self.watch(&mut child, &mut said)).await;
        end(&mut child, group).await;
        ended.unwrap_or_default()
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.config.program);
        command.args(self.config.args(self.to)).env_clear();
        let names = PASSED_ON.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
        command.envs(names.filter_map(|name| Some((name.clone(), std::env::var_os(name)?))));
        if let (Some(name), Some(token)) = (self.config.token_variable(), &self.config.token) {
            command.env(name, token.expose_secret());
        }
        // A group of its own: what it starts itself ends with it, and no key pressed in a terminal ends it before us.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true).spawn()
    }

    /// Until the program ends, or does not get an address.
    async fn watch(&self, child: &mut Child, said: &mut mpsc::Receiver<String>) -> String {
        let give_up = tokio::time::sleep(self.pacing.patience);
        tokio::pin!(give_up);
        let mut heard = Heard { url: self.config.public_url.clone(), ..Heard::default() };
        let mut open = true;
        loop {
            let is_up = self.state.borrow().url.is_some();
            tokio::select! {
                line = said.recv(), if open => match line {
                    Some(line) => self.hear(&mut heard, &line),
                    None => open = false,
                },
                ended = child.wait() => {
                    let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    // Its last words say why.
                    while let Ok(Some(line)) = tokio::time::timeout(LAST_WORDS, said.recv()).await {
                        self.hear(&mut heard, &line);
                    }
                    return match heard.problem.unwrap_or(heard.last_line) {
                        nothing if nothing.is_empty() => format!("it ended ({status})"),
                        why => format!("it ended ({status}): {why}"),
                    };
                }
                () = &mut give_up, if !is_up => {
                    let seconds = self.pacing.patience.as_secs();
                    return heard.problem.unwrap_or_else(|| format!("it had no address after {seconds} seconds"));
                }
            }
        }
    }

    fn hear(&self, heard: &mut Heard, line: &str) {
        tracing::debug!(program = self.config.kind.program(), line, "tunnel");
        if !line.trim().is_empty() {
            heard.last_line = line.trim().chars().take(LAST_LINE).collect();
        }
        match self.config.read(line) {
            Some(Said::Url(url)) => heard.url = Some(url),
            Some(Said::Ready) => heard.ready = true,
            Some(Said::UrlReady(url)) => (heard.url, heard.ready) = (Some(url), true),
            Some(Said::Problem(why)) => heard.problem = Some(why),
            None => return,
        }
        if let (true, Some(url)) = (heard.ready, &heard.url) {
            self.up(url);
        }
    }

    fn up(&self, url: &str) {
        let changed = self.state.send_if_modified(|state| {
            let changed = state.url.as_deref() != Some(url);
            (state.url, state.problem) = (Some(url.to_owned()), None);
            changed
        });
        if changed {
            tracing::info!(
                url,
                program = self.config.kind.program(),
                "the doors of the callbacks can be reached"
            );
        }
    }
}

/// Each line of this pipe, without blocking the program: what nobody reads in time is lost.
fn read_lines(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, lines: mpsc::Sender<String>) {
    let Some(pipe) = pipe else { return };
    tokio::spawn(async move {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                Ok(1..) => {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if let Err(mpsc::error::TrySendError::Closed(_)) = lines.try_send(text) {
                        return;
                    }
                }
                _ => return,
            }
        }
    });
}

/// Ask it to end, then make it; with all that it has started, which may outlive it.
async fn end(child: &mut Child, group: Option<Pid>) {
    let Some(group) = group else { return };
    let _ = kill_process_group(group, Signal::TERM);
    if tokio::time::timeout(GOODBYE, child.wait()).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A program that does what the script says, and notes that it was started and how.
    fn fake(dir: &Path, script: &str) -> TunnelConfig {
        let program = dir.join("fake");
        let log = dir.join("log");
        let text = format!(
            "#!/bin/sh\necho \"$@\" >> {log}\nenv >> {env}\n{script}\n",
            log = log.display(),
            env = dir.join("env").display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
        let token = Some("a token of ours".into());
        TunnelConfig { kind: Kind::Ngrok, program, token, name: None, public_url: None }
    }

    fn hasty() -> Pacing {
        let (first, most) = (Duration::from_millis(100), Duration::from_millis(200));
        Pacing { first, most, patience: Duration::from_secs(5) }
    }

    fn start(
        config: TunnelConfig,
        pacing: Pacing,
    ) -> (watch::Receiver<TunnelState>, CancellationToken, tokio::task::JoinHandle<()>) {
        let (tunnel, state) = Tunnel::new(config, SocketAddr::from(([127, 0, 0, 1], 7466)), pacing);
        let stop = CancellationToken::new();
        let running = tokio::spawn(tunnel.run(stop.clone()));
        (state, stop, running)
    }

    async fn until(
        state: &mut watch::Receiver<TunnelState>,
        is: impl Fn(&TunnelState) -> bool,
    ) -> TunnelState {
        tokio::time::timeout(PATIENCE, state.wait_for(|state| is(state))).await.unwrap().unwrap().clone()
    }

    fn started(url: &str) -> String {
        format!(r#"echo '{{"lvl":"info","msg":"started tunnel","url":"{url}"}}'"#)
    }

    #[tokio::test]
    async fn the_address_is_read_and_the_program_ends_with_us() {
        let dir = tempfile::tempdir().unwrap();
        // What it started itself holds the pipe open.
        let script = format!(
            "exec 3> {}/alive\nsleep 600 &\n{}\nwait",
            dir.path().display(),
            started("https://one.example")
        );
        let alive = dir.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(&alive).status().unwrap().success());
        let mut alive = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&alive).unwrap();
        let (mut state, stop, running) = start(fake(dir.path(), &script), hasty());
        let up = until(&mut state, |state| state.url.is_some()).await;
        assert_eq!(up.url.as_deref(), Some("https://one.example"));
        assert_eq!((up.problem, up.starts), (None, 1));
        let args = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(args.trim(), "http http://127.0.0.1:7466 --inspect=false --log stdout --log-format json");
        let env = std::fs::read_to_string(dir.path().join("env")).unwrap();
        assert!(env.contains("NGROK_AUTHTOKEN=a token of ours"));
        assert!(!env.contains("CARGO"), "nothing else of our environment: {env}");

        stop.cancel();
        tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
        assert_eq!(state.borrow().url, None);
        // Both hold the other side open until they end.
        let ended = tokio::time::timeout(PATIENCE, alive.read(&mut [0; 1])).await;
        assert_eq!(ended.expect("what it started ends, too").unwrap(), 0);
    }

    #[tokio::test]
    async fn a_program_that_dies_is_started_again_and_the_new_address_counts() {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "n=$(wc -l < {log})\nif [ $n = 1 ]; then {one}; exit 3; fi\nif [ $n = 2 ]; then {error}; exit 4; fi\n{two}\nexec sleep 600",
            log = dir.path().join("log").display(),
            one = started("https://one.example"),
            error = r#"echo '{"lvl":"eror","err":"too many tunnels"}'; echo bye"#,
            two = started("https://two.example"),
        );
        let (mut state, stop, running) = start(fake(dir.path(), &script), hasty());
        let failed = until(&mut state, |state| {
            state.starts == 2 && state.problem.as_deref().is_some_and(|why| why.contains("too many"))
        })
        .await;
        assert_eq!(failed.url, None, "there is no way while it is down");
        let up = until(&mut state, |state| state.starts == 3 && state.url.is_some()).await;
        assert_eq!((up.url.as_deref(), up.problem), (Some("https://two.example"), None));
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_is_missing_or_gets_no_address_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let missing = TunnelConfig { program: dir.path().join("none"), ..fake(dir.path(), "") };
        let (mut state, stop, running) = start(missing, hasty());
        let down = until(&mut state, |state| state.problem.is_some()).await;
        assert!(down.problem.unwrap().contains("can't be started"));
        stop.cancel();
        running.await.unwrap();

        let pacing = Pacing { patience: Duration::from_millis(50), ..hasty() };
        let (mut state, stop, running) = start(fake(dir.path(), "exec sleep 600"), pacing);
        let down = until(&mut state, |state| state.problem.is_some()).await;
        assert!(down.problem.unwrap().contains("no address"));
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_reserved_address_counts_once_the_tunnel_is_connected() {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "echo starting\nread -r _ < {0}/go\necho 'x INF Registered tunnel connection'\nexec sleep 600",
            dir.path().display()
        );
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("go"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let public_url = Some("https://line.example.com".to_owned());
        let config = TunnelConfig {
            kind: Kind::Cloudflared,
            public_url: public_url.clone(),
            ..fake(dir.path(), &script)
        };
        let (mut state, stop, running) = start(config, hasty());
        until(&mut state, |state| state.starts == 1).await;
        assert_eq!(state.borrow().url, None, "not connected yet");
        let go = dir.path().join("go");
        tokio::task::spawn_blocking(move || std::fs::write(go, "go\n").unwrap()).await.unwrap();
        assert_eq!(until(&mut state, |state| state.url.is_some()).await.url, public_url);
        stop.cancel();
        running.await.unwrap();
    }
}

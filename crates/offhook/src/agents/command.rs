//! An agent that is a program: Claude Code, Codex, a script. The request on standard input, the answer on standard
//! output.
//!
//! A program runs in a process group of its own, and the group is killed with it: at the limit, when the call ends, and
//! when the program is done but something it started is not.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::{AgentError, MOST_BYTES, Request};

/// What to run. Its arguments are never made of what somebody said.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Where it runs; where offhook runs when absent.
    pub directory: Option<PathBuf>,
    /// All of its environment.
    pub env: Vec<(String, SecretString)>,
}

/// A running program with all it started. Killed when dropped.
#[derive(Debug)]
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody may be left of it.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

impl Program {
    pub(super) async fn ask(&self, agent: &str, request: &Request) -> Result<String, AgentError> {
        let mut child = self.start(agent, request)?;
        // Dropped before the child, which as a zombie at least holds its number until then.
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Group);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let text = request.text();
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read to the end says in its status what it thinks of that.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
        };
        let ended = async {
            let status = child.wait().await;
            // What it left behind may hold on to its output.
            drop(group);
            status
        };
        let ((), answer, complaint, status) = tokio::join!(write, read(stdout), read(stderr), ended);
        let status = status.map_err(|why| AgentError::Failed(format!("its end was not seen: {why}")))?;
        tracing::debug!(agent, %status, stdout = answer.len(), stderr = complaint.len(), "a program ended");
        if status.success() {
            Ok(String::from_utf8_lossy(&answer).into_owned())
        } else {
            Err(ended_with(status))
        }
    }

    /// Whether its program is there to be started.
    pub(super) fn check(&self) -> Result<&'static str, AgentError> {
        let program = Path::new(self.argv.first().map_or("", String::as_str));
        let path = self.env.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or("/usr/bin:/bin", |(_, value)| value.expose_secret());
        let dirs: Vec<PathBuf> = match program.components().count() {
            1 => std::env::split_paths(path).collect(),
            _ => vec![self.directory.clone().unwrap_or_default()],
        };
        let found = dirs.iter().any(|dir| access(dir.join(program), Access::EXEC_OK).is_ok());
        let missing = || AgentError::Unreachable("its program is not there, or can't be executed".to_owned());
        found.then_some("its program is there").ok_or_else(missing)
    }

    fn start(&self, agent: &str, request: &Request) -> Result<Child, AgentError> {
        let Some((program, arguments)) = self.argv.split_first() else { return Err(AgentError::None) };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value.expose_secret())))
            .env("OFFHOOK_AGENT", agent)
            .envs(request.call.as_ref().map(|call| ("OFFHOOK_CALL_ID", call.id.to_string())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.spawn().map_err(|why| AgentError::Unreachable(format!("its program can't be started: {why}")))
    }
}

/// All that comes, of which so much is kept.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut pipe) = pipe else { return Vec::new() };
    let mut kept = Vec::new();
    // A pipe that breaks is at its end.
    let _ = (&mut pipe).take(MOST_BYTES as u64).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    kept
}

fn ended_with(status: ExitStatus) -> AgentError {
    AgentError::Failed(match status.code() {
        Some(code) => format!("its program ended with status {code}"),
        None => "its program was killed".to_owned(),
    })
}

//! Programs of this machine: finding them, and running them without letting them hang or pile up.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("{program} can't be started: {why}; is it still installed?")]
    Start { program: String, why: std::io::Error },
    #[error("{program} did not finish within {limit:?}; the machine may be overloaded")]
    TimedOut { program: String, limit: Duration },
    #[error("{program} failed ({status}): {stderr}")]
    Failed { program: String, status: std::process::ExitStatus, stderr: String },
}

/// A program, found once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// Look for `name` in the directories of PATH.
    pub fn find(name: &str) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let path = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| is_executable(path))?;
        Some(Self { path })
    }

    /// The file name, for messages.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned()
    }

    /// Run it with `input` on its standard input. It is killed when it takes too long, or nobody waits any more.
    pub async fn run(
        &self,
        arguments: &[&OsStr],
        input: &[u8],
        limit: Duration,
    ) -> Result<Output, ProgramError> {
        // The permit is never closed; without one the machine is merely busier.
        let _permit = permits().acquire().await.ok();
        let start = |why| ProgramError::Start { program: self.name(), why };
        let mut child = Command::new(&self.path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let stdin = child.stdin.take();
        let write = async move {
            if let Some(mut stdin) = stdin {
                // A program that does not read to the end says in its status what it thinks of that.
                let _ = stdin.write_all(input).await;
            }
        };
        let finished =
            tokio::time::timeout(limit, async { tokio::join!(write, child.wait_with_output()).1 }).await;
        let output =
            finished.map_err(|_| ProgramError::TimedOut { program: self.name(), limit })?.map_err(start)?;
        if output.status.success() {
            return Ok(output);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stderr = stderr.lines().last().unwrap_or_default().chars().take(200).collect();
        Err(ProgramError::Failed { program: self.name(), status: output.status, stderr })
    }
}

/// As many at once as the machine has processors: more would only make all of them late.
fn permits() -> &'static Arc<Semaphore> {
    static PERMITS: OnceLock<Arc<Semaphore>> = OnceLock::new();
    PERMITS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Arc::new(Semaphore::new(processors.max(2)))
    })
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

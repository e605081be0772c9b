//! Programs of this machine: finding them, and running them without letting them hang or pile up.

use std::ffi::OsStr;
use std::fs::File;
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

/// What a program works at. Each has its own share of the machine: what takes seconds to understand holds up no goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Hear,
    Speak,
}

/// What a program reads and writes. Files have no name: nothing of a call is left on the disk, whatever ends us.
pub enum Files {
    /// The text on standard input, the audio into a file on standard output.
    Speak { text: String, audio: File },
    /// The text on standard input; the program is given a name to write to.
    Named { text: String },
    /// The audio on standard input.
    Hear { audio: File },
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

    /// Run it. It is killed when it takes too long, or nobody waits any more.
    pub async fn run(
        &self,
        arguments: &[&OsStr],
        files: Files,
        limit: Duration,
    ) -> Result<Output, ProgramError> {
        let (work, stdin, stdout, text) = files.connected();
        // The permit is never closed; without one the machine is merely busier.
        let _permit = permits(work).acquire().await.ok();
        let start = |why| ProgramError::Start { program: self.name(), why };
        let mut child = Command::new(&self.path)
            .args(arguments)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let stdin = child.stdin.take();
        let write = async move {
            if let Some(mut stdin) = stdin {
                // A program that does not read to the end says in its status what it thinks of that.
                let _ = stdin.write_all(text.as_bytes()).await;
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

impl Files {
    fn connected(self) -> (Work, Stdio, Stdio, String) {
        match self {
            Self::Speak { text, audio } => (Work::Speak, Stdio::piped(), audio.into(), text),
            Self::Named { text } => (Work::Speak, Stdio::piped(), Stdio::piped(), text),
            Self::Hear { audio } => (Work::Hear, audio.into(), Stdio::piped(), String::new()),
        }
    }
}

/// As many at once as the machine has processors: more would only make all of them late.
fn permits(work: Work) -> &'static Arc<Semaphore> {
    static HEAR: OnceLock<Arc<Semaphore>> = OnceLock::new();
    static SPEAK: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let permits = match work {
        Work::Hear => &HEAR,
        Work::Speak => &SPEAK,
    };
    permits.get_or_init(|| {
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Seconds of understanding stand in front of no goodbye.
    #[tokio::test]
    async fn who_listens_holds_up_nobody_who_speaks() {
        let hearing = permits(Work::Hear);
        let all = hearing.available_permits() as u32;
        let _busy = hearing.acquire_many(all).await.unwrap();
        let cat = Program::find("cat").unwrap();
        let mut audio = tempfile::tempfile().unwrap();
        let files = Files::Speak { text: "Goodbye.".to_owned(), audio: audio.try_clone().unwrap() };
        cat.run(&[], files, LIMIT).await.unwrap();
        let mut said = String::new();
        audio.rewind().unwrap();
        audio.read_to_string(&mut said).unwrap();
        assert_eq!(said, "Goodbye.");
    }

    /// What a program is given has no name that could be left behind.
    #[tokio::test]
    async fn a_program_reads_a_file_without_a_name() {
        let cat = Program::find("cat").unwrap();
        let mut audio = tempfile::tempfile().unwrap();
        audio.write_all(b"RIFF").unwrap();
        audio.rewind().unwrap();
        let output = cat.run(&[OsStr::new("/dev/stdin")], Files::Hear { audio }, LIMIT).await.unwrap();
        assert_eq!(output.stdout, b"RIFF");
    }
}

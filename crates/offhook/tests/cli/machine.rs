//! The machine that a command runs on, and a server for it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use offhook::app::App;
use offhook::config::{Config, Env, SpeechModel};
use offhook_speech::local;
use offhook_testkit::quiet::Quiet;
use tokio::process::Command;

/// Nothing here takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// One machine: a home of its own, and nothing of ours in the environment.
pub struct Machine {
    pub home: tempfile::TempDir,
    pub url: Option<String>,
}

impl Machine {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: None }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(args).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        command.envs(self.url.as_ref().map(|url| ("OFFHOOK_URL", url)));
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().await.unwrap()
    }

    /// With this exit code; what it printed.
    #[track_caller]
    pub fn expect(output: &Output, code: i32) -> String {
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

pub fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server in this process, with a voice that needs no programs.
pub async fn server(dir: &Path) -> App {
    let text = format!("listen = \"127.0.0.1:0\"\ndata_dir = {dir:?}");
    let mut config = Config::parse(&text, &Env::default()).unwrap();
    config.speech = SpeechModel::Local(local::Config::tagged());
    let quiet = Quiet::install();
    offhook_sandbox::NUMBERS.iter().for_each(|number| quiet.never_number(number.number));
    offhook_sandbox::numbers::sentences().into_iter().for_each(|sentence| quiet.never_said(sentence));
    App::start(config).await.unwrap()
}

/// Nothing private may have been logged.
pub async fn stop(app: App) {
    app.shutdown().await;
    Quiet::install().check();
}

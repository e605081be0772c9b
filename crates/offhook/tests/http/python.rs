//! Programs that others wrote, in the Python environment of `./test`.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Run a script of this directory; its exit code and what it printed.
pub async fn run(script: &str, arguments: &[&str], input: &str) -> (i32, String) {
    let Some(python) = std::env::var_os("OFFHOOK_PYTHON") else {
        panic!(
            "OFFHOOK_PYTHON does not name a Python with the packages of the tests; run ./test, which sets it up"
        );
    };
    let path = format!("{}/tests/http/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(path).args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("OFFHOOK_PYTHON can be run");
    let mut stdin = child.stdin.take().unwrap();
    let ran = async {
        stdin.write_all(input.as_bytes()).await.expect("it reads its input");
        drop(stdin);
        child.wait_with_output().await.unwrap()
    };
    let output = tokio::time::timeout(PATIENCE, ran).await.expect("it ends");
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), printed)
}

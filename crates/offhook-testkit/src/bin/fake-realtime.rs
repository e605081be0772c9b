//! The fake Realtime server as a program, for clients in other languages: prints its address and serves until its
//! standard input closes.

use std::io::{Read, Write};
use std::time::Duration;

use offhook_testkit::realtime::{FakeRealtime, Reply, Script};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let replies = vec![
        Reply::say("Let me look that up for you.").and_call("send_digits", r#"{"digits":"1"}"#),
        Reply::say("There is a table for two at seven."),
        Reply::say("Is there anything else that I can do for you today? I have all the time in the world."),
    ];
    // Slow enough that a client can interrupt, fast enough for a test.
    let script = Script { replies, pace: Duration::from_millis(5), ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", server.address())?;
    stdout.flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

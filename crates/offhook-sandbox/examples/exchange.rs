//! Runs the exchange by itself, for softphones and SIPp: `cargo run -p offhook-sandbox --example exchange -- 127.0.0.1:5070`.
//! Speech is a tone for each word. Enter ends it and prints what was seen.

use std::io;
use std::sync::Arc;

use offhook_sandbox::{Sandbox, SandboxConfig};

fn tones(text: &str) -> Vec<i16> {
    let word = |length: usize| {
        (0..length * 480)
            .map(move |n| if n < length * 400 { ((n as f32 * 0.25).sin() * 9_000.0) as i16 } else { 0 })
    };
    text.split(' ').flat_map(|text| word(text.len())).collect()
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut config = SandboxConfig::new(Arc::new(tones));
    config.house_rules = std::env::args().nth(2).is_none();
    if let Some(addr) = std::env::args().nth(1) {
        config.addr = addr.parse().map_err(io::Error::other)?;
    }
    let sandbox = Sandbox::start(config).await?;
    println!("serving on {}", sandbox.addr());
    tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    for call in sandbox.calls() {
        println!(
            "{} {:?} heard {} ms, keys {}",
            call.number,
            call.stage,
            call.heard.audio_ms,
            call.digits_text()
        );
    }
    for violation in sandbox.violations() {
        println!("{violation}");
    }
    sandbox.shutdown().await;
    Ok(())
}

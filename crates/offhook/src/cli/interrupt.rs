//! Ctrl-C, each time it is pressed: the first asks to stop in order, the second stops at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Made before there is anything to interrupt, so that none is lost.
#[derive(Debug)]
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one, from the keyboard or from whoever runs services.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

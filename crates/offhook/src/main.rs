//! The `offhook` program: the command line, and the allocator it runs on.

use std::process::ExitCode;

// The call loop allocates little, and this does it with less CPU than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    offhook::cli::main()
}

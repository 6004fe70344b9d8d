//! The `forebay` daemon and its commands.

use std::process::ExitCode;

/// Thousands of requests that wait together are made and let go of in another order each time. The system's allocator
/// spends a sixth of the daemon's time on that; this one also fits kernels with pages of any size.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forebay_origin::cli::main()
}

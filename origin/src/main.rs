//! The `forebay` daemon and its commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    forebay_origin::cli::main()
}

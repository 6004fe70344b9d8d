//! `forebay serve`: the origin.

use std::path::PathBuf;

use super::Ended;
use super::daemon::{Daemon, configured, keyring, runtime};
use super::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let config = configured(&args.config)?;
    let keys = keyring(&config)?;
    runtime(&config)?.block_on(async {
        let daemon = Daemon::open(config, keys, None).await?;
        // The line that scripts wait for: every address is bound.
        output.line(format_args!("forebay: listening {}", daemon.addresses()?));
        daemon.serve().await
    })
}

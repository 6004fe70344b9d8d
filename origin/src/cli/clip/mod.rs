//! `forebay clip`: pieces of assets.

mod export;
mod position;

use super::Ended;
use super::output::Output;

/// What can be done with pieces of assets.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Write an asset, or a piece of it, as one MP4 that plays while it is downloaded. Nothing is encoded anew.
    Export(export::Args),
}

pub(super) fn run(verb: Verb, output: &Output) -> Ended {
    match verb {
        Verb::Export(args) => export::run(&args, output),
    }
}

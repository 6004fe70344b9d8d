//! `forebay clip`: pieces of shows and assets.

mod cut;
mod export;
mod position;

use super::Ended;
use super::output::Output;

/// What can be done with pieces of shows and assets.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Make a piece of a recorded show, or all of it, an asset. Nothing is copied; the show may still be running.
    Cut(cut::Cut),
    /// List the assets that are made of shows.
    List(cut::List),
    /// Remove an asset that is made of a show. The show stays as it is.
    Remove(cut::Remove),
    /// Write an asset, or a piece of it, as one MP4 that plays while it is downloaded. Nothing is encoded anew.
    Export(export::Args),
}

pub(super) fn run(verb: Verb, output: &Output) -> Ended {
    match verb {
        Verb::Cut(args) => cut::cut(&args, output),
        Verb::List(args) => cut::list(&args, output),
        Verb::Remove(args) => cut::remove(&args, output),
        Verb::Export(args) => export::run(&args, output),
    }
}

//! The command line: the one place that wires rooms, adapters and databases together.
//!
//! Each verb is a file with its arguments and a `run`. It gives back how it ended or why it failed; what a
//! failure looks like, and which code the process ends with, is decided here:
//!
//! | code | meaning |
//! |------|---------|
//! | 0    | done |
//! | 1    | failed, or a check found something; one line for each on standard error |
//! | 2    | the command line itself is wrong |
//! | 130  | interrupted (as shells have it: 128 + SIGINT) |

use std::error::Error as StdError;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

mod ask;
mod check;
mod clip;
mod daemon;
#[cfg(feature = "demo")]
mod demo;
mod files;
mod foreground;
mod import;
mod inspect;
mod interrupt;
mod keys;
mod live;
mod logging;
mod output;
mod package;
mod place;
mod progress;
mod purge;
mod serve;
mod table;
mod token;
mod transcode;
mod utc;
mod work;

use output::Output;

/// An edge and origin for HTTP media.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, propagate_version = true, disable_help_subcommand = true)]
struct Forebay {
    #[command(subcommand)]
    verb: Verb,
}

/// What the program can be told to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Make and list keys: those that tokens are signed with, and those that live streams are published with.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Make tokens and look into them.
    #[command(subcommand)]
    Token(token::Verb),
    /// Read a configuration and name every fault of it.
    Check(check::Args),
    /// Make renditions of a file and publish them, in the foreground.
    Transcode(transcode::Args),
    /// Bring HLS that others made into the store as it is, and publish it.
    Import(import::Args),
    /// Serve assets over HTTP, packaged when they are asked for.
    Serve(serve::Args),
    /// Take live streams over RTMP, make their renditions, send them to the origins.
    Work(work::Args),
    /// See what live streams a daemon has, end their shows, cut their senders.
    #[command(subcommand)]
    Live(live::Verb),
    /// Write assets, or pieces of them, as files.
    #[command(subcommand)]
    Clip(clip::Verb),
    /// Let a daemon forget what it keeps, or fetch it anew.
    Purge(purge::Args),
    /// Write a static folder with the bytes that would be served.
    Package(package::Args),
    /// Show what the packager sees in a file.
    Inspect(inspect::Args),
    /// Show a file or a live show in a browser, with everything on embedded defaults.
    #[cfg(feature = "demo")]
    Demo(demo::Args),
}

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It did what it was told.
    Done,
    /// It found what it was told to look for, and has said so.
    Refused,
    /// Somebody interrupted it.
    Interrupted,
}

/// What a verb gives back.
type Ended = Result<End, Failure>;

/// Why a verb failed: said in one line, with the causes.
#[derive(Debug)]
struct Failure(Box<dyn StdError + Send + Sync>);

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What `main` calls: runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os(), &Output::process()))
}

/// Runs the program; gives the code that the process ends with.
fn run(arguments: impl IntoIterator<Item = OsString>, output: &Output) -> u8 {
    let parsed = Forebay::command().try_get_matches_from(arguments);
    let verb = match parsed.and_then(|matches| Forebay::from_arg_matches(&matches)) {
        Ok(forebay) => forebay.verb,
        Err(error) => return usage(&error, output),
    };
    let ended = match verb {
        Verb::Keys(verb) => keys::run(verb, output),
        Verb::Token(verb) => token::run(verb, output),
        Verb::Check(args) => check::run(&args, output),
        Verb::Transcode(args) => transcode::run(args, output),
        Verb::Import(args) => import::run(args, output),
        Verb::Serve(args) => serve::run(&args, output),
        Verb::Work(args) => work::run(&args, output),
        Verb::Live(verb) => live::run(verb, output),
        Verb::Clip(verb) => clip::run(verb, output),
        Verb::Purge(args) => purge::run(&args, output),
        Verb::Package(args) => package::run(&args, output),
        Verb::Inspect(args) => inspect::run(&args, output),
        #[cfg(feature = "demo")]
        Verb::Demo(args) => demo::run(args, output),
    };
    match ended {
        Ok(End::Done) => 0,
        Ok(End::Refused) => 1,
        Ok(End::Interrupted) => 130,
        Err(Failure(error)) => {
            output.complain(chain(error.as_ref()));
            1
        }
    }
}

/// What the command line's own faults, `--help` and `--version` say.
fn usage(error: &clap::Error, output: &Output) -> u8 {
    let text = error.render().to_string();
    match error.use_stderr() {
        true => {
            output.note(text.trim_end());
            2
        }
        false => {
            output.line(text.trim_end());
            0
        }
    }
}

/// An error with its causes on one line. A cause that its error has quoted already is not said twice.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.replace(['\n', '\r'], " ")
}

/// A runtime for verbs that wait.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().thread_name("forebay").enable_all().build()
}

#[cfg(test)]
mod tests;

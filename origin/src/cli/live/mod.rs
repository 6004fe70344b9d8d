//! `forebay live`: what runs on a daemon, and the two things that can be done to it.

mod table;

use http::StatusCode;
use packager::asset::StreamName;
use serde::{Deserialize, de::DeserializeOwned};

use super::ask::{Answer, Daemon, Peer};
use super::output::Output;
use super::{End, Ended, Failure, runtime};

/// What can be asked of a running daemon.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// List the streams with their shows: who sends, who waits, how much is listed, how far it is behind the clock.
    List(List),
    /// End the running show of a stream. What its sender sends after that opens the next one.
    End(One),
    /// End the requests of all who send to a stream. Its show waits for them to come back.
    Cut(One),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Daemon,
    /// Print what the daemon answered, with everything about each track, as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The stream.
    stream: StreamName,
    #[command(flatten)]
    place: Daemon,
}

/// What `POST /live/<stream>/end` answers.
#[derive(Debug, Deserialize)]
struct Finished {
    show: u64,
    ended: bool,
}

/// What `POST /live/<stream>/cut` answers.
#[derive(Debug, Deserialize)]
struct Parted {
    senders: usize,
}

pub(super) fn run(verb: Verb, output: &Output) -> Ended {
    runtime()?.block_on(async {
        match verb {
            Verb::List(args) => list(&args, output).await,
            Verb::End(args) => end(&args, output).await,
            Verb::Cut(args) => cut(&args, output).await,
        }
    })
}

async fn list(args: &List, output: &Output) -> Ended {
    let daemon = args.place.peer()?;
    let answer = daemon.get("/live").await?;
    // Read in either case: what is no list of streams is not passed on as one.
    let list: table::Streams = read(&daemon, &answer)?;
    if args.json {
        output.line(answer.text.trim_end());
    } else if list.streams.is_empty() {
        output.note("no live streams");
    } else {
        output.line(table::of(&list).trim_end());
    }
    Ok(End::Done)
}

async fn end(args: &One, output: &Output) -> Ended {
    let Finished { show, ended } = post(args, "end").await?;
    let how = if ended { "ended" } else { "had ended already" };
    output.line(format_args!("{}: show {show} {how}", args.stream));
    Ok(End::Done)
}

async fn cut(args: &One, output: &Output) -> Ended {
    let Parted { senders } = post(args, "cut").await?;
    let who = match senders {
        0 => "nobody was sending".to_owned(),
        1 => "1 request cut".to_owned(),
        more => format!("{more} requests cut"),
    };
    output.line(format_args!("{}: {who}", args.stream));
    Ok(End::Done)
}

async fn post<T: DeserializeOwned>(args: &One, what: &str) -> Result<T, Failure> {
    let daemon = args.place.peer()?;
    let path = format!("/live/{}/{what}", args.stream);
    let answer = daemon.post(&path, "{}".to_owned()).await?;
    // Another server, which knows no such path, would say it in other words.
    if answer.status == StatusCode::NOT_FOUND && answer.text.starts_with("no such stream") {
        return Err(
            format!("{}: expected a stream with a show on this daemon, found none", args.stream).into()
        );
    }
    read(&daemon, &answer)
}

fn read<T: DeserializeOwned>(peer: &Peer, answer: &Answer) -> Result<T, Failure> {
    if !answer.status.is_success() {
        return Err(format!("{peer}: expected an answer of an admin listener, found {answer}").into());
    }
    let fault = |error| format!("{peer}: expected an answer of an admin listener, found another: {error}");
    Ok(serde_json::from_str(&answer.text).map_err(fault)?)
}

#[cfg(test)]
mod tests;

//! `forebay purge`: what a running daemon keeps is not served any more, or fetched anew.

use http::StatusCode;

use super::ask::Daemon;
use super::output::Output;
use super::{End, Ended, runtime};
use crate::{PurgeRequest, Purged};

/// What is purged; at least one of it.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
pub(super) struct Args {
    /// A path such as /vod/show/main.m3u8, or a whole URL.
    #[arg(long, value_name = "URL", group = "what")]
    url: Vec<String>,
    /// All paths that begin like this, such as /vod/show/.
    #[arg(long, value_name = "PATH", group = "what")]
    prefix: Vec<String>,
    /// A surrogate key, such as asset/show.
    #[arg(long, value_name = "KEY", group = "what")]
    key: Vec<String>,
    /// Everything.
    #[arg(long, group = "what")]
    all: bool,
    /// Go on serving what is kept while a newer one is fetched, or cannot be.
    #[arg(long)]
    soft: bool,
    #[command(flatten)]
    place: Daemon,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let request = PurgeRequest {
        urls: args.url.clone(),
        prefixes: args.prefix.clone(),
        keys: args.key.clone(),
        all: args.all,
        soft: args.soft,
    };
    runtime()?.block_on(async {
        let daemon = args.place.peer()?;
        let answer = daemon.post("/purge", serde_json::to_string(&request)?).await?;
        if answer.status == StatusCode::BAD_REQUEST {
            return Err(answer.text.trim_end().into());
        }
        let read = serde_json::from_str::<Purged>(&answer.text);
        let purged = read.map_err(|_| format!("{daemon}: expected an answer of an admin listener, found {answer}"))?;
        if !purged.kept {
            return Err(format!(
                "{daemon}: purged, but the disk of the cache could not be written to: it may come back with the next start"
            )
            .into());
        }
        output.line(format_args!("{} purged", purged.purged));
        Ok(End::Done)
    })
}

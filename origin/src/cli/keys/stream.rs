//! `forebay keys stream`: who may publish which live stream.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use authz::UnixSeconds;
use packager::asset::StreamName;
use serde_json::json;
use transcoder::publishing::{Label, NewKey, StreamKey, StreamKeyId, StreamKeys, StreamSecret};

use crate::cli::output::Output;
use crate::cli::table::{Side, table};
use crate::cli::utc::Utc;
use crate::cli::{End, Ended, Failure, runtime};
use crate::config::{Config, Span};
use crate::db;

/// What can be done with stream keys.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// Make a key that lets publish a stream. It is shown this once: the database knows only a hash of it.
    Gen(Gen),
    /// List keys, with what they are for and whether they are good. The keys themselves are never shown.
    List(List),
    /// End a key for ever. Other keys of its stream stay good.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Gen {
    /// The stream that may be published with it.
    stream: StreamName,
    /// What people know it by: whose it is, or where.
    #[arg(long, value_name = "TEXT")]
    label: Option<Label>,
    /// How long it is good, for instance 90d; until it is revoked if not given.
    #[arg(long, value_name = "TIME")]
    expires: Option<Span>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    /// Only those of one stream.
    #[arg(long, value_name = "STREAM")]
    stream: Option<StreamName>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Revoke {
    /// The key's number, which `list` shows.
    id: StreamKeyId,
    #[command(flatten)]
    place: Place,
}

/// Where the keys are.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration, whose database is used.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(verb: Verb, output: &Output) -> Ended {
    runtime()?.block_on(async {
        match verb {
            Verb::Gen(args) => generate(args, output).await,
            Verb::List(args) => list(&args, output).await,
            Verb::Revoke(args) => revoke(&args, output).await,
        }
    })
}

async fn generate(args: Gen, output: &Output) -> Ended {
    let keys = open(&args.place.config).await?;
    let mut random = [0; 20];
    getrandom::fill(&mut random)?;
    let secret = StreamSecret::of(random);
    let new =
        NewKey { stream: args.stream, label: args.label, lifetime: args.expires.map(Span::as_duration) };
    let key = keys.create(&secret.fingerprint(), &new).await?;
    let line = |what: &str, value: &dyn std::fmt::Display| output.line(format_args!("{what:<12}{value}"));
    line("stream", &key.stream);
    line("id", &key.id);
    if let Some(expires) = key.expires_ms {
        line("expires", &utc(expires));
    }
    line("stream key", &secret.reveal());
    output.note(format_args!(
        "Whoever has this stream key can publish {}. It cannot be shown again.",
        key.stream
    ));
    Ok(End::Done)
}

async fn list(args: &List, output: &Output) -> Ended {
    let keys = open(&args.place.config).await?;
    let keys = all(&*keys, args.stream.as_ref(), PAGE).await?;
    if args.json {
        output.line(json!({ "keys": keys.iter().map(object).collect::<Vec<_>>() }));
    } else if keys.is_empty() {
        output.note("no stream keys");
    } else {
        output.line(table(COLUMNS, keys.iter().map(row)).trim_end());
    }
    Ok(End::Done)
}

async fn revoke(args: &Revoke, output: &Output) -> Ended {
    let keys = open(&args.place.config).await?;
    let how = if keys.revoke(args.id).await? { "revoked" } else { "had been revoked already" };
    output.line(format_args!("key {}: {how}", args.id));
    Ok(End::Done)
}

async fn open(config: &Path) -> Result<Arc<dyn StreamKeys>, Failure> {
    let config = Config::load(config)?;
    Ok(db::open(&config.database).await?.stream_keys)
}

/// All keys, asked for in pages.
async fn all(
    keys: &dyn StreamKeys,
    stream: Option<&StreamName>,
    page: u32,
) -> Result<Vec<StreamKey>, transcoder::Error> {
    let mut all: Vec<StreamKey> = Vec::new();
    loop {
        let next = keys.list(stream, all.last().map(|key| key.id), page).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

fn row(key: &StreamKey) -> [String; COLUMNS.len()] {
    let time = |millis: Option<i64>| millis.map_or_else(|| NONE.to_owned(), |millis| utc(millis).to_string());
    [
        key.id.to_string(),
        key.stream.to_string(),
        key.state.as_str().to_owned(),
        time(Some(key.created_ms)),
        time(key.expires_ms),
        time(key.used_ms),
        key.label.as_ref().map_or(NONE, Label::as_str).to_owned(),
    ]
}

fn object(key: &StreamKey) -> serde_json::Value {
    json!({
        "id": key.id.0,
        "stream": key.stream.as_str(),
        "label": key.label.as_ref().map(Label::as_str),
        "state": key.state.as_str(),
        "created_ms": key.created_ms,
        "expires_ms": key.expires_ms,
        "revoked_ms": key.revoked_ms,
        "used_ms": key.used_ms,
    })
}

/// Whole seconds; what a clock before 1970 said is the beginning of 1970.
fn utc(millis: i64) -> Utc {
    Utc(UnixSeconds(u64::try_from(millis / 1000).unwrap_or(0)))
}

const COLUMNS: [(&str, Side); 7] = [
    ("ID", Side::Right),
    ("STREAM", Side::Left),
    ("STATE", Side::Left),
    ("CREATED", Side::Left),
    ("EXPIRES", Side::Left),
    ("LAST USED", Side::Left),
    ("LABEL", Side::Left),
];
const NONE: &str = "-";
const PAGE: u32 = 1000;

#[cfg(test)]
mod tests;

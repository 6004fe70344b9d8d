//! `forebay clip cut`, `list` and `remove`: what a running daemon does with clips of recorded shows.

use std::str::FromStr;
use std::time::Duration;

use authz::UnixSeconds;
use http::StatusCode;
use packager::asset::{AssetName, ShowId, StreamName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::ask::{Answer, Daemon, Peer};
use super::super::output::Output;
use super::super::table::{Side, table};
use super::super::utc::Utc;
use super::super::{End, Ended, Failure, runtime, token};
use super::position::Position;
use crate::config::Span;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Cut {
    /// The stream.
    stream: StreamName,
    /// Which of its shows; the one that is running, or ended last, where none is named.
    #[arg(long, value_name = "NUMBER")]
    show: Option<ShowId>,
    /// Where it begins: seconds or h:mm:ss since the show's first picture, or a date such as 2027-01-15T20:00:00Z. It is moved to
    /// where a segment begins.
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<Moment>,
    /// Where it ends, written alike.
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<Moment>,
    /// What the asset is to be called; by its show and its place in it where no name is given.
    #[arg(long, value_name = "NAME")]
    name: Option<AssetName>,
    /// Print a signed URL of it under this scheme and host, for instance https://media.example.com.
    #[arg(long, value_name = "URL", requires = "config")]
    base_url: Option<String>,
    /// How long that is good.
    #[arg(long, default_value = "6h", requires = "base_url")]
    ttl: Span,
    #[command(flatten)]
    place: Daemon,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Daemon,
    /// Print what the daemon answered, as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Remove {
    /// The clip.
    asset: AssetName,
    #[command(flatten)]
    place: Daemon,
}

/// A point of a show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    /// Since its first picture.
    Since(Position),
    /// In milliseconds since 1970-01-01 UTC.
    Date(i64),
}

/// The body of `POST /clips`.
#[derive(Debug, Default, Serialize)]
struct Order {
    stream: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    show: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
}

/// What it answers.
#[derive(Debug, Deserialize)]
struct Made {
    asset: AssetName,
    revision: String,
    show: u64,
    from_ms: i64,
    to_ms: i64,
    path: String,
    notes: Vec<String>,
}

/// What `GET /clips` answers.
#[derive(Debug, Deserialize)]
struct Clips {
    clips: Vec<Clip>,
}

#[derive(Debug, Deserialize)]
struct Clip {
    asset: String,
    revision: String,
    current: bool,
    stream: String,
    show: u64,
    from_ms: Option<i64>,
    duration_ms: Option<i64>,
}

/// What `POST /clips/<asset>/remove` answers.
#[derive(Debug, Deserialize)]
struct Removed {
    removed: bool,
}

pub(super) fn cut(args: &Cut, output: &Output) -> Ended {
    let order = args.order()?;
    runtime()?.block_on(async {
        let daemon = args.place.peer()?;
        let answer = daemon.post_within("/clips", serde_json::to_string(&order)?, PATIENCE).await?;
        let made: Made = read(&daemon, &answer)?;
        for note in &made.notes {
            output.complain(note);
        }
        output.line(format_args!(
            "{}: revision {}, {} of {}, show {}, from {}",
            made.asset,
            made.revision,
            seconds(made.to_ms.saturating_sub(made.from_ms)),
            args.stream,
            made.show,
            date(made.from_ms)
        ));
        match (&args.base_url, args.place.config()) {
            (Some(base), Some(config)) => {
                output.line(token::signed_url(config, &made.asset, args.ttl, base)?);
            }
            _ => output.line(&made.path),
        }
        Ok(End::Done)
    })
}

pub(super) fn list(args: &List, output: &Output) -> Ended {
    runtime()?.block_on(async {
        let daemon = args.place.peer()?;
        let answer = daemon.get("/clips").await?;
        let Clips { clips } = read(&daemon, &answer)?;
        if args.json {
            output.line(answer.text.trim_end());
        } else if clips.is_empty() {
            output.note("no clips");
        } else {
            output.line(table(COLUMNS, clips.iter().map(row)).trim_end());
        }
        Ok(End::Done)
    })
}

pub(super) fn remove(args: &Remove, output: &Output) -> Ended {
    runtime()?.block_on(async {
        let daemon = args.place.peer()?;
        let path = format!("/clips/{}/remove", args.asset);
        let answer = daemon.post_within(&path, "{}".to_owned(), PATIENCE).await?;
        let Removed { removed } = read(&daemon, &answer)?;
        let how = if removed { "removed" } else { "had been removed already" };
        output.line(format_args!("{}: {how}", args.asset));
        Ok(End::Done)
    })
}

impl Cut {
    fn order(&self) -> Result<Order, Failure> {
        let order = Order {
            stream: self.stream.to_string(),
            show: self.show.map(|show| show.0),
            asset: self.name.as_ref().map(ToString::to_string),
            ..Order::default()
        };
        match (self.from, self.to) {
            (None, None) => Ok(order),
            (Some(Moment::Since(from)), Some(Moment::Since(to))) if from < to => {
                Ok(Order { from_s: Some(since(from)?), to_s: Some(since(to)?), ..order })
            }
            (Some(Moment::Date(from)), Some(Moment::Date(to))) if from < to => {
                Ok(Order { from_ms: Some(from), to_ms: Some(to), ..order })
            }
            (Some(Moment::Since(_)), Some(Moment::Since(_)))
            | (Some(Moment::Date(_)), Some(Moment::Date(_))) => {
                Err("--to: expected a time after that of --from, found one that is not".into())
            }
            _ => Err("expected --from and --to as two dates, or as two times since the show began".into()),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let dated =
            chrono::DateTime::parse_from_rfc3339(text).map(|date| Self::Date(date.timestamp_millis()));
        dated.or_else(|_| text.parse().map(Self::Since)).map_err(|_| {
            let found: String = text.chars().take(40).collect();
            format!("expected a time such as 90, 1:30 or 2027-01-15T20:00:00Z, found {found:?}")
        })
    }
}

/// Seconds with three decimals.
fn since(Position(time): Position) -> Result<f64, Failure> {
    let millis = i32::try_from(time.as_micros() / 1000).map_err(|_| "expected a time below 500 hours")?;
    Ok(f64::from(millis) / 1000.0)
}

fn row(clip: &Clip) -> [String; COLUMNS.len()] {
    let none = || "-".to_owned();
    [
        clip.asset.clone(),
        clip.revision.clone(),
        if clip.current { "served" } else { "former" }.to_owned(),
        clip.stream.clone(),
        clip.show.to_string(),
        clip.from_ms.map_or_else(none, date),
        clip.duration_ms.map_or_else(none, seconds),
    ]
}

fn date(unix_ms: i64) -> String {
    Utc(UnixSeconds(u64::try_from(unix_ms / 1000).unwrap_or(0))).to_string()
}

fn seconds(millis: i64) -> String {
    let tenths = millis.max(0).saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// What is refused is said as it was said there.
fn read<T: DeserializeOwned>(peer: &Peer, answer: &Answer) -> Result<T, Failure> {
    if answer.status == StatusCode::NOT_FOUND && answer.text.trim().is_empty() {
        return Err(format!("{peer}: expected a daemon that has clips, found none").into());
    }
    if !answer.status.is_success() {
        return Err(answer.text.trim().to_owned().into());
    }
    let fault = |error| format!("{peer}: expected an answer of an admin listener, found another: {error}");
    Ok(serde_json::from_str(&answer.text).map_err(fault)?)
}

const COLUMNS: [(&str, Side); 7] = [
    ("ASSET", Side::Left),
    ("REVISION", Side::Right),
    ("STATE", Side::Left),
    ("STREAM", Side::Left),
    ("SHOW", Side::Right),
    ("FROM", Side::Left),
    ("LENGTH", Side::Right),
];

/// The heads of hours of segments are read, and what was shown just now is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_or_a_time_since_the_beginning() {
        assert_eq!("1970-01-01T00:00:01.500Z".parse(), Ok(Moment::Date(1500)));
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Moment::Date(0)));
        assert_eq!("1:30".parse(), Ok(Moment::Since("90".parse().unwrap())));
        for wrong in ["", "1970-01-01", "noon", "-5", "1970-01-01T00:00:00"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_are_rounded_to_tenths() {
        assert_eq!([0, 49, 50, 1_999, 60_000].map(seconds), ["0.0 s", "0.0 s", "0.1 s", "2.0 s", "60.0 s"]);
    }
}

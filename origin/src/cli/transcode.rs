//! `forebay transcode`: one job in the foreground.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packager::asset::AssetName;
use prometheus::Registry;
use tokio::sync::mpsc;
use transcoder::job::{Job, Options, Outcome};
use transcoder::ladder::{Preset, Settings};
use transcoder::publishing::Published;
use transcoder::{Cancel, Error, Tools};

use super::interrupt::interrupted;
use super::output::Output;
use super::progress::Drawing;
use super::{End, Ended, Failure, logging, runtime};
use crate::config::{Config, Database, DatabaseUrl, Log, StoreUrl};
use crate::db;
use crate::metrics::Metrics;
use crate::store::{Patience, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file.
    input: PathBuf,
    /// The asset that it becomes the newest revision of.
    #[arg(long, value_name = "NAME")]
    asset: AssetName,
    #[command(flatten)]
    place: Place,
    /// How much work the encoder puts into each frame: ultrafast to slow.
    #[arg(long)]
    preset: Option<Preset>,
    /// The short side of the tallest rendition, in pixels.
    #[arg(long, value_name = "PIXELS")]
    max_height: Option<u32>,
}

/// Where the renditions go.
#[derive(Debug, clap::Args)]
struct Place {
    /// A configuration, whose store, database and settings are used.
    #[arg(long, value_name = "FILE", required_unless_present_all = ["store", "database"])]
    config: Option<PathBuf>,
    /// The store, instead of a configuration's: file://folder
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The database, instead of a configuration's: sqlite://file, postgres://user@host/database
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Everything that the arguments and the configuration say together.
pub(super) struct Plan {
    pub(super) job: Job,
    pub(super) store: StoreUrl,
    pub(super) database: Database,
    pub(super) log: Log,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let plan = plan(args)?;
    logging::start(&plan.log);
    runtime()?.block_on(transcode(&plan, output, interrupted()))
}

/// Does the job; stops it when `interrupt` is ready.
pub(super) async fn transcode(
    plan: &Plan,
    output: &Output,
    interrupt: impl Future<Output = std::io::Result<()>>,
) -> Ended {
    let metrics = Arc::new(Metrics::new(Registry::new())?);
    let store = Store::create(&plan.store, Patience::default(), metrics)?;
    let ports = db::open(&plan.database).await?;
    let (cancel, mut drawing) = (Cancel::new(), Drawing::new(output));
    let (events, mut told) = mpsc::channel(EVENTS);
    let job = plan.job.run(Arc::clone(store.objects()), &*ports.publishing, &events, &cancel);
    tokio::pin!(job, interrupt);
    let ended = loop {
        tokio::select! {
            // The interrupt first: a tool that the terminal interrupted with us has not failed.
            biased;
            interrupted = &mut interrupt, if !cancel.is_cancelled() => {
                interrupted?;
                cancel.cancel();
            }
            Some(event) = told.recv() => drawing.show(&event),
            ended = &mut job => break ended,
        }
    };
    drop(drawing);
    tell(plan, ended, cancel.is_cancelled(), output)
}

fn tell(plan: &Plan, ended: Result<Outcome, Error>, interrupted: bool, output: &Output) -> Ended {
    match ended {
        Ok(Outcome { revision, published, manifest }) => {
            let asset = &plan.job.asset;
            match published {
                Published::Current => {
                    output
                        .line(format_args!("{asset} {revision}: {} tracks published", manifest.tracks.len()));
                }
                Published::Superseded => {
                    output.complain(format_args!(
                        "{asset} {revision}: not published, a newer revision was first"
                    ));
                }
            }
            Ok(if published == Published::Current { End::Done } else { End::Refused })
        }
        Err(_) if interrupted => {
            output.complain("interrupted: nothing was published");
            Ok(End::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

fn plan(args: Args) -> Result<Plan, Failure> {
    let config = match &args.place.config {
        Some(path) => Some(Config::load(path)?),
        None => None,
    };
    let here = Path::new("");
    let store = args.place.store.as_deref().map(|url| StoreUrl::parse(url, here)).transpose()?;
    let database = args.place.database.as_deref().map(|url| DatabaseUrl::parse(url, here)).transpose()?;
    let (settings, scratch) = match &config {
        Some(config) => (config.transcode.settings(&config.segments), config.transcode.work.clone()),
        None => (Settings::default(), None),
    };
    let settings = Settings {
        preset: args.preset.unwrap_or(settings.preset),
        max_height: args.max_height.unwrap_or(settings.max_height),
        ..settings
    };
    let scratch = scratch.unwrap_or_else(std::env::temp_dir);
    let options = Options { scratch, tools: Tools::default(), settings };
    let job = Job { input: args.input, asset: args.asset, options };
    // What the job does is drawn; the log tells only what is not.
    let format = config.as_ref().map(|config| config.log.format).unwrap_or_default();
    let log = Log { format, level: "warn".to_owned() };
    let config = config.unwrap_or_default();
    Ok(Plan {
        job,
        store: store.unwrap_or(config.store.url),
        database: match database {
            Some(url) => Database { url, ..config.database },
            None => config.database,
        },
        log,
    })
}

/// Events that wait to be drawn; what is more is not drawn.
const EVENTS: usize = 64;

#[cfg(test)]
mod tests;

//! `forebay transcode`: one job in the foreground.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use packager::asset::AssetName;
use tokio::sync::mpsc;
use transcoder::job::{Job, Options, Outcome};
use transcoder::ladder::{Preset, Settings};
use transcoder::{Cancel, Tools};

use super::foreground::{self, EVENTS};
use super::interrupt::interrupted;
use super::output::Output;
use super::place::{Place, PlaceArgs};
use super::progress::Drawing;
use super::{Ended, Failure, logging, runtime};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file.
    input: PathBuf,
    /// The asset that it becomes the newest revision of.
    #[arg(long, value_name = "NAME")]
    asset: AssetName,
    #[command(flatten)]
    place: PlaceArgs,
    /// How much work the encoder puts into each frame: ultrafast to slow.
    #[arg(long)]
    preset: Option<Preset>,
    /// The short side of the tallest rendition, in pixels.
    #[arg(long, value_name = "PIXELS")]
    max_height: Option<u32>,
}

/// Everything that the arguments and the configuration say together.
pub(super) struct Plan {
    pub(super) job: Job,
    pub(super) place: Place,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let plan = plan(args)?;
    logging::start(&plan.place.log);
    runtime()?.block_on(transcode(&plan, output, interrupted()))
}

/// Does the job; stops it when `interrupt` is ready.
pub(super) async fn transcode(
    plan: &Plan,
    output: &Output,
    interrupt: impl Future<Output = std::io::Result<()>>,
) -> Ended {
    let (store, ports) = plan.place.open().await?;
    let (cancel, mut drawing) = (Cancel::new(), Drawing::new(output));
    let (events, told) = mpsc::channel(EVENTS);
    let job = plan.job.run(Arc::clone(store.objects()), &*ports.publishing, &events, &cancel);
    let ended = foreground::watch(job, told, |event| drawing.show(event), interrupt, &cancel).await?;
    drop(drawing);
    let asset = &plan.job.asset;
    let ended = ended.map(|Outcome { revision, published, manifest }| (revision, published, manifest));
    foreground::tell(asset, ended, cancel.is_cancelled(), output)
}

fn plan(args: Args) -> Result<Plan, Failure> {
    let (place, config) = args.place.find()?;
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
    Ok(Plan { job, place })
}

#[cfg(test)]
mod tests;

//! `forebay import`: HLS that others made, into the store.

use std::future::Future;
use std::sync::Arc;

use indicatif::HumanBytes;
use packager::asset::AssetName;
use tokio::sync::mpsc;
use transcoder::import::{Broken, Event, Import, Location, Outcome};
use transcoder::{Cancel, Error};

use super::foreground::{self, EVENTS};
use super::interrupt::interrupted;
use super::output::Output;
use super::place::{Place, PlaceArgs};
use super::progress::Drawing;
use super::{Ended, Failure, logging, runtime};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A multivariant playlist, or the playlist of one rendition: a file, or an http or https URL.
    source: String,
    /// The asset that it becomes the newest revision of.
    #[arg(long, value_name = "NAME")]
    asset: AssetName,
    #[command(flatten)]
    place: PlaceArgs,
    /// Leave broken renditions out instead of failing, as long as there are others.
    #[arg(long)]
    skip_broken: bool,
}

/// Everything that the arguments and the configuration say together.
struct Plan {
    import: Import,
    place: Place,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let plan = plan(args)?;
    logging::start(&plan.place.log);
    runtime()?.block_on(import(&plan, output, interrupted()))
}

/// Does the import; stops it when `interrupt` is ready.
async fn import(plan: &Plan, output: &Output, interrupt: impl Future<Output = std::io::Result<()>>) -> Ended {
    let (store, ports) = plan.place.open().await?;
    let (cancel, mut drawing) = (Cancel::new(), Drawing::new(output));
    let (events, told) = mpsc::channel(EVENTS);
    let import = plan.import.run(Arc::clone(store.objects()), &*ports.publishing, &events, &cancel);
    let ended =
        foreground::watch(import, told, |event| show(&mut drawing, event), interrupt, &cancel).await?;
    drop(drawing);
    let ended = match ended {
        Ok(Outcome { revision, published, manifest, notes }) => {
            notes.iter().for_each(|note| output.note(format_args!("note: {note}")));
            Ok((revision, published, manifest))
        }
        Err(error) => {
            if let Error::Unimportable { remarks, .. } = &error
                && remarks.len() > 1
            {
                remarks.iter().for_each(|remark| output.note(format_args!("fault: {remark}")));
            }
            Err(error)
        }
    };
    foreground::tell(&plan.import.asset, ended, cancel.is_cancelled(), output)
}

fn plan(args: Args) -> Result<Plan, Failure> {
    let (place, config) = args.place.find()?;
    let scratch = config.and_then(|config| config.transcode.work).unwrap_or_else(std::env::temp_dir);
    let broken = if args.skip_broken { Broken::LeftOut } else { Broken::Fails };
    let source = Location::parse(&args.source)?;
    Ok(Plan { import: Import { source, asset: args.asset, scratch, broken }, place })
}

/// Draws one event.
fn show(drawing: &mut Drawing<'_>, event: &Event) {
    match event {
        Event::Reading => drawing.quiet("reading"),
        Event::Found { videos, sounds, duration } => {
            drawing.say(format!("{videos} renditions with pictures, {sounds} of sound alone, {duration} s"));
        }
        Event::Fetching { done, total, bytes } => {
            drawing.part("fetching", *done, *total, HumanBytes(*bytes).to_string());
        }
        Event::Writing { done, total } => drawing.part("writing", *done, *total, String::new()),
        Event::Storing { done, total } => {
            drawing.part("storing", *done, *total, HumanBytes(*done).to_string());
        }
        Event::Publishing => drawing.part("publishing", 1, 1, String::new()),
        // Steps that a later import has: nothing is drawn for them.
        _ => {}
    }
}

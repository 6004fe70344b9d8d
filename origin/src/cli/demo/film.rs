//! A file, or a clip that is made, as video on demand.

use std::path::Path;
use std::sync::Arc;

use authz::Verb;
use packager::asset;
use packager::playlist::MULTIVARIANT;
use transcoder::job::{Job, Options};
use transcoder::ladder::Settings;
use transcoder::{Cancel, Tools, clip};

use super::super::daemon::{Daemon, PageSource};
use super::super::interrupt::interrupted;
use super::super::output::Output;
use super::super::place::Place;
use super::super::transcode::{Plan, transcode};
use super::super::{End, Ended, Failure};
use super::{Args, Signer, TTL, title};
use crate::config::Config;
use crate::demo::{Face, Stage, Story};

/// Seconds of the clip that is made where no file is given.
const CLIP: u32 = 60;
/// What the asset is called.
const ASSET: &str = "demo";

/// Makes the renditions and serves them.
pub(super) async fn show(args: &Args, config: Config, home: &Path, output: &Output) -> Ended {
    // Before the work: an address that is taken should be said at once.
    let signer = Signer::new()?;
    let pages = story(args, &signer)?;
    let daemon = Daemon::open(config.clone(), Arc::clone(&signer.keyring), Some(pages)).await?;
    match prepare(args, &config, home, output).await? {
        End::Done => {}
        other => return Ok(other),
    }
    let site = format!("http://{}", daemon.http()?);
    let (playlist, _) = door(&signer)?;
    output.line(format_args!("forebay: listening {}", daemon.addresses()?));
    output.line(format_args!("\n  watch it     {site}/\n  signed link  {site}{playlist}\n"));
    output.line(format_args!("The link is good for {TTL}. Ctrl-C ends it all."));
    daemon.serve().await
}

/// Makes the renditions, with progress shown.
async fn prepare(args: &Args, config: &Config, home: &Path, output: &Output) -> Ended {
    let tools = Tools::default();
    let input = match &args.input {
        Some(input) => input.clone(),
        None => {
            let to = home.join("clip.mp4");
            output.note(format_args!("making a clip of {CLIP} s"));
            let cancel = Cancel::new();
            let made = clip::make(&tools, &to, CLIP, &cancel);
            tokio::select! {
                made = made => made?,
                stop = interrupted() => {
                    stop?;
                    cancel.cancel();
                    return Ok(End::Interrupted);
                }
            }
            to
        }
    };
    let settings = Settings { preset: args.preset, ..config.transcode.settings(&config.segments) };
    let options = Options { scratch: home.to_owned(), tools, settings };
    let plan = Plan {
        job: Job { input, asset: ASSET.parse()?, options },
        place: Place {
            store: config.store.url.clone(),
            database: config.database.clone(),
            log: config.log.clone(),
        },
    };
    transcode(&plan, output, interrupted()).await
}

/// The page, which tells a signed link.
fn story(args: &Args, signer: &Signer) -> Result<PageSource, Failure> {
    let (stage, title) = (Stage::new(Face::Film), title(args, "forebay test clip"));
    let (signer, first) = (signer.clone(), door(signer)?);
    Ok(Box::new(move || {
        // A link that could not be signed is told as the first one; the page then says that it has expired.
        let (playlist, expires) = door(&signer).unwrap_or_else(|_| first.clone());
        stage.with(&Story { title: title.clone(), playlist, expires, now_ms: None, clip: None })
    }))
}

/// A signed link to the asset, and when it ends.
fn door(signer: &Signer) -> Result<(String, u64), Failure> {
    let folder = asset::folder(&ASSET.parse()?);
    signer.link(Verb::Play, &[&format!("{folder}/**")], &format!("{folder}/{MULTIVARIANT}"))
}

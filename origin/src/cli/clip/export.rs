//! `forebay clip export`: an asset, or a piece of it, as one file.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::Permissions;
use std::future::Future;
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::HumanBytes;
use packager::asset::{AssetName, RenditionName};
use packager::export::whole;
use packager::presentation::{Presentation, Rendition};
use packager::range::ByteRange;
use packager::time::MediaTime;
use prometheus::Registry;
use tempfile::NamedTempFile;

use super::super::interrupt::interrupted;
use super::super::output::Output;
use super::super::progress::Drawing;
use super::super::{End, Ended, Failure, logging, runtime};
use super::position::Position;
use crate::cache::{Ledger, Supply};
use crate::config::{ByteSize, Cache, Config, Log};
use crate::db;
use crate::metrics::Metrics;
use crate::store::{Patience, Store};
use crate::vod::{Export, Vod, VodError};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The asset.
    asset: AssetName,
    /// A configuration, whose store and database are used.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The file to write. It is there when it is whole; a former one is replaced then.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The rendition of the picture; the best one where none is named.
    #[arg(long, value_name = "NAME")]
    rendition: Option<RenditionName>,
    /// The rendition of the sound; the first one where none is named.
    #[arg(long, value_name = "NAME")]
    audio: Option<RenditionName>,
    /// Where it begins: seconds, or h:mm:ss.mmm.
    #[arg(long, value_name = "TIME")]
    from: Option<Position>,
    /// Where it ends; not later than the asset does.
    #[arg(long, value_name = "TIME")]
    to: Option<Position>,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    if let (from, Some(Position(to))) = (args.from.map(|from| from.0), args.to)
        && from.unwrap_or(MediaTime::from_millis(0)) >= to
    {
        return Err(format!("--to: expected a time after that of --from, found {to} s").into());
    }
    let config = Config::load(&args.config)?;
    // What is done is drawn; the log tells only what is not.
    logging::start(&Log { level: "warn".to_owned(), ..config.log.clone() });
    runtime()?.block_on(export(args, &config, output, interrupted()))
}

/// Writes the file; leaves nothing of it when `interrupt` is ready.
async fn export(
    args: &Args,
    config: &Config,
    output: &Output,
    interrupt: impl Future<Output = std::io::Result<()>>,
) -> Ended {
    let work = async {
        let vod = open(config).await?;
        let asset = vod.current(&args.asset).await.map_err(|error| match error {
            VodError::Absent => {
                format!("{}: expected an asset in {}, found none", args.asset, config.store.url).into()
            }
            other => fault(args, &other),
        })?;
        let renditions = chosen(args, &asset.presentation)?;
        let range = range(args, &renditions)?;
        let names: Vec<String> = renditions.iter().map(|rendition| rendition.name().to_string()).collect();
        let planned = vod.export(&asset, renditions, range.clone()).await;
        let export = planned.map_err(|error| match error {
            VodError::Absent => {
                let (from, to) = (range.start, range.end);
                format!("{}: expected something between {from} and {to} s, found nothing", args.asset).into()
            }
            other => fault(args, &other),
        })?;
        write(args, &export, output).await?;
        output.line(format_args!(
            "{}: {} bytes of {}, {} to {} s, tag {}",
            args.out.display(),
            export.len(),
            names.join(" and "),
            export.range().start,
            export.range().end,
            export.tag().as_str().trim_matches('"')
        ));
        Ok(End::Done)
    };
    tokio::select! {
        // What is half written goes with the work.
        stopped = interrupt => {
            stopped?;
            output.complain("interrupted: nothing was written");
            Ok(End::Interrupted)
        }
        ended = work => ended,
    }
}

/// The room that assets are read by, with nothing of a daemon's around it.
async fn open(config: &Config) -> Result<Arc<Vod>, Failure> {
    let metrics = Arc::new(Metrics::new(Registry::new())?);
    let patience = Patience {
        deadline: config.store.deadline.as_duration(),
        tries: u32::try_from(config.store.tries)?,
        ..Patience::default()
    };
    let store = Store::open(&config.store.url, patience, Arc::clone(&metrics))?;
    let ports = db::open(&config.database).await?;
    // Each byte is read once: more memory would keep what nobody asks for again.
    let cache = Cache { memory: config.cache.memory.min(MEMORY), disk: None, ..config.cache.clone() };
    let target = MediaTime::from_millis(i64::try_from(config.segments.target.as_millis())?);
    let supply = Supply { store, disk: None, peers: None, ledger: Arc::<Ledger>::default(), metrics };
    Ok(Arc::new(Vod::new(Arc::clone(&ports.catalog), &cache, target, supply)))
}

/// The picture and the sound that were asked for, or the best and the first.
fn chosen(args: &Args, presentation: &Presentation) -> Result<Vec<Arc<Rendition>>, Failure> {
    let of_kind = |is_video: bool| {
        presentation.renditions().iter().filter(move |rendition| rendition.is_video() == is_video)
    };
    let choose = |flag: &str, name: Option<&RenditionName>, is_video: bool| match name {
        None => Ok(of_kind(is_video).next().cloned()),
        Some(name) => match of_kind(is_video).find(|rendition| rendition.name() == name) {
            Some(found) => Ok(Some(Arc::clone(found))),
            None => {
                let names: Vec<&str> = of_kind(is_video).map(|rendition| rendition.name().as_str()).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                Err(Failure::from(format!("{flag}: expected one of {} ({names}), found {name}", args.asset)))
            }
        },
    };
    let picture = choose("--rendition", args.rendition.as_ref(), true)?;
    let sound = choose("--audio", args.audio.as_ref(), false)?;
    Ok(picture.into_iter().chain(sound).collect())
}

/// What of the timeline is written.
fn range(args: &Args, renditions: &[Arc<Rendition>]) -> Result<Range<MediaTime>, Failure> {
    let renditions: Vec<&Rendition> = renditions.iter().map(Arc::as_ref).collect();
    let all = whole(&renditions);
    let from = args.from.map_or(all.start, |Position(from)| from);
    if from >= all.end {
        let (asset, end) = (&args.asset, all.end);
        return Err(format!("--from: expected a time before {asset} ends at {end} s, found {from} s").into());
    }
    Ok(from..args.to.map_or(all.end, |Position(to)| to.min(all.end)))
}

/// Writes beside the file that is meant, and puts it there when it is whole.
async fn write(args: &Args, export: &Export, output: &Output) -> Result<(), Failure> {
    let unwritable = |e: &dyn Display| Failure::from(format!("{}: {e}", args.out.display()));
    let name = args.out.file_name().ok_or_else(|| unwritable(&"expected the name of a file, found none"))?;
    if args.out.is_dir() {
        return Err(unwritable(&"expected a file, found a folder"));
    }
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = partial(folder, name).map_err(|e| unwritable(&e))?;
    let mut drawing = output.is_terminal().then(|| Drawing::new(output));
    let (mut done, total) = (0u64, export.len());
    let mut stream = export.stream(ByteRange::new(0, total)).await.map_err(|e| fault(args, &e))?;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|e| fault(args, &e))?;
        file.write_all(&piece).map_err(|e| unwritable(&e))?;
        done = done.saturating_add(piece.len() as u64);
        if let Some(drawing) = &mut drawing {
            drawing.part("writing", done, total, HumanBytes(done).to_string());
        }
    }
    if done != total {
        return Err(unwritable(&format_args!("expected {total} bytes, found {done}")));
    }
    file.as_file().sync_all().map_err(|e| unwritable(&e))?;
    file.persist(&args.out).map_err(|e| unwritable(&e.error))?;
    Ok(())
}

/// What is wrong with the asset.
fn fault(args: &Args, error: &VodError) -> Failure {
    format!("{}: {}", args.asset, error.chain()).into()
}

/// A hidden file that is removed unless it is given its name.
fn partial(folder: &Path, name: &OsStr) -> std::io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    // As any file that the account writes: what others may do with it is said by the umask.
    builder.prefix(&prefix).suffix(".part").permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// What an export keeps in memory.
const MEMORY: ByteSize = ByteSize::mib(128);

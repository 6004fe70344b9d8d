//! `forebay package`: a static folder with the bytes that `serve` would give.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use packager::playlist::{INIT, MEDIA, MULTIVARIANT, SEGMENT_SUFFIX, media_playlist, multivariant_playlist};
use packager::presentation::{Presentation, Rendition, name_tracks};
use packager::segment::{Assembler, Need, Plan, init_segment};
use packager::time::{MediaTime, Msn};

use super::files::Media;
use super::output::Output;
use super::{End, Ended, Failure};
use crate::config::Span;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// MP4 files: one, or several that are renditions of the same programme.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// The folder to write, which must be empty or new. `main.m3u8` in it is the door.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The length of a segment that is aimed at.
    #[arg(long, value_name = "SPAN", default_value = "6s")]
    target: Span,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    if fs::read_dir(&args.out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{}: expected an empty folder, found files in it", args.out.display()).into());
    }
    // The order of names, as `serve` lists a folder.
    let mut input = args.input.clone();
    input.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    let mut media = input.iter().map(|path| Media::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut tracks = Vec::new();
    for (number, file) in media.iter_mut().enumerate() {
        let movie = file.movie()?;
        movie.anomalies.iter().for_each(|a| output.note(format_args!("note: {a}")));
        let identity = file.identity()?;
        tracks.extend(movie.tracks.into_iter().map(|track| (number, identity, track)));
    }
    let target = MediaTime::from_millis(i64::try_from(args.target.as_millis())?);
    let (presentation, anomalies) = Presentation::plan(name_tracks(tracks)?, target)?;
    anomalies.iter().for_each(|a| output.note(format_args!("note: {a}")));
    let mut segments = 0;
    for rendition in presentation.renditions() {
        let folder = args.out.join(rendition.name().as_str());
        let file = media.get_mut(rendition.object()).ok_or("a rendition without its file")?;
        segments += write_rendition(&presentation, rendition, file, &folder)?;
    }
    // The door last: who finds it finds everything.
    fs::write(args.out.join(MULTIVARIANT), multivariant_playlist(&presentation, ""))?;
    let renditions = presentation.renditions().len();
    output.line(format_args!(
        "{}: {renditions} renditions, {segments} segments",
        args.out.join(MULTIVARIANT).display()
    ));
    Ok(End::Done)
}

fn write_rendition(
    presentation: &Presentation,
    rendition: &Rendition,
    media: &mut Media,
    folder: &Path,
) -> Result<u64, Failure> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(INIT), init_segment(rendition)?)?;
    for number in 0..rendition.segment_count() {
        let Some(plan) = Plan::segment(rendition, Msn(number))? else { continue };
        let mut file = fs::File::create_new(folder.join(format!("{number}{SEGMENT_SUFFIX}")))?;
        let mut assembler = Assembler::whole(plan);
        loop {
            match assembler.next() {
                Need::Done => break,
                Need::Piece(piece) => file.write_all(&piece)?,
                Need::Media(range) => {
                    let bytes = media.read(range)?;
                    if bytes.is_empty() {
                        return Err(format!(
                            "expected bytes {range:?} of {} in all, found the end",
                            media.size()
                        )
                        .into());
                    }
                    assembler.feed(bytes);
                }
            }
        }
    }
    fs::write(folder.join(MEDIA), media_playlist(presentation, rendition))?;
    Ok(rendition.segment_count())
}

//! `forebay inspect`: what the packager sees in a file.

use std::path::PathBuf;

use packager::presentation::{Presentation, name_tracks};
use packager::time::{MediaTime, Msn};
use packager::track::{Track, TrackKind};

use super::files::Media;
use super::output::Output;
use super::{End, Ended};
use crate::config::Span;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An MP4 file.
    input: PathBuf,
    /// The length of a segment that is aimed at.
    #[arg(long, value_name = "SPAN", default_value = "6s")]
    target: Span,
    /// Every segment of every rendition: start, duration, bytes.
    #[arg(long)]
    segments: bool,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let mut media = Media::open(&args.input)?;
    let movie = media.movie()?;
    output.line(format_args!(
        "{}: {} bytes, {} tracks",
        args.input.display(),
        media.size(),
        movie.tracks.len()
    ));
    for (number, track) in movie.tracks.iter().enumerate() {
        output.line(format_args!("track {}: {}", number + 1, describe(track)));
    }
    let tracks = movie.tracks.into_iter().map(|track| (0, [0; 32], track)).collect();
    let target = MediaTime::from_millis(i64::try_from(args.target.as_millis())?);
    let (presentation, more) = Presentation::plan(name_tracks(tracks)?, target)?;
    let boundaries = presentation.boundaries();
    output.line(format_args!(
        "timeline: {} to {} s, {} segments, target duration {} s",
        boundaries.first().map_or_else(String::new, ToString::to_string),
        boundaries.last().map_or_else(String::new, ToString::to_string),
        boundaries.len().saturating_sub(1),
        presentation.target_duration()
    ));
    for rendition in presentation.renditions() {
        let rates = rendition.rates(presentation.target_duration());
        let (name, count) = (rendition.name(), rendition.segment_count());
        output.line(format_args!(
            "{name}: {count} segments, {} bit/s on average, {} at its peak",
            rates.average, rates.peak
        ));
        for msn in (0..count).map(Msn).take(if args.segments { usize::MAX } else { 0 }) {
            let (start, duration) = (rendition.starts_at(msn), rendition.duration(msn));
            output.line(format_args!(
                "  {msn}: {start} s, {duration} s, {} bytes",
                rendition.segment_bytes(msn)
            ));
        }
    }
    for anomaly in movie.anomalies.iter().chain(&more) {
        output.line(format_args!("anomaly: {anomaly}"));
    }
    Ok(End::Done)
}

fn describe(track: &Track) -> String {
    let samples = track.samples();
    let codec = &track.decoding().codec;
    let what = match track.kind() {
        TrackKind::Video { width, height, .. } => {
            let rate = track.frame_rate().map_or_else(String::new, |rate| format!(", {rate} frames/s"));
            format!("video {codec}, {width} x {height}{rate}, {} keyframes", samples.sync_samples().count())
        }
        TrackKind::Audio { channels, sample_rate } => {
            format!("audio {codec}, {channels} channels, {sample_rate} Hz")
        }
    };
    let language = track.language().unwrap_or("und");
    let skip = MediaTime::new(i64::from(track.skip()), track.timescale());
    format!(
        "{what}, language {language}, {} samples, {} to {} s, {} ticks/s, skips {skip} s, index {} bytes",
        samples.len(),
        track.start(),
        track.end(),
        track.timescale().ticks_per_second(),
        track.to_index().len()
    )
}

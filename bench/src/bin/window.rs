//! What the playlists of a live window cost and weigh: `window VIDEO.mp4 AUDIO.mp4` prints JSON.
//!
//! The window is made of the clips' samples with a few bytes each, as playlists do not tell how large media is. Gzip is
//! made as the origin makes it.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use flate2::{Compression, GzBuilder};
use forebay_bench::live::{Reel, cadence};
use packager::asset::RenditionName;
use packager::live::{
    Chunk, DateRange, Feed, Form, Listing, Plan, Playlist, Sample, Sender, Show, SpliceKind,
};
use packager::time::MediaTime;
use serde_json::{Value, json};

/// The windows, in seconds, each with how often a break is marked in it.
const WINDOWS: [(u64, Option<u64>); 4] =
    [(120, None), (6 * 3600, None), (12 * 3600, None), (12 * 3600, Some(600))];
/// A show on the timeline of the clock: media time is Unix time.
const START: u64 = 1_800_000_000;
/// Each figure is the median of so many calls.
const ROUNDS: usize = 31;
/// What is left of a sample.
const SAMPLE: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let mut reels = Vec::new();
    for path in std::env::args().skip(1) {
        reels.push(Arc::new(Reel::read(&std::fs::read(path)?)?));
    }
    let [video, audio] = &reels[..] else { return Err("expected VIDEO AUDIO".into()) };
    let rows = WINDOWS.map(|(seconds, marked)| row(video, audio, seconds, marked));
    println!("{}", Value::Array(rows.into_iter().collect::<Result<_, _>>()?));
    Ok(())
}

fn row(
    video: &Arc<Reel>,
    audio: &Arc<Reel>,
    seconds: u64,
    marked: Option<u64>,
) -> Result<Value, Box<dyn Error>> {
    let mut show = Show::new(Plan {
        cadence: cadence(),
        listing: Listing::Sliding(MediaTime::from_millis(i64::try_from(seconds * 1000)?)),
        anchor_ms: 0,
        tracks: 8,
        begins: true,
        last: None,
        inits: Vec::new(),
        keeping: None,
        past: BTreeMap::new(),
        ranges: Vec::new(),
    });
    let (first, segments) = (START / 2, seconds / 2);
    // One track has all of the window. Of the others its playlist tells only where they end.
    for (name, reel, from) in [
        ("video-1080", video, first),
        ("video-720", video, first + segments - 5),
        ("video-540", video, first + segments - 5),
        ("video-360", video, first + segments - 5),
        ("audio", audio, first + segments - 5),
    ] {
        let name: RenditionName = name.parse()?;
        show.greet(&name, reel.header())?;
        let mut feed = Feed::new(Sender(0));
        // Two parts of the segment after the last: the window is full, and some of it has gone.
        let last = first + segments + 2;
        for msn in from..=last {
            let passed = (msn - first) * 2;
            if let Some(every) = marked.filter(|every| from == first && passed % every == 0) {
                show.mark(advert(passed / every, START + passed + 2))?;
            }
            let parts = if msn == last { 2 } else { reel.parts(msn) };
            push(&mut show, &name, &mut feed, reel, msn, parts)?;
        }
    }
    let playlist = show.playlist(&"video-1080".parse()?).ok_or("no playlist")?;
    Ok(json!({
        "seconds": seconds, "segments": playlist.segments().count(), "breaks": marked.map_or(0, |every| seconds / every),
        "full": form(&playlist, Form::Full),
        "delta": form(&playlist, Form::Delta),
        "delta_v2": form(&playlist, Form::DeltaRanges),
    }))
}

/// The first parts of a segment, with a few bytes a sample.
fn push(
    show: &mut Show,
    name: &RenditionName,
    feed: &mut Feed,
    reel: &Reel,
    msn: u64,
    parts: u64,
) -> Result<(), Box<dyn Error>> {
    for part in 0..parts {
        let short =
            |sample: Sample| Sample { data: sample.data.slice(..SAMPLE.min(sample.data.len())), ..sample };
        let samples = reel.samples(msn, part).into_iter().map(short).collect();
        let chunk = Chunk { samples, ..Chunk::default() };
        show.push(name, feed, chunk, i64::try_from(msn * 2000)?)?;
    }
    Ok(())
}

/// A break as a sender's SCTE-35 makes it.
fn advert(number: u64, at: u64) -> DateRange {
    let splice: Vec<u8> = (0..40).map(|byte| (number.wrapping_mul(97) >> (byte % 8)) as u8 ^ byte).collect();
    DateRange {
        id: format!("splice-{number}"),
        class: None,
        start_ms: i64::try_from(at * 1000).unwrap_or(i64::MAX),
        duration_ms: None,
        planned_ms: Some(60_000),
        splice: Some((SpliceKind::Out, splice)),
        attributes: Vec::new(),
    }
}

fn form(playlist: &Playlist, form: Form) -> Value {
    let text = playlist.render(form);
    let gzip = compress(text.as_bytes());
    json!({
        "render_us": cost(|| drop(black_box(black_box(playlist).render(form)))),
        "gzip_us": cost(|| drop(black_box(compress(black_box(text.as_bytes()))))),
        "bytes": text.len(), "gzip_bytes": gzip.len(),
    })
}

/// As in the origin: a fixed level, no time, no name.
fn compress(plain: &[u8]) -> Vec<u8> {
    let out = Vec::with_capacity(plain.len() / 4 + 64);
    let mut encoder = GzBuilder::new().mtime(0).write(out, Compression::new(6));
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}

/// Microseconds of one call.
fn cost(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

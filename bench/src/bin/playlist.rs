//! What a media playlist costs, made from the index: `playlist FILE...` prints microseconds as JSON.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use bytes::Bytes;
use packager::mp4::{Finder, Step};
use packager::playlist::media_playlist;
use packager::presentation::{Presentation, name_tracks};
use packager::time::MediaTime;
use packager::track::Track;

/// The length of a segment that is aimed at, in milliseconds.
const TARGET: i64 = 6000;
/// Each figure is the median of so many rounds, and a round is the mean of so many calls.
const ROUNDS: usize = 41;
const CALLS: u32 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let figures = std::env::args().skip(1).map(|path| figures(&path)).collect::<Result<Vec<_>, _>>()?;
    println!("{}", serde_json::Value::Array(figures));
    Ok(())
}

fn figures(path: &str) -> Result<serde_json::Value, Box<dyn Error>> {
    let track = track(path)?;
    let index = track.to_index();
    // What a server has: a track that came out of its stored index.
    let load = cost(|| drop(black_box(Track::from_index(black_box(&index)))));
    let sources = name_tracks(vec![(0, [0; 32], Track::from_index(&index)?)])?;
    let (presentation, _) = Presentation::plan(sources, MediaTime::from_millis(TARGET))?;
    let rendition = presentation.renditions().first().ok_or("no rendition")?;
    let make = cost(|| drop(black_box(media_playlist(black_box(&presentation), black_box(rendition)))));
    Ok(serde_json::json!({
        "samples": rendition.track().samples().len(), "segments": rendition.segment_count(),
        "index_bytes": index.len(), "playlist_bytes": media_playlist(&presentation, rendition).len(),
        "playlist_us": make, "load_us": load,
    }))
}

/// The only track of a file, read from its boxes.
fn track(path: &str) -> Result<Track, Box<dyn Error>> {
    let file = File::open(path)?;
    let mut finder = Finder::new(file.metadata()?.len());
    loop {
        match finder.step()? {
            Step::Found(movie) => return Ok(movie.tracks.into_iter().next().ok_or("no track")?),
            Step::Need(range) => {
                let mut bytes = vec![0; usize::try_from(range.len())?];
                file.read_exact_at(&mut bytes, range.start())?;
                finder.feed(range.start(), Bytes::from(bytes));
            }
        }
    }
}

/// Microseconds of one call.
fn cost(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| work());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

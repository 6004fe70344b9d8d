//! What a part costs from the sender's bytes to the window: `part CLIP.mp4...` prints JSON, a row for each clip.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use forebay_bench::live::{Reel, cadence};
use packager::asset::RenditionName;
use packager::live::{Chunk, Event, Feed, Listing, Media, Plan, Sender, Settled, Show, Splitter, mux};
use packager::time::MediaTime;
use serde_json::{Value, json};

/// A show on the timeline of the clock, in segments since 1970.
const START: u64 = 900_000_000;
/// How long is measured: twice the window, which then is full and moves.
const SEGMENTS: u64 = 60;
/// Pieces as a server reads them from a socket.
const PIECE: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().skip(1).map(|path| row(&path)).collect::<Result<Vec<_>, _>>()?;
    println!("{}", Value::Array(rows));
    Ok(())
}

fn row(path: &str) -> Result<Value, Box<dyn Error>> {
    let reel = Reel::read(&std::fs::read(path)?)?;
    let name: RenditionName = "track".parse()?;
    let mut show = Show::new(Plan {
        cadence: cadence(),
        listing: Listing::Sliding(MediaTime::from_millis(60_000)),
        anchor_ms: 0,
        tracks: 8,
        begins: true,
        last: None,
        inits: Vec::new(),
        keeping: None,
        past: BTreeMap::new(),
        ranges: Vec::new(),
    });
    show.greet(&name, reel.header())?;
    let (mut feed, mut splitter) = (Feed::new(Sender(0)), Splitter::resume(reel.header().clone()));
    let [mut split, mut push, mut write, mut hash] = [const { Vec::new() }; 4];
    let mut bytes = 0;
    for (msn, part) in
        (START..START + SEGMENTS).flat_map(|msn| (0..reel.parts(msn)).map(move |part| (msn, part)))
    {
        let whole = reel.piece(msn, part).bytes.concat();
        let pieces: Vec<Bytes> = whole.chunks(PIECE).map(Bytes::copy_from_slice).collect();
        bytes += whole.len() as u64;
        let chunk = timed(&mut split, || read(&mut splitter, pieces))?;
        let samples = chunk.samples.clone();
        let now_ms = i64::try_from(msn * 2000)?;
        let taken = timed(&mut push, || show.push(&name, &mut feed, chunk, now_ms))?;
        if taken.parts != 1 {
            return Err(format!("{path}: expected one part of each chunk, found {}", taken.parts).into());
        }
        let pieces = timed(&mut write, || mux(reel.header(), 1, &[], &samples));
        timed(&mut hash, || drop(black_box(Media::new(black_box(pieces), Settled::Yes))));
    }
    Ok(json!({
        "bytes": bytes / split.len() as u64, "parts": split.len(), "split_us": median(split),
        "push_us": median(push), "mux_us": median(write), "hash_us": median(hash),
    }))
}

fn read(splitter: &mut Splitter, pieces: Vec<Bytes>) -> Result<Chunk, Box<dyn Error>> {
    let mut found = None;
    for piece in pieces {
        splitter.feed(piece);
        while let Some(event) = splitter.next()? {
            if let Event::Chunk(chunk) = event {
                found = Some(chunk);
            }
        }
    }
    found.ok_or_else(|| "no chunk".into())
}

/// Notes how many microseconds `work` takes.
fn timed<T>(took: &mut Vec<f64>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    took.push(start.elapsed().as_secs_f64() * 1e6);
    value
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

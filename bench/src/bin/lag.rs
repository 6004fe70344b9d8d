//! Live streams of several tracks, each with one viewer per track who holds a request for the next part: how long after
//! its last byte was sent can a part be read, and what does a stream cost the server? Prints JSON.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use forebay_bench::live::{
    Coding, Connection, Form, Minter, Pacing, Place, Playlist, Process, RUSH, Reel, Sender, Sending, spread,
};
use serde_json::json;
use tokio::task::LocalSet;
use tokio::time::sleep;

#[derive(Parser)]
struct Args {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// Its process.
    #[arg(long)]
    pid: u32,
    /// The keys that it trusts.
    #[arg(long)]
    keys: PathBuf,
    /// What the streams' names begin with; fresh for each run.
    #[arg(long)]
    stream: String,
    /// How many streams.
    #[arg(long)]
    streams: usize,
    /// How long it is measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The clips of one stream's tracks.
    #[arg(required = true)]
    clips: Vec<PathBuf>,
}

/// What all viewers share.
struct Run {
    measuring: Cell<bool>,
    got: RefCell<Vec<(usize, Place, Instant, usize)>>,
    fault: RefCell<Option<String>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let report = LocalSet::new().run_until(measure(&args)).await?;
    println!("{report}");
    Ok(())
}

async fn measure(args: &Args) -> Result<serde_json::Value, Box<dyn Error>> {
    let minter = Minter::new(&args.keys)?;
    let server = Process::new(args.pid);
    let mut tracks = Vec::new();
    for path in &args.clips {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a clip without a name")?;
        tracks.push((name.to_owned(), Arc::new(Reel::read(&std::fs::read(path)?)?)));
    }
    let run =
        Rc::new(Run { measuring: Cell::new(false), got: RefCell::default(), fault: RefCell::default() });
    let mut all = Vec::new();
    for number in 0..args.streams {
        all.push(stream(args, &minter, &tracks, number)?);
    }
    while !all.iter().all(Sending::has_caught_up) {
        sleep(Duration::from_millis(20)).await;
        fine(&run, &all)?;
    }
    for (number, sending) in all.iter().enumerate() {
        let stream = format!("{}-{number}", args.stream);
        for (track, (name, reel)) in tracks.iter().enumerate() {
            let mut connection =
                Connection::open(args.address, minter.viewer(&stream, 1)?, Coding::Gzip).await?;
            let start = sending.last(track).ok_or("nothing was sent")?.place.next(reel);
            let playlist = Playlist::of_forebay(&mut connection, &stream, name).await?;
            let (run, reel) = (Rc::clone(&run), Arc::clone(reel));
            tokio::task::spawn_local(async move {
                if let Err(error) = viewer(&run, number, connection, &playlist, &reel, start).await {
                    run.fault.borrow_mut().get_or_insert(error.to_string());
                }
            });
        }
    }
    sleep(SETTLE).await;
    let (begin, before) = (Instant::now(), server.cpu()?);
    run.measuring.set(true);
    while begin.elapsed() < Duration::from_secs(args.seconds) {
        sleep(Duration::from_millis(100)).await;
        fine(&run, &all)?;
    }
    run.measuring.set(false);
    let (cpu, seconds) = (server.cpu()?.since(before), begin.elapsed().as_secs_f64());
    let resident = server.resident()?;
    let mut sent = HashMap::new();
    for (number, sending) in all.into_iter().enumerate() {
        sent.extend(sending.stop()?.into_iter().map(|sent| ((number, sent.place), sent.at)));
    }
    let got = run.got.take();
    let (mut lags, mut bytes) = (Vec::new(), 0);
    for (number, place, at, length) in &got {
        let sent = sent.get(&(*number, *place)).ok_or("an answer before its part")?;
        lags.push(at.saturating_duration_since(*sent));
        bytes += length;
    }
    let share = cpu.all() / seconds / args.streams as f64;
    Ok(json!({
        "streams": args.streams, "tracks": tracks.len(), "seconds": seconds, "lag": spread(&mut lags),
        "cpu_share_each": share, "cpu_us_each_part": cpu.all() / got.len() as f64 * 1e6,
        "bits_each": bytes as f64 * 8.0 / seconds / args.streams as f64, "resident": resident,
    }))
}

/// Begins a stream. Encoders do not keep step with each other, so each is a little later than the one before.
fn stream(
    args: &Args,
    minter: &Minter,
    tracks: &[(String, Arc<Reel>)],
    number: usize,
) -> Result<Sending, Box<dyn Error>> {
    let stream = format!("{}-{number}", args.stream);
    let delay = PART.mul_f64(number as f64 / args.streams as f64);
    Sender {
        address: args.address,
        folder: format!("{}/ingest/{stream}", minter.sender(&stream)?),
        tracks: tracks.to_vec(),
        pacing: Pacing { past: PAST, delay, rush: RUSH },
        form: Form::Long,
    }
    .start()
}

/// A viewer who reads one part after another, until the end of the process.
async fn viewer(
    run: &Run,
    number: usize,
    mut connection: Connection,
    playlist: &Playlist,
    reel: &Reel,
    mut place: Place,
) -> Result<(), Box<dyn Error>> {
    loop {
        let path = format!("{}{}.{}.m4s", playlist.folder(), place.msn, place.part);
        connection.ask(&path).await?;
        let answer = connection.answer(false).await?;
        if answer.status != 200 {
            return Err(format!("{path}: {}", answer.status).into());
        }
        let expected: usize = reel.piece(place.msn, place.part).bytes.iter().map(|piece| piece.len()).sum();
        if answer.length != expected {
            return Err(format!("{path}: expected {expected} bytes, found {}", answer.length).into());
        }
        if run.measuring.get() {
            run.got.borrow_mut().push((number, place, answer.first, answer.length));
        }
        place = place.next(reel);
    }
}

fn fine(run: &Run, all: &[Sending]) -> Result<(), Box<dyn Error>> {
    match run.fault.borrow().as_ref() {
        Some(fault) => Err(fault.clone().into()),
        None if all.iter().any(Sending::has_ended) => Err("a sender was refused".into()),
        None => Ok(()),
    }
}

/// Segments of the past that a stream begins with.
const PAST: u64 = 3;
const PART: Duration = Duration::from_millis(333);
const SETTLE: Duration = Duration::from_secs(3);

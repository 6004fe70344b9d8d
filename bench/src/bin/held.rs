//! Many viewers hold a request for the next part of a live show: how long after the part do they know of it, and what
//! does each of them cost the server? Prints JSON.

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
    Coding, Connection, Form, Minter, Pacing, Place, Playlist, Process, RUSH, Reel, Sender, Sending, Sent,
    spread,
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
    /// The keys that it trusts. Without them it is multimux, which has a listener of its own for senders.
    #[arg(long, required_unless_present = "ingest")]
    keys: Option<PathBuf>,
    /// Where multimux listens for the sender.
    #[arg(long)]
    ingest: Option<SocketAddr>,
    /// The stream; a fresh name for each run.
    #[arg(long)]
    stream: String,
    /// The clip of the pictures, which viewers wait for.
    #[arg(long)]
    video: PathBuf,
    /// The clip of the sound, if there is any.
    #[arg(long)]
    audio: Option<PathBuf>,
    /// How many viewers.
    #[arg(long)]
    waiters: usize,
    /// Ask for playlists that are not compressed.
    #[arg(long)]
    identity: bool,
    /// How long it is measured.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Segments of the past that the window holds when it begins.
    #[arg(long, default_value_t = 70)]
    past: u64,
}

impl Args {
    fn coding(&self) -> Coding {
        if self.identity { Coding::Identity } else { Coding::Gzip }
    }
}

/// What all viewers share.
struct Run {
    playlist: Playlist,
    reel: Arc<Reel>,
    sending: Sending,
    measuring: Cell<bool>,
    /// Viewers that have had an answer.
    arrived: Cell<usize>,
    wakes: Cell<usize>,
    /// Which parts became known, and when. More than answers, where a viewer fell behind.
    answers: RefCell<Vec<(Place, Instant)>>,
    bytes: Cell<u64>,
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
    let minter = args.keys.as_deref().map(Minter::new).transpose()?;
    let server = Process::new(args.pid);
    let run = Rc::new(begin(args, minter.as_ref()).await?);
    sleep(SETTLE).await;
    let alone = resting(&run.sending, &server).await?;
    let idle = idle(&server, Duration::from_secs(args.seconds.min(10))).await?;
    crowd(args, minter.as_ref(), &run).await?;
    sleep(SETTLE).await;
    let (begin, before) = (Instant::now(), server.cpu()?);
    run.measuring.set(true);
    let mut resident = Vec::new();
    while begin.elapsed() < Duration::from_secs(args.seconds) {
        resident.push(resting(&run.sending, &server).await?);
        fine(&run)?;
    }
    run.measuring.set(false);
    let (cpu, seconds) = (server.cpu()?.since(before), begin.elapsed().as_secs_f64());
    resident.sort_unstable();
    let held = resident.get(resident.len() / 2).copied().unwrap_or_default();
    let (answers, wakes) = (run.answers.take(), run.wakes.get());
    let Lags { mut each, mut whole } = lags(&answers, &run.sending.stop()?, args.waiters)?;
    let by_wake = |amount: f64| amount / wakes as f64;
    Ok(json!({
        "waiters": args.waiters, "seconds": seconds, "wakes": wakes, "skipped": answers.len() - wakes,
        "parts": whole.len(), "wake": spread(&mut each), "all_within": spread(&mut whole),
        "cpu_us": by_wake(cpu.all() * 1e6), "user_us": by_wake(cpu.user * 1e6),
        "system_us": by_wake(cpu.system * 1e6), "cpu_share": cpu.all() / seconds, "idle_cpu_share": idle,
        "resident_alone": alone, "resident_held": held,
        "memory_each": held.saturating_sub(alone) as f64 / args.waiters as f64,
        "body_bytes": by_wake(run.bytes.get() as f64),
    }))
}

/// Begins the show, with a full window.
async fn begin(args: &Args, minter: Option<&Minter>) -> Result<Run, Box<dyn Error>> {
    let reel = Arc::new(Reel::read(&std::fs::read(&args.video)?)?);
    let mut tracks = vec![("video".to_owned(), Arc::clone(&reel))];
    if let Some(audio) = &args.audio {
        tracks.push(("audio".to_owned(), Arc::new(Reel::read(&std::fs::read(audio)?)?)));
    }
    let folder = match minter {
        Some(minter) => format!("{}/ingest/{}", minter.sender(&args.stream)?, args.stream),
        None => "/ingest".to_owned(),
    };
    let sending = Sender {
        address: args.ingest.unwrap_or(args.address),
        folder,
        tracks,
        pacing: Pacing { past: args.past, delay: Duration::ZERO, rush: RUSH },
        form: if minter.is_some() { Form::Long } else { Form::Objects },
    }
    .start()?;
    while !sending.has_caught_up() {
        sleep(Duration::from_millis(20)).await;
        if sending.has_ended() {
            sending.stop()?;
        }
    }
    Ok(Run {
        playlist: playlist(args, minter, &sending, &reel).await?,
        reel,
        sending,
        measuring: Cell::new(false),
        arrived: Cell::new(0),
        wakes: Cell::new(0),
        answers: RefCell::default(),
        bytes: Cell::new(0),
        fault: RefCell::default(),
    })
}

/// The share of a core that the server takes when nobody watches.
async fn idle(server: &Process, time: Duration) -> Result<f64, Box<dyn Error>> {
    let before = server.cpu()?;
    sleep(time).await;
    Ok(server.cpu()?.since(before).all() / time.as_secs_f64())
}

/// Lets all viewers come, and waits until each has had an answer.
async fn crowd(args: &Args, minter: Option<&Minter>, run: &Rc<Run>) -> Result<(), Box<dyn Error>> {
    for number in 0..args.waiters {
        let prefix = match minter {
            Some(minter) => minter.viewer(&args.stream, number as u64 + 1)?,
            None => String::new(),
        };
        let (run, address, coding) = (Rc::clone(run), args.address, args.coding());
        let start = run.sending.last(0).ok_or("nothing was sent")?.place.next(&run.reel);
        tokio::task::spawn_local(async move {
            if let Err(error) = viewer(&run, address, prefix, coding, start).await {
                run.fault.borrow_mut().get_or_insert(error.to_string());
            }
        });
        if number % BATCH == BATCH - 1 {
            sleep(PAUSE).await;
        }
    }
    while run.arrived.get() < args.waiters {
        sleep(Duration::from_millis(20)).await;
        fine(run)?;
    }
    Ok(())
}

async fn playlist(
    args: &Args,
    minter: Option<&Minter>,
    sending: &Sending,
    reel: &Reel,
) -> Result<Playlist, Box<dyn Error>> {
    let prefix = minter.map_or_else(|| Ok(String::new()), |minter| minter.viewer(&args.stream, 0))?;
    let mut connection = Connection::open(args.address, prefix, Coding::Identity).await?;
    if minter.is_some() {
        return Playlist::of_forebay(&mut connection, &args.stream, "video").await;
    }
    rested(sending).await;
    let newest = sending.last(0).ok_or("nothing was sent")?.place;
    Playlist::of_multimux(&mut connection, &args.stream, newest.next(reel)).await
}

/// A viewer who asks for one part after another, until the end of the process.
async fn viewer(
    run: &Run,
    address: SocketAddr,
    prefix: String,
    coding: Coding,
    mut place: Place,
) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::open(address, prefix, coding).await?;
    let mut has_arrived = false;
    loop {
        let path = run.playlist.ask(place);
        connection.ask(&path).await?;
        let answer = connection.answer(true).await?;
        if answer.status != 200 {
            return Err(format!("{path}: {}", answer.status).into());
        }
        // To read each answer would take longer than to make it. One that comes in time lists what was asked for;
        // the others tell what else came meanwhile, from where a player goes on.
        let is_late = run.sending.last(0).is_some_and(|newest| newest.place != place);
        let next =
            if is_late || !has_arrived { run.playlist.hinted(&answer)? } else { place.next(&run.reel) };
        if !is_later(next, place) {
            return Err(format!("{path}: expected that part, found a playlist before it").into());
        }
        if run.measuring.get() {
            run.wakes.set(run.wakes.get() + 1);
            run.bytes.set(run.bytes.get() + answer.length as u64);
        }
        while place != next {
            if run.measuring.get() {
                run.answers.borrow_mut().push((place, answer.first));
            }
            place = place.next(&run.reel);
        }
        if !has_arrived {
            has_arrived = true;
            run.arrived.set(run.arrived.get() + 1);
        }
    }
}

fn is_later(place: Place, than: Place) -> bool {
    (place.msn, place.part) > (than.msn, than.part)
}

fn fine(run: &Run) -> Result<(), Box<dyn Error>> {
    match run.fault.borrow().as_ref() {
        Some(fault) => Err(fault.clone().into()),
        None if run.sending.has_ended() => Err("the sender was refused".into()),
        None => Ok(()),
    }
}

/// The server's memory shortly before the next part, when all who wait hold their request.
async fn resting(sending: &Sending, server: &Process) -> Result<u64, Box<dyn Error>> {
    rested(sending).await;
    server.resident()
}

/// Shortly before the next part.
async fn rested(sending: &Sending) {
    let former = sending.last(0).map(|sent| sent.place);
    while sending.last(0).map(|sent| sent.place) == former && !sending.has_ended() {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(REST).await;
}

/// How long after they were sent parts became known.
struct Lags {
    /// To each viewer.
    each: Vec<Duration>,
    /// To the last of all, where all got it while it was measured.
    whole: Vec<Duration>,
}

fn lags(answers: &[(Place, Instant)], sent: &[Sent], waiters: usize) -> Result<Lags, Box<dyn Error>> {
    let sent: HashMap<Place, Instant> = sent.iter().map(|sent| (sent.place, sent.at)).collect();
    let mut parts: HashMap<Place, (usize, Duration)> = HashMap::new();
    let mut each = Vec::with_capacity(answers.len());
    for (place, at) in answers {
        let lag = at.saturating_duration_since(*sent.get(place).ok_or("an answer before its part")?);
        each.push(lag);
        let (count, longest) = parts.entry(*place).or_default();
        (*count, *longest) = (*count + 1, lag.max(*longest));
    }
    let whole = parts.into_values().filter(|(count, _)| *count == waiters);
    Ok(Lags { each, whole: whole.map(|(_, longest)| longest).collect() })
}

/// What a server does after a start or a rush.
const SETTLE: Duration = Duration::from_secs(3);
/// From a part until it is taken for granted that all have asked again: the next comes after 333 ms.
const REST: Duration = Duration::from_millis(310);
/// So many connect at once, and then the server has a moment.
const BATCH: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

//! Streams that are published over RTMP, and viewers who wait for their parts: what do they cost the processes of a server,
//! and how long after its last picture was sent can a part be read? Prints JSON.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use forebay_bench::live::{Coding, Connection, Cpu, Minter, Process, spread};
use forebay_bench::rtmp::{Door, Film, Publisher, Publishing, Seen, Viewer};
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::sleep;

#[derive(Parser)]
struct Args {
    /// A file with a line for each stream: its name, the name that it is published under, and where to.
    #[arg(long)]
    streams: PathBuf,
    /// What is published: an FLV file.
    #[arg(long)]
    clip: PathBuf,
    /// The processes whose CPU time is counted.
    #[arg(long)]
    pid: Vec<u32>,
    /// Where viewers ask; without it there are none.
    #[arg(long)]
    watch: Option<SocketAddr>,
    /// The keys that forebay trusts. Without them viewers ask multimux.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// The tracks of forebay's that have a viewer each.
    #[arg(long)]
    track: Vec<String>,
    /// Parts hold the publisher's own pictures: look whether each holds the one that it should end with.
    #[arg(long)]
    copied: bool,
    /// How long the streams run before it is measured.
    #[arg(long, default_value_t = 5)]
    settle: u64,
    /// How long it is measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

/// What all viewers share.
struct Run {
    film: Arc<Film>,
    is_copied: bool,
    measuring: Cell<bool>,
    /// Viewers who have seen a part.
    arrived: Cell<usize>,
    /// Of which stream and which of the tracks, and what.
    seen: RefCell<Vec<(usize, usize, Seen)>>,
    checked: Cell<u64>,
    refused: Cell<u64>,
    fault: RefCell<Option<String>>,
}

/// What a process and its children have used.
struct Usage {
    pid: u32,
    own: Cpu,
    children: Vec<(u32, Cpu)>,
}

/// A stream: its name, the name that it is published under, and where to.
type Stream = (String, String, SocketAddr);

/// Stream by stream, for each picture: when it was to be sent, and when it was.
type Sent = Vec<Vec<(Instant, Instant)>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let report = LocalSet::new().run_until(measure(&args)).await?;
    println!("{report}");
    Ok(())
}

async fn measure(args: &Args) -> Result<Value, Box<dyn Error>> {
    let run = Rc::new(Run {
        film: Arc::new(Film::read(std::fs::read(&args.clip)?.into())?),
        is_copied: args.copied,
        measuring: Cell::new(false),
        arrived: Cell::new(0),
        seen: RefCell::default(),
        checked: Cell::new(0),
        refused: Cell::new(0),
        fault: RefCell::default(),
    });
    let streams = streams(args)?;
    let all = publish(&streams, &run.film)?;
    let viewers = watch(args, &streams, &run)?;
    let end = Instant::now() + PATIENCE + STAGGER * u32::try_from(streams.len())?;
    while run.arrived.get() < viewers || all.iter().any(|one| one.pictures() == 0) {
        sleep(LOOK).await;
        fine(&run, &all)?;
        if Instant::now() > end {
            return Err("expected all streams to begin, found some that do not".into());
        }
    }
    wait(&run, &all, args.settle).await?;
    let (begin, before) = (Instant::now(), usage(&args.pid)?);
    run.measuring.set(true);
    wait(&run, &all, args.seconds).await?;
    run.measuring.set(false);
    let (after, seconds) = (usage(&args.pid)?, begin.elapsed().as_secs_f64());
    all.iter().for_each(Publishing::end);
    let sent = all.into_iter().map(Publishing::stop).collect::<Result<Sent, _>>()?;
    Ok(json!({
        "streams": streams.len(), "seconds": seconds, "bit_rate": run.film.bit_rate(),
        "late": late(&sent, begin), "cpu": spent(&before, &after),
        "lag": lags(&run, &args.track, &sent)?,
        "checked": run.checked.get(), "refused": run.refused.get(),
    }))
}

fn streams(args: &Args) -> Result<Vec<Stream>, Box<dyn Error>> {
    let text = std::fs::read_to_string(&args.streams)?;
    let read = |line: &str| -> Result<_, Box<dyn Error>> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut word = || words.next().ok_or("expected a stream, its name, and an address");
        Ok((word()?, word()?, word()?.parse()?))
    };
    text.lines().map(read).collect()
}

/// Begins all streams, one after another, so that neither their starts nor their keyframes come together.
fn publish(streams: &[Stream], film: &Arc<Film>) -> Result<Vec<Publishing>, Box<dyn Error>> {
    let begin = |(number, (_, name, address)): (u32, &Stream)| {
        let (app, name, film) = (APP.to_owned(), name.clone(), Arc::clone(film));
        Publisher { address: *address, app, name, film, delay: STAGGER * number }.start()
    };
    (0..).zip(streams).map(begin).collect()
}

/// Lets viewers come, one for each track of each stream; gives how many.
fn watch(args: &Args, streams: &[Stream], run: &Rc<Run>) -> Result<usize, Box<dyn Error>> {
    let Some(address) = args.watch else { return Ok(0) };
    let minter = args.keys.as_deref().map(Minter::new).transpose()?;
    let mut viewers = 0;
    for (number, (stream, ..)) in streams.iter().enumerate() {
        let (prefix, doors) = match &minter {
            None => (String::new(), vec![Door::Multimux { stream: stream.clone() }]),
            Some(minter) => {
                let door = |track: &String| Door::Forebay { stream: stream.clone(), track: track.clone() };
                (minter.viewer(stream, 1)?, args.track.iter().map(door).collect())
            }
        };
        for (track, door) in doors.into_iter().enumerate() {
            viewers += 1;
            let (run, prefix) = (Rc::clone(run), prefix.clone());
            // Who comes before the show does asks again and again.
            let delay = STAGGER * u32::try_from(number)?;
            tokio::task::spawn_local(async move {
                sleep(delay).await;
                if let Err(error) = viewer(&run, (number, track), address, prefix, &door).await {
                    run.fault.borrow_mut().get_or_insert(format!("{door:?}: {error}"));
                }
            });
        }
    }
    Ok(viewers)
}

/// A viewer who sees one part after another, until the end of the process.
async fn viewer(
    run: &Run,
    (stream, track): (usize, usize),
    address: SocketAddr,
    prefix: String,
    door: &Door,
) -> Result<(), Box<dyn Error>> {
    let connection = Connection::open(address, prefix, Coding::Identity).await?;
    let mut viewer = Viewer::enter(connection, door).await?;
    let (mut has_arrived, mut refused) = (false, 0);
    loop {
        let seen = viewer.next().await?;
        let Some(newest) = seen.last().cloned() else {
            if run.measuring.get() {
                run.refused.set(run.refused.get() + viewer.refused() - refused);
            }
            refused = viewer.refused();
            continue;
        };
        if run.measuring.get() {
            run.seen.borrow_mut().extend(seen.into_iter().map(|seen| (stream, track, seen)));
        }
        if run.is_copied {
            let (part, picture) = (viewer.part(&newest.path).await?, run.film.picture(newest.picture));
            if !holds(&part, picture) {
                return Err(format!("expected picture {} in {}", newest.picture, newest.path).into());
            }
            run.checked.set(run.checked.get() + 1);
        }
        if !has_arrived {
            has_arrived = true;
            run.arrived.set(run.arrived.get() + 1);
        }
    }
}

/// Whether a part has the end of a picture in it: a muxer may leave out what stands before.
fn holds(part: &[u8], picture: &[u8]) -> bool {
    let end = &picture[picture.len().saturating_sub(TAIL)..];
    part.windows(end.len()).any(|bytes| bytes == end)
}

async fn wait(run: &Run, all: &[Publishing], seconds: u64) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        sleep(LOOK.min(end.saturating_duration_since(Instant::now()))).await;
        fine(run, all)?;
    }
    Ok(())
}

fn fine(run: &Run, all: &[Publishing]) -> Result<(), Box<dyn Error>> {
    let refused = || all.iter().find_map(Publishing::fault);
    match run.fault.borrow().clone().or_else(refused) {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

fn usage(pids: &[u32]) -> Result<Vec<Usage>, Box<dyn Error>> {
    let of = |&pid: &u32| -> Result<_, Box<dyn Error>> {
        let process = Process::new(pid);
        Ok(Usage { pid, own: process.cpu()?, children: process.children_cpu()? })
    };
    pids.iter().map(of).collect()
}

/// Seconds of CPU by process. `replaced` are children that were not there all the time, of which a part is not counted.
fn spent(before: &[Usage], after: &[Usage]) -> Vec<Value> {
    let each = before.iter().zip(after).map(|(before, after)| {
        let (mut kept, mut seconds) = (0, 0.0);
        for (child, cpu) in &after.children {
            if let Some((_, former)) = before.children.iter().find(|(pid, _)| pid == child) {
                kept += 1;
                seconds += cpu.since(*former).all();
            }
        }
        json!({
            "pid": after.pid, "own": after.own.since(before.own).all(), "children": seconds,
            "count": after.children.len(), "replaced": before.children.len() + after.children.len() - 2 * kept,
        })
    });
    each.collect()
}

/// How late the publishers were themselves.
fn late(sent: &Sent, begin: Instant) -> Value {
    let measured = sent.iter().flatten().filter(|(due, _)| *due >= begin);
    spread(&mut measured.map(|(due, at)| at.saturating_duration_since(*due)).collect::<Vec<_>>())
}

/// From the sending of a part's last picture to the playlist that lists it: over all, and for each track.
fn lags(run: &Run, tracks: &[String], sent: &Sent) -> Result<Value, Box<dyn Error>> {
    let (mut all, mut each) = (Vec::new(), vec![Vec::new(); tracks.len()]);
    for (stream, track, seen) in run.seen.take() {
        let picture = sent[stream].get(usize::try_from(seen.picture)?);
        let lag = picture.and_then(|(_, at)| seen.at.checked_duration_since(*at));
        let lag = lag.ok_or_else(|| format!("a part before its picture, {}: {}", seen.picture, seen.path))?;
        all.push(lag);
        if let Some(track) = each.get_mut(track) {
            track.push(lag);
        }
    }
    let each: serde_json::Map<_, _> =
        tracks.iter().zip(&mut each).map(|(name, lags)| (name.clone(), spread(lags))).collect();
    Ok(json!({ "all": spread(&mut all), "tracks": each }))
}

/// What publishers call it too.
const APP: &str = "live";
/// Between the starts of two streams. Taken by it, no two of two hundred have their keyframes at the same time.
const STAGGER: Duration = Duration::from_millis(730);
/// For all streams to begin.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// So much of a picture's end is looked for.
const TAIL: usize = 128;

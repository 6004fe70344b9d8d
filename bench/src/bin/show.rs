//! A show whose past is sent at once: how fast it is archived, what its window takes in memory, and how soon it is on demand
//! after its end. Or, as what that is held against, how fast its objects are written by nobody but the system. Prints JSON.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use forebay_bench::live::{Coding, Connection, Form, Minter, Pacing, Process, Reel, Sender, Sending};
use serde_json::json;
use tokio::time::sleep;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Send a show, wait until it is archived, and end it.
    Send(Send),
    /// Write the files of a folder, each into a file of another name first, four at a time.
    Write(Write),
}

#[derive(clap::Args)]
struct Send {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// Where its operators ask.
    #[arg(long)]
    admin: SocketAddr,
    /// Its process.
    #[arg(long)]
    pid: u32,
    /// The keys that it trusts.
    #[arg(long)]
    keys: PathBuf,
    /// The stream; a fresh name for each run.
    #[arg(long)]
    stream: String,
    /// How long the show has been running when it is sent, in seconds.
    #[arg(long)]
    past: u64,
    /// Microseconds between two parts of the past.
    #[arg(long, default_value_t = 0)]
    rush: u64,
    /// The clips of its tracks.
    #[arg(required = true)]
    clips: Vec<PathBuf>,
}

#[derive(clap::Args)]
struct Write {
    /// The folder with the files.
    #[arg(long)]
    from: PathBuf,
    /// Where they are written.
    #[arg(long)]
    to: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let report = match Args::parse().what {
        What::Send(args) => send(&args).await?,
        What::Write(args) => write(&args)?,
    };
    println!("{report}");
    Ok(())
}

async fn send(args: &Send) -> Result<serde_json::Value, Box<dyn Error>> {
    let (minter, server) = (Minter::new(&args.keys)?, Process::new(args.pid));
    let mut tracks = Vec::new();
    for path in &args.clips {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a clip without a name")?;
        tracks.push((name.to_owned(), Arc::new(Reel::read(&std::fs::read(path)?)?)));
    }
    let count = tracks.len();
    let (before, begin) = (server.resident()?, Instant::now());
    let sending = Sender {
        address: args.address,
        folder: format!("{}/ingest/{}", minter.sender(&args.stream)?, args.stream),
        tracks,
        pacing: Pacing { past: args.past / 2, delay: Duration::ZERO, rush: Duration::from_micros(args.rush) },
        form: Form::Long,
    }
    .start()?;
    while !sending.has_caught_up() {
        going_on(&sending)?;
        sleep(LOOK).await;
    }
    let sent = begin.elapsed();
    // As much as a minute of it may be on its way at any time.
    let mut admin = Connection::open(args.admin, String::new(), Coding::Identity).await?;
    let wanted = (args.past / 2) as f64 * count as f64;
    while counter(&mut admin, "forebay_archive_segments_total").await? < wanted {
        going_on(&sending)?;
        sleep(LOOK).await;
    }
    let archived = begin.elapsed();
    let bytes = counter(&mut admin, "forebay_archive_bytes_total").await?;
    // Pages are written behind the minutes that they tell of; then media leaves memory.
    sleep(SETTLE).await;
    let resident = server.resident()?;
    let mut viewer =
        Connection::open(args.address, minter.viewer(&args.stream, 1)?, Coding::Identity).await?;
    let renders = renders(args, &mut viewer, &mut admin).await?;
    let ended = Instant::now();
    end(args)?;
    let door = format!("/live/{}/vod.m3u8", args.stream);
    let main = loop {
        viewer.ask(&door).await?;
        let answer = viewer.answer(true).await?;
        match answer.status {
            200 => break answer.text()?,
            _ if ended.elapsed() > PATIENCE => return Err("the show is not on demand".into()),
            _ => sleep(Duration::from_millis(2)).await,
        }
    };
    let listed = ended.elapsed();
    // What it still sent was refused.
    drop(sending.stop());
    let first = main.lines().find(|line| !line.starts_with('#')).ok_or("no rendition")?;
    let path = format!("/live/{}/{first}", args.stream);
    viewer.ask(&path).await?;
    let text = viewer.answer(true).await?.text()?;
    let (folder, _) = path.rsplit_once('/').ok_or("no folder")?;
    let segment = text.lines().find(|line| !line.starts_with('#')).ok_or("no segment")?;
    viewer.ask(&format!("{folder}/{segment}")).await?;
    let answer = viewer.answer(false).await?;
    if answer.status != 200 {
        return Err(format!("{folder}/{segment}: {}", answer.status).into());
    }
    Ok(json!({
        "past": args.past, "tracks": count, "sent_s": sent.as_secs_f64(), "archived_s": archived.as_secs_f64(),
        "bytes": bytes, "resident_before": before, "resident": resident, "playlist": path,
        "renders": renders, "listed_ms": listed.as_secs_f64() * 1e3, "played_ms": ended.elapsed().as_secs_f64() * 1e3,
    }))
}

/// How long it takes to write a playlist of the first track anew, when a part has come: milliseconds and bytes, by form.
async fn renders(
    args: &Send,
    viewer: &mut Connection,
    admin: &mut Connection,
) -> Result<serde_json::Value, Box<dyn Error>> {
    viewer.ask(&format!("/live/{}/main.m3u8", args.stream)).await?;
    let main = viewer.answer(true).await?.text()?;
    let first = main.lines().find(|line| !line.starts_with('#')).ok_or("no rendition")?;
    let (folder, _) = first.rsplit_once('/').ok_or("no folder")?;
    let mut forms = serde_json::Map::new();
    for form in ["start.m3u8", "start.m3u8?_HLS_skip=YES", "index.m3u8", "index.m3u8?_HLS_skip=YES"] {
        let mut total = [0.0; 2];
        let mut bytes = 0;
        for name in ["sum", "count"] {
            total[usize::from(name == "count")] -=
                counter(admin, &format!("forebay_live_render_seconds_{name}")).await?;
        }
        for _ in 0..UPDATES {
            sleep(UPDATE).await;
            viewer.ask(&format!("/live/{}/{folder}/{form}", args.stream)).await?;
            let answer = viewer.answer(true).await?;
            if answer.status != 200 {
                return Err(format!("{form}: {}", answer.status).into());
            }
            bytes = answer.length;
        }
        for name in ["sum", "count"] {
            total[usize::from(name == "count")] +=
                counter(admin, &format!("forebay_live_render_seconds_{name}")).await?;
        }
        let [seconds, count] = total;
        forms.insert(form.to_owned(), json!({"ms": seconds / count.max(1.0) * 1e3, "bytes": bytes}));
    }
    Ok(forms.into())
}

/// Ends the show, as an operator does.
fn end(args: &Send) -> Result<(), Box<dyn Error>> {
    let mut socket = TcpStream::connect(args.admin)?;
    let head = format!("POST /live/{}/end HTTP/1.1\r\nHost: bench\r\n", args.stream);
    let rest = "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    socket.write_all((head + rest).as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(format!("the show does not end: {answer}").into()),
    }
}

fn going_on(sending: &Sending) -> Result<(), Box<dyn Error>> {
    match sending.has_ended() {
        true => Err(sending.stop().err().unwrap_or_else(|| "the sender ended".into())),
        false => Ok(()),
    }
}

/// A counter of the server's.
async fn counter(admin: &mut Connection, name: &str) -> Result<f64, Box<dyn Error>> {
    admin.ask("/metrics").await?;
    let text = admin.answer(true).await?.text()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.ok_or("no such counter")?.trim().parse()?)
}

fn write(args: &Write) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut found = Vec::new();
    walk(&args.from, &mut found)?;
    let mut files = Vec::new();
    for path in &found {
        files.push(std::fs::read(path)?);
    }
    std::fs::create_dir_all(&args.to)?;
    let (next, begin) = (AtomicUsize::new(0), Instant::now());
    let one = || -> std::io::Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(bytes) = files.get(number) else { return Ok(()) };
            let part = args.to.join(format!("{number}.part"));
            std::fs::File::create(&part)?.write_all(bytes)?;
            std::fs::rename(part, args.to.join(number.to_string()))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| std::io::Error::other("panicked"))?)
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let bytes: usize = files.iter().map(Vec::len).sum();
    Ok(json!({"files": files.len(), "bytes": bytes, "seconds": seconds}))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => walk(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}

const LOOK: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_secs(5);
/// A part is 333 ms long: each time there is another playlist.
const UPDATE: Duration = Duration::from_millis(400);
const UPDATES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(10);

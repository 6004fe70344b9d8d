//! Asks for a list of paths, over and over, on a number of connections; prints what came as JSON.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use forebay_bench::client::{Manner, connector};
use tokio::task::LocalSet;

#[derive(Parser)]
struct Args {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// A file with a path on each line.
    #[arg(long)]
    paths: PathBuf,
    /// What comes before each path.
    #[arg(long, default_value = "")]
    prefix: String,
    /// How many connections ask at the same time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// How many requests are made in all; the list starts again at its end.
    #[arg(long)]
    requests: usize,
    /// Speak TLS and trust this certificate.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Bytes a second that a connection takes.
    #[arg(long)]
    rate: Option<u64>,
}

/// What all connections share.
struct Run {
    paths: Vec<String>,
    requests: usize,
    next: Cell<usize>,
    bytes: Cell<u64>,
    first: RefCell<Vec<Duration>>,
    took: RefCell<Vec<Duration>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let tls = args.trust.as_deref().map(connector).transpose()?;
    let manner = Manner { address: args.address, tls, rate: args.rate };
    let text = std::fs::read_to_string(&args.paths)?;
    let run = Rc::new(Run {
        paths: text.lines().map(|path| format!("{}{path}", args.prefix)).collect(),
        requests: args.requests,
        next: Cell::new(0),
        bytes: Cell::new(0),
        first: RefCell::default(),
        took: RefCell::default(),
    });
    let start = Instant::now();
    let local = LocalSet::new();
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        let (manner, run) = (manner.clone(), Rc::clone(&run));
        connections.push(local.spawn_local(async move { connection(&manner, &run).await }));
    }
    local
        .run_until(async {
            for connection in connections {
                connection.await??;
            }
            Ok::<(), Box<dyn Error>>(())
        })
        .await?;
    let seconds = start.elapsed().as_secs_f64();
    let (mut first, mut took) = (run.first.take(), run.took.take());
    first.sort();
    took.sort();
    let at = |all: &[Duration], share: usize| {
        all.get(all.len() * share / 100).map_or(0.0, |d| d.as_secs_f64() * 1e3)
    };
    let report = serde_json::json!({
        "requests": took.len(), "bytes": run.bytes.get(), "seconds": seconds,
        "p50_ms": at(&took, 50), "p99_ms": at(&took, 99),
        "first_p50_ms": at(&first, 50), "first_p99_ms": at(&first, 99),
    });
    println!("{report}");
    Ok(())
}

async fn connection(manner: &Manner, run: &Run) -> std::io::Result<()> {
    let mut client = manner.connect().await?;
    loop {
        let number = run.next.get();
        if number >= run.requests {
            return Ok(());
        }
        run.next.set(number + 1);
        let answer = client.get(&run.paths[number % run.paths.len()]).await?;
        run.bytes.set(run.bytes.get() + answer.body);
        run.first.borrow_mut().push(answer.first);
        run.took.borrow_mut().push(answer.took);
    }
}

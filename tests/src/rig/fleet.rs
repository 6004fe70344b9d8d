//! Several servers of one service: origins and workers that share a database and keys.

use std::net::{SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::daemon::Daemon;
use super::site::Site;

/// Where the servers of a service are. Each has a folder and a configuration of its own, and can be started again and
/// again; an origin comes back at the address that it had.
#[derive(Debug)]
pub struct Fleet {
    /// Whose database and keys all of them use.
    ground: Site,
    origins: Vec<Site>,
    workers: Vec<Site>,
}

impl Fleet {
    /// So many origins, and so many workers that feed all of them. `dress` sets what all of them have in common.
    #[must_use]
    pub fn of(origins: usize, workers: usize, dress: impl Fn(Site) -> Site) -> Self {
        let ground = Site::new();
        let database = quoted(&format!("sqlite://{}", ground.path().join("forebay.db").display()));
        Self::on(ground, &database, origins, workers, dress)
    }

    /// As [`Fleet::of`], with a database of a server; `database` is its URL as a value of TOML.
    #[must_use]
    pub fn over(database: &str, origins: usize, workers: usize, dress: impl Fn(Site) -> Site) -> Self {
        Self::on(Site::new().with("database", "url", database), database, origins, workers, dress)
    }

    fn on(
        ground: Site,
        database: &str,
        origins: usize,
        workers: usize,
        dress: impl Fn(Site) -> Site,
    ) -> Self {
        let server = || dress(Site::copy_of(ground.path())).with("database", "url", database);
        let addresses: Vec<SocketAddr> = (0..origins).map(|_| free_address()).collect();
        let urls: Vec<String> =
            addresses.iter().map(|address| quoted(&format!("http://{address}"))).collect();
        let urls = format!("[{}]", urls.join(", "));
        let origin = |address: &SocketAddr| server().with("listen", "http", &quoted(&address.to_string()));
        let worker = |number: usize| {
            let worker = server().with("rtmp", "listen", "\"127.0.0.1:0\"");
            worker.with("work", "name", &quoted(&format!("worker-{number}"))).with("work", "origins", &urls)
        };
        let origins = addresses.iter().map(origin).collect();
        let workers = (1..=workers).map(worker).collect();
        Self { ground, origins, workers }
    }

    /// Starts an origin.
    ///
    /// # Panics
    /// When there is none of this number, or it does not start.
    #[must_use]
    pub fn origin(&self, number: usize) -> Daemon {
        self.origins[number].serve()
    }

    /// Starts a worker.
    ///
    /// # Panics
    /// When there is none of this number, or it does not start.
    #[must_use]
    pub fn worker(&self, number: usize) -> Daemon {
        self.workers[number].work()
    }

    /// What publishes a stream.
    #[must_use]
    pub fn stream_key(&self, stream: &str) -> String {
        self.ground.stream_key(stream)
    }

    /// The signed door of a stream, the same on all origins.
    #[must_use]
    pub fn door(&self, stream: &str) -> String {
        self.ground.door(stream)
    }
}

/// An address of the loopback that stays free while nobody listens there: the system chooses none like it for others, and
/// no other process that asks here gets it.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_address() -> SocketAddr {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let of_process = process::id().wrapping_mul(61);
    let free = (0..PORTS).find_map(|_| {
        let next = of_process.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(FIRST_PORT + next).ok()?;
        TcpListener::bind(("127.0.0.1", port)).ok()?.local_addr().ok()
    });
    free.expect("all ports are taken")
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Below what Linux chooses from by itself (`ip_local_port_range`).
const FIRST_PORT: u32 = 20_000;
const PORTS: u32 = 10_000;

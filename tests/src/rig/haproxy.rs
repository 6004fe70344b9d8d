//! HAProxy as a load balancer of a cloud: it knows from `/readyz` who may be sent work, keeps idle connections to the servers for
//! 300 s and those of clients for 60 s, as OCI's does, and puts a question that nobody answered to another server.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::deadline::until;
use super::fleet::free_address;

/// A running HAProxy; killed when dropped.
#[derive(Debug)]
pub struct Haproxy {
    child: Child,
    http: SocketAddr,
    dir: TempDir,
}

/// A server behind it.
#[derive(Debug, Clone, Copy)]
pub struct Behind {
    /// Where it is asked.
    pub http: SocketAddr,
    /// Where `/readyz` is.
    pub admin: SocketAddr,
}

impl Haproxy {
    /// In front of these servers, which need not run yet. An answer says in `X-Node` whose it is, `node-0` of the first.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn before(servers: &[Behind]) -> Self {
        let dir = tempfile::Builder::new().prefix("forebay-lb-").tempdir_in("/tmp").unwrap();
        let http = free_address();
        let mut text = format!(
            "global
                 stats socket {stats} level admin
                 maxconn 4096
                 tune.rcvbuf.server 65536
             defaults
                 mode http
                 timeout connect 1s
                 timeout client 60s
                 timeout http-keep-alive 60s
                 timeout server 300s
                 timeout check 3s
                 retries 3
                 option redispatch 1
                 retry-on conn-failure empty-response junk-response
             frontend viewers
                 bind {http}
                 default_backend nodes
             backend nodes
                 balance roundrobin
                 http-reuse always
                 option httpchk
                 http-check send meth GET uri /readyz
                 http-response set-header X-Node %s
                 default-server check inter 200ms fall 1 rise 1 pool-purge-delay 300s\n",
            stats = dir.path().join(STATS).display(),
        );
        for (number, server) in servers.iter().enumerate() {
            let (at, probed) = (server.http, server.admin.port());
            writeln!(text, "server node-{number} {at} port {probed}").unwrap();
        }
        let file = dir.path().join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("/usr/sbin/haproxy");
        // In the foreground, one process.
        command.args(["-db", "-q", "-f"]).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("haproxy is missing: run `make setup`");
        let mut proxy = Self { child, http, dir };
        until("haproxy to listen", || {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none(), "haproxy ended: {}", ended.unwrap());
            std::net::TcpStream::connect(http).ok()?;
            // The socket of its statistics has its name a moment later.
            UnixStream::connect(proxy.dir.path().join(STATS)).ok()
        });
        proxy
    }

    /// Where it is asked.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// How many servers it sends work to.
    ///
    /// # Panics
    /// When it does not tell.
    #[must_use]
    pub fn up(&self) -> usize {
        self.column("status", "node-").iter().filter(|state| state.starts_with("UP")).count()
    }

    /// How often it put a question another time, and how many of these to another server.
    ///
    /// # Panics
    /// When it does not tell.
    #[must_use]
    pub fn retries(&self) -> (u64, u64) {
        let of = |name| self.column(name, "BACKEND").iter().map(|count| count.parse::<u64>().unwrap()).sum();
        (of("wretr"), of("wredis"))
    }

    /// A column of its statistics, of the rows whose second word begins so.
    fn column(&self, name: &str, rows: &str) -> Vec<String> {
        let mut socket = UnixStream::connect(self.dir.path().join(STATS)).unwrap();
        socket.write_all(b"show stat\n").unwrap();
        let mut told = String::new();
        socket.read_to_string(&mut told).unwrap();
        let mut lines = told.trim_start_matches("# ").lines().map(|line| line.split(',').collect::<Vec<_>>());
        let head = lines.next().unwrap();
        let at = head.iter().position(|title| *title == name).unwrap();
        lines
            .filter(|row| row.get(1).is_some_and(|who| who.starts_with(rows)))
            .map(|row| row[at].to_owned())
            .collect()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const STATS: &str = "stats";

//! A running server.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::binary::forebay;
use super::client::{self, Answer};
use super::command::signal;
use super::deadline::{until, within};
use super::tool;

/// A `forebay` server (or an example that embeds it) with the addresses it told. Killed when dropped; when the story
/// failed, the end of its log is printed.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    http: SocketAddr,
    https: Option<SocketAddr>,
    rtmp: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl Daemon {
    /// Starts `forebay ARGS` and waits for its line `forebay: listening http=… admin=… https=…`.
    ///
    /// # Panics
    /// When that line does not come.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::start_command(Command::new(forebay()).args(args))
    }

    /// As [`Daemon::start`], for any command that prints such a line, or `listening on ADDRESS`.
    ///
    /// # Panics
    /// When that line does not come.
    pub fn start_command(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        follow(child.stdout.take().unwrap(), Arc::clone(&log));
        follow(child.stderr.take().unwrap(), Arc::clone(&log));
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut daemon = Self { child, log, http: nowhere, https: None, rtmp: None, admin: None };
        let addresses = until("the server to say that it listens", || {
            let log = daemon.log();
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended ({}) before it listened", ended.unwrap());
            // An embedder has one listener and no names for them. A line that has not ended yet is not taken.
            let told = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            told.filter_map(|line| line.split_once("listening "))
                .next()
                .map(|(_, rest)| rest.replacen("on ", "http=", 1))
        });
        let address = |name: &str| {
            let prefix = format!("{name}=");
            addresses
                .split_whitespace()
                .find_map(|word| word.strip_prefix(&prefix))
                .map(|a| a.parse().unwrap())
        };
        // A worker has none.
        daemon.http = address("http").unwrap_or(nowhere);
        daemon.https = address("https");
        daemon.rtmp = address("rtmp");
        daemon.admin = address("admin");
        daemon
    }

    /// The clear-text listener.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The TLS listener.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.https.expect("no TLS listener was announced")
    }

    /// The listener for publishers.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn rtmp(&self) -> SocketAddr {
        self.rtmp.expect("no RTMP listener was announced")
    }

    /// The processes that it has started and that run, with their command lines.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn children(&self) -> Vec<(u32, String)> {
        let told = tool::text(tool::tool("ps").args(["-eo", "pid=,ppid=,stat=,args="]));
        let of_ours = |line: &str| {
            let mut words = line.split_whitespace();
            let (pid, parent): (u32, u32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let is_there = words.next().is_some_and(|state| !state.starts_with('Z'));
            (parent == self.pid() && is_there).then(|| (pid, words.collect::<Vec<_>>().join(" ")))
        };
        told.lines().filter_map(of_ours).collect()
    }

    /// The admin listener.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("no admin listener was announced")
    }

    /// GET on the clear-text listener.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        client::get(self.http, path)
    }

    /// GET with extra headers.
    #[must_use]
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        client::request(self.http, "GET", path, headers)
    }

    /// Any method with extra headers.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        client::request(self.http, method, path, headers)
    }

    /// The address of `path`, for players.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it wrote so far, on both streams.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The largest resident size it ever had, in bytes.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The resident size now, in bytes.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn current_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Sets the peak back to the present size, so that [`Daemon::peak_memory`] tells about what follows.
    ///
    /// # Panics
    /// When it is gone.
    pub fn forget_peak_memory(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    /// The value of a metric: the sum over all label sets that contain `labels`.
    ///
    /// # Panics
    /// When the admin listener does not answer.
    #[must_use]
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let answer = client::get(self.admin(), "/metrics");
        assert_eq!(answer.status, 200);
        let text = answer.text();
        let series = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])) && line.contains(labels)
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When `limit` is over first.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        within(limit, || self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("the server still runs after {} s", limit.as_secs()))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- end of the server's log ---\n{}",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
    }
}

fn follow(pipe: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

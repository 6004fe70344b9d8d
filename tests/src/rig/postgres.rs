//! A PostgreSQL server of a story's own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

use super::command::signal;
use super::tool::{self, repository, tool};

/// A server that can be stopped and started again; gone when dropped, and when this process ends, however it does.
#[derive(Debug)]
pub struct Postgres {
    running: Option<(u32, JoinHandle<()>)>,
    dir: TempDir,
}

impl Postgres {
    /// A new one, with the empty database `forebay`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        // The name of its socket must not be long.
        let dir = tempfile::Builder::new().prefix("forebay-pg-").tempdir_in("/tmp").unwrap();
        let server = Self { running: Some(run(dir.path())), dir };
        tool::bytes(tool("createdb").arg("-h").arg(server.dir.path()).args(["-U", "postgres", "forebay"]));
        server
    }

    /// The URL of the database, as a value of TOML. The server needs no password, and is given one all the same: it must be
    /// seen nowhere.
    #[must_use]
    pub fn url(&self) -> String {
        format!("\"postgres://postgres:{PASSWORD}@/forebay?host={}\"", self.dir.path().display())
    }

    /// Stops it as if it had died.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop(&mut self) {
        if let Some((pid, thread)) = self.running.take() {
            signal(pid, "TERM");
            thread.join().unwrap();
        }
    }

    /// Starts it again after [`Self::stop`], with what it had.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.running = Some(run(self.dir.path()));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is seen nowhere.
pub const PASSWORD: &str = "hunter2";

/// Starts the server from a thread that lasts as long as it: the system takes the end of a thread for the death of the parent.
fn run(folder: &Path) -> (u32, JoinHandle<()>) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "HUP"]).arg(repository().join("tests/servers/postgres.sh")).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let (told, heard) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut child = command.spawn().unwrap();
        let mut word = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut word).unwrap();
        assert_eq!(word, "ready\n", "the server did not start: run `make setup`");
        told.send(child.id()).unwrap();
        child.wait().unwrap();
    });
    (heard.recv().expect("the server starts"), thread)
}

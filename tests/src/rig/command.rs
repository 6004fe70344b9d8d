//! One run of a `forebay` command.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::binary::forebay;
use super::deadline::within;

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit status.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The exit code, or -1 when a signal ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Itself, when the command succeeded.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(self) -> Self {
        assert!(self.status.success(), "{}: {}{}", self.status, self.stdout, self.stderr);
        self
    }

    /// Checks that the command refused its input the way commands do: exit code 1 and one line on standard error.
    ///
    /// # Panics
    /// When it did anything else.
    #[track_caller]
    pub fn is_one_line_of_refusal(&self) -> &str {
        let line = self.stderr.trim_end();
        assert_eq!(self.code(), 1, "exit code; stdout {:?}, stderr {:?}", self.stdout, self.stderr);
        assert!(!line.is_empty() && !line.contains('\n'), "want one line on stderr, found {:?}", self.stderr);
        assert!(!line.contains("panicked"), "a panic is no clear word: {line}");
        line
    }
}

/// Runs `forebay ARGS` to its end.
///
/// # Panics
/// When it takes longer than five minutes.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome {
    Running::start(args).finish(Duration::from_secs(300))
}

/// A command that is still running; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pipes: Option<[JoinHandle<String>; 2]>,
}

impl Running {
    /// Starts `forebay ARGS` without a terminal.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(forebay());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pipes = [drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap())];
        Self { child, pipes: Some(pipes) }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name (`INT`, `TERM`).
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When `limit` is over first.
    #[must_use]
    pub fn finish(mut self, limit: Duration) -> Outcome {
        let status = within(limit, || self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("still running after {} s", limit.as_secs()));
        let [stdout, stderr] = self.pipes.take().unwrap().map(|pipe| pipe.join().unwrap());
        Outcome { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
///
/// # Panics
/// When there is no such process.
pub fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: a small system has no other.
    super::tool::bytes(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]));
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

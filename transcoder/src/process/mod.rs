//! Running the tools so that nothing of them outlives us.
//!
//! ```text
//!  lasting thread          child                     reader thread
//!  ── spawn ─────────────▶ setpriv ─▶ exec ffmpeg
//!     parse stderr ◀────── log lines
//!                          progress, records ──────▶ one callback per line
//!     stderr ends, reap ◀─ exit
//! ```
//!
//! The kernel kills the child when the *thread* that started it ends (`PR_SET_PDEATHSIG`), so that thread stays until
//! the child is reaped: whatever ends our process, `SIGKILL` too, ends ffmpeg. (One moment is not covered: the
//! few milliseconds from the spawn until setpriv has asked the kernel. A tool whose parent is killed just then works
//! to its end, on files that nobody will read.)
//!
//! The log is read with ffmpeg-sidecar's parser on the lasting thread itself and not with its iterator, which hands
//! events over a rendezvous channel: a consumer that pauses would stop the encoder, and a line that the parser refuses
//! would hang the iterator.

mod control;
mod log;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use tokio::sync::oneshot;

use self::control::{Child, Control};
use self::log::Log;
use crate::{Cancel, Error};

/// Where the tools are: paths, or names that are looked up in `PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// ffmpeg 5.1 or later, with libx264.
    pub ffmpeg: PathBuf,
    /// ffprobe of the same age.
    pub ffprobe: PathBuf,
    /// util-linux's setpriv, which asks the kernel to kill the tools when we die.
    pub setpriv: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into(), setpriv: "setpriv".into() }
    }
}

/// What is called for each line that a tool writes to its standard output, on a thread of its own.
pub(crate) type OnLine = Box<dyn FnMut(&str) + Send>;

/// A running tool. Dropping it kills the tool; its lasting thread reaps it.
#[derive(Debug)]
pub(crate) struct Running {
    tool: PathBuf,
    control: Arc<Control>,
    ended: oneshot::Receiver<io::Result<Ended>>,
    /// Lines it has written, its sign of life.
    beats: Arc<AtomicU64>,
    /// How long it may write none.
    patience: Duration,
}

/// How a tool ended.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    /// The last complaints: warnings and worse.
    log: Log,
}

impl Running {
    /// Starts `tool` through `setpriv`. What cannot be started is told by [`Self::end`].
    pub(crate) fn start(
        tools: &Tools,
        tool: &Path,
        arguments: Vec<OsString>,
        on_line: OnLine,
    ) -> Result<Self, Error> {
        Self::start_with(tools, tool, arguments, Vec::new(), on_line)
    }

    /// The same for a tool that reads or writes more than its standard streams: it finds `files` as its descriptors
    /// 3, 4 and so on. Here they are closed as soon as it has them.
    pub(crate) fn start_with(
        tools: &Tools,
        tool: &Path,
        arguments: Vec<OsString>,
        files: Vec<OwnedFd>,
        mut on_line: OnLine,
    ) -> Result<Self, Error> {
        let control = Arc::new(Control::default());
        let (tell, ended) = oneshot::channel();
        let mut command = Command::new(&tools.setpriv);
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(tool)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal is for us; we tell the tools.
            .process_group(0);
        if !files.is_empty() {
            let numbered = (FIRST_FILE..).zip(files);
            let mappings = numbered.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect();
            let told = command.fd_mappings(mappings);
            told.map_err(|error| Error::tool(tool, format!("expected files of its own, found {error}")))?;
        }
        let held = Arc::clone(&control);
        let beats = Arc::new(AtomicU64::new(0));
        let beat = Arc::clone(&beats);
        let on_line = Box::new(move |line: &str| {
            beat.fetch_add(1, Ordering::Relaxed);
            on_line(line);
        });
        thread::Builder::new()
            .name("media-tool".to_owned())
            .spawn(move || {
                // Nobody listens any more where the job was dropped; the child is reaped all the same.
                let _unheard = tell.send(attend(command, &held, on_line));
            })
            .map_err(|error| Error::tool(tool, format!("expected a thread for it, found {error}")))?;
        Ok(Self { tool: tool.to_owned(), control, ended, beats, patience: PATIENCE })
    }

    /// Waits for the tool's end. When `cancel` is thrown, the tool is killed, and reaped before this returns.
    /// Dropping the future kills the tool too.
    ///
    /// # Errors
    /// Cancelled, or the tool could not be started. A tool that ran and failed is not an error here.
    pub(crate) async fn end(mut self, cancel: &Cancel) -> Result<Ended, Error> {
        let mut beats = 0;
        let ended = loop {
            tokio::select! {
                ended = &mut self.ended => break ended,
                () = cancel.cancelled() => {
                    self.stop().await;
                    return Err(Error::Cancelled);
                }
                () = tokio::time::sleep(self.patience) => {}
            }
            let now = self.beats.load(Ordering::Relaxed);
            if now == beats {
                self.stop().await;
                let what =
                    format!("expected a sign of life within {} s, found none", self.patience.as_secs());
                return Err(Error::tool(&self.tool, what));
            }
            beats = now;
        };
        match ended {
            Ok(Ok(ended)) if ended.missing() => {
                Err(Error::tool(&self.tool, "expected a program that can be run, found none"))
            }
            Ok(Ok(ended)) => Ok(ended),
            Ok(Err(error)) => {
                Err(Error::tool(&self.tool, format!("expected to start it with setpriv, found {error}")))
            }
            Err(_) => Err(Error::tool(&self.tool, "expected its thread to last, it ended")),
        }
    }

    async fn stop(&mut self) {
        self.control.kill();
        // The outcome is of no interest; that it is there says that the child was reaped.
        let _outcome = (&mut self.ended).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.control.kill();
    }
}

impl Ended {
    /// Whether the tool said that all is well.
    pub(crate) fn success(&self) -> bool {
        self.status.success()
    }

    /// What it complained of.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The complaint that comes closest to the cause, for a person; else the status.
    pub(crate) fn complaint(&self) -> String {
        self.log.complaint().map_or_else(|| self.status.to_string(), str::to_owned)
    }

    /// `setpriv` could not execute the tool.
    fn missing(&self) -> bool {
        matches!(self.status.code(), Some(126 | 127)) && self.log.says("failed to execute")
    }
}

/// The lasting thread: from spawn to reap.
fn attend(command: Command, control: &Control, on_line: OnLine) -> io::Result<Ended> {
    let mut child = Child::spawn(command)?;
    let pipes = child.inner();
    let (out, err) = (pipes.stdout.take(), pipes.stderr.take());
    // A tool that asks something gets the end of its input for an answer.
    drop(pipes.stdin.take());
    control.hold(child);
    let reader =
        out.map(|out| thread::Builder::new().name("media-tool-out".to_owned()).spawn(|| lines(out, on_line)));
    let log = err.map(Log::read).unwrap_or_default();
    if matches!(reader, Some(Err(_))) {
        // Nobody empties its output: it would stop for ever when the pipe is full.
        control.kill();
    }
    let status = control.reap()?;
    match reader {
        Some(Ok(reader)) => drop(reader.join()),
        Some(Err(error)) => return Err(error),
        None => {}
    }
    Ok(Ended { status, log })
}

fn lines(out: ChildStdout, mut on_line: OnLine) {
    let mut out = BufReader::new(out);
    let mut line = Vec::new();
    loop {
        line.clear();
        match out.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => on_line(&String::from_utf8_lossy(&line)),
        }
    }
}

/// The first descriptor behind standard input, output and error.
pub(crate) const FIRST_FILE: i32 = 3;
/// How long a tool may be silent. All are told to write something at least every second.
const PATIENCE: Duration = Duration::from_secs(120);
const LONGEST_LINE: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn shell(script: &str, on_line: OnLine) -> Running {
        let arguments = vec!["-c".into(), script.into()];
        Running::start(&Tools::default(), Path::new("sh"), arguments, on_line).unwrap()
    }

    #[tokio::test]
    async fn lines_and_complaints_are_kept_apart() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let on_line = Box::new(move |line: &str| tell.send(line.trim().to_owned()).unwrap());
        let script =
            "echo frame=1; echo frame=2; echo '[mov @ 0x5f] [error] moov atom not found.' >&2; exit 3";
        let ended = shell(script, on_line).end(&Cancel::new()).await.unwrap();
        assert!(!ended.success());
        assert_eq!(ended.complaint(), "moov atom not found");
        assert_eq!(
            (told.recv().await.unwrap(), told.recv().await.unwrap()),
            ("frame=1".into(), "frame=2".into())
        );
    }

    #[tokio::test]
    async fn the_log_is_read_to_its_end_however_long_it_is() {
        let script = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo \"[error] fault $i\" >&2; done";
        let ended = shell(script, Box::new(|_| {})).end(&Cancel::new()).await.unwrap();
        assert_eq!(ended.complaint(), "fault 1");
        assert!(ended.log().says("fault 5000"));
    }

    #[tokio::test]
    async fn a_line_that_the_parser_refuses_does_not_stop_the_rest() {
        let script =
            "echo 'Stream #0:0: Video: h264, yuv420p, 640x360, 30 fps' >&2; echo '[error] the cause' >&2";
        let ended = shell(script, Box::new(|_| {})).end(&Cancel::new()).await.unwrap();
        assert_eq!(ended.complaint(), "the cause");
    }

    #[tokio::test]
    async fn a_tool_that_is_not_there_is_named() {
        let tool = Path::new("no-such-tool");
        let running = Running::start(&Tools::default(), tool, Vec::new(), Box::new(|_| {})).unwrap();
        let text = running.end(&Cancel::new()).await.unwrap_err().to_string();
        assert_eq!(text, "no-such-tool: expected a program that can be run, found none");
    }

    #[tokio::test]
    async fn a_missing_setpriv_is_named() {
        let tools = Tools { setpriv: "no-such-setpriv".into(), ..Tools::default() };
        let running = Running::start(&tools, Path::new("sh"), Vec::new(), Box::new(|_| {})).unwrap();
        let text = running.end(&Cancel::new()).await.unwrap_err().to_string();
        assert!(text.starts_with("sh: expected to start it with setpriv, found"), "{text}");
    }

    #[tokio::test]
    async fn a_cancelled_tool_is_gone_when_the_wait_returns() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let on_line = Box::new(move |line: &str| drop(tell.send(line.trim().to_owned())));
        let running = shell("echo $$; exec sleep 600", on_line);
        let cancel = Cancel::new();
        let end = tokio::spawn({
            let cancel = cancel.clone();
            async move { running.end(&cancel).await }
        });
        let pid = told.recv().await.unwrap();
        assert!(Path::new("/proc").join(&pid).exists());
        let before = Instant::now();
        cancel.cancel();
        assert!(matches!(end.await.unwrap(), Err(Error::Cancelled)));
        assert!(!Path::new("/proc").join(&pid).exists());
        assert!(before.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_tool_that_hangs_is_killed() {
        let mut running = shell("exec sleep 600", Box::new(|_| {}));
        running.patience = Duration::from_millis(50);
        let text = running.end(&Cancel::new()).await.unwrap_err().to_string();
        assert_eq!(text, "sh: expected a sign of life within 0 s, found none");
    }

    #[tokio::test]
    async fn a_dropped_tool_is_killed_and_reaped() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let on_line = Box::new(move |line: &str| drop(tell.send(line.trim().to_owned())));
        let running = shell("echo $$; exec sleep 600", on_line);
        let pid = told.recv().await.unwrap();
        drop(running);
        // The channel closes when the reader thread ends, which the lasting thread joins after it has reaped.
        assert_eq!(told.recv().await, None);
        let gone = || !Path::new("/proc").join(&pid).exists();
        for _ in 0..2_000 {
            if gone() {
                return;
            }
            tokio::task::yield_now().await;
            thread::sleep(Duration::from_millis(1));
        }
        panic!("{pid} is still there");
    }
}

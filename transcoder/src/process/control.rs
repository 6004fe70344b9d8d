//! The hold that others have on a running tool: they may kill it at any time, the lasting thread reaps it.

use std::io;
use std::process::{self, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ffmpeg_sidecar::child::FfmpegChild;
use ffmpeg_sidecar::command::FfmpegCommand;

/// The hold that others have on the child.
#[derive(Debug, Default)]
pub(super) struct Control(Mutex<State>);

#[derive(Default)]
struct State {
    child: Option<Child>,
    killed: bool,
}

/// A child process. ffmpeg-sidecar adds an answer to ffmpeg's question about overwriting, an option that other tools
/// refuse.
pub(super) enum Child {
    Ffmpeg(FfmpegChild),
    Other(process::Child),
}

impl Child {
    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        match command.get_args().any(|argument| argument == "-nostdin") {
            true => FfmpegCommand::from(command).spawn().map(Self::Ffmpeg),
            false => command.spawn().map(Self::Other),
        }
    }

    pub(super) fn inner(&mut self) -> &mut process::Child {
        match self {
            Self::Ffmpeg(child) => child.as_inner_mut(),
            Self::Other(child) => child,
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State {{ running: {}, killed: {} }}", self.child.is_some(), self.killed)
    }
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kill(&self) {
        let mut state = self.lock();
        state.killed = true;
        if let Some(child) = &mut state.child {
            // Fails only where the child has already ended, which is what is wanted.
            let _ended = child.inner().kill();
        }
    }

    /// Hands the child over, unless it was killed before it was born.
    pub(super) fn hold(&self, mut child: Child) {
        let mut state = self.lock();
        if state.killed {
            let _ended = child.inner().kill();
        }
        state.child = Some(child);
    }

    /// The child's status once it has ended. It is waited for in short looks, so that a killer never waits for us.
    pub(super) fn reap(&self) -> io::Result<ExitStatus> {
        loop {
            {
                let mut state = self.lock();
                let Some(child) = &mut state.child else { return Err(io::ErrorKind::NotFound.into()) };
                if let Some(status) = child.inner().try_wait()? {
                    state.child = None;
                    return Ok(status);
                }
            }
            thread::sleep(LOOK);
        }
    }
}

/// Between two looks whether a child whose log has ended is gone.
const LOOK: Duration = Duration::from_millis(2);

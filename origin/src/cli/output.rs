//! Where the program's words go.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Two streams: results for whoever reads on, and words for people.
pub(super) struct Output {
    results: Mutex<Box<dyn Write + Send>>,
    words: Mutex<Box<dyn Write + Send>>,
    terminal: bool,
}

impl Output {
    /// Standard output and standard error of the process.
    pub(super) fn process() -> Self {
        Self {
            results: Mutex::new(Box::new(io::stdout())),
            words: Mutex::new(Box::new(io::stderr())),
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Two buffers.
    #[cfg(test)]
    pub(super) fn buffers(results: impl Write + Send + 'static, words: impl Write + Send + 'static) -> Self {
        Self { results: Mutex::new(Box::new(results)), words: Mutex::new(Box::new(words)), terminal: false }
    }

    /// Whether people read along on a terminal, where lines can be drawn anew.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One line of results.
    pub(super) fn line(&self, text: impl fmt::Display) {
        write(&self.results, format_args!("{text}\n"));
    }

    /// One line of words.
    pub(super) fn note(&self, text: impl fmt::Display) {
        write(&self.words, format_args!("{text}\n"));
    }

    /// What went wrong, with the program's name before it.
    pub(super) fn complain(&self, text: impl fmt::Display) {
        write(&self.words, format_args!("forebay: {text}\n"));
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

fn write(stream: &Mutex<Box<dyn Write + Send>>, text: fmt::Arguments<'_>) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody is left to tell that nobody is listening: `forebay keys list | head -1` closes the pipe.
    let _ = stream.write_fmt(text).and_then(|()| stream.flush());
}

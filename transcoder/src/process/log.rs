//! What a tool complains of.

use std::collections::VecDeque;
use std::io;
use std::process::ChildStderr;

use ffmpeg_sidecar::event::{FfmpegEvent, LogLevel};
use ffmpeg_sidecar::log_parser::FfmpegLogParser;

/// What is remembered of a tool's complaints: the first fault, and the last complaints of any kind.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What follows an error in these logs is mostly its echo.
    cause: Option<String>,
    last: VecDeque<String>,
}

impl Log {
    /// Reads to the end of the tool's standard error.
    pub(super) fn read(err: ChildStderr) -> Self {
        let mut parser = FfmpegLogParser::new(err);
        let mut log = Self::default();
        loop {
            match parser.parse_next_event() {
                Ok(FfmpegEvent::LogEOF) => return log,
                Ok(FfmpegEvent::Log(level, text)) => {
                    let fault = matches!(level, LogLevel::Error | LogLevel::Fatal | LogLevel::Unknown);
                    log.push(fault, plain(&text));
                }
                Ok(FfmpegEvent::Error(text)) => log.push(true, plain(&text)),
                Ok(_) => {}
                // The pipe broke. Any other refusal is of one line, which is skipped.
                Err(error) if error.is::<io::Error>() => return log,
                Err(_) => {}
            }
        }
    }

    fn push(&mut self, fault: bool, text: String) {
        if text.is_empty() {
            return;
        }
        if fault && self.cause.is_none() {
            self.cause = Some(text.clone());
        }
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back(text);
    }

    /// Whether the first fault or any of the last complaints has `text` in it.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.cause.iter().chain(&self.last).any(|line| line.contains(text))
    }

    /// The complaint that comes closest to the cause, for a person: the first fault, or else the last warning.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.cause.as_ref().or(self.last.back()).map(String::as_str)
    }

    /// Whether there was any complaint of level error or worse.
    pub(crate) const fn is_faulty(&self) -> bool {
        self.cause.is_some()
    }
}

/// A log line without the tool's own marks: `[mov @ 0x55] [error] moov atom not found`.
fn plain(line: &str) -> String {
    let mut text = line.trim();
    while let Some((mark, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let known =
            mark.contains(" @ 0x") || matches!(mark, "info" | "warning" | "error" | "fatal" | "panic");
        // `[vost#0:0/libx264]` and the like say which part of the tool speaks.
        if !known && !mark.contains('#') {
            break;
        }
        text = rest.trim_start();
    }
    text.trim_end_matches(['.', ' ']).chars().take(LONGEST_COMPLAINT).collect()
}

/// How many complaints are remembered.
const KEPT: usize = 40;
const LONGEST_COMPLAINT: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_log_line_is_too_strange_or_too_long(line in ".{0,600}") {
            proptest::prop_assert!(plain(&line).chars().count() <= LONGEST_COMPLAINT);
        }
    }

    #[test]
    fn it_is_bounded_and_keeps_the_cause_and_the_end() {
        let mut log = Log::default();
        log.push(false, "a warning".into());
        for number in 1..=5_000 {
            log.push(true, format!("fault {number}"));
        }
        assert_eq!(log.last.len(), KEPT);
        assert_eq!(log.complaint(), Some("fault 1"));
        assert!(log.says("fault 5000") && !log.says("a warning"));
    }

    #[test]
    fn marks_are_taken_off_a_line() {
        for (line, expected) in [
            ("[mov,mp4 @ 0x5583] [error] moov atom not found", "moov atom not found"),
            ("[fatal] Error opening input.", "Error opening input"),
            ("[vost#0:0/libx264 @ 0x55] [error] Invalid rate", "Invalid rate"),
            ("setpriv: failed to execute x", "setpriv: failed to execute x"),
            ("[brackets] stay", "[brackets] stay"),
        ] {
            assert_eq!(plain(line), expected);
        }
    }
}

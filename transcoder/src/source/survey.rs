//! What a file really holds: every packet's place in time, without decoding any.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::guarded;
use super::probe::{Said, parse_micros};
use crate::process::Running;
use crate::{Cancel, Error, Tools};

/// Where each stream's packets end.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By stream number, in microseconds.
    ends: BTreeMap<u32, i64>,
    /// The demuxer says itself that the file stops in the middle of something.
    partial: bool,
}

pub(super) async fn survey(path: &Path, tools: &Tools, cancel: &Cancel) -> Result<Survey, Error> {
    let ends = Arc::new(Mutex::new(BTreeMap::new()));
    let sink = Arc::clone(&ends);
    let on_line = Box::new(move |line: &str| {
        if let Some((stream, end)) = packet(line) {
            let mut ends = sink.lock().unwrap_or_else(PoisonError::into_inner);
            let latest: &mut i64 = ends.entry(stream).or_insert(end);
            *latest = end.max(*latest);
        }
    });
    let entries = "packet=stream_index,pts_time,dts_time,duration_time";
    let mut arguments: Vec<_> =
        ["-hide_banner", "-loglevel", "level+error", "-of", "csv=p=0", "-show_entries", entries]
            .map(Into::into)
            .into();
    arguments.extend(guarded(path));
    let ended = Running::start(tools, &tools.ffprobe, arguments, on_line)?.end(cancel).await?;
    if !ended.success() {
        return Err(Error::input(path, format!("expected packets to the end, found {}", ended.complaint())));
    }
    let ends = std::mem::take(&mut *ends.lock().unwrap_or_else(PoisonError::into_inner));
    let partial = ended.log().says("partial file") || ended.log().says("File ended prematurely");
    Ok(Survey { ends, partial })
}

/// One line: stream, presentation time, decode time, duration, and perhaps more behind them.
fn packet(line: &str) -> Option<(u32, i64)> {
    let mut fields = line.trim().split(',');
    let stream = fields.next()?.parse().ok()?;
    let (shown, decoded) = (fields.next().and_then(parse_micros), fields.next().and_then(parse_micros));
    let duration = fields.next().and_then(parse_micros).unwrap_or(0);
    Some((stream, shown.or(decoded)? + duration))
}

impl Survey {
    /// When the last packet of a stream ends, in microseconds; `None` where it has none with a time.
    pub(super) fn end(&self, stream: u32) -> Option<i64> {
        self.ends.get(&stream).copied()
    }

    /// Refuses a file whose packets end before it says they do.
    pub(super) fn check(&self, path: &Path, said: &Said) -> Result<(), Error> {
        let end = self.ends.values().copied().max().unwrap_or(said.start) - said.start;
        let stated = said.duration.unwrap_or(end);
        // Half a second is how far apart a header and the last packets of sound files are found to be.
        let short = stated - end > SLACK + stated / 1000;
        if !short && !self.partial {
            return Ok(());
        }
        let expected = if short {
            format!("{} s of media", seconds(stated))
        } else {
            "the last packet whole".to_owned()
        };
        Err(Error::input(
            path,
            format!("expected {expected}, found the end after {} s: the file is truncated", seconds(end)),
        ))
    }
}

fn seconds(micros: i64) -> String {
    format!("{}.{}", micros / 1_000_000, micros.rem_euclid(1_000_000) / 100_000)
}

/// In microseconds.
const SLACK: i64 = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_where_its_picture_does() {
        assert_eq!(packet("0,0.100000,-0.033333,0.033333"), Some((0, 133_333)));
        assert_eq!(packet("1,-0.023220,-0.023220,0.023220,\n"), Some((1, 0)));
        assert_eq!(packet("2,N/A,4.000000,N/A"), Some((2, 4_000_000)));
        assert_eq!(packet("2,N/A,N/A,N/A"), None);
        assert_eq!(packet(""), None);
    }

    proptest::proptest! {
        #[test]
        fn a_line_is_a_packet_exactly_if_it_has_a_stream_and_a_time(
            stream in 0u32.., shown in -1_000_000i64..1_000_000, duration in 0i64..1_000,
        ) {
            let time = |micros: i64| {
                let sign = if micros < 0 { "-" } else { "" };
                format!("{sign}{}.{:06}", micros.abs() / 1_000_000, micros.abs() % 1_000_000)
            };
            let line = format!("{stream},{},N/A,{}", time(shown), time(duration));
            proptest::prop_assert_eq!(packet(&line), Some((stream, shown + duration)));
        }

        #[test]
        fn no_line_is_too_strange(line in "[-0-9.,NA/]{0,80}") {
            if let Some((_, end)) = packet(&line) {
                proptest::prop_assert!(end.abs() <= 200_000_000_000_000);
            }
        }
    }
}

//! Blocking Playlist Reload (RFC 8216bis §6.2.5.2): an answer holds what was waited for.

use super::playlist::Playlist;
use super::{Fault, Faults};

/// The delivery directives of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// `_HLS_msn`.
    pub msn: Option<u64>,
    /// `_HLS_part`.
    pub part: Option<usize>,
    /// `_HLS_skip`.
    pub skip: Option<String>,
}

impl Directives {
    /// Those of a URL.
    #[must_use]
    pub fn of(url: &str) -> Self {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let value = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.split_once('=').filter(|(own, _)| *own == name))
                .map(|(_, value)| value)
        };
        Self {
            msn: value("_HLS_msn").and_then(|value| value.parse().ok()),
            part: value("_HLS_part").and_then(|value| value.parse().ok()),
            skip: value("_HLS_skip").map(str::to_owned),
        }
    }
}

/// Judges an answer of 200 to a request with these directives.
#[must_use]
pub fn judge(asked: &Directives, answer: &Playlist) -> Vec<Fault> {
    let mut faults = Faults::default();
    let is_there = match (asked.msn, asked.part) {
        _ if answer.is_ended => true,
        (None, part) => {
            faults.keep("§6.2.5.2: _HLS_part without _HLS_msn is a bad request", part.is_none(), || {
                "200".to_owned()
            });
            true
        }
        (Some(msn), None) => answer.next() > msn,
        (Some(msn), Some(part)) => has_part(answer, msn, part),
    };
    faults.keep("§6.2.5.2: the answer waits for the segment or part that is asked for", is_there, || {
        format!("asked for {asked:?}, the playlist ends at {:?}", answer.end())
    });
    faults.0
}

/// Whether the playlist has got as far as part `part` of segment `msn`; a part behind the last one of a whole segment is
/// the first of the next.
fn has_part(playlist: &Playlist, msn: u64, part: usize) -> bool {
    let (open, parts) = playlist.end();
    if msn + 1 == open
        && playlist
            .segment(msn)
            .is_some_and(|segment| !segment.parts.is_empty() && segment.parts.len() <= part)
    {
        return parts > 0;
    }
    msn < open || (msn == open && part < parts)
}

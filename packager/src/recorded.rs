//! Assets that are made of a recorded show: tracks whose bytes are the segments that its archive has. Nothing is copied.
//!
//! ```text
//! archive      live/gala/7/video-720/0000000040-1-5f0c9a31.m4s   …41-1-5f0c9a31.m4s   …42-2-5f0c9a31.m4s
//! Recorded     |0 ──────────────────────────────────────────────|────────────────────|─────────────────▶ bytes
//! SampleTable  offsets into that, as if it were one object
//! ```

mod pick;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use pick::{Picked, PickedTrack, pick};

use crate::asset::{RenditionName, ShowId, StreamName};
use crate::live::{InitId, Stored};
use crate::segment::ETag;
use crate::time::Msn;

/// Which segments of a show the bytes of a track are, one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    stream: StreamName,
    show: u64,
    track: RenditionName,
    runs: Vec<Run>,
}

/// Segments whose numbers follow each other, decoded alike and written under one fence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// Eight hexadecimal digits: [`InitId`].
    init: String,
    fence: u64,
    first: u64,
    /// How long each is.
    bytes: Vec<u64>,
}

/// A [`Recorded`] in which places can be looked up.
#[derive(Debug)]
pub struct Extents {
    recorded: Recorded,
    /// Where each object ends in the bytes of all of them.
    ends: Vec<u64>,
    /// The first object of each run.
    firsts: Vec<usize>,
}

/// One object of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Where it lies in the store.
    pub path: String,
    /// Where it begins in the bytes of all of them.
    pub start: u64,
    /// How many bytes it is.
    pub len: u64,
}

impl Recorded {
    /// A track of a show, without segments.
    pub fn new(stream: StreamName, show: ShowId, track: RenditionName) -> Self {
        Self { stream, show: show.0, track, runs: Vec::new() }
    }

    /// Adds the next segment. One that is kept on one machine alone is none of an archive: then nothing changes, and it is
    /// `false`.
    pub fn push(&mut self, msn: Msn, init: InitId, stored: Stored) -> bool {
        let Some(fence) = stored.fence else { return false };
        let init = init.to_string();
        let follows = |run: &&mut Run| {
            run.fence == fence
                && run.init == init
                && run.first.checked_add(run.bytes.len() as u64) == Some(msn.0)
        };
        match self.runs.last_mut().filter(follows) {
            Some(run) => run.bytes.push(stored.len),
            None => self.runs.push(Run { init, fence, first: msn.0, bytes: vec![stored.len] }),
        }
        true
    }

    /// Whose show it is.
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// Which of its shows.
    pub fn show(&self) -> ShowId {
        ShowId(self.show)
    }

    /// Which of its tracks.
    pub fn track(&self) -> &RenditionName {
        &self.track
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.runs.iter().flat_map(|run| &run.bytes).fold(0, |sum: u64, len| sum.saturating_add(*len))
    }

    /// Where each segment lies in the store, in order.
    pub fn paths(&self) -> impl Iterator<Item = String> + '_ {
        let folder = show_folder(&self.stream, self.show());
        let of_run = move |run: &Run| {
            let numbers = (run.first..).take(run.bytes.len());
            let path = |msn| segment_path(&folder, &self.track, Msn(msn), run.fence, &run.init);
            numbers.map(path).collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of_run)
    }

    /// Whether what was read could have been written: names of init segments, no empty run, and no number out of range.
    pub(crate) fn is_sound(&self) -> bool {
        let sound = |run: &Run| {
            run.init.parse::<InitId>().is_ok()
                && !run.bytes.is_empty()
                && run.first.checked_add(run.bytes.len() as u64).is_some()
        };
        let total =
            self.runs.iter().flat_map(|run| &run.bytes).try_fold(0u64, |sum, len| sum.checked_add(*len));
        self.show > 0 && !self.runs.is_empty() && self.runs.iter().all(sound) && total.is_some()
    }

    /// The same, for looking up places.
    pub fn extents(&self) -> Extents {
        let (mut ends, mut firsts, mut at) = (Vec::new(), Vec::new(), 0u64);
        for run in &self.runs {
            firsts.push(ends.len());
            for len in &run.bytes {
                at = at.saturating_add(*len);
                ends.push(at);
            }
        }
        Extents { recorded: self.clone(), ends, firsts }
    }
}

impl Extents {
    /// Which segments they are.
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// The object that has the byte `at`; `None` beyond the last one.
    pub fn find(&self, at: u64) -> Option<Extent> {
        let number = self.ends.partition_point(|end| *end <= at);
        let run = self.firsts.partition_point(|first| *first <= number).checked_sub(1)?;
        let (first, run) = (self.firsts.get(run)?, self.recorded.runs.get(run)?);
        let place = number.checked_sub(*first)?;
        let len = *run.bytes.get(place)?;
        let Recorded { stream, track, .. } = &self.recorded;
        let path = segment_path(
            &show_folder(stream, self.recorded.show()),
            track,
            Msn(run.first.saturating_add(place as u64)),
            run.fence,
            &run.init,
        );
        let end = *self.ends.get(number)?;
        Some(Extent { path, start: end.saturating_sub(len), len })
    }

    /// Bytes this takes in memory, for caches that weigh it.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + self.ends.len() * 2 * size_of::<u64>()
            + self.firsts.len() * (size_of::<usize>() + size_of::<Run>() + 8)
    }
}

/// What the bytes of a track are, worked out from the entity tags of its segments: SHA-256 of them, in order.
#[derive(Debug, Default)]
pub struct Identity(Sha256);

impl Identity {
    /// Adds the next segment.
    pub fn add(&mut self, init: InitId, stored: &Stored) {
        self.0.update(init.to_string());
        self.0.update(stored.len.to_le_bytes());
        self.0.update(ETag::from(stored.tag).as_str());
    }

    /// The hash.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The folder of a show in the store: `live/<stream>/<show>`.
pub fn show_folder(stream: &StreamName, show: ShowId) -> String {
    format!("live/{stream}/{show}")
}

/// A segment of a track in the folder of its show, that somebody wrote under a fence. Numbers have leading zeros, so that a list of
/// names is in their order.
pub fn segment_path(
    folder: &str,
    track: &RenditionName,
    msn: Msn,
    fence: u64,
    init: &dyn std::fmt::Display,
) -> String {
    format!("{folder}/{track}/{:010}-{fence}-{init}.m4s", msn.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::ETag;

    fn stored(len: u64, fence: Option<u64>) -> Stored {
        let tag = ETag::of_pieces(&[bytes::Bytes::from(len.to_string())]).bits().unwrap();
        Stored { len, tag, fence }
    }

    fn recorded() -> Recorded {
        let mut recorded = Recorded::new("gala".parse().unwrap(), ShowId(7), "video-720".parse().unwrap());
        let [one, two]: [InitId; 2] = ["5f0c9a31", "00000001"].map(|id| id.parse().unwrap());
        assert!(recorded.push(Msn(40), one, stored(10, Some(1))));
        assert!(recorded.push(Msn(41), one, stored(20, Some(1))));
        assert!(recorded.push(Msn(42), one, stored(30, Some(2))));
        assert!(!recorded.push(Msn(43), one, stored(30, None)), "it lies on one machine");
        assert!(recorded.push(Msn(44), one, stored(40, Some(2))));
        assert!(recorded.push(Msn(45), two, stored(50, Some(2))));
        recorded
    }

    #[test]
    fn each_byte_lies_in_the_segment_it_came_from() {
        let recorded = recorded();
        let extents = recorded.extents();
        assert_eq!(recorded.size(), 150);
        let at = |byte| extents.find(byte).map(|found| (found.path, found.start, found.len));
        let path = |file: &str| format!("live/gala/7/video-720/{file}.m4s");
        for (byte, file, start, len) in [
            (0, "0000000040-1-5f0c9a31", 0, 10),
            (9, "0000000040-1-5f0c9a31", 0, 10),
            (10, "0000000041-1-5f0c9a31", 10, 20),
            (30, "0000000042-2-5f0c9a31", 30, 30),
            (60, "0000000044-2-5f0c9a31", 60, 40),
            (149, "0000000045-2-00000001", 100, 50),
        ] {
            assert_eq!(at(byte), Some((path(file), start, len)), "{byte}");
        }
        assert_eq!(at(150), None);
        let all: Vec<String> = recorded.paths().collect();
        assert_eq!(all, [0, 10, 30, 60, 100].map(|byte| at(byte).unwrap().0));
        assert_eq!(at(u64::MAX), None);
    }

    #[test]
    fn what_nobody_could_have_written_is_unsound() {
        let good = recorded();
        assert!(good.is_sound());
        let text = serde_json::to_string(&good).unwrap();
        let again: Recorded = serde_json::from_str(&text).unwrap();
        assert_eq!(again, good);
        let wrong = |change: &dyn Fn(&mut Recorded)| {
            let mut other = good.clone();
            change(&mut other);
            other.is_sound()
        };
        assert!(!wrong(&|r| r.show = 0));
        assert!(!wrong(&|r| r.runs.clear()));
        assert!(!wrong(&|r| r.runs[0].bytes.clear()));
        assert!(!wrong(&|r| r.runs[0].init = "../../../x".into()));
        assert!(!wrong(&|r| r.runs[0].first = u64::MAX));
        assert!(!wrong(&|r| r.runs[0].bytes = vec![u64::MAX, 2]));
        let path = text.replace("\"gala\"", "\"../gala\"");
        assert!(serde_json::from_str::<Recorded>(&path).is_err());
    }

    #[test]
    fn other_segments_are_another_identity() {
        let id: InitId = "5f0c9a31".parse().unwrap();
        let of = |lens: &[u64]| {
            let mut identity = Identity::default();
            lens.iter().for_each(|len| identity.add(id, &stored(*len, Some(1))));
            identity.finish()
        };
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[1, 2]), of(&[1]));
    }
}

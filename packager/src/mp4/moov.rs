//! The movie box: which tracks there are and which samples it lists.

use mp4_atom::{Mvhd, Trex};

use super::boxes::BoxView;
use super::trak::Head;
use super::{Anomalies, entry, stbl};
use crate::Error;
use crate::index::TableBuilder;
use crate::time::Timescale;
use crate::track::Track;

/// Tracks a file may have before it is refused: one reads a table for each.
const MAX_TRACKS: usize = 64;

/// What `moov` says, with the samples it lists; fragments add theirs.
pub(super) struct Moov {
    pub(super) tracks: Vec<OpenTrack>,
    /// Defaults of fragments; empty where the file has none.
    pub(super) trex: Vec<Trex>,
    /// How many samples the file may still list.
    pub(super) budget: Budget,
    /// Whether fragments may follow.
    pub(super) fragmented: bool,
    /// Why tracks were left out, for the error when none is left.
    pub(super) refused: Vec<String>,
}

/// How many samples a file may list, in all its tracks. A few bytes can claim millions of samples that all lie in
/// the same place; no coded picture and no frame of sound is, with its entry in the tables, that small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    limit: u64,
    taken: u64,
}

impl Budget {
    fn of(object_size: u64) -> Self {
        Self { limit: object_size / 8 + 4096, taken: 0 }
    }

    /// Takes `count` samples from it.
    pub(super) fn take(&mut self, path: &'static str, count: u64) -> Result<(), Error> {
        self.taken = self.taken.saturating_add(count);
        match self.taken <= self.limit {
            true => Ok(()),
            false => Err(Error::TooLarge {
                path,
                limit: self.limit,
                unit: "samples in a file of this size",
                found: self.taken,
            }),
        }
    }
}

/// A track whose samples are still being gathered.
pub(super) struct OpenTrack {
    head: Head,
    pub(super) samples: TableBuilder,
}

impl Moov {
    pub(super) fn read(
        moov: &BoxView<'_>,
        object_size: u64,
        anomalies: &mut Anomalies,
    ) -> Result<Self, Error> {
        let mvhd: Mvhd = moov.required("moov", b"mvhd")?.read()?;
        let movie_scale = Timescale::new(mvhd.timescale);
        let budget = Budget::of(object_size);
        let mut found =
            Self { tracks: Vec::new(), trex: Vec::new(), budget, fragmented: false, refused: Vec::new() };
        let mut seen = 0usize;
        for child in moov.children("moov") {
            let child = child?;
            match &child.kind {
                b"trak" => {
                    seen += 1;
                    few_enough(seen)?;
                    match OpenTrack::read(&child, movie_scale, object_size, &mut found.budget, anomalies)? {
                        Ok(track) => found.tracks.push(track),
                        Err(refusal) => {
                            anomalies.note(format!("track {seen} left out: {refusal}"));
                            found.refused.push(refusal);
                        }
                    }
                }
                b"mvex" => {
                    found.fragmented = true;
                    for default in child.children("moov/mvex") {
                        let default = default?;
                        if &default.kind == b"trex" {
                            found.trex.push(default.read()?);
                            // Each fragment looks for its own among them.
                            few_enough(found.trex.len())?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

fn few_enough(tracks: usize) -> Result<(), Error> {
    match tracks <= MAX_TRACKS {
        true => Ok(()),
        false => Err(Error::TooLarge {
            path: "moov",
            limit: MAX_TRACKS as u64,
            unit: "tracks",
            found: tracks as u64,
        }),
    }
}

impl OpenTrack {
    fn read(
        trak: &BoxView<'_>,
        movie_scale: Option<Timescale>,
        object_size: u64,
        budget: &mut Budget,
        anomalies: &mut Anomalies,
    ) -> Result<Result<Self, entry::Refusal>, Error> {
        let (head, stbl) = match Head::read(trak, movie_scale, anomalies)? {
            Ok(read) => read,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut samples = TableBuilder::default();
        stbl::read(&stbl, object_size, budget, &mut samples)?;
        Ok(Ok(Self { head, samples }))
    }

    /// Its number in the file.
    pub(super) fn id(&self) -> u32 {
        self.head.id
    }

    /// The finished track; `None` without a sample.
    pub(super) fn finish(self, anomalies: &mut Anomalies) -> Option<Track> {
        let edit = self.head.edit;
        let first = i64::from(self.samples.first_offset());
        let decode = i64::try_from(self.samples.start()).ok()?;
        // The first sample's place on the presentation timeline; what lies before zero is decoded but not shown.
        let placed = decode.saturating_add(first).saturating_sub(edit.media_time).saturating_add(edit.delay);
        let start = placed.max(0);
        let Ok(skip) = u32::try_from((-placed).max(0)) else {
            anomalies.note("edit list left out: it starts more than 2^32 ticks into the media".to_owned());
            return None;
        };
        let lead = self.samples.first_offset();
        let samples = self.samples.finish(start.unsigned_abs(), lead)?;
        if !samples.all_sync() && !self.head.kind.is_video() {
            anomalies.note("audio has samples that cannot be decoded alone".to_owned());
        }
        let Head { kind, timescale, language, decoding, .. } = self.head;
        Some(Track { kind, timescale, language, decoding, skip, samples })
    }
}

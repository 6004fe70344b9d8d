//! What mp4box.js reads in the fragments of a rendition.

use std::ffi::OsStr;

use serde_json::Value;

use super::hls::Rendition;
use crate::rig::tool;

/// A rendition's fragments.
#[derive(Debug, Clone)]
pub struct Fragments {
    /// Ticks per second.
    pub timescale: i64,
    /// The media time at which the edit list starts the presentation.
    pub shown_from: i64,
    /// `vide` or `soun`.
    pub handler: String,
    /// The segments in order.
    pub segments: Vec<SegmentBoxes>,
}

/// What the fragments of one segment say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentBoxes {
    /// Decode time of the first sample (tfdt).
    pub time: i64,
    /// Sum of the sample durations.
    pub duration: i64,
    /// How many samples.
    pub samples: i64,
    /// Whether the first sample is a sync sample.
    pub starts_with_sync: bool,
    /// Composition times in decoding order.
    pub times: Vec<i64>,
    /// Composition offset of the first sample.
    pub first_offset: i64,
}

impl Fragments {
    /// Has mp4box.js parse `rendition`.
    ///
    /// # Panics
    /// When it cannot, or a fragment contradicts itself: declared sizes that are not those of its data, a base other
    /// than moof, fragments of a segment that do not follow each other.
    #[must_use]
    pub fn of(rendition: &Rendition) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = rendition.write_parts(dir.path());
        let read: Value =
            serde_json::from_slice(&tool::bytes(tool::oracle("fragments.mjs").args(files))).unwrap();
        let segments = read["segments"].as_array().unwrap().iter().map(segment).collect();
        Self {
            timescale: read["timescale"].as_i64().unwrap(),
            shown_from: read["shownFrom"].as_i64().unwrap(),
            handler: read["handler"].as_str().unwrap().to_owned(),
            segments,
        }
    }

    /// When each sample is presented, in seconds and in decoding order; before zero where the edit list hides it.
    #[must_use]
    pub fn presented(&self) -> Vec<f64> {
        let seconds = |time: &i64| (time - self.shown_from) as f64 / self.timescale as f64;
        self.segments.iter().flat_map(|segment| &segment.times).map(seconds).collect()
    }

    /// When the first sample that is shown is presented, in seconds.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.presented().into_iter().fold(f64::INFINITY, f64::min).max(0.0)
    }

    /// When each segment but the first starts to be presented, in seconds.
    #[must_use]
    pub fn boundaries(&self) -> Vec<f64> {
        let start = |segment: &SegmentBoxes| segment.time + segment.first_offset - self.shown_from;
        self.segments.iter().skip(1).map(|segment| start(segment) as f64 / self.timescale as f64).collect()
    }

    /// How much of the start is never shown, in ticks: samples that only prepare the decoder, which the edit list skips.
    #[must_use]
    pub fn hidden(&self) -> i64 {
        let first = &self.segments[0];
        (self.shown_from - first.time - first.first_offset).max(0)
    }

    /// All samples.
    #[must_use]
    pub fn samples(&self) -> i64 {
        self.segments.iter().map(|segment| segment.samples).sum()
    }
}

/// When the samples of a file's first track of this kind (`vide`, `soun`) are presented: seconds, in decoding order.
///
/// # Panics
/// When mp4box.js cannot read it.
pub fn presented(file: impl AsRef<OsStr>, handler: &str) -> Vec<f64> {
    let text = tool::text(tool::oracle("samples.mjs").arg(file.as_ref()).arg(handler));
    serde_json::from_str(&text).unwrap()
}

fn segment(read: &Value) -> SegmentBoxes {
    let fragments = read["fragments"].as_array().unwrap();
    assert!(!fragments.is_empty(), "a segment without a moof");
    let number = |fragment: &Value, name: &str| fragment[name].as_i64().unwrap();
    let mut end = number(&fragments[0], "time");
    for fragment in fragments {
        assert_eq!(fragment["bytes"], fragment["dataBytes"], "sample sizes do not fill mdat: {fragment}");
        assert_eq!(fragment["baseIsMoof"], true, "default-base-is-moof is not set: {fragment}");
        assert_eq!(fragment["firstByte"], true, "the data offset does not point at the data: {fragment}");
        assert_eq!(number(fragment, "time"), end, "a hole inside a segment: {fragment}");
        end += number(fragment, "duration");
    }
    SegmentBoxes {
        time: number(&fragments[0], "time"),
        duration: end - number(&fragments[0], "time"),
        samples: fragments.iter().map(|fragment| number(fragment, "samples")).sum(),
        starts_with_sync: fragments[0]["first"]["sync"] == true,
        times: fragments
            .iter()
            .flat_map(|f| f["times"].as_array().unwrap())
            .map(|t| t.as_i64().unwrap())
            .collect(),
        first_offset: fragments[0]["first"]["offset"].as_i64().unwrap(),
    }
}

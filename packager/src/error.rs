//! What can be wrong with what we are given to package.

use crate::range::ByteRange;

/// Why bytes could not be packaged. The variant says who is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object ends before a box does, or the shell fed less than was asked for.
    #[error("expected {needed:?} of an object of {size} bytes: the file is truncated")]
    Truncated {
        /// What was needed.
        needed: ByteRange,
        /// How long the object is.
        size: u64,
    },
    /// The object is not an MP4 file, or a box of it breaks the format.
    #[error("{path} at byte {offset}: {what}")]
    Malformed {
        /// The box, as a path from the file's top: `moov/trak/mdia/mdhd`.
        path: String,
        /// Where the box starts in the object.
        offset: u64,
        /// What was expected, then what was found.
        what: String,
    },
    /// The file is well-formed, but larger or stranger than we are ready to serve.
    #[error("{path}: expected at most {limit} {unit}, found {found}")]
    TooLarge {
        /// The box or table.
        path: &'static str,
        /// Our limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
        /// What the file claims.
        found: u64,
    },
    /// No track of the input can be packaged.
    #[error("expected a track of H.264 or HEVC video or AAC audio, found {found}")]
    NoTrack {
        /// What there was instead.
        found: String,
    },
    /// Two renditions cannot share one timeline.
    #[error("renditions {a} and {b}: {what}")]
    Misaligned {
        /// The reference rendition.
        a: String,
        /// The one that disagrees with it.
        b: String,
        /// In what.
        what: String,
    },
    /// A stored index or manifest is not what this version writes.
    #[error("{what}: expected {expected}, found {found}")]
    Stored {
        /// `index` or `manifest`.
        what: &'static str,
        /// What a sound one would hold.
        expected: &'static str,
        /// What this one holds.
        found: String,
    },
    /// A name breaks its rules.
    #[error("expected {expected}, found {found:?}")]
    Name {
        /// The rule.
        expected: &'static str,
        /// The text, shortened.
        found: String,
    },
}

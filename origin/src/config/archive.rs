//! The section `[archive]`.

use std::path::{Path, PathBuf};

use super::read::Section;
use super::{ByteSize, Span};

/// `[archive]`: whether shows are recorded, and what bridges a store that does not take them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Whether the segments of live shows go to the store.
    pub record: bool,
    /// Whether shows go into the catalogue when they have ended.
    pub publish: bool,
    /// For how long a show is kept after its end, and each minute of one that runs; for ever if not set.
    pub keep: Option<Span>,
    /// A folder for segments that wait for the store; none if not set.
    pub spool: Option<PathBuf>,
    /// For all of them.
    pub spool_size: ByteSize,
}

impl Default for Archive {
    fn default() -> Self {
        Self { record: true, publish: true, keep: None, spool: None, spool_size: ByteSize::mib(10 << 10) }
    }
}

impl Archive {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let default = Self::default();
        let folder =
            |text: &str| (!text.is_empty()).then(|| base.join(text)).ok_or("expected a folder, found \"\"");
        Self {
            record: section.switch("record").unwrap_or(default.record),
            publish: section.switch("publish").unwrap_or(default.publish),
            keep: section.span("keep", Span::seconds(60)..=Span::hours(24 * 3660)),
            spool: section.text("spool", folder),
            spool_size: section
                .size("spool_size", ByteSize::mib(64)..=ByteSize::mib(64 << 20))
                .unwrap_or(default.spool_size),
        }
    }
}

//! Sections of what is kept: `[store]`, `[database]`, `[cache]`.

use std::path::Path;

use super::read::Section;
use super::{ByteSize, DatabaseUrl, Span, StoreUrl};

/// `[store]`: where the objects are, and how patiently they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The place.
    pub url: StoreUrl,
    /// For one answer, with all its tries.
    pub deadline: Span,
    /// How often one question is put at most.
    pub tries: u64,
}

/// `[database]`: where the catalogue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The place.
    pub url: DatabaseUrl,
}

/// `[cache]`: what is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// For all tiers together; the process needs somewhat more.
    pub memory: ByteSize,
    /// The unit in which source objects are read and kept; a power of two.
    pub block: ByteSize,
    /// Per cent of `memory` for indexes; what costs CPU to make has as much again, blocks have the rest.
    pub index_share: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: StoreUrl::File("media".into()), deadline: Span::seconds(10), tries: 3 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: DatabaseUrl::Sqlite("forebay.db".into()) }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory: ByteSize::mib(512), block: ByteSize::kib(256), index_share: 20 }
    }
}

impl Store {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let default = Self::default();
        let StoreUrl::File(folder) = default.url;
        Self {
            url: section
                .text("url", |text| StoreUrl::parse(text, base))
                .unwrap_or_else(|| StoreUrl::File(base.join(folder))),
            deadline: section
                .span("deadline", Span::millis(100)..=Span::seconds(300))
                .unwrap_or(default.deadline),
            tries: section.number("tries", 1..11).unwrap_or(default.tries),
        }
    }
}

impl Database {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let DatabaseUrl::Sqlite(file) = Self::default().url;
        let url = section.text("url", |text| DatabaseUrl::parse(text, base));
        Self { url: url.unwrap_or_else(|| DatabaseUrl::Sqlite(base.join(file))) }
    }
}

impl Cache {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        let default = Self::default();
        let (least, most) = (ByteSize::kib(16), ByteSize::mib(16));
        let block = section.size("block", least..=most).unwrap_or(default.block);
        if !block.as_u64().is_power_of_two() {
            section.fault("block", format!("expected a power of two such as \"256KiB\", found {block}"));
        }
        Self {
            memory: section
                .size("memory", ByteSize::mib(16)..=ByteSize::mib(1 << 20))
                .unwrap_or(default.memory),
            block,
            index_share: section.number("index_share", 1..41).unwrap_or(default.index_share),
        }
    }
}

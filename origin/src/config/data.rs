//! Sections of what is kept: `[store]`, `[database]`, `[cache]`.

use std::path::{Path, PathBuf};

use super::read::Section;
use super::{ByteSize, DatabaseUrl, Span, StoreUrl, bucket, files};

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

/// `[database]`: where the catalogue is; all but the place is of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The place.
    pub url: DatabaseUrl,
    /// The file of the password, where it does not stand in the place.
    pub password_file: Option<PathBuf>,
    /// Open connections.
    pub connections: u64,
    /// For a connection to be free, and for a new one to be made.
    pub connect_timeout: Span,
    /// For one statement.
    pub statement_timeout: Span,
    /// Within it, for what another one holds.
    pub lock_timeout: Span,
}

/// `[cache]`: what is kept in memory and on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// For all tiers together; the process needs somewhat more.
    pub memory: ByteSize,
    /// The unit in which source objects are read and kept; a power of two.
    pub block: ByteSize,
    /// Per cent of `memory` for indexes; what costs CPU to make has as much again, blocks have the rest.
    pub index_share: u64,
    /// What is read from the store before it is asked for, at once.
    pub prefetch: ByteSize,
    /// A folder for blocks of source objects under those in memory; none if not set.
    pub disk: Option<PathBuf>,
    /// For all of them.
    pub disk_size: ByteSize,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: StoreUrl::File("media".into()), deadline: Span::seconds(10), tries: 3 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::at(DatabaseUrl::Sqlite("forebay.db".into()))
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(512),
            block: ByteSize::kib(256),
            index_share: 20,
            prefetch: ByteSize::mib(32),
            disk: None,
            disk_size: ByteSize::mib(10 << 10),
        }
    }
}

impl Store {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let default = Self::default();
        let mut url = section
            .text("url", |text| StoreUrl::parse(text, base))
            .unwrap_or_else(|| StoreUrl::File(base.join("media")));
        // Read whatever the place is, so that what is wrong in them is told.
        let reach = bucket::Reach::read(section, base);
        if let StoreUrl::S3(bucket) = &mut url {
            bucket.reach(reach);
        }
        Self {
            url,
            deadline: section
                .span("deadline", Span::millis(100)..=Span::seconds(300))
                .unwrap_or(default.deadline),
            tries: section.number("tries", 1..11).unwrap_or(default.tries),
        }
    }
}

impl Database {
    /// The default in all but the place.
    pub fn at(url: DatabaseUrl) -> Self {
        Self {
            url,
            password_file: None,
            connections: 10,
            connect_timeout: Span::seconds(2),
            statement_timeout: Span::seconds(5),
            lock_timeout: Span::seconds(2),
        }
    }

    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let url = section.text("url", |text| DatabaseUrl::parse(text, base));
        let default = Self::at(url.unwrap_or_else(|| DatabaseUrl::Sqlite(base.join("forebay.db"))));
        let file = |text: &str| files::password(&base.join(text)).map(|_| base.join(text));
        let password_file = section.text("password_file", file);
        if password_file.is_some()
            && let DatabaseUrl::Postgres(url) = &default.url
            && url.password.is_some()
        {
            section.fault("password_file", "expected one password, found another one in url");
        }
        let span = |key, bounds, default| section.span(key, bounds).unwrap_or(default);
        Self {
            password_file,
            connections: section.number("connections", 1..1001).unwrap_or(default.connections),
            connect_timeout: span(
                "connect_timeout",
                Span::millis(100)..=Span::seconds(60),
                default.connect_timeout,
            ),
            statement_timeout: span(
                "statement_timeout",
                Span::millis(100)..=Span::seconds(300),
                default.statement_timeout,
            ),
            lock_timeout: span("lock_timeout", Span::millis(10)..=Span::seconds(300), default.lock_timeout),
            url: default.url,
        }
    }
}

impl Cache {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let default = Self::default();
        let folder =
            |text: &str| (!text.is_empty()).then(|| base.join(text)).ok_or("expected a folder, found \"\"");
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
            prefetch: section
                .size("prefetch", ByteSize::bytes(0)..=ByteSize::mib(1 << 20))
                .unwrap_or(default.prefetch),
            disk: section.text("disk", folder),
            disk_size: section
                .size("disk_size", ByteSize::mib(64)..=ByteSize::mib(64 << 20))
                .unwrap_or(default.disk_size),
        }
    }
}

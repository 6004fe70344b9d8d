//! The object store: reads with a deadline, a bounded number of tries, and counters.
//!
//! Whoever writes objects uses the [`ObjectStore`] itself, see [`Store::objects`]; serving only reads.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use packager::range::ByteRange;

use crate::metrics::{Metrics, StoreOperation};

mod error;
mod open;

pub use error::{StoreError, StoreFault};
pub use open::OpenError;

/// How long and how often the store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For one answer, with all its tries. A read that streams for longer is cut.
    pub deadline: Duration,
    /// How often one question is put at most; at least once.
    pub tries: u32,
    /// The wait before the second try; each further one is twice as long as the one before it.
    pub pause: Duration,
}

impl Default for Patience {
    /// Ten seconds, three tries, 50 ms.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), tries: 3, pause: Duration::from_millis(50) }
    }
}

/// Which content an object had: its ETag or, where the store has none, its time of change. Two versions are
/// equal exactly when the store says so; not comparable between stores.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// The version as text; no meaning but equality.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the store knows of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The last part of its path.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Of its content.
    pub version: Version,
    /// When it was last changed, in milliseconds since 1970-01-01 UTC by the store's clock.
    pub modified_ms: i64,
}

/// A store that is read from. Clones share it.
///
/// All calls are cancel-safe: they only read.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Of a store that is a folder of this machine.
    root: Option<PathBuf>,
    patience: Patience,
    metrics: Arc<Metrics>,
}

impl Store {
    /// A store over whatever holds the objects.
    pub fn new(objects: Arc<dyn ObjectStore>, patience: Patience, metrics: Arc<Metrics>) -> Self {
        Self { objects, root: None, patience, metrics }
    }

    /// The objects themselves, for those who write.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Size and version of one object. A folder is [`StoreFault::NotFound`].
    pub async fn head(&self, path: &str) -> Result<Object, StoreError> {
        let path = located(path)?;
        let ask = || async { Ok((described(&self.objects.head(&path).await?), 0)) };
        self.ask(StoreOperation::Head, path.as_ref(), ask).await
    }

    /// Bytes of one object, exactly as many as asked for: a range that reaches beyond the end of the object
    /// is [`StoreFault::Other`]. An empty range reads nothing and asks nobody.
    pub async fn read(&self, path: &str, range: ByteRange) -> Result<Bytes, StoreError> {
        self.read_of(path, range, None).await
    }

    /// Like [`Self::read`], but only from the version that is expected; [`StoreFault::Changed`] where the
    /// object has been replaced since. Needed for objects that are not immutable by their path.
    pub async fn read_version(
        &self,
        path: &str,
        range: ByteRange,
        version: &Version,
    ) -> Result<Bytes, StoreError> {
        self.read_of(path, range, Some(version)).await
    }

    /// A whole object, refused with [`StoreFault::Other`] where it is larger than `limit` bytes.
    pub async fn read_whole(&self, path: &str, limit: u64) -> Result<Bytes, StoreError> {
        let path = located(path)?;
        let ask = || async {
            let found = self.objects.get(&path).await?;
            if found.meta.size > limit {
                return Err(error::generic(format!(
                    "expected at most {limit} bytes, found {}",
                    found.meta.size
                )));
            }
            let bytes = found.bytes().await?;
            let len = bytes.len() as u64;
            Ok((bytes, len))
        };
        self.ask(StoreOperation::Read, path.as_ref(), ask).await
    }

    /// The objects directly in a folder, in the order of their names' bytes; what lies in folders below is
    /// left out. A folder that does not exist is an empty one: object stores cannot tell them apart.
    pub async fn list_folder(&self, folder: &str) -> Result<Vec<Object>, StoreError> {
        let path = located(folder)?;
        let ask = || async {
            let found = match self.objects.list_with_delimiter(Some(&path)).await {
                Err(object_store::Error::NotFound { .. }) => Vec::new(),
                found => found?.objects,
            };
            let mut found: Vec<_> = found.iter().map(described).collect();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok((found, 0))
        };
        self.ask(StoreOperation::List, path.as_ref(), ask).await
    }

    /// The folders directly in a folder, in the order of their names' bytes. A folder that does not exist
    /// is an empty one.
    pub async fn list_folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = located(folder)?;
        let ask = || async {
            let found = match self.objects.list_with_delimiter(Some(&path)).await {
                Err(object_store::Error::NotFound { .. }) => Vec::new(),
                found => found?.common_prefixes,
            };
            let mut found: Vec<_> =
                found.iter().filter_map(|folder| Some(folder.filename()?.to_owned())).collect();
            found.sort();
            Ok((found, 0))
        };
        self.ask(StoreOperation::List, path.as_ref(), ask).await
    }

    /// Whether the store answers at all. For readiness probes.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let path = Path::from("vod");
        let ask = || async {
            if let Some(root) = &self.root {
                // A disk that is not mounted looks like a store without objects.
                tokio::fs::metadata(root).await.map_err(error::unreachable)?;
            }
            match self.objects.head(&path).await {
                Err(object_store::Error::NotFound { .. }) | Ok(_) => Ok(((), 0)),
                // The local store has no object to show for a folder.
                Err(_) if self.root.is_some() => Ok(((), 0)),
                Err(fault) => Err(fault),
            }
        };
        self.ask(StoreOperation::Head, path.as_ref(), ask).await
    }

    async fn read_of(
        &self,
        path: &str,
        range: ByteRange,
        version: Option<&Version>,
    ) -> Result<Bytes, StoreError> {
        let path = located(path)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let ask = || async {
            let asked = GetRange::Bounded(range.start()..range.end());
            let options = GetOptions { range: Some(asked), ..GetOptions::default() };
            let found = self.objects.get_opts(&path, options).await?;
            if let Some(expected) = version {
                let found = described(&found.meta).version;
                if found != *expected {
                    return Err(error::changed(path.as_ref(), expected, &found));
                }
            }
            let size = found.meta.size;
            let bytes = found.bytes().await?;
            let len = bytes.len() as u64;
            match len == range.len() {
                true => Ok((bytes, len)),
                false => {
                    Err(error::generic(format!("expected bytes {range:?}, found an object of {size} bytes")))
                }
            }
        };
        self.ask(StoreOperation::Read, path.as_ref(), ask).await
    }

    /// Asks until there is an answer, a fault that will stay, no try left, or the deadline.
    async fn ask<T, F>(
        &self,
        operation: StoreOperation,
        path: &str,
        question: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = object_store::Result<(T, u64)>>,
    {
        let started = Instant::now();
        let tries = async {
            let mut pause = self.patience.pause;
            let mut left = self.patience.tries;
            loop {
                left = left.saturating_sub(1);
                match question().await.map_err(|fault| StoreError::of(operation, path, fault)) {
                    Err(error) if error.is_transient() && left > 0 => {
                        self.metrics.store_retried();
                        tokio::time::sleep(pause).await;
                        pause = pause.saturating_mul(2);
                    }
                    answer => return answer,
                }
            }
        };
        let answer = match tokio::time::timeout(self.patience.deadline, tries).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::timeout(operation, path, self.patience.deadline)),
        };
        let (outcome, bytes) = match &answer {
            Ok((_, bytes)) => (crate::metrics::Outcome::Ok, *bytes),
            Err(error) => (error.fault().into(), 0),
        };
        self.metrics.store_answered(operation, outcome, started.elapsed(), bytes);
        answer.map(|(value, _)| value)
    }
}

fn located(path: &str) -> Result<Path, StoreError> {
    Path::parse(path).map_err(|fault| StoreError::of(StoreOperation::Head, path, fault.into()))
}

fn described(meta: &ObjectMeta) -> Object {
    let modified_ms = meta.last_modified.timestamp_millis();
    let version = match &meta.e_tag {
        Some(tag) => tag.clone(),
        None => format!("{modified_ms}-{}", meta.size),
    };
    Object {
        name: meta.location.filename().unwrap_or_default().to_owned(),
        size: meta.size,
        version: Version(version),
        modified_ms,
    }
}

#[cfg(test)]
mod tests;

//! The object store: reads with a deadline, a bounded number of tries, and counters.
//!
//! ```text
//! question ─▶ breaker ─▶ hedge ─▶ objects          twice, where it takes longer than 95 % of those before it
//!    ▲           └ open: a fault at once  │
//!    └── pause, budget ◀── transient fault┘
//! ```
//!
//! Whoever writes objects uses the [`ObjectStore`] itself, see [`Store::objects`]; serving only reads.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use packager::range::ByteRange;

use crate::metrics::{Metrics, Outcome, StoreOperation};
#[cfg(not(feature = "peers"))]
use breaker::Breaker;
use budget::Budget;
use hedge::{Asked, Hedge};
use pace::Pace;

mod breaker;
mod budget;
mod error;
mod hedge;
mod open;
mod pace;
mod reading;
#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "peers")]
pub(crate) use breaker::Breaker;
pub use error::{StoreError, StoreFault};
pub use open::OpenError;
pub use reading::Reading;

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

impl Patience {
    /// How long one try may take, so that there is time for another.
    #[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only what is far away is tried for so long"))]
    fn try_for(&self) -> Duration {
        (self.deadline / self.tries.max(1)).max(SHORTEST_TRY).min(self.deadline)
    }
}

/// Which content an object had: its ETag or, where the store has none, its time of change. Two versions are
/// equal exactly when the store says so; not comparable between stores.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// The version that another node has told of.
    #[cfg(feature = "peers")]
    pub(crate) fn of(text: String) -> Self {
        Self(text)
    }

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
#[derive(Clone)]
pub struct Store {
    /// For those who write, who are tried for by the store itself.
    objects: Arc<dyn ObjectStore>,
    /// The same, where one question is one try.
    reading: Arc<dyn ObjectStore>,
    /// Of a store that is a folder of this machine.
    root: Option<PathBuf>,
    patience: Patience,
    care: Arc<Care>,
    metrics: Arc<Metrics>,
}

impl Store {
    /// A store over whatever holds the objects.
    pub fn new(objects: Arc<dyn ObjectStore>, patience: Patience, metrics: Arc<Metrics>) -> Self {
        Self {
            reading: Arc::clone(&objects),
            objects,
            root: None,
            patience,
            care: Care::new(Arc::default()),
            metrics,
        }
    }

    /// The objects themselves, for those who write.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Whether other origins have the same: it is not a folder of this machine.
    pub fn is_shared(&self) -> bool {
        self.root.is_none()
    }

    /// Size and version of one object. A folder is [`StoreFault::NotFound`].
    pub async fn head(&self, path: &str) -> Result<Object, StoreError> {
        let path = located(path)?;
        let ask = || async { Ok((described(&self.reading.head(&path).await?), 0)) };
        self.ask(StoreOperation::Head, path.as_ref(), ask).await
    }

    /// Bytes of one object, exactly as many as asked for: a range that reaches beyond the end of the object
    /// is [`StoreFault::Other`]. An empty range reads nothing and asks nobody.
    pub async fn read(&self, path: &str, range: ByteRange) -> Result<Bytes, StoreError> {
        self.stream(path, range, None)?.all().await
    }

    /// Like [`Self::read`], but only from the version that is expected; [`StoreFault::Changed`] where the
    /// object has been replaced since. Needed for objects that are not immutable by their path.
    pub async fn read_version(
        &self,
        path: &str,
        range: ByteRange,
        version: &Version,
    ) -> Result<Bytes, StoreError> {
        self.stream(path, range, Some(version.clone()))?.all().await
    }

    /// Bytes of one object as they come: [`Self::read`] and [`Self::read_version`] in pieces. What is broken off in the middle
    /// is gone on with, of the same version.
    ///
    /// # Errors
    /// [`StoreError`] for a path that no object can have, and where the store is left alone for a moment.
    pub fn stream(
        &self,
        path: &str,
        range: ByteRange,
        version: Option<Version>,
    ) -> Result<Reading, StoreError> {
        let path = located(path)?;
        if !range.is_empty() {
            self.admit(StoreOperation::Read, path.as_ref())?;
        }
        Ok(Reading::new(self.clone(), path, range, version))
    }

    /// A whole object, refused with [`StoreFault::Other`] where it is larger than `limit` bytes.
    pub async fn read_whole(&self, path: &str, limit: u64) -> Result<Bytes, StoreError> {
        let path = located(path)?;
        let ask = || async {
            let found = self.reading.get(&path).await?;
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
            let mut found = match self.reading.list_with_delimiter(Some(&path)).await {
                Err(object_store::Error::NotFound { .. }) => Vec::new(),
                found => found?.objects,
            };
            // Some services leave it out of lists, and tell of it when they are asked for the object.
            for meta in found.iter_mut().filter(|meta| meta.e_tag.is_none()) {
                *meta = self.reading.head(&meta.location).await?;
            }
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
            let found = match self.reading.list_with_delimiter(Some(&path)).await {
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
        // What is no folder anywhere: some services are at a loss when they are asked for one.
        let path = Path::from(".ready");
        let ask = || async {
            if let Some(root) = &self.root {
                // A disk that is not mounted looks like a store without objects.
                tokio::fs::metadata(root).await.map_err(error::unreachable)?;
            }
            match self.reading.head(&path).await {
                Err(object_store::Error::NotFound { .. }) | Ok(_) => Ok(((), 0)),
                // The local store has no object to show for a folder.
                Err(_) if self.root.is_some() => Ok(((), 0)),
                Err(fault) => Err(fault),
            }
        };
        self.ask(StoreOperation::Head, path.as_ref(), ask).await
    }

    /// What 95 of 100 reads take at most until their first byte; `None` as long as too few are known.
    pub(crate) fn usual(&self) -> Option<Duration> {
        self.care.hedge.patience()
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
        self.admit(operation, path)?;
        let started = Instant::now();
        let tries = async {
            for number in 1.. {
                match question().await.map_err(|fault| StoreError::of(operation, path, fault)) {
                    Err(error)
                        if error.is_transient() && number < self.patience.tries && self.may_retry() =>
                    {
                        tokio::time::sleep(self.pause(number)).await;
                    }
                    answer => return answer,
                }
            }
            Err(StoreError::timeout(operation, path, self.patience.deadline))
        };
        let answer = match tokio::time::timeout(self.patience.deadline, tries).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::timeout(operation, path, self.patience.deadline)),
        };
        let (outcome, bytes) = match &answer {
            Ok((_, bytes)) => (crate::metrics::Outcome::Ok, *bytes),
            Err(error) => (error.fault().into(), 0),
        };
        self.learns(&answer.as_ref().map(drop));
        self.answered(operation, outcome, started.elapsed(), bytes);
        answer.map(|(value, _)| value)
    }

    /// Whether the store is asked at all.
    fn admit(&self, operation: StoreOperation, path: &str) -> Result<(), StoreError> {
        if self.care.breaker.admits() {
            return Ok(());
        }
        self.metrics.store_spared();
        Err(StoreError::spared(operation, path))
    }

    /// Whether what failed may be asked again. Counted.
    fn may_retry(&self) -> bool {
        let may = self.care.retries.spend();
        if may {
            self.metrics.store_retried();
        }
        may
    }

    /// The wait before a try, from the second on: twice as long each time, and longer where the store says so.
    fn pause(&self, tried: u32) -> Duration {
        let usual = self.patience.pause.saturating_mul(1 << tried.saturating_sub(1).min(16));
        usual.max(self.care.pace.wait())
    }

    /// Asks, a second time if that takes unusually long.
    async fn hedged<T, F>(&self, question: impl Fn() -> F) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let (answer, asked) = self.care.hedge.ask(question).await;
        if asked == Asked::Twice {
            self.metrics.store_hedged();
        }
        if answer.is_ok() {
            // Bytes may follow for as long as their reader takes; that it answers is known now.
            self.learns(&Ok(()));
        }
        answer
    }

    /// What an answer says of the store, not of the object.
    fn learns(&self, answer: &Result<(), &StoreError>) {
        let is_answered = answer.map_or_else(|error| !error.is_of_the_store(), |()| true);
        if is_answered {
            self.care.retries.earn();
        }
        if self.care.breaker.learns(is_answered) {
            let is_open = self.care.breaker.is_open();
            self.metrics.store_left_alone(is_open);
            match answer {
                Err(error) if is_open => tracing::error!(%error, "the store is left alone for a moment"),
                _ => tracing::info!("the store answers again"),
            }
        }
    }

    fn answered(&self, operation: StoreOperation, outcome: Outcome, took: Duration, bytes: u64) {
        self.metrics.store_answered(operation, outcome, took, bytes);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("objects", &self.objects.to_string()).finish_non_exhaustive()
    }
}

/// What is done so that a store in trouble is not made worse. One for all who ask it.
#[derive(Debug)]
struct Care {
    breaker: Breaker,
    hedge: Hedge,
    retries: Budget,
    pace: Arc<Pace>,
}

impl Care {
    fn new(pace: Arc<Pace>) -> Arc<Self> {
        Arc::new(Self {
            breaker: Breaker::default(),
            hedge: Hedge::new(),
            retries: Budget::per_cent(20),
            pace,
        })
    }
}

/// Below that, no try to a store far away would succeed on a bad day.
const SHORTEST_TRY: Duration = Duration::from_secs(1);

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

//! The archive: what of a show is in the store, who puts it there, and how it comes back.
//!
//! ```text
//! Showing ──closed segments──▶ Keeper ──▶ live/<stream>/<show>/<track>/<msn>-<fence>-<init>.m4s
//!    ▲                           │        live/<stream>/<show>/<track>/init-<init>.mp4
//!    │ kept, so let go           └──▶     live/<stream>/<show>/_index/<page>-<fence>.json, then one row in the database
//!    └── restore: pages, then what no page tells of yet
//! ```
//!
//! Each origin that has a show follows its archive, and one of them writes it. What is written is named by its fence, so a
//! holder that lost its tenure overwrites nothing; only what a committed page names counts. Live waits for none of it.

mod keeper;
mod kept;
mod path;
mod restore;
mod spool;
mod spooling;
mod sweep;
mod told;
mod warden;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutPayload};
use packager::asset::{ShowId, StreamName};
use tokio::sync::watch;
use transcoder::publishing::WorkerName;

pub(super) use keeper::Keeper;
pub(crate) use kept::{Kept, KeptError, KeptStream};
pub(super) use path::Folder;
pub(super) use restore::Restored;
pub(crate) use spool::Spool;
pub(crate) use told::Told;

use super::LiveError;
use crate::cache::Blocks;
use crate::catalog::{RecordingError, Recordings, Tenure};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// What the room needs to record shows.
pub(crate) struct Archive {
    pub(crate) recordings: Arc<dyn Recordings>,
    pub(crate) store: Store,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) spool: Option<Arc<Spool>>,
    /// Who this origin is among those that may write.
    pub(crate) holder: WorkerName,
    /// How many archives were sealed here.
    pub(crate) sealed: watch::Sender<u64>,
    /// What this origin may write.
    pub(crate) tenures: Tenures,
    pub(crate) metrics: Arc<Metrics>,
}

/// The rights to write that an origin has, so that it can let go of all of them when it ends.
#[derive(Debug, Default)]
pub(crate) struct Tenures(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    tenures: BTreeMap<(StreamName, ShowId), Tenure>,
    is_over: bool,
}

impl Tenures {
    /// Whether none is wanted any more.
    fn are_over(&self) -> bool {
        self.lock().is_over
    }

    fn add(&self, tenure: &Tenure) {
        self.lock().tenures.insert((tenure.stream.clone(), tenure.show), tenure.clone());
    }

    /// It is lost, or not needed any more.
    fn remove(&self, tenure: &Tenure) {
        let mut held = self.lock();
        let key = (tenure.stream.clone(), tenure.show);
        if held.tenures.get(&key) == Some(tenure) {
            held.tenures.remove(&key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why something of an archive could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// The store said so.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// It took no object.
    #[error("{path} cannot be written")]
    Write {
        /// Which.
        path: String,
        #[source]
        source: object_store::Error,
    },
    /// It does not tell what it has.
    #[error("{path} cannot be listed")]
    List {
        /// Which folder.
        path: String,
        #[source]
        source: object_store::Error,
    },
    /// It did not answer in time.
    #[error("{path}: expected the store to take it within {}s", WRITE.as_secs())]
    Slow {
        /// Which.
        path: String,
    },
    /// The database said so.
    #[error("the database: {0}")]
    Recordings(#[from] RecordingError),
    /// An object of it is damaged.
    #[error("{path} cannot be used")]
    Damaged {
        /// Which.
        path: String,
        #[source]
        source: packager::Error,
    },
    /// The disk of the spool.
    #[error("the spool: {0}")]
    Spool(#[from] std::io::Error),
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("holder", &self.holder).finish_non_exhaustive()
    }
}

impl Archive {
    /// Lets go of all shows that this origin writes, so that others need not wait until its time is over. It writes none any more.
    pub(in crate::live) async fn leave(&self) {
        let held = {
            let mut held = self.tenures.lock();
            held.is_over = true;
            std::mem::take(&mut held.tenures)
        };
        for tenure in held.into_values() {
            let Tenure { stream, show, .. } = &tenure;
            match tokio::time::timeout(LEAVE, self.recordings.release(&tenure)).await {
                Ok(Ok(_)) => tracing::info!(%stream, %show, "another origin may write the archive now"),
                Ok(Err(error)) => tracing::warn!(%stream, %show, %error, "an archive was not let go of"),
                Err(_) => return tracing::warn!("archives were not let go of in time"),
            }
        }
    }

    /// Puts an object. What is there already under that name is the same.
    async fn put(&self, path: String, pieces: Vec<Bytes>) -> Result<(), ArchiveError> {
        let payload: PutPayload = pieces.into_iter().collect();
        let name = object_store::path::Path::from(path.as_str());
        match tokio::time::timeout(WRITE, self.store.objects().put(&name, payload)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(ArchiveError::Write { path, source }),
            Err(_) => Err(ArchiveError::Slow { path }),
        }
    }
}

impl From<ArchiveError> for LiveError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(Arc::new(error))
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The longest that the store may take for one object.
const WRITE: Duration = Duration::from_secs(30);
/// How long an origin that ends waits for the database.
const LEAVE: Duration = Duration::from_secs(2);

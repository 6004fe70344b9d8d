//! Which revision of an asset is the published one, and how far live shows are recorded.
//!
//! The catalogue names revisions; it does not hold them. What a revision consists of stands in its
//! `asset.json` in the store, so a row is small and the only thing that ever changes.

use std::error::Error as StdError;
use std::fmt::Debug;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};

#[cfg(test)]
pub(crate) mod conformance;
mod memory;
pub(crate) mod recordings;

pub use memory::MemoryCatalog;
pub use recordings::{MemoryRecordings, Recording, RecordingError, Recordings, Span, Tenure, Use};

/// The port to the catalogue. [`MemoryCatalog`] is one implementation, the databases in [`crate::db`] are
/// the others; all of them pass one suite of tests.
///
/// Every call may wait on a database. Whoever serves requests keeps what it learnt and asks for an asset at
/// most once a second: the catalogue itself remembers nothing.
///
/// All calls only read and are cancel-safe.
#[async_trait]
pub trait Catalog: Debug + Send + Sync {
    /// The revision of `asset` that viewers get now, or `None` where nothing was ever published under
    /// that name.
    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, CatalogError>;

    /// The published assets in the order of their names' bytes, at most `limit` of them, beginning after
    /// the name `after`. Fewer than `limit` means that there are no more.
    async fn list(&self, after: Option<&AssetName>, limit: u32) -> Result<Vec<Published>, CatalogError>;

    /// Whether the catalogue can answer now, as cheaply as that can be known. For readiness probes.
    async fn ready(&self) -> Result<(), CatalogError>;
}

/// One line of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The asset.
    pub asset: AssetName,
    /// Its current revision.
    pub revision: Revision,
}

/// Why the catalogue gave no answer. Both kinds are the server's fault, never the viewer's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The database cannot be reached, is locked or refuses; trying again later may help.
    #[error("the catalogue is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A row holds what no version of this program writes; a human must look.
    #[error("the catalogue holds a bad row for {asset:?}")]
    Corrupt {
        /// The asset's name as it stands in the row.
        asset: String,
        /// What is wrong with the row.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

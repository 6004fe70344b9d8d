//! From a URL to a store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;

use super::{Patience, Store};
use crate::config::StoreUrl;
use crate::metrics::Metrics;

/// Why there is no store at a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder is not there, is no folder, or may not be entered.
    #[error("store: expected a folder that can be read at {path}")]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The store refuses its settings.
    #[error("store: {url}")]
    Settings {
        /// Which store.
        url: StoreUrl,
        /// What it said.
        #[source]
        source: object_store::Error,
    },
}

impl Store {
    /// Opens the store at `url`, which must be there. Blocks on the disk.
    pub fn open(url: &StoreUrl, patience: Patience, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let StoreUrl::File(path) = url;
        let unusable = |source| OpenError::Folder { path: path.clone(), source };
        std::fs::read_dir(path).map_err(unusable)?;
        let settings = |source| OpenError::Settings { url: url.clone(), source };
        let objects = LocalFileSystem::new_with_prefix(path).map_err(settings)?;
        let store = Self::new(Arc::new(objects), patience, metrics);
        Ok(Self { root: Some(path.clone()), ..store })
    }

    /// Opens the store at `url` to write to it; a folder that is not there yet is made. Blocks on the disk.
    pub fn create(url: &StoreUrl, patience: Patience, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let StoreUrl::File(path) = url;
        std::fs::create_dir_all(path).map_err(|source| OpenError::Folder { path: path.clone(), source })?;
        Self::open(url, patience, metrics)
    }
}

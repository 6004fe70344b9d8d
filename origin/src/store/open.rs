//! From a URL to a store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;

#[cfg(feature = "s3")]
use super::{Care, Pace, s3};
use super::{Patience, Store};
use crate::config::StoreUrl;
#[cfg(feature = "s3")]
use crate::config::{Bucket, bucket_key};
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
    /// There is no key to a bucket.
    #[error("store: {place}: {what}")]
    Key {
        /// Which store.
        place: String,
        /// What was expected; never a key.
        what: String,
    },
    /// The store refuses its settings.
    #[error("store: {place}")]
    Settings {
        /// Which store.
        place: String,
        /// What it said.
        #[source]
        source: object_store::Error,
    },
}

impl Store {
    /// Opens the store at `url`. A folder must be there; a bucket is not asked before it is needed. Blocks on the disk.
    pub fn open(url: &StoreUrl, patience: Patience, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        match url {
            StoreUrl::File(path) => {
                let unusable = |source| OpenError::Folder { path: path.clone(), source };
                std::fs::read_dir(path).map_err(unusable)?;
                let settings = |source| OpenError::Settings { place: url.to_string(), source };
                let objects = LocalFileSystem::new_with_prefix(path).map_err(settings)?;
                let store = Self::new(Arc::new(objects), patience, metrics);
                Ok(Self { root: Some(path.clone()), ..store })
            }
            #[cfg(feature = "s3")]
            StoreUrl::S3(bucket) => Self::of_bucket(bucket, patience, metrics),
            #[cfg(not(feature = "s3"))]
            StoreUrl::S3(_) => {
                Err(OpenError::Key { place: url.to_string(), what: "this build has no S3".to_owned() })
            }
        }
    }

    /// Opens the store at `url` to write to it; a folder that is not there yet is made. Blocks on the disk.
    pub fn create(url: &StoreUrl, patience: Patience, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        if let StoreUrl::File(path) = url {
            std::fs::create_dir_all(path)
                .map_err(|source| OpenError::Folder { path: path.clone(), source })?;
        }
        Self::open(url, patience, metrics)
    }

    #[cfg(feature = "s3")]
    fn of_bucket(bucket: &Bucket, patience: Patience, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let key = bucket_key(bucket.credentials.as_deref())
            .map_err(|what| OpenError::Key { place: bucket.to_string(), what })?;
        let pace = Arc::<Pace>::default();
        let open = |purpose| s3::open(bucket, &key, purpose, &pace);
        let settings = |source| OpenError::Settings { place: bucket.to_string(), source };
        let (reading, objects) = open(s3::Purpose::Reading { patience: patience.try_for() })
            .and_then(|reading| Ok((reading, open(s3::Purpose::Writing)?)))
            .map_err(settings)?;
        Ok(Self { objects, reading, root: None, patience, care: Care::new(pace), metrics })
    }
}

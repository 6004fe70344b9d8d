//! Why an asset cannot be served. Shared by all who waited for the same fill, so its causes are counted.

use std::sync::Arc;

use crate::cache::{BlockError, Lost};
use crate::catalog::CatalogError;
use crate::metrics::Outcome;
use crate::store::{StoreError, StoreFault};

/// Why an asset, or a part of it, cannot be served.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum VodError {
    /// There is no such asset, revision, rendition or segment.
    #[error("there is no such thing")]
    Absent,
    /// The media or what describes it is damaged, or not of a kind that is served.
    #[error("the asset cannot be packaged: {object}")]
    Media {
        /// The object, within the store.
        object: String,
        /// What is wrong with it.
        #[source]
        source: packager::Error,
    },
    /// The store gave no answer.
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
    /// The catalogue gave no answer.
    #[error("the catalogue failed")]
    Catalog(#[source] Arc<CatalogError>),
    /// More is on its way from the store than there is room for.
    #[error("the store is asked for as much as there is room for")]
    Busy,
    /// The fill was lost on its way.
    #[error("the fill failed")]
    Lost(#[from] Lost),
}

impl VodError {
    /// How it is counted.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Absent => Outcome::NotFound,
            Self::Store(error) => error.fault().into(),
            Self::Catalog(_) | Self::Busy => Outcome::Unavailable,
            Self::Media { .. } | Self::Lost(_) => Outcome::Failed,
        }
    }

    /// The error with its causes on one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        text
    }
}

impl From<StoreError> for VodError {
    fn from(error: StoreError) -> Self {
        match error.fault() {
            StoreFault::NotFound => Self::Absent,
            _ => Self::Store(Arc::new(error)),
        }
    }
}

impl From<BlockError> for VodError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Store(error) => Self::Store(error),
            BlockError::Busy => Self::Busy,
            BlockError::Lost(lost) => Self::Lost(lost),
        }
    }
}

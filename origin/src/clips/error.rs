//! Why a clip could not be made, listed or removed.

use packager::asset::AssetName;

use crate::catalog::RecordingError;
use crate::live::LiveError;
use crate::store::StoreError;

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClipError {
    /// There is no such show, or it was not recorded.
    #[error("no such show was recorded")]
    NoShow,
    /// There is no such clip.
    #[error("{0}: expected a clip, found none")]
    NoClip(AssetName),
    /// Its end is not after its beginning.
    #[error("expected an end after the beginning, found none")]
    Empty,
    /// The show has nothing there.
    #[error("expected something that the show recorded, found nothing there; {known}")]
    Nothing {
        /// What it has.
        known: String,
    },
    /// There is an asset of that name already.
    #[error("{0}: expected a new name, found an asset")]
    Taken(AssetName),
    /// A show is called so that no asset can be.
    #[error("expected a name for the clip")]
    Name(#[source] packager::Error),
    /// The pages that it is made of expired in the meantime.
    #[error("expected what the show recorded there to be kept, found it expired")]
    Expired,
    /// Its segments do not fit together.
    #[error("{what}")]
    Unfit {
        /// Why.
        what: String,
    },
    /// Something else was published under its name first.
    #[error("{0}: something newer was published under that name")]
    Superseded(AssetName),
    /// The room of live shows said so.
    #[error("the show: {0}")]
    Live(#[from] LiveError),
    /// The store said so.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The database said so.
    #[error("the database: {0}")]
    Recordings(#[from] RecordingError),
    /// The catalogue or the store said so.
    #[error(transparent)]
    Publishing(#[from] transcoder::Error),
    /// The process is ending.
    #[error("the process is ending")]
    Ending,
}

impl From<packager::Error> for ClipError {
    fn from(error: packager::Error) -> Self {
        Self::Unfit { what: error.to_string() }
    }
}

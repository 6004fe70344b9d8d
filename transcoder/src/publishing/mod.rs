//! The ports to the catalogue: [`Publishing`], through which a revision becomes the one that is served; [`Shows`], through
//! which a live stream gets its timelines; [`StreamKeys`], through which its publishers are admitted; and [`Leases`],
//! through which workers agree on who works on it.
//!
//! ```text
//!  begin(asset) ─▶ 7        a number that was never given before, for this asset
//!  … objects are put under vod/<asset>/7/ …
//!  publish(asset, 7) ─▶ Current       7 is served from now on
//!                    ─▶ Superseded    8 was published meanwhile, and stays
//!  withdraw(asset)                     nothing is served, until 9 is begun and published
//! ```
//!
//! Two jobs may work on one asset at the same time: the later-begun one wins, whatever the order in which they end.

#[doc(hidden)]
pub mod conformance;
mod keys;
mod leases;
mod memory;
mod rules;
mod shows;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};

use crate::Error;

#[doc(hidden)]
pub use keys::conformance as stream_keys_conformance;
pub use keys::{
    Admission, Fingerprint, KeyRefusal, KeyState, Label, MAX_LIFETIME, MemoryStreamKeys, NOTED_EVERY, NewKey,
    StreamKey, StreamKeyId, StreamKeys, StreamSecret,
};
#[doc(hidden)]
pub use leases::conformance as leases_conformance;
pub use leases::{
    Fence, Hold, Keeper, Lease, Leases, MAX_TTL, MIN_TTL, MemoryLeases, Renewal, WorkerName, check_ttl,
};
pub use memory::MemoryPublishing;
#[doc(hidden)]
pub use shows::conformance as shows_conformance;
pub use shows::{Anchor, MAX_MEDIA_MS, MemoryShows, Opening, Show, Shows};

/// Where revisions are counted and published. [`conformance::run`] tests an implementation.
///
/// An error says that the call had no effect and will have none, or that it took full effect: an implementation does
/// not return while an update may still be under way. Callers find out which of the two by [`Self::current`]. Every call ends in bounded time, also where
/// the database does not answer.
#[async_trait]
pub trait Publishing: Send + Sync {
    /// A fresh revision of the asset: larger than every one given before, also where those were never published.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn begin(&self, asset: &AssetName) -> Result<Revision, Error>;

    /// Makes a revision the current one, in one guarded update: it takes effect only if no newer revision was
    /// published, and the asset was not withdrawn since it was begun. Publishing the current revision again is [`Published::Current`] and changes nothing.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a revision that was not begun.
    async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error>;

    /// Has nothing of the asset served any more. All that was begun so far is superseded, also what is not published yet: only a
    /// revision that is begun after this brings the asset back, and it gets a number as if nothing had happened. `true` for the one
    /// call that did it; `false` where nothing was served, and nothing changes.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error>;

    /// Whether the asset was withdrawn, and nothing of it was published since.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error>;

    /// The revision that is served; `None` before the first, and after it was withdrawn.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error>;
}

/// What became of a revision that was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Published {
    /// It is the current one.
    Current,
    /// A newer one was published first, and stays; or the asset was withdrawn since this one was begun.
    Superseded,
}

//! Video on demand: from an asset's name to a presentation, and from a presentation to bytes.
//!
//! ```text
//! name ──pointer tier (1 s)──▶ revision ──index tier──▶ LoadedAsset ──Plan──▶ block tier ──▶ pieces
//!          │ catalogue, else                 │ asset.json + .idx, else
//!          ▼ a folder of MP4 files           ▼ the boxes of the files
//! ```
//!
//! While the catalogue does not answer, or the store that a folder lies in, a name means what it meant when it last did.

mod body;
mod error;
#[cfg(feature = "daemon")]
mod export;
mod load;
mod media;
mod places;
mod playlist;
mod purge;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use packager::asset::{AssetName, RenditionName, Revision};
use packager::presentation::{Presentation, Rendition};
use packager::segment::{ETag, init_segment};
use packager::time::MediaTime;

pub(crate) use error::VodError;
#[cfg(feature = "daemon")]
pub(crate) use export::Export;
pub(crate) use media::MediaStream;
pub(crate) use places::Purge;

use body::Body;

use crate::cache::{self, Blocks, Budget, Ledger, ObjectRef, Pointers, Rules, Supply, Tiered};
use crate::catalog::{Catalog, CatalogError};
use crate::config;
use crate::metrics::{CacheResult, Metrics, Outcome, Tier};
use crate::store::{Store, StoreFault};
use crate::text::Text;

/// Where the current revision of an asset comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Current {
    /// The catalogue names it.
    Published(Revision),
    /// A folder that nobody registered: the revision is a hash of what lies in it.
    Folder(Revision, Arc<Vec<ObjectRef>>),
    /// There is no such asset.
    Absent,
}

/// A revision that is ready to be served.
pub(crate) struct LoadedAsset {
    pub(crate) revision: Revision,
    pub(crate) presentation: Presentation,
    bodies: Vec<Body>,
    /// Init segments, in the order of the renditions: under a kilobyte each, and asked for by every viewer.
    inits: Vec<(Bytes, ETag)>,
}

impl LoadedAsset {
    fn new(
        asset: &AssetName,
        revision: Revision,
        presentation: Presentation,
        bodies: Vec<Body>,
    ) -> Result<Self, VodError> {
        let init = |rendition: &Arc<Rendition>| {
            let fault = |source| VodError::Media { object: rendition.name().to_string(), source };
            let bytes = init_segment(rendition).map_err(fault)?;
            Ok((Bytes::from(bytes), ETag::of_init(rendition)))
        };
        let inits = presentation.renditions().iter().map(init).collect::<Result<_, VodError>>()?;
        let placed = |(number, body): (usize, Body)| {
            let Body::Object(object) = body else { return body };
            let mut made = presentation.renditions().iter().filter(|rendition| rendition.object() == number);
            let only = made.next().filter(|_| made.next().is_none()).map(|rendition| rendition.name());
            Body::Object(Arc::new(object.as_ref().clone().at(places::objects(asset, &revision, only))))
        };
        let bodies = bodies.into_iter().enumerate().map(placed).collect();
        Ok(Self { revision, presentation, bodies, inits })
    }

    /// A rendition and its init segment with the tag.
    pub(crate) fn init(&self, name: &RenditionName) -> Result<(&Arc<Rendition>, &Bytes, &ETag), VodError> {
        let both = self.presentation.renditions().iter().zip(&self.inits);
        let found = both
            .filter(|(rendition, _)| rendition.name() == name)
            .map(|(r, (bytes, tag))| (r, bytes, tag))
            .next();
        found.ok_or(VodError::Absent)
    }

    fn weight(&self) -> usize {
        self.presentation.weight()
            + self.inits.iter().map(|(bytes, _)| bytes.len() + 128).sum::<usize>()
            + self.bodies.iter().map(Body::weight).sum::<usize>()
    }

    fn body_of(&self, rendition: &Rendition) -> Result<&Body, VodError> {
        self.bodies.get(rendition.object()).ok_or(VodError::Absent)
    }
}

/// The room's state: tiers and the ports they are filled from.
pub(crate) struct Vod {
    catalog: Arc<dyn Catalog>,
    store: Store,
    metrics: Arc<Metrics>,
    target: MediaTime,
    pointers: Pointers<AssetName, Current, VodError>,
    /// Whether the catalogue did not answer when it was last asked.
    is_away: AtomicBool,
    assets: Tiered<(AssetName, Revision), Arc<LoadedAsset>, VodError>,
    texts: Tiered<playlist::Key, Arc<Text>, VodError>,
    blocks: Arc<Blocks>,
    ledger: Arc<Ledger>,
    sweeper: purge::Sweeper,
}

impl Vod {
    /// A room over `catalog`, and what blocks come from.
    pub(crate) fn new(
        catalog: Arc<dyn Catalog>,
        cache: &config::Cache,
        target: MediaTime,
        supply: Supply,
    ) -> Self {
        let budget = Budget::of(cache);
        let (ledger, metrics) = (Arc::clone(&supply.ledger), Arc::clone(&supply.metrics));
        let (store, block, ahead) = (supply.store.clone(), cache.block.as_u64(), cache.prefetch.as_u64());
        let blocks = Blocks::new(block, budget.blocks, ahead, supply);
        let (indexes, output) = (budget.indexes, budget.output);
        Self {
            catalog,
            store,
            target,
            pointers: cache::known_pointers(&ledger, &metrics, RULES),
            is_away: AtomicBool::new(false),
            assets: cache::weighed(Tier::Index, indexes, &ledger, &metrics, |a: &Arc<LoadedAsset>| {
                a.weight()
            }),
            texts: cache::weighed(Tier::Output, output, &ledger, &metrics, |t: &Arc<Text>| t.weight()),
            blocks: Arc::new(blocks),
            ledger,
            sweeper: purge::Sweeper::default(),
            metrics,
        }
    }

    /// The blocks of source objects.
    pub(crate) fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    /// The current revision of an asset, loaded.
    ///
    /// # Errors
    /// [`VodError::Absent`] where there is no such asset, others where it cannot be read.
    pub(crate) async fn current(self: &Arc<Self>, asset: &AssetName) -> Result<Arc<LoadedAsset>, VodError> {
        match self.point(asset).await? {
            Current::Absent => Err(VodError::Absent),
            Current::Published(revision) => self.load(asset, &revision, None).await,
            Current::Folder(revision, files) => self.load(asset, &revision, Some(files)).await,
        }
        .map(|(loaded, _)| loaded)
    }

    /// One revision of an asset, loaded. Former revisions of a registered asset stay available: players may still
    /// be in them.
    ///
    /// # Errors
    /// [`VodError::Absent`] where there is no such revision, others where it cannot be read.
    pub(crate) async fn revision(
        self: &Arc<Self>,
        asset: &AssetName,
        revision: &Revision,
    ) -> Result<(Arc<LoadedAsset>, CacheResult), VodError> {
        if let Some(found) = self.assets.get(&(asset.clone(), revision.clone())) {
            return Ok((found, CacheResult::Hit));
        }
        match self.point(asset).await? {
            Current::Published(current) if counted(revision) <= counted(&current) => {
                self.load(asset, revision, None).await
            }
            Current::Folder(current, files) if current == *revision => {
                self.load(asset, revision, Some(files)).await
            }
            _ => Err(VodError::Absent),
        }
    }

    async fn point(self: &Arc<Self>, asset: &AssetName) -> Result<Current, VodError> {
        let fill = || {
            let (this, asset) = (Arc::clone(self), asset.clone());
            async move { this.look_up(&asset).await }
        };
        self.pointers.get_or_fill(asset, VodError::outcome, fill).await
    }

    async fn look_up(&self, asset: &AssetName) -> Result<Current, VodError> {
        let named = self.catalog.current(asset).await;
        let outcome = match &named {
            Ok(Some(_)) => Outcome::Ok,
            Ok(None) => Outcome::NotFound,
            Err(_) => Outcome::Unavailable,
        };
        self.metrics.catalog_looked_up(outcome);
        self.tell_of(named.as_ref().err());
        if let Some(revision) = named.map_err(|e| VodError::Catalog(Arc::new(e)))? {
            return Ok(Current::Published(revision));
        }
        Ok(match load::folder(&self.store, asset).await? {
            Some((revision, files)) => Current::Folder(revision, Arc::new(files)),
            None => Current::Absent,
        })
    }

    /// Says once that the catalogue does not answer, and once that it does again: what is known is served, so no request
    /// would say it.
    fn tell_of(&self, error: Option<&CatalogError>) {
        let was_away = self.is_away.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_away => tracing::warn!(
                error = error as &dyn std::error::Error,
                "the catalogue does not answer; what is known is served"
            ),
            None if was_away => tracing::info!("the catalogue answers again"),
            _ => {}
        }
    }

    async fn load(
        self: &Arc<Self>,
        asset: &AssetName,
        revision: &Revision,
        files: Option<Arc<Vec<ObjectRef>>>,
    ) -> Result<(Arc<LoadedAsset>, CacheResult), VodError> {
        let key = (asset.clone(), revision.clone());
        let fill = || {
            let (this, (asset, revision)) = (Arc::clone(self), key.clone());
            async move {
                let started = Instant::now();
                let loaded = match files {
                    None => load::published(&this.store, &this.metrics, &asset, revision).await,
                    Some(files) => {
                        load::files(&this.store, &this.metrics, &asset, revision, &files, this.target).await
                    }
                };
                match &loaded {
                    Ok(loaded) => tracing::info!(
                        %asset, revision = %loaded.revision, renditions = loaded.presentation.renditions().len(),
                        took_ms = started.elapsed().as_millis(), "asset loaded"
                    ),
                    Err(VodError::Absent) => {}
                    Err(error) => tracing::warn!(%asset, error = %error.chain(), "asset cannot be served"),
                }
                loaded.map(Arc::new)
            }
        };
        let (loaded, result) = self.assets.get_or_fill(&key, VodError::outcome, fill).await;
        Ok((loaded?, result))
    }
}

/// An asset that was not there may be by now: that nobody can say so is the better answer.
const RULES: Rules<Current, VodError> = Rules {
    keeps: |current| *current != Current::Absent,
    is_silence: |error| match error {
        VodError::Catalog(_) => true,
        // Of a folder that cannot be listed at the moment.
        VodError::Store(error) => matches!(error.fault(), StoreFault::Unavailable | StoreFault::Timeout),
        _ => false,
    },
};

/// A revision that the catalogue counted, as a number; anything else comes after all of them.
fn counted(revision: &Revision) -> u64 {
    revision.as_str().parse().unwrap_or(u64::MAX)
}

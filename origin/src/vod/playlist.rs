//! Playlists: text that is made once for a revision, and compressed once.

use std::sync::Arc;

use packager::asset::{AssetName, RenditionName, Revision};
use packager::playlist::{media_playlist, multivariant_playlist};
use packager::presentation::Rendition;

use super::places;
use super::{LoadedAsset, Vod, VodError};
use crate::cache;
use crate::metrics::CacheResult;
use crate::text::Text;

/// Which playlist of which revision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    asset: AssetName,
    revision: Revision,
    /// None is the multivariant playlist.
    rendition: Option<RenditionName>,
}

impl cache::Key for Key {
    fn place(&self) -> String {
        match &self.rendition {
            Some(rendition) => places::playlist(&self.asset, &self.revision, rendition),
            None => places::multivariant(&self.asset),
        }
    }
}

impl Vod {
    /// The multivariant playlist of the current revision. Its URIs lead into the revision's folder.
    pub(crate) async fn multivariant(
        &self,
        asset: &AssetName,
        loaded: &Arc<LoadedAsset>,
    ) -> Result<(Arc<Text>, CacheResult), VodError> {
        let key = Key { asset: asset.clone(), revision: loaded.revision.clone(), rendition: None };
        let make = |loaded: &LoadedAsset| {
            multivariant_playlist(&loaded.presentation, &format!("{}/", loaded.revision))
        };
        self.text(key, loaded, make).await
    }

    /// The media playlist of a rendition.
    pub(crate) async fn media_playlist(
        &self,
        asset: &AssetName,
        loaded: &Arc<LoadedAsset>,
        rendition: &Arc<Rendition>,
    ) -> Result<(Arc<Text>, CacheResult), VodError> {
        let name = rendition.name().clone();
        let key = Key { asset: asset.clone(), revision: loaded.revision.clone(), rendition: Some(name) };
        let rendition = Arc::clone(rendition);
        self.text(key, loaded, move |loaded| media_playlist(&loaded.presentation, &rendition)).await
    }

    async fn text(
        &self,
        key: Key,
        loaded: &Arc<LoadedAsset>,
        make: impl FnOnce(&LoadedAsset) -> String + Send + 'static,
    ) -> Result<(Arc<Text>, CacheResult), VodError> {
        let fill = || {
            let loaded = Arc::clone(loaded);
            // Compressing a long playlist takes milliseconds.
            let work = tokio::task::spawn_blocking(move || Arc::new(Text::new(make(&loaded))));
            async move { work.await.map_err(|_| VodError::Lost(cache::Lost)) }
        };
        let (text, result) = self.texts.get_or_fill(&key, VodError::outcome, fill).await;
        Ok((text?, result))
    }
}

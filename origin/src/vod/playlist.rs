//! Playlists: text that is made once for a revision, and compressed once.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use packager::asset::{AssetName, RenditionName, Revision};
use packager::playlist::{media_playlist, multivariant_playlist};
use packager::presentation::Rendition;
use packager::segment::ETag;

use super::{LoadedAsset, Vod, VodError};

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
}

/// One body in both codings, each with its own entity tag.
pub(crate) struct Text {
    pub(crate) plain: Bytes,
    pub(crate) plain_tag: ETag,
    pub(crate) gzip: Bytes,
    pub(crate) gzip_tag: ETag,
}

/// Which playlist of which revision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    asset: AssetName,
    revision: Revision,
    /// None is the multivariant playlist.
    rendition: Option<RenditionName>,
}

impl Text {
    fn new(text: String) -> Self {
        let plain = Bytes::from(text);
        let plain_tag = ETag::of_bytes(&plain);
        let gzip_tag = plain_tag.with_suffix("gzip");
        let gzip = Bytes::from(compress(&plain));
        Self { plain, plain_tag, gzip, gzip_tag }
    }

    /// The body and its tag in a coding.
    pub(crate) fn coded(&self, coding: Coding) -> (&Bytes, &ETag) {
        match coding {
            Coding::Identity => (&self.plain, &self.plain_tag),
            Coding::Gzip => (&self.gzip, &self.gzip_tag),
        }
    }

    pub(super) fn weight(&self) -> usize {
        self.plain.len() + self.gzip.len() + 256
    }
}

/// The same bytes on every node: a fixed level, no time, no name (RFC 1952 §2.3.1).
fn compress(plain: &[u8]) -> Vec<u8> {
    let mut encoder =
        GzBuilder::new().mtime(0).write(Vec::with_capacity(plain.len() / 4 + 64), Compression::new(6));
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}

impl Vod {
    /// The multivariant playlist of the current revision. Its URIs lead into the revision's folder.
    pub(crate) async fn multivariant(
        &self,
        asset: &AssetName,
        loaded: &Arc<LoadedAsset>,
    ) -> Result<Arc<Text>, VodError> {
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
    ) -> Result<Arc<Text>, VodError> {
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
    ) -> Result<Arc<Text>, VodError> {
        let fill = || {
            let loaded = Arc::clone(loaded);
            // Compressing a long playlist takes milliseconds.
            let work = tokio::task::spawn_blocking(move || Arc::new(Text::new(make(&loaded))));
            async move { work.await.map_err(|_| VodError::Lost(crate::cache::Lost)) }
        };
        self.texts.get_or_fill(&key, VodError::outcome, fill).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compressed_body_is_the_same_each_time_and_has_its_own_tag() {
        let text = "#EXTM3U\n".repeat(100);
        let (a, b) = (Text::new(text.clone()), Text::new(text));
        assert_eq!(a.gzip, b.gzip);
        assert_ne!(a.plain_tag, a.gzip_tag);
        assert!(a.gzip_tag.as_str().ends_with("-gzip\""));
        // mtime of zero, no extra flags.
        assert_eq!(a.gzip.get(3..8), Some([0u8; 5].as_slice()));
    }
}

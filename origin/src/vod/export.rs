//! Exports: an asset, or a piece of it, as one progressive MP4, made while it is read.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use packager::export::{Assembler, Media, Need, Plan};
use packager::presentation::Rendition;
use packager::range::ByteRange;
use packager::segment::ETag;
use packager::time::MediaTime;

use super::body::{Body, BodyReader};
use super::{LoadedAsset, Vod, VodError, load};

/// A file that is there once it is asked for: its length and its tag are known, its media is not read.
pub(crate) struct Export {
    vod: Arc<Vod>,
    plan: Plan,
    tag: ETag,
    /// Where the media of each rendition lies.
    bodies: Vec<Body>,
}

/// The bytes of an export, or of a window of it, in order. Each piece of media shares the memory of a cached block.
pub(crate) struct ExportStream {
    assembler: Assembler,
    /// One for each rendition: all of them read from front to back.
    readers: Vec<BodyReader>,
    ready: VecDeque<Bytes>,
}

impl Vod {
    /// Plans what `renditions` of an asset present in `range`.
    ///
    /// # Errors
    /// [`VodError::Absent`] where they present nothing there, [`VodError::Media`] where it is too much for one file.
    pub(crate) async fn export(
        self: &Arc<Self>,
        asset: &LoadedAsset,
        renditions: Vec<Arc<Rendition>>,
        range: Range<MediaTime>,
    ) -> Result<Export, VodError> {
        let bodies = renditions.iter().map(|rendition| asset.body_of(rendition).cloned());
        let bodies = bodies.collect::<Result<_, _>>()?;
        let planned = load::on_pool(move || {
            let renditions: Vec<&Rendition> = renditions.iter().map(Arc::as_ref).collect();
            let name = renditions.first().map_or_else(String::new, |rendition| rendition.name().to_string());
            let plan =
                Plan::of(&renditions, &range).map_err(|source| VodError::Media { object: name, source })?;
            plan.map(|plan| (plan, ETag::of_export(&renditions, &range))).ok_or(VodError::Absent)
        });
        let (plan, tag) = planned.await??;
        Ok(Export { vod: Arc::clone(self), plan, tag, bodies })
    }
}

impl Export {
    /// Exact bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.plan.len()
    }

    /// What of the asset's timeline it presents.
    pub(crate) fn range(&self) -> &Range<MediaTime> {
        self.plan.range()
    }

    /// Its entity tag.
    pub(crate) fn tag(&self) -> &ETag {
        &self.tag
    }

    /// Starts to read `window` of the file. The first media bytes are there when this returns, so that a store that fails can
    /// still be answered with a status.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn stream(&self, window: ByteRange) -> Result<ExportStream, VodError> {
        let mut until = vec![0; self.bodies.len()];
        for Media { rendition, range } in self.plan.media(window) {
            if let Some(until) = until.get_mut(rendition) {
                *until = range.end().max(*until);
            }
        }
        let readers = self.bodies.iter().zip(until);
        let readers = readers.map(|(body, until)| body.reader(&self.vod.blocks, until));
        let mut stream = ExportStream {
            assembler: Assembler::new(self.plan.clone(), window),
            readers: readers.collect(),
            ready: VecDeque::new(),
        };
        // The boxes before the media are in memory; they wait while the first block comes.
        loop {
            match stream.assembler.next() {
                Need::Piece(piece) => stream.ready.push_back(piece),
                Need::Media(media) => break stream.read(media).await?,
                Need::Done => break,
            }
        }
        Ok(stream)
    }
}

impl ExportStream {
    /// The next piece; `None` at the end. Not cancel-safe: a cancelled call may lose a piece, as the answer is lost
    /// anyway.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, VodError>> {
        if let Some(piece) = self.ready.pop_front() {
            return Some(Ok(piece));
        }
        loop {
            match self.assembler.next() {
                Need::Done => return None,
                Need::Piece(piece) => return Some(Ok(piece)),
                Need::Media(media) => {
                    if let Err(error) = self.read(media).await {
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    async fn read(&mut self, Media { rendition, range }: Media) -> Result<(), VodError> {
        let reader = self.readers.get_mut(rendition).ok_or(VodError::Absent)?;
        match reader.read(range).await? {
            bytes if bytes.is_empty() => Err(VodError::Absent),
            bytes => {
                self.assembler.feed(bytes);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;

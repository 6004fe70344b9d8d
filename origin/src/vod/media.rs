//! Segments: from a plan to a stream of pieces.

use std::sync::Arc;

use bytes::Bytes;
use packager::presentation::Rendition;
use packager::range::ByteRange;
use packager::segment::{Assembler, Need, Plan};
use packager::time::Msn;

use super::body::BodyReader;
use super::{LoadedAsset, Vod, VodError};
use crate::metrics::CacheResult;

/// The pieces of a segment, or of a range of it, in order. Each shares the memory of a cached block.
pub(crate) struct MediaStream {
    assembler: Assembler,
    reader: BodyReader,
    ready: Option<Bytes>,
}

impl Vod {
    fn plan(rendition: &Rendition, msn: Msn) -> Result<Plan, VodError> {
        let fault = |source| VodError::Media { object: rendition.name().to_string(), source };
        Plan::segment(rendition, msn).map_err(fault)?.ok_or(VodError::Absent)
    }

    /// Starts to read `window` of a segment. The first media bytes are there when this returns, so that a
    /// store that fails can still be answered with a status.
    ///
    /// # Errors
    /// [`VodError::Absent`] where there is none, and those of the store.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        asset: &LoadedAsset,
        rendition: &Rendition,
        msn: Msn,
        window: ByteRange,
    ) -> Result<MediaStream, VodError> {
        let plan = Self::plan(rendition, msn)?;
        let body = asset.body_of(rendition)?;
        let until = plan.media().last().map_or(0, |range| range.end());
        let mut stream = MediaStream {
            assembler: Assembler::new(plan, window),
            reader: body.reader(&self.blocks, until),
            ready: None,
        };
        // The boxes before the media need no reading; they wait while the first block comes.
        let head = stream.next().await.transpose()?;
        if let Need::Media(range) = stream.assembler.next() {
            let bytes = stream.reader.read(range).await?;
            stream.assembler.feed(bytes);
        }
        stream.ready = head;
        self.blocks.step(&(rendition.identity(), rendition.name()), msn.0, || {
            let plan = Self::plan(rendition, Msn(msn.0.checked_add(1)?)).ok()?;
            let (first, last) = (plan.media().first()?, plan.media().last()?);
            body.first_of(ByteRange::new(first.start(), last.end()))
        });
        Ok(stream)
    }
}

impl MediaStream {
    /// Whether the first media bytes were in the cache.
    pub(crate) fn result(&self) -> Option<CacheResult> {
        self.reader.result()
    }

    /// The next piece; `None` at the end. Not cancel-safe: a cancelled call may lose a piece, as the answer is lost
    /// anyway.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, VodError>> {
        if let Some(piece) = self.ready.take() {
            return Some(Ok(piece));
        }
        loop {
            match self.assembler.next() {
                Need::Done => return None,
                Need::Piece(piece) => return Some(Ok(piece)),
                Need::Media(range) => match self.reader.read(range).await {
                    Ok(bytes) if bytes.is_empty() => return Some(Err(VodError::Absent)),
                    Ok(bytes) => self.assembler.feed(bytes),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}

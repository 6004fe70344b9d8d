//! Where the media of a rendition lies: in one object, or in the segments of a recorded show, one after another.

use std::sync::Arc;

use bytes::Bytes;
use packager::range::ByteRange;
use packager::recorded::Extents;

use super::VodError;
use crate::cache::{BlockReader, Blocks, ObjectRef};
use crate::metrics::CacheResult;

/// The media of a rendition, as one row of bytes.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// An object.
    Object(Arc<ObjectRef>),
    /// Segments of a show.
    Recorded(Arc<Extents>),
}

/// A part of a body that lies in one object.
struct Piece {
    object: Arc<ObjectRef>,
    /// Where the object begins in the body.
    start: u64,
}

/// Reads a body from front to back. Between two reads it holds nothing.
pub(super) struct BodyReader {
    blocks: Arc<Blocks>,
    body: Body,
    until: u64,
    /// The object that is being read, and where it begins.
    open: Option<(BlockReader, u64, u64)>,
    result: Option<CacheResult>,
}

impl Body {
    /// The object that has the byte `at`.
    fn at(&self, at: u64) -> Option<Piece> {
        match self {
            Self::Object(object) => Some(Piece { object: Arc::clone(object), start: 0 }),
            Self::Recorded(extents) => {
                let found = extents.find(at)?;
                let recorded = extents.recorded();
                let (stream, show, track) = (recorded.stream(), recorded.show(), recorded.track());
                // Where it was served first: there is one block for the show and for all that is made of it.
                let place = format!("/live/{stream}/{show}/{track}/");
                let object = Arc::new(ObjectRef::new(found.path, found.len, None, place));
                Some(Piece { object, start: found.start })
            }
        }
    }

    /// What of `range` lies in the object of its first byte, as a range of that.
    pub(super) fn first_of(&self, range: ByteRange) -> Option<(Arc<ObjectRef>, ByteRange)> {
        let Piece { object, start } = self.at(range.start())?;
        let within = |at: u64| at.saturating_sub(start).min(object.size);
        let range = ByteRange::new(within(range.start()), within(range.end()));
        Some((object, range))
    }

    /// Bytes this takes in memory, for caches that weigh it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Object(_) => size_of::<ObjectRef>() + 256,
            Self::Recorded(extents) => extents.weight(),
        }
    }

    /// Reads it from front to back, up to `until`.
    pub(super) fn reader(&self, blocks: &Arc<Blocks>, until: u64) -> BodyReader {
        BodyReader { blocks: Arc::clone(blocks), body: self.clone(), until, open: None, result: None }
    }
}

impl BodyReader {
    /// What the look-up of the first block came to; `None` before it.
    pub(super) fn result(&self) -> Option<CacheResult> {
        self.result
    }

    /// The first bytes of `range`: at least one, up to the end of the block they lie in. Shares the block's memory.
    ///
    /// # Errors
    /// [`VodError`] where the store has no such bytes.
    pub(super) async fn read(&mut self, range: ByteRange) -> Result<Bytes, VodError> {
        let at = range.start();
        let is_open = |(_, start, end): &(BlockReader, u64, u64)| (*start..*end).contains(&at);
        if !self.open.as_ref().is_some_and(is_open) {
            let Piece { object, start } = self.body.at(at).ok_or(VodError::Absent)?;
            let end = start.saturating_add(object.size);
            let until = self.until.min(end).saturating_sub(start);
            self.open = Some((self.blocks.reader(object, until), start, end));
        }
        let Some((reader, start, end)) = &mut self.open else { return Err(VodError::Absent) };
        let within = ByteRange::new(at.saturating_sub(*start), range.end().min(*end).saturating_sub(*start));
        let bytes = reader.read(within).await?;
        self.result = self.result.or(reader.result());
        Ok(bytes)
    }
}

//! The bytes of a rendition's segments, one after another, wherever each of them lies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;
use packager::range::ByteRange;

/// A segment on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The file.
    pub(super) path: PathBuf,
    /// Where in it.
    pub(super) range: ByteRange,
}

/// Segments in a row.
#[derive(Debug, Default)]
pub(super) struct Spool {
    parts: Vec<(u64, Part)>,
    len: u64,
    /// The file that was read last.
    open: Option<(PathBuf, File)>,
}

impl Part {
    /// Some of its bytes, counted from its start; fewer where it ends. Blocks.
    pub(super) fn read(&self, range: ByteRange, open: &mut Option<(PathBuf, File)>) -> io::Result<Bytes> {
        let file = match open {
            Some((path, file)) if *path == self.path => file,
            _ => &mut open.insert((self.path.clone(), File::open(&self.path)?)).1,
        };
        let start = self.range.start().saturating_add(range.start());
        let end = start.saturating_add(range.len()).min(self.range.end());
        if start >= end {
            return Ok(Bytes::new());
        }
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::with_capacity(usize::try_from(end.saturating_sub(start)).unwrap_or(0));
        file.take(end.saturating_sub(start)).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

impl Spool {
    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends a segment.
    pub(super) fn push(&mut self, part: Part) {
        let at = self.len;
        self.len = self.len.saturating_add(part.range.len());
        self.parts.push((at, part));
    }

    /// The bytes from `at` on: at most `most`, and of one segment alone; none at the end. Blocks.
    pub(super) fn read(&mut self, at: u64, most: u64) -> io::Result<Bytes> {
        let number = self.parts.partition_point(|(start, _)| *start <= at).checked_sub(1);
        let Some((start, part)) = number.and_then(|number| self.parts.get(number)) else {
            return Ok(Bytes::new());
        };
        part.read(ByteRange::at(at.saturating_sub(*start), most), &mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_files_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::default();
        for (name, text, range) in [("a", "0123456789", 2..5), ("b", "abc", 0..3), ("a", "", 8..10)] {
            let path = folder.path().join(name);
            if !text.is_empty() {
                std::fs::write(&path, text).unwrap();
            }
            spool.push(Part { path, range: ByteRange::new(range.start, range.end) });
        }
        assert_eq!(spool.len(), 8);
        let mut all = Vec::new();
        loop {
            let bytes = spool.read(all.len() as u64, 2).unwrap();
            if bytes.is_empty() {
                break;
            }
            all.extend(bytes);
        }
        assert_eq!(all, b"234abc89");
        assert!(spool.read(u64::MAX, 9).unwrap().is_empty());
    }
}

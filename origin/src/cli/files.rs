//! Local files as the packager's objects, for the commands that work without a daemon.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use packager::mp4::{Finder, Movie, Step};
use packager::range::ByteRange;
use sha2::{Digest, Sha256};

use super::Failure;

/// A file that is read by ranges.
pub(super) struct Media {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Media {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let fault = |e: std::io::Error| Failure::from(format!("{}: {e}", path.display()));
        let file = File::open(path).map_err(fault)?;
        let meta = file.metadata().map_err(fault)?;
        if !meta.is_file() {
            return Err(format!("{}: expected a file, found a folder or a device", path.display()).into());
        }
        Ok(Self { path: path.to_owned(), file, size: meta.len() })
    }

    /// Bytes of the file, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `range`, as far as the file has them.
    pub(super) fn read(&mut self, range: ByteRange) -> Result<Bytes, Failure> {
        let fault = |e: std::io::Error| Failure::from(format!("{}: {e}", self.path.display()));
        self.file.seek(SeekFrom::Start(range.start())).map_err(fault)?;
        let mut bytes = Vec::new();
        (&mut self.file).take(range.len()).read_to_end(&mut bytes).map_err(fault)?;
        Ok(bytes.into())
    }

    /// What the packager sees in it.
    pub(super) fn movie(&mut self) -> Result<Movie, Failure> {
        let mut finder = Finder::new(self.size);
        loop {
            match finder.step().map_err(|e| Failure::from(format!("{}: {e}", self.path.display())))? {
                Step::Found(movie) => return Ok(movie),
                Step::Need(range) => {
                    let bytes = self.read(range)?;
                    finder.feed(range.start(), bytes);
                }
            }
        }
    }

    /// The SHA-256 of the whole file.
    pub(super) fn identity(&mut self) -> Result<[u8; 32], Failure> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(hash.finalize().into()),
                n => hash.update(buffer.get(..n).unwrap_or_default()),
            }
        }
    }
}

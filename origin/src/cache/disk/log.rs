//! Blocks one after another in files of one size: a queue whose oldest file goes as a whole.
//!
//! ```text
//! main-17.blocks   main-18.blocks   main-19.blocks
//! |##############| |##############| |#####        |
//!   oldest, goes                      written to
//! ```

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::super::ledger::Epoch;
use super::super::object::ObjectId;
use super::pool::Pool;
use super::record::{HEAD, Head};

/// One file. It can be read as long as anybody has it, whether it still has a name or not.
#[derive(Debug)]
pub(super) struct Volume {
    file: File,
    path: PathBuf,
}

/// A block in a file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) volume: Arc<Volume>,
    /// Where its bytes begin.
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) sum: u32,
    pub(super) epoch: Epoch,
}

/// A file in the queue, and what was put into it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) volume: Arc<Volume>,
    pub(super) blocks: Vec<(ObjectId, u64)>,
    bytes: u64,
}

/// A queue of files.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    name: &'static str,
    /// Of all files, and of one.
    limit: u64,
    file_limit: u64,
    files: VecDeque<Kept>,
    bytes: u64,
    next: u64,
}

impl Place {
    fn of(volume: &Arc<Volume>, offset: u64, head: Head) -> Self {
        let Head { length, sum, epoch, .. } = head;
        Self { volume: Arc::clone(volume), offset, length, sum, epoch }
    }
}

impl Volume {
    /// The bytes of a block, if they are what was written.
    pub(super) fn read(&self, place: &Place, pool: &Arc<Pool>) -> io::Result<Bytes> {
        let length = usize::try_from(place.length).unwrap_or(0);
        let bytes = pool.fill(length, |buffer| self.file.read_exact_at(buffer, place.offset))?;
        match crc32fast::hash(&bytes) == place.sum {
            true => Ok(bytes),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "expected the bytes that were written, found others",
            )),
        }
    }
}

impl Log {
    /// The queue of this name in a folder, with what is there already: told to `found`, oldest first. Files are at most a
    /// sixteenth of `limit`.
    pub(super) fn open(
        folder: &Path,
        name: &'static str,
        limit: u64,
        mut found: impl FnMut(ObjectId, u64, Place),
    ) -> io::Result<Self> {
        let file_limit = (limit / 16).clamp(SMALLEST_FILE, LARGEST_FILE);
        let folder = folder.to_owned();
        let mut log = Self { folder, name, limit, file_limit, files: VecDeque::new(), bytes: 0, next: 0 };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&log.folder)? {
            numbers.extend(log.number(&entry?.path()));
        }
        numbers.sort_unstable();
        for number in numbers {
            let kept = read(&log.path(number), &mut found)?;
            log.bytes = log.bytes.saturating_add(kept.bytes);
            log.files.push_back(kept);
            log.next = number.saturating_add(1);
        }
        Ok(log)
    }

    /// Puts a block behind all others.
    pub(super) fn append(&mut self, head: Head, bytes: &[u8]) -> io::Result<Place> {
        let size = HEAD as u64 + bytes.len() as u64;
        let has_room = |kept: &Kept| kept.bytes.saturating_add(size) <= self.file_limit;
        if !self.files.back().is_some_and(has_room) {
            self.begin_file()?;
        }
        let Some(kept) = self.files.back_mut() else {
            return Err(io::Error::other("expected a file, found none"));
        };
        let start = kept.bytes;
        // In one piece, so that what is torn is torn at its end.
        let record = [&head.to_bytes(), bytes].concat();
        kept.volume.file.write_all_at(&record, start)?;
        kept.bytes = start.saturating_add(size);
        kept.blocks.push((head.object, head.number));
        self.bytes = self.bytes.saturating_add(size);
        let offset = start.saturating_add(HEAD as u64);
        Ok(Place::of(&kept.volume, offset, head))
    }

    /// Whether there is more than may be.
    pub(super) fn is_over(&self) -> bool {
        self.bytes > self.limit && self.files.len() > 1
    }

    /// Takes the oldest file out; its name is gone.
    pub(super) fn evict(&mut self) -> io::Result<Option<Kept>> {
        let Some(kept) = self.files.pop_front() else { return Ok(None) };
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        match fs::remove_file(&kept.volume.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Some(kept)),
        }
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn begin_file(&mut self) -> io::Result<()> {
        let path = self.path(self.next);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        self.next = self.next.saturating_add(1);
        self.files.push_back(Kept { volume: Arc::new(Volume { file, path }), blocks: Vec::new(), bytes: 0 });
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}-{number}{SUFFIX}", self.name))
    }

    fn number(&self, path: &Path) -> Option<u64> {
        let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
        name.strip_prefix(self.name)?.strip_prefix('-')?.parse().ok()
    }
}

/// Reads the heads of a file, up to where it is torn; what follows is cut off.
fn read(path: &Path, found: &mut impl FnMut(ObjectId, u64, Place)) -> io::Result<Kept> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let end = file.metadata()?.len();
    let volume = Arc::new(Volume { file, path: path.to_owned() });
    let (mut at, mut blocks) = (0_u64, Vec::new());
    loop {
        let mut head = [0; HEAD];
        if at.saturating_add(HEAD as u64) > end || volume.file.read_exact_at(&mut head, at).is_err() {
            break;
        }
        let Some(head) = Head::read(&head) else { break };
        let offset = at.saturating_add(HEAD as u64);
        let next = offset.saturating_add(head.length.into());
        if next > end {
            break;
        }
        found(head.object, head.number, Place::of(&volume, offset, head));
        blocks.push((head.object, head.number));
        at = next;
    }
    volume.file.set_len(at)?;
    Ok(Kept { volume, blocks, bytes: at })
}

const SUFFIX: &str = ".blocks";
const SMALLEST_FILE: u64 = 1 << 20;
const LARGEST_FILE: u64 = 1 << 30;

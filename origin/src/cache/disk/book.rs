//! What was purged, as a file: else a process that begins would serve from its disk what the one before it was told not to.
//!
//! ```text
//! 5e0c1f2a 17 below /vod/show/
//! sum      epoch    place            one line for each; the newest is the last
//! ```
//!
//! A line is written, and on the disk, before the purge is answered. What was being written when a process died is not a line,
//! and was not answered.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::super::ledger::{Epoch, Scope};

/// The file, written to.
#[derive(Debug)]
pub(super) struct Book {
    file: File,
    lines: usize,
}

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) purges: Vec<(Epoch, Scope)>,
    /// Whether a line is none, and so nobody knows what it was.
    pub(super) is_damaged: bool,
}

impl Book {
    /// What is in the file of a folder; nothing where there is none.
    pub(super) fn read(folder: &Path) -> io::Result<Told> {
        match fs::read(path(folder)) {
            Ok(bytes) => Ok(Told::of(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Told::of(b"")),
            Err(error) => Err(error),
        }
    }

    /// A file with these purges, in place of the one that is there.
    pub(super) fn begin(folder: &Path, purges: &[(Epoch, Scope)]) -> io::Result<Self> {
        let new = folder.join(NEW);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(written(purges).as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, path(folder))?;
        File::open(folder)?.sync_all()?;
        Ok(Self { file, lines: purges.len() })
    }

    /// Writes these behind all others. They are on the disk when this returns.
    pub(super) fn add(&mut self, purges: &[(Epoch, Scope)]) -> io::Result<()> {
        self.file.write_all(written(purges).as_bytes())?;
        self.lines += purges.len();
        self.file.sync_data()
    }

    /// Whether it is time to begin anew, without what has been said twice.
    pub(super) fn is_long(&self) -> bool {
        self.lines > LONG
    }
}

impl Told {
    fn of(bytes: &[u8]) -> Self {
        let mut told = Self { purges: Vec::new(), is_damaged: false };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n").map(purge) {
                Some(Some(purge)) => told.purges.push(purge),
                Some(None) => told.is_damaged = true,
                // It was being written.
                None => {}
            }
        }
        told
    }
}

fn purge(line: &[u8]) -> Option<(Epoch, Scope)> {
    let line = std::str::from_utf8(line).ok()?;
    let (sum, rest) = line.split_once(' ')?;
    if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(rest.as_bytes()) {
        return None;
    }
    let (epoch, rest) = rest.split_once(' ')?;
    let (kind, place) = rest.split_once(' ')?;
    let place = place.to_owned();
    let scope = match kind {
        "all" => Scope::All,
        "below" => Scope::Below(place),
        "at" => Scope::At(place),
        "beginning" => Scope::Beginning(place),
        _ => return None,
    };
    Some((Epoch(epoch.parse().ok()?), scope))
}

fn written(purges: &[(Epoch, Scope)]) -> String {
    let mut text = String::new();
    for (epoch, scope) in purges {
        let (kind, place) = match scope {
            Scope::All => ("all", ""),
            Scope::Below(place) => ("below", place.as_str()),
            Scope::At(place) => ("at", place.as_str()),
            Scope::Beginning(place) => ("beginning", place.as_str()),
        };
        let line = format!("{epoch} {kind} {place}");
        // Nothing fails that is written to a string.
        let _ = writeln!(text, "{:08x} {line}", crc32fast::hash(line.as_bytes()));
    }
    text
}

fn path(folder: &Path) -> PathBuf {
    folder.join("purges")
}

const NEW: &str = "purges.new";
/// Twice as many as are known at once.
const LONG: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn purges() -> Vec<(Epoch, Scope)> {
        vec![
            (Epoch(1), Scope::All),
            (Epoch(2), Scope::Below("/vod/show/".into())),
            (Epoch(3), Scope::At("/vod/a b/#".into())),
            (Epoch(1 << 60), Scope::Beginning("/vod/sh".into())),
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Book::read(folder.path()).unwrap(), Told { purges: vec![], is_damaged: false });
        let mut book = Book::begin(folder.path(), &purges()[..2]).unwrap();
        book.add(&purges()[2..3]).unwrap();
        book.add(&purges()[3..]).unwrap();
        let told = Book::read(folder.path()).unwrap();
        assert_eq!(told, Told { purges: purges(), is_damaged: false });
    }

    #[test]
    fn a_line_that_is_torn_is_none_and_one_that_is_another_is_said_to_be() {
        let text = written(&purges());
        for end in 0..text.len() {
            let told = Told::of(&text.as_bytes()[..end]);
            assert!(!told.is_damaged && purges().starts_with(&told.purges), "{end}");
        }
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            let told = Told::of(&other);
            // A last line without an end counts as torn.
            assert!(told.is_damaged || (at + 1 == text.len() && told.purges.len() == 3), "{at}");
        }
    }
}

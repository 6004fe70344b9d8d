//! Things that are costly to make and cheap to keep: made once, by whichever story needs them first, and kept in the
//! target folder under the recipe they were made by. Kept things are read, never written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::binary::{forebay, target_dir};
use super::site::Site;
use crate::inputs::ours;

/// The folder that `make` filled. `recipe` is all that its content depends on: another recipe, another folder.
///
/// # Panics
/// When `make` does.
pub fn kept(name: &str, recipe: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let shelf = target_dir().join("fixtures");
    fs::create_dir_all(&shelf).unwrap();
    let digest: String = Sha256::digest(recipe).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let (done, partial) = (shelf.join(format!("{name}.{digest}")), shelf.join(format!("{name}.partial")));
    let lock = File::create(shelf.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !done.exists() {
        let former = format!("{name}.");
        for entry in fs::read_dir(&shelf).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() && entry.file_name().unwrap().to_string_lossy().starts_with(&former) {
                fs::remove_dir_all(entry).unwrap();
            }
        }
        fs::create_dir(&partial).unwrap();
        make(&partial);
        fs::rename(&partial, &done).unwrap();
    }
    done
}

/// A site with the asset `show`: twelve seconds, transcoded by the binary under test.
///
/// # Panics
/// When the transcode fails.
#[must_use]
pub fn show() -> Site {
    let input = ours::show();
    let binary = fs::metadata(forebay()).unwrap();
    let built = binary.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let folder = kept("show", &format!("{built} {} {}", binary.len(), input.display()), |folder| {
        let site = Site::new();
        site.transcode(&input, "show").ok();
        super::tool::bytes(std::process::Command::new("cp").arg("-a").arg(site.path().join(".")).arg(folder));
    });
    Site::copy_of(&folder)
}

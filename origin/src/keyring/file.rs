//! The file that keys are kept in.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use authz::{Key, KeySet};
use zeroize::Zeroizing;

/// What a key file held.
#[derive(Debug)]
pub struct KeyFile {
    /// Its keys.
    pub keys: KeySet,
    /// What a human should mend though it works: others may read the file.
    pub warning: Option<String>,
}

/// Why a key file could not be used. No text of it holds anything of a key but its id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("key file {path}: cannot be read")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is larger than any set of keys.
    #[error("key file {path}: expected at most {limit} bytes, found more")]
    TooLarge {
        /// Which one.
        path: PathBuf,
        /// Our limit.
        limit: u64,
    },
    /// The file holds something else.
    #[error("key file {path}")]
    Content {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: authz::Error,
    },
    /// The file cannot be written.
    #[error("key file {path}: cannot be written")]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Reads a key file. Blocks on the disk.
pub fn read(path: &Path) -> Result<KeyFile, KeyFileError> {
    let unreadable = |source| KeyFileError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let warning = wider_than_its_owner(&metadata);
    // Room for all of it at once: growing would leave copies of secrets behind.
    let room = usize::try_from(metadata.len().min(LIMIT)).unwrap_or(0) + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(LIMIT + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LIMIT {
        return Err(KeyFileError::TooLarge { path: path.to_owned(), limit: LIMIT });
    }
    let content = |source| KeyFileError::Content { path: path.to_owned(), source };
    Ok(KeyFile { keys: KeySet::parse(&text).map_err(content)?, warning })
}

/// Writes a key file in one step: whoever reads meanwhile sees the former keys or the new ones, never a
/// part. Only its owner may read it (mode 0600). Blocks on the disk.
pub fn save(path: &Path, keys: &KeySet) -> Result<(), KeyFileError> {
    let unwritable = |source| KeyFileError::Write { path: path.to_owned(), source };
    let folder = folder_of(path);
    // A new file beside the old one: made with mode 0600, and a rename within one folder is one step.
    let mut file = tempfile::Builder::new().prefix(".keys-").tempfile_in(folder).map_err(unwritable)?;
    file.write_all(keys.to_json().as_bytes()).map_err(unwritable)?;
    file.as_file().sync_all().map_err(unwritable)?;
    file.persist(path).map_err(|fault| unwritable(fault.error))?;
    // Without this a power cut may bring the former file back.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
}

/// Adds a key to a key file, which is made where it is missing. Others that do the same at the same time
/// wait, so that no key is lost. Blocks on the disk.
pub fn extend(path: &Path, key: Key) -> Result<KeySet, KeyFileError> {
    let unwritable = |source| KeyFileError::Write { path: path.to_owned(), source };
    // The folder is what stays when the file is replaced. The lock ends with the handle.
    let folder = File::open(folder_of(path)).map_err(unwritable)?;
    folder.lock().map_err(unwritable)?;
    let keys = match read(path) {
        Ok(found) => found.keys.iter().cloned().collect(),
        Err(KeyFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let content = |source| KeyFileError::Content { path: path.to_owned(), source };
    let keys = KeySet::new(keys.into_iter().chain([key]).collect()).map_err(content)?;
    save(path, &keys)?;
    Ok(keys)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn wider_than_its_owner(metadata: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0)
        .then(|| format!("expected a key file of mode 0600, found {mode:04o}: others may read it"))
}

#[cfg(not(unix))]
fn wider_than_its_owner(_: &fs::Metadata) -> Option<String> {
    None
}

/// 64 keys of the longest kind fill an eighth of it.
const LIMIT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use authz::KeyId;

    use super::*;

    fn keys(id: &str) -> KeySet {
        KeySet::new(vec![Key::generate(KeyId::parse(id).unwrap(), [7; 32])]).unwrap()
    }

    #[test]
    fn a_saved_file_is_its_owners_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        save(&path, &keys("a")).unwrap();
        save(&path, &keys("b")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let found = read(&path).unwrap();
        assert!(found.keys.find("b").is_some() && found.warning.is_none());
    }

    #[test]
    fn keys_that_are_added_at_the_same_time_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("keys.json");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let key = Key::generate(KeyId::parse(&format!("k{number}")).unwrap(), [number; 32]);
                scope.spawn(move || extend(path, key).unwrap());
            }
        });
        assert_eq!(read(path).unwrap().keys.iter().count(), 8);
        let again = extend(path, Key::generate(KeyId::parse("k0").unwrap(), [9; 32]));
        assert!(matches!(again, Err(KeyFileError::Content { .. })));
        assert_eq!(read(path).unwrap().keys.iter().count(), 8);
    }

    #[test]
    fn a_file_that_others_may_read_is_warned_about() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        save(&path, &keys("a")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let warning = read(&path).unwrap().warning.unwrap();
        assert_eq!(warning, "expected a key file of mode 0600, found 0640: others may read it");
    }

    #[test]
    fn what_is_no_key_file_is_one_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        assert!(matches!(read(&path), Err(KeyFileError::Read { .. })));
        assert!(matches!(read(folder.path()), Err(KeyFileError::Read { .. })));
        fs::write(&path, "{}").unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Content { .. })));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Read { .. })));
        fs::write(&path, vec![b' '; 2 << 20]).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::TooLarge { .. })));
        assert!(matches!(
            save(&folder.path().join("no/such/keys.json"), &keys("a")),
            Err(KeyFileError::Write { .. })
        ));
    }
}

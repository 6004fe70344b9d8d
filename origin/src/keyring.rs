//! The keys that count now.
//!
//! The gate reads a snapshot, which costs no lock and no wait; a change of keys replaces the snapshot. Keys
//! that cannot be read never replace keys that could.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use authz::KeySet;

mod file;

pub use file::{KeyFile, KeyFileError, extend, read, save};

/// Holds the current [`KeySet`]. Clones share it.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: Arc<ArcSwap<KeySet>>,
}

impl Keyring {
    /// A keyring that begins with these keys.
    pub fn new(keys: KeySet) -> Self {
        Self { keys: Arc::new(ArcSwap::from_pointee(keys)) }
    }

    /// A keyring with the keys of a file; says in a warning of the log if others may read that file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let found = read(path)?;
        if let Some(warning) = found.warning {
            tracing::warn!(path = %path.display(), "{warning}");
        }
        Ok(Self::new(found.keys))
    }

    /// The keys now. Whoever decides twice about one request decides on one snapshot.
    pub fn current(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// From now on these keys count. What is being decided on the former ones is not disturbed.
    pub fn replace(&self, keys: KeySet) {
        self.keys.store(Arc::new(keys));
    }
}

#[cfg(test)]
mod tests {
    use authz::{Key, KeyId};

    use super::*;

    fn keys(id: &str) -> KeySet {
        KeySet::new(vec![Key::generate(KeyId::parse(id).unwrap(), [7; 32])]).unwrap()
    }

    #[test]
    fn a_snapshot_outlives_its_replacement() {
        let keyring = Keyring::new(keys("a"));
        let (copy, before) = (keyring.clone(), keyring.current());
        keyring.replace(keys("b"));
        assert!(before.find("a").is_some() && before.find("b").is_none());
        assert!(copy.current().find("b").is_some() && copy.current().find("a").is_none());
    }

    #[test]
    fn keys_come_from_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        save(&path, &keys("k1")).unwrap();
        assert!(Keyring::load(&path).unwrap().current().find("k1").is_some());
    }
}

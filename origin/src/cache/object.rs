//! Source objects, as the cache knows them.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use crate::store::Version;

/// A source object of one content. Two are equal that are of the same content, wherever they are served.
#[derive(Debug, Clone)]
pub(crate) struct ObjectRef {
    /// Where it lies in the store.
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Which content is meant, where the path alone does not say that.
    pub(crate) version: Option<Version>,
    /// Where it is served, for purges: the folder of the rendition, or of the revision where several have a part in it.
    pub(crate) place: String,
    id: ObjectId,
}

/// Which object of which content: the beginning of a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ObjectId(pub(super) [u8; 16]);

impl ObjectRef {
    pub(crate) fn new(path: String, size: u64, version: Option<Version>, place: String) -> Self {
        let id = ObjectId::of(&path, size, version.as_ref());
        Self { path, size, version, place, id }
    }

    /// The same, served elsewhere.
    pub(crate) fn at(self, place: String) -> Self {
        Self { place, ..self }
    }

    /// Worked out once: it is asked for with each block.
    pub(super) fn id(&self) -> ObjectId {
        self.id
    }
}

impl PartialEq for ObjectRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ObjectRef {}

impl Hash for ObjectRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl ObjectId {
    fn of(path: &str, size: u64, version: Option<&Version>) -> Self {
        let mut hash = Sha256::new();
        // Each with its end: no two objects are written alike.
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update(size.to_le_bytes());
        hash.update(version.map_or("", Version::as_str));
        let digest: [u8; 32] = hash.finalize().into();
        Self(std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_other_content_are_others_and_the_place_does_not_matter() {
        let object = |path: &str, size, version: Option<&str>| {
            ObjectRef::new(path.into(), size, version.map(|text| Version::of(text.into())), String::new())
        };
        assert_eq!(object("a", 1, None), object("a", 1, None).at("/elsewhere/".into()));
        assert_ne!(object("a", 1, None), object("a", 2, None));
        assert_ne!(object("ab", 1, None), object("a", 1, None));
        assert_ne!(object("a", 1, Some("x")), object("a", 1, None));
        assert_ne!(object("a", 1, Some("x")), object("a", 1, Some("y")));
    }
}

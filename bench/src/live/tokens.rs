//! Tokens, one for each viewer as in service.

use std::error::Error;
use std::path::Path;

use authz::{Claims, KeySet, ResourceGlob, Scope, SessionId, UnixSeconds, Verb, mint};

/// Who signs.
pub struct Minter {
    keys: KeySet,
    expires: UnixSeconds,
}

impl Minter {
    /// With the keys of this file, for six hours.
    ///
    /// # Errors
    /// A file that is no key file.
    pub fn new(keys: &Path) -> Result<Self, Box<dyn Error>> {
        let keys = KeySet::parse(&std::fs::read_to_string(keys)?)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        Ok(Self { keys, expires: UnixSeconds(now.as_secs() + 6 * 3600) })
    }

    /// What stands before the path of whoever sends to a stream.
    ///
    /// # Errors
    /// A name that is none.
    pub fn sender(&self, stream: &str) -> Result<String, Box<dyn Error>> {
        self.mint(Verb::Publish, &format!("/ingest/{stream}/**"), 0)
    }

    /// What stands before the paths of a viewer.
    ///
    /// # Errors
    /// A name that is none.
    pub fn viewer(&self, stream: &str, number: u64) -> Result<String, Box<dyn Error>> {
        self.mint(Verb::Play, &format!("/live/{stream}/**"), number)
    }

    fn mint(&self, verb: Verb, glob: &str, number: u64) -> Result<String, Box<dyn Error>> {
        let key = self.keys.signer().ok_or("no key that signs")?;
        let scope = Scope::new(verb, vec![ResourceGlob::parse(glob)?])?;
        let session = SessionId::parse(&number.to_string())?;
        let claims = Claims::new(self.expires, scope)?.with_session(session);
        Ok(format!("/t/{}", mint(&claims, key)?.as_str()))
    }
}

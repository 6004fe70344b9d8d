//! Signing keys.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;

/// The name of a key, as it stands in tokens: 1 to 64 characters of `A-Z a-z 0-9 _ -`. Public.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Parses a key id.
    ///
    /// # Errors
    /// [`Error::KeyId`].
    pub fn parse(text: &str) -> Result<KeyId, Error> {
        check_label(text, 64).map_err(|found| Error::KeyId { found })?;
        Ok(KeyId(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key may still be used for.
///
/// ```text
/// active ──rotate──▶ retiring ──after the last token's expiry──▶ removed
///    └──────leak──────────┴────▶ revoked
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Signs and verifies.
    Active,
    /// Verifies only.
    Retiring,
    /// Neither. It is kept so that its tokens are told from those of a key that never was.
    Revoked,
}

impl KeyState {
    /// Every state.
    pub const ALL: [KeyState; 3] = [KeyState::Active, KeyState::Retiring, KeyState::Revoked];

    /// The word for it in a key file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Active => "active",
            KeyState::Retiring => "retiring",
            KeyState::Revoked => "revoked",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A symmetric key. Its secret is wiped from memory when the key is dropped, and no `Debug` text shows it.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    secret: Zeroizing<Vec<u8>>,
    state: KeyState,
    /// HMAC with the secret already absorbed: half of the work of a short message, done once.
    mac: Hmac<Sha256>,
}

impl Key {
    /// The shortest secret, in bytes: the output length of the hash (RFC 2104 §3).
    pub const MIN_SECRET: usize = 32;
    /// The longest secret, in bytes.
    pub const MAX_SECRET: usize = 1024;

    /// A key of these parts.
    ///
    /// # Errors
    /// [`Error::SecretLength`].
    pub fn new(id: KeyId, secret: &[u8], state: KeyState) -> Result<Key, Error> {
        if !(Self::MIN_SECRET..=Self::MAX_SECRET).contains(&secret.len()) {
            return Err(Error::SecretLength { kid: id, found: secret.len() });
        }
        Ok(Key { mac: keyed(secret), id, secret: Zeroizing::new(secret.to_vec()), state })
    }

    /// A new active key. `random` must come from the operating system's source of randomness.
    #[must_use]
    pub fn generate(id: KeyId, random: [u8; 32]) -> Key {
        let random = Zeroizing::new(random);
        Key { mac: keyed(&*random), id, secret: Zeroizing::new(random.to_vec()), state: KeyState::Active }
    }

    /// A key that nobody has: it stands in for an unknown one, so that refusing that takes as long as any refusal.
    /// Its secret is known to all, so no answer may depend on what it says.
    pub(crate) fn nobody() -> Key {
        Key::generate(KeyId("-".into()), [0; 32]).with_state(KeyState::Revoked)
    }

    /// The same key in another state.
    #[must_use]
    pub fn with_state(self, state: KeyState) -> Key {
        Key { state, ..self }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// What it may be used for.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }

    /// The secret bytes.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// HMAC-SHA256 of the concatenated `parts` under this key (RFC 2104).
    pub(crate) fn authenticate(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id.as_str())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2)")]
    <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("any length is a key")
}

/// Whether `text` is 1 to `longest` characters of `A-Z a-z 0-9 _ -`, and if not, what it is.
pub(crate) fn check_label(text: &str, longest: usize) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("an empty text");
    }
    if text.len() > longest {
        return Err("a longer text");
    }
    match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        true => Ok(()),
        false => Err("another character"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_a_plain_label() {
        for bad in
            ["", "../../etc/passwd", "a\0", "a b", "a.b", "a/b", "é", &"k".repeat(65), &"k".repeat(10_000)]
        {
            assert!(matches!(KeyId::parse(bad), Err(Error::KeyId { .. })), "{bad}");
        }
        assert_eq!(KeyId::parse("k-1_A").unwrap().as_str(), "k-1_A");
        assert!(KeyId::parse(&"k".repeat(64)).is_ok());
    }

    #[test]
    fn a_secret_has_32_to_1024_bytes() {
        let id = KeyId::parse("k").unwrap();
        for (length, fits) in
            [(0, false), (31, false), (32, true), (64, true), (65, true), (1024, true), (1025, false)]
        {
            let made = Key::new(id.clone(), &vec![7; length], KeyState::Active);
            assert_eq!(made.is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = Key::generate(KeyId::parse("k").unwrap(), [b'Z'; 32]);
        assert_eq!(format!("{key:?}"), "Key { id: \"k\", state: Active, .. }");
    }

    /// RFC 4231 §4.7, the test case whose key is longer than a block of the hash.
    #[test]
    fn authentication_is_hmac_sha256() {
        let key = Key::new(KeyId::parse("k").unwrap(), &[0xaa; 131], KeyState::Active).unwrap();
        let mac = key.authenticate(&[b"Test Using Larger Than Block-Size Key", b" - Hash Key First"]);
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}

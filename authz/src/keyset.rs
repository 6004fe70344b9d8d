//! A set of keys at one moment, and the file it is kept in.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Error;
use crate::key::{Key, KeyId, KeyState};

/// The keys that count at one moment: an immutable snapshot. A change of keys is a new set.
///
/// Its file is JSON and is as secret as the keys in it:
///
/// ```json
/// {"keys":[{"kid":"2026-11","secret":"<base64url without padding, 32 bytes or more>","state":"active"}]}
/// ```
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    nobody: Key,
}

impl KeySet {
    /// The largest number of keys in a set.
    pub const MAX_KEYS: usize = 64;

    /// The set without a key, under which no token is good: for a server whose every route is open.
    #[must_use]
    pub fn empty() -> KeySet {
        KeySet { keys: Vec::new(), nobody: Key::nobody() }
    }

    /// A set of these keys, in this order.
    ///
    /// # Errors
    /// [`Error::NoKeys`], [`Error::TooManyKeys`], [`Error::DuplicateKey`].
    pub fn new(keys: Vec<Key>) -> Result<KeySet, Error> {
        if keys.is_empty() {
            return Err(Error::NoKeys);
        }
        if keys.len() > Self::MAX_KEYS {
            return Err(Error::TooManyKeys { found: keys.len() });
        }
        let mut ids: Vec<&KeyId> = keys.iter().map(Key::id).collect();
        ids.sort_unstable();
        for (id, next) in ids.iter().zip(ids.iter().skip(1)) {
            if id == next {
                return Err(Error::DuplicateKey { kid: (*id).clone() });
            }
        }
        Ok(KeySet { keys, nobody: Key::nobody() })
    }

    /// Parses a key file.
    ///
    /// # Errors
    /// [`Error::KeyFile`] where the JSON is wrong, or the first fault of a key. A server that reloads its
    /// keys keeps the former set then. No error text repeats a secret.
    pub fn parse(file: &str) -> Result<KeySet, Error> {
        let file: File<'_> = serde_json::from_str(file).map_err(|error| Error::KeyFile {
            line: error.line(),
            column: error.column(),
            found: match error.classify() {
                serde_json::error::Category::Eof => "the end of the file",
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                    "a text that is not json"
                }
                serde_json::error::Category::Data => "another member, a missing one, or one of another type",
            },
        })?;
        KeySet::new(
            file.keys
                .into_iter()
                .enumerate()
                .map(|(index, entry)| entry.parse(index))
                .collect::<Result<_, _>>()?,
        )
    }

    /// The set as a key file, one key a line. [`KeySet::parse`] gives the same set back.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let size = self
            .keys
            .iter()
            .map(|key| key.secret().len().saturating_mul(2).saturating_add(128))
            .sum::<usize>();
        // Room for all of it: a buffer that grows would leave copies of secrets behind.
        let mut out = Zeroizing::new(String::with_capacity(size.saturating_add(32)));
        out.push_str("{\"keys\":[");
        for (index, key) in self.keys.iter().enumerate() {
            // None of these texts has a character that JSON escapes.
            out.push_str(if index == 0 { "\n{\"kid\":\"" } else { ",\n{\"kid\":\"" });
            out.push_str(key.id().as_str());
            out.push_str("\",\"secret\":\"");
            URL_SAFE_NO_PAD.encode_string(key.secret(), &mut out);
            out.push_str("\",\"state\":\"");
            out.push_str(key.state().as_str());
            out.push_str("\"}");
        }
        out.push_str("\n]}\n");
        out
    }

    /// The keys, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.keys.iter()
    }

    /// The key of exactly this id.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id().as_str() == kid)
    }

    /// The key that stands in for one that is not in the set.
    pub(crate) fn nobody(&self) -> &Key {
        &self.nobody
    }

    /// The key to sign with: the last active one.
    #[must_use]
    pub fn signer(&self) -> Option<&Key> {
        self.keys.iter().rev().find(|key| key.state() == KeyState::Active)
    }

    /// The set after a rotation: `key` is added and signs from now on, the keys that were active only verify.
    ///
    /// # Errors
    /// As [`KeySet::new`]; [`Error::NotActive`] when `key` cannot sign.
    pub fn rotated(self, key: Key) -> Result<KeySet, Error> {
        if key.state() != KeyState::Active {
            return Err(Error::NotActive { kid: key.id().clone(), state: key.state() });
        }
        let retire = |old: Key| match old.state() {
            KeyState::Active => old.with_state(KeyState::Retiring),
            KeyState::Retiring | KeyState::Revoked => old,
        };
        KeySet::new(self.keys.into_iter().map(retire).chain([key]).collect())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

impl<'a> IntoIterator for &'a KeySet {
    type Item = &'a Key;
    type IntoIter = std::slice::Iter<'a, Key>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[serde(borrow)]
    keys: Vec<Entry<'a>>,
}

/// Borrowed where it can be, so that no copy of a secret outlives the caller's text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    kid: Cow<'a, str>,
    #[serde(borrow)]
    secret: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
}

impl Entry<'_> {
    fn parse(self, index: usize) -> Result<Key, Error> {
        let kid = KeyId::parse(&self.kid).map_err(|error| match error {
            Error::KeyId { found } => Error::KeyFileId { position: index.saturating_add(1), found },
            other => other,
        })?;
        let secret = URL_SAFE_NO_PAD.decode(self.secret.as_bytes()).map(Zeroizing::new).map_err(|error| {
            let found = match error {
                base64::DecodeError::InvalidByte(_, b'=') | base64::DecodeError::InvalidPadding => "padding",
                base64::DecodeError::InvalidByte(_, b'+' | b'/') => "the standard base64 alphabet",
                base64::DecodeError::InvalidByte(..) => "a character of no base64 alphabet",
                base64::DecodeError::InvalidLength(_) => "a length no base64 text has",
                base64::DecodeError::InvalidLastSymbol(..) => "a last character with stray bits",
            };
            Error::SecretEncoding { kid: kid.clone(), found }
        })?;
        let Some(state) = KeyState::ALL.into_iter().find(|state| state.as_str() == self.state) else {
            // A short word is a mistyped state; anything else may be a secret in the wrong place.
            let is_word = self.state.len() <= 16 && self.state.bytes().all(|byte| byte.is_ascii_alphabetic());
            let found = if is_word { format!("`{}`", self.state) } else { "another text".to_owned() };
            return Err(Error::KeyState { kid, found });
        };
        Key::new(kid, &secret, state)
    }
}

#[cfg(test)]
mod tests;

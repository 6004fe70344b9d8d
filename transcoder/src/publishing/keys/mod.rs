//! The port through which publishers are admitted.
//!
//! ```text
//!  create(fingerprint, gala) ─▶ key 7      the secret itself is shown to its creator, and known to nobody else
//!  admit(fingerprint)        ─▶ gala, 7    noted as used, at most once a minute
//!  revoke(7)
//!  admit(fingerprint)        ─▶ refused: the log learns why, the publisher does not
//! ```
//!
//! A stream may have several keys: one for each person or machine, and a second one while the first is replaced.

#[doc(hidden)]
pub mod conformance;
mod memory;
mod secret;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use packager::asset::StreamName;

use crate::Error;

pub use memory::MemoryStreamKeys;
pub use secret::{Fingerprint, StreamSecret};

/// Where stream keys are made, looked up and revoked. [`conformance::run`] tests an implementation.
///
/// No secret passes through it: callers hash what a publisher sends. Keys are never deleted, so that no number is given
/// twice and a revoked key stays known as one. The clock is the database's, in milliseconds since 1970-01-01 UTC.
///
/// An error says that the call had no effect and will have none, or that it took full effect; so it is where a call was
/// dropped before it ended. Every call ends in bounded time.
#[async_trait]
pub trait StreamKeys: fmt::Debug + Send + Sync {
    /// A new key, numbered above every one before it. After an error a caller makes a new secret: a key whose secret
    /// nobody has been shown is no danger, and stands in the list.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a fingerprint that another key has, and for what [`NewKey::check`] refuses.
    async fn create(&self, secret: &Fingerprint, new: &NewKey) -> Result<StreamKey, Error>;

    /// Whether a publisher with this secret may publish, and what. Asking again is how a publisher that goes on is held
    /// to a revocation.
    ///
    /// The use is noted, unless one was within [`NOTED_EVERY`]; a publisher is admitted also where that fails. A secret
    /// that is not admitted changes nothing.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn admit(&self, secret: &Fingerprint) -> Result<Admission, Error>;

    /// Keys in the order of their numbers, at most `limit` of them: those of one stream, or of all; those after a
    /// number, or from the first on.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn list(
        &self,
        stream: Option<&StreamName>,
        after: Option<StreamKeyId>,
        limit: u32,
    ) -> Result<Vec<StreamKey>, Error>;

    /// Ends a key for ever. `true` for the one call that did it, `false` where it was revoked before.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a key that was never made.
    async fn revoke(&self, id: StreamKeyId) -> Result<bool, Error>;
}

/// The number of a stream key: no two keys of a database have the same. It is no secret.
///
/// As text it is the number in decimal digits, in one spelling only: no sign, no zero in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKeyId(pub u64);

/// What a key is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What may be published with it.
    pub stream: StreamName,
    /// What people know it by.
    pub label: Option<Label>,
    /// How long it is good, from 1 ms to [`MAX_LIFETIME`]; until it is revoked, if not given.
    pub lifetime: Option<Duration>,
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// Its number.
    pub id: StreamKeyId,
    /// What may be published with it.
    pub stream: StreamName,
    /// What people know it by.
    pub label: Option<Label>,
    /// Whether it is good, by the database's clock at the time of the call.
    pub state: KeyState,
    /// When it was made.
    pub created_ms: i64,
    /// From when on it is not good any more.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// When it was last used, as far as that was noted.
    pub used_ms: Option<i64>,
}

/// Whether a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// It admits.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it, whether or not its time is over too.
    Revoked,
}

/// What became of a publisher. Whoever was refused is told nothing but that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It may publish.
    Admitted {
        /// This stream.
        stream: StreamName,
        /// Because of this key.
        key: StreamKeyId,
    },
    /// It may not; why is for the log.
    Refused(KeyRefusal),
}

/// Why a publisher was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyRefusal {
    /// No key has this secret.
    Unknown,
    /// The key's time is over.
    Expired(StreamKeyId),
    /// The key was revoked.
    Revoked(StreamKeyId),
}

/// What people know a key by: 1 to 80 characters, none of them a control character, none a blank at either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl NewKey {
    /// Whether all is within its range. Implementations ask before they look at anything else.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    pub fn check(&self) -> Result<(), Error> {
        match self.lifetime {
            Some(lifetime) if !(Duration::from_millis(1)..=MAX_LIFETIME).contains(&lifetime) => {
                let years = MAX_LIFETIME.as_secs() / (86_400 * 365);
                let what = format!("expected a key for 1 ms to {years} years, found one for {lifetime:?}");
                Err(Error::catalogue("make a stream key", what))
            }
            _ => Ok(()),
        }
    }
}

impl KeyState {
    /// Its one name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl KeyRefusal {
    /// Its one name, in log and metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_key",
            Self::Expired(_) => "expired_key",
            Self::Revoked(_) => "revoked_key",
        }
    }

    /// The key that is not good.
    pub const fn key(self) -> Option<StreamKeyId> {
        match self {
            Self::Unknown => None,
            Self::Expired(key) | Self::Revoked(key) => Some(key),
        }
    }
}

impl Label {
    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_label = (1..=80).contains(&text.chars().count())
            && text.trim().len() == text.len()
            && !text.chars().any(char::is_control);
        match is_label {
            true => Ok(Self(text.to_owned())),
            false => {
                let found: String = text.chars().take(80).collect();
                Err(format!(
                    "expected a label of 1 to 80 characters without blanks around it, found {found:?}"
                ))
            }
        }
    }
}

impl fmt::Display for StreamKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for StreamKeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|_| digits);
        number.map(Self).ok_or_else(|| {
            let found: String = text.chars().take(40).collect();
            format!("expected the number of a stream key: digits, not beginning with 0, found {found:?}")
        })
    }
}

/// The longest that a key may be given: a hundred years.
pub const MAX_LIFETIME: Duration = Duration::from_secs(100 * 365 * 86_400);
/// A use is noted where none was noted for so long: a publisher that comes back every second writes nothing.
pub const NOTED_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_line_for_people() {
        for good in ["a", "Ana's laptop", "Küche 2 · links", &"ä".repeat(80)] {
            assert_eq!(good.parse::<Label>().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{1b}[2J", "\u{85}x", &"a".repeat(81)] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_number_of_a_key_has_one_spelling() {
        assert_eq!("7".parse(), Ok(StreamKeyId(7)));
        assert_eq!(u64::MAX.to_string().parse(), Ok(StreamKeyId(u64::MAX)));
        for bad in ["", "0", "07", "+7", "-7", "7 ", "fb", "18446744073709551616"] {
            assert!(bad.parse::<StreamKeyId>().is_err(), "{bad:?}");
        }
    }
}

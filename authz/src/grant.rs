//! The proof that a request may be answered.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{KeyId, SessionId, Subject, UnixSeconds, Verb};

/// The proof that the gate let one request pass: one verb on the one path it was asked about.
///
/// Only [`Gate::admit`](crate::Gate::admit) makes one, so whoever takes a `Grant` as an argument cannot be
/// reached past the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) verb: Verb,
    /// `None` on a route that is open to all.
    pub(crate) token: Option<TokenGrant>,
}

/// What a grant keeps of the token it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenGrant {
    pub(crate) expires: UnixSeconds,
    pub(crate) kid: KeyId,
    pub(crate) log_id: LogId,
    pub(crate) subject: Option<Subject>,
    pub(crate) session: Option<SessionId>,
}

impl Grant {
    /// What may be done.
    #[must_use]
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Whether no token was needed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.token.is_none()
    }

    /// When the token expires; `None` on an open route.
    #[must_use]
    pub fn expires(&self) -> Option<UnixSeconds> {
        self.token.as_ref().map(|token| token.expires)
    }

    /// How long the answer may be kept under this token's URL: until the token expires, zero when it has;
    /// `None` means without limit, on an open route.
    #[must_use]
    pub fn lifetime_left(&self, now: UnixSeconds) -> Option<Duration> {
        self.expires().map(|expires| now.until(expires))
    }

    /// The key that vouched for the token.
    #[must_use]
    pub fn kid(&self) -> Option<&KeyId> {
        self.token.as_ref().map(|token| &token.kid)
    }

    /// Who holds the token, if it says so.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.token.as_ref().and_then(|token| token.subject.as_ref())
    }

    /// The viewing session, if the token names one.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.token.as_ref().and_then(|token| token.session.as_ref())
    }

    /// The name under which the token appears in logs.
    #[must_use]
    pub fn log_id(&self) -> Option<LogId> {
        self.token.as_ref().map(|token| token.log_id)
    }
}

/// A short name of a token for logs: the same for the same token, and no way back to it. Sixteen hexadecimal
/// digits.
///
/// It is the first 64 bits of a SHA-256 of the token's signature, which is a secret of 256 bits that nobody
/// guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(u64);

impl LogId {
    /// The name of `token`, which need not be a good one.
    #[must_use]
    pub fn of(token: &str) -> LogId {
        let signature = token.rsplit('.').next().unwrap_or(token).as_bytes();
        // 43 characters are all of it. Of a text that is no token, a little is enough to find its
        // repetitions.
        let signature = signature.get(..64).unwrap_or(signature);
        let hash = Sha256::new().chain_update(b"log\0").chain_update(signature).finalize();
        LogId(hash.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_id_tells_tokens_apart_and_shows_nothing_of_them() {
        let id = LogId::of("v1.k.claims.signature").to_string();
        assert_eq!(id.len(), 16);
        assert_eq!(id, LogId::of("v1.k.claims.signature").to_string());
        assert_ne!(id, LogId::of("v1.k.claims.signaturf").to_string());
        for odd in ["", ".", "é", &"x".repeat(1_000_000)] {
            assert_eq!(LogId::of(odd).to_string().len(), 16);
        }
    }
}

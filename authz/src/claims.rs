//! What a token says.

use std::fmt;

use crate::key::check_label;
use crate::path::is_printable;
use crate::{Error, Scope, UnixSeconds};

/// What a token says about its holder. Which key vouches for it is not a claim: that is the token's own key
/// id.
///
/// Only values that a verifier accepts can be built, so that nothing is minted that is refused later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    expires: UnixSeconds,
    not_before: Option<UnixSeconds>,
    scope: Scope,
    subject: Option<Subject>,
    session: Option<SessionId>,
}

impl Claims {
    /// Claims that hold for `scope` until `expires`. The second `expires` is the first one at which the token
    /// is no longer good.
    ///
    /// # Errors
    /// [`Error::Claim`] when `expires` is later than [`UnixSeconds::LAST`].
    pub fn new(expires: UnixSeconds, scope: Scope) -> Result<Claims, Error> {
        check_times(expires, None)?;
        Ok(Claims { expires, not_before: None, scope, subject: None, session: None })
    }

    /// Makes them hold from `not_before` on, and not earlier.
    ///
    /// # Errors
    /// [`Error::Claim`] when no time is left before they expire.
    pub fn with_not_before(self, not_before: UnixSeconds) -> Result<Claims, Error> {
        check_times(self.expires, Some(not_before))?;
        Ok(Claims { not_before: Some(not_before), ..self })
    }

    /// Names who holds the token.
    #[must_use]
    pub fn with_subject(self, subject: Subject) -> Claims {
        Claims { subject: Some(subject), ..self }
    }

    /// Names the viewing session.
    #[must_use]
    pub fn with_session(self, session: SessionId) -> Claims {
        Claims { session: Some(session), ..self }
    }

    /// The first second at which the token is no longer good.
    #[must_use]
    pub fn expires(&self) -> UnixSeconds {
        self.expires
    }

    /// The first second at which it is good.
    #[must_use]
    pub fn not_before(&self) -> Option<UnixSeconds> {
        self.not_before
    }

    /// The verbs and resources it covers.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Who holds it.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// The viewing session.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }
}

/// Whether a token may carry these times.
pub(crate) fn check_times(expires: UnixSeconds, not_before: Option<UnixSeconds>) -> Result<(), Error> {
    if expires > UnixSeconds::LAST {
        let expected = "seconds since 1970, up to the year 9999";
        return Err(Error::Claim { claim: "expires", expected, found: "a later time" });
    }
    match not_before {
        Some(start) if start >= expires => Err(Error::Claim {
            claim: "not before",
            expected: "a time before `expires`",
            found: "none before it",
        }),
        _ => Ok(()),
    }
}

/// Who holds a token, in the words of whoever minted it: 1 to 128 bytes of printable UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(Box<str>);

impl Subject {
    /// The longest subject, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Parses a subject.
    ///
    /// # Errors
    /// [`Error::Claim`].
    pub fn parse(text: &str) -> Result<Subject, Error> {
        Self::check(text)?;
        Ok(Subject(text.into()))
    }

    pub(crate) fn check(text: &str) -> Result<(), Error> {
        let found = match text.len() {
            0 => "an empty text",
            1..=Self::MAX_LEN if text.chars().all(is_printable) => return Ok(()),
            1..=Self::MAX_LEN => "a control or invisible character",
            _ => "a longer text",
        };
        Err(Error::Claim { claim: "subject", expected: "1 to 128 bytes of printable text", found })
    }

    /// The subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A viewing session: 1 to 64 characters of `A-Z a-z 0-9 _ -`, fit for logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// The longest session id, in characters.
    pub const MAX_LEN: usize = 64;

    /// Parses a session id.
    ///
    /// # Errors
    /// [`Error::Claim`].
    pub fn parse(text: &str) -> Result<SessionId, Error> {
        Self::check(text)?;
        Ok(SessionId(text.into()))
    }

    pub(crate) fn check(text: &str) -> Result<(), Error> {
        let expected = "1 to 64 characters of A-Z a-z 0-9 _ -";
        check_label(text, Self::MAX_LEN).map_err(|found| Error::Claim { claim: "session", expected, found })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ResourceGlob, Verb};

    fn claims(expires: u64) -> Result<Claims, Error> {
        let scope = Scope::new(Verb::Play, vec![ResourceGlob::parse("/vod/a/**")?])?;
        Claims::new(UnixSeconds(expires), scope)
    }

    #[test]
    fn claims_that_could_never_hold_cannot_be_built() {
        let claims = claims(100).unwrap();
        assert!(claims.clone().with_not_before(UnixSeconds(99)).is_ok());
        assert!(claims.clone().with_not_before(UnixSeconds(100)).is_err());
        assert!(claims.with_not_before(UnixSeconds(101)).is_err());
    }

    #[test]
    fn an_expiry_in_milliseconds_is_refused() {
        assert!(claims(1_700_000_000_000).is_err());
        assert!(claims(UnixSeconds::LAST.0).is_ok());
        assert!(claims(UnixSeconds::LAST.0 + 1).is_err());
        assert!(claims(u64::MAX).is_err());
    }

    #[test]
    fn subject_and_session_are_bounded_and_printable() {
        for bad in ["", "a\nb", "a\0", "a\u{202e}b", &"x".repeat(129)] {
            assert!(Subject::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Subject::parse("Ana-Marija Žižić 😀").unwrap().as_str(), "Ana-Marija Žižić 😀");
        for bad in ["", "a b", "a.b", "é", &"x".repeat(65)] {
            assert!(SessionId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(SessionId::parse("s-1").unwrap().as_str(), "s-1");
    }
}

//! Making tokens, and reading them without believing them.

use std::fmt;

use crate::key::{Key, KeyId, KeyState};
use crate::scheme::native::claims::{self, View};
use crate::scheme::native::{self, MAX_CLAIMS, Parts};
use crate::{Claims, Error, LogId};

/// A signed token. Whoever has it may do what it says, so neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The longest token, in characters.
    pub const MAX_LEN: usize = native::MAX_LEN;

    /// The token as it is sent: `v1.<kid>.<claims>.<mac>`, characters `A-Z a-z 0-9 _ . -` only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the token appears in logs.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        LogId::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.log_id())
    }
}

/// Signs `claims` with `key`. The same claims and key give the same token.
///
/// # Errors
/// [`Error::NotActive`] when the key no longer signs, [`Error::TokenTooLong`] when the claims are too large.
pub fn mint(claims: &Claims, key: &Key) -> Result<Token, Error> {
    match key.state() {
        KeyState::Active => {}
        state @ (KeyState::Retiring | KeyState::Revoked) => {
            return Err(Error::NotActive { kid: key.id().clone(), state });
        }
    }
    let token = native::sign(&claims::encode(claims), key);
    if token.len() > Token::MAX_LEN {
        return Err(Error::TokenTooLong { found: token.len() });
    }
    Ok(Token(token))
}

/// Reads what `token` says. Nothing is verified: anyone may have written it.
///
/// # Errors
/// [`Error::Token`] when it has not the shape of a token, or what is wrong with its claims.
pub fn inspect(token: &str) -> Result<Inspection, Error> {
    let parts = Parts::split(token)
        .ok_or(Error::Token { expected: "v1.<kid>.<claims>.<mac>, at most 4096 characters" })?;
    let mut buffer = [0; MAX_CLAIMS];
    let bytes = parts
        .decode_claims(&mut buffer)
        .ok_or(Error::Token { expected: "claims in base64url without padding" })?;
    Ok(Inspection { kid: KeyId::parse(parts.kid)?, claims: View::decode(bytes)?.to_claims()? })
}

/// What a token says, unverified. Its `Display` is for people, one claim a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    kid: KeyId,
    claims: Claims,
}

impl Inspection {
    /// The key that the token says has signed it.
    #[must_use]
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = &self.claims;
        writeln!(f, "signature:  not verified")?;
        writeln!(f, "key:        {}", self.kid)?;
        writeln!(f, "expires:    {}", claims.expires())?;
        if let Some(not_before) = claims.not_before() {
            writeln!(f, "not before: {not_before}")?;
        }
        writeln!(f, "verbs:      {}", claims.scope().verbs())?;
        for resource in claims.scope().resources() {
            writeln!(f, "resource:   {resource}")?;
        }
        if let Some(subject) = claims.subject() {
            writeln!(f, "subject:    {subject}")?;
        }
        if let Some(session) = claims.session() {
            writeln!(f, "session:    {session}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

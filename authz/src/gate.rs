//! The one door.

use std::sync::Arc;

use crate::grant::{Grant, LogId, TokenGrant};
use crate::key::{Key, KeyState};
use crate::policy::{Family, Policy};
use crate::scheme::native::claims::View;
use crate::scheme::native::{MAX_CLAIMS, Parts};
use crate::{CanonicalPath, Claims, Denial, KeySet, SessionId, Subject, UnixSeconds, Verb};

/// Decides about requests, under one policy and one snapshot of keys.
///
/// # The order of its questions
/// ```text
/// shape ─▶ signature ─▶ key revoked? ─▶ claims ─▶ time ─▶ policy ─▶ verb ─▶ path ─▶ Grant
/// └──────────────── 401 ───────────────────────────────┘ └──────── 403 ────────┘
/// ```
/// The signature comes before all that a token says. An HMAC costs about what reading the claims does, so
/// nothing would be saved by the other order, and this one has three merits: only what one of our keys has
/// signed is ever parsed; the reasons in the metrics are true (a forged token is never counted as an expired
/// one); and without a key nobody learns from an answer or its time which paths, verbs or times there are. A
/// key id that is unknown costs an HMAC like a known one.
#[derive(Clone, Debug)]
pub struct Gate {
    policy: Arc<Policy>,
    keys: Arc<KeySet>,
}

impl Gate {
    /// A gate under `policy` and `keys`, given as they are or shared. With both shared a gate costs nothing
    /// to make, so there can be one for each request, on the snapshot of its moment.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>, keys: impl Into<Arc<KeySet>>) -> Gate {
        Gate { policy: policy.into(), keys: keys.into() }
    }

    /// The policy it was made with.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The keys it was made with.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Decides whether whoever holds `token` may do `verb` with `path` at the time `now`.
    ///
    /// Takes well under a microsecond for a usual token, and allocates only for a subject or session that the
    /// token names.
    ///
    /// # Errors
    /// The [`Denial`], of which the viewer is told the kind alone.
    pub fn admit(
        &self,
        token: Option<&str>,
        verb: Verb,
        path: &CanonicalPath<'_>,
        now: UnixSeconds,
    ) -> Result<Grant, Denial> {
        let family = self.policy.family(path);
        if family.is_some_and(|family| family.is_open_for(verb)) {
            return Ok(Grant { verb, token: None });
        }
        let token = token.ok_or(Denial::NoToken)?;
        let mut buffer = [0; MAX_CLAIMS];
        let (key, view) = self.verify(token, &mut buffer)?;
        self.check_time(&view, family, now)?;
        let family = family.ok_or(Denial::NoPolicy)?;
        if !family.knows(verb) || !view.verbs.contains(verb) {
            return Err(Denial::WrongVerb);
        }
        if !view.covers(path) {
            return Err(Denial::WrongPath);
        }
        let token = TokenGrant {
            expires: view.expires,
            kid: key.id().clone(),
            log_id: LogId::of(token),
            subject: view.subject.map(Subject::parse).transpose().map_err(|_| Denial::BadClaims)?,
            session: view.session.map(SessionId::parse).transpose().map_err(|_| Denial::BadClaims)?,
        };
        Ok(Grant { verb, token: Some(token) })
    }

    /// What `token` says, if one of the keys vouches for it and it holds at the time `now`. This grants
    /// nothing: no path is asked about, and the longest life that a family allows is not looked at.
    ///
    /// # Errors
    /// The [`Denial`].
    pub fn examine(&self, token: &str, now: UnixSeconds) -> Result<Claims, Denial> {
        let mut buffer = [0; MAX_CLAIMS];
        let (_, view) = self.verify(token, &mut buffer)?;
        self.check_time(&view, None, now)?;
        view.to_claims().map_err(|_| Denial::BadClaims)
    }

    /// Who signed the token, and what it says.
    fn verify<'b>(&self, token: &str, buffer: &'b mut [u8; MAX_CLAIMS]) -> Result<(&Key, View<'b>), Denial> {
        let parts = Parts::split(token).ok_or(Denial::Malformed)?;
        let key = self.keys.find(parts.kid);
        let is_signed = parts.is_signed_by(key.unwrap_or(self.keys.nobody()));
        let key = key.ok_or(Denial::UnknownKey)?;
        if !is_signed {
            return Err(Denial::BadSignature);
        }
        match key.state() {
            KeyState::Active | KeyState::Retiring => {}
            KeyState::Revoked => return Err(Denial::RevokedKey),
        }
        let claims = parts.decode_claims(buffer).ok_or(Denial::BadClaims)?;
        Ok((key, View::decode(claims).map_err(|_| Denial::BadClaims)?))
    }

    fn check_time(&self, view: &View<'_>, family: Option<&Family>, now: UnixSeconds) -> Result<(), Denial> {
        if now >= view.expires.plus(self.policy.late()) {
            return Err(Denial::Expired);
        }
        if view.not_before.is_some_and(|start| now.plus(self.policy.early()) < start) {
            return Err(Denial::NotYetValid);
        }
        // The signer's clock may be ahead, so its longest token may look a little longer from here.
        let longest = family.map(|family| family.max_ttl().saturating_add(self.policy.early()));
        match longest {
            Some(longest) if now.until(view.expires).as_secs() > longest.as_secs() => {
                Err(Denial::TooLongLived)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

//! Why the gate says no.

/// Why a request is not granted. Closed: whoever answers a request decides for each of them.
///
/// The viewer is told its [`kind`](Denial::kind) and no more; the [`reason`](Denial::reason) is for logs and
/// metrics. No text of it holds a token, a key or a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denial {
    /// The path needs a token, and there is none.
    #[error("expected a token, found none")]
    NoToken,
    /// The text has not the shape of a token: length, characters, fields.
    #[error("expected a token, found a text of another shape")]
    Malformed,
    /// No key of the token's key id.
    #[error("expected a token of a known key, found one of another key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("expected the signature of the key, found another")]
    BadSignature,
    /// Signed well, by a key that has been revoked.
    #[error("expected a token of a valid key, found one of a revoked key")]
    RevokedKey,
    /// Signed well, but the claims cannot be read: another version's, or a faulty signer's.
    #[error("expected claims of this version, found others")]
    BadClaims,
    /// The token is no longer good.
    #[error("expected a token that still holds, found an expired one")]
    Expired,
    /// The token is not good yet.
    #[error("expected a token that holds already, found one for later")]
    NotYetValid,
    /// The token is good for longer than the policy of the path allows.
    #[error("expected a token of a shorter life, found one that outlives the policy")]
    TooLongLived,
    /// Neither the token nor the policy of the path allows what is asked for.
    #[error("expected a token for this verb, found one for others")]
    WrongVerb,
    /// The token does not cover the path.
    #[error("expected a token for this path, found one for others")]
    WrongPath,
    /// No rule of the policy covers the path.
    #[error("expected a path with a policy, found one without")]
    NoPolicy,
}

/// What a denial means to the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenialKind {
    /// Nothing that was shown proves anything: 401. Another token may help.
    Unauthenticated,
    /// The token is good, and not for this: 403.
    Forbidden,
}

impl Denial {
    /// Every denial.
    pub const ALL: [Denial; 12] = [
        Denial::NoToken,
        Denial::Malformed,
        Denial::UnknownKey,
        Denial::BadSignature,
        Denial::RevokedKey,
        Denial::BadClaims,
        Denial::Expired,
        Denial::NotYetValid,
        Denial::TooLongLived,
        Denial::WrongVerb,
        Denial::WrongPath,
        Denial::NoPolicy,
    ];

    /// The stable name of this denial in logs and metrics.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Denial::NoToken => "no_token",
            Denial::Malformed => "malformed",
            Denial::UnknownKey => "unknown_key",
            Denial::BadSignature => "bad_signature",
            Denial::RevokedKey => "revoked_key",
            Denial::BadClaims => "bad_claims",
            Denial::Expired => "expired",
            Denial::NotYetValid => "not_yet_valid",
            Denial::TooLongLived => "too_long_lived",
            Denial::WrongVerb => "wrong_verb",
            Denial::WrongPath => "wrong_path",
            Denial::NoPolicy => "no_policy",
        }
    }

    /// What to answer.
    #[must_use]
    pub fn kind(self) -> DenialKind {
        match self {
            Denial::NoToken
            | Denial::Malformed
            | Denial::UnknownKey
            | Denial::BadSignature
            | Denial::RevokedKey
            | Denial::BadClaims
            | Denial::Expired
            | Denial::NotYetValid
            | Denial::TooLongLived => DenialKind::Unauthenticated,
            Denial::WrongVerb | Denial::WrongPath | Denial::NoPolicy => DenialKind::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_denial_has_a_reason_of_its_own() {
        let reasons: BTreeSet<&str> = Denial::ALL.into_iter().map(Denial::reason).collect();
        assert_eq!(reasons.len(), Denial::ALL.len());
        assert!(
            reasons.iter().all(|reason| reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        );
    }
}

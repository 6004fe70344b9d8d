//! What makes a request unreadable before any token is looked at.

use crate::PathFault;

/// Why no token can be looked for in a request. A server answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CarrierFault {
    /// The path, without the token's prefix, is no canonical one.
    #[error(transparent)]
    Path(#[from] PathFault),
    /// The path ends behind the token.
    #[error("expected a path behind the token, found none")]
    NoPath,
    /// The path starts with the token's prefix once more, or in another spelling.
    #[error("expected one token prefix, found another in the path")]
    HiddenPrefix,
    /// A place for a token with nothing in it.
    #[error("expected a token, found an empty one")]
    EmptyToken,
    /// Different tokens in different places.
    #[error("expected one token, found different ones")]
    Conflict,
    /// Two headers, cookies or parameters where one token should be.
    #[error("expected one place for the token of its kind, found two")]
    Duplicate,
    /// The query parameter's name in percent-encoding, which some readers would take for it.
    #[error("expected the token parameter's name in plain letters, found it percent-encoded")]
    EncodedName,
    /// The header or cookie is not what its definition allows.
    #[error("expected a well-formed header, found another")]
    BadHeader,
    /// The query or a cookie field is too long.
    #[error("expected a short query and cookie, found a longer one")]
    TooLong,
    /// A `#` in the request target.
    #[error("expected a request target, found a fragment in it")]
    Fragment,
}

impl CarrierFault {
    /// The stable name of this fault in logs and metrics.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            CarrierFault::Path(fault) => fault.reason(),
            CarrierFault::NoPath => "token_without_path",
            CarrierFault::HiddenPrefix => "token_prefix_hidden",
            CarrierFault::EmptyToken => "token_empty",
            CarrierFault::Conflict => "token_conflict",
            CarrierFault::Duplicate => "token_duplicate",
            CarrierFault::EncodedName => "token_name_encoded",
            CarrierFault::BadHeader => "token_header_malformed",
            CarrierFault::TooLong => "token_source_too_long",
            CarrierFault::Fragment => "target_fragment",
        }
    }
}

//! Faults of what an operator or a caller hands in: keys, claims, patterns, configuration.
//!
//! What a viewer's request does wrong is a [`Denial`](crate::Denial), a [`PathFault`] or a
//! [`CarrierFault`](crate::CarrierFault) instead.

use crate::key::{KeyId, KeyState};
use crate::path::PathFault;
use crate::scope::GlobFault;

/// What is wrong with keys, claims, patterns or configuration. No text of it holds a token or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key id that is not 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    #[error("key id: expected 1 to 64 characters of A-Z a-z 0-9 _ -, found {found}")]
    KeyId {
        /// What was found, in words.
        found: &'static str,
    },
    /// A key id in a key file that is not one; the id itself is not repeated, for a secret may stand in its
    /// place.
    #[error(
        "key {position} of the key file: expected a `kid` of 1 to 64 characters of A-Z a-z 0-9 _ -, found {found}"
    )]
    KeyFileId {
        /// Which key of the file, counted from 1.
        position: usize,
        /// What was found, in words.
        found: &'static str,
    },
    /// A secret of a wrong length.
    #[error("key `{kid}`: expected a secret of 32 to 1024 bytes, found {found}")]
    SecretLength {
        /// The key.
        kid: KeyId,
        /// The length found, in bytes.
        found: usize,
    },
    /// A secret that is not base64url.
    #[error("key `{kid}`: expected a secret in base64url without padding, found {found}")]
    SecretEncoding {
        /// The key.
        kid: KeyId,
        /// What was found, in words.
        found: &'static str,
    },
    /// A state that no key has.
    #[error("key `{kid}`: expected the state `active`, `retiring` or `revoked`, found {found}")]
    KeyState {
        /// The key.
        kid: KeyId,
        /// What was found: the word, where it can be no secret.
        found: String,
    },
    /// Two keys under one id.
    #[error("key `{kid}`: expected one key of this id, found two")]
    DuplicateKey {
        /// The id.
        kid: KeyId,
    },
    /// A set of keys without a key.
    #[error("keys: expected at least one key, found none")]
    NoKeys,
    /// More keys than [`KeySet::MAX_KEYS`](crate::KeySet::MAX_KEYS).
    #[error("keys: expected at most {}, found {found}", crate::KeySet::MAX_KEYS)]
    TooManyKeys {
        /// How many there are.
        found: usize,
    },
    /// A key file that is not the JSON it should be. The parser's own text is left out: it quotes the file.
    #[error(
        "key file, line {line} column {column}: expected \
         {{\"keys\":[{{\"kid\":\"…\",\"secret\":\"…\",\"state\":\"…\"}}]}} and no other member, found {found}"
    )]
    KeyFile {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What was found, in words.
        found: &'static str,
    },
    /// An attempt to sign with a key that only verifies, or does nothing any more.
    #[error("key `{kid}`: expected an active key to sign with, found one that is {state}")]
    NotActive {
        /// The key.
        kid: KeyId,
        /// Its state.
        state: KeyState,
    },
    /// A word that is no verb.
    #[error("verb: expected play, publish or manage, found another word")]
    Verb,
    /// A resource pattern that cannot be used.
    #[error("resource: expected a pattern such as /vod/name/**, found {fault}")]
    Glob {
        /// What is wrong with it.
        fault: GlobFault,
    },
    /// A claim whose value is not allowed.
    #[error("claim `{claim}`: expected {expected}, found {found}")]
    Claim {
        /// The claim.
        claim: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What was found, in words.
        found: &'static str,
    },
    /// A claim this version does not know. It may restrict the token, so the token is worth nothing here.
    #[error("claims: expected claims 1 to 6, found claim {number}")]
    UnknownClaim {
        /// Its number.
        number: u64,
    },
    /// Claims that are not in the one CBOR form allowed.
    #[error("claims, byte {at}: expected {expected}, found something else")]
    ClaimsForm {
        /// Where, in bytes from the start of the decoded claims.
        at: usize,
        /// What would be right there.
        expected: &'static str,
    },
    /// A text that has not the shape of a token.
    #[error("token: expected {expected}, found something else")]
    Token {
        /// What would be right.
        expected: &'static str,
    },
    /// Claims too large for a token.
    #[error("token: expected at most {} characters, found {found}", crate::Token::MAX_LEN)]
    TokenTooLong {
        /// The length it would have.
        found: usize,
    },
    /// A path prefix of a policy that no canonical path has.
    #[error("prefix: expected a path such as /vod, found a fault: {fault}")]
    Prefix {
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two route families with one prefix.
    #[error("policy: expected one rule for each prefix, found two for {prefix}")]
    DuplicatePrefix {
        /// The prefix.
        prefix: String,
    },
    /// A family that names no verb.
    #[error("policy: expected at least one verb for {prefix}, found none")]
    NoVerbs {
        /// The prefix.
        prefix: String,
    },
    /// A tolerance for clocks that is too wide.
    #[error("policy: expected a clock tolerance of at most 60 s, found {found} s")]
    Leeway {
        /// The tolerance, in seconds.
        found: u64,
    },
    /// A name under which a carrier cannot look for tokens.
    #[error("{transport} name: expected 1 to 32 characters of A-Z a-z 0-9 _ -, found {found}")]
    CarrierName {
        /// The transport.
        transport: &'static str,
        /// What was found, in words.
        found: &'static str,
    },
}

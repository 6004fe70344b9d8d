//! The dialects in which a token can be written. Each turns its own text into the same claims.

pub(crate) mod cbor;
pub(crate) mod native;

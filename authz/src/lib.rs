//! Tokens, claims and grants.

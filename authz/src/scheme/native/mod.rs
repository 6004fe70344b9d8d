//! The house's own token: its outer form and its signature.
//!
//! ```text
//! v1.<kid>.<claims>.<mac>
//!
//! kid     the key's name, 1 to 64 characters of A-Z a-z 0-9 _ -
//! claims  base64url of CBOR (see the module `claims`), no padding
//! mac     base64url of 32 bytes, no padding: 43 characters
//!
//! MAC input (key: the secret bytes of `kid`)
//! ┌────────────────────────────┬────┬──────────────────────────────────────────────┐
//! │ "forebay native token"     │ 00 │ "v1." kid "." claims, as sent, in ASCII      │
//! └────────────────────────────┴────┴──────────────────────────────────────────────┘
//! ```
//!
//! The prefix keeps what is signed here apart from whatever else may be signed with the same secret: no other
//! message of ours starts with it, and with its NUL it is no start of a text that a foreign scheme signs. The
//! whole token is at most [`MAX_LEN`] characters of `A-Z a-z 0-9 _ . -`, so it is one path segment that no
//! URL library rewrites. It cannot end with a dot. base64url is RFC 4648 §5, and bits that the last character
//! has to spare must be zero.

pub(crate) mod claims;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::key::{Key, check_label};

/// The longest token, in characters.
pub(crate) const MAX_LEN: usize = 4096;
/// More than the claims of the longest token have bytes after decoding.
pub(crate) const MAX_CLAIMS: usize = MAX_LEN / 4 * 3;

const VERSION: &str = "v1.";
const DOMAIN: &[u8] = b"forebay native token\0";
/// 32 bytes in base64url without padding.
const MAC_LEN: usize = 43;

/// A token cut into its fields. Nothing of it is verified.
pub(crate) struct Parts<'a> {
    pub(crate) kid: &'a str,
    claims: &'a str,
    /// What the MAC is taken over: the token up to its last dot.
    signed: &'a str,
    mac: [u8; 32],
}

impl<'a> Parts<'a> {
    /// Cuts `token`; `None` when it has not the form above.
    pub(crate) fn split(token: &'a str) -> Option<Parts<'a>> {
        if token.len() > MAX_LEN {
            return None;
        }
        let (signed, mac) = token.rsplit_once('.')?;
        let (kid, claims) = signed.strip_prefix(VERSION)?.split_once('.')?;
        // The characters of base64url are those of a label.
        if check_label(kid, 64).is_err() || check_label(claims, MAX_LEN).is_err() || mac.len() != MAC_LEN {
            return None;
        }
        let mac = decode_mac(mac)?;
        Some(Parts { kid, claims, signed, mac })
    }

    /// Whether `key` made the MAC. Takes the same time for any MAC.
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        let expected = key.authenticate(&[DOMAIN, self.signed.as_bytes()]);
        expected.ct_eq(&self.mac).into()
    }

    /// Decodes the claims field into `buffer`; `None` when it is not base64url.
    pub(crate) fn decode_claims<'b>(&self, buffer: &'b mut [u8; MAX_CLAIMS]) -> Option<&'b [u8]> {
        let length = URL_SAFE_NO_PAD.decode_slice(self.claims, buffer).ok()?;
        buffer.get(..length)
    }
}

/// Writes the token of `claims`, which are already in CBOR, signed by `key`.
pub(crate) fn sign(claims: &[u8], key: &Key) -> String {
    let mut token = format!("{VERSION}{}.", key.id());
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let mac = key.authenticate(&[DOMAIN, token.as_bytes()]);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(mac, &mut token);
    token
}

fn decode_mac(text: &str) -> Option<[u8; 32]> {
    // The decoder wants room for whole groups of four characters.
    let mut mac = [0; 33];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut mac).ok()?;
    mac.get(..length)?.try_into().ok()
}

#[cfg(test)]
mod tests;

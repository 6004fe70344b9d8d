//! What assets and live streams are called, and where the objects of an asset lie in the store.
//!
//! ```text
//! vod/<asset>/<revision>/asset.json        immutable, names everything below
//!                       /video-720.mp4     one fragmented CMAF object per track
//!                       /video-720.idx     its index
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The name of an asset: 1 to 128 characters of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetName(String);

/// One immutable version of an asset: a number that the catalogue counts up, or, for a folder that nobody
/// registered, a hash of what lies in it. 1 to 40 characters of `a-z 0-9`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

/// The name of a live stream: where a sender sends to and viewers look. The rules are those of [`AssetName`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName(String);

/// The number of a show: one timeline of a stream, from the moment a sender begins it until it is ended. Each
/// stream counts its own shows, from 1; no number is given twice.
///
/// As text it is the number in decimal digits, in one spelling only: no sign, no zero in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShowId(pub u64);

/// The name of a rendition inside its asset, as it stands in URLs: `video-720`, `audio-eng`.
/// 1 to 64 characters of `a-z 0-9 -`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RenditionName(String);

impl Revision {
    /// The revision that the catalogue counted.
    pub fn counted(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for ShowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ShowId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|_| digits);
        number.map(Self).ok_or_else(|| refused("the number of a show: digits, not beginning with 0", text))
    }
}

/// A text that is no such name. So much of it is kept that the longest name would be whole.
fn refused(expected: &'static str, found: &str) -> Error {
    Error::Name { expected, found: found.chars().take(140).collect() }
}

fn asset_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        // A trailing dot is refused by the path rules of the gate.
        && !text.ends_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn revision(text: &str) -> bool {
    !text.is_empty() && text.len() <= 40 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn rendition_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

macro_rules! name {
    ($type:ident, $check:ident, $expected:literal) => {
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                match $check(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(refused($expected, text)),
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name!(AssetName, asset_name, "an asset name: 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit");
name!(
    StreamName,
    asset_name,
    "a stream name: 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit"
);
name!(Revision, revision, "a revision: 1 to 40 of a-z 0-9");
name!(RenditionName, rendition_name, "a rendition name: 1 to 64 of a-z 0-9 -, starting with a letter");

/// The folder of an asset: `vod/<asset>`.
pub fn folder(asset: &AssetName) -> String {
    format!("vod/{asset}")
}

/// The folder of one revision: `vod/<asset>/<revision>`.
pub fn revision_folder(asset: &AssetName, revision: &Revision) -> String {
    format!("vod/{asset}/{revision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for bad in
            ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "a\u{0}", "ä", "trailing.", &"x".repeat(129)]
        {
            assert!(bad.parse::<AssetName>().is_err(), "{bad:?}");
            assert!(bad.parse::<StreamName>().is_err(), "{bad:?}");
        }
        for good in ["show", "Show_1.2-b", "0", &"x".repeat(128)] {
            assert_eq!(good.parse::<AssetName>().unwrap().as_str(), good);
            assert_eq!(good.parse::<StreamName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_show_has_one_spelling() {
        for bad in ["", "0", "01", "+1", "-1", " 1", "1 ", "1.0", "x", "18446744073709551616", "\u{661}"] {
            let refused = bad.parse::<ShowId>().unwrap_err();
            assert!(matches!(&refused, Error::Name { found, .. } if found == bad), "{refused}");
        }
        for good in [1, 9, 10, u64::MAX] {
            assert_eq!(good.to_string().parse::<ShowId>().unwrap(), ShowId(good));
            assert_eq!(ShowId(good).to_string(), good.to_string());
        }
    }

    #[test]
    fn folders_are_below_vod() {
        let asset: AssetName = "show".parse().unwrap();
        assert_eq!(revision_folder(&asset, &Revision::counted(7)), "vod/show/7");
    }
}

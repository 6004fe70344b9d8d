//! The lines of a playlist (RFC 8216bis §4.1, §4.2).

use std::collections::BTreeMap;

/// The attribute list of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Reads `NAME=value,…`; quotes are taken off quoted strings.
    ///
    /// # Panics
    /// When the list breaks §4.2.
    #[must_use]
    #[track_caller]
    pub fn parse(list: &str) -> Self {
        Self::try_parse(list).unwrap_or_else(|fault| panic!("{fault} in {list:?}"))
    }

    /// Reads `NAME=value,…`; quotes are taken off quoted strings.
    ///
    /// # Errors
    /// What breaks §4.2: a duplicate, a space around a name, an open quote, an empty name.
    pub fn try_parse(list: &str) -> Result<Self, String> {
        let mut attributes = BTreeMap::new();
        let mut rest = list;
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').ok_or_else(|| format!("no value in {rest:?}"))?;
            let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(legal) {
                return Err(format!("attribute name {name:?}"));
            }
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or("an open quote")?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            if value.contains(['\r', '\n']) {
                return Err("a line break".to_owned());
            }
            if attributes.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(format!("{name} twice"));
            }
            rest = match next.strip_prefix(',') {
                Some("") | None if !next.is_empty() => return Err(format!("no attribute behind {name}")),
                Some(more) => more,
                None => next,
            };
        }
        Ok(Self(attributes))
    }

    /// All attributes by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of an attribute, if it is there.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of an attribute that must be there.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    #[track_caller]
    pub fn value(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("attribute {name} is missing in {:?}", self.0))
    }

    /// The value of a decimal integer that must be there.
    ///
    /// # Panics
    /// When it is not, or is no integer.
    #[must_use]
    #[track_caller]
    pub fn integer(&self, name: &str) -> u64 {
        self.value(name).parse().unwrap_or_else(|_| panic!("{name} is no integer in {:?}", self.0))
    }
}

/// The values of all tags `name` (without `#` and colon) in order.
#[must_use]
pub fn all<'a>(playlist: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| {
        let rest = line.strip_prefix('#')?.strip_prefix(name)?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix(':') }
    };
    playlist.lines().filter_map(value).collect()
}

/// The value of a tag that must be there once.
///
/// # Panics
/// When it is there more or less often.
#[must_use]
#[track_caller]
pub fn one<'a>(playlist: &'a str, name: &str) -> &'a str {
    let values = all(playlist, name);
    assert_eq!(values.len(), 1, "{name} stands {} times in:\n{playlist}", values.len());
    values[0]
}

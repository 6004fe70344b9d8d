//! What each part of the path space asks of a request.

use std::fmt;
use std::time::Duration;

use crate::path::{self, CanonicalPath, PathFault};
use crate::{Error, Verb, VerbSet};

/// The rules of the gate: which paths are open, which need a token for which verbs, and how clocks are
/// tolerated.
///
/// A path that no family covers is denied. Where several cover it, the one with the longest prefix decides
/// alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Longest prefix first.
    families: Vec<Family>,
    early: Duration,
    late: Duration,
}

impl Policy {
    /// The widest tolerance for clocks.
    pub const MAX_LEEWAY: Duration = Duration::from_secs(60);
    /// How long before its time a token is good, unless [`Policy::with_leeway`] says otherwise: the clocks of
    /// signer and verifier are not the same.
    pub const DEFAULT_EARLY: Duration = Duration::from_secs(30);

    /// The policy that denies everything; families are added with [`Policy::with`].
    #[must_use]
    pub fn closed() -> Policy {
        Policy { families: Vec::new(), early: Self::DEFAULT_EARLY, late: Duration::ZERO }
    }

    /// Adds a family.
    ///
    /// # Errors
    /// [`Error::DuplicatePrefix`].
    pub fn with(mut self, family: Family) -> Result<Policy, Error> {
        if self.families.iter().any(|known| known.prefix == family.prefix) {
            return Err(Error::DuplicatePrefix { prefix: family.prefix.to_string() });
        }
        let place = self.families.partition_point(|known| known.prefix.0.len() >= family.prefix.0.len());
        self.families.insert(place, family);
        Ok(self)
    }

    /// Accepts tokens `early` before they become good, and `late` after they have expired. At first that is
    /// [`Policy::DEFAULT_EARLY`] and nothing. Fractions of a second are dropped.
    ///
    /// # Errors
    /// [`Error::Leeway`] when one is over [`Policy::MAX_LEEWAY`].
    pub fn with_leeway(self, early: Duration, late: Duration) -> Result<Policy, Error> {
        let widest = early.max(late);
        if widest > Self::MAX_LEEWAY {
            return Err(Error::Leeway { found: widest.as_secs() });
        }
        Ok(Policy { early, late, ..self })
    }

    /// The families, the one with the longest prefix first.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// How long before its time a token is good.
    #[must_use]
    pub fn early(&self) -> Duration {
        self.early
    }

    /// How long after its expiry a token is good.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.late
    }

    /// The family that decides about `path`.
    #[must_use]
    pub fn family(&self, path: &CanonicalPath<'_>) -> Option<&Family> {
        self.families.iter().find(|family| family.prefix.covers(path))
    }
}

/// What is asked for everything at and below one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    prefix: Prefix,
    access: Access,
    max_ttl: Duration,
}

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone may do these, and nobody may do anything else.
    Open(VerbSet),
    /// These verbs, each with a token that grants it.
    Token(VerbSet),
}

impl Family {
    /// The longest life of a token, unless [`Family::with_max_ttl`] says otherwise: a week.
    pub const DEFAULT_MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

    /// Paths that anyone may play. A token that comes along is not looked at.
    ///
    /// # Errors
    /// [`Error::Prefix`].
    pub fn open(prefix: &str) -> Result<Family, Error> {
        Self::open_for(prefix, Verb::Play)
    }

    /// Paths with which anyone may do `verbs`. A token that comes along is not looked at.
    ///
    /// # Errors
    /// [`Error::Prefix`], [`Error::NoVerbs`].
    pub fn open_for(prefix: &str, verbs: impl Into<VerbSet>) -> Result<Family, Error> {
        Self::new(prefix, Access::Open(verbs.into()))
    }

    /// Paths that need a token, for one of `verbs`.
    ///
    /// # Errors
    /// [`Error::Prefix`], [`Error::NoVerbs`].
    pub fn guarded(prefix: &str, verbs: impl Into<VerbSet>) -> Result<Family, Error> {
        Self::new(prefix, Access::Token(verbs.into()))
    }

    fn new(prefix: &str, access: Access) -> Result<Family, Error> {
        let (Access::Open(verbs) | Access::Token(verbs)) = access;
        if verbs.is_empty() {
            return Err(Error::NoVerbs { prefix: prefix.to_owned() });
        }
        let prefix = Prefix::parse(prefix).map_err(|fault| Error::Prefix { fault })?;
        Ok(Family { prefix, access, max_ttl: Self::DEFAULT_MAX_TTL })
    }

    /// Refuses tokens that have longer to live, whatever key signed them.
    #[must_use]
    pub fn with_max_ttl(self, max_ttl: Duration) -> Family {
        Family { max_ttl, ..self }
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Who may come in.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The longest life that a token may have left.
    #[must_use]
    pub fn max_ttl(&self) -> Duration {
        self.max_ttl
    }

    /// Whether anyone may do `verb` here.
    pub(crate) fn is_open_for(&self, verb: Verb) -> bool {
        matches!(self.access, Access::Open(verbs) if verbs.contains(verb))
    }

    /// Whether a token may grant `verb` here.
    pub(crate) fn knows(&self, verb: Verb) -> bool {
        match self.access {
            Access::Open(_) => false,
            Access::Token(verbs) => verbs.contains(verb),
        }
    }
}

/// The path at the top of a family. `/vod` and `/vod/` are the same prefix, of `/vod`, `/vod/` and `/vod/a`,
/// not of `/vod2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(
    /// Without the slash at its end, so that of the root is empty.
    Box<str>,
);

impl Prefix {
    /// Parses a prefix, written as paths are after decoding.
    ///
    /// # Errors
    /// The [`PathFault`] that no canonical path has.
    pub fn parse(text: &str) -> Result<Prefix, PathFault> {
        path::check(text)?;
        Ok(Prefix(text.strip_suffix('/').unwrap_or(text).into()))
    }

    /// Whether `path` is the prefix or lies below it.
    #[must_use]
    pub fn covers(&self, path: &CanonicalPath<'_>) -> bool {
        path.as_str().strip_prefix(&*self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> CanonicalPath<'_> {
        CanonicalPath::parse(raw.as_bytes()).unwrap()
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        for prefix in ["/vod", "/vod/"] {
            let prefix = Prefix::parse(prefix).unwrap();
            for (raw, expected) in [
                ("/vod", true),
                ("/vod/", true),
                ("/vod/a/b", true),
                ("/vod2", false),
                ("/", false),
                ("/a/vod", false),
            ] {
                assert_eq!(prefix.covers(&path(raw)), expected, "{raw}");
            }
        }
        let root = Prefix::parse("/").unwrap();
        assert!(root.covers(&path("/")) && root.covers(&path("/a/b")));
        assert_eq!(root.to_string(), "/");
        for bad in ["", "vod", "/a/../b", "//", "/a%20b", "/a?"] {
            assert!(Prefix::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let policy = ["/", "/vod/secret", "/vod"]
            .into_iter()
            .fold(Policy::closed(), |policy, prefix| policy.with(Family::open(prefix).unwrap()).unwrap());
        let decides = |raw| policy.family(&path(raw)).unwrap().prefix().to_string();
        assert_eq!(decides("/vod/secret/a"), "/vod/secret");
        assert_eq!(decides("/vod/secrets"), "/vod");
        assert_eq!(decides("/else"), "/");
    }

    #[test]
    fn contradictory_or_empty_rules_are_refused() {
        let policy = Policy::closed().with(Family::open("/vod").unwrap()).unwrap();
        let again = policy.clone().with(Family::guarded("/vod/", Verb::Play).unwrap());
        assert_eq!(again, Err(Error::DuplicatePrefix { prefix: "/vod".into() }));
        assert!(Family::guarded("/vod", VerbSet::default()).is_err());
        assert!(Family::open_for("/vod", VerbSet::default()).is_err());
        assert_eq!(
            policy.clone().with_leeway(Duration::from_secs(61), Duration::ZERO),
            Err(Error::Leeway { found: 61 })
        );
        assert!(policy.clone().with_leeway(Duration::ZERO, Duration::from_secs(61)).is_err());
        assert!(policy.with_leeway(Duration::from_secs(60), Duration::from_secs(60)).is_ok());
    }
}

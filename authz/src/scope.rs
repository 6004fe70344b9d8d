//! What a token covers: verbs, and the paths they hold for.

use std::fmt;
use std::str::FromStr;

use crate::path::{self, CanonicalPath, PathFault};
use crate::{Error, Verb, VerbSet};

/// The verbs and resources of a token. Never empty in either: a token for nothing is a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    verbs: VerbSet,
    resources: Vec<ResourceGlob>,
}

impl Scope {
    /// The largest number of resources in one token.
    pub const MAX_RESOURCES: usize = 32;

    /// A scope of all `verbs` on all `resources`.
    ///
    /// # Errors
    /// [`Error::Claim`] when either is empty or there are more than [`Scope::MAX_RESOURCES`] resources.
    pub fn new(verbs: impl Into<VerbSet>, resources: Vec<ResourceGlob>) -> Result<Scope, Error> {
        let verbs = verbs.into();
        if verbs.is_empty() {
            return Err(Error::Claim { claim: "verbs", expected: "at least one verb", found: "none" });
        }
        if resources.is_empty() {
            return Err(Error::Claim {
                claim: "resources",
                expected: "at least one resource",
                found: "none",
            });
        }
        if resources.len() > Self::MAX_RESOURCES {
            return Err(Error::Claim { claim: "resources", expected: "at most 32", found: "more" });
        }
        Ok(Scope { verbs, resources })
    }

    /// The verbs.
    #[must_use]
    pub fn verbs(&self) -> VerbSet {
        self.verbs
    }

    /// The resources, in the order they were given.
    #[must_use]
    pub fn resources(&self) -> &[ResourceGlob] {
        &self.resources
    }

    /// Whether `verb` may be done with `path`.
    #[must_use]
    pub fn allows(&self, verb: Verb, path: &CanonicalPath<'_>) -> bool {
        self.verbs.contains(verb) && self.resources.iter().any(|glob| glob.covers(path))
    }
}

/// A pattern over [`CanonicalPath`]s.
///
/// | in the pattern      | stands for |
/// |---------------------|------------|
/// | `*` in a segment    | any characters of that segment; alone in it, at least one |
/// | `**` as a segment   | any number of whole segments, none included; at the end, at least one |
/// | anything else       | itself |
///
/// So `/live/ev1/**` covers what is below `/live/ev1` and nothing of `/live/ev10`. A pattern is written as
/// paths are after decoding, so `%`, `?`, `;`, `\` and dot segments cannot be in it, and `[`, `{` or `!` mean
/// themselves. Matching takes time proportional to segments of the pattern times bytes of the path, whatever
/// both hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceGlob(Box<str>);

impl ResourceGlob {
    /// The longest pattern, in bytes.
    pub const MAX_LEN: usize = 512;
    /// The largest number of segments in a pattern.
    pub const MAX_SEGMENTS: usize = 32;

    /// Parses a pattern.
    ///
    /// # Errors
    /// [`Error::Glob`] with what is wrong with it.
    pub fn parse(text: &str) -> Result<ResourceGlob, Error> {
        check(text).map_err(|fault| Error::Glob { fault })?;
        Ok(ResourceGlob(text.into()))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path` is one of those the pattern stands for.
    #[must_use]
    pub fn covers(&self, path: &CanonicalPath<'_>) -> bool {
        covers(&self.0, path)
    }
}

impl FromStr for ResourceGlob {
    type Err = Error;

    fn from_str(text: &str) -> Result<ResourceGlob, Error> {
        ResourceGlob::parse(text)
    }
}

impl fmt::Display for ResourceGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a [`ResourceGlob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GlobFault {
    /// Over [`ResourceGlob::MAX_LEN`] bytes.
    #[error("more than {} bytes", ResourceGlob::MAX_LEN)]
    TooLong,
    /// Over [`ResourceGlob::MAX_SEGMENTS`] segments.
    #[error("more than {} segments", ResourceGlob::MAX_SEGMENTS)]
    TooManySegments,
    /// `**` next to something else in its segment.
    #[error("`**` that is not a whole segment")]
    DoubleStar,
    /// It could never match a canonical path.
    #[error("something no canonical path has: {0}")]
    Path(PathFault),
}

/// Whether `text` is a pattern, and if not, why.
pub(crate) fn check(text: &str) -> Result<(), GlobFault> {
    if text.len() > ResourceGlob::MAX_LEN {
        return Err(GlobFault::TooLong);
    }
    path::check(text).map_err(GlobFault::Path)?;
    if text.bytes().filter(|byte| *byte == b'/').count() > ResourceGlob::MAX_SEGMENTS {
        return Err(GlobFault::TooManySegments);
    }
    let is_double_star = |byte, next| (byte == b'*') & (next == b'*');
    if path::has_pair(text, is_double_star)
        && path::segments(text).any(|segment| segment != "**" && segment.contains("**"))
    {
        return Err(GlobFault::DoubleStar);
    }
    Ok(())
}

/// Whether a pattern that [`check`] has passed covers `path`.
pub(crate) fn covers(glob: &str, path: &CanonicalPath<'_>) -> bool {
    match glob.split_once('*') {
        None => glob == path.as_str(),
        // The usual pattern, `/…/**`.
        Some((above, "*")) => path.as_str().starts_with(above),
        Some((above, _)) => path.as_str().starts_with(above) && covers_segments(glob, path),
    }
}

/// As [`covers`], segment by segment.
///
/// When a segment does not match, only the last `**` is asked to swallow one more: whatever an earlier one
/// could swallow instead, the last one can as well. So each pair of pattern segment and path segment is
/// compared at most once.
fn covers_segments(glob: &str, path: &CanonicalPath<'_>) -> bool {
    let mut pattern = path::segments(glob);
    let mut rest = path.segments();
    let mut last_double_star = None;
    loop {
        match pattern.next() {
            Some("**") => {
                if pattern.clone().next().is_none() {
                    return rest.next().is_some();
                }
                last_double_star = Some((pattern.clone(), rest.clone()));
                continue;
            }
            Some(expected) => match rest.next() {
                Some(segment) if covers_segment(expected, segment) => continue,
                Some(_) => {}
                None => return false,
            },
            None if rest.next().is_none() => return true,
            None => {}
        }
        let Some((after, start)) = last_double_star.as_mut() else { return false };
        if start.next().is_none() {
            return false;
        }
        pattern = after.clone();
        rest = start.clone();
    }
}

/// Whether one segment of a pattern, not `**`, stands for `segment`. Each piece between stars is taken where
/// it first occurs, which leaves the most for the pieces after it.
fn covers_segment(pattern: &str, segment: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == segment };
    if pattern == "*" {
        return !segment.is_empty();
    }
    let (middle, end) = match tail.rsplit_once('*') {
        Some((middle, end)) => (Some(middle), end),
        None => (None, tail),
    };
    let Some(inner) = segment.strip_prefix(head).and_then(|rest| rest.strip_suffix(end)) else {
        return false;
    };
    let pieces = middle.into_iter().flat_map(|middle| middle.split('*'));
    let mut rest = inner;
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;

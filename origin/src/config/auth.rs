//! The section `[auth]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use authz::{Carrier, Family, Policy, Verb};
use toml::de::DeValue;

use super::read::{Section, expected, string};
use super::{Span, files};

/// `[auth]`: who may see what, and how the proof arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Whether media needs a token. Without it everything is served to everyone, and everyone may publish.
    pub required: bool,
    /// The file of the keys that tokens are checked with; needed when `required`.
    pub keys: Option<PathBuf>,
    /// Prefixes of paths that need no token, each beginning and ending with `/`.
    pub public: Vec<String>,
    /// The longest life of a token that is still accepted, counted from now to its expiry.
    pub max_ttl: Span,
    /// How far the clocks of who signs and who checks may be apart.
    pub skew: Span,
    /// Whether the token may stand in front of the path: `/t/<token>/…`.
    pub path: bool,
    /// Whether it may come as `Authorization: Bearer` (RFC 6750 §2.1).
    pub header: bool,
    /// The cookie that may hold it.
    pub cookie: Option<String>,
    /// The query parameter that may hold it.
    pub query: Option<String>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            required: true,
            keys: None,
            public: Vec::new(),
            max_ttl: Span::hours(24),
            skew: Span::seconds(30),
            path: true,
            header: false,
            cookie: None,
            query: None,
        }
    }
}

impl Auth {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let default = Self::default();
        let auth = Self {
            required: section.switch("required").unwrap_or(default.required),
            keys: section.text("keys", |text| files::keys(&base.join(text)).map(|()| base.join(text))),
            public: section.take("public", prefixes).unwrap_or(default.public),
            max_ttl: section
                .span("max_ttl", Span::seconds(60)..=Span::hours(24 * 366))
                .unwrap_or(default.max_ttl),
            skew: section.span("skew", Span::seconds(0)..=Span::seconds(60)).unwrap_or(default.skew),
            path: section.switch("path").unwrap_or(default.path),
            header: section.switch("header").unwrap_or(default.header),
            cookie: section.text("cookie", name),
            query: section.text("query", name),
        };
        if auth.required && !section.has("keys") {
            section.missing(
                "keys",
                "expected the path of a key file (make one with `forebay keys gen`), found nothing",
            );
        }
        if let Err(fault) = auth.policy() {
            section.fault("public", fault);
        }
        let asked_for = section.has("cookie") || section.has("query");
        if auth.required && !auth.path && !auth.header && !asked_for {
            section.fault("path", "expected at least one way for a token to arrive, found none");
        }
        auth
    }

    /// What the gate asks of each path: media needs a token that lets play, unless it is public or nothing
    /// needs one; where live streams are sent to, one that lets publish, unless nothing needs one. Paths of
    /// other rooms are theirs to add. Fails where a public prefix stands there twice or is none; not on a
    /// configuration that came from a file.
    pub fn policy(&self) -> Result<Policy, authz::Error> {
        // Late tokens get no leeway: what is answered under a token must not outlive it.
        let empty = Policy::closed().with_leeway(self.skew.as_duration(), Duration::ZERO)?;
        let mut rooms = ROOMS.iter().filter(|(prefix, _)| !self.public.iter().any(|public| public == prefix));
        let policy = rooms.try_fold(empty, |policy, (prefix, verb)| {
            // Whoever may watch without a token may not change what there is.
            policy.with(match self.required || *verb == Verb::Manage {
                true => Family::guarded(prefix, *verb)?.with_max_ttl(self.max_ttl.as_duration()),
                false => Family::open_for(prefix, *verb)?,
            })
        })?;
        self.public.iter().try_fold(policy, |policy, prefix| policy.with(Family::open(prefix)?))
    }

    /// Where a request's token is looked for. Fails on a name that no cookie or parameter can have; not on a
    /// configuration that came from a file.
    pub fn carrier(&self) -> Result<Carrier, authz::Error> {
        let mut carrier = Carrier::none();
        if self.path {
            carrier = carrier.with_path(PATH_PREFIX)?;
        }
        if self.header {
            carrier = carrier.with_bearer();
        }
        if let Some(name) = &self.cookie {
            carrier = carrier.with_cookie(name)?;
        }
        match &self.query {
            Some(name) => carrier.with_query(name),
            None => Ok(carrier),
        }
    }
}

/// The prefixes of paths in an array.
fn prefixes(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let array = value.as_array().ok_or_else(|| expected("an array of paths", value))?;
    let prefix = |value: &toml::Spanned<DeValue<'_>>| {
        let text = string(value.get_ref())?;
        let clean = text.split('/').skip(1).all(|part| !matches!(part, "." | ".."));
        let plain = text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%' | '\\' | '*'));
        match text.starts_with('/') && text.ends_with('/') && !text.contains("//") && clean && plain {
            // Open, it would be closed: an open path is for playing, and nothing is played here.
            true if text.starts_with(INGEST) || text.starts_with(CLIPS) => Err(format!(
                "expected paths that are played, found {text:?}: publishing and making clips are never public"
            )),
            true => Ok(text.to_owned()),
            false => Err(format!("expected paths such as \"/vod/trailer/\", found {text:?}")),
        }
    };
    array.iter().map(prefix).collect()
}

/// A name that can stand in a cookie and in a query without being escaped.
fn name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.len() <= 64;
    match plain && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        true => Ok(text.to_owned()),
        false => Err(format!("expected a name of 1 to 64 characters of A-Z a-z 0-9 _ -, found {text:?}")),
    }
}

/// What is asked for where: prefixes, and what can be done with the paths below.
const ROOMS: [(&str, Verb); 4] =
    [("/vod/", Verb::Play), ("/live/", Verb::Play), (INGEST, Verb::Publish), (CLIPS, Verb::Manage)];
/// Where clips are made.
const CLIPS: &str = "/clips/";
/// Where live streams are sent to.
const INGEST: &str = "/ingest/";
/// The first part of a path that carries a token.
const PATH_PREFIX: &str = "t";

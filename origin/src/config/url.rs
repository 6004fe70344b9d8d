//! Where objects and rows are kept, as a URL.

use std::fmt;
use std::path::{Path, PathBuf};

use http::uri::Authority;

use super::Bucket;

use super::PostgresUrl;

/// Where the objects are. Written `file:///absolute/folder` or `file://folder`, which is relative to the
/// configuration file; or `s3://bucket` or `s3://bucket/prefix`. The path is taken as it stands: nothing in it is
/// percent-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// A folder of this machine.
    File(PathBuf),
    /// A bucket of an object storage that speaks the S3 protocol.
    S3(Bucket),
}

/// Where the catalogue is. Written `sqlite:///absolute/file` or `sqlite://file`, which is relative to the
/// configuration file, and whose path is taken as it stands: nothing in it is percent-decoded. Or
/// `postgres://user:password@host:port/database`, of which the password is never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseUrl {
    /// A database file of this machine.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(PostgresUrl),
}

/// An origin that live streams are sent to: `http://host` or `http://host:port`, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginUrl(Authority);

/// Why a text is no URL of a store, a database or an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no `scheme://` in front, or no path after it.
    #[error("expected {expected}, found {found:?}")]
    Malformed {
        /// What it looks like when it is right.
        expected: &'static str,
        /// The text, shortened.
        found: String,
    },
    /// The scheme is one that this build cannot use.
    #[error("{scheme}:// is not supported by this build; supported: {supported}")]
    Unsupported {
        /// The scheme.
        scheme: String,
        /// What could stand there instead.
        supported: &'static str,
    },
    /// It may hold a password, so it is not repeated.
    #[error("expected {expected}")]
    Secret {
        /// What it looks like when it is right.
        expected: &'static str,
    },
}

impl StoreUrl {
    /// Reads a URL; `base` is the folder that relative paths start from.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        let supported = if cfg!(feature = "s3") { "file://, s3://" } else { "file://" };
        match text.split_once("://") {
            Some(("s3", rest)) if cfg!(feature = "s3") => {
                Bucket::parse(rest).map(Self::S3).ok_or_else(|| UrlError::Malformed {
                    expected: "s3://bucket or s3://bucket/prefix",
                    found: shortened(text),
                })
            }
            _ => path_of(text, "file", supported, "file:///folder or file://folder", base).map(Self::File),
        }
    }
}

impl DatabaseUrl {
    /// Reads a URL; `base` is the folder that relative paths start from.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        let expected = "sqlite:///file, sqlite://file or postgres://user@host/database";
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Secret { expected })?;
        match scheme {
            "sqlite" if cfg!(feature = "sqlite") => {
                path_of(text, "sqlite", SUPPORTED, "sqlite:///file or sqlite://file", base).map(Self::Sqlite)
            }
            "postgres" | "postgresql" if cfg!(feature = "postgres") => PostgresUrl::parse(rest, base)
                .map(Self::Postgres)
                .map_err(|expected| UrlError::Secret { expected }),
            scheme => {
                let scheme = scheme.chars().take(40).collect();
                Err(UrlError::Unsupported { scheme, supported: SUPPORTED })
            }
        }
    }
}

impl OriginUrl {
    /// Reads a URL. A slash at its end is no path.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let expected = "http://host or http://host:port";
        let malformed = || UrlError::Malformed { expected, found: text.chars().take(200).collect() };
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        if scheme != "http" {
            let scheme = scheme.chars().take(40).collect();
            return Err(UrlError::Unsupported { scheme, supported: "http://" });
        }
        let authority: Authority = rest.strip_suffix('/').unwrap_or(rest).parse().map_err(|_| malformed())?;
        // What is a port, and is none, would be left out silently.
        let has_port = authority.as_str().trim_start_matches(authority.host()).starts_with(':');
        let is_plain = !authority.as_str().contains('@') && has_port == authority.port_u16().is_some();
        is_plain.then_some(Self(authority)).ok_or_else(malformed)
    }

    /// What the origin is called where it is one of several: the same however its URL is written.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.0.host().to_ascii_lowercase(), self.0.port_u16().unwrap_or(80))
    }

    /// Host, and port where it is not 80.
    pub fn authority(&self) -> &Authority {
        &self.0
    }
}

impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file://{}", path.display()),
            Self::S3(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn path_of(
    text: &str,
    scheme: &str,
    supported: &'static str,
    expected: &'static str,
    base: &Path,
) -> Result<PathBuf, UrlError> {
    let malformed = || UrlError::Malformed { expected, found: shortened(text) };
    let (found, path) = text.split_once("://").ok_or_else(malformed)?;
    if found != scheme {
        let scheme = found.chars().take(40).collect();
        return Err(UrlError::Unsupported { scheme, supported });
    }
    // A query would be an option that nobody reads.
    if path.is_empty() || path.contains(['?', '#', '\0']) {
        return Err(malformed());
    }
    Ok(base.join(path))
}

/// What this build can use as a database.
const SUPPORTED: &str = match (cfg!(feature = "sqlite"), cfg!(feature = "postgres")) {
    (true, true) => "sqlite://, postgres://",
    (true, false) => "sqlite://",
    (false, true) => "postgres://",
    (false, false) => "none",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_at_the_configuration() {
        let base = Path::new("/etc/forebay");
        assert_eq!(StoreUrl::parse("file:///srv/media", base).unwrap(), StoreUrl::File("/srv/media".into()));
        assert_eq!(
            StoreUrl::parse("file://media", base).unwrap(),
            StoreUrl::File("/etc/forebay/media".into())
        );
        assert_eq!(StoreUrl::parse("file:///srv/100%", base).unwrap().to_string(), "file:///srv/100%");
    }

    #[test]
    fn other_schemes_are_refused_by_their_name() {
        let base = Path::new("/");
        assert_eq!(
            StoreUrl::parse("gs://bucket", base).unwrap_err().to_string(),
            "gs:// is not supported by this build; supported: file://, s3://"
        );
        for bad in ["", "media", "/srv/media", "file://", "file:/srv", "file:///srv?x=1"] {
            assert!(matches!(StoreUrl::parse(bad, base), Err(UrlError::Malformed { .. })), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_a_host_and_perhaps_a_port() {
        for (text, printed) in [
            ("http://origin-1.internal", "http://origin-1.internal"),
            ("http://10.0.0.7:8080/", "http://10.0.0.7:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(OriginUrl::parse(text).unwrap().to_string(), printed);
        }
        assert_eq!(
            OriginUrl::parse("https://a").unwrap_err().to_string(),
            "https:// is not supported by this build; supported: http://"
        );
        for bad in [
            "",
            "http://",
            "origin",
            "http:/a",
            "http://a/b",
            "http://a?x=1",
            "http://u:p@a",
            "http://a:x",
            "http://a:",
            "http://a:99999",
            "http://a b",
        ] {
            assert!(matches!(OriginUrl::parse(bad), Err(UrlError::Malformed { .. })), "{bad}");
        }
    }

    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    #[test]
    fn a_database_is_a_file_or_on_a_server_and_no_password_is_printed() {
        let parse = |text: &str| DatabaseUrl::parse(text, Path::new("/etc/forebay"));
        assert_eq!(parse("sqlite://f.db").unwrap().to_string(), "sqlite:///etc/forebay/f.db");
        for scheme in ["postgres", "postgresql"] {
            let url = parse(&format!("{scheme}://f:hunter2@db/forebay")).unwrap();
            assert_eq!(url.to_string(), "postgres://f@db:5432/forebay");
            assert!(!format!("{url:?}").contains("hunter2"), "{url:?}");
        }
        assert_eq!(
            parse("mysql://f:hunter2@db/f").unwrap_err().to_string(),
            "mysql:// is not supported by this build; supported: sqlite://, postgres://"
        );
        for bad in ["postgres:/f:hunter2@db/f", "f:hunter2@db", "postgres://f:hunter2@", ""] {
            let fault = parse(bad).unwrap_err();
            assert!(!format!("{fault} {fault:?}").contains("hunter2"), "{fault}");
        }
    }
}

//! Where a source and its parts are: a file of this machine, or an address.

use std::fmt;
use std::path::{Path, PathBuf};

use packager::import::shown;
use url::Url;

use crate::Error;

/// A file or an `http` or `https` URL. Shown without what may be secret: folders, hosts and queries.
#[derive(Clone, PartialEq, Eq)]
pub struct Location(Url);

impl Location {
    /// What a person wrote: an `http://` or `https://` URL, else a path.
    ///
    /// # Errors
    /// [`Error::Input`] for another scheme, for a URL with a password, and for a path that cannot be.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |what: &str| Error::Input { file: shown(text), what: what.to_owned() };
        if !text.contains("://") {
            let path =
                std::path::absolute(text).map_err(|e| refused(&format!("expected a path, found {e}")))?;
            let url = Url::from_file_path(path).map_err(|()| refused("expected a path, found none"))?;
            return Ok(Self(url));
        }
        let url = Url::parse(text).map_err(|e| refused(&format!("expected a URL, found {e}")))?;
        Self::allowed(url).map_err(|what| refused(&what))
    }

    /// What `reference`, as a playlist here has it, leads to (RFC 3986 §5). What came over the network leads to no file.
    pub(super) fn join(&self, reference: &str) -> Result<Self, String> {
        let url = self.0.join(reference).map_err(|error| format!("expected a URI, found {error}"))?;
        match (self.is_file(), url.scheme()) {
            (true, "file") => Ok(Self(url)),
            (false, "file") => Err("expected an address, found one of a local file".to_owned()),
            _ => Self::allowed(url),
        }
    }

    fn allowed(mut url: Url) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("expected http or https, found {}", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("expected a URL without a user and a password, found one".to_owned());
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(super) fn is_file(&self) -> bool {
        self.0.scheme() == "file"
    }

    /// The file, where it is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.0.to_file_path().ok().filter(|_| self.is_file())
    }

    /// The address.
    pub(super) fn url(&self) -> &str {
        self.0.as_str()
    }

    /// The last component, for people.
    pub fn name(&self) -> String {
        let file = self.file();
        let name = file.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_else(|| shown(self.0.path()));
        if name.is_empty() { "the source".to_owned() } else { name }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, reference: &str) -> Result<String, String> {
        Location::parse(base).unwrap().join(reference).map(|l| l.url().to_owned())
    }

    #[test]
    fn references_are_resolved_and_queries_stay() {
        let base = "https://host/a/main.m3u8?t=1";
        assert_eq!(joined(base, "v/0.m4s?x=2").unwrap(), "https://host/a/v/0.m4s?x=2");
        assert_eq!(joined(base, "/b").unwrap(), "https://host/b");
        assert_eq!(joined(base, "http://other/c#d").unwrap(), "http://other/c");
        let here = Location::parse("/films/main.m3u8").unwrap();
        assert_eq!(here.join("v%200/a.m4s?x").unwrap().file().unwrap(), Path::new("/films/v 0/a.m4s"));
        assert_eq!((here.name(), here.is_file()), ("main.m3u8".to_owned(), true));
    }

    #[test]
    fn what_came_over_the_network_leads_to_no_file() {
        assert!(joined("http://host/main.m3u8", "file:///etc/passwd").unwrap_err().contains("local file"));
        for other in ["ftp://host/a", "data:text/plain,x", "http://user:secret@host/a"] {
            assert!(joined("http://host/main.m3u8", other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_refusal_shows_no_secret() {
        for text in ["ftp://host/t/secret/main.m3u8?secret", "http://user:secret@host/main.m3u8"] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("main.m3u8: expected") && !error.contains("secret"), "{error}");
        }
        let debug = format!("{:?}", Location::parse("http://host/t/secret/main.m3u8?secret").unwrap());
        assert_eq!(debug, "main.m3u8");
    }
}

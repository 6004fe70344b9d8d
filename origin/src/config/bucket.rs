//! A bucket of an object storage, and how it is reached.

use std::fmt;
use std::path::{Path, PathBuf};

use http::Uri;

use super::read::Section;

/// A bucket that is reached by the S3 protocol, at any service that speaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all names of objects begin with: empty, or parts with slashes between them.
    pub prefix: String,
    /// Where the service is, `https://host` or `http://host:port`; that of Amazon for the region if not set.
    pub endpoint: Option<Uri>,
    /// The region that requests are signed for.
    pub region: String,
    /// The file of the key; `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of the environment if not set.
    pub credentials: Option<PathBuf>,
    /// Where the bucket's name stands.
    pub addressing: Addressing,
}

/// Where a bucket's name stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Addressing {
    /// In the path, as every service but Amazon's wants it.
    #[default]
    Path,
    /// In the name of the host.
    Host,
}

impl Bucket {
    /// What stands behind `s3://`; `None` for what no bucket can be called.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_name = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !text.is_empty() && text.len() <= 255 && text.chars().all(plain) && !text.starts_with('.')
        };
        let is_whole = is_name(name) && (prefix.is_empty() || prefix.split('/').all(is_name));
        is_whole.then(|| Self {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: REGION.to_owned(),
            credentials: None,
            addressing: Addressing::Path,
        })
    }

    /// Takes what the section says of how it is reached.
    pub(super) fn reach(&mut self, reach: Reach) {
        self.endpoint = reach.endpoint;
        self.credentials = reach.credentials;
        self.region = reach.region.unwrap_or_else(|| REGION.to_owned());
        self.addressing = reach.addressing.unwrap_or_default();
    }
}

/// The keys of the section that only a bucket needs.
#[derive(Debug)]
pub(super) struct Reach {
    endpoint: Option<Uri>,
    region: Option<String>,
    credentials: Option<PathBuf>,
    addressing: Option<Addressing>,
}

impl Reach {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let file =
            |text: &str| (!text.is_empty()).then(|| base.join(text)).ok_or("expected a file, found \"\"");
        Self {
            endpoint: section.text("endpoint", endpoint),
            region: section.text("region", region),
            credentials: section.text("credentials", file),
            addressing: section.text("addressing", addressing),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, " at {endpoint}"))
    }
}

fn endpoint(text: &str) -> Result<Uri, String> {
    let malformed = || {
        format!(
            "expected https://host or http://host:port, found {:?}",
            text.chars().take(200).collect::<String>()
        )
    };
    let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| malformed())?;
    let is_bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    match uri.scheme_str() {
        Some("http" | "https") if is_bare && is_plain => Ok(uri),
        _ => Err(malformed()),
    }
}

fn region(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_one = !text.is_empty() && text.len() <= 64 && text.chars().all(plain);
    is_one.then(|| text.to_owned()).ok_or_else(|| format!("expected 1 to 64 of a-z 0-9 -, found {text:?}"))
}

fn addressing(text: &str) -> Result<Addressing, String> {
    match text {
        "path" => Ok(Addressing::Path),
        "host" => Ok(Addressing::Host),
        other => Err(format!("expected \"path\" or \"host\", found {other:?}")),
    }
}

/// What Amazon's own service is asked for where no region is named; others mostly do not care.
const REGION: &str = "us-east-1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_have_a_prefix() {
        for (text, name, prefix) in
            [("media", "media", ""), ("media/", "media", ""), ("m.e-d_1/live/eu/", "m.e-d_1", "live/eu")]
        {
            let bucket = Bucket::parse(text).unwrap();
            assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), (name, prefix));
        }
        for bad in ["", "/x", "a b", "a?x=1", "a/../b", "a//b", ".a", "a/.b", "a#b", "user@host"] {
            assert_eq!(Bucket::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host() {
        for good in
            ["http://127.0.0.1:9000", "https://ns.compat.objectstorage.eu-frankfurt-1.oraclecloud.com/"]
        {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in ["", "host", "ftp://host", "https://host/path", "https://u:p@host", "https://host?x=1"] {
            assert!(endpoint(bad).unwrap_err().starts_with("expected https://"), "{bad}");
        }
    }
}

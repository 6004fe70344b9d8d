//! What to purge, as it is asked for: by URL, by the beginning of a path, by surrogate key, or all.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::Service;
use super::live::LiveRoute;
use super::route::Route;
use super::surrogate::Surrogate;
use crate::cache::Force;
use crate::vod::Purge;

/// What to purge. As JSON each field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PurgeRequest {
    /// Paths such as `/vod/show/main.m3u8`, or whole URLs; a token in front of the path is left out of account.
    pub urls: Vec<String>,
    /// How paths begin, such as `/vod/show/`; any number of characters.
    pub prefixes: Vec<String>,
    /// Surrogate keys, such as `asset/show`.
    pub keys: Vec<String>,
    /// Everything that is kept.
    pub all: bool,
    /// What is kept is still served while a newer one is fetched, or cannot be.
    pub soft: bool,
}

/// What became of a purge. It holds for whoever asks from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// How many things were named.
    pub purged: usize,
    /// Whether it holds when the process begins anew, too. False where the disk of the cache could not be written to: then
    /// it should be asked for again.
    pub kept: bool,
}

/// Why nothing was purged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// Nothing was named.
    #[error("expected urls, prefixes, keys or all, found none of them")]
    Nothing,
    /// More was named than is purged at once.
    #[error("expected at most {MOST} things to purge, found {0}")]
    TooMany(usize),
    /// This names nothing that could be served here.
    #[error("expected {expected}, found {found:?}")]
    Unknown {
        /// What it should have been.
        expected: &'static str,
        /// What it was.
        found: String,
    },
}

impl Service {
    /// Purges all that is named, at one moment; or nothing, where one of it cannot be.
    pub(crate) async fn purge(&self, request: &PurgeRequest) -> Result<Purged, PurgeError> {
        let named =
            request.urls.len() + request.prefixes.len() + request.keys.len() + usize::from(request.all);
        match named {
            0 => return Err(PurgeError::Nothing),
            1..=MOST => {}
            more => return Err(PurgeError::TooMany(more)),
        }
        let mut purges: Vec<Purge> = Vec::new();
        for url in &request.urls {
            purges.extend(self.of_url(url)?);
        }
        for prefix in &request.prefixes {
            purges.push(of_prefix(prefix)?);
        }
        for key in &request.keys {
            let unknown = |_| unknown("a surrogate key such as asset/NAME", key);
            purges.extend(key.parse::<Surrogate>().map_err(unknown)?.purge());
        }
        if request.all {
            purges.push(Purge::All);
        }
        let force = if request.soft { Force::Soft } else { Force::Hard };
        let done = self.vod.purge(&purges, force).await;
        tracing::info!(named, soft = request.soft, kept = done.is_kept, "purged");
        Ok(Purged { purged: named, kept: done.is_kept })
    }

    fn of_url(&self, url: &str) -> Result<Option<Purge>, PurgeError> {
        let unknown = || unknown("the URL of something that is served here", url);
        let target = path_of(url).ok_or_else(unknown)?;
        let none = HeaderMap::new();
        let lifted = self.carrier.lift(target, &none).map_err(|_| unknown())?;
        Ok(Some(match Route::parse(&lifted.path) {
            Route::Main(asset) => Purge::Main(asset),
            Route::Playlist(place) => Purge::Playlist(place.asset, place.revision, place.rendition),
            Route::Init(place) => Purge::Init(place.asset, place.revision),
            // Segments share blocks with their neighbours.
            Route::Segment(place, _) => Purge::Rendition(place.asset, place.revision, place.rendition),
            Route::Live(LiveRoute::Door(stream, _) | LiveRoute::Main(stream, ..)) => Purge::Stream(stream),
            Route::Live(
                LiveRoute::Playlist(place, _)
                | LiveRoute::Init(place, _)
                | LiveRoute::Segment(place, _)
                | LiveRoute::Part(place, ..),
            ) => Purge::Stream(place.stream),
            Route::Page(_) => return Ok(None),
            Route::Unknown => return Err(unknown()),
        }))
    }
}

fn of_prefix(prefix: &str) -> Result<Purge, PurgeError> {
    let path = path_of(prefix);
    // Names have no other characters, so that nothing else could begin with it.
    let is_plain = |path: &&str| {
        path.len() <= LONGEST
            && path
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-'))
    };
    match path.filter(is_plain) {
        Some(path) => Ok(Purge::Beginning(path.to_owned())),
        None => Err(unknown("the beginning of a path, such as /vod/NAME/", prefix)),
    }
}

/// The path of a URL with its query, of one of any host.
fn path_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let path = match rest {
        Some(rest) => rest.get(rest.find('/')?..)?,
        None => url,
    };
    path.starts_with('/').then_some(path)
}

fn unknown(expected: &'static str, found: &str) -> PurgeError {
    PurgeError::Unknown { expected, found: found.chars().take(200).collect() }
}

/// What can be named at once; as many keys as Fastly takes.
const MOST: usize = 256;
/// No path is longer that is served.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_path_and_nothing_else() {
        for (text, path) in [
            ("/", "/"),
            ("/vod/show", "/vod/show"),
            ("https://cdn.example/vod/show/7/", "/vod/show/7/"),
            ("http://h:8080/", "/"),
        ] {
            assert_eq!(of_prefix(text), Ok(Purge::Beginning(path.to_owned())), "{text}");
        }
        for text in
            ["", "vod/", "https://host", "/vod/a b", "/vod/%61/", "/vod/#", "/vod/?", "/\n", "ftp://h/x"]
        {
            assert!(matches!(of_prefix(text), Err(PurgeError::Unknown { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_request_as_json_has_defaults_and_no_other_names() {
        let read = serde_json::from_str::<PurgeRequest>;
        let keys = PurgeRequest { keys: vec!["asset/a".to_owned()], ..PurgeRequest::default() };
        assert_eq!(read(r#"{"keys":["asset/a"]}"#).unwrap(), keys);
        assert!(read(r#"{"key":"asset/a"}"#).is_err());
        let all = PurgeRequest { all: true, soft: true, ..PurgeRequest::default() };
        assert_eq!(read(&serde_json::to_string(&all).unwrap()).unwrap(), all);
    }
}

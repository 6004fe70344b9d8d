//! Following a presentation from its multivariant playlist down to every byte of media.

use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use super::tags::{self, Attributes};

/// A whole presentation, read the way a player would, except that all of it is fetched.
#[derive(Debug, Clone)]
pub struct Presentation {
    /// The path of its entry.
    pub entry: String,
    /// The multivariant playlist.
    pub text: String,
    /// What its variants name, best first as listed, then the audio renditions.
    pub renditions: Vec<Rendition>,
}

/// Which list of the multivariant playlist a rendition stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A variant stream.
    Variant,
    /// A member of an audio group.
    Audio,
}

/// One media playlist with its media.
#[derive(Debug, Clone)]
pub struct Rendition {
    /// Where it is named.
    pub kind: Kind,
    /// Its attributes there.
    pub attributes: Attributes,
    /// The path of its playlist.
    pub path: String,
    /// Its playlist.
    pub text: String,
    /// The path of its init segment.
    pub init_path: String,
    /// Its init segment.
    pub init: Vec<u8>,
    /// Its segments in order.
    pub segments: Vec<Segment>,
}

/// One media segment.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its path.
    pub path: String,
    /// The seconds that EXTINF declares.
    pub seconds: f64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Presentation {
    /// Follows `entry`, fetching each path by `fetch`, which stops the story when there is nothing at a path.
    ///
    /// # Panics
    /// When a playlist is not of the expected form.
    pub fn follow(entry: &str, mut fetch: impl FnMut(&str) -> Vec<u8>) -> Self {
        let text = playlist(fetch(entry));
        let mut renditions: Vec<Rendition> = Vec::new();
        for (kind, attributes, uri) in children(&text) {
            let path = resolve(entry, &uri);
            if renditions.iter().all(|known| known.path != path) {
                renditions.push(Rendition::follow(kind, attributes, path, &mut fetch));
            }
        }
        assert!(!renditions.is_empty(), "nothing to play in:\n{text}");
        Self { entry: entry.to_owned(), text, renditions }
    }

    /// The renditions with a picture, as listed.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn video(&self) -> Vec<&Rendition> {
        self.renditions.iter().filter(|r| r.attributes.find("RESOLUTION").is_some()).collect()
    }

    /// The renditions with sound alone.
    #[must_use]
    pub fn audio(&self) -> Vec<&Rendition> {
        self.renditions.iter().filter(|r| r.attributes.find("RESOLUTION").is_none()).collect()
    }

    /// Every path and its bytes: playlists, init segments, segments.
    #[must_use]
    pub fn objects(&self) -> Vec<(&str, &[u8])> {
        let mut objects = vec![(self.entry.as_str(), self.text.as_bytes())];
        for rendition in &self.renditions {
            objects.push((&rendition.path, rendition.text.as_bytes()));
            objects.push((&rendition.init_path, &rendition.init));
            objects
                .extend(rendition.segments.iter().map(|segment| (segment.path.as_str(), &segment.bytes[..])));
        }
        objects
    }
}

impl Rendition {
    fn follow(
        kind: Kind,
        attributes: Attributes,
        path: String,
        fetch: &mut impl FnMut(&str) -> Vec<u8>,
    ) -> Self {
        let text = playlist(fetch(&path));
        let init_path = resolve(&path, Attributes::parse(tags::one(&text, "EXT-X-MAP")).value("URI"));
        let init = fetch(&init_path);
        let mut segments = Vec::new();
        let mut seconds = None;
        for line in text.lines() {
            if let Some(value) = line.strip_prefix("#EXTINF:") {
                seconds = Some(value.split(',').next().unwrap().parse().unwrap());
            } else if !line.starts_with('#') && !line.is_empty() {
                let path = resolve(&path, line);
                let bytes = fetch(&path);
                segments.push(Segment { path, seconds: seconds.take().expect("EXTINF before a URI"), bytes });
            }
        }
        Self { kind, attributes, path, text, init_path, init, segments }
    }

    /// Writes init and segments into `dir`, one file each; the init segment first.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn write_parts(&self, dir: &Path) -> Vec<PathBuf> {
        let init = ("init.mp4".to_owned(), &self.init);
        let segments =
            self.segments.iter().enumerate().map(|(n, segment)| (format!("{n}.m4s"), &segment.bytes));
        let write = |(name, bytes): (String, &Vec<u8>)| {
            let path = dir.join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        std::iter::once(init).chain(segments).map(write).collect()
    }

    /// The whole rendition as one fragmented file: its init segment and its segments, joined.
    #[must_use]
    pub fn joined(&self) -> Vec<u8> {
        let mut whole = self.init.clone();
        for segment in &self.segments {
            whole.extend_from_slice(&segment.bytes);
        }
        whole
    }
}

/// The path that `reference` means in the playlist at `base` (RFC 3986 §5).
///
/// # Panics
/// When they are no references.
#[must_use]
pub fn resolve(base: &str, reference: &str) -> String {
    let base = Url::parse("http://host").unwrap().join(base).unwrap();
    let resolved = base.join(reference).unwrap();
    assert_eq!(resolved.host(), base.host(), "a URI that leaves the server: {reference}");
    resolved[url::Position::BeforePath..].to_owned()
}

fn playlist(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a playlist is UTF-8 (§4.1)")
}

/// What a multivariant playlist names: its variants, then its audio renditions with a URI.
///
/// # Panics
/// When a variant has no URI.
#[must_use]
pub fn children(text: &str) -> Vec<(Kind, Attributes, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(list) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let uri = lines.next().expect("a URI after EXT-X-STREAM-INF");
            found.push((Kind::Variant, Attributes::parse(list), uri.to_owned()));
        }
    }
    for list in tags::all(text, "EXT-X-MEDIA") {
        let attributes = Attributes::parse(list);
        if let Some(uri) = attributes.find("URI").map(str::to_owned) {
            found.push((Kind::Audio, attributes, uri));
        }
    }
    found
}

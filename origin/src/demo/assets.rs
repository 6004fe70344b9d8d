//! The files of the demo pages, embedded when the daemon is built: a closed set, looked up by exact name.
//!
//! Nothing is read from a disk and no name is ever joined to a path, so there is nothing to traverse. The names are
//! relative, and the page refers to its files relatively too: it can be mounted at any path that ends in `/`.

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// What a browser may do on the page: its own files and requests, video from the blobs that Media Source Extensions make,
/// and hls.js's worker, which is started from a blob. Sent as `Content-Security-Policy` with every file of the page.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; media-src 'self' blob:; \
    connect-src 'self'; worker-src 'self' blob:; img-src 'self' data:";

/// One file of the page.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// The value of `Content-Type`.
    pub(crate) content_type: &'static str,
    /// The whole file; cloning it copies no byte.
    pub(crate) body: Bytes,
    /// The strong validator with its quotes (RFC 9110 §8.8.3): a hash of the bytes, so two daemons of one build agree on it.
    pub(crate) etag: String,
}

/// All files of both pages.
#[derive(Debug)]
pub(crate) struct Assets {
    files: Vec<(&'static str, Asset)>,
}

impl Assets {
    /// Takes the embedded files and hashes each once (0.6 MB together: some milliseconds).
    pub(crate) fn embedded() -> Self {
        let files = FILES
            .iter()
            .map(|&(name, content_type, body)| {
                let asset = Asset { content_type, body: Bytes::from_static(body), etag: etag(body) };
                (name, asset)
            })
            .collect();
        Self { files }
    }

    /// The file of this name.
    #[cfg(test)]
    fn find(&self, name: &str) -> Option<&Asset> {
        self.iter().find_map(|(known, asset)| (known == name).then_some(asset))
    }

    /// All of them, by their names relative to where the page is mounted, without a leading slash.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Asset)> {
        self.files.iter().map(|(name, asset)| (*name, asset))
    }
}

/// 128 bits of SHA-256 are beyond any accident, and keep the header short.
fn etag(body: &[u8]) -> String {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in Sha256::digest(body).iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}

/// The page for what has an end.
pub(crate) const FILM: &str = "index.html";
/// The page for what is live.
pub(crate) const LIVE: &str = "live.html";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const FILES: [(&str, &str, &[u8]); 25] = [
    (FILM, HTML, include_bytes!("page/index.html")),
    (LIVE, HTML, include_bytes!("page/live.html")),
    ("page.css", STYLE, include_bytes!("page/page.css")),
    ("live.css", STYLE, include_bytes!("page/live.css")),
    ("dvr.css", STYLE, include_bytes!("page/dvr.css")),
    ("page.js", SCRIPT, include_bytes!("page/page.js")),
    ("live.js", SCRIPT, include_bytes!("page/live.js")),
    ("player.js", SCRIPT, include_bytes!("page/player.js")),
    ("edge.js", SCRIPT, include_bytes!("page/edge.js")),
    ("timeline.js", SCRIPT, include_bytes!("page/timeline.js")),
    ("dvr.js", SCRIPT, include_bytes!("page/dvr.js")),
    ("preview.js", SCRIPT, include_bytes!("page/preview.js")),
    ("clip.js", SCRIPT, include_bytes!("page/clip.js")),
    ("chart.js", SCRIPT, include_bytes!("page/chart.js")),
    ("events.js", SCRIPT, include_bytes!("page/events.js")),
    ("reach.js", SCRIPT, include_bytes!("page/reach.js")),
    ("levels.js", SCRIPT, include_bytes!("page/levels.js")),
    ("link.js", SCRIPT, include_bytes!("page/link.js")),
    ("fault.js", SCRIPT, include_bytes!("page/fault.js")),
    ("theme.js", SCRIPT, include_bytes!("page/theme.js")),
    ("format.js", SCRIPT, include_bytes!("page/format.js")),
    ("dom.js", SCRIPT, include_bytes!("page/dom.js")),
    ("favicon.svg", "image/svg+xml", include_bytes!("page/favicon.svg")),
    // Placed by build.rs.
    ("hls.min.js", SCRIPT, include_bytes!(env!("FOREBAY_HLS_JS"))),
    ("hls.js-license.txt", "text/plain; charset=utf-8", include_bytes!(env!("FOREBAY_HLS_JS_LICENSE"))),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_embedded() {
        let assets = Assets::embedded();
        for (name, text) in texts(&assets) {
            for reference in references(&text) {
                // The daemon writes the description; everything else must be here.
                if reference != "demo.json" {
                    assert!(assets.find(reference).is_some(), "{name} names {reference}");
                }
            }
        }
    }

    #[test]
    fn every_embedded_file_of_ours_is_named_by_the_page() {
        let assets = Assets::embedded();
        let texts = texts(&assets);
        let named: Vec<&str> = texts.iter().flat_map(|(_, text)| references(text)).collect();
        for (name, _) in &assets.files {
            assert!([FILM, LIVE].contains(name) || named.contains(name), "{name} is embedded for nobody");
        }
    }

    #[test]
    fn both_pages_are_there() {
        let assets = Assets::embedded();
        for name in [FILM, LIVE] {
            let page = assets.find(name).expect("the page");
            assert_eq!(page.content_type, "text/html; charset=utf-8");
            assert!(page.body.starts_with(b"<!doctype html>"));
        }
    }

    #[test]
    fn names_outside_the_set_find_nothing() {
        let assets = Assets::embedded();
        for name in [
            "",
            "/",
            "/page.js",
            "page.js/",
            "./page.js",
            "../page.js",
            "page/page.js",
            "Page.js",
            "page.js?x",
            "page%2ejs",
            "mod.rs",
            "demo.json",
        ] {
            assert!(assets.find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn etags_are_strong_and_tell_files_apart() {
        let assets = Assets::embedded();
        let mut etags: Vec<&str> = assets.files.iter().map(|(_, a)| a.etag.as_str()).collect();
        for etag in &etags {
            assert_eq!(etag.len(), 34, "{etag}");
            assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        }
        etags.sort_unstable();
        etags.dedup();
        assert_eq!(etags.len(), assets.files.len());
        // SHA-256 of nothing begins so (FIPS 180-4).
        assert_eq!(etag(b""), "\"e3b0c44298fc1c149afbf4c8996fb924\"");
    }

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        let assets = Assets::embedded();
        for (name, page) in texts(&assets).iter().filter(|(name, _)| [FILM, LIVE].contains(name)) {
            assert!(!page.contains(" style=") && !page.contains("<style"), "{name}: inline style");
            assert!(!page.contains(" onclick="), "{name}: inline handler");
            for tag in page.split("<script").skip(1) {
                assert!(tag.trim_start().starts_with("type=\"module\" src="), "{name}: inline script");
            }
        }
        for (name, text) in texts(&assets) {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{name}");
        }
        for source in ["media-src 'self' blob:", "worker-src 'self' blob:"] {
            assert!(CONTENT_SECURITY_POLICY.contains(source), "{source}");
        }
    }

    /// Our own files as text, without hls.js.
    fn texts(assets: &Assets) -> Vec<(&'static str, String)> {
        let ours = assets.files.iter().filter(|(name, _)| !name.starts_with("hls"));
        ours.map(|(name, asset)| (*name, String::from_utf8(asset.body.to_vec()).expect("UTF-8"))).collect()
    }

    /// Everything in quotes that looks like the name of a file, with or without `./` before it.
    fn references(text: &str) -> Vec<&str> {
        let endings = [".js", ".css", ".svg", ".html", ".json", ".txt"];
        text.split(['"', '\''])
            .map(|word| word.strip_prefix("./").unwrap_or(word))
            .filter(|word| endings.iter().any(|ending| word.ends_with(ending)))
            .filter(|word| word.bytes().all(|b| b.is_ascii_alphanumeric() || b".-/".contains(&b)))
            .collect()
    }
}

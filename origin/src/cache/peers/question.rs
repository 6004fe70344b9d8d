//! What one node asks another, as it stands in a request.
//!
//! ```text
//! GET /blocks?object=vod/film/1/video-720.mp4&size=7340032&version=&place=/vod/film/1/video-720/&from=262144&to=786432&block=262144
//! Forebay-Node: 10.0.0.7:8090                          who asks; never who was asked
//! Authorization: Forebay 1767225600 9f86d081…          seconds since 1970, HMAC-SHA256 of time, node and target
//!
//! 200, Content-Length: 524296                          | CRC-32 | 262144 bytes | CRC-32 | 262144 bytes |
//! ```
//!
//! The sum of a block stands in front of it, little-endian: it leaves with the block, and does not wait for the next one.

use authz::UnixSeconds;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, header};
use object_store::path::Path;
use packager::range::ByteRange;
use sha2::Sha256;

use super::super::block::RUN;
use super::super::object::ObjectRef;
use crate::store::Version;

/// Some blocks of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cache) struct Question {
    pub(in crate::cache) object: ObjectRef,
    /// Not empty, and begins where a block does.
    pub(in crate::cache) range: ByteRange,
    /// The size of blocks of who asks.
    pub(in crate::cache) block: u64,
}

impl Question {
    /// The bytes of an answer.
    pub(super) fn length(&self) -> u64 {
        self.range.len() + self.range.len().div_ceil(self.block.max(1)) * SUM
    }

    /// The target of the request.
    pub(super) fn target(&self) -> String {
        let Self { object, range, block } = self;
        let version = object.version.as_ref().map_or("", Version::as_str);
        format!(
            "{PATH}?object={}&size={}&version={}&place={}&from={}&to={}&block={block}",
            escaped(&object.path),
            object.size,
            escaped(version),
            escaped(&object.place),
            range.start(),
            range.end(),
        )
    }

    /// The question in a target, if it is one that a node would ask: only of media, in the one spelling that the store has for
    /// its path, and of no more than one stretch.
    pub(super) fn parse(target: &str) -> Option<Self> {
        let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('='));
        let mut next = |name: &str| match pairs.next()?? {
            (found, value) if found == name => Some(value),
            _ => None,
        };
        let number = |text: &str| text.parse::<u64>().ok();
        let path = plain(next("object")?)?;
        let size = number(next("size")?)?;
        let version = plain(next("version")?)?;
        // By which the one who answers knows what it was told to purge.
        let place = plain(next("place")?)?;
        let (from, to) = (number(next("from")?)?, number(next("to")?)?);
        let block = number(next("block")?)?;
        let is_media = MEDIA.iter().any(|prefix| path.starts_with(prefix));
        let is_canonical = Path::parse(&path).is_ok_and(|parsed| parsed.as_ref() == path);
        let is_sized = from < to && to <= size && to - from <= RUN.max(block);
        let is_aligned = block.is_power_of_two() && BLOCKS.contains(&block) && from % block == 0;
        let is_one = is_media && is_canonical && is_sized && is_aligned && pairs.next().is_none();
        let version = (!version.is_empty()).then(|| Version::of(version));
        is_one.then(|| Self {
            object: ObjectRef::new(path, size, version, place),
            range: ByteRange::new(from, to),
            block,
        })
    }
}

/// What proves that a question comes from one of the nodes.
#[derive(Debug, Clone)]
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    /// What all nodes share. `None` for no secret that HMAC takes, which does not happen.
    pub(super) fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// Puts a question of `node` under the seal.
    pub(super) fn close(&self, headers: &mut HeaderMap, now: UnixSeconds, node: &HeaderValue, target: &str) {
        let sum: [u8; 32] = self.over(now, node.as_bytes(), target).finalize().into_bytes().into();
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{SCHEME} {} {sum}", now.0);
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(header::AUTHORIZATION, value);
            headers.insert(NODE, node.clone());
        }
    }

    /// The node that asks, if the seal is good and new. In constant time for every sum.
    pub(super) fn open<'h>(
        &self,
        headers: &'h HeaderMap,
        now: UnixSeconds,
        target: &str,
    ) -> Option<&'h [u8]> {
        let node = headers.get(NODE)?.as_bytes();
        let mut words = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split(' ');
        let (scheme, time, sum) = (words.next()?, words.next()?, words.next()?);
        let time = UnixSeconds(time.parse().ok()?);
        let sum = unhex(sum)?;
        let is_new = now.0.abs_diff(time.0) <= SKEW;
        let is_whole = scheme == SCHEME && words.next().is_none();
        let is_good = self.over(time, node, target).verify_slice(&sum).is_ok();
        (is_good && is_new && is_whole).then_some(node)
    }

    fn over(&self, time: UnixSeconds, node: &[u8], target: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        // A header holds no line's end, and a number neither: no two questions are written alike.
        for part in [b"forebay blocks 1".as_slice(), time.0.to_string().as_bytes(), node, target.as_bytes()] {
            mac.update(part);
            mac.update(b"\n");
        }
        mac
    }
}

/// What is no letter, digit or mark of a path is percent-encoded.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// What [`escaped`] was given.
fn plain(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                out.extend(unhex(std::str::from_utf8(digits).ok()?)?);
                rest = after;
            }
            byte => out.push(*byte),
        }
    }
    String::from_utf8(out).ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}

/// Bytes of the sum in front of each block.
pub(super) const SUM: u64 = 4;
const PATH: &str = "/blocks";
/// The header that names who asks.
const NODE: &str = "forebay-node";
const SCHEME: &str = "Forebay";
/// How far the clocks of two nodes may be apart, in seconds.
const SKEW: u64 = 60;
/// Where media lies.
const MEDIA: [&str; 2] = ["vod/", "live/"];
/// What `cache.block` may be.
const BLOCKS: std::ops::RangeInclusive<u64> = 4096..=16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixSeconds = UnixSeconds(1_767_225_600);
    const SECRET: &str = "a secret of the nodes, and no other";

    fn question(path: &str, version: Option<&str>) -> Question {
        let version = version.map(|text| Version::of(text.to_owned()));
        let object = ObjectRef::new(path.to_owned(), 700_000, version, "/vod/a b/#".to_owned());
        Question { object, range: ByteRange::new(262_144, 700_000), block: 262_144 }
    }

    #[test]
    fn a_question_is_readable() {
        let asked = question("vod/a film/é%.mp4", Some("\"5d41&\""));
        let target = "/blocks?object=vod/a%20film/%c3%a9%25.mp4&size=700000&version=%225d41%26%22&place=/vod/a%20b/%23&from=262144&to=700000&block=262144";
        assert_eq!(asked.target(), target);
        assert_eq!(asked.length(), 700_000 - 262_144 + 2 * 4);
    }

    #[test]
    fn nothing_but_media_in_its_one_spelling_is_asked_for() {
        let good = question("vod/film/1/video.mp4", None).target();
        assert!(Question::parse(&good).is_some());
        for bad in [
            good.replace("vod/", "keys/"),
            good.replace("vod/film", "vod/../film"),
            good.replace("vod/film", "vod/%2e%2e/film"),
            good.replace("vod/film", "vod//film"),
            good.replace("vod/film", "/vod/film"),
            good.replace(".mp4", ".mp4/"),
            good.replace(".mp4", "%ff"),
            good.replace(".mp4", "%4"),
            good.replace(".mp4", "%"),
            good.replace("from=262144", "from=262145"),
            good.replace("to=700000", "to=700001"),
            good.replace("to=700000", "to=262144"),
            good.replace("to=700000", "to=-1"),
            good.replace("block=262144", "block=0"),
            good.replace("block=262144", "block=262143"),
            good.replace("block=262144", "block=33554432"),
            good.replace("size=700000", "size=99999999").replace("to=700000", "to=9999999"),
            good.replace("&version=", ""),
            good.replace("&place=", "&elsewhere="),
            good.replace("/blocks", "/block"),
            format!("{good}&more=1"),
            "/blocks".to_owned(),
            String::new(),
        ] {
            assert_eq!(Question::parse(&bad), None, "{bad}");
        }
    }

    /// The headers of a question that `node` asks.
    fn sealed(secret: &str, now: UnixSeconds, node: &'static str, target: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Seal::new(secret).unwrap().close(&mut headers, now, &HeaderValue::from_static(node), target);
        headers
    }

    #[test]
    fn a_seal_is_good_for_one_question_of_one_node_and_a_minute() {
        let seal = Seal::new(SECRET).unwrap();
        let headers = sealed(SECRET, NOW, "a:80", "/x");
        assert_eq!(seal.open(&headers, NOW, "/x"), Some(b"a:80".as_slice()));
        for (apart, is_good) in [(60, true), (61, false)] {
            for now in [NOW.0 - apart, NOW.0 + apart] {
                assert_eq!(seal.open(&headers, UnixSeconds(now), "/x").is_some(), is_good, "{apart}");
            }
        }
        assert_eq!(seal.open(&headers, NOW, "/y"), None);
        assert_eq!(seal.open(&HeaderMap::new(), NOW, "/x"), None);
        assert_eq!(seal.open(&sealed("another", NOW, "a:80", "/x"), NOW, "/x"), None);
        let mut of_another = headers.clone();
        of_another.insert(NODE, HeaderValue::from_static("b:80"));
        assert_eq!(seal.open(&of_another, NOW, "/x"), None);
        let text = headers[header::AUTHORIZATION].to_str().unwrap();
        for bad in [
            text.replace("Forebay", "Bearer"),
            text.replace(&NOW.0.to_string(), &(NOW.0 + 1).to_string()),
            text[..text.len() - 1].to_owned(),
            text[..text.len() - 2].to_owned(),
            format!("{text} "),
            "Forebay".to_owned(),
            SECRET.to_owned(),
        ] {
            let mut headers = headers.clone();
            headers.insert(header::AUTHORIZATION, bad.parse().unwrap());
            assert_eq!(seal.open(&headers, NOW, "/x"), None, "{bad}");
        }
    }

    #[test]
    fn a_seal_shows_no_secret() {
        let text = format!("{:?}", Seal::new(SECRET).unwrap());
        assert!(!text.contains("secret of"), "{text}");
    }

    proptest! {
        #[test]
        fn what_is_asked_is_what_is_read(
            name in "[^/\\x00-\\x1f]{1,20}",
            version in proptest::option::of("\\PC{1,20}"),
            place in "\\PC{0,20}",
            first in 0u64..100,
            blocks in 1u64..32,
            short in 0u64..262_144,
        ) {
            let path = format!("vod/{name}");
            prop_assume!(Path::parse(&path).is_ok_and(|parsed| parsed.as_ref() == path));
            let range = ByteRange::new(first * 262_144, (first + blocks) * 262_144 - short);
            let object = ObjectRef::new(path, range.end(), version.map(Version::of), place);
            let asked = Question { object, range, block: 262_144 };
            let read = Question::parse(&asked.target());
            // Objects are equal wherever they are served.
            prop_assert_eq!(read.as_ref().map(|read| &read.object.place), Some(&asked.object.place));
            prop_assert_eq!(read, Some(asked));
        }

        #[test]
        fn no_target_panics(target in "/blocks\\?object=\\PC{0,40}", rest in "\\PC{0,40}") {
            let _ = Question::parse(&format!("{target}&{rest}"));
            let _ = Question::parse(&rest);
        }
    }
}

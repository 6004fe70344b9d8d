//! A viewer of a live rendition who keeps all that he gets: every playlist with its time, and every part and segment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{Answer, Connection};
use super::deadline::PATIENCE;
use crate::oracle::hls::resolve;
use crate::oracle::live::playlist::Playlist;
use crate::oracle::live::{Captured, delta};

/// One viewer of one media playlist, on a connection of his own.
#[derive(Debug)]
pub struct Viewer {
    connection: Connection,
    path: String,
    clock: Instant,
    takes_updates: bool,
    captures: Vec<Captured>,
    whole: Playlist,
    media: BTreeMap<String, Bytes>,
}

/// What a viewer got.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The path of the playlist.
    pub path: String,
    /// The playlists in the order in which they came.
    pub captures: Vec<Captured>,
    /// The last of them, merged into those before.
    pub last: Playlist,
    /// Init segments, segments and parts by path.
    pub media: BTreeMap<String, Bytes>,
}

impl Viewer {
    /// Opens the playlist at `path`. Times of captures count from `clock`.
    ///
    /// # Panics
    /// When there is no playlist.
    #[must_use]
    pub fn of(origin: SocketAddr, path: &str, clock: Instant) -> Self {
        let mut viewer = Self {
            connection: Connection::open(origin),
            path: path.to_owned(),
            clock,
            takes_updates: false,
            captures: Vec::new(),
            whole: Playlist::default(),
            media: BTreeMap::new(),
        };
        viewer.ask("");
        viewer
    }

    /// Asks for delta updates from now on, each second time.
    #[must_use]
    pub fn with_updates(mut self) -> Self {
        self.takes_updates = true;
        self
    }

    /// The playlist, whole, as of the last answer.
    #[must_use]
    pub fn playlist(&self) -> &Playlist {
        &self.whole
    }

    /// The last playlist as it came.
    ///
    /// # Panics
    /// Never: there is one from the start.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.captures.last().unwrap().text
    }

    /// Asks for the playlist with this query (without `?`), and keeps it.
    ///
    /// # Panics
    /// When the answer is not 200, or an update does not fit to what came before.
    pub fn ask(&mut self, query: &str) -> &Playlist {
        let url = if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) };
        let answer = self.connection.request("GET", &url, &[("accept-encoding", "gzip")]).is(200);
        let text = answer.text();
        let (playlist, _) = Playlist::read(&text);
        self.whole = delta::merge(&self.whole, &playlist).unwrap_or_else(|fault| panic!("{url}: {fault}"));
        self.captures.push(Captured { at: self.clock.elapsed(), url, text });
        &self.whole
    }

    /// Asks for the playlist with the next part, which is held until it is there; the next segment where there are no
    /// parts.
    ///
    /// # Panics
    /// As [`Viewer::ask`].
    pub fn wait(&mut self) -> &Playlist {
        let (msn, parts) = self.whole.end();
        let mut query = format!("_HLS_msn={msn}");
        if self.whole.part_target.is_some() {
            query += &format!("&_HLS_part={parts}");
        }
        if self.takes_updates && self.captures.len() % 2 == 1 {
            query += "&_HLS_skip=YES";
        }
        self.ask(&query)
    }

    /// Fetches all that is listed and not here yet: what is listed can be had at once (§6.2.1).
    ///
    /// # Panics
    /// When an answer is not 200, or a part or segment takes longer than a second.
    pub fn fetch(&mut self) {
        let listed = |playlist: &Playlist| {
            let mut uris: Vec<String> = Vec::new();
            for (_, segment) in playlist.all() {
                uris.extend(segment.map.clone());
                uris.extend(segment.parts.iter().filter(|part| !part.is_gap).map(|part| part.uri.clone()));
                uris.extend((!segment.is_gap && !segment.uri.is_empty()).then(|| segment.uri.clone()));
            }
            uris
        };
        for uri in listed(&self.whole) {
            let path = resolve(&self.path, &uri);
            if self.media.contains_key(&path) {
                continue;
            }
            let asked = Instant::now();
            let answer = self.connection.request("GET", &path, &[]).is(200);
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(1), "{path} is listed, and took {took:?}");
            self.media.insert(path, answer.body);
        }
    }

    /// GET on this viewer's connection.
    #[must_use]
    pub fn get(&mut self, path: &str) -> Answer {
        self.connection.request("GET", path, &[])
    }

    /// Follows the show part by part, fetching all media, until `is_enough` or the end.
    ///
    /// # Panics
    /// As [`Viewer::ask`] and [`Viewer::fetch`], and when neither comes within a minute.
    pub fn follow(&mut self, is_enough: impl Fn(&Playlist) -> bool) {
        let start = Instant::now();
        self.fetch();
        while !self.whole.is_ended && !is_enough(&self.whole) {
            assert!(start.elapsed() < PATIENCE, "still not enough of {}:\n{}", self.path, self.text());
            self.wait();
            self.fetch();
        }
    }

    /// What he got.
    #[must_use]
    pub fn recording(self) -> Recording {
        Recording { path: self.path, captures: self.captures, last: self.whole, media: self.media }
    }

    /// Follows the show to its end on a thread of its own.
    ///
    /// # Panics
    /// When no thread can be had.
    #[must_use]
    pub fn record(mut self) -> JoinHandle<Recording> {
        let name = self.path.clone();
        let work = move || {
            self.follow(|_| false);
            self.recording()
        };
        thread::Builder::new().name(name).spawn(work).unwrap()
    }
}

impl Recording {
    /// The bytes of what `uri` names in the playlist.
    ///
    /// # Panics
    /// When they were not fetched.
    #[must_use]
    pub fn bytes(&self, uri: &str) -> &Bytes {
        let path = resolve(&self.path, uri);
        self.media.get(&path).unwrap_or_else(|| panic!("{path} was never fetched"))
    }

    /// Checks that the parts of each segment, joined, are the segment (§3.2), for all segments whose parts were seen;
    /// gives how many those are.
    ///
    /// # Panics
    /// When they are not.
    pub fn parts_are_segments(&self) -> usize {
        let mut whole: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for capture in &self.captures {
            let playlist = Playlist::read(&capture.text).0;
            for segment in playlist.segments.iter().filter(|s| !s.is_gap && !s.parts.is_empty()) {
                whole
                    .insert(segment.uri.clone(), segment.parts.iter().map(|part| part.uri.clone()).collect());
            }
        }
        for (segment, parts) in &whole {
            let joined: Vec<u8> = parts.iter().flat_map(|part| self.bytes(part).to_vec()).collect();
            assert!(joined == self.bytes(segment)[..], "{segment} is not its {} parts, joined", parts.len());
        }
        whole.len()
    }

    /// The init segment and all whole segments in order, joined into one file.
    ///
    /// # Panics
    /// When one of them was not fetched.
    #[must_use]
    pub fn joined(&self) -> Vec<u8> {
        let segments: Vec<_> = self.last.segments.iter().filter(|segment| !segment.is_gap).collect();
        let map = segments[0].map.as_deref().expect("an init segment");
        let mut file = self.bytes(map).to_vec();
        file.extend(segments.iter().flat_map(|segment| self.bytes(&segment.uri).to_vec()));
        file
    }
}

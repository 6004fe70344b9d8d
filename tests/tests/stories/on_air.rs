//! What the live stories do: a server with a stream, what is sent to it, and who watches.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::oracle::live::playlist::{Playlist, Segment};
use forebay_tests::rig::client;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::reel::Reel;
use forebay_tests::rig::sender::{Ended, Sender, unix_time};
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::{Recording, Viewer};

/// The tracks of a show.
pub(crate) type Tracks = [(&'static str, Arc<Reel>)];

/// A server with a stream `show`.
pub(crate) struct OnAir {
    pub(crate) daemon: Daemon,
    pub(crate) show: Stream,
    site: Site,
}

/// A stream of a server.
pub(crate) struct Stream {
    http: SocketAddr,
    /// The folder that tracks are sent to, as a signed path.
    pub(crate) ingest: String,
    /// The signed door.
    pub(crate) door: String,
}

impl OnAir {
    pub(crate) fn on(site: Site) -> Self {
        let daemon = site.serve();
        let show = Stream { http: daemon.http(), ingest: site.ingest("show"), door: site.door("show") };
        Self { daemon, show, site }
    }

    /// Another server with the same keys, for those who have tokens for this one.
    pub(crate) fn twin(&self, site: Site) -> Self {
        let daemon = site.serve();
        let show =
            Stream { http: daemon.http(), ingest: self.show.ingest.clone(), door: self.show.door.clone() };
        Self { daemon, show, site }
    }

    /// The server dies, and another takes its place; who has a token keeps it.
    pub(crate) fn restarted(self) -> Self {
        let Self { daemon, show, site } = self;
        drop(daemon);
        let daemon = site.serve();
        let show = Stream { http: daemon.http(), ..show };
        Self { daemon, show, site }
    }

    /// A server that shares its store and its database with this one.
    pub(crate) fn beside(&self, dress: impl Fn(Site) -> Site) -> Self {
        let database = format!("\"sqlite://{}\"", self.site.path().join("forebay.db").display());
        let store = format!("\"file://{}\"", self.site.store().display());
        let site = dress(Site::copy_of(self.site.path()));
        self.twin(site.with("database", "url", &database).with("store", "url", &store))
    }

    /// What it is served from.
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Another stream.
    pub(crate) fn stream(&self, name: &str) -> Stream {
        Stream { http: self.daemon.http(), ingest: self.site.ingest(name), door: self.site.door(name) }
    }
}

impl Stream {
    pub(crate) fn http(&self) -> SocketAddr {
        self.http
    }

    /// A sender of these tracks.
    pub(crate) fn sender(&self, tracks: &Tracks) -> Sender {
        Sender::new(&self.ingest, tracks).to(self.http)
    }

    /// Sends a show as fast as it is taken, to its end; the end waits until all tracks have begun.
    pub(crate) fn send(&self, sender: Sender, tracks: &Tracks) {
        let sending = sender.speed(f64::INFINITY).holding_its_end().start();
        self.playlists(tracks);
        sending.let_go();
        all_taken(&sending.finish());
    }

    /// The paths of the media playlists that the door names; none where there is no show.
    pub(crate) fn listed(&self) -> Vec<String> {
        let answer = client::get(self.http, &self.door);
        if answer.status != 200 {
            return Vec::new();
        }
        children(&answer.text()).into_iter().map(|(_, _, uri)| resolve(&self.door, &uri)).collect()
    }

    /// The paths of the media playlists of the show that runs, by name of their tracks, once all of `tracks` have one.
    pub(crate) fn playlists(&self, tracks: &Tracks) -> Vec<String> {
        until("all tracks to be listed", || {
            let listed = self.listed();
            let of = |name: &str| listed.iter().find(|path| path.contains(&format!("/{name}/"))).cloned();
            tracks.iter().map(|(name, _)| of(name)).collect::<Option<Vec<_>>>()
        })
    }

    /// Waits until all tracks list media up to `offset` behind their beginning, or a part less.
    pub(crate) fn reaches(&self, tracks: &Tracks, offset: Duration) {
        for path in self.playlists(tracks) {
            until(&format!("{path} to have {offset:?}"), || {
                let playlist = Playlist::of(&client::get(self.http, &path).is(200).text());
                let open = playlist.open.as_ref().map_or(Duration::ZERO, Segment::in_parts);
                let length: Duration = playlist.segments.iter().map(|segment| segment.duration).sum();
                (length + open + playlist.part_target.unwrap() > offset).then_some(())
            });
        }
    }

    /// Watches all tracks from now to the end of the show, with delta updates.
    pub(crate) fn watch(&self, tracks: &Tracks) -> Watching {
        let clock = Instant::now();
        let viewer = |path: &String| Viewer::of(self.http, path, clock).with_updates().record();
        Watching(self.playlists(tracks).iter().map(viewer).collect())
    }

    /// Reads the playlists of all tracks, and all media that they list.
    pub(crate) fn look(&self, tracks: &Tracks) -> Vec<Recording> {
        let look = |path: &String| {
            let mut viewer = Viewer::of(self.http, path, Instant::now());
            viewer.fetch();
            viewer.recording()
        };
        self.playlists(tracks).iter().map(look).collect()
    }
}

/// Viewers, each on a thread of his own.
pub(crate) struct Watching(Vec<thread::JoinHandle<Recording>>);

impl Watching {
    /// What they got, in the order of the tracks.
    pub(crate) fn end(self) -> Vec<Recording> {
        self.0.into_iter().map(|viewer| viewer.join().unwrap()).collect()
    }
}

/// Where a timeline of Unix time may begin that a server takes for the clock's own, whenever it is sent.
pub(crate) fn today() -> u64 {
    unix_time().as_secs() / 8 * 8
}

/// Checks that each track was taken to its end.
pub(crate) fn all_taken(ended: &[Ended]) {
    for ended in ended {
        let answer = ended.answer.as_ref().expect("an answer");
        let words = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(answer.status(), 200, "{}: {words}", ended.track);
    }
}

/// How late a part may come: a sender's chunk lasts 200 ms, and a machine under load is slow.
pub(crate) const SLACK: Duration = Duration::from_millis(1500);

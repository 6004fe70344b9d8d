//! Players that others wrote, each on a page of its own in headless Chromium, and how it went for their viewers.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Component, Path};
use std::time::Duration;

use serde_json::Value;

use super::browser::Browser;
use super::deadline::within;
use super::host::{Host, Reply};
use super::tool::repository;

/// A player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Player {
    /// hls.js in low-latency mode.
    HlsJs,
    /// The same, as forebay's own page has it: it catches up.
    Keen,
    /// hls.js without it.
    Classic,
    /// shaka-player in low-latency mode.
    Shaka,
    /// video.js with its own HLS engine, VHS.
    VideoJs,
    /// What Chromium has inside.
    Native,
}

impl Player {
    /// All that play low latency, and what Chromium has.
    pub const ALL: [Self; 4] = [Self::HlsJs, Self::Shaka, Self::VideoJs, Self::Native];

    fn page(self) -> &'static str {
        match self {
            Self::HlsJs => "hlsjs",
            Self::Keen => "keen",
            Self::Classic => "classic",
            Self::Shaka => "shaka",
            Self::VideoJs => "videojs",
            Self::Native => "native",
        }
    }
}

/// The pages of the players (`tests/pages`) and their libraries, on a port of their own: for the server under test each
/// player comes from another site.
#[derive(Debug)]
pub struct Pages(Host);

impl Pages {
    /// Opens them.
    #[must_use]
    pub fn open() -> Self {
        let tests = repository().join("tests");
        let folders = [tests.join("pages"), tests.join("node_modules")];
        Self(Host::start(move |asked| {
            let path = asked.target.split('?').next().unwrap_or_default().trim_start_matches('/');
            let leads_down = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            let found =
                folders.iter().filter(|_| leads_down).find_map(|folder| fs::read(folder.join(path)).ok());
            let kind = match Path::new(path).extension().and_then(|extension| extension.to_str()) {
                Some("html") => "text/html",
                Some("js" | "mjs") => "text/javascript",
                _ => "application/octet-stream",
            };
            found.map_or_else(Reply::nothing, |body| Reply::of(kind, body))
        }))
    }

    /// Lets `player` play the playlist at `url` in `browser`, in place of what was there.
    pub fn play<'a>(&self, browser: &'a Browser, player: Player, url: &str) -> Viewing<'a> {
        let query = [("player", player.page()), ("url", url)];
        browser.go(&self.0.url(&format!("/watch.html?{}", encoded(&query))));
        Viewing { browser, player, page: "window".to_owned() }
    }

    /// As [`Pages::play`], where a proxy makes one site of the pages and of the server under test.
    pub fn play_behind<'a>(
        &self,
        proxy: SocketAddr,
        browser: &'a Browser,
        player: Player,
        url: &str,
    ) -> Viewing<'a> {
        let query = [("player", player.page()), ("url", url)];
        browser.go(&format!("http://{proxy}/watch.html?{}", encoded(&query)));
        Viewing { browser, player, page: "window".to_owned() }
    }

    /// Lets players play beside each other on one page, each its own playlist, and reads the clocks in their pictures.
    pub fn read_clocks<'a>(&self, browser: &'a Browser, players: &[(Player, &str)]) -> Vec<Viewing<'a>> {
        let mut query = vec![("clock", "")];
        for (player, url) in players {
            query.extend([("player", player.page()), ("url", *url)]);
        }
        browser.go(&self.0.url(&format!("/wall.html?{}", encoded(&query))));
        let page = |player: Player| format!("document.getElementById('{}').contentWindow", player.page());
        players.iter().map(|(player, _)| Viewing { browser, player: *player, page: page(*player) }).collect()
    }

    /// Where they are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Lets all `players` play the playlist at `url` at once, beside each other on one page.
    pub fn play_all<'a>(&self, browser: &'a Browser, players: &[Player], url: &str) -> Vec<Viewing<'a>> {
        let mut query: Vec<_> = players.iter().map(|player| ("player", player.page())).collect();
        query.push(("url", url));
        browser.go(&self.0.url(&format!("/wall.html?{}", encoded(&query))));
        let page = |player: Player| format!("document.getElementById('{}').contentWindow", player.page());
        players.iter().map(|player| Viewing { browser, player: *player, page: page(*player) }).collect()
    }
}

fn encoded(query: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish()
}

/// A page that plays.
#[derive(Debug)]
pub struct Viewing<'a> {
    browser: &'a Browser,
    player: Player,
    /// The page's window, as a script finds it.
    page: String,
}

impl Viewing<'_> {
    /// Who plays.
    #[must_use]
    pub fn player(&self) -> Player {
        self.player
    }

    /// How it goes so far.
    ///
    /// # Panics
    /// When the page has no report.
    #[must_use]
    pub fn report(&self) -> Report {
        Report(self.browser.run(&format!("return {}.report()", self.page)))
    }

    /// How it goes so far, with the last `samples` alone.
    ///
    /// # Panics
    /// When the page has no report.
    #[must_use]
    pub fn lately(&self, samples: usize) -> Report {
        let page = &self.page;
        let script = format!("const r = {page}.report(); r.samples = r.samples.slice(-{samples}); return r");
        Report(self.browser.run(&script))
    }

    /// Seconds since the page was opened, as the `at` of reports.
    ///
    /// # Panics
    /// When the page does not tell.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.browser.run(&format!("return {}.performance.now() / 1000", self.page)).as_f64().unwrap()
    }

    /// Goes to where the player would begin now, as a viewer does who asks for the live edge. Gives when that was, as
    /// the `at` of reports.
    ///
    /// # Panics
    /// When the player does not tell where that is.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn go_live(&self) -> f64 {
        self.goes(match self.player {
            Player::HlsJs => "player.media.currentTime = player.liveSyncPosition",
            Player::Shaka => "player.goToLive()",
            player => panic!("{player:?} does not tell where the edge is"),
        })
    }

    /// Goes to `offset` behind the beginning of all that the player can reach. Gives when that was, as [`Viewing::go_live`].
    ///
    /// # Panics
    /// When the player does not tell where that is.
    #[must_use]
    pub fn go_back(&self, offset: Duration) -> f64 {
        let to = match self.player {
            Player::HlsJs => "player.media.currentTime = player.latestLevelDetails.fragmentStart",
            Player::Shaka => "player.getMediaElement().currentTime = player.seekRange().start",
            player => panic!("{player:?} does not tell where the beginning is"),
        };
        self.goes(&format!("{to} + {}", offset.as_secs_f64()))
    }

    fn goes(&self, where_to: &str) -> f64 {
        let page = &self.page;
        let script =
            format!("const player = {page}.player; {where_to}; return {page}.performance.now() / 1000");
        self.browser.run(&script).as_f64().unwrap()
    }

    /// Waits until `good` likes the report.
    ///
    /// # Panics
    /// When it never does within `limit`; the last report is in the message.
    pub fn until(&self, what: &str, limit: Duration, good: impl Fn(&Report) -> bool) -> Report {
        let script = format!("return {}.report?.() ?? null", self.page);
        let mut last = Report(Value::Null);
        let found = within(limit, || {
            last = Report(self.browser.run(&script));
            (!last.0.is_null() && good(&last)).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("{:?}: waited {limit:?} in vain for {what}; {last}", self.player))
    }

    /// Waits until it has played for `media` since its first frame. Players mend much of what goes wrong by themselves;
    /// what they do not mend ends here.
    ///
    /// # Panics
    /// When it has not within `limit`.
    pub fn plays(&self, media: Duration, limit: Duration) -> Report {
        self.until("the picture to move", limit, |report| report.played() >= media.as_secs_f64())
    }
}

/// What `tests/pages/recorder.mjs` noted.
#[derive(Debug, Clone, PartialEq)]
pub struct Report(pub Value);

impl Report {
    /// Seconds of media from the first sample to the last.
    #[must_use]
    pub fn played(&self) -> f64 {
        let times = self.samples("time");
        times.last().zip(times.first()).map_or(0.0, |(last, first)| last - first)
    }

    /// A field of each sample that has it (`time`, `ahead`, `latency`, `behind`).
    #[must_use]
    pub fn samples(&self, field: &str) -> Vec<f64> {
        let samples = self.0["samples"].as_array();
        samples.into_iter().flatten().filter_map(|sample| sample[field].as_f64()).collect()
    }

    /// Seconds without motion after the start, together.
    #[must_use]
    pub fn stalled(&self) -> f64 {
        let stalls = self.0["stalls"].as_array().into_iter().flatten();
        stalls.filter_map(|stall| stall["seconds"].as_f64()).fold(0.0, |sum, stall| sum + stall)
    }

    /// What was noted at `at` or later, without what is only counted.
    #[must_use]
    pub fn since(&self, at: f64) -> Self {
        let mut later = self.0.clone();
        for notes in ["samples", "stalls", "seeks", "errors", "readings"] {
            if let Some(notes) = later[notes].as_array_mut() {
                notes.retain(|note| note["at"].as_f64().is_some_and(|noted| noted >= at));
            }
        }
        Self(later)
    }

    /// How long each seek took, in seconds.
    #[must_use]
    pub fn seeks(&self) -> Vec<f64> {
        let seeks = self.0["seeks"].as_array().into_iter().flatten();
        seeks.filter_map(|seek| seek["seconds"].as_f64()).collect()
    }

    /// Pictures whose clock was read, in seconds: which date the player gives them, and what their clock says.
    #[must_use]
    pub fn dated(&self) -> Vec<(f64, f64)> {
        let samples = self.0["samples"].as_array().map_or(&[][..], Vec::as_slice);
        let near = |time: f64| {
            // Half a second: between two samples, and on the same side of any jump.
            let of = |sample: &Value| Some((sample["date"].as_f64()?, sample["time"].as_f64()?));
            let dates = samples.iter().filter_map(of).map(|(date, of)| (date - of, (of - time).abs()));
            dates
                .filter(|(_, far)| *far < 0.5)
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(zero, _)| zero + time)
        };
        let readings = self.0["readings"].as_array().into_iter().flatten();
        readings.filter_map(|read| Some((near(read["time"].as_f64()?)?, read["shown"].as_f64()?))).collect()
    }

    /// Stalls that began at `at` or later: seconds without motion.
    #[must_use]
    pub fn stalls_since(&self, at: f64) -> Vec<f64> {
        let stalls = self.0["stalls"].as_array().into_iter().flatten();
        let later = stalls.filter(|stall| stall["at"].as_f64().is_some_and(|began| began >= at));
        later.filter_map(|stall| stall["seconds"].as_f64()).collect()
    }

    /// What ended playback.
    #[must_use]
    pub fn fatal(&self) -> Vec<String> {
        self.errors(|error| error["fatal"] == true)
    }

    /// All that the player complained about.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.errors(|_| true)
    }

    /// The complaints that blame what was served. Others are those of a player that gets too little of the machine: it
    /// waits, jumps over what it missed, or is in its own way.
    #[must_use]
    pub fn accusations(&self) -> Vec<String> {
        let is_own = |what: &str| STARVED.iter().any(|word| what.contains(word));
        self.complaints().into_iter().filter(|what| !is_own(what)).collect()
    }

    /// How old the pictures were that a viewer saw, in seconds, by the clock in them; noted since `at`.
    #[must_use]
    pub fn ages_since(&self, at: f64) -> Vec<f64> {
        let readings = self.0["readings"].as_array().into_iter().flatten();
        let later = readings.filter(|reading| reading["at"].as_f64().is_some_and(|noted| noted >= at));
        later.filter_map(|reading| reading["seconds"].as_f64()).collect()
    }

    /// Finished requests of a sort: `parts`, `segments`, `inits`, `playlists`, `held` (with `_HLS_msn`), `deltas`.
    #[must_use]
    pub fn loads(&self, sort: &str) -> u64 {
        self.0["loads"][sort].as_u64().unwrap_or(0)
    }

    /// Pictures shown.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.0["frames"].as_u64().unwrap_or(0)
    }

    /// What only this player tells.
    #[must_use]
    pub fn detail(&self, name: &str) -> &Value {
        &self.0["details"][name]
    }

    fn errors(&self, which: impl Fn(&Value) -> bool) -> Vec<String> {
        let errors = self.0["errors"].as_array().into_iter().flatten();
        errors.filter(|error| which(error)).map(|error| error["what"].to_string()).collect()
    }
}

/// hls.js and shaka-player (3014: the browser did not append in time), in their own words.
const STARVED: &[&str] = &[
    "bufferStalledError",
    "bufferSeekOverHole",
    "bufferNudgeOnStall",
    "bufferAppendError: Failed to execute 'appendBuffer' on 'SourceBuffer': This SourceBuffer is still processing",
    "aborted",
    "interrupted by a new load request",
    "shaka 3014",
];

/// Without the samples, which are many; the last one stands for them.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut short = self.0.clone();
        if let Some(samples) = short["samples"].as_array_mut() {
            *samples = samples.pop().into_iter().collect();
        }
        short.fmt(f)
    }
}

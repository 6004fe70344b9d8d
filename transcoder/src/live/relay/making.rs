//! The encoder of a show and what it makes: which tracks, from where on, and how the next run goes on after the last.

use std::time::Duration;

use packager::asset::RenditionName;
use packager::time::MediaTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::begins::{Begins, LONGEST_BRIDGE_MS, millis};
use super::command::{self, Encode, Frames, Picture, Sound};
use super::feed;
use super::grid::Grid;
use super::outlet::Outlet;
use super::pace::Pace;
use super::plan::{Look, Plan};
use super::reel::Reel;
use super::ring::{Placed, Ring};
use super::run::{Handle, Job};
use super::timeline::Role;
use super::track::Kind;
use super::{Event, Relay, tell};
use crate::Error;
use crate::ingest::Tag;
use crate::ladder::FrameRate;
use crate::live::{SOUND, name};

/// The encoder and its tracks.
pub(super) struct Making<'a> {
    relay: &'a Relay,
    ring: Ring,
    events: mpsc::Sender<Event>,
    plan: Option<Plan>,
    /// Whether the plan is for what the publisher sends now.
    is_known: bool,
    /// In the order of the plan's rungs.
    pictures: Vec<Track>,
    sound: Option<Track>,
    /// At most one, whose end gives a reason.
    pub(super) runs: JoinSet<String>,
    run: Option<Current>,
    outlets: JoinSet<()>,
    /// Whether the next run begins after a gap, and not where the last one ended.
    has_rested: bool,
    /// Before an encoder that died soon is started again.
    pause: Duration,
    starts_at: Option<Instant>,
}

#[derive(Debug)]
struct Track {
    name: RenditionName,
    reel: Reel,
}

/// The run that goes on.
#[derive(Debug)]
struct Current {
    handle: Handle,
    began: Instant,
    then: Then,
    /// When it is killed, where it was told to end.
    ends_by: Option<Instant>,
    pace: Pace,
    looked: Instant,
    /// It was told to be late.
    is_late: bool,
    /// Where the publisher's picture is passed through.
    grid: Option<Grid>,
}

/// Why a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nobody told it to.
    Unforeseen,
    /// Another one takes its place.
    Start,
    /// What comes from the tag of this number on is of other settings.
    Gather(u64),
    /// The publisher was silent before the tag of this number.
    Rest(u64),
}

/// What follows the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another run, from the ring.
    Start,
    /// The same, in a moment: [`Making::look`] tells.
    Later,
    /// Other settings, from the tag of this number on.
    Gather(u64),
    /// Nothing until a keyframe comes, or has come since the tag of this number.
    Rest(u64),
}

impl<'a> Making<'a> {
    pub(super) fn new(relay: &'a Relay, ring: Ring, events: mpsc::Sender<Event>) -> Self {
        Self {
            relay,
            ring,
            events,
            plan: None,
            is_known: false,
            pictures: Vec::new(),
            sound: None,
            runs: JoinSet::new(),
            run: None,
            outlets: JoinSet::new(),
            has_rested: false,
            pause: Duration::ZERO,
            starts_at: None,
        }
    }

    /// Whether a run can be started without another look at what the publisher sends.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// The publisher's settings are others now.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
    }

    /// When the frame before the one at `shown_ms` is shown.
    pub(super) fn frame_before(&self, shown_ms: i64) -> Option<i64> {
        let rate = self.plan.as_ref()?.rate;
        Some(millis(rate.at(rate.frames(MediaTime::from_millis(shown_ms)).saturating_sub(1))))
    }

    /// Decides what is made of what was looked at. Tracks that are there stay.
    ///
    /// # Errors
    /// [`Error::Input`] and [`Error::Setting`] for what no ladder fits.
    pub(super) fn plan(&mut self, look: &Look) -> Result<(), Error> {
        let plan = match &self.plan {
            Some(plan) => plan.again(look, &self.relay.settings),
            None => Plan::new(look, &self.relay.settings)?,
        };
        let mut open = |name: &RenditionName| open(&mut self.outlets, self.relay, &self.events, name);
        if self.pictures.is_empty() {
            self.pictures = plan.rungs.iter().map(|rung| open(&rung.name)).collect();
        }
        if plan.has_sound && self.sound.is_none() {
            let name = name(SOUND)?;
            self.sound = Some(open(&name));
        }
        self.plan = Some(plan);
        self.is_known = true;
        Ok(())
    }

    /// Starts a run that is fed from the tag of number `from` on, or else from the keyframe before the end of what there is.
    /// False where there is no keyframe.
    pub(super) fn start(&mut self, heads: Vec<Tag>, from: Option<u64>) -> bool {
        self.starts_at = None;
        let Some(rate) = self.plan.as_ref().map(|plan| plan.rate) else { return false };
        let end = self.active().map(|(_, track)| track.reel.end()).min().flatten();
        let first = match from {
            // Silence may precede it.
            Some(number) => {
                let key = self.ring.keyframe_from(number).and_then(|key| self.ring.tag(key));
                key.map(|key| (number, key))
            }
            None => self.ring.keyframe_before(end.map_or(i64::MIN, millis)),
        };
        let Some((from, key)) = first else { return false };
        let grid = self.grid(from, &key, rate);
        if let Some(plan) = self.plan.as_mut().filter(|plan| plan.is_passed && grid.is_none()) {
            plan.is_passed = false;
            tell(&self.events, Event::PassThroughEnded);
        }
        let Some(plan) = &self.plan else { return false };
        let begins = Begins { key: key.clone(), plan, bridges: !self.has_rested };
        let missing = end.map_or(0, |end| key.shown_ms.saturating_sub(millis(end)));
        if missing > LONGEST_BRIDGE_MS && !self.has_rested {
            tell(&self.events, Event::Lost { ms: missing });
        }
        let mut tracks: Vec<(Kind, Reel)> = Vec::new();
        let mut names = Vec::new();
        let mut pictures = Vec::new();
        for (number, track) in self.active() {
            let Some(rung) = plan.rungs.get(number) else { continue };
            pictures.push(match plan.is_passed && number == 0 {
                true => Picture::Passed,
                false => {
                    let others = self.relay.past.iter().flat_map(|past| past.ends(&track.name));
                    let keys = others.map(|end| plan.rate.frames(end)).collect();
                    Picture::Encoded(rung, Frames { first: begins.frame(track.reel.end()), keys })
                }
            });
            tracks.push((Kind::Pictures, track.reel.clone()));
            names.push(track.name.clone());
        }
        let has_sound = heads.len() > 1;
        let sound = self.sound.as_ref().filter(|_| has_sound).map(|track| {
            track.reel.rest_at(None);
            tracks.push((Kind::Sound, track.reel.clone()));
            names.push(track.name.clone());
            let heard = self.ring.sound_from(from).map(|placed| placed.at_ms);
            Sound { first: begins.sample(track.reel.end(), heard), rate: self.relay.settings.sound }
        });
        let base_ms = command::base_before(key.at_ms);
        let settings = &self.relay.settings;
        let arguments = command::encode(&Encode {
            source: &plan.source.video,
            format: feed::format(&heads),
            rate: plan.rate,
            segment_ms: settings.segment_ms,
            preset: settings.preset,
            base_ms,
            pictures,
            sound,
        });
        tell(&self.events, Event::Started { tracks: names, is_passed: plan.is_passed });
        let (tools, ring) = (self.relay.tools.clone(), self.ring.clone());
        let job = Job { tools, arguments, heads, base_ms, ring, from, tracks };
        let now = Instant::now();
        self.run = Some(Current {
            handle: job.start(&mut self.runs),
            began: now,
            then: Then::Unforeseen,
            ends_by: None,
            pace: Pace::default(),
            looked: now,
            is_late: false,
            grid,
        });
        self.has_rested = false;
        true
    }

    /// The grid of what is passed through, looked at up to the newest tag; `None` where it is left.
    fn grid(&self, from: u64, key: &Placed, rate: FrameRate) -> Option<Grid> {
        self.plan.as_ref().filter(|plan| plan.is_passed)?;
        let frame_ms = rate.at(1).as_micros() / 1_000;
        let mut grid = Grid::new(self.relay.settings.segment_ms, frame_ms, key.shown_ms);
        let tags = self.ring.from(from);
        let mut pictures = tags.iter().filter(|placed| placed.role != Role::Sound);
        pictures.all(|placed| grid.goes_on(placed.role == Role::Key, placed.shown_ms)).then_some(grid)
    }

    /// Lets the run end by itself before the tag of this number; what follows is gathered from `gather` on, or waited for.
    /// False where none goes on.
    pub(super) fn end_at(&mut self, number: u64, gather: Option<u64>) -> bool {
        let then = gather.map_or(Then::Rest(number), Then::Gather);
        self.is_known &= gather.is_none();
        let Some(run) = &mut self.run else {
            self.starts_at = None;
            self.has_rested |= gather.is_none();
            return false;
        };
        run.then = then;
        // One that was told before is of what came before that.
        if run.ends_by.is_none() {
            run.handle.end_at(number);
            run.ends_by = Some(Instant::now() + DRAIN);
        }
        true
    }

    /// Lets the run end by itself before the tag of this number, and nothing follow for a while from `boundary_ms` on: sound
    /// that was fed so that there is enough of it goes no further. False where no run goes on.
    pub(super) fn rest_at(&mut self, number: u64, boundary_ms: i64) -> bool {
        if let Some(sound) = &self.sound {
            sound.reel.rest_at(Some(MediaTime::from_millis(boundary_ms)));
        }
        self.end_at(number, None)
    }

    /// A run has ended, and why.
    pub(super) fn ended(&mut self, why: &str) -> Next {
        let Some(run) = self.run.take() else { return Next::Later };
        match run.then {
            Then::Start => Next::Start,
            Then::Gather(number) => Next::Gather(number),
            Then::Rest(number) => {
                self.has_rested = true;
                Next::Rest(number)
            }
            Then::Unforeseen => {
                tell(&self.events, Event::Stopped { why: why.to_owned() });
                if run.began.elapsed() > STEADY {
                    self.pause = Duration::ZERO;
                    return Next::Start;
                }
                self.starts_at = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                Next::Later
            }
        }
    }

    /// Looks after the run at `now_ms`. True where one is to be started now.
    pub(super) fn look(&mut self, now_ms: i64) -> bool {
        let due = self.ring.newest_ms();
        let made = self.encoded().filter_map(|(_, track)| track.reel.end()).min().map(millis);
        let shown = self.active().filter_map(|(_, track)| track.reel.end()).min().map(millis);
        let Some(run) = &mut self.run else {
            return self.starts_at.is_some_and(|at| at <= Instant::now());
        };
        if run.ends_by.is_some_and(|by| by <= Instant::now()) {
            run.handle.kill();
        }
        if run.looked.elapsed() >= LOOK {
            run.looked = Instant::now();
            let late_ms = shown.map_or(0, |shown| due.saturating_sub(shown));
            if late_ms > LATE_MS && !run.is_late {
                tell(&self.events, Event::Late { ms: late_ms });
            }
            run.is_late = late_ms > LATE_MS || run.is_late && late_ms > LATE_MS / 2;
            let is_slow = made.is_some_and(|made| run.pace.look(now_ms, due, made));
            if is_slow && run.then == Then::Unforeseen {
                self.drop_rung();
            }
        }
        false
    }

    /// Looks at a picture of the publisher's before it is fed: where keyframes leave the grid, pictures are passed through no
    /// longer. They still are up to the boundary that has none, so that another header begins with a segment.
    pub(super) fn check_grid(&mut self, is_key: bool, shown_ms: i64) {
        let Some(run) = &mut self.run else { return };
        let Some(grid) = &mut run.grid else { return };
        if run.then != Then::Unforeseen || grid.goes_on(is_key, shown_ms) {
            return;
        }
        if let Some(plan) = &mut self.plan {
            plan.is_passed = false;
        }
        tell(&self.events, Event::PassThroughEnded);
        run.handle.end_at(self.ring.end());
        run.then = Then::Start;
        run.ends_by = Some(Instant::now() + DRAIN);
    }

    /// Ends all tracks, and waits a moment until all is sent. Where the show is not over, somebody else goes on with it.
    pub(super) async fn finish(mut self, is_over: bool) {
        for track in self.pictures.iter().chain(&self.sound) {
            track.reel.finish(is_over);
        }
        let sent = async { while self.outlets.join_next().await.is_some() {} };
        let _late = timeout(FAREWELL, sent).await;
    }

    /// The largest rung that is encoded is made no longer, unless it is the last.
    fn drop_rung(&mut self) {
        if self.active().count() < 2 {
            return;
        }
        let Some((_, track)) = self.encoded().next() else { return };
        track.reel.finish(true);
        tell(&self.events, Event::RungDropped { track: track.name.clone() });
        if let Some(run) = &mut self.run {
            run.then = Then::Start;
            run.handle.kill();
        }
    }

    /// The rungs that are made, by their number in the plan.
    fn active(&self) -> impl Iterator<Item = (usize, &Track)> {
        self.pictures.iter().enumerate().filter(|(_, track)| !track.reel.has_ended())
    }

    /// Those of them that are encoded, the largest first.
    fn encoded(&self) -> impl Iterator<Item = (usize, &Track)> {
        let is_passed = self.plan.as_ref().is_some_and(|plan| plan.is_passed);
        self.active().filter(move |(number, _)| !is_passed || *number > 0)
    }
}

/// A track without media, and its ways to all origins.
fn open(
    outlets: &mut JoinSet<()>,
    relay: &Relay,
    events: &mpsc::Sender<Event>,
    name: &RenditionName,
) -> Track {
    let reel = Reel::after(relay.past.as_ref().and_then(|past| past.end(name)));
    for origin in &relay.origins {
        let outlet = Outlet::new(origin.clone(), name.clone(), reel.clone(), events.clone());
        outlets.spawn(outlet.run());
    }
    Track { name: name.clone(), reel }
}

/// A run that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// Before an encoder that died soon is started again, from the second time on; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a run that was told to end may take.
const DRAIN: Duration = Duration::from_secs(3);
/// From when on it is told that what is made comes late, in milliseconds.
const LATE_MS: i64 = 5_000;
/// How often is looked whether the encoder keeps up.
const LOOK: Duration = Duration::from_secs(1);
/// How long sending what was made may take.
const FAREWELL: Duration = Duration::from_secs(2);

//! A show while it runs: what comes, what is to be done about it.
//!
//! ```text
//!                    keyframe                 enough                  looked at
//! ──▶ Waiting ───────────────────▶ Gathering ──────────▶ Looking ───────────────▶ Running ◀─┐
//!        ▲  │   keyframe, known settings     ▲                                     │ │ │     │
//!        │  └────────────────────────────────┼───────────────────────────▶ Running │ │ └─────┴ died: at once, or
//!        │                                   └───────────── other settings ────────┘ │         after a pause
//!        └────────────────────────── silent, and a gap is wished ────────────────────┘
//! ```

mod quiet;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::making::Making;
use super::past::Past;
use super::plan::{self, Look};
use super::ring::{Placed, Ring};
use super::slate::Slate;
use super::timeline::{self, Role, Stamp, Timeline};
use super::{Event, Publication, Relay, tell};
use crate::ingest::flv::{self, Audio, AudioCodec, Packet, Video, VideoCodec};
use crate::ingest::{Tag, TagKind};
use crate::{Cancel, Error};
use quiet::{Quiet, SILENT_MS};

/// A show.
pub(super) struct Show<'a> {
    relay: &'a Relay,
    events: mpsc::Sender<Event>,
    publication: Option<Publication>,
    timeline: Timeline,
    ring: Ring,
    heads: Heads,
    /// Other sequence headers have come: what follows begins with a keyframe, and a run of its own.
    has_changed: bool,
    /// Kinds of media that were told to be ignored, of this publication.
    ignored: Vec<TagKind>,
    phase: Phase,
    making: Making<'a>,
    looks: JoinSet<Result<Look, Error>>,
    slate: Slate,
    /// What another worker made, until the first encoder goes on with it.
    past: Option<&'a Past>,
    quiet: Quiet,
    /// When media came that is of use, in milliseconds of Unix time.
    heard_ms: i64,
}

/// What precedes the media of a publisher.
#[derive(Debug, Clone, Default, PartialEq)]
struct Heads {
    picture: Option<Tag>,
    sound: Option<Tag>,
}

#[derive(Debug)]
enum Phase {
    /// For a keyframe.
    Waiting,
    /// For enough to be looked at, from the tag of this number on.
    Gathering(u64),
    /// The same while it is looked at.
    Looking(u64),
    /// An encoder runs, or is started again in a moment.
    Running,
}

impl<'a> Show<'a> {
    pub(super) fn new(relay: &'a Relay, events: mpsc::Sender<Event>) -> Self {
        let mut timeline = Timeline::new(relay.settings.segment_ms);
        if let Some(past) = &relay.past {
            timeline.begin_after(past.end_ms(relay.clock.now_ms()));
        }
        let ring = Ring::new();
        Self {
            relay,
            publication: None,
            timeline,
            making: Making::new(relay, ring.clone(), events.clone()),
            events,
            ring,
            heads: Heads::default(),
            has_changed: false,
            ignored: Vec::new(),
            phase: Phase::Waiting,
            looks: JoinSet::new(),
            slate: Slate::default(),
            past: relay.past.as_ref(),
            quiet: Quiet::No,
            heard_ms: relay.clock.now_ms(),
        }
    }

    /// See [`Relay::run`].
    pub(super) async fn run(mut self, publications: &mut mpsc::Receiver<Publication>, cancel: &Cancel) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut may_come = true;
        let is_over = loop {
            tokio::select! {
                next = publications.recv(), if may_come => match next {
                    Some(publication) => self.begin(publication),
                    None => may_come = false,
                },
                tag = next_of(&mut self.publication) => match tag {
                    Some(tag) => self.take(tag),
                    None => self.publication = None,
                },
                Some(look) = self.looks.join_next() => self.looked(look.unwrap_or(Err(Error::Cancelled))),
                Some(why) = self.making.runs.join_next() => {
                    let why = why.unwrap_or_else(|error| error.to_string());
                    self.run_ended(&why);
                }
                _ = ticks.tick() => if self.tick() { break true },
                () = cancel.cancelled() => break false,
            }
        };
        self.end(is_over).await;
    }

    fn begin(&mut self, publication: Publication) {
        self.publication = Some(publication);
        self.timeline.publication();
        self.ignored.clear();
    }

    fn take(&mut self, tag: Tag) {
        // In the form that every ffmpeg knows, where there is one.
        let tag = flv::to_legacy(&tag).unwrap_or(tag);
        match tag.kind {
            TagKind::Script => {}
            TagKind::Video => match Video::read(&tag.data) {
                Ok(Video { codec: VideoCodec::Other(_), .. }) => self.ignore(TagKind::Video),
                Ok(video) if video.packet == Packet::SequenceHeader => self.head(tag),
                Ok(video) if video.packet == Packet::Frames && self.heads.picture.is_some() => {
                    let role = if video.is_keyframe { Role::Key } else { Role::Picture };
                    self.media(tag, role, i64::from(video.composition_ms));
                }
                Ok(_) | Err(_) => {}
            },
            TagKind::Audio => match Audio::read(&tag.data) {
                Ok(Audio { codec: AudioCodec::Other(_), .. }) => self.ignore(TagKind::Audio),
                Ok(audio) if audio.packet == Packet::SequenceHeader => self.head(tag),
                Ok(audio) if audio.packet == Packet::Frames && self.heads.sound.is_some() => {
                    self.media(tag, Role::Sound, 0);
                }
                Ok(_) | Err(_) => {}
            },
        }
    }

    fn ignore(&mut self, kind: TagKind) {
        if !self.ignored.contains(&kind) {
            self.ignored.push(kind);
            let what = if kind == TagKind::Video { "video" } else { "audio" };
            tell(&self.events, Event::Ignored { what });
        }
    }

    /// Takes a sequence header. The same one again is nothing new: a publisher that comes back sends it.
    fn head(&mut self, tag: Tag) {
        let slot = match tag.kind {
            TagKind::Video => &mut self.heads.picture,
            TagKind::Audio | TagKind::Script => &mut self.heads.sound,
        };
        if slot.as_ref().is_some_and(|known| known.data == tag.data) {
            return;
        }
        let is_first = slot.replace(tag).is_none();
        // The first ones come with the media that they are about, before it was looked at.
        if !(is_first && matches!(self.phase, Phase::Waiting | Phase::Gathering(_))) {
            self.has_changed = true;
            // Origins begin a segment with another header.
            self.timeline.publication();
        }
    }

    fn media(&mut self, tag: Tag, role: Role, offset_ms: i64) {
        if self.has_changed && role != Role::Key {
            return;
        }
        let now_ms = self.relay.clock.now_ms();
        let former_ms = self.timeline.last_shown();
        let at_ms = match self.timeline.place(Stamp { role, at_ms: tag.at_ms, offset_ms }, now_ms) {
            timeline::Placed::Dropped => return,
            timeline::Placed::At(at_ms) => at_ms,
            timeline::Placed::Anew(at_ms, ms) => {
                // Where another worker's show goes on is told when that is known.
                if ms > 0 && self.past.is_none() {
                    tell(&self.events, Event::Jumped { ms });
                }
                at_ms
            }
        };
        let shown_ms = at_ms.saturating_add(offset_ms);
        if std::mem::take(&mut self.has_changed) {
            self.turn(shown_ms, former_ms);
        }
        self.heard_ms = now_ms;
        if self.quiet != Quiet::No {
            self.quiet = Quiet::No;
            self.slate.rest();
            tell(&self.events, Event::Back);
        }
        match role {
            Role::Key => self.slate.key = Some((tag.clone(), offset_ms)),
            Role::Sound => self.slate.rest(),
            Role::Picture => {}
        }
        if role != Role::Sound {
            self.making.check_grid(role == Role::Key, shown_ms);
        }
        let number = self.ring.end();
        self.ring.push(Placed { tag, role, at_ms, shown_ms });
        match self.phase {
            Phase::Waiting if role == Role::Key => self.meet(number),
            Phase::Gathering(from) => self.gather(from, false),
            Phase::Waiting | Phase::Looking(_) | Phase::Running => {}
        }
    }

    /// What follows is of other settings, and begins with a keyframe that is shown at `shown_ms`. Up to there the last
    /// keyframe of the former is shown.
    fn turn(&mut self, shown_ms: i64, former_ms: Option<i64>) {
        if let (Phase::Running, Some((tag, offset_ms))) = (&self.phase, self.slate.key.take())
            && let Some(last_ms) = self.making.frame_before(shown_ms)
            && former_ms.is_none_or(|former_ms| former_ms < last_ms)
        {
            let at_ms = last_ms.saturating_sub(offset_ms);
            self.ring.push(Placed { tag, role: Role::Key, at_ms, shown_ms: last_ms });
        }
        let number = self.ring.end();
        match self.phase {
            Phase::Running => {
                tell(&self.events, Event::Changed);
                self.slate.silent = None;
                if !self.making.end_at(number, Some(number)) {
                    self.phase = Phase::Gathering(number);
                }
            }
            Phase::Gathering(_) | Phase::Looking(_) => {
                self.looks = JoinSet::new();
                self.phase = Phase::Gathering(number);
            }
            Phase::Waiting => self.making.forget(),
        }
    }

    /// A keyframe has come that nothing precedes.
    fn meet(&mut self, number: u64) {
        if self.making.is_known() {
            self.phase = Phase::Running;
            self.start(Some(number));
        } else {
            self.phase = Phase::Gathering(number);
        }
    }

    /// Looks at what was gathered, if it is enough or must be.
    fn gather(&mut self, from: u64, must: bool) {
        let tags = self.ring.from(from);
        let Some((first, last)) = tags.first().zip(tags.last()) else { return };
        let span = last.at_ms.saturating_sub(first.at_ms);
        let wants_gop = self.relay.settings.pass_through.is_some();
        let has_gop = tags.iter().filter(|placed| placed.role == Role::Key).nth(1).is_some();
        if !(must || span >= LONGEST_LOOK_MS || span >= LOOK_MS && (has_gop || !wants_gop)) {
            return;
        }
        self.phase = Phase::Looking(from);
        let (heads, tools, folder) =
            (self.heads.list(), self.relay.tools.clone(), self.relay.scratch.clone());
        self.looks.spawn(async move { plan::look(&heads, &tags, &tools, &folder, &Cancel::new()).await });
    }

    fn looked(&mut self, look: Result<Look, Error>) {
        let Phase::Looking(from) = self.phase else { return };
        let planned = look.and_then(|look| {
            self.slate.silent = look.silent.clone();
            self.making.plan(&look)
        });
        match planned {
            Ok(()) => {
                self.phase = Phase::Running;
                match self.past.take() {
                    Some(past) => self.take_on(past, from),
                    None => self.start(Some(from)),
                }
            }
            Err(error) => {
                tell(&self.events, Event::Unusable { why: error.to_string() });
                self.publication = None;
                self.making.forget();
                self.phase = Phase::Waiting;
            }
        }
    }

    /// Goes on with what another worker made: starts an encoder that fills what is missing before the tag of number `from`.
    fn take_on(&mut self, past: &Past, from: u64) {
        let segment_ms = i64::from(self.relay.settings.segment_ms);
        let bridge = self.ring.tag(from).and_then(|first| {
            let frame_ms = first.shown_ms.saturating_sub(self.making.frame_before(first.shown_ms)?);
            let bridge = past.bridge(&first, self.slate.silent.as_ref(), segment_ms, frame_ms)?;
            Some((first, bridge))
        });
        let Some((first, bridge)) = bridge else { return self.start(Some(from)) };
        let lost_ms = first.shown_ms.saturating_sub(bridge.until_ms);
        let filled_ms = bridge.until_ms.saturating_sub(bridge.from_ms);
        tell(&self.events, Event::TakenOn { filled_ms, lost_ms });
        let number = self.ring.put_before(from, bridge.tags);
        self.start(Some(from));
        if lost_ms > 0 {
            // The publisher's own begins behind the gap, as after any other.
            self.making.rest_at(number, bridge.until_ms);
        }
    }

    /// Starts an encoder, if there is a keyframe to begin with.
    fn start(&mut self, from: Option<u64>) {
        if !self.making.start(self.heads.list(), from) {
            self.phase = Phase::Waiting;
        }
    }

    fn run_ended(&mut self, why: &str) {
        match self.making.ended(why) {
            super::making::Next::Gather(number) => {
                self.phase = Phase::Gathering(number);
                self.gather(number, false);
            }
            super::making::Next::Rest(number) => {
                self.phase = Phase::Waiting;
                match self.ring.keyframe_from(number) {
                    // The publisher came back sooner than the encoder was done.
                    Some(key) => self.meet(key),
                    None => self.ring.clear(),
                }
            }
            super::making::Next::Start => self.start(None),
            super::making::Next::Later => {}
        }
    }

    /// Looks after what happens by itself. True where the show is over.
    fn tick(&mut self) -> bool {
        let now_ms = self.relay.clock.now_ms();
        let silent_ms = now_ms.saturating_sub(self.heard_ms);
        if u128::from(silent_ms.unsigned_abs())
            > self.relay.settings.reconnect.as_millis().max(SILENT_MS.into())
        {
            tell(&self.events, Event::Ended);
            return true;
        }
        if silent_ms > i64::from(SILENT_MS) {
            self.be_quiet(now_ms);
        } else if matches!(self.phase, Phase::Running) {
            self.stand_in_for_sound();
        }
        if matches!(self.phase, Phase::Running) && self.making.look(now_ms) {
            self.start(None);
        }
        false
    }

    /// Lets the encoder finish, and all that was made be sent.
    async fn end(mut self, is_over: bool) {
        self.looks.shutdown().await;
        self.making.end_at(self.ring.end(), None);
        let _late = timeout(FINISH, async { while self.making.runs.join_next().await.is_some() {} }).await;
        self.making.runs.shutdown().await;
        self.making.finish(is_over).await;
    }
}

impl Heads {
    fn list(&self) -> Vec<Tag> {
        self.picture.iter().chain(&self.sound).cloned().collect()
    }
}

/// The next tag; waits for ever where there is no publication. Cancel-safe.
async fn next_of(publication: &mut Option<Publication>) -> Option<Tag> {
    match publication {
        Some(publication) => publication.recv().await,
        None => std::future::pending().await,
    }
}

/// How often is looked what happens by itself.
const TICK: Duration = Duration::from_millis(40);
/// How much is looked at before a show begins, in milliseconds.
const LOOK_MS: i64 = 1_000;
/// The same where a whole GOP is wanted.
const LONGEST_LOOK_MS: i64 = 4_000;
/// How long the encoder may take to finish.
const FINISH: Duration = Duration::from_secs(1);

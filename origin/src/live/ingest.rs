//! From the bytes of one sender's request to the window.
//!
//! A request that goes wrong ends with an answer that says what and where; the track goes on with the sender's next
//! request, and no other track feels it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use packager::asset::RenditionName;
use packager::live::{Chunk, Event, Feed, Refusal, Sender, Splitter, Taken};
use packager::time::MediaTime;

use super::stream::Stream;
use super::{Live, LiveError, Target};
use crate::metrics::{Dropped, IngestEnd};
use crate::upload::Upload;

/// What became of a request that went well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Chunks that were taken.
    pub(crate) chunks: u64,
    /// Parts that were listed.
    pub(crate) parts: u64,
}

impl Live {
    /// Takes what a sender sends until it ends. Dropping it ends nothing but this request.
    ///
    /// # Errors
    /// [`LiveError`]; what was taken before stays.
    pub(crate) async fn ingest(
        self: &Arc<Self>,
        target: &Target,
        upload: &mut dyn Upload,
        may_go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Received, LiveError> {
        let Target::Track(name, track) = target else { return self.swallow(upload).await };
        if self.is_leaving() {
            return Err(LiveError::Leaving);
        }
        let stream = self.stream_or_new(name);
        // Requests of a track overlap when its sender comes back before it was missed.
        let _sending =
            stream.enter(self.rules.tracks.saturating_mul(4)).ok_or(LiveError::Crowded("stream"))?;
        let _counted = self.metrics.live().sender();
        let mut intake = Intake::new(self, &stream, track, may_go_on);
        let mut cut = stream.watch_cut();
        let result = tokio::select! {
            result = intake.run(upload) => result,
            _ = cut.changed() => Err(if self.is_leaving() { LiveError::Leaving } else { LiveError::Operator }),
        };
        let received = intake.received;
        match &result {
            Ok(()) => self.metrics.live().ended(IngestEnd::Whole),
            Err(error) => {
                self.metrics.live().ended(error.end());
                tracing::warn!(stream = %name, %track, reason = error.reason(), %error, chunks = received.chunks, "sender");
            }
        }
        result.map(|()| received)
    }

    /// Where a track ends here that somebody sends, in microseconds of the sender's timeline; `None` where nothing of it
    /// was taken in a show that is running. What is not listed yet counts: samples before that end are dropped as known, and
    /// whoever goes on in another encoder's place needs a keyframe exactly there.
    pub(crate) fn end_of(&self, target: &Target) -> Option<i64> {
        let Target::Track(name, track) = target else { return None };
        let showing = self.stream(name)?.running()?;
        showing.look(|show| Some(show.taken(track)?.as_micros()))
    }

    /// Reads a manifest that nobody needs.
    async fn swallow(&self, upload: &mut dyn Upload) -> Result<Received, LiveError> {
        let mut left = MANIFEST;
        while let Some(piece) = self.piece(upload).await? {
            left = left.checked_sub(piece.len()).ok_or(LiveError::Manifest)?;
        }
        Ok(Received::default())
    }

    async fn piece(&self, upload: &mut dyn Upload) -> Result<Option<Bytes>, LiveError> {
        let silence = self.rules.silence;
        match tokio::time::timeout(silence, upload.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(piece)) => Ok(Some(piece?)),
            Err(_) => Err(LiveError::Silent(silence.as_secs())),
        }
    }
}

/// One request of a sender.
struct Intake<'a> {
    live: &'a Arc<Live>,
    stream: &'a Arc<Stream>,
    track: &'a RenditionName,
    splitter: Splitter,
    feed: Feed,
    received: Received,
    /// Whether the grant still holds, and when it was last asked for.
    may_go_on: &'a (dyn Fn() -> bool + Sync),
    asked: Instant,
    /// Bytes since there was room for certain.
    unweighed: usize,
}

impl<'a> Intake<'a> {
    fn new(
        live: &'a Arc<Live>,
        stream: &'a Arc<Stream>,
        track: &'a RenditionName,
        may_go_on: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        // Senders that send an object at a time send the header only once.
        let splitter = stream.header(track).map_or_else(Splitter::new, Splitter::resume);
        let feed = Feed::new(Sender(live.next_sender()));
        Self {
            live,
            stream,
            track,
            splitter,
            feed,
            received: Received::default(),
            may_go_on,
            asked: Instant::now(),
            unweighed: 0,
        }
    }

    async fn run(&mut self, upload: &mut dyn Upload) -> Result<(), LiveError> {
        while let Some(piece) = self.live.piece(upload).await? {
            self.live.metrics.live().received(piece.len());
            self.unweighed += piece.len();
            if self.asked.elapsed() > ASKED_EVERY {
                self.asked = Instant::now();
                if !(self.may_go_on)() {
                    return Err(LiveError::Revoked);
                }
            }
            self.splitter.feed(piece);
            while let Some(event) = self.splitter.next()? {
                match event {
                    Event::Header(header) => {
                        self.stream.greet(self.track, &header, self.live.rules.tracks)?
                    }
                    Event::Chunk(chunk) => self.chunk(chunk).await?,
                }
            }
        }
        self.splitter.finish()?;
        if let Some(showing) = self.stream.running() {
            showing.complete(self.track);
        }
        Ok(())
    }

    async fn chunk(&mut self, chunk: Chunk) -> Result<(), LiveError> {
        let arrived = Instant::now();
        let Some(header) = self.splitter.header().cloned() else { return Ok(()) };
        let Some(time) = chunk.samples.first().map(|s| MediaTime::new(s.presented(), header.timescale()))
        else {
            if let Some(showing) = self.stream.running() {
                // The last segment of a track may have none.
                self.push(&showing, chunk)?;
            }
            return Ok(());
        };
        self.feed.read_with(header);
        let delay = self.delay_of(&chunk);
        let mut showing = match self.stream.running() {
            Some(showing) => showing,
            None if self.stream.may_begin(self.track) => self.stream.next_show(self.live, None, time).await?,
            None => return Err(Refusal::Ended.into()),
        };
        let taken = match self.push(&showing, chunk.clone()) {
            Err(Refusal::Restarted) => {
                showing = self.stream.next_show(self.live, Some(&showing), time).await?;
                self.push(&showing, chunk)?
            }
            taken => taken?,
        };
        self.count(taken, arrived.elapsed(), delay);
        if taken.parts > 0 || taken.segments > 0 {
            self.stream.hears();
        }
        if taken.segments > 0 || self.received.chunks == 1 || self.unweighed > UNWEIGHED {
            self.unweighed = 0;
            self.stream.note(self.live, &showing);
            self.stream.identify(self.live, &showing, self.track);
            if !self.live.make_room(&showing) {
                return Err(LiveError::Full);
            }
        }
        Ok(())
    }

    fn push(&mut self, showing: &super::Showing, chunk: Chunk) -> Result<Taken, Refusal> {
        let now_ms = i64::try_from(self.live.clock.now_millis()).unwrap_or(i64::MAX);
        if !showing.look(|show| show.header(self.track).is_some())
            && let Some(header) = self.splitter.header()
        {
            showing.greet(self.track, header)?;
        }
        showing.push(self.track, &mut self.feed, chunk, now_ms)
    }

    /// How long ago a chunk was captured, where its sender tells.
    fn delay_of(&self, chunk: &Chunk) -> Option<Duration> {
        let captured = u64::try_from(chunk.captured?.unix_micros).ok()?;
        let now = self.live.clock.now_millis().saturating_mul(1000);
        now.checked_sub(captured).map(Duration::from_micros)
    }

    fn count(&mut self, taken: Taken, took: Duration, delay: Option<Duration>) {
        self.received.chunks += 1;
        self.received.parts += u64::from(taken.parts);
        let metrics = self.live.metrics.live();
        metrics.chunk(taken.parts, taken.segments, taken.holes, took);
        metrics.dropped(Dropped::Duplicate, taken.duplicates);
        metrics.dropped(Dropped::Unusable, taken.dropped);
        if let Some(delay) = delay {
            metrics.captured_ago(delay);
        }
        if taken.holes > 0 || taken.dropped > 0 {
            tracing::debug!(stream = %self.stream.name(), track = %self.track, ?taken, "media is missing");
        }
    }
}

/// How often a grant is looked at again.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// How many bytes are taken before it is asked whether there is room.
const UNWEIGHED: usize = 4 * 1024 * 1024;
/// The largest manifest that is read to its end.
const MANIFEST: usize = 4 * 1024 * 1024;

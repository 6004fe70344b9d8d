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
    ) -> Result<Received, LiveError> {
        let Target::Track(name, track) = target else { return self.swallow(upload).await };
        if self.is_leaving() {
            return Err(LiveError::Leaving);
        }
        let stream = self.stream_or_new(name);
        let _sending = stream.enter();
        let _counted = self.metrics.live().sender();
        let mut intake = Intake::new(self, &stream, track);
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

    /// Reads a manifest that nobody needs.
    async fn swallow(&self, upload: &mut dyn Upload) -> Result<Received, LiveError> {
        let mut left = MANIFEST;
        while let Some(piece) = self.piece(upload).await? {
            left = left.checked_sub(piece.len()).ok_or(LiveError::Full)?;
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
}

impl<'a> Intake<'a> {
    fn new(live: &'a Arc<Live>, stream: &'a Arc<Stream>, track: &'a RenditionName) -> Self {
        // Senders that send an object at a time send the header only once.
        let splitter = stream.header(track).map_or_else(Splitter::new, Splitter::resume);
        let feed = Feed::new(Sender(live.next_sender()));
        Self { live, stream, track, splitter, feed, received: Received::default() }
    }

    async fn run(&mut self, upload: &mut dyn Upload) -> Result<(), LiveError> {
        while let Some(piece) = self.live.piece(upload).await? {
            self.live.metrics.live().received(piece.len());
            self.splitter.feed(piece);
            while let Some(event) = self.splitter.next()? {
                match event {
                    Event::Header(header) => self.stream.greet(self.track, &header)?,
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
        let Some(time) = self.time_of(&chunk) else { return Ok(()) };
        let delay = self.delay_of(&chunk);
        let mut showing = match self.stream.running() {
            Some(showing) => showing,
            None => self.stream.next_show(self.live, None, time).await?,
        };
        let taken = match self.push(&showing, chunk.clone()) {
            Err(Refusal::Restarted) => {
                showing = self.stream.next_show(self.live, Some(&showing), time).await?;
                self.push(&showing, chunk)?
            }
            taken => taken?,
        };
        self.count(taken, arrived.elapsed(), delay);
        if taken.segments > 0 || self.received.chunks == 1 {
            self.stream.note(self.live, &showing);
            self.stream.identify(self.live, &showing, self.track);
            if !self.live.make_room() {
                return Err(LiveError::Full);
            }
        }
        Ok(())
    }

    fn push(&mut self, showing: &super::Showing, chunk: Chunk) -> Result<Taken, Refusal> {
        let now_ms = i64::try_from(self.live.clock.now_millis()).unwrap_or(i64::MAX);
        showing.push(self.track, &mut self.feed, chunk, now_ms)
    }

    fn time_of(&self, chunk: &Chunk) -> Option<MediaTime> {
        let scale = self.stream.header(self.track)?.timescale();
        chunk.samples.first().map(|sample| MediaTime::new(sample.presented(), scale))
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

/// The largest manifest that is read to its end.
const MANIFEST: usize = 4 * 1024 * 1024;

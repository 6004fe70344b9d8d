//! One connection, as a value: the peer's bytes in, what it does and what to send it out.
//!
//! ```text
//!             connect, createStream          publish
//!  handshake ────────────────────▶ idle ───────────────▶ asked ── accept ──▶ publishing ──▶ tags
//!                                   ▲                      │ refuse              │
//!                                   └──────────────────────┴─────────────────────┘ FCUnpublish, closeStream, deleteStream
//! ```
//!
//! Nothing is read on while it is asked: whoever drives it answers first. What it holds is bounded, see
//! [`super::Limits`].

mod answer;
mod command;

use bytes::{Buf, Bytes, BytesMut};

use super::flv;
use super::tag::{Tag, TagKind, Unwrap};
use super::wire::chunk::{self, Bounds, Chunks, Message};
use super::wire::handshake::Handshake;
use super::wire::{amf, kind};
use super::{Fault, Limits};

/// The state of a connection.
#[derive(Debug)]
pub(crate) struct Session {
    bounds: Bounds,
    handshake: Handshake,
    chunks: Chunks,
    input: BytesMut,
    output: BytesMut,
    received: Received,
    /// What the peer said of itself; `None` before `connect`.
    peer: Option<Peer>,
    stage: Stage,
    /// How many message streams it made.
    streams: u32,
    times: Unwrap,
    aggregate: Option<Aggregate>,
}

/// What a peer does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It wants to publish. [`Session::accept`] or [`Session::refuse`] it.
    Publish(Asked),
    /// It sends media. Only while it publishes.
    Tag(Tag),
    /// It ends what it published, and may publish again.
    Unpublished,
}

/// What a peer wants to publish.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The application of its URL.
    pub(crate) app: String,
    /// The last part of its URL, with everything behind it.
    pub(crate) name: String,
    /// What it calls itself.
    pub(crate) client: String,
}

#[derive(Debug)]
struct Peer {
    app: String,
    client: String,
    can_reconnect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// Waits for an answer to a publish command on this message stream.
    Asked(u32),
    Publishing(u32),
}

/// Bytes that came, and what was acknowledged of them (RTMP §5.4.3).
#[derive(Debug)]
struct Received {
    bytes: u64,
    acknowledged: u64,
    window: u64,
}

/// What is left of a message of several tags.
#[derive(Debug)]
struct Aggregate {
    rest: Bytes,
    /// The message's time less the first tag's.
    offset: Option<u32>,
    at: u32,
}

impl Session {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bounds = Bounds {
            streams: limits.chunk_streams,
            command: limits.command,
            media: limits.message,
            unfinished: limits.message.saturating_add(limits.command),
        };
        let at_first = Bounds { media: limits.command, unfinished: limits.command, ..bounds };
        Self {
            bounds,
            handshake: Handshake::Greeting,
            chunks: Chunks::new(at_first),
            input: BytesMut::new(),
            output: BytesMut::new(),
            received: Received { bytes: 0, acknowledged: 0, window: WINDOW },
            peer: None,
            stage: Stage::Idle,
            streams: 0,
            times: Unwrap::default(),
            aggregate: None,
        }
    }

    /// Room to read into. Tell [`Self::arrived`] how much it was.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        let room = if matches!(self.stage, Stage::Publishing(_)) { LARGE_READ } else { SMALL_READ };
        if self.input.capacity() - self.input.len() < room / 4 {
            self.input.reserve(room);
        }
        &mut self.input
    }

    /// So many bytes were read.
    pub(crate) fn arrived(&mut self, bytes: usize) {
        self.received.bytes = self.received.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.handshake == Handshake::Done
            && self.received.bytes - self.received.acknowledged >= self.received.window
        {
            self.received.acknowledged = self.received.bytes;
            self.acknowledge();
        }
    }

    /// What is to be sent; whoever sends it takes it out.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Bytes of memory that the peer makes it hold.
    pub(crate) fn held(&self) -> usize {
        let aggregate = self.aggregate.as_ref().map_or(0, |aggregate| aggregate.rest.len());
        self.chunks.held() + self.input.capacity() + self.output.capacity() + aggregate
    }

    /// What the peer does next; `None` where more bytes, or an answer, must come first.
    ///
    /// # Errors
    /// A [`Fault`], after which there is no going on.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Fault> {
        if self.handshake != Handshake::Done {
            self.handshake.read(&mut self.input, &mut self.output)?;
            if self.handshake != Handshake::Done {
                return Ok(None);
            }
        }
        loop {
            if let Some(tag) = self.next_of_aggregate() {
                return Ok(Some(Event::Tag(tag)));
            }
            if matches!(self.stage, Stage::Asked(_)) {
                return Ok(None);
            }
            let Some(message) = self.chunks.next(&mut self.input)? else { return Ok(None) };
            if let Some(event) = self.message(message)? {
                return Ok(Some(event));
            }
        }
    }

    /// Lets the peer publish what it asked for.
    pub(crate) fn accept(&mut self) {
        let Stage::Asked(stream) = self.stage else { return };
        self.stage = Stage::Publishing(stream);
        self.chunks.bound(self.bounds);
        self.begin_stream(stream);
        self.status(stream, "status", "NetStream.Publish.Start", "publishing");
    }

    /// Does not let it publish, and says why in words for a person.
    pub(crate) fn refuse(&mut self, description: &str) {
        if let Stage::Asked(stream) = self.stage {
            self.stage = Stage::Idle;
            self.status(stream, "error", "NetStream.Publish.BadName", description);
        }
    }

    /// Says why the connection ends now, in words for a person.
    pub(crate) fn dismiss(&mut self, code: &str, description: &str) {
        let stream = match self.stage {
            Stage::Idle => 0,
            Stage::Asked(stream) | Stage::Publishing(stream) => stream,
        };
        if self.peer.is_some() {
            self.status(stream, "error", code, description);
        }
        self.stage = Stage::Idle;
    }

    /// Asks a publisher that can do so to connect anew (Enhanced RTMP v2, Reconnect Request); `false` where it cannot.
    pub(crate) fn request_reconnect(&mut self) -> bool {
        let can = self.peer.as_ref().is_some_and(|peer| peer.can_reconnect);
        if can {
            let description = "this server goes out of service";
            self.status(0, "status", "NetConnection.Connect.ReconnectRequest", description);
        }
        can
    }

    fn message(&mut self, message: Message) -> Result<Option<Event>, Fault> {
        let Message { kind, stream, at, payload } = message;
        match kind {
            kind::SET_CHUNK_SIZE => self.chunks.resize(number(&payload, "set chunk size")?)?,
            kind::ABORT => self.chunks.abort(number(&payload, "abort")?),
            kind::WINDOW_SIZE => {
                let window = number(&payload, "window acknowledgement size")?;
                self.received.window = u64::from(window).clamp(SMALLEST_WINDOW, WINDOW);
            }
            kind::USER_CONTROL => self.user_control(&payload),
            kind::COMMAND => return self.command(&payload, stream),
            // What is called AMF3 is AMF0 behind a byte, with every publisher that was seen.
            kind::COMMAND_AMF3 => {
                return self.command(payload.strip_prefix(&[0]).unwrap_or(&payload), stream);
            }
            kind::DATA => return Ok(self.script(at, payload)),
            kind::DATA_AMF3 if payload.first() == Some(&0) => {
                return Ok(self.script(at, payload.slice(1..)));
            }
            kind::AUDIO => return Ok(self.media(TagKind::Audio, at, payload)),
            kind::VIDEO => return Ok(self.media(TagKind::Video, at, payload)),
            kind::AGGREGATE => self.aggregate = Some(Aggregate { rest: payload, offset: None, at }),
            kind::ACKNOWLEDGEMENT | kind::PEER_BANDWIDTH => {}
            _ => tracing::trace!(kind, "a message of a type that is not known"),
        }
        Ok(None)
    }

    fn user_control(&mut self, payload: &[u8]) {
        if let Some((&PING, stamp)) = payload.split_first_chunk() {
            self.pong(stamp);
        }
    }

    fn media(&mut self, kind: TagKind, at: u32, payload: Bytes) -> Option<Event> {
        if !matches!(self.stage, Stage::Publishing(_)) {
            return None;
        }
        let data = match kind {
            TagKind::Video => flv::one_video_track(payload),
            TagKind::Audio => flv::one_audio_track(payload),
            TagKind::Script => Some(payload),
        };
        let data = data.filter(|data| !data.is_empty())?;
        Some(Event::Tag(Tag { kind, at_ms: self.times.at(at), data }))
    }

    /// Script data: what the publisher wants to have set, without the wish to have it set.
    fn script(&mut self, at: u32, payload: Bytes) -> Option<Event> {
        let (name, rest) = amf::leading_text(&payload)?;
        let data = match name {
            b"@setDataFrame" => payload.slice(payload.len() - rest.len()..),
            b"@clearDataFrame" => return None,
            _ => payload,
        };
        // A tag goes to readers that are less careful.
        amf::leading_text(&data)?;
        if let Err(fault) = amf::read(&data) {
            tracing::debug!(%fault, "script data is left out");
            return None;
        }
        self.media(TagKind::Script, at, data)
    }

    /// The next tag of a message of several (RTMP §7.1.6).
    fn next_of_aggregate(&mut self) -> Option<Tag> {
        loop {
            let aggregate = self.aggregate.as_mut()?;
            let Some((kind, at, body)) = aggregate.split() else {
                self.aggregate = None;
                return None;
            };
            let event = match kind {
                // Copied: a small tag must not keep a large message alive while it waits.
                kind::AUDIO => self.media(TagKind::Audio, at, Bytes::copy_from_slice(&body)),
                kind::VIDEO => self.media(TagKind::Video, at, Bytes::copy_from_slice(&body)),
                kind::DATA if body.len() <= self.bounds.command => {
                    self.script(at, Bytes::copy_from_slice(&body))
                }
                _ => None,
            };
            if let Some(Event::Tag(tag)) = event {
                return Some(tag);
            }
        }
    }
}

impl Aggregate {
    /// A tag is 11 bytes of head as in FLV, a body, and the length of both.
    fn split(&mut self) -> Option<(u8, u32, Bytes)> {
        let mut head = self.rest.get(..TAG_HEAD)?;
        let kind = head.try_get_u8().ok()?;
        let length = usize::try_from(head.try_get_uint(3).ok()?).ok()?;
        let low = u32::try_from(head.try_get_uint(3).ok()?).ok()?;
        let at = low | u32::from(head.try_get_u8().ok()?) << 24;
        if self.rest.len() < TAG_HEAD + length {
            return None;
        }
        self.rest.advance(TAG_HEAD);
        let body = self.rest.split_to(length);
        self.rest.advance(self.rest.len().min(4));
        let offset = *self.offset.get_or_insert(self.at.wrapping_sub(at));
        Some((kind, at.wrapping_add(offset), body))
    }
}

fn number(payload: &[u8], what: &'static str) -> Result<u32, Fault> {
    let bytes = payload.first_chunk().ok_or(Fault::Message { what, expected: "4 bytes" })?;
    Ok(u32::from_be_bytes(*bytes))
}

/// The user control event of a ping (RTMP §7.1.7).
const PING: [u8; 2] = [0, 6];
/// Acknowledged at least so often, and so do we ask for it.
const WINDOW: u64 = 2_500_000;
/// And not more often than this, whatever the peer asks for.
const SMALLEST_WINDOW: u64 = 64 << 10;
const TAG_HEAD: usize = 11;
/// A crowd that does not publish shall be cheap.
const SMALL_READ: usize = 4 << 10;
const LARGE_READ: usize = 64 << 10;

#[cfg(test)]
mod tests;

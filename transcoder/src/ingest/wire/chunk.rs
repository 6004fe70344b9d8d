//! The chunk stream (RTMP §5.3): messages cut into chunks, several streams of them woven together.
//!
//! ```text
//! chunk    basic header │ message header     │ extended time │ payload
//!          type, stream │ 11, 7, 3 or 0 bytes│ 0 or 4 bytes  │ at most the chunk size
//! ```
//!
//! What a peer announces is not what it gets: payload is taken as it comes, never chunk by chunk, so the chunk size
//! costs nothing however large it is; a message's buffer grows with what has come of it, not with its announced length.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::kind;
use crate::ingest::Fault;

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest) struct Message {
    /// Its type.
    pub(in crate::ingest) kind: u8,
    /// The message stream it belongs to.
    pub(in crate::ingest) stream: u32,
    /// Milliseconds since whatever the peer chose, modulo 2^32.
    pub(in crate::ingest) at: u32,
    pub(in crate::ingest) payload: Bytes,
}

/// What a [`Chunks`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct Bounds {
    /// Chunk streams.
    pub(in crate::ingest) streams: usize,
    /// Bytes of any message that is not media.
    pub(in crate::ingest) command: usize,
    /// Bytes of a message of audio, video, or several of them.
    pub(in crate::ingest) media: usize,
    /// Bytes of all messages that are not whole yet.
    pub(in crate::ingest) unfinished: usize,
}

/// Puts messages together again.
#[derive(Debug)]
pub(in crate::ingest) struct Chunks {
    bounds: Bounds,
    size: usize,
    lanes: BTreeMap<u32, Lane>,
    /// The chunk whose payload is being read: its stream, and what is still to come of it.
    within: Option<(u32, usize)>,
    /// The buffers of all unfinished messages together.
    held: usize,
}

/// What is known of a chunk stream.
#[derive(Debug, Default)]
struct Lane {
    kind: u8,
    stream: u32,
    length: usize,
    at: u32,
    /// What a header without a time adds.
    step: u32,
    /// The extended time of the last header, if it had one.
    extended: Option<u32>,
    /// Whether a message has begun and not ended.
    is_open: bool,
    partial: BytesMut,
}

/// A header as it stands, before it is applied to its stream.
struct Header {
    fmt: u8,
    lane: u32,
    time: u32,
    extended: Option<u32>,
    length: usize,
    kind: u8,
    stream: u32,
}

impl Chunks {
    pub(in crate::ingest) fn new(bounds: Bounds) -> Self {
        Self { bounds, size: INITIAL_SIZE, lanes: BTreeMap::new(), within: None, held: 0 }
    }

    /// Other bounds, for messages that begin from now on.
    pub(in crate::ingest) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// What the peer announces of its chunks.
    ///
    /// # Errors
    /// [`Fault::ChunkSize`] for 0 and for more than 31 bits.
    pub(in crate::ingest) fn resize(&mut self, size: u32) -> Result<(), Fault> {
        match usize::try_from(size) {
            Ok(1..=0x7fff_ffff) => {
                self.size = usize::try_from(size).unwrap_or(INITIAL_SIZE);
                Ok(())
            }
            _ => Err(Fault::ChunkSize { found: size }),
        }
    }

    /// Forgets what has come of the message of a chunk stream.
    pub(in crate::ingest) fn abort(&mut self, lane: u32) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            self.held = self.held.saturating_sub(lane.partial.capacity());
            lane.partial = BytesMut::new();
            lane.is_open = false;
        }
    }

    /// Bytes of memory in unfinished messages.
    pub(in crate::ingest) fn held(&self) -> usize {
        self.held
    }

    /// The next whole message, taken from the front of `input`; `None` where more is needed. Then `input` holds less
    /// than a header.
    ///
    /// # Errors
    /// A [`Fault`], after which there is no going on.
    pub(in crate::ingest) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Message>, Fault> {
        loop {
            if self.within.is_none() {
                let Some((header, consumed)) = self.header(input)? else { return Ok(None) };
                input.advance(consumed);
                self.begin(header)?;
            }
            let Some((id, left)) = self.within else { continue };
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let taken = left.min(input.len());
            if taken < left && taken == 0 {
                return Ok(None);
            }
            self.held = self.held.saturating_sub(lane.partial.capacity());
            lane.append(input.get(..taken).unwrap_or_default());
            input.advance(taken);
            self.held += lane.partial.capacity();
            if self.held > self.bounds.unfinished {
                return Err(Fault::Unfinished { limit: self.bounds.unfinished });
            }
            self.within = (taken < left).then_some((id, left - taken));
            if self.within.is_none() && lane.partial.len() == lane.length {
                self.held = self.held.saturating_sub(lane.partial.capacity());
                lane.is_open = false;
                let payload = std::mem::take(&mut lane.partial).freeze();
                return Ok(Some(Message { kind: lane.kind, stream: lane.stream, at: lane.at, payload }));
            }
        }
    }

    /// The header at the front of the input and its length.
    fn header(&self, input: &[u8]) -> Result<Option<(Header, usize)>, Fault> {
        let mut rest = input;
        let Some(lane) = basic_header(&mut rest) else { return Ok(None) };
        let fmt = input.first().map_or(0, |byte| byte >> 6);
        let known = self.lanes.get(&lane);
        match known {
            // librtmp begins a stream with a header that says to which message stream it does not belong.
            None if fmt > 1 => return Err(Fault::Header { stream: lane, expected: "type 0", found: fmt }),
            None if self.lanes.len() >= self.bounds.streams => {
                return Err(Fault::ChunkStreams { limit: self.bounds.streams });
            }
            Some(known) if known.is_open && fmt < 3 => {
                return Err(Fault::Header { stream: lane, expected: "the rest of a message", found: fmt });
            }
            _ => {}
        }
        let new = Lane::default();
        let known = known.unwrap_or(&new);
        Ok(Header::read(fmt, lane, known, &mut rest).map(|header| (header, input.len() - rest.len())))
    }

    /// Applies a header to its stream.
    fn begin(&mut self, header: Header) -> Result<(), Fault> {
        let lane = self.lanes.entry(header.lane).or_default();
        if !lane.is_open {
            let limit = match header.kind {
                kind::AUDIO | kind::VIDEO | kind::AGGREGATE => self.bounds.media,
                _ => self.bounds.command,
            };
            if header.length > limit {
                return Err(Fault::Length { kind: header.kind, length: header.length, limit });
            }
            let time = header.extended.unwrap_or(header.time);
            lane.at = if header.fmt == 0 { time } else { lane.at.wrapping_add(time) };
            lane.step = time;
            lane.extended = header.extended;
            lane.length = header.length;
            lane.kind = header.kind;
            lane.stream = header.stream;
            lane.is_open = true;
        }
        self.within = Some((header.lane, self.size.min(lane.length - lane.partial.len())));
        Ok(())
    }
}

impl Header {
    /// The rest of a header; `None` where it is not all there.
    fn read(fmt: u8, lane: u32, known: &Lane, rest: &mut &[u8]) -> Option<Self> {
        let mut header = Self {
            fmt,
            lane,
            time: known.step,
            extended: None,
            length: known.length,
            kind: known.kind,
            stream: known.stream,
        };
        if fmt == 3 {
            // §5.3.1.3: the extended time comes again with every chunk. Some encoders leave it out; then what stands
            // there is payload, and not the same four bytes.
            header.extended = known.extended;
            if let Some(extended) = known.extended {
                let bytes = rest.first_chunk::<4>()?;
                if u32::from_be_bytes(*bytes) == extended {
                    rest.advance(4);
                }
            }
            return Some(header);
        }
        header.time = take_u24(rest)?;
        if fmt < 2 {
            header.length = usize::try_from(take_u24(rest)?).ok()?;
            header.kind = rest.try_get_u8().ok()?;
        }
        if fmt == 0 {
            header.stream = rest.try_get_u32_le().ok()?;
        }
        if header.time == EXTENDED {
            header.extended = Some(rest.try_get_u32().ok()?);
        }
        Some(header)
    }
}

impl Lane {
    fn append(&mut self, payload: &[u8]) {
        let (len, capacity) = (self.partial.len(), self.partial.capacity());
        if len + payload.len() > capacity {
            // Twice what is there, as a vector grows, but never beyond the end of the message. The payload is copied
            // once, out of its chunks.
            let wanted = (2 * len).max(len + payload.len()).max(FIRST_BUFFER).min(self.length);
            let mut grown = BytesMut::with_capacity(wanted);
            grown.extend_from_slice(&self.partial);
            self.partial = grown;
        }
        self.partial.extend_from_slice(payload);
    }
}

/// Writes a message of time zero into chunks. `lane` is 2 to 63.
pub(in crate::ingest) fn write(
    out: &mut BytesMut,
    size: usize,
    lane: u8,
    kind: u8,
    stream: u32,
    payload: &[u8],
) {
    out.reserve(12 + payload.len() + payload.len() / size.max(1));
    for (index, piece) in payload.chunks(size.max(1)).enumerate() {
        if index == 0 {
            out.put_u8(lane & 0x3f);
            out.put_uint(0, 3);
            out.put_uint(u64::try_from(payload.len()).unwrap_or(0), 3);
            out.put_u8(kind);
            out.put_u32_le(stream);
        } else {
            out.put_u8(0xc0 | (lane & 0x3f));
        }
        out.put_slice(piece);
    }
}

/// The chunk stream of a basic header.
fn basic_header(rest: &mut &[u8]) -> Option<u32> {
    match rest.try_get_u8().ok()? & 0x3f {
        0 => Some(64 + u32::from(rest.try_get_u8().ok()?)),
        1 => Some(64 + u32::from(rest.try_get_u16_le().ok()?)),
        stream => Some(u32::from(stream)),
    }
}

fn take_u24(rest: &mut &[u8]) -> Option<u32> {
    rest.try_get_uint(3).ok().and_then(|value| u32::try_from(value).ok())
}

/// Until the peer announces another (§5.4.1).
pub(in crate::ingest) const INITIAL_SIZE: usize = 128;
/// The largest time that fits into three bytes stands for one that does not.
const EXTENDED: u32 = 0xff_ffff;
/// Most messages are larger than a chunk and smaller than this.
const FIRST_BUFFER: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { streams: 8, command: 1 << 10, media: 1 << 16, unfinished: 1 << 17 };

    fn all(chunks: &mut Chunks, bytes: &[u8], split: usize) -> Result<Vec<Message>, Fault> {
        let (mut input, mut messages) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(split) {
            input.extend_from_slice(piece);
            while let Some(message) = chunks.next(&mut input)? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    fn read(bytes: &[u8]) -> Result<Vec<Message>, Fault> {
        let once = all(&mut Chunks::new(BOUNDS), bytes, usize::MAX);
        for split in [1, 3, 100] {
            assert_eq!(
                all(&mut Chunks::new(BOUNDS), bytes, split),
                once,
                "any split gives the same messages"
            );
        }
        once
    }

    fn times(bytes: &[u8]) -> Vec<u32> {
        read(bytes).unwrap().iter().map(|message| message.at).collect()
    }

    #[test]
    fn messages_of_two_streams_are_woven_together() {
        let mut bytes = vec![6, 0, 0, 5, 0, 0, 200, 9, 1, 0, 0, 0];
        bytes.extend([1; 128]);
        bytes.extend([4, 0, 0, 6, 0, 0, 2, 8, 1, 0, 0, 0, 7, 7]);
        bytes.push(0xc6);
        bytes.extend([2; 72]);
        let messages = read(&bytes).unwrap();
        let audio = Message { kind: 8, stream: 1, at: 6, payload: Bytes::from_static(&[7, 7]) };
        let video = [[1; 128].as_slice(), &[2; 72]].concat();
        assert_eq!(messages, [audio, Message { kind: 9, stream: 1, at: 5, payload: video.into() }]);
    }

    #[test]
    fn shorter_headers_take_over_what_they_leave_out() {
        let full = [3, 0, 0, 10, 0, 0, 1, 8, 1, 0, 0, 0, 0];
        let delta = [0x43, 0, 0, 5, 0, 0, 2, 8, 0, 0];
        assert_eq!(
            times(&[&full[..], &delta, &[0x83, 0, 0, 7, 0, 0], &[0xc3, 0, 0]].concat()),
            [10, 15, 22, 29]
        );
        // §5.3.1.2.4: after a full header, the step is its time.
        assert_eq!(times(&[&full[..], &[0xc3, 0]].concat()), [10, 20]);
    }

    #[test]
    fn extended_times_are_read_also_where_later_chunks_leave_them_out() {
        let head = [6, 0xff, 0xff, 0xff, 0, 0, 130, 9, 1, 0, 0, 0, 1, 0, 0, 2];
        let body = [9; 128];
        for again in [&[0xc6, 1, 0, 0, 2][..], &[0xc6]] {
            // Two bytes are left: four must be there to tell which it is, and something follows in a real stream.
            let bytes = [&head[..], &body, again, &[9, 9], &[3, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 5]].concat();
            let messages = read(&bytes).unwrap();
            assert_eq!((messages[0].at, messages[0].payload.len()), (0x0100_0002, 130));
            assert_eq!(messages[1].payload, [5][..]);
        }
    }

    #[test]
    fn a_first_header_may_leave_out_the_message_stream_and_no_more() {
        assert_eq!(times(&[0x42, 0, 0, 1, 0, 0, 1, 4, 0]), [1]);
        let fault = |found| Err(Fault::Header { stream: 2, expected: "type 0", found });
        assert_eq!(read(&[0x82, 0, 0, 1]), fault(2));
        assert_eq!(read(&[0xc2]), fault(3));
    }

    #[test]
    fn a_header_inside_of_a_message_is_a_fault_and_abort_makes_room_for_it() {
        let mut begun = vec![6, 0, 0, 0, 0, 1, 0, 9, 1, 0, 0, 0];
        begun.extend([0; 128]);
        let again = [6, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 3];
        let fault = Fault::Header { stream: 6, expected: "the rest of a message", found: 0 };
        assert_eq!(read(&[&begun[..], &again].concat()), Err(fault));
        let mut chunks = Chunks::new(BOUNDS);
        assert_eq!(all(&mut chunks, &begun, 50), Ok(vec![]));
        assert!(chunks.held() >= 128);
        chunks.abort(6);
        assert_eq!(chunks.held(), 0);
        assert_eq!(all(&mut chunks, &again, 50).unwrap()[0].payload, [3][..]);
    }

    #[test]
    fn what_is_announced_costs_nothing() {
        let mut chunks = Chunks::new(Bounds { media: 0xff_ffff, ..BOUNDS });
        chunks.resize(0x7fff_ffff).unwrap();
        let announced = [6, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 0];
        assert_eq!(all(&mut chunks, &announced, 50), Ok(vec![]));
        assert!(chunks.held() <= FIRST_BUFFER, "{}", chunks.held());
        assert_eq!(chunks.resize(0), Err(Fault::ChunkSize { found: 0 }));
        assert_eq!(chunks.resize(1 << 31), Err(Fault::ChunkSize { found: 1 << 31 }));
        let fault = Fault::Length { kind: 9, length: 0xff_ffff, limit: 1 << 16 };
        assert_eq!(read(&announced), Err(fault));
    }

    #[test]
    fn streams_and_unfinished_messages_are_bounded() {
        let streams: Vec<u8> = (3..12).flat_map(|lane| [lane, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 0]).collect();
        assert_eq!(read(&streams), Err(Fault::ChunkStreams { limit: 8 }));
        let mut unfinished = Vec::new();
        for lane in 3..10 {
            unfinished.extend([lane, 0, 0, 0, 0, 0xff, 0xff, 9, 1, 0, 0, 0]);
            unfinished.extend([0; 128]);
        }
        for round in 0..2_000_u32 {
            unfinished.push(0xc3 + u8::try_from(round % 7).unwrap());
            unfinished.extend([0; 128]);
        }
        assert_eq!(read(&unfinished), Err(Fault::Unfinished { limit: BOUNDS.unfinished }));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..600), 3_u8..6), 1..6),
            size in 1_usize..300,
        ) {
            let mut bytes = BytesMut::new();
            for (payload, lane) in &payloads {
                write(&mut bytes, size, *lane, kind::COMMAND, 1, payload);
            }
            let mut chunks = Chunks::new(BOUNDS);
            chunks.resize(u32::try_from(size).unwrap()).unwrap();
            let read = all(&mut chunks, &bytes, 64).unwrap();
            let read: Vec<_> = read.iter().map(|message| &message.payload[..]).collect();
            prop_assert_eq!(read, payloads.iter().map(|(payload, _)| &payload[..]).collect::<Vec<_>>());
            prop_assert_eq!(chunks.held(), 0);
        }
    }
}

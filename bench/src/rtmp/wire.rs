//! A publisher's connection (Adobe RTMP 1.0): the plain handshake, the commands up to `publish`, then media.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::amf::{self, Value};

/// A connection that publishes.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    /// The message stream that is published on.
    stream: u32,
    input: Vec<u8>,
    lanes: HashMap<u8, Lane>,
    /// The size of the peer's chunks.
    chunk: usize,
}

/// What a message or a tag of FLV is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A frame of sound.
    Audio,
    /// A picture.
    Video,
    /// Metadata.
    Script,
}

/// Its type and its payload.
type Message = (u8, Vec<u8>);

/// What is known of a chunk stream of the peer's.
#[derive(Debug, Default)]
struct Lane {
    kind: u8,
    length: usize,
    is_extended: bool,
    partial: Vec<u8>,
}

impl Kind {
    /// By its number, which RTMP and FLV share.
    pub fn of(number: u8) -> Option<Self> {
        match number {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

impl Wire {
    /// Connects, and asks to publish under a name; returns when that was let.
    ///
    /// # Errors
    /// Those of the system, and what the server says against it.
    pub fn publish(address: SocketAddr, app: &str, name: &str) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut wire = Self { socket, stream: 0, input: Vec::new(), lanes: HashMap::new(), chunk: 128 };
        wire.shake_hands()?;
        wire.write(CONTROL, SET_CHUNK_SIZE, 0, 0, &u32::try_from(CHUNK).unwrap_or(128).to_be_bytes())?;
        let url = format!("rtmp://{address}/{app}");
        let about = [("app", app), ("type", "nonprivate"), ("flashVer", CLIENT), ("tcUrl", &url)];
        wire.say(0, &[Value::Text("connect"), Value::Number(1.0), Value::Object(&about)])?;
        wire.result(1.0)?;
        for (number, command) in [(2.0, "releaseStream"), (3.0, "FCPublish")] {
            wire.say(0, &[Value::Text(command), Value::Number(number), Value::Null, Value::Text(name)])?;
        }
        wire.say(0, &[Value::Text("createStream"), Value::Number(4.0), Value::Null])?;
        let created = wire.result(4.0)?;
        let stream = amf::after_null(&created).and_then(amf::number);
        wire.stream = stream.ok_or_else(|| Error::other("expected the number of a stream"))? as u32;
        let publish =
            [Value::Text("publish"), Value::Number(5.0), Value::Null, Value::Text(name), Value::Text("live")];
        wire.say(wire.stream, &publish)?;
        wire.started()?;
        wire.socket.set_read_timeout(None)?;
        Ok(wire)
    }

    /// Sends a message; gives when it was handed to the system.
    ///
    /// # Errors
    /// Those of the system.
    pub fn send(&mut self, kind: Kind, at: Duration, body: &[u8]) -> Result<Instant> {
        let lane = if kind == Kind::Video { PICTURES } else { SOUND };
        // A benchmark ends long before the 32 bits do.
        let at = u32::try_from((at.as_nanos() + 500_000) / 1_000_000).unwrap_or(u32::MAX);
        self.write(lane, kind.number(), at, self.stream, body)
    }

    /// Answers what the server asked meanwhile: whether we are there (RTMP §7.1.7). Waits for nothing.
    ///
    /// # Errors
    /// Those of the system, and a server that has closed.
    pub fn attend(&mut self) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        let read = self.fill();
        self.socket.set_nonblocking(false)?;
        match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => other?,
        }
        while self.next()?.is_some() {}
        Ok(())
    }

    /// C0 and C1, then C2, which is S1 (RTMP §5.2).
    fn shake_hands(&mut self) -> Result<()> {
        let mut greeting = vec![VERSION];
        greeting.extend([0; 8]);
        greeting.extend((8..PACKET).map(|at| (at % 251) as u8));
        self.socket.write_all(&greeting)?;
        let mut theirs = vec![0; 1 + 2 * PACKET];
        self.socket.read_exact(&mut theirs)?;
        self.socket.write_all(&theirs[1..=PACKET])
    }

    fn say(&mut self, stream: u32, values: &[Value<'_>]) -> Result<()> {
        self.write(COMMANDS, COMMAND, 0, stream, &amf::write(values)).map(drop)
    }

    /// Waits for the result of a command; gives what follows its number.
    fn result(&mut self, number: f64) -> Result<Vec<u8>> {
        let begin = |name| amf::write(&[Value::Text(name), Value::Number(number)]);
        let (result, error) = (begin("_result"), begin("_error"));
        loop {
            let command = self.command()?;
            if let Some(rest) = command.strip_prefix(&result[..]) {
                return Ok(rest.to_vec());
            }
            if command.starts_with(&error) {
                return Err(refusal(&command));
            }
        }
    }

    /// Waits to be let publish.
    fn started(&mut self) -> Result<()> {
        let status = amf::write(&[Value::Text("onStatus")]);
        loop {
            let command = self.command()?;
            if command.starts_with(&status) {
                let is_start = command.windows(START.len()).any(|text| text == START);
                return if is_start { Ok(()) } else { Err(refusal(&command)) };
            }
        }
    }

    fn command(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.next()? {
                Some((COMMAND, payload)) => return Ok(payload),
                Some(_) => {}
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer)? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the server has closed")),
            read => {
                self.input.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }

    /// The next message that has come; what is about the connection itself is dealt with.
    fn next(&mut self) -> Result<Option<Message>> {
        while let Some((taken, message)) = self.chunk()? {
            self.input.drain(..taken);
            let Some((kind, payload)) = message else { continue };
            match (kind, &payload[..]) {
                (SET_CHUNK_SIZE, &[a, b, c, d]) => {
                    self.chunk = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(128).max(1);
                }
                (USER_CONTROL, [0, 6, stamp @ ..]) => {
                    let pong = [&[0, 7], stamp].concat();
                    self.write(CONTROL, USER_CONTROL, 0, 0, &pong)?;
                }
                _ => return Ok(Some((kind, payload))),
            }
        }
        Ok(None)
    }

    /// The chunk at the front of the input (RTMP §5.3.1): its length, and the message that it ends. `None` where it is not
    /// all there.
    fn chunk(&mut self) -> Result<Option<(usize, Option<Message>)>> {
        let Some(&first) = self.input.first() else { return Ok(None) };
        let (form, id) = (first >> 6, first & 0x3f);
        if id < 2 {
            return Err(Error::other("expected a chunk stream below 64"));
        }
        let lane = self.lanes.entry(id).or_default();
        let head = 1 + [11, 7, 3, 0][usize::from(form)];
        let Some(fields) = self.input.get(1..head) else { return Ok(None) };
        let is_extended = if fields.is_empty() { lane.is_extended } else { fields.starts_with(&[0xff; 3]) };
        let head = head + if is_extended { 4 } else { 0 };
        let (kind, length) = match fields.get(3..7) {
            Some(&[a, b, c, kind]) => (kind, u32::from_be_bytes([0, a, b, c]) as usize),
            _ => (lane.kind, lane.length),
        };
        let end = head + (length - lane.partial.len().min(length)).min(self.chunk);
        let Some(payload) = self.input.get(head..end) else { return Ok(None) };
        lane.partial.extend_from_slice(payload);
        (lane.kind, lane.length, lane.is_extended) = (kind, length, is_extended);
        let is_whole = lane.partial.len() >= length;
        Ok(Some((end, is_whole.then(|| (kind, std::mem::take(&mut lane.partial))))))
    }

    /// One message in one write; gives when that began.
    fn write(&mut self, lane: u8, kind: u8, at: u32, stream: u32, body: &[u8]) -> Result<Instant> {
        let mut out = Vec::with_capacity(16 + body.len() + body.len() / CHUNK);
        out.push(lane);
        out.extend_from_slice(&at.min(EXTENDED).to_be_bytes()[1..]);
        out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes()[1..]);
        out.push(kind);
        out.extend_from_slice(&stream.to_le_bytes());
        let extended = if at >= EXTENDED { &at.to_be_bytes()[..] } else { &[] };
        for (index, piece) in body.chunks(CHUNK).enumerate() {
            if index > 0 {
                out.push(0xc0 | lane);
            }
            out.extend_from_slice(extended);
            out.extend_from_slice(piece);
        }
        let began = Instant::now();
        self.socket.write_all(&out)?;
        Ok(began)
    }
}

fn refusal(command: &[u8]) -> Error {
    let text = String::from_utf8_lossy(command);
    let plain: String = text.chars().filter(|character| !character.is_control()).collect();
    Error::new(ErrorKind::PermissionDenied, format!("the server refused: {plain}"))
}

const CLIENT: &str = "FMLE/3.0 (compatible; forebay-bench)";
const START: &[u8] = b"NetStream.Publish.Start";
/// What OBS announces too.
const CHUNK: usize = 4096;
const EXTENDED: u32 = 0xff_ffff;
const VERSION: u8 = 3;
const PACKET: usize = 1536;
/// Chunk streams.
const CONTROL: u8 = 2;
const COMMANDS: u8 = 3;
const SOUND: u8 = 4;
const PICTURES: u8 = 6;
/// Types of messages.
const SET_CHUNK_SIZE: u8 = 1;
const USER_CONTROL: u8 = 4;
const COMMAND: u8 = 20;
/// For one answer. A server that is busy starting others may take a while.
const PATIENCE: Duration = Duration::from_secs(30);

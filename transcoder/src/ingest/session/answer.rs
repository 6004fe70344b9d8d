//! What is said to the peer.

use bytes::{BufMut, BytesMut};

use super::amf::{self, Value};
use super::{Session, chunk, kind};

impl Session {
    /// `connect` went well: how chunks and windows are meant, then the result. An enhanced publisher is told what we
    /// read (Enhanced RTMP v2, "Enhancing NetConnection connect Command").
    pub(super) fn connected(&mut self, transaction: f64, is_enhanced: bool) {
        self.control(kind::WINDOW_SIZE, &WINDOW.to_be_bytes());
        let mut bandwidth = BytesMut::from(&WINDOW.to_be_bytes()[..]);
        bandwidth.put_u8(DYNAMIC);
        self.control(kind::PEER_BANDWIDTH, &bandwidth);
        self.begin_stream(0);
        let mut about = vec![
            ("fmsVer".to_owned(), Value::from("FMS/3,0,1,123")),
            ("capabilities".to_owned(), Value::from(31.0)),
        ];
        if is_enhanced {
            about.push(("capsEx".to_owned(), Value::from(RECONNECT + MOD_EX)));
            about.push(("videoFourCcInfoMap".to_owned(), codecs(["avc1", "hvc1", "av01", "vp09"])));
            about.push(("audioFourCcInfoMap".to_owned(), codecs(["mp4a", "Opus"])));
        }
        let information = Value::object([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "connected".into()),
            ("objectEncoding", 0.0.into()),
        ]);
        self.say(0, &["_result".into(), transaction.into(), Value::Object(about), information]);
    }

    /// `createStream` made this one.
    pub(super) fn created(&mut self, transaction: f64, stream: u32) {
        self.say(0, &["_result".into(), transaction.into(), Value::Null, f64::from(stream).into()]);
    }

    /// A command did what it does, which is nothing.
    pub(super) fn result(&mut self, transaction: f64) {
        self.say(0, &["_result".into(), transaction.into(), Value::Null, Value::Null]);
    }

    /// What a person at the encoder may be shown.
    pub(super) fn status(&mut self, stream: u32, level: &str, code: &str, description: &str) {
        let information = information(level, code, description);
        self.say(stream, &["onStatus".into(), 0.0.into(), Value::Null, information]);
    }

    /// A status under another name.
    pub(super) fn notice(&mut self, name: &str, code: &str, description: &str) {
        self.say(0, &[name.into(), 0.0.into(), Value::Null, information("status", code, description)]);
    }

    /// A message stream may be used (RTMP §7.1.7).
    pub(super) fn begin_stream(&mut self, stream: u32) {
        let mut event = BytesMut::from(&STREAM_BEGIN[..]);
        event.put_u32(stream);
        self.control(kind::USER_CONTROL, &event);
    }

    /// Answers a ping with its own stamp.
    pub(super) fn pong(&mut self, stamp: &[u8]) {
        let mut event = BytesMut::from(&PONG[..]);
        event.put_slice(stamp.get(..4).unwrap_or(stamp));
        self.control(kind::USER_CONTROL, &event);
    }

    /// So many bytes have come, modulo 2^32.
    pub(super) fn acknowledge(&mut self) {
        let low = u32::try_from(self.received.bytes & u64::from(u32::MAX)).unwrap_or(0);
        self.control(kind::ACKNOWLEDGEMENT, &low.to_be_bytes());
    }

    fn control(&mut self, kind: u8, payload: &[u8]) {
        chunk::write(&mut self.output, chunk::INITIAL_SIZE, CONTROL_LANE, kind, 0, payload);
    }

    fn say(&mut self, stream: u32, values: &[Value]) {
        let payload = amf::write(values);
        // What we say is short, so that the size of our chunks need not be announced.
        chunk::write(&mut self.output, chunk::INITIAL_SIZE, COMMAND_LANE, kind::COMMAND, stream, &payload);
    }
}

fn information(level: &str, code: &str, description: &str) -> Value {
    Value::object([("level", level.into()), ("code", code.into()), ("description", description.into())])
}

/// Codecs that are decoded and passed on.
fn codecs<const N: usize>(names: [&str; N]) -> Value {
    Value::object(names.map(|name| (name, (CAN_DECODE + CAN_FORWARD).into())))
}

/// Bytes between acknowledgements, and what the peer may send without one.
const WINDOW: u32 = 2_500_000;
/// The peer need not keep to it strictly.
const DYNAMIC: u8 = 2;
const STREAM_BEGIN: [u8; 2] = [0, 0];
const PONG: [u8; 2] = [0, 7];
/// Chunk streams: 2 is for control (RTMP §5.4), 3 for commands by custom.
const CONTROL_LANE: u8 = 2;
const COMMAND_LANE: u8 = 3;
/// Bits of `capsEx`. Several tracks are not asked for: one of each kind is taken.
const RECONNECT: f64 = 1.0;
const MOD_EX: f64 = 4.0;
/// Bits of what can be done with a codec.
const CAN_DECODE: f64 = 1.0;
const CAN_FORWARD: f64 = 4.0;

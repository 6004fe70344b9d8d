//! Commands of the peer (RTMP §7.2).

use super::amf::{self, Value};
use super::{Asked, Event, Fault, Peer, Session, Stage};

impl Session {
    /// Does what a command asks for.
    ///
    /// # Errors
    /// [`Fault::Message`] for what cannot be read before anything is published; a show goes on over such a thing.
    /// [`Fault::Unfit`] for what is asked at the wrong time, or not here.
    pub(super) fn command(&mut self, payload: &[u8], stream: u32) -> Result<Option<Event>, Fault> {
        let values = match amf::read(payload) {
            Ok(values) => values,
            Err(_) if matches!(self.stage, Stage::Publishing(_)) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let mut values = values.into_iter();
        let name = values.next();
        let Some(name) = name.as_ref().and_then(Value::as_text) else {
            return Err(Fault::Message { what: "command", expected: "a name" });
        };
        let transaction = values.next().and_then(|value| value.as_number()).unwrap_or(0.0);
        let about = values.next().unwrap_or(Value::Null);
        let argument = values.next().unwrap_or(Value::Null);
        if name != "connect" && self.peer.is_none() {
            return Err(Fault::Unfit { expected: "a connect command", found: "another one" });
        }
        match name {
            "connect" => self.connect(transaction, &about)?,
            "createStream" => self.create_stream(transaction)?,
            "publish" => return self.publish(stream, &argument).map(Some),
            "FCPublish" => {
                self.result(transaction);
                self.notice("onFCPublish", "NetStream.Publish.Start", "go on");
            }
            "releaseStream" | "_checkbw" | "getStreamLength" => self.result(transaction),
            "FCUnpublish" => {
                self.result(transaction);
                return Ok(self.unpublish());
            }
            "closeStream" | "deleteStream" => return Ok(self.unpublish()),
            "play" | "play2" => {
                self.status(stream, "error", "NetStream.Play.Failed", "nothing is played here");
                return Err(Fault::Unfit { expected: "a publisher", found: "a player" });
            }
            // `_result` and `_error` answer nothing that we asked.
            _ => tracing::trace!("a command that is not known"),
        }
        Ok(None)
    }

    fn connect(&mut self, transaction: f64, about: &Value) -> Result<(), Fault> {
        if self.peer.is_some() {
            return Err(Fault::Unfit { expected: "one connect command", found: "another one" });
        }
        let text = |name| about.field(name).and_then(Value::as_text).unwrap_or_default();
        let extras = about.field("capsEx").and_then(Value::as_number);
        let is_enhanced = extras.is_some() || ENHANCED.iter().any(|name| about.field(name).is_some());
        let app = text("app");
        let app = app.split_once('?').map_or(app, |(app, _)| app).trim_matches('/');
        self.peer = Some(Peer {
            app: clip(app),
            client: clip(text("flashVer")),
            can_reconnect: extras.is_some_and(|bits| bits % 2.0 >= 1.0),
        });
        self.connected(transaction, is_enhanced);
        Ok(())
    }

    fn create_stream(&mut self, transaction: f64) -> Result<(), Fault> {
        if self.streams >= MAX_STREAMS {
            return Err(Fault::Unfit { expected: "a few message streams", found: "many" });
        }
        self.streams += 1;
        self.created(transaction, self.streams);
        Ok(())
    }

    fn publish(&mut self, stream: u32, name: &Value) -> Result<Event, Fault> {
        let Some(peer) = &self.peer else {
            return Err(Fault::Unfit { expected: "a connect command", found: "a publish command" });
        };
        if self.stage != Stage::Idle {
            self.status(stream, "error", "NetStream.Publish.BadName", "this connection publishes already");
            return Err(Fault::Unfit { expected: "one publish command", found: "another one" });
        }
        self.stage = Stage::Asked(stream);
        Ok(Event::Publish(Asked {
            app: peer.app.clone(),
            name: clip(name.as_text().unwrap_or_default()),
            client: peer.client.clone(),
        }))
    }

    fn unpublish(&mut self) -> Option<Event> {
        let Stage::Publishing(stream) = self.stage else { return None };
        self.stage = Stage::Idle;
        self.status(stream, "status", "NetStream.Unpublish.Success", "the stream has ended");
        Some(Event::Unpublished)
    }
}

/// So much of a text that a peer may have remembered, and nothing that would upset a log.
fn clip(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_TEXT).collect()
}

/// Fields of `connect` that only an enhanced publisher sends (Enhanced RTMP v2).
const ENHANCED: [&str; 3] = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap"];
/// A publisher makes one, and perhaps another when it begins again.
const MAX_STREAMS: u32 = 64;
const MAX_TEXT: usize = 512;

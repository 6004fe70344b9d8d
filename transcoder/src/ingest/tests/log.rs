//! What stands in the log.

use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// Keeps every event as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("forebay_transcoder")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_publisher_has_its_lines_and_no_line_has_a_key() {
    let lines = Lines::default();
    // With one subscriber alone, tracing asks the thread that comes to a line first whether anybody listens, and keeps
    // the answer: that may be the thread of another test. With two it asks both of them.
    let _other = tracing::Dispatch::new(Lines::default());
    let _guard = tracing::subscriber::set_default(lines.clone());
    let mut server = Server::start(calm()).await;
    let mut wrong = server.client().await;
    let about = Value::object([("app", "live/key-one".into()), ("flashVer", "encoder".into())]);
    wrong.publish("key-of-nobody?key-one", about).await;
    wrong.until("NetStream.Publish.BadName").await;
    wrong.closed().await;
    let mut client = server.client().await.on_air("key-two?token=key-one").await;
    let mut publication = server.publication().await;
    client.send(&[0xbf; 8]).await.unwrap();
    rest(&mut publication).await;
    client.closed().await;
    server.close().await;

    let lines = lines.0.lock().unwrap().clone();
    let about = |what: &str| {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(what)).collect();
        assert_eq!(found.len(), 1, "{what}: {lines:#?}");
        found[0].as_str()
    };
    let refused = about("a publisher is refused");
    assert!(refused.starts_with("WARN") && refused.contains("peer=127.0.0.1:"), "{refused}");
    assert!(refused.contains("reason=\"wrong_key\"") && refused.contains("secret=secret#"), "{refused}");
    assert!(about("a publisher is on").contains("stream=two"));
    let off = about("a publisher is off");
    assert!(off.contains("stream=two") && off.contains("reason=\"malformed\""), "{off}");
    for line in &lines {
        let holds = ["key-one", "key-two", "key-of-nobody"].into_iter().find(|key| line.contains(key));
        assert_eq!(holds, None, "{line}");
    }
}

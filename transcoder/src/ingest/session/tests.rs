use super::amf::Value;
use super::*;

/// What a publisher sends before it is asked for its key, in one go.
fn greeting() -> BytesMut {
    let mut bytes = BytesMut::from(&[3][..]);
    bytes.resize(1 + 2 * 1536, 7);
    bytes
}

fn command(values: &[Value]) -> BytesMut {
    message(3, kind::COMMAND, &amf::write(values))
}

fn message(lane: u8, kind: u8, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    chunk::write(&mut bytes, 128, lane, kind, 1, payload);
    bytes
}

fn connect(about: Value) -> BytesMut {
    command(&["connect".into(), 1.0.into(), about])
}

fn obs() -> Value {
    Value::object([("app", "/live/?a=b".into()), ("flashVer", "OBS\n\u{1b}[2J".into())])
}

fn publish(name: &str) -> BytesMut {
    command(&["publish".into(), 5.0.into(), Value::Null, name.into(), "live".into()])
}

fn feed(session: &mut Session, bytes: &[u8]) {
    session.room().extend_from_slice(bytes);
    session.arrived(bytes.len());
}

/// A session that publishes, with nothing left to send.
fn publishing() -> Session {
    let mut session = Session::new(&Limits::default());
    feed(&mut session, &[greeting(), connect(obs()), publish("key")].concat());
    assert!(matches!(session.next(), Ok(Some(Event::Publish(_)))));
    session.accept();
    session.output().clear();
    session
}

fn tags(session: &mut Session) -> Vec<Tag> {
    let mut tags = Vec::new();
    while let Some(event) = session.next().unwrap() {
        if let Event::Tag(tag) = event {
            tags.push(tag);
        }
    }
    tags
}

/// The commands that were said.
fn spoken(session: &mut Session) -> Vec<Vec<Value>> {
    let mut output = session.output().split();
    if output.len() > 3073 && output[0] == 3 {
        output.advance(3073);
    }
    let bounds = Bounds { streams: 8, command: 1 << 16, media: 1 << 16, unfinished: 1 << 16 };
    let mut chunks = Chunks::new(bounds);
    let mut spoken = Vec::new();
    while let Some(message) = chunks.next(&mut output).unwrap() {
        if message.kind == kind::COMMAND {
            spoken.push(amf::read(&message.payload).unwrap());
        }
    }
    spoken
}

/// The same, each as its name and the code of its information.
fn said(session: &mut Session) -> Vec<(String, String)> {
    let told = |values: Vec<Value>| {
        let code = values.last().and_then(|information| information.field("code"));
        let code = code.and_then(Value::as_text).unwrap_or_default();
        (values[0].as_text().unwrap().to_owned(), code.to_owned())
    };
    spoken(session).into_iter().map(told).collect()
}

#[test]
fn a_publisher_is_asked_for_its_key_and_let_in() {
    let mut session = Session::new(&Limits::default());
    let create = command(&["createStream".into(), 4.0.into(), Value::Null]);
    feed(&mut session, &[greeting(), connect(obs()), create, publish("key?token=1")].concat());
    let asked = Asked { app: "live".into(), name: "key?token=1".into(), client: "OBS[2J".into() };
    assert_eq!(session.next(), Ok(Some(Event::Publish(asked))));
    assert_eq!(session.next(), Ok(None), "nothing is read on before there is an answer");
    session.accept();
    let status = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let expected = [
        status("_result", "NetConnection.Connect.Success"),
        status("_result", ""),
        status("onStatus", "NetStream.Publish.Start"),
    ];
    assert_eq!(said(&mut session), expected);
}

#[test]
fn a_refused_publisher_is_told_and_sends_no_media() {
    let mut session = Session::new(&Limits::default());
    feed(&mut session, &[greeting(), connect(obs()), publish("key")].concat());
    session.next().unwrap();
    session.refuse("no");
    let last = ("onStatus".to_owned(), "NetStream.Publish.BadName".to_owned());
    assert_eq!(said(&mut session).pop(), Some(last));
    feed(&mut session, &message(4, kind::AUDIO, &[0xaf, 1, 7]));
    assert_eq!(session.next(), Ok(None));
}

#[test]
fn media_and_script_data_become_tags() {
    let mut session = publishing();
    let metadata = amf::write(&["onMetaData".into(), Value::object([("width", 640.0.into())])]);
    let set = [&amf::write(&["@setDataFrame".into()])[..], &metadata].concat();
    feed(&mut session, &message(4, kind::DATA, &set));
    feed(&mut session, &message(4, kind::DATA_AMF3, &[&[0][..], &set].concat()));
    feed(
        &mut session,
        &message(4, kind::DATA, &amf::write(&["@clearDataFrame".into(), "onMetaData".into()])),
    );
    feed(&mut session, &message(4, kind::AUDIO, &[0xaf, 1, 7]));
    feed(&mut session, &message(6, kind::VIDEO, &[]));
    feed(&mut session, &message(6, kind::VIDEO, &[0x17, 1, 0, 0, 0]));
    let tags: Vec<_> = tags(&mut session).into_iter().map(|tag| (tag.kind, tag.data)).collect();
    let expected = [
        (TagKind::Script, metadata.clone().freeze()),
        (TagKind::Script, metadata.freeze()),
        (TagKind::Audio, Bytes::from_static(&[0xaf, 1, 7])),
        (TagKind::Video, Bytes::from_static(&[0x17, 1, 0, 0, 0])),
    ];
    assert_eq!(tags, expected);
}

#[test]
fn script_data_that_would_harm_a_reader_is_left_out() {
    let mut session = publishing();
    let bomb = [&amf::write(&["onMetaData".into()])[..], &[0x0a, 0, 0, 0, 1].repeat(1_000)].concat();
    feed(&mut session, &message(4, kind::DATA, &bomb));
    feed(&mut session, &message(4, kind::DATA, &[0, 1, 2]));
    assert_eq!(tags(&mut session), []);
}

#[test]
fn a_message_of_several_tags_is_taken_apart() {
    let mut session = publishing();
    let part = |kind: u8, at: u8, body: &[u8]| {
        let length = u8::try_from(body.len()).unwrap();
        [&[kind, 0, 0, length, 0, 0, at, 0, 0, 0, 0][..], body, &[0, 0, 0, 11 + length]].concat()
    };
    let mut parts =
        [part(9, 100, &[0x27, 1, 0, 0, 0]), part(8, 110, &[0xaf, 1, 7]), part(7, 111, &[1])].concat();
    parts.extend([9, 0xff, 0xff, 0xff, 0, 0, 0]);
    feed(&mut session, &message(6, kind::AGGREGATE, &parts));
    let tags: Vec<_> = tags(&mut session).into_iter().map(|tag| (tag.kind, tag.at_ms)).collect();
    assert_eq!(tags, [(TagKind::Video, 0), (TagKind::Audio, 10)], "times count from the message's");
}

#[test]
fn a_publisher_may_end_and_begin_again_on_one_connection() {
    for end in ["FCUnpublish", "deleteStream", "closeStream"] {
        let mut session = publishing();
        feed(&mut session, &command(&[end.into(), 6.0.into(), Value::Null, "key".into()]));
        assert_eq!(session.next(), Ok(Some(Event::Unpublished)));
        feed(&mut session, &command(&["deleteStream".into(), 7.0.into(), Value::Null, 1.0.into()]));
        assert_eq!(session.next(), Ok(None));
        feed(&mut session, &publish("again"));
        assert!(matches!(session.next(), Ok(Some(Event::Publish(asked))) if asked.name == "again"));
    }
}

#[test]
fn what_comes_at_the_wrong_time_is_a_fault() {
    let fault = |bytes: &[BytesMut]| {
        let mut session = Session::new(&Limits::default());
        feed(&mut session, &[&greeting()[..], &bytes.concat()].concat());
        let fault = session.next().unwrap_err();
        fault.to_string()
    };
    assert_eq!(fault(&[publish("key")]), "expected a connect command, found another one");
    assert_eq!(fault(&[connect(obs()), connect(obs())]), "expected one connect command, found another one");
    let play = command(&["play".into(), 4.0.into(), Value::Null, "key".into()]);
    assert_eq!(fault(&[connect(obs()), play]), "expected a publisher, found a player");
    assert_eq!(fault(&[command(&[4.0.into()])]), "command: expected a name");
    assert_eq!(
        fault(&[message(2, kind::SET_CHUNK_SIZE, &[0; 4])]),
        "expected a chunk size of 1 to 2147483647, found 0"
    );
    assert_eq!(fault(&[message(2, kind::ABORT, &[0; 3])]), "abort: expected 4 bytes");
    let create = command(&["createStream".into(), 4.0.into(), Value::Null]);
    let many: Vec<_> = [connect(obs())].into_iter().chain(std::iter::repeat_n(create, 65)).collect();
    assert_eq!(fault(&many), "expected a few message streams, found many");
    let mut session = publishing();
    feed(&mut session, &publish("other"));
    assert!(matches!(session.next(), Err(Fault::Unfit { .. })));
}

#[test]
fn a_show_goes_on_over_a_command_that_cannot_be_read() {
    let mut session = publishing();
    feed(&mut session, &message(3, kind::COMMAND, &[0x11, 1, 2]));
    feed(&mut session, &message(3, kind::COMMAND, &[2, 0, 9, b'x']));
    feed(&mut session, &command(&["onSomething".into(), 0.0.into(), Value::Null]));
    feed(&mut session, &message(4, kind::AUDIO, &[0xaf, 1, 7]));
    assert_eq!(tags(&mut session).len(), 1);
}

#[test]
fn large_messages_are_for_those_that_were_let_in() {
    let mut session = Session::new(&Limits::default());
    let header = [6, 0, 0, 0, 1, 0, 1, 9, 1, 0, 0, 0];
    feed(&mut session, &[&greeting()[..], &header].concat());
    assert_eq!(session.next(), Err(Fault::Length { kind: 9, length: 65_537, limit: 65_536 }));
    let mut session = publishing();
    feed(&mut session, &header);
    assert_eq!(session.next(), Ok(None));
    let longer = [4, 0, 0, 0, 0x80, 0, 1, 9, 1, 0, 0, 0];
    feed(&mut session, &[&[7; 128][..], &longer].concat());
    assert_eq!(session.next(), Err(Fault::Length { kind: 9, length: (8 << 20) + 1, limit: 8 << 20 }));
}

#[test]
fn pings_and_bytes_are_answered() {
    let mut session = publishing();
    feed(&mut session, &message(2, kind::USER_CONTROL, &[0, 6, 1, 2, 3, 4]));
    assert_eq!(session.next(), Ok(None));
    let expected = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4];
    assert_eq!(session.output().split()[..], expected);
    feed(&mut session, &message(2, kind::WINDOW_SIZE, &1_u32.to_be_bytes()));
    assert_eq!(session.next(), Ok(None));
    session.arrived(60_000);
    assert!(session.output().is_empty(), "not as often as the peer would have it");
    session.arrived(10_000);
    assert_eq!(session.output()[7], kind::ACKNOWLEDGEMENT);
}

#[test]
fn an_enhanced_publisher_is_told_what_is_read() {
    let list = Value::object([("app", "live".into()), ("fourCcList", Value::Array(vec!["hvc1".into()]))]);
    for (about, is_enhanced) in [(obs(), false), (list, true)] {
        let mut session = Session::new(&Limits::default());
        feed(&mut session, &[greeting(), connect(about)].concat());
        session.next().unwrap();
        let result = spoken(&mut session).remove(0);
        let codec = result[2].field("videoFourCcInfoMap").and_then(|codecs| codecs.field("hvc1"));
        assert_eq!(codec.is_some(), is_enhanced);
        assert_eq!(result[2].field("capsEx").is_some(), is_enhanced);
        assert_eq!(result[3].field("objectEncoding"), Some(&Value::Number(0.0)));
    }
}

#[test]
fn only_who_can_reconnect_is_asked_to() {
    let mut session = publishing();
    assert!(!session.request_reconnect());
    for (bits, can) in [(1.0, true), (15.0, true), (2.0, false), (f64::NAN, false), (-3.0, false)] {
        let mut session = Session::new(&Limits::default());
        let about = Value::object([("app", "live".into()), ("capsEx", bits.into())]);
        feed(&mut session, &[greeting(), connect(about)].concat());
        session.next().unwrap();
        assert_eq!(session.request_reconnect(), can, "{bits}");
        let codes: Vec<_> = said(&mut session).into_iter().map(|(_, code)| code).collect();
        let is_asked = codes.iter().any(|code| code == "NetConnection.Connect.ReconnectRequest");
        assert_eq!(is_asked, can);
    }
}

#[test]
fn what_it_holds_is_bounded_before_anybody_is_let_in() {
    let limits = Limits::default();
    let mut session = Session::new(&limits);
    feed(&mut session, &[greeting(), connect(obs())].concat());
    session.next().unwrap();
    let mut most = 0;
    for lane in 3..30 {
        // Each begins the longest message that it may.
        let header = [lane, 0, 0, 0, 1, 0, 0, 9, 1, 0, 0, 0];
        feed(&mut session, &header);
        feed(&mut session, &[7; 128]);
        let outcome = session.next();
        most = session.held().max(most);
        if outcome.is_err() {
            break;
        }
        session.output().clear();
    }
    for lane in std::iter::repeat_n(3_u8..30, 40).flatten() {
        feed(&mut session, &[&[0xc0 | lane][..], &[7; 128]].concat());
        let outcome = session.next();
        most = session.held().max(most);
        if outcome.is_err() {
            assert_eq!(outcome, Err(Fault::Unfinished { limit: limits.command }));
            assert!(most <= limits.command + (32 << 10), "{most}");
            return;
        }
    }
    panic!("27 messages of 64 KiB are more than one connection may have");
}

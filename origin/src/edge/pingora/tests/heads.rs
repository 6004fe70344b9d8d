use std::time::Instant;

use http::Request;
use tokio::io::AsyncReadExt as _;
use tokio::time::{interval, sleep};

use super::*;
use crate::config::Span;

fn limits() -> Limits {
    Limits { head_timeout: Span::seconds(1), ..Limits::default() }
}

/// Sends a byte of a head each 0.2 s until the connection is closed; gives what came back.
async fn trickle(wire: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let (mut reader, mut writer) = tokio::io::split(wire);
    let sending = async {
        let mut pace = interval(Duration::from_millis(200));
        for byte in b"GET /slow HTTP/1.1\r\nHost: h\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            pace.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = reader.read_to_end(&mut answer) => {}
        () = sending => {}
    }
    String::from_utf8(answer).unwrap().to_ascii_lowercase()
}

fn is_late(answer: &str) {
    assert!(answer.starts_with("http/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\nlate"), "{answer}");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_has_its_time_and_no_more() {
    for secure in [false, true] {
        let mut server = if secure { Server::tls(limits()).await } else { Server::clear(limits()).await };
        let began = Instant::now();
        let answer = match secure {
            true => trickle(server.secure("http/1.1").await).await,
            false => trickle(server.connect().await.0).await,
        };
        is_late(&answer);
        assert!((900..4000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::SlowHead));
        server.stop().await;
    }
}

#[tokio::test]
async fn the_next_head_has_as_long_however_long_nobody_asked() {
    let mut server = Server::clear(limits()).await;
    let mut wire = server.connect().await;
    wire.get("/one").await;
    assert_eq!(wire.answer().await.1, "/one");
    assert_eq!(server.event().await, asked("/one"));
    sleep(Duration::from_millis(1500)).await;
    // Half of it; the other half in time.
    wire.send("GET /two HTTP/1.1\r\n").await;
    sleep(Duration::from_millis(500)).await;
    wire.send("Host: h\r\n\r\n").await;
    assert_eq!(wire.answer().await.1, "/two");
    assert_eq!(server.event().await, asked("/two"));
    is_late(&trickle(wire.0).await);
    assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::SlowHead));
    server.stop().await;
}

#[tokio::test]
async fn the_head_that_came_along_with_another_request_has_begun() {
    let server = Server::clear(limits()).await;
    let mut wire = server.connect().await;
    wire.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\nGET /two HT").await;
    assert_eq!(wire.answer().await.1, "/one");
    let began = Instant::now();
    let (head, body) = wire.answer().await;
    assert!(head.starts_with("http/1.1 408 ") && body == "late", "{head}");
    assert!(began.elapsed() < Duration::from_secs(4));
    wire.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn whoever_says_nothing_is_told_nothing() {
    for secure in [false, true] {
        let mut server = if secure { Server::tls(limits()).await } else { Server::clear(limits()).await };
        let began = Instant::now();
        // Not even TLS.
        server.connect().await.closed().await;
        assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::SlowHead));
        if secure {
            let mut wire = Wire(server.secure("http/1.1").await);
            wire.closed().await;
            assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::SlowHead));
        }
        assert!((900..4000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        server.stop().await;
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_refused_before_it_is_late() {
    let server = Server::clear(Limits::default()).await;
    let mut wire = server.connect().await;
    wire.send(format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(100 * 1024))).await;
    let (head, body) = wire.answer().await;
    assert!(head.starts_with("http/1.1 431 ") && head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(body, "large");
    server.stop().await;
}

#[tokio::test]
async fn a_head_of_too_many_headers_is_refused() {
    let server = Server::clear(Limits::default()).await;
    let mut wire = server.connect().await;
    wire.send(format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(256))).await;
    let (head, body) = wire.answer().await;
    assert!(head.starts_with("http/1.1 431 "), "{head}");
    assert_eq!(body, "large");
    server.stop().await;
}

/// A frame of HTTP/2 on the first stream, or on none.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags, 0, 0, 0, stream][..], payload].concat()
}

/// How long the connection stays after these bytes, then one of a never-ending head each 0.2 s.
async fn stays(server: &Server, bytes: &[u8], rest: &[u8]) -> Duration {
    let (mut reader, mut writer) = tokio::io::split(server.secure("h2").await);
    let began = Instant::now();
    writer.write_all(bytes).await.unwrap();
    let sending = async {
        let mut pace = interval(Duration::from_millis(200));
        for byte in rest {
            pace.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        std::future::pending().await
    };
    let mut seen = Vec::new();
    tokio::select! {
        _ = soon(reader.read_to_end(&mut seen)) => {}
        () = sending => {}
    }
    began.elapsed()
}

#[tokio::test]
async fn a_preface_or_a_head_of_http2_that_never_ends_is_not_waited_for() {
    let mut server = Server::tls(limits()).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    let begun = [preface, &frame(4, 0, 0, &[])].concat();
    // Indexed fields: GET https / and the authority "h", which ask for something; it is held.
    let ask = [&[0x82, 0x87, 0x04, 5][..], b"/held", &[0x41, 1], b"h"].concat();
    let held = [&begun[..], &frame(1, 5, 1, &ask)].concat();
    let open = frame(1, 1, 3, &[0x82, 0x87]);
    for (bytes, rest) in [
        (&[][..], &[][..]),
        (&preface[..10], &preface[10..15]),
        // A frame's head, its payload, a head that is to be continued, and empty continuations of it.
        (&begun, &open[..5]),
        (&[&begun[..], &open[..10]].concat(), &[]),
        (&[&begun[..], &open[..]].concat(), &[]),
        (&[&begun[..], &open[..]].concat(), &frame(9, 0, 3, &[])),
        (&[&held[..], &open[..]].concat(), &frame(9, 0, 3, &[])),
    ] {
        let stayed = stays(&server, bytes, rest).await;
        assert!((900..4000).contains(&stayed.as_millis()), "{stayed:?} after {} bytes", bytes.len());
        loop {
            match server.event().await {
                Event::TurnedAway(TurnedAway::SlowHead) => break,
                Event::Asked(_) | Event::Dropped(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn an_http2_stream_may_be_held_for_longer_than_a_head_may_take() {
    let mut server = Server::tls(limits()).await;
    let (send, connection) = server.h2().await;
    let request = Request::get("https://localhost/held").body(()).unwrap();
    let (answer, _) = send.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(server.event().await, asked("/held"));
    sleep(Duration::from_millis(1500)).await;
    assert!(!connection.is_finished());
    server.release.add_permits(1);
    assert_eq!(soon(answer).await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn an_http2_stream_whose_window_stays_shut_goes_and_its_neighbours_stay() {
    let limits = Limits { write_timeout: Span::seconds(1), ..Limits::default() };
    let mut server = Server::tls(limits).await;
    let (send, connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let large = Request::get("https://localhost/large").body(()).unwrap();
    let stuck = soon(send.send_request(large, true).unwrap().0).await.unwrap();
    assert_eq!(server.event().await, asked("/large"));
    assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::SlowReader));
    let mut body = stuck.into_body();
    let error = loop {
        match soon(body.data()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.is_reset(), "{error}");
    let request = Request::get("https://localhost/next").body(()).unwrap();
    let answer = soon(send.ready().await.unwrap().send_request(request, true).unwrap().0).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!connection.is_finished());
    server.stop().await;
}

#[tokio::test]
async fn an_http2_client_that_stops_reading_is_let_go() {
    let limits = Limits {
        write_timeout: Span::seconds(1),
        min_send_rate: crate::config::ByteSize::mib(1),
        ..Limits::default()
    };
    let mut server = Server::tls(limits).await;
    // Windows that hold everything, and a connection of which nothing is read.
    let builder = || {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
        builder
    };
    let (mut send, mut connection) =
        builder().handshake::<_, bytes::Bytes>(server.secure("h2").await).await.unwrap();
    let request = Request::get("https://localhost/large").body(()).unwrap();
    let (_answer, _) = send.send_request(request, true).unwrap();
    let asking = std::future::poll_fn(|cx| std::pin::Pin::new(&mut connection).poll(cx));
    assert!(tokio::time::timeout(Duration::from_millis(100), asking).await.is_err());
    let mut told = Vec::new();
    while !told.contains(&Event::TurnedAway(TurnedAway::SlowReader)) {
        told.push(server.event().await);
    }
    drop(connection);
    server.stop().await;
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_the_next_is_closed_at_once() {
    let mut server = Server::clear(Limits { connections_per_address: 2, ..Limits::default() }).await;
    let (mut first, second) = (server.connect().await, server.connect().await);
    first.get("/in").await;
    assert_eq!(first.answer().await.1, "/in");
    assert_eq!(server.event().await, asked("/in"));
    server.connect().await.closed().await;
    assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::Crowded));
    drop(second);
    // Its place is free as soon as the server has seen it leave.
    soon(async {
        loop {
            let mut again = server.connect().await;
            let _ = again.0.write_all(b"GET /again HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut byte = [0];
            if matches!(again.0.read(&mut byte).await, Ok(1)) {
                return;
            }
        }
    })
    .await;
    server.stop().await;
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = Server::clear(Limits { connections_per_address: 1, proxies, ..Limits::default() }).await;
    let mut wires = [server.connect().await, server.connect().await, server.connect().await];
    for wire in &mut wires {
        wire.get("/in").await;
        assert_eq!(wire.answer().await.1, "/in");
    }
    server.stop().await;
}

use h2::Reason;
use http::Request;
use tokio::io::AsyncReadExt as _;

use super::*;

const CHUNKED: &str = "POST /take HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const KEPT: &str = "\r\nconnection: keep-alive\r\n";
const CLOSED: &str = "\r\nconnection: close\r\n";

#[tokio::test]
async fn pieces_come_as_they_are_sent_and_the_connection_serves_on() {
    let mut server = Server::clear(Limits::default()).await;
    let mut wire = server.connect().await;
    wire.send(CHUNKED).await;
    assert_eq!(server.event().await, asked("/take"));
    for (sent, seen) in [("3\r\nabc\r\n", "abc"), ("1;x=y\r\nd\r\n", "d")] {
        wire.send(sent).await;
        assert_eq!(server.event().await, piece(seen));
    }
    wire.send("0\r\nTrailer: x\r\n\r\n").await;
    assert_eq!(server.event().await, Event::Ended("whole"));
    let (head, body) = wire.answer().await;
    assert!(head.starts_with("http/1.1 200") && head.contains(KEPT), "{head}");
    assert_eq!(body, "took 4");

    wire.send("PUT /take HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await;
    assert_eq!((server.event().await, server.event().await), (asked("/take"), piece("ab")));
    wire.send("cd").await;
    assert_eq!((server.event().await, server.event().await), (piece("cd"), Event::Ended("whole")));
    assert_eq!(wire.answer().await.1, "took 4");
    wire.get("/now").await;
    assert_eq!(wire.answer().await.1, "/now");
    server.stop().await;
}

#[tokio::test]
async fn a_body_is_the_same_however_its_bytes_are_split() {
    let mut server = Server::clear(Limits::default()).await;
    let body: String = ["4\r\nabcd\r\n", "10;e=\"v\"\r\n0123456789abcdef\r\n", "2\r\nzz\r\n"].concat();
    let all = format!("{CHUNKED}{body}0\r\nA: b\r\n\r\n");
    for step in [1, 2, 3, 7, all.len()] {
        let mut wire = server.connect().await;
        wire.0.set_nodelay(true).unwrap();
        for bytes in all.as_bytes().chunks(step) {
            wire.send(bytes).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(wire.answer().await.1, "took 22", "in steps of {step}");
        assert_eq!(server.event().await, asked("/take"));
        let mut taken = Vec::new();
        while let Event::Piece(piece) = server.event().await {
            taken.extend_from_slice(&piece);
        }
        assert_eq!(taken, b"abcd0123456789abcdefzz", "in steps of {step}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_sender_that_goes_away_is_not_the_end_of_its_body() {
    let mut server = Server::clear(Limits::default()).await;
    for head in [
        "POST /take HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
        "POST /take HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        "POST /take HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let mut wire = server.connect().await;
        wire.send(head).await;
        assert_eq!((server.event().await, server.event().await), (asked("/take"), piece("abc")));
        drop(wire);
        assert_eq!(server.event().await, Event::Ended("cut"), "{head}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_broken_chunk_is_told_from_a_broken_connection_and_no_request_is_read_after_it() {
    let mut server = Server::clear(Limits::default()).await;
    for broken in ["zz\r\n", "3\r\nabcX\r\n", "0\r\n\nGET /now HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut wire = server.connect().await;
        wire.send(CHUNKED).await;
        wire.send(broken).await;
        wire.get("/now").await;
        let (head, body) = wire.answer().await;
        assert!(head.starts_with("http/1.1 400") && head.contains(CLOSED), "{broken:?}: {head}");
        assert_eq!(body, "malformed", "{broken:?}");
        wire.closed().await;
        assert_eq!(server.event().await, asked("/take"));
        while server.event().await != Event::Ended("malformed") {}
    }
    assert!(server.events.try_recv().is_err(), "nothing else was asked for");
    server.stop().await;
}

#[tokio::test]
async fn a_100_goes_out_when_the_body_is_asked_for_and_not_before() {
    let mut server = Server::clear(Limits::default()).await;
    let expecting =
        |path| format!("PUT {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
    let mut wire = server.connect().await;
    wire.send(expecting("/gated")).await;
    assert_eq!(server.event().await, asked("/gated"));
    let mut nothing = [0];
    assert!(wire.0.try_read(&mut nothing).is_err(), "the gate is not open yet");
    server.release.add_permits(1);
    assert_eq!(wire.head().await, "http/1.1 100 continue\r\n\r\n");
    wire.send("abc").await;
    let (head, body) = wire.answer().await;
    assert!(head.starts_with("http/1.1 200") && head.contains(KEPT), "{head}");
    assert_eq!(body, "took 3");

    wire.send(expecting("/refused")).await;
    let (head, _) = wire.answer().await;
    assert!(head.starts_with("http/1.1 401") && head.contains(CLOSED), "{head}");
    wire.closed().await;

    let mut old = server.connect().await;
    old.send("PUT /take HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(old.head().await.starts_with("http/1.1 200"), "HTTP/1.0 knows no 100");
    server.stop().await;
}

#[tokio::test]
async fn a_sender_that_is_refused_sees_the_answer_and_not_a_reset() {
    let mut server = Server::clear(Limits::default()).await;
    for path in ["/refused", "/enough"] {
        let mut wire = server.connect().await;
        wire.send(format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n")).await;
        // More than the buffers of both sockets take: somebody must read it.
        let (mut reader, mut writer) = wire.0.into_split();
        let flood = tokio::spawn(async move {
            let piece = vec![0; 1 << 16];
            for _ in 0..48 {
                writer.write_all(&piece).await?;
            }
            Ok::<_, std::io::Error>(writer)
        });
        let writer = soon(flood).await.unwrap().unwrap();
        let mut seen = Vec::new();
        soon(reader.read_to_end(&mut seen)).await.unwrap();
        let seen = String::from_utf8(seen).unwrap().to_ascii_lowercase();
        assert!(seen.starts_with("http/1.1 4") && seen.contains(CLOSED), "{seen}");
        assert_eq!(server.event().await, asked(path));
        drop(writer);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_and_the_rest_thrown_away() {
    let server = Server::clear(Limits::default()).await;
    let mut wire = server.connect().await;
    wire.send("GET / HTTP/1.1\r\nno header\r\n\r\n").await;
    wire.send(vec![b'x'; 1 << 20]).await;
    let (head, body) = wire.answer().await;
    assert!(head.starts_with("http/1.1 400") && head.contains(CLOSED), "{head}");
    assert_eq!(body, "unreadable");
    wire.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn http2_bodies_come_in_pieces_and_end_as_they_end() {
    let mut server = Server::tls(Limits::default()).await;
    let (send, _connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let request = || Request::post("https://localhost/take").body(()).unwrap();
    let (answer, mut body) = send.send_request(request(), false).unwrap();
    assert_eq!(server.event().await, asked("/take"));
    for part in ["abc", "de"] {
        body.send_data(Bytes::from_static(part.as_bytes()), false).unwrap();
        assert_eq!(server.event().await, piece(part));
    }
    body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(server.event().await, Event::Ended("whole"));
    let mut answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(soon(answer.body_mut().data()).await.unwrap().unwrap(), "took 5");

    let (_answer, mut body) = send.send_request(request(), false).unwrap();
    body.send_data(Bytes::from_static(b"abc"), false).unwrap();
    assert_eq!((server.event().await, server.event().await), (asked("/take"), piece("abc")));
    body.send_reset(Reason::CANCEL);
    assert_eq!(server.event().await, Event::Ended("cut"));
    server.stop().await;
}

#[tokio::test]
async fn http2_bodies_larger_than_the_window_arrive_whole() {
    let mut server = Server::tls(Limits::default()).await;
    let (send, _connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let request = Request::post("https://localhost/take").body(()).unwrap();
    let (answer, mut body) = send.send_request(request, false).unwrap();
    body.send_data(Bytes::from(vec![7; 1 << 20]), true).unwrap();
    let mut answer = soon(answer).await.unwrap();
    assert_eq!(soon(answer.body_mut().data()).await.unwrap().unwrap(), "took 1048576");
    assert_eq!(server.event().await, asked("/take"));
    server.stop().await;
}

#[tokio::test]
async fn an_http2_body_that_nobody_wants_is_reset_without_an_error() {
    let server = Server::tls(Limits::default()).await;
    let (send, _connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let request = Request::post("https://localhost/refused").body(()).unwrap();
    let (answer, mut body) = send.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"abc"), false).unwrap();
    let mut answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(soon(answer.body_mut().data()).await.unwrap().unwrap(), "no");
    let reason = soon(std::future::poll_fn(|cx| body.poll_reset(cx))).await.unwrap();
    assert_eq!(reason, Reason::NO_ERROR);
    // The connection is as good as before.
    let (answer, _) =
        send.send_request(Request::get("https://localhost/now").body(()).unwrap(), true).unwrap();
    assert_eq!(soon(answer).await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

use h2::Reason;
use http::Request;

use super::*;

#[tokio::test]
async fn a_held_answer_is_dropped_with_its_connection() {
    let mut server = Server::clear(Limits::default()).await;
    for request in [
        "GET /held HTTP/1.1\r\nHost: h\r\n\r\n",
        // Content of a GET is read past.
        "GET /held HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let mut wire = server.connect().await;
        wire.send(request).await;
        assert_eq!(server.event().await, asked("/held"));
        drop(wire);
        assert_eq!(server.event().await, dropped("/held"), "{request:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_held_answer_over_tls_is_dropped_with_its_connection() {
    let mut server = Server::tls(Limits::default()).await;
    let mut wire = Wire(server.secure("http/1.1").await);
    wire.get("/held").await;
    assert_eq!(server.event().await, asked("/held"));
    drop(wire);
    assert_eq!(server.event().await, dropped("/held"));
    server.stop().await;
}

#[tokio::test]
async fn a_held_answer_comes_when_it_is_there_and_the_connection_serves_on() {
    let mut server = Server::clear(Limits::default()).await;
    let mut wire = server.connect().await;
    for _ in 0..3 {
        wire.get("/held").await;
        assert_eq!(server.event().await, asked("/held"));
        server.release.add_permits(1);
        let (head, body) = wire.answer().await;
        assert!(head.contains("\r\nconnection: keep-alive\r\n"), "{head}");
        assert_eq!(body, "/held");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_pipelined_request_neither_ends_the_wait_nor_gets_lost() {
    let mut server = Server::clear(Limits::default()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut wire = server.connect().await;
    // Two in one write, and two more while the first is held, the last in halves.
    wire.send(get("/held/1") + &get("/held/2")).await;
    assert_eq!(server.event().await, asked("/held/1"));
    let (third, fourth) = (get("/held/3"), get("/held/4"));
    let (start, end) = fourth.split_at(9);
    wire.send(third + start).await;
    for n in 1..=4 {
        server.release.add_permits(1);
        assert_eq!(wire.answer().await.1, format!("/held/{n}"));
        if n == 3 {
            wire.send(end).await;
        }
        if n < 4 {
            assert_eq!(server.event().await, asked(&format!("/held/{}", n + 1)));
        }
    }
    assert!(server.events.try_recv().is_err(), "each was asked for once, none was given up");
    server.stop().await;
}

#[tokio::test]
async fn what_changes_something_is_not_given_up_with_its_client() {
    let mut server = Server::clear(Limits::default()).await;
    let mut wire = server.connect().await;
    wire.send("POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(server.event().await, asked("/held"));
    drop(wire);
    // One that is given up, so that the server has had the time to see the other leave.
    let mut other = server.connect().await;
    other.get("/held/other").await;
    assert_eq!(server.event().await, asked("/held/other"));
    drop(other);
    assert_eq!(server.event().await, dropped("/held/other"));
    assert_eq!(server.release.available_permits(), 0);
    server.release.add_permits(1);
    soon(async {
        while server.release.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(server.events.try_recv().is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_held_answer_is_dropped_with_its_http2_stream_and_no_other() {
    let mut server = Server::tls(Limits::default()).await;
    let (send, _connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let mut held = Vec::new();
    for path in ["/held/1", "/held/2"] {
        let request = Request::get(format!("https://localhost{path}")).body(()).unwrap();
        held.push(send.send_request(request, true).unwrap());
        assert_eq!(server.event().await, asked(path));
    }
    let (_, mut first) = held.remove(0);
    first.send_reset(Reason::CANCEL);
    assert_eq!(server.event().await, dropped("/held/1"));
    server.release.add_permits(1);
    let (answer, _) = held.remove(0);
    let mut answer = soon(answer).await.unwrap();
    assert_eq!(soon(answer.body_mut().data()).await.unwrap().unwrap(), "/held/2");
    server.stop().await;
}

#[tokio::test]
async fn held_answers_are_dropped_with_their_http2_connection() {
    let mut server = Server::tls(Limits::default()).await;
    let (send, connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let mut held = Vec::new();
    // One that has said all it has to say, and one that could still send a body.
    for (path, whole) in [("/held/1", true), ("/held/2", false)] {
        let request = Request::get(format!("https://localhost{path}")).body(()).unwrap();
        held.push(send.send_request(request, whole).unwrap());
        assert_eq!(server.event().await, asked(path));
    }
    connection.abort();
    let mut seen = [server.event().await, server.event().await];
    seen.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(seen, [dropped("/held/1"), dropped("/held/2")]);
    server.stop().await;
}

use std::time::Instant;

use http::Request;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::config::Span;

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

#[tokio::test]
async fn a_connection_beyond_the_cap_waits_until_one_leaves() {
    let mut server = Server::clear(limits(|limits| limits.connections = 2)).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for wire in [&mut first, &mut second] {
        wire.get("/in").await;
        assert_eq!(wire.answer().await.1, "/in");
        assert_eq!(server.event().await, asked("/in"));
    }
    let mut third = server.connect().await;
    third.get("/beyond").await;
    for wire in [&mut first, &mut second] {
        wire.get("/in").await;
        assert_eq!(wire.answer().await.1, "/in");
        assert_eq!(server.event().await, asked("/in"));
    }
    assert!(server.events.try_recv().is_err(), "nobody has heard of the third");
    drop(first);
    assert_eq!(third.answer().await.1, "/beyond");
    server.stop().await;
}

#[tokio::test]
async fn draining_serves_on_until_the_last_answer_and_then_closes_what_is_idle() {
    let mut server = Server::clear(limits(|limits| limits.grace = Span::seconds(4))).await;
    let (mut idle, mut held) = (server.connect().await, server.connect().await);
    idle.get("/before").await;
    let (head, _) = idle.answer().await;
    assert!(head.contains("\r\nconnection: keep-alive\r\n"), "{head}");
    held.get("/held").await;
    assert_eq!((server.event().await, server.event().await), (asked("/before"), asked("/held")));

    server.shutdown.drain();
    // A balancer that has not noticed yet still sends people here; they are answered, and told not to stay.
    let mut late = server.connect().await;
    late.get("/late").await;
    let (head, body) = late.answer().await;
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(body, "/late");
    late.closed().await;

    // Nobody is let in when the notice is over, and still the last answer is waited for.
    let mut tries = tokio::time::interval(Duration::from_millis(20));
    soon(async {
        while TcpStream::connect(server.address).await.is_ok() {
            tries.tick().await;
        }
    })
    .await;
    assert!(!server.served.is_finished());
    server.release.add_permits(1);
    let (head, body) = held.answer().await;
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(body, "/held");
    held.closed().await;
    soon(&mut server.served).await.unwrap();
    let mut rest = [0];
    assert!(matches!(soon(idle.0.read(&mut rest)).await, Ok(0) | Err(_)), "idle ones are closed");
}

#[tokio::test]
async fn draining_tells_http2_to_go_away_and_sends_the_last_frames() {
    let mut server = Server::tls(limits(|limits| limits.grace = Span::seconds(4))).await;
    let (send, connection) = server.h2().await;
    let mut send = send.ready().await.unwrap();
    let request = || Request::get("https://localhost/held").body(()).unwrap();
    let (answer, _) = send.send_request(request(), true).unwrap();
    assert_eq!(server.event().await, asked("/held"));
    server.shutdown.drain();
    // After the GOAWAY the client opens no more streams here.
    soon(async {
        while std::future::poll_fn(|cx| send.poll_ready(cx)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.release.add_permits(1);
    let mut answer = soon(answer).await.unwrap();
    assert_eq!(soon(answer.body_mut().data()).await.unwrap().unwrap(), "/held");
    assert!(soon(answer.body_mut().data()).await.is_none());
    soon(connection).await.unwrap().unwrap();
    soon(server.served).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_grace_drops_what_is_held() {
    let mut server = Server::tls(Limits::default()).await;
    let mut wire = Wire(server.secure("http/1.1").await);
    let (send, _connection) = server.h2().await;
    wire.get("/held/1").await;
    assert_eq!(server.event().await, asked("/held/1"));
    let request = Request::get("https://localhost/held/2").body(()).unwrap();
    let (_answer, _) = send.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(server.event().await, asked("/held/2"));
    server.shutdown.stop();
    soon(server.served).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = soon(server.events.recv()).await {
        seen.push(format!("{event:?}"));
    }
    seen.sort();
    assert_eq!(seen, [r#"Dropped("/held/1")"#, r#"Dropped("/held/2")"#]);
}

#[tokio::test]
async fn a_client_that_stops_reading_is_let_go() {
    let limits = limits(|limits| {
        limits.connections = 1;
        limits.write_timeout = Span::seconds(1);
        limits.min_send_rate = crate::config::ByteSize::bytes(0);
    });
    let mut server = Server::tls(limits).await;
    let mut stuck = Wire(server.secure("http/1.1").await);
    stuck.get("/large").await;
    assert_eq!(server.event().await, asked("/large"));
    let began = Instant::now();
    // The one place is free again although nobody reads: not even what TLS says last gets out.
    let mut next = Wire(soon(server.secure("http/1.1")).await);
    next.get("/now").await;
    assert_eq!(next.answer().await.1, "/now");
    assert!(began.elapsed() >= Duration::from_millis(900), "the write had its time");
    assert_eq!(server.event().await, Event::TurnedAway(TurnedAway::SlowReader));
    drop(stuck);
    server.stop().await;
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_and_a_waiting_one_is_not() {
    let mut server = Server::tls(limits(|limits| limits.keepalive = Span::seconds(1))).await;
    let (send, waiting) = server.h2().await;
    let request = Request::get("https://localhost/held").body(()).unwrap();
    let (answer, _) = send.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(server.event().await, asked("/held"));
    let (_send, idle) = server.h2().await;
    // Whether it is told or simply closed is all the same.
    let _ = soon(idle).await.unwrap();
    assert!(!waiting.is_finished());
    server.release.add_permits(1);
    assert_eq!(soon(answer).await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

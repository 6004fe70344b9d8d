//! Sending an answer, at the pace of its client and no slower than the slowest may be.
//!
//! Pingora's own deadlines are not used. Its least rate knows no standstill, gives a piece of 600 bytes one second, and is for
//! HTTP/1 alone; its deadline for a write to an HTTP/2 stream is one for 256 KiB of it.

use ::pingora::http::ResponseHeader;
use ::pingora::protocols::http::ServerSession;
use bytes::Bytes;
use http::{StatusCode, header};
use tokio::time::Instant;

use super::pace::Paces;
use super::pulse::{Pulse, within};
use crate::Reply;

/// Why an answer was not sent whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client takes it too slowly.
    Slow,
    /// The client is gone, or there is no more of the answer.
    Gone,
}

/// Sends the answer. Where it cannot be, the connection is of no use any more; `pulse` is that of an HTTP/1 connection.
pub(super) async fn send(
    session: &mut ServerSession,
    reply: Reply,
    paces: &Paces,
    pulse: Option<&Pulse>,
) -> Result<(), Cut> {
    let Reply { status, headers, mut body } = reply;
    let (mut head, ()) = http::Response::new(()).into_parts();
    (head.status, head.headers) = (status, headers);
    if body.left() == 0 && !head.headers.contains_key(header::CONTENT_LENGTH) && allows_body(status) {
        // Without a length an HTTP/1 client would wait for the connection to close.
        head.headers.insert(header::CONTENT_LENGTH, 0.into());
    }
    let head = ResponseHeader::from(head);
    // It is kept back until the body comes, or the flush below.
    session.write_response_header(Box::new(head)).await.map_err(|_| Cut::Gone)?;
    while let Some(whole) = body.next().await {
        let mut whole = whole.map_err(|_| Cut::Gone)?;
        // A page, or the playlist of a long show, may come as one.
        while !whole.is_empty() {
            let piece = whole.split_to(whole.len().min(PIECE));
            // HTTP/1 ends with the flush below, HTTP/2 with its last frame.
            match pulse {
                Some(pulse) => write_whole(session, piece, paces, pulse).await?,
                None => write_frames(session, piece, whole.is_empty() && body.left() == 0, paces).await?,
            }
        }
    }
    let flushed = Instant::now() + paces.flush();
    let due = || [Some(flushed), pulse.and_then(Pulse::write_due)].into_iter().flatten().min();
    settled(within(session.finish_body(), due).await)
}

/// A piece on an HTTP/1 connection: something of it must leave all the while, and all of it soon enough.
async fn write_whole(
    session: &mut ServerSession,
    piece: Bytes,
    paces: &Paces,
    pulse: &Pulse,
) -> Result<(), Cut> {
    let whole = paces.whole(piece.len()).map(|span| Instant::now() + span);
    let due = || [whole, pulse.write_due()].into_iter().flatten().min();
    settled(within(session.write_response_body(piece, false), due).await)
}

/// A piece on an HTTP/2 stream: each frame must leave soon enough, and all of it.
///
/// What waits there is the client's window. Whether the connection moves is looked at by who reads and writes its frames.
async fn write_frames(
    session: &mut ServerSession,
    mut piece: Bytes,
    is_last: bool,
    paces: &Paces,
) -> Result<(), Cut> {
    let whole = paces.whole(piece.len()).map(|span| Instant::now() + span);
    while !piece.is_empty() {
        let frame = piece.split_to(piece.len().min(FRAME));
        let next = Instant::now() + paces.write;
        let due = whole.map_or(next, |whole| whole.min(next));
        settled(within(session.write_response_body(frame, is_last && piece.is_empty()), || Some(due)).await)?;
    }
    Ok(())
}

fn settled<T, E>(done: Option<Result<T, E>>) -> Result<(), Cut> {
    match done {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(Cut::Gone),
        None => Err(Cut::Slow),
    }
}

/// RFC 9110 §6.4.1.
fn allows_body(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Over how much of an answer the pace of a client is taken.
const PIECE: usize = 256 * 1024;
/// The longest frame that every client takes (RFC 9113 §4.2).
const FRAME: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ::pingora::protocols::Digest;
    use ::pingora::protocols::http::v2::server::{H2Accept, HttpSession, handshake};
    use http::{HeaderMap, Request};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::sleep;

    use super::super::gather::Gather;
    use super::*;
    use crate::Body;
    use crate::config::Limits;

    /// A client that reads so many bytes, and then none for so many milliseconds.
    type Pace = (usize, u64);

    fn reply(len: usize) -> Reply {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, len.into())]);
        Reply { status: StatusCode::OK, headers, body: Body::from("x".repeat(len)) }
    }

    /// What becomes of an answer of this length over HTTP/1, and after how many seconds. `(0, 0)` reads nothing.
    async fn http1(len: usize, (step, pause): Pace) -> (Result<(), Cut>, u64) {
        let paces = Paces::of(&Limits::default());
        let pulse = Pulse::new(&paces);
        let (mut client, ours) = duplex(64 * 1024);
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut session = ServerSession::new_http1(Box::new(Gather::new(ours, Arc::clone(&pulse))));
        assert!(session.read_request().await.unwrap());
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; step];
            while step > 0 && client.read(&mut buffer).await.unwrap() > 0 {
                sleep(Duration::from_millis(pause)).await;
            }
            std::future::pending::<DuplexStream>().await
        });
        let began = Instant::now();
        let sent = send(&mut session, reply(len), &paces, Some(&pulse)).await;
        reader.abort();
        (sent, began.elapsed().as_secs())
    }

    /// The same over HTTP/2, where a client gives the window back for what it has read.
    async fn http2(len: usize, (step, pause): Pace) -> (Result<(), Cut>, u64) {
        let paces = Paces::of(&Limits::default());
        let (client, ours) = duplex(1 << 20);
        let asking = tokio::spawn(async move {
            let (mut send, connection) = h2::client::handshake(client).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("http://h/").body(()).unwrap();
            let mut answer = send.send_request(request, true).unwrap().0.await.unwrap();
            if step == 0 {
                std::future::pending::<()>().await;
            }
            let mut owed = 0;
            while let Some(Ok(data)) = answer.body_mut().data().await {
                owed += data.len();
                while owed >= step {
                    let _ = answer.body_mut().flow_control().release_capacity(step);
                    owed -= step;
                    sleep(Duration::from_millis(pause)).await;
                }
            }
            std::future::pending::<()>().await;
        });
        let mut connection = handshake(Box::new(ours), None).await.unwrap();
        let accepted = HttpSession::from_h2_conn(&mut connection, Arc::new(Digest::default())).await;
        let Ok(Some(H2Accept::Session(session))) = accepted else { panic!("no stream") };
        let driver = tokio::spawn(async move {
            let digest = Arc::new(Digest::default());
            while let Ok(Some(_)) = HttpSession::from_h2_conn(&mut connection, Arc::clone(&digest)).await {}
        });
        let mut session = ServerSession::new_http2(session);
        let began = Instant::now();
        let sent = send(&mut session, reply(len), &paces, None).await;
        asking.abort();
        driver.abort();
        (sent, began.elapsed().as_secs())
    }

    const FOUR_MB_A_SECOND: Pace = (64_000, 16);

    #[tokio::test(start_paused = true)]
    async fn a_healthy_client_gets_an_answer_of_any_length() {
        for len in [0, 1, 600, 256 * 1024, 64 << 20] {
            assert_eq!(http1(len, FOUR_MB_A_SECOND).await.0, Ok(()), "HTTP/1, {len}");
            assert_eq!(http2(len, FOUR_MB_A_SECOND).await.0, Ok(()), "HTTP/2, {len}");
        }
        // Twice as fast as it must be, with pauses that are nearly too long.
        assert_eq!(http1(1 << 20, (50_000, 25_000)).await.0, Ok(()));
        assert_eq!(http2(1 << 20, (50_000, 25_000)).await.0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_let_go_after_one_write() {
        assert_eq!(http1(1 << 20, (0, 0)).await, (Err(Cut::Slow), 30));
        assert_eq!(http2(1 << 20, (0, 0)).await, (Err(Cut::Slow), 30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_too_little_is_let_go_after_a_piece() {
        // 164 bytes a second, and never still for as long as a write may be.
        let (sent, after) = http1(1 << 20, (4096, 25_000)).await;
        assert_eq!(sent, Err(Cut::Slow));
        assert!((250..=260).contains(&after), "{after}");
        // A frame has to leave in the time of one write.
        let (sent, after) = http2(1 << 20, (4096, 25_000)).await;
        assert_eq!(sent, Err(Cut::Slow));
        assert!(after <= 256, "{after}");
    }
}

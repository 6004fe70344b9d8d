//! The body of a request, out of a Pingora session.

use ::pingora::ErrorType;
use ::pingora::http::{RequestHeader, ResponseHeader};
use ::pingora::protocols::http::ServerSession;
use ::pingora::protocols::http::v1::common::is_expect_continue_req;
use async_trait::async_trait;
use bytes::Bytes;

use crate::{Upload, UploadError};

/// What a client sends after the head of its request, at the pace at which it is asked for.
///
/// Nothing is read ahead but what came along with the head: HTTP/1 is held back by TCP, HTTP/2 by a window of 64 KiB
/// that is opened again by each piece that is taken.
pub(super) struct Incoming<'a> {
    session: &'a mut ServerSession,
    /// The client waits for a 100 before it sends anything.
    expects: bool,
    end: End,
}

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// More may come.
    Open,
    /// It was read to its end.
    Whole,
    /// It ended otherwise; where the next request would begin is not known.
    Broken,
}

impl<'a> Incoming<'a> {
    /// The body of a request whose head was read. Pingora knows no 1xx over HTTP/2; a client that waits for one there
    /// goes on after a while (RFC 9110 §10.1.1).
    pub(super) fn new(session: &'a mut ServerSession, head: &RequestHeader) -> Self {
        let expects = !session.is_http2() && is_expect_continue_req(head);
        // A sender may be silent for as long as the service lets it.
        session.set_read_timeout(None);
        Self { session, expects, end: End::Open }
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    async fn go_on(&mut self) -> Result<(), UploadError> {
        // Once, even if the wait is given up on the way: what was written leaves with the next write.
        if std::mem::take(&mut self.expects) {
            let head = ResponseHeader::build_no_case(100, Some(0)).map_err(fault)?;
            self.session.write_response_header(Box::new(head)).await.map_err(fault)?;
        }
        Ok(())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, UploadError> {
        self.go_on().await?;
        loop {
            match self.session.read_request_body().await.map_err(fault)? {
                Some(piece) if piece.is_empty() => {}
                found => return Ok(found),
            }
        }
    }
}

#[async_trait]
impl Upload for Incoming<'_> {
    async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        if self.end != End::Open {
            return None;
        }
        let piece = self.piece().await;
        match &piece {
            Ok(Some(_)) => {}
            Ok(None) => self.end = End::Whole,
            Err(_) => self.end = End::Broken,
        }
        piece.transpose()
    }
}

fn fault(error: Box<::pingora::Error>) -> UploadError {
    let why = error.to_string();
    match error.etype() {
        // These types of errors are not exported.
        ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") => UploadError::Malformed(why),
        _ => UploadError::Cut(why),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn a_sender_may_be_silent_for_longer_than_a_head_may_take() {
        let (mut client, ours) = duplex(1024);
        client.write_all(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
        let mut session = ServerSession::new_http1(Box::new(ours));
        assert!(session.read_request().await.unwrap());
        assert!(session.get_read_timeout().is_some());
        let head = session.req_header().clone();
        let mut upload = Incoming::new(&mut session, &head);
        assert_eq!(upload.next().await.unwrap().unwrap(), "ab");
        assert_eq!(upload.session.get_read_timeout(), None);
        assert_eq!(upload.end(), End::Open);
        client.write_all(b"cd").await.unwrap();
        assert_eq!(upload.next().await.unwrap().unwrap(), "cd");
        assert!(upload.next().await.is_none());
        assert_eq!(upload.end(), End::Whole);
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_loses_no_byte() {
        let (mut client, ours) = duplex(1024);
        client.write_all(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let mut session = ServerSession::new_http1(Box::new(ours));
        assert!(session.read_request().await.unwrap());
        let head = session.req_header().clone();
        let mut upload = Incoming::new(&mut session, &head);
        let (sent, mut taken) = (b"5;x=\"y\"\r\nabcde\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n", Vec::new());
        for byte in sent {
            // Each wait begins before the byte is there, and is given up for the next.
            let mut wait = std::pin::pin!(upload.next());
            assert!(futures_util::poll!(wait.as_mut()).is_pending());
            client.write_all(&[*byte]).await.unwrap();
            if let std::task::Poll::Ready(Some(piece)) = futures_util::poll!(wait.as_mut()) {
                taken.extend_from_slice(&piece.unwrap());
            }
        }
        assert!(upload.next().await.is_none());
        assert_eq!(taken, b"abcde0123456789");
    }
}

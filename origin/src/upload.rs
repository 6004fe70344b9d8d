//! The body of a request, read piece by piece as it arrives.
//!
//! A sender's body may last for hours, so nothing here gathers it, and nothing here has a clock: how long the service
//! waits for a piece is the service's business.

use std::error::Error;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::BodyExt as _;

/// The body of a request, as the service reads it.
///
/// A client that expects `100 Continue` (RFC 9110 §10.1.1) gets it when the first piece is asked for, where its door
/// can send it. What is not read to its end is the door's to end: see each door.
#[async_trait]
pub trait Upload: Send {
    /// The next piece, never empty; `None` at the end of the body. Waits as long as the sender is silent.
    ///
    /// Cancel-safe: a wait that is dropped loses no byte.
    ///
    /// # Errors
    /// [`UploadError`] where the body ends otherwise than it should; nothing comes after it.
    async fn next(&mut self) -> Option<Result<Bytes, UploadError>>;
}

/// Why a body is not whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The sender went away, or gave its request up.
    #[error("expected more of the body, found the sender gone: {0}")]
    Cut(String),
    /// The framing of the body is broken (RFC 9112 §7.1).
    #[error("expected a body in chunks, found: {0}")]
    Malformed(String),
}

/// The body of a request that has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUpload;

#[async_trait]
impl Upload for NoUpload {
    async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        None
    }
}

/// Any body of the `http_body` kind.
pub(crate) struct Foreign<'a, B> {
    body: Pin<&'a mut B>,
    ended: bool,
}

impl<'a, B> Foreign<'a, B> {
    pub(crate) fn new(body: Pin<&'a mut B>) -> Self {
        Self { body, ended: false }
    }
}

#[async_trait]
impl<B> Upload for Foreign<'_, B>
where
    B: Body + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        while !self.ended {
            match self.body.as_mut().frame().await.map(|frame| frame.map(http_body::Frame::into_data)) {
                Some(Ok(Ok(mut data))) if data.has_remaining() => {
                    return Some(Ok(data.copy_to_bytes(data.remaining())));
                }
                // Trailers, or nothing in a frame.
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(UploadError::Cut(error.into().to_string())));
                }
                None => self.ended = true,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::pin;
    use std::task::{Context, Poll};

    use http::HeaderMap;
    use http_body::Frame;

    use super::*;

    /// A body of these frames.
    struct Script(VecDeque<Result<Frame<VecDeque<u8>>, &'static str>>);

    impl Body for Script {
        type Data = VecDeque<u8>;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<VecDeque<u8>>, &'static str>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &str) -> Result<Frame<VecDeque<u8>>, &'static str> {
        Ok(Frame::data(text.bytes().collect()))
    }

    #[tokio::test]
    async fn a_foreign_body_comes_in_its_pieces_and_ends_once() {
        let trailers = Ok(Frame::trailers(HeaderMap::new()));
        let mut body = pin!(Script([data("ab"), data(""), data("c"), trailers].into()));
        let mut upload = Foreign::new(body.as_mut());
        assert_eq!(upload.next().await.unwrap().unwrap(), "ab");
        assert_eq!(upload.next().await.unwrap().unwrap(), "c");
        assert!(upload.next().await.is_none() && upload.next().await.is_none());
    }

    #[tokio::test]
    async fn nothing_comes_after_an_end_that_is_none() {
        let mut body = pin!(Script([data("ab"), Err("reset"), data("c")].into()));
        let mut upload = Foreign::new(body.as_mut());
        assert_eq!(upload.next().await.unwrap().unwrap(), "ab");
        assert!(matches!(upload.next().await, Some(Err(UploadError::Cut(why))) if why == "reset"));
        assert!(upload.next().await.is_none());
    }
}

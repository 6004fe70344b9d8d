//! Small writes wait for the next one, so that the head of an answer leaves with what follows it.
//!
//! ```text
//! head of the answer   600 B ─▶ kept ─┐
//! boxes of a segment  2400 B ─▶ kept ─┤
//! first block       256 KiB ──────────┴─▶ one writev        a small answer: head and body ─▶ flush ─▶ one write
//! ```
//!
//! Pingora writes head and body apart and relies on the buffer that its own listeners put under a session. A connection
//! that was accepted elsewhere has none, and that buffer would hold less than the boxes of a segment.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::pingora::protocols::raw_connect::ProxyDigest;
use ::pingora::protocols::tls::{SslDigest, TlsRef};
use ::pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::frames::Frames;
use super::pulse::{Pulse, Waiting};

/// The most that is kept back: a head, and the boxes of a segment of 1,000 samples.
const KEPT: usize = 16 * 1024;
/// What a head takes; memory is asked for once then.
const USUAL: usize = 2 * 1024;

/// A connection with a buffer for writes in front of it. Whoever writes must flush in the end. What comes in, and what
/// cannot go out, is told to the connection's [`Pulse`].
///
/// The buffer takes no memory between answers: most connections are idle.
pub(super) struct Gather<S> {
    stream: S,
    pulse: Arc<Pulse>,
    /// Of HTTP/2.
    frames: Option<Frames>,
    kept: Vec<u8>,
    /// How much of `kept` has been written.
    written: usize,
}

impl<S: IO> Gather<S> {
    pub(super) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        let frames = (stream.selected_alpn_proto() == Some(ALPN::H2)).then(Frames::new);
        Self { stream, pulse, frames, kept: Vec::new(), written: 0 }
    }

    fn told<T>(&self, what: Waiting, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Pending => self.pulse.waits(what),
            Poll::Ready(_) => self.pulse.moves(),
        }
        polled
    }

    /// Writes what is kept, and `more` in the same call; gives how much of `more` was taken along.
    fn poll_out(&mut self, cx: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let kept = self.kept.get(self.written..).unwrap_or_default();
            if kept.is_empty() {
                self.kept = Vec::new();
                self.written = 0;
                return Poll::Ready(Ok(0));
            }
            let both = [IoSlice::new(kept), IoSlice::new(more)];
            let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, &both);
            let out = ready!(self.told(Waiting::Write, polled))?;
            if out == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let taken = out.saturating_sub(kept.len());
            self.written += out - taken;
            if taken > 0 {
                self.kept = Vec::new();
                self.written = 0;
                return Poll::Ready(Ok(taken));
            }
        }
    }
}

impl<S: IO> AsyncWrite for Gather<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.kept.len() + bytes.len() <= KEPT {
            if this.kept.is_empty() {
                this.kept.reserve_exact(bytes.len().max(USUAL));
            }
            this.kept.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(this.poll_out(cx, bytes))? {
            0 => {
                let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
                this.told(Waiting::Write, polled)
            }
            taken => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx, &[]))?;
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.told(Waiting::Flush, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx, &[]))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }

    /// HTTP/2 gathers its frames itself.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx, &[]))?;
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.told(Waiting::Write, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: IO> AsyncRead for Gather<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let came = buffer.filled().get(before..).unwrap_or_default();
        match &mut this.frames {
            None => this.pulse.hears(came.len()),
            Some(frames) => {
                frames.take(came);
                this.pulse.frames(frames.is_half());
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl<S: IO> Shutdown for Gather<S> {
    async fn shutdown(&mut self) {
        // An answer that was cut short ends here too; the connection is closed whether its rest gets out or not.
        let _ = self.flush().await;
        self.stream.shutdown().await;
    }
}

#[async_trait]
impl<S: IO> Peek for Gather<S> {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.stream.try_peek(buffer).await
    }
}

impl<S: IO> UniqueID for Gather<S> {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl<S: IO> Ssl for Gather<S> {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.stream.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl<S: IO> GetTimingDigest for Gather<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.stream.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.stream.get_write_pending_time()
    }
}

impl<S: IO> GetProxyDigest for Gather<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.stream.set_proxy_digest(digest);
    }
}

impl<S: IO> GetSocketDigest for Gather<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.stream.set_socket_digest(digest);
    }
}

impl<S: fmt::Debug> fmt::Debug for Gather<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("stream", &self.stream).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};

    use super::super::pace::Paces;
    use super::*;
    use crate::config::Limits;

    /// A pair of ends: what is written goes through a pipe of `room` bytes.
    fn pipe(room: usize) -> (Gather<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(room);
        (Gather::new(ours, Pulse::new(&Paces::of(&Limits::default()))), theirs)
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn small_writes_leave_together_when_flushed() {
        let (mut gather, mut end) = pipe(1 << 16);
        gather.write_all(b"head").await.unwrap();
        gather.write_all(b"body").await.unwrap();
        let mut buffer = [0; 64];
        let nothing = tokio::time::timeout(Duration::from_millis(1), end.read(&mut buffer)).await;
        assert!(nothing.is_err(), "nothing leaves before the flush");
        gather.flush().await.unwrap();
        assert_eq!(end.read(&mut buffer).await.unwrap(), 8);
        assert_eq!(&buffer[..8], b"headbody");
        assert_eq!(gather.kept.capacity(), 0, "no memory between answers");
    }

    #[tokio::test]
    async fn any_sizes_through_a_narrow_pipe_arrive_in_order() {
        for room in [1, 7, 1000, 1 << 20] {
            let (mut gather, mut end) = pipe(room);
            let pieces: Vec<_> = [600, 2400, 70_000, 1, KEPT, 1, KEPT + 1, 0, 5].map(bytes).to_vec();
            let wanted = pieces.concat();
            let writer = tokio::spawn(async move {
                for piece in pieces {
                    gather.write_all(&piece).await.unwrap();
                }
                Shutdown::shutdown(&mut gather).await;
            });
            let mut found = Vec::new();
            end.read_to_end(&mut found).await.unwrap();
            writer.await.unwrap();
            assert!(found == wanted, "room {room}: {} of {} bytes", found.len(), wanted.len());
        }
    }

    #[tokio::test]
    async fn writes_of_many_slices_come_after_what_was_kept() {
        let (mut gather, mut end) = pipe(1 << 16);
        gather.write_all(b"a").await.unwrap();
        let slices = [IoSlice::new(b"b"), IoSlice::new(b"c")];
        let mut left = gather.write_vectored(&slices).await.unwrap();
        if left == 1 {
            left += gather.write(b"c").await.unwrap();
        }
        assert_eq!(left, 2);
        gather.flush().await.unwrap();
        let mut buffer = [0; 3];
        end.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"abc");
    }
}

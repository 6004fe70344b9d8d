//! The end of an HTTP/1 connection whose client may still be sending.
//!
//! Closing a socket that holds bytes nobody read resets the connection, and a reset can take away an answer that the
//! client has not read yet (RFC 9112 §9.6). So the side that is written is closed first, and what still comes is
//! thrown away for a while.

use std::time::Duration;

use ::pingora::protocols::Stream;
use tokio::io::AsyncReadExt as _;

/// How much is read of what nobody wants.
const DREGS: usize = 4 * 1024 * 1024;
/// How long the client may take to notice that nobody wants it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends what is still kept back, says that nothing more comes, and waits until the client is gone or has had its
/// time.
pub(super) async fn linger(mut stream: Stream) {
    let farewell = async {
        stream.shutdown().await;
        let (mut buffer, mut left) = (vec![0; 4 * 1024], DREGS);
        while left > 0 {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    };
    // Whoever is still there then is cut off.
    let _ = tokio::time::timeout(PATIENCE, farewell).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_on_for_ever_is_cut_off() {
        let (mut client, ours) = duplex(1 << 16);
        let flood = tokio::spawn(async move {
            let piece = vec![0; 1 << 16];
            let mut sent = 0_usize;
            while client.write_all(&piece).await.is_ok() {
                sent += piece.len();
            }
            sent
        });
        linger(Box::new(ours)).await;
        let sent = flood.await.unwrap();
        assert!((DREGS..=DREGS + (1 << 18)).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_nothing_is_cut_off_and_one_that_leaves_is_not_waited_for() {
        let began = Instant::now();
        let (client, ours) = duplex(16);
        linger(Box::new(ours)).await;
        assert_eq!(began.elapsed(), PATIENCE);
        drop(client);
        let (client, ours) = duplex(16);
        drop(client);
        linger(Box::new(ours)).await;
        assert_eq!(began.elapsed(), PATIENCE);
    }
}

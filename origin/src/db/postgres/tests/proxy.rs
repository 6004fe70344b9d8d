//! What stands between a node and its server, and may lose what is said.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

/// The word with which a connection dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// A client's: the server never hears it.
    Question(&'static str),
    /// The server's: it has done what it was told.
    Answer(&'static str),
}

impl Loss {
    fn is_of_client(self, said: &[u8]) -> bool {
        matches!(self, Self::Question(word) if holds(said, word))
    }

    fn is_of_server(self, said: &[u8]) -> bool {
        matches!(self, Self::Answer(word) if holds(said, word))
    }
}

fn holds(said: &[u8], word: &str) -> bool {
    said.windows(word.len()).any(|said| said == word.as_bytes())
}

/// Passes on what a client and the server of a folder say, until the word: from then on that connection is open, and nothing
/// comes through. Ends with its runtime.
pub(super) async fn lossy(folder: &Path, loss: Loss) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, socket) = (listener.local_addr().unwrap(), folder.join(".s.PGSQL.5432"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&socket).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let is_dead = Arc::new(AtomicBool::new(false));
            let dies = Arc::clone(&is_dead);
            tokio::spawn(async move {
                let mut bytes = [0; 16 * 1024];
                while let Ok(len @ 1..) = from_client.read(&mut bytes).await {
                    is_dead.fetch_or(loss.is_of_client(&bytes[..len]), Ordering::SeqCst);
                    if !is_dead.load(Ordering::SeqCst) && to_server.write_all(&bytes[..len]).await.is_err() {
                        return;
                    }
                }
            });
            tokio::spawn(async move {
                let mut bytes = [0; 16 * 1024];
                while let Ok(len @ 1..) = from_server.read(&mut bytes).await {
                    dies.fetch_or(loss.is_of_server(&bytes[..len]), Ordering::SeqCst);
                    if !dies.load(Ordering::SeqCst) && to_client.write_all(&bytes[..len]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A server that takes connections and never says a word.
pub(super) async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((client, _)) = listener.accept().await {
            held.push(client);
        }
    });
    address
}

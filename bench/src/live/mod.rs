//! The live benchmarks: somebody who sends, and many who wait.

mod connection;
mod playlist;
mod process;
mod reel;
mod sender;
mod summary;
mod tokens;

pub use connection::{Coding, Connection, Received};
pub use playlist::Playlist;
pub use process::{Cpu, Process};
pub use reel::{Piece, Reel, cadence};
pub use sender::{Form, Pacing, Place, RUSH, Sender, Sending, Sent};
pub use summary::spread;
pub use tokens::Minter;

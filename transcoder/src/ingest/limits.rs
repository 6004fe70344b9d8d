//! What a connection, an address and the whole listener may take.

use std::time::Duration;

/// Bounds of the RTMP side. [`Limits::default`] is fit for a public listener.
///
/// What a connection can make us hold, whatever it sends:
///
/// | | bytes | default |
/// |---|---|---|
/// | before it is admitted | what it sent and we have not read yet, its unfinished messages, our answers | [`Self::command`] + 32 KiB = 96 KiB |
/// | while it publishes | unfinished messages, tags that wait for their reader, bytes not read yet | [`Self::message`] + [`Self::command`] + [`Self::queue`] + 192 KiB = 16.3 MiB |
///
/// The first costs an attacker nothing and is multiplied by [`Self::pending`]: 94 MiB at most. The second takes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections that do not publish yet. The oldest of them has to go for a new one: a crowd of half-open
    /// connections can hinder only a publisher that is slower than the whole crowd.
    pub pending: usize,
    /// Connections from one address (for IPv6, from one /64). Here too the oldest that does not publish goes first.
    pub per_address: usize,
    /// From the first byte to the publish command.
    pub setup: Duration,
    /// Without a byte from a publisher.
    pub idle: Duration,
    /// For the peer to take what we send, and for the catalogue to admit or refuse.
    pub answer: Duration,
    /// How often it is asked whether a publisher that goes on still may.
    pub recheck: Duration,
    /// What a publisher may go on for when the listener stops.
    pub grace: Duration,
    /// Bytes of a command, of script data, and of any message before a publisher is admitted.
    pub command: usize,
    /// Bytes of a message of audio or video.
    pub message: usize,
    /// Chunk streams of a connection.
    pub chunk_streams: usize,
    /// Bytes of tags that wait for their reader. When they are reached, the socket is not read: TCP slows the
    /// publisher down. One tag is always let in, even a larger one.
    pub queue: usize,
    /// How often a minute one active publisher may take a stream over from another. Once that was too often, it may not
    /// at all, until nobody has tried for a minute.
    pub takeovers: usize,
    /// A publisher that was not heard for so long may be taken over from at any time.
    pub silence: Duration,
    /// Addresses whose wrong keys are remembered.
    pub offenders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            pending: 1_000,
            per_address: 100,
            setup: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            answer: Duration::from_secs(5),
            recheck: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            command: 64 << 10,
            message: 8 << 20,
            chunk_streams: 32,
            queue: 8 << 20,
            takeovers: 3,
            silence: Duration::from_secs(3),
            offenders: 4_096,
        }
    }
}

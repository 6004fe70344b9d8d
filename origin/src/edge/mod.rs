//! Doors to the origin. They only translate: no rule about media, tokens or caching stands here.

#[cfg(feature = "pingora")]
pub mod pingora;
#[cfg(feature = "tower")]
mod tower;

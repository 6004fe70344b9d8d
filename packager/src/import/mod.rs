//! Bringing an HLS presentation of others in: its playlists to what there is to fetch, what was fetched to tracks on one
//! timeline.
//!
//! ```text
//! text ─▶ Playlist::read ─┬▶ Multivariant { videos, sounds }        which playlists to read
//!                         └▶ MediaPlaylist { maps, segments }       which bytes to fetch
//! init ─▶ Contents::read                                            whether it can be carried, before its media is fetched
//! init + segment ─▶ Finder::of_segment ─▶ Movie ─▶ Shot            one segment's samples
//! Strip { Shot … } … ─▶ lay ─▶ Laid { sources, grid }              one timeline, for Presentation::plan_on
//! ```
//!
//! What cannot be imported is a [`Remark`] that says where. Nothing is repaired that viewers would miss.

mod agree;
mod contents;
mod join;
mod lay;
mod media;
mod multivariant;
mod playlist;
mod remark;
mod shot;
mod sieve;

pub use agree::agrees;
pub use contents::Contents;
pub use lay::{Laid, lay};
pub use media::{MediaPlaylist, Resource, Segment};
pub use multivariant::{Choice, Multivariant, Sound};
pub use playlist::Playlist;
pub use remark::{Place, Remark, shown};
pub use shot::{Shot, Standing, Strip, Wanted};
pub use sieve::MAX_BYTES;

/// Segments of one rendition: three days of six seconds each.
pub const MAX_SEGMENTS: usize = 43_200;
/// Renditions of one presentation.
pub const MAX_RENDITIONS: usize = 256;
/// Remarks on one playlist. What is broken is broken in many places; those are enough to see it.
pub const MAX_REMARKS: usize = 20;

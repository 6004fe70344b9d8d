//! Reading a playlist that others made.

use super::media::MediaPlaylist;
use super::multivariant::Multivariant;
use super::sieve::sift;
use super::{Place, Remark};

/// A playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Playlist {
    /// It lists renditions.
    Multivariant(Multivariant),
    /// It lists segments.
    Media(MediaPlaylist),
}

impl Playlist {
    /// Reads `bytes`. Remarks name the playlist `name`.
    ///
    /// # Errors
    /// Everything in it that keeps it from being imported, up to [`super::MAX_REMARKS`].
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, Vec<Remark>> {
        let sifted = sift(name, bytes).map_err(|remark| vec![remark])?;
        let unread = || vec![Remark::new(name, Place::Whole, "expected a playlist, found text that is none")];
        let (rest, read) = m3u8_rs::parse_playlist(sifted.text.as_bytes()).map_err(|_| unread())?;
        if !rest.is_empty() {
            return Err(unread());
        }
        match read {
            m3u8_rs::Playlist::MasterPlaylist(read) if sifted.is_multivariant => {
                Multivariant::of(name, read, &sifted.uris).map(Self::Multivariant)
            }
            m3u8_rs::Playlist::MediaPlaylist(read) if !sifted.is_multivariant => {
                MediaPlaylist::of(name, read, &sifted.uris).map(Self::Media)
            }
            _ => Err(unread()),
        }
    }

    /// Reads a playlist that must list segments.
    ///
    /// # Errors
    /// As [`Self::read`], and for one that lists renditions.
    pub fn read_media(name: &str, bytes: &[u8]) -> Result<MediaPlaylist, Vec<Remark>> {
        match Self::read(name, bytes)? {
            Self::Media(media) => Ok(media),
            Self::Multivariant(_) => {
                let what = "expected a playlist of segments, found one of renditions";
                Err(vec![Remark::new(name, Place::Whole, what)])
            }
        }
    }
}

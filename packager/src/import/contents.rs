//! What an init segment says, before its media is fetched.

use mp4_atom::{Hdlr, Mvhd};

use crate::Error;
use crate::mp4::{Anomalies, BoxView, Head, malformed, walk};
use crate::time::Timescale;

/// Which tracks there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Whether there are pictures.
    pub video: bool,
    /// Whether there is sound.
    pub audio: bool,
    /// Pictures and sound that are not carried, and why. Tracks of another kind are nobody's loss.
    pub refused: Vec<String>,
}

impl Contents {
    /// Reads an init segment: `ftyp` and `moov`.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is none.
    pub fn read(init: &[u8]) -> Result<Self, Error> {
        let mut moov = None;
        for part in walk(init, 0, "init") {
            let part = part?;
            if &part.kind == b"moov" {
                moov = Some(part);
                break;
            }
        }
        let moov = moov.ok_or_else(|| malformed("init", 0, "expected a moov box, found none"))?;
        let mvhd: Mvhd = moov.required("moov", b"mvhd")?.read()?;
        let mut this = Self { video: false, audio: false, refused: Vec::new() };
        for child in moov.children("moov") {
            let child = child?;
            if &child.kind == b"trak" {
                this.add(&child, Timescale::new(mvhd.timescale))?;
            }
        }
        // A hostile file lists thousands.
        this.refused.truncate(8);
        Ok(this)
    }

    fn add(&mut self, trak: &BoxView<'_>, movie_scale: Option<Timescale>) -> Result<(), Error> {
        let hdlr: Hdlr = trak.required("moov/trak", b"mdia")?.required("moov/trak/mdia", b"hdlr")?.read()?;
        let handler: [u8; 4] = hdlr.handler.into();
        if !matches!(&handler, b"vide" | b"soun") {
            return Ok(());
        }
        match Head::read(trak, movie_scale, &mut Anomalies::default())? {
            Err(refusal) => self.refused.push(refusal),
            Ok((head, _)) => {
                let known = if head.kind.is_video() { &mut self.video } else { &mut self.audio };
                if std::mem::replace(known, true) {
                    self.refused.push("a second track of its kind".to_owned());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_init_segment_says_what_there_is() {
        let sent = include_bytes!("../../tests/fixtures/live/dash-video.mp4");
        let contents = |video, audio, refused: &[&str]| Contents {
            video,
            audio,
            refused: refused.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(Contents::read(sent), Ok(contents(true, false, &[])));
        let both = include_bytes!("../../tests/fixtures/moov-first.mp4");
        assert_eq!(Contents::read(both), Ok(contents(true, true, &[])));
        let at = both.windows(4).position(|name| name == b"mp4a").unwrap();
        let other = [&both[..at], b"ac-3", &both[at + 4..]].concat();
        assert_eq!(Contents::read(&other), Ok(contents(true, false, &["codec ac-3 is not served"])));
        assert!(Contents::read(b"").is_err());
        assert!(Contents::read(b"#EXTM3U\nno init segment").is_err());
    }
}

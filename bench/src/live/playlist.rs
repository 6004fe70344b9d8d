//! The playlist that viewers wait for, and what they ask and read of it.

use std::error::Error;

use super::{Connection, Place, Received};

/// Where a playlist is, and how its next part is asked for.
#[derive(Debug, Clone)]
pub struct Playlist {
    path: String,
    /// What is added to a request for the next part.
    query: &'static str,
    /// Its segments' numbers are so much smaller than the sender's.
    less: u64,
}

impl Playlist {
    /// That of a track of the show that runs. The sender's numbers are those of the playlist.
    ///
    /// # Errors
    /// Where none runs.
    pub async fn of_forebay(
        connection: &mut Connection,
        stream: &str,
        track: &str,
    ) -> Result<Self, Box<dyn Error>> {
        connection.ask(&format!("/live/{stream}/main.m3u8")).await?;
        let text = connection.answer(true).await?.text()?;
        let first = text.lines().find(|line| !line.starts_with('#')).ok_or("no rendition")?;
        let (show, _) = first.split_once('/').ok_or("no show")?;
        let path = format!("/live/{stream}/{show}/{track}/index.m3u8");
        Ok(Self { path, query: "&_HLS_skip=YES", less: 0 })
    }

    /// That of multimux, which counts segments from zero on and has no delta updates. `next` is the part after the
    /// newest that was sent.
    ///
    /// # Errors
    /// Where another is hinted.
    pub async fn of_multimux(
        connection: &mut Connection,
        stream: &str,
        next: Place,
    ) -> Result<Self, Box<dyn Error>> {
        let mut found = Self { path: format!("/{stream}/media.m3u8"), query: "", less: 0 };
        connection.ask(&found.path).await?;
        let hinted = found.hinted(&connection.answer(true).await?)?;
        if hinted.part != next.part {
            return Err(format!("expected part {} to be hinted, found {}", next.part, hinted.part).into());
        }
        found.less = next.msn - hinted.msn;
        Ok(found)
    }

    /// The folder that it is in, with the last slash.
    pub fn folder(&self) -> &str {
        self.path.rfind('/').map_or("", |end| &self.path[..=end])
    }

    /// The request that waits for a part.
    pub fn ask(&self, place: Place) -> String {
        let msn = place.msn - self.less;
        format!("{}?_HLS_msn={msn}&_HLS_part={}{}", self.path, place.part, self.query)
    }

    /// The part that an answer says will come next.
    ///
    /// # Errors
    /// Where it hints at none, or is no delta update although it was asked for.
    pub fn hinted(&self, answer: &Received) -> Result<Place, Box<dyn Error>> {
        let text = answer.text()?;
        if !self.query.is_empty() && !text.contains("#EXT-X-SKIP:") {
            return Err(format!("expected a delta update, found {text}").into());
        }
        let uri = text.split_once("TYPE=PART,URI=\"").and_then(|(_, rest)| rest.split_once(".m4s"));
        let mut numbers = uri.ok_or("no hint")?.0.rsplit(|c: char| !c.is_ascii_digit());
        let part = numbers.next().ok_or("no part")?.parse()?;
        let msn: u64 = numbers.next().ok_or("no segment")?.parse()?;
        Ok(Place { track: 0, msn: msn + self.less, part })
    }
}

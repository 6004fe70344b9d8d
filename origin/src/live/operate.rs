//! What operators see of live streams, and what they can do to them.

use packager::asset::{ShowId, StreamName};
use packager::live::{DateRange, Playlist, Show};
use serde::Serialize;

use super::showing::Archiving;
use super::stream::Stream;
use super::{Live, LiveError, Showing};

/// A stream, as operators see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StreamReport {
    /// Its name.
    pub(crate) stream: String,
    /// Requests that send to it now.
    pub(crate) senders: usize,
    /// Requests that are held now.
    pub(crate) waiting: usize,
    /// Its shows, oldest first.
    pub(crate) shows: Vec<ShowReport>,
}

/// A show, as operators see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ShowReport {
    /// Its number.
    pub(crate) show: u64,
    /// Whether nothing will follow.
    pub(crate) ended: bool,
    /// The date of media time zero, in milliseconds since 1970-01-01 UTC.
    pub(crate) anchor_ms: i64,
    /// Bytes of media in memory.
    pub(crate) bytes: u64,
    /// How far its archive is; none where it is not recorded.
    pub(crate) archive: Option<ArchiveReport>,
    /// Its tracks, by name.
    pub(crate) tracks: Vec<TrackReport>,
}

/// The archive of a show, as operators see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArchiveReport {
    /// How much media is not in it yet, in milliseconds.
    pub(crate) behind_ms: u64,
    /// Whether this origin writes it.
    pub(crate) writes: bool,
    /// Whether all of the show is in it.
    pub(crate) whole: bool,
    /// Bytes of it that wait in the spool of this machine.
    pub(crate) spool_bytes: u64,
}

/// A track, as operators see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrackReport {
    /// Its name.
    pub(crate) track: String,
    /// RFC 6381.
    pub(crate) codec: String,
    /// Media sequence number of the first listed segment.
    pub(crate) first: Option<u64>,
    /// Of the segment that is being made.
    pub(crate) open: Option<u64>,
    /// How many of its parts are listed.
    pub(crate) parts: u32,
    /// Seconds that are listed.
    pub(crate) listed_s: f64,
    /// The date of the end of what is listed, in milliseconds since 1970-01-01 UTC.
    pub(crate) end_ms: Option<i64>,
    /// How far that date is behind this origin's clock, in milliseconds.
    pub(crate) behind_ms: Option<i64>,
}

impl Live {
    /// All streams, by name.
    pub(crate) fn list(&self) -> Vec<StreamReport> {
        let now_ms = i64::try_from(self.clock.now_millis()).unwrap_or(i64::MAX);
        let report = |stream: &Stream| StreamReport {
            stream: stream.name().to_string(),
            senders: stream.senders(),
            waiting: self.rules.waiters.saturating_sub(stream.waiters.available_permits()),
            shows: stream
                .showings()
                .iter()
                .map(|showing| ShowReport {
                    archive: self.archive.as_ref().map(|room| {
                        let spool = room.spool.as_ref();
                        let spooled = spool.map(|spool| spool.bytes_of(stream.name(), showing.id));
                        archive(showing.archiving(), spooled.unwrap_or(0))
                    }),
                    ..showing.look(|show| tell(showing, show, now_ms))
                })
                .collect(),
        };
        self.all_streams().iter().map(|stream| report(stream)).collect()
    }

    /// Ends the running show of a stream. Gives its number, and whether it was running.
    ///
    /// # Errors
    /// [`LiveError::Absent`] for a stream without a show here, [`LiveError::Shows`] where the database fails.
    pub(crate) async fn end(&self, name: &StreamName) -> Result<(ShowId, bool), LiveError> {
        let stream = self.stream(name).ok_or(LiveError::Absent)?;
        let id = stream.showing(None).ok_or(LiveError::Absent)?.id;
        Ok((id, stream.end(self, id).await?))
    }

    /// Ends the requests of all who send to a stream; its show waits for them to come back. Gives how many there were.
    ///
    /// # Errors
    /// [`LiveError::Absent`].
    pub(crate) fn cut(&self, name: &StreamName) -> Result<usize, LiveError> {
        Ok(self.stream(name).ok_or(LiveError::Absent)?.cut())
    }

    /// Lists a date range in the running show of a stream. Whether something changed.
    ///
    /// # Errors
    /// [`LiveError::Absent`], [`LiveError::Refused`].
    pub(crate) fn mark(&self, name: &StreamName, range: DateRange) -> Result<bool, LiveError> {
        let running = self.stream(name).and_then(|stream| stream.running()).ok_or(LiveError::Absent)?;
        Ok(running.mark(range)?)
    }
}

fn tell(showing: &Showing, show: &Show, now_ms: i64) -> ShowReport {
    let tracks = show.tracks().map(|name| {
        let playlist = show.playlist(name);
        let end_ms = playlist.as_ref().map(|p| p.date(p.end()));
        TrackReport {
            track: name.to_string(),
            codec: show.header(name).map_or_else(String::new, |header| header.decoding().codec.clone()),
            first: playlist.as_ref().map(|p| p.first().0),
            open: playlist.as_ref().map(|p| p.edge().open.0),
            parts: playlist.as_ref().map_or(0, |p| p.edge().parts),
            listed_s: playlist.as_ref().map_or(0.0, listed),
            end_ms,
            behind_ms: end_ms.map(|end_ms| now_ms.saturating_sub(end_ms)),
        }
    });
    ShowReport {
        show: showing.id.0,
        ended: show.has_ended(),
        anchor_ms: show.plan().anchor_ms,
        bytes: show.bytes(),
        archive: None,
        tracks: tracks.collect(),
    }
}

fn archive(archiving: Archiving, spool_bytes: u64) -> ArchiveReport {
    let Archiving { behind, is_here, is_whole } = archiving;
    let behind_ms = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
    ArchiveReport { behind_ms, writes: is_here, whole: is_whole, spool_bytes }
}

fn listed(playlist: &Playlist) -> f64 {
    let millis = playlist.end().since(playlist.start()).as_micros() / 1000;
    f64::from(i32::try_from(millis).unwrap_or(i32::MAX)) / 1000.0
}

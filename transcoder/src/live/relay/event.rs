//! What happens to a show, for logs and counters.

use std::fmt;

use packager::asset::RenditionName;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An encoder was started.
    Started {
        /// The tracks that it makes: the largest picture first, the sound last.
        tracks: Vec<RenditionName>,
        /// Whether the first of them is the publisher's own picture.
        is_passed: bool,
    },
    /// The show goes on where a worker that is gone ended.
    TakenOn {
        /// Milliseconds between that end and the publisher's first picture that are filled with that picture.
        filled_ms: i64,
        /// Milliseconds of a gap behind them.
        lost_ms: i64,
    },
    /// An encoder ended without being told to, and is started again.
    Stopped {
        /// In one line.
        why: String,
    },
    /// Media was lost between two encoders: what came in the meantime was more than is kept.
    Lost {
        /// Milliseconds of it.
        ms: i64,
    },
    /// What is made comes seconds late: the machine has more shows than it can make.
    Late {
        /// By so many milliseconds.
        ms: i64,
    },
    /// The encoder did not keep up, and makes this rung no longer.
    RungDropped {
        /// Which.
        track: RenditionName,
    },
    /// The publisher's picture does not stay on the grid of segments, and is encoded from now on.
    PassThroughEnded,
    /// The publisher's codec settings changed: an encoder is made for the new ones.
    Changed,
    /// The publisher's times were anchored anew.
    Jumped {
        /// Milliseconds that the show's pictures go on after.
        ms: i64,
    },
    /// A publisher's stream could not be used, and it is not listened to any longer.
    Unusable {
        /// In one line.
        why: String,
    },
    /// The publisher has something for which nothing is made, a codec mostly; the rest of it goes on.
    Ignored {
        /// `video` or `audio`.
        what: &'static str,
    },
    /// The publisher is silent: the show is kept going with its last picture.
    SlateOn,
    /// The publisher is silent: the show pauses.
    Paused,
    /// The publisher is back.
    Back,
    /// An origin's request ended before the track did, and is made again.
    Interrupted {
        /// The origin's name.
        origin: String,
        /// The track.
        track: RenditionName,
        /// In one line.
        why: String,
    },
    /// An origin that was interrupted takes the track again.
    Resumed {
        /// The origin's name.
        origin: String,
        /// The track.
        track: RenditionName,
    },
    /// An origin was so slow that chunks which it lacks are no longer kept.
    Skipped {
        /// The origin's name.
        origin: String,
        /// The track.
        track: RenditionName,
        /// How many.
        chunks: u64,
    },
    /// The show is over: its publisher did not come back in time.
    Ended,
}

impl Event {
    /// Its stable name, for logs and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::TakenOn { .. } => "taken_on",
            Self::Stopped { .. } => "stopped",
            Self::Lost { .. } => "lost",
            Self::Late { .. } => "late",
            Self::RungDropped { .. } => "rung_dropped",
            Self::PassThroughEnded => "pass_through_ended",
            Self::Changed => "changed",
            Self::Jumped { .. } => "jumped",
            Self::Unusable { .. } => "unusable",
            Self::Ignored { .. } => "ignored",
            Self::SlateOn => "slate_on",
            Self::Paused => "paused",
            Self::Back => "back",
            Self::Interrupted { .. } => "interrupted",
            Self::Resumed { .. } => "resumed",
            Self::Skipped { .. } => "skipped",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { tracks, is_passed } => {
                let how = if *is_passed { ", the first as the publisher sends it" } else { "" };
                let tracks: Vec<_> = tracks.iter().map(RenditionName::as_str).collect();
                write!(f, "an encoder makes {}{how}", tracks.join(", "))
            }
            Self::TakenOn { filled_ms, lost_ms } => {
                write!(
                    f,
                    "goes on where another worker ended: {filled_ms} ms are filled, {lost_ms} ms are lost"
                )
            }
            Self::Stopped { why } => write!(f, "the encoder ended and is started again: {why}"),
            Self::Lost { ms } => write!(f, "{ms} ms of media were lost"),
            Self::Late { ms } => write!(f, "what is made comes {ms} ms late"),
            Self::RungDropped { track } => write!(f, "the encoder is too slow, {track} is made no longer"),
            Self::PassThroughEnded => {
                f.write_str("the publisher's keyframes are not on the grid, its picture is encoded")
            }
            Self::Changed => f.write_str("the publisher's codec settings changed"),
            Self::Jumped { ms } => write!(f, "the publisher's times begin anew, {ms} ms on"),
            Self::Unusable { why } => write!(f, "the publisher's stream cannot be used: {why}"),
            Self::Ignored { what } => write!(f, "the publisher's {what} has a codec that is not taken"),
            Self::SlateOn => f.write_str("the publisher is silent, its last picture is shown"),
            Self::Paused => f.write_str("the publisher is silent, the show pauses"),
            Self::Back => f.write_str("the publisher is back"),
            Self::Interrupted { origin, track, why } => {
                write!(f, "{origin} does not take {track}, it is sent again: {why}")
            }
            Self::Resumed { origin, track } => write!(f, "{origin} takes {track} again"),
            Self::Skipped { origin, track, chunks } => {
                write!(f, "{origin} was too slow for {track}: {chunks} chunks are lost to it")
            }
            Self::Ended => f.write_str("the show is over"),
        }
    }
}

//! A viewer of a show that is published over RTMP: holds a request for the playlist with the next part, over and over, and
//! tells which picture each part that comes ends with.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{GOP, Listing};
use crate::live::{Connection, Received};

/// Where the playlist of a track is found.
#[derive(Debug, Clone)]
pub enum Door {
    /// Through forebay's multivariant playlist, which names the show.
    Forebay {
        /// The stream.
        stream: String,
        /// The track.
        track: String,
    },
    /// Where it always is.
    Multimux {
        /// The route.
        stream: String,
    },
}

/// A viewer who has found the show.
#[derive(Debug)]
pub struct Viewer {
    connection: Connection,
    playlist: String,
    /// The segment that the show began with.
    first: u64,
    /// The part that was seen last.
    last: Option<(u64, u64)>,
    next: (u64, u64),
    /// Answers that said to come back.
    refused: u64,
}

/// A part that can be read.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The number of its last picture, from the beginning of the show.
    pub picture: u64,
    /// When the first byte of the playlist that lists it was here.
    pub at: Instant,
    /// Its path.
    pub path: String,
}

impl Viewer {
    /// Waits for a show to begin. It must not have lasted for longer than its window.
    ///
    /// # Errors
    /// No show within a minute.
    pub async fn enter(mut connection: Connection, door: &Door) -> Result<Self, Box<dyn Error>> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = open(&mut connection, door).await?;
            if let Some((playlist, listing)) = found {
                let Listing { first, next, .. } = listing;
                return Ok(Self { connection, playlist, first, last: None, next, refused: 0 });
            }
            if Instant::now() > end {
                return Err(format!("expected a show to begin, found none: {door:?}").into());
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits for the next part; gives all that are new.
    ///
    /// # Errors
    /// An answer that is neither a playlist nor a wish to come back.
    pub async fn next(&mut self) -> Result<Vec<Seen>, Box<dyn Error>> {
        let (msn, part) = self.next;
        let path = format!("{}?_HLS_msn={msn}&_HLS_part={part}", self.playlist);
        self.connection.ask(&path).await?;
        let answer = self.connection.answer(true).await?;
        if answer.status == UNAVAILABLE {
            self.refused += 1;
            sleep(PAUSE).await;
            return Ok(Vec::new());
        }
        let listing = read(&path, &answer)?;
        let last = self.last;
        let news = listing.parts.into_iter().filter(|part| Some(part.place) > last);
        let seen: Vec<_> = news
            .map(|part| {
                let pictures = (part.place.0 - self.first) * GOP + part.pictures;
                let path = beside(&self.playlist, &part.uri);
                self.last = Some(part.place);
                Seen { picture: pictures.saturating_sub(1), at: answer.first, path }
            })
            .collect();
        self.next = listing.next;
        Ok(seen)
    }

    /// The bytes of a part.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub async fn part(&mut self, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        self.connection.ask(path).await?;
        let answer = self.connection.answer(true).await?;
        match answer.status {
            200 => Ok(answer.bytes[answer.head..].to_vec()),
            status => Err(format!("{path}: {status}").into()),
        }
    }

    /// How many answers said to come back.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// The media playlist, where the show has begun.
async fn open(connection: &mut Connection, door: &Door) -> Result<Option<(String, Listing)>, Box<dyn Error>> {
    let path = match door {
        Door::Multimux { stream } => format!("/{stream}/media.m3u8"),
        Door::Forebay { stream, track } => {
            let main = format!("/live/{stream}/main.m3u8");
            let Some(answer) = get(connection, &main).await? else { return Ok(None) };
            let text = answer.text()?;
            let rendition = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
            let (show, _) = rendition.and_then(|line| line.split_once('/')).ok_or("no rendition")?;
            format!("/live/{stream}/{show}/{track}/index.m3u8")
        }
    };
    let Some(answer) = get(connection, &path).await? else { return Ok(None) };
    let listing = read(&path, &answer)?;
    // What comes before the first part is of no use.
    Ok((!listing.parts.is_empty()).then_some((path, listing)))
}

/// The answer, unless it says that there is nothing yet.
async fn get(connection: &mut Connection, path: &str) -> Result<Option<Received>, Box<dyn Error>> {
    connection.ask(path).await?;
    let answer = connection.answer(true).await?;
    match answer.status {
        200 => Ok(Some(answer)),
        404 | UNAVAILABLE => Ok(None),
        status => Err(format!("{path}: {status}").into()),
    }
}

fn read(path: &str, answer: &Received) -> Result<Listing, Box<dyn Error>> {
    if answer.status != 200 {
        return Err(format!("{path}: {}", answer.status).into());
    }
    Listing::read(&answer.text()?).map_err(|error| format!("{path}: {error}").into())
}

/// A URI of a playlist as a path.
fn beside(playlist: &str, uri: &str) -> String {
    match uri.starts_with('/') {
        true => uri.to_owned(),
        false => format!("{}{uri}", playlist.rfind('/').map_or("", |end| &playlist[..=end])),
    }
}

const UNAVAILABLE: u16 = 503;
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

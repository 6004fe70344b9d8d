//! Making a clip.

use std::time::Instant;

use bytes::Bytes;
use futures_util::future::try_join_all;
use packager::asset::{AssetName, ShowId, StreamName};
use packager::import::{Strip, lay};
use packager::manifest::{FORMAT_RECORDED, Kind, Manifest, ManifestTrack, Role};
use packager::playlist::MULTIVARIANT;
use packager::presentation::Presentation;
use packager::recorded::{Picked, Recorded, pick};
use packager::time::{MediaTime, Rounding, Timescale};
use transcoder::publishing::Published;
use transcoder::release;

use super::{ClipError, Clips, Made, Order, PATIENCE, Piece, name_of_show, reader};
use crate::live::Told;

/// What a clip is, before it has a revision.
struct Draft {
    presentation: Presentation,
    /// Where the media of each strip lies, and what it is.
    bodies: Vec<(Recorded, [u8; 32])>,
    notes: Vec<String>,
}

impl Clips {
    /// Makes a clip, snapped to whole segments. What was shown just now is waited for until it is in the archive. To ask for
    /// the same piece again gives the clip that is there.
    ///
    /// # Errors
    /// [`ClipError`]; nothing of it is left then.
    pub(crate) async fn cut(&self, order: &Order) -> Result<Made, ClipError> {
        if order.piece.is_empty() {
            return Err(ClipError::Empty);
        }
        let _place = self.room.acquire().await.map_err(|_| ClipError::Ending)?;
        let (show, told, picked) = self.wait_for(order).await?;
        let (cadence, anchor_ms) = (told.cadence, told.anchor_ms);
        let dated = |time: MediaTime| anchor_ms.saturating_add(time.as_micros().div_euclid(1000));
        let (from_ms, to_ms) = (dated(picked.range.start), dated(picked.range.end));
        let asset = match &order.asset {
            Some(asset) => asset.clone(),
            // What goes on is not all of it.
            None if order.piece == Piece::Whole && told.has_ended => name_of_show(&order.stream, show)?,
            None => named(&order.stream, show, from_ms, to_ms)?,
        };
        let made = |revision, notes| Made {
            path: format!("/vod/{asset}/{MULTIVARIANT}"),
            asset: asset.clone(),
            revision,
            stream: order.stream.clone(),
            show: show.0,
            from_ms,
            to_ms,
            notes,
        };
        if let Some(revision) = self.publishing.current(&asset).await? {
            // A name that we gave says what it is; any other may mean something else.
            return match order.asset {
                None => Ok(made(revision, Vec::new())),
                Some(_) => Err(ClipError::Taken(asset)),
            };
        }
        let pages = (cadence.page(picked.numbers.0), cadence.page(picked.numbers.1));
        let started = Instant::now();
        let Draft { presentation, bodies, notes } = self.draft(&order.stream, show, picked).await?;
        let revision = self.publishing.begin(&asset).await?;
        let (manifest, indexes) =
            written(&asset, &revision, (&presentation, &bodies), self.policy.target, from_ms)?;
        let held = self.recordings.hold_for(&asset, &revision, &order.stream, show, pages.0, pages.1).await?;
        if !held {
            return Err(ClipError::Expired);
        }
        let objects = std::sync::Arc::clone(self.store.objects());
        let published = release::release_recorded(objects, &*self.publishing, &manifest, &indexes).await;
        match published {
            Ok(Published::Current) => {}
            Ok(Published::Superseded) => {
                self.recordings.let_go(&asset, Some(&revision)).await?;
                return Err(ClipError::Superseded(asset));
            }
            Err(error) => {
                // It may be published all the same, where nobody can say: then its pages are needed.
                if let Ok(None) = self.publishing.current(&asset).await {
                    self.recordings.let_go(&asset, Some(&revision)).await?;
                }
                return Err(error.into());
            }
        }
        let took_ms = started.elapsed().as_millis();
        tracing::info!(%asset, %revision, stream = %order.stream, %show, took_ms, "clip made");
        Ok(made(revision, notes))
    }

    /// What the archive has of a piece, as soon as it has all of what was shown.
    async fn wait_for(&self, order: &Order) -> Result<(ShowId, Told, Picked), ClipError> {
        let begun = Instant::now();
        loop {
            let (show, told) = self.live.told(&order.stream, order.show).await?.ok_or(ClipError::NoShow)?;
            let first = told.past.values().filter_map(|past| Some(past.segments.front()?.start)).min();
            let first = first.unwrap_or(MediaTime::zero(Timescale::MILLIS));
            let range = order.piece.on(told.anchor_ms, first);
            let picked = pick(&told.past, &range);
            let has_come = picked.as_ref().is_some_and(|picked| picked.range.end >= range.end);
            if told.has_ended || has_come || order.piece == Piece::Whole || begun.elapsed() >= PATIENCE {
                let picked = picked.ok_or_else(|| ClipError::Nothing { known: known(&told) })?;
                return Ok((show, told, picked));
            }
            self.wait_until(&order.stream, show, range.end, begun + PATIENCE).await;
        }
    }

    /// Waits until it is worth while to read the archive again. Who writes it knows how far it is; elsewhere it is asked now and
    /// then.
    async fn wait_until(&self, stream: &StreamName, show: ShowId, end: MediaTime, deadline: Instant) {
        while Instant::now() < deadline {
            tokio::time::sleep(ROUND).await;
            match self.live.stored_until(stream, show) {
                Some(stored) if stored >= end => return,
                Some(_) => {}
                None => return tokio::time::sleep(ROUND * 5).await,
            }
        }
    }

    /// Reads segments, and lays them on one timeline from zero.
    async fn draft(&self, stream: &StreamName, show: ShowId, picked: Picked) -> Result<Draft, ClipError> {
        let Picked { tracks, mut notes, .. } = picked;
        let reads = tracks
            .into_iter()
            .enumerate()
            .map(|(number, track)| reader::read(&self.store, (stream, show), track, number));
        let (mut strips, mut bodies) = (Vec::new(), Vec::new());
        for read in try_join_all(reads).await? {
            strips.push(read.strip);
            bodies.push((read.recorded, read.identity));
        }
        let target = self.policy.target;
        let laid = tokio::task::spawn_blocking(move || {
            let (presentation, left) = plan(strips, &bodies, target)?;
            notes.extend(left);
            Ok(Draft { presentation, bodies, notes })
        });
        laid.await.map_err(|_| ClipError::Ending)?
    }
}

/// Lays strips on one timeline; those that do not fit are left out as long as others do.
fn plan(
    mut strips: Vec<Strip>,
    bodies: &[(Recorded, [u8; 32])],
    target: MediaTime,
) -> Result<(Presentation, Vec<String>), ClipError> {
    let mut notes = Vec::new();
    let mut laid = loop {
        match lay(&strips) {
            Ok(laid) => break laid,
            Err(faults) => {
                let before = strips.len();
                strips.retain(|strip| !faults.iter().any(|fault| fault.playlist == strip.playlist));
                if strips.is_empty() || strips.len() == before {
                    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
                    return Err(ClipError::Unfit { what: all.join("; ") });
                }
                notes.extend(faults.iter().map(|fault| format!("left out: {fault}")));
            }
        }
    };
    notes.extend(laid.notes.iter().map(ToString::to_string));
    for source in &mut laid.sources {
        source.identity = bodies.get(source.object).map(|(_, identity)| *identity).unwrap_or_default();
    }
    let (presentation, anomalies) = Presentation::plan(laid.sources, target)?;
    notes.extend(anomalies.iter().map(ToString::to_string));
    Ok((presentation, notes))
}

/// `asset.json` and the indexes that it names.
fn written(
    asset: &AssetName,
    revision: &packager::asset::Revision,
    (presentation, bodies): (&Presentation, &[(Recorded, [u8; 32])]),
    target: MediaTime,
    starts_ms: i64,
) -> Result<(Manifest, Vec<(String, Bytes)>), ClipError> {
    let timescale = presentation.timescale();
    let target_ms = target.rescale(Timescale::MILLIS, Rounding::Nearest).ticks();
    let (mut tracks, mut indexes) = (Vec::new(), Vec::new());
    for rendition in presentation.renditions() {
        let (recorded, _) = bodies.get(rendition.object()).ok_or_else(|| ClipError::Unfit {
            what: format!("{}: expected its segments", rendition.name()),
        })?;
        let index = format!("{}.idx", rendition.name());
        tracks.push(ManifestTrack {
            name: rendition.name().clone(),
            kind: if rendition.is_video() { Kind::Video } else { Kind::Audio },
            role: Role::Main,
            language: rendition.track().language().map(str::to_owned),
            object: String::new(),
            index: index.clone(),
            bytes: recorded.size(),
            sha256: rendition.identity().iter().map(|byte| format!("{byte:02x}")).collect(),
            recorded: Some(recorded.clone()),
        });
        indexes.push((index, rendition.track().to_index().into()));
    }
    let boundaries =
        presentation.boundaries().iter().map(|time| time.rescale(timescale, Rounding::Nearest).ticks());
    let manifest = Manifest {
        format: FORMAT_RECORDED,
        asset: asset.clone(),
        revision: revision.clone(),
        target_ms: u32::try_from(target_ms).unwrap_or(u32::MAX),
        timescale: timescale.ticks_per_second(),
        boundaries: boundaries.collect(),
        starts_ms: Some(starts_ms),
        tracks,
    };
    Ok((manifest, indexes))
}

/// What a clip is called that nobody gave a name: its show, the second it begins at, and how many it lasts.
fn named(stream: &StreamName, show: ShowId, from_ms: i64, to_ms: i64) -> Result<AssetName, ClipError> {
    let whole = name_of_show(stream, show)?;
    let seconds = to_ms.saturating_sub(from_ms).saturating_add(500) / 1000;
    format!("{whole}.{}-{seconds}s", from_ms.div_euclid(1000)).parse().map_err(ClipError::Name)
}

/// What of a show there is, for people.
fn known(told: &Told) -> String {
    let dated = |time: MediaTime| told.anchor_ms.saturating_add(time.as_micros().div_euclid(1000));
    let starts = told.past.values().filter_map(|past| Some(past.segments.front()?.start)).min();
    let ends = told.past.values().filter_map(|past| Some(past.segments.back()?.end)).max();
    match (starts, ends) {
        (Some(start), Some(end)) => {
            format!("it has {} to {}, in milliseconds since 1970", dated(start), dated(end))
        }
        _ => "nothing of it is stored yet".to_owned(),
    }
}

const ROUND: std::time::Duration = std::time::Duration::from_millis(300);

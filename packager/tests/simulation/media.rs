//! Whether what is listed can be had, and is what was sent (RFC 8216bis §3.2, §6.2.1, §6.2.2).

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::asset::RenditionName;
use forebay_packager::live::{Event, Found, Header, InitId, Media, Sample, Show, Splitter};
use forebay_packager::time::Msn;

use super::dice::Dice;
use super::plot::Line;
use super::reader::{Check, Page, hold};
use super::series::{Known, News, Series};
use super::truth::Truth;

/// Reads media as a player would.
#[derive(Default)]
pub(crate) struct Player {
    /// Init segments that were fetched, by their names.
    inits: RefCell<HashMap<String, Arc<Header>>>,
}

impl Player {
    /// Fetches what is new in a playlist, and reads it.
    pub(crate) fn fetch(
        &self,
        show: &Show,
        line: &Line,
        series: &mut Series,
        truth: &Truth,
        news: &News,
    ) -> Check {
        for &(segment, part) in &news.parts {
            let known = &series.known[segment];
            let media = match (show.part(&line.name, Msn(known.msn), part as u32), known.parts[part].is_gap) {
                (Found::Ready(media), false) => media,
                (Found::Absent, true) => continue,
                (found, _) => return Err(format!("§6.2.1: part {}.{part} is {found:?}", known.msn)),
            };
            let init = self.init(show, &line.name, &known.map)?;
            let range = known.parts[part].samples.clone();
            let place = || format!("part {}.{part}", known.msn);
            let samples = samples(&init, &media).map_err(|fault| format!("{}: {fault}", place()))?;
            let wanted = &truth.taken[range];
            hold!(samples.len() == wanted.len(), "§3.2: {} has {} samples", place(), samples.len());
            for (found, took) in samples.iter().zip(wanted) {
                let encode = &line.encodes[took.encode];
                hold!(init.id() == encode.header.id(), "§4.4.4.5: {} is decoded with {}", place(), known.map);
                same(found, &encode.sample(took.frame))
                    .map_err(|fault| format!("{}, frame {}: {fault}", place(), took.frame))?;
            }
            let has_sync = samples.iter().any(|sample| sample.sync);
            let known = &mut series.known[segment];
            hold!(
                known.parts[part].is_independent == has_sync,
                "§4.4.4.9: INDEPENDENT of part {}.{part}",
                known.msn
            );
            known.parts[part].media = Some(media);
        }
        for &segment in &news.closed {
            let known = &mut series.known[segment];
            let media = show.segment(&line.name, Msn(known.msn)).ready();
            hold!(
                media.is_some() != known.is_gap,
                "§6.2.1: segment {}, gap {}: {media:?}",
                known.msn,
                known.is_gap
            );
            known.media = media;
            if let Some(media) = &known.media {
                let init = self.init(show, &line.name, &known.map)?;
                let samples =
                    samples(&init, media).map_err(|fault| format!("segment {}: {fault}", known.msn))?;
                let wanted = &truth.taken[known.samples.clone()];
                hold!(
                    samples.len() == wanted.len(),
                    "§3.2: segment {} has {} samples",
                    known.msn,
                    samples.len()
                );
                for (found, took) in samples.iter().zip(wanted) {
                    same(found, &line.encodes[took.encode].sample(took.frame))?;
                }
                // Some of its parts may never have been listed.
                let listed = known.parts.last().map_or(known.samples.start, |part| part.samples.end);
                let parts = known.parts.iter().filter_map(|part| part.media.as_ref());
                hold!(
                    listed < known.samples.end
                        || bytes(media) == parts.flat_map(|part| bytes(part)).collect::<Vec<u8>>(),
                    "§3.2: segment {} is not its parts",
                    known.msn
                );
            }
        }
        Ok(())
    }

    fn init(&self, show: &Show, track: &RenditionName, map: &str) -> Check<Arc<Header>> {
        let bytes = init(show, track, map)?;
        let mut inits = self.inits.borrow_mut();
        if let Some(header) = inits.get(map) {
            hold!(header.init() == bytes, "§4.4.4.5: {map} changes");
            return Ok(Arc::clone(header));
        }
        let header = Header::read(&bytes).map_err(|error| format!("§4.4.4.5: {map}: {error}"))?;
        hold!(header.init() == bytes, "§4.4.4.5: {map} is not what is served");
        inits.insert(map.to_owned(), Arc::clone(&header));
        Ok(header)
    }
}

/// An init segment, by the name that a playlist has for it.
fn init(show: &Show, track: &RenditionName, map: &str) -> Check<Bytes> {
    let id = map.strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4"));
    let id: InitId = id.and_then(|id| id.parse().ok()).ok_or_else(|| format!("{map} is no name"))?;
    show.init(track, id).ok_or_else(|| format!("§6.2.1: {map} is listed and not there"))
}

/// All that a playlist names can be had, the hinted part is waited for, and what is not hinted is not.
pub(crate) fn at_hand(show: &Show, line: &Line, series: &Series, page: &Page<'_>) -> Check {
    for segment in page.listed() {
        let known = series.get(segment.msn).ok_or("a segment that nobody knows")?;
        here(show, line, known, true)?;
        if let Some(map) = segment.map {
            init(show, &line.name, map)?;
        }
    }
    hinted(show, line, page)
}

/// §6.2.6.
pub(crate) fn hinted(show: &Show, line: &Line, page: &Page<'_>) -> Check {
    if let Some(map) = page.map_hint {
        init(show, &line.name, map)?;
    }
    let Some(hint) = page.part_hint else { return Ok(()) };
    let (msn, part) = place(hint).ok_or_else(|| format!("{hint} is no part's name"))?;
    let found = |msn, part| show.part(&line.name, Msn(msn), part);
    hold!(matches!(found(msn, part), Found::Wait), "§6.2.6: {hint} is hinted: {:?}", found(msn, part));
    // Another origin may be a little ahead and have listed what comes next here.
    for (msn, part) in [(msn, part + 1), (msn + 1, 0)] {
        let found = found(msn, part);
        hold!(matches!(found, Found::Wait), "§6.2.5.2: {msn}.{part} may be asked for: {found:?}");
    }
    for (msn, part) in [(msn, part + 200), (msn + 1, 1), (msn + 2, 0)] {
        let found = found(msn, part);
        hold!(matches!(found, Found::Absent), "§6.2.6: nobody hinted {msn}.{part}: {found:?}");
    }
    Ok(())
}

/// Segment and part of a part's name.
pub(crate) fn place(uri: &str) -> Option<(u64, u32)> {
    let (msn, part) = uri.strip_suffix(".m4s")?.split_once('.')?;
    Some((msn.parse().ok()?, part.parse().ok()?))
}

/// A segment and its parts are what they were when they were listed first.
fn here(show: &Show, line: &Line, known: &Known, with_parts: bool) -> Check {
    let same = |found: &Arc<Media>, kept: &Arc<Media>| Arc::ptr_eq(found, kept) || found == kept;
    if let Some(kept) = &known.media {
        let found = show.segment(&line.name, Msn(known.msn)).ready();
        hold!(
            found.is_some_and(|found| same(&found, kept)),
            "§6.2.2: segment {} must still be there, as it was",
            known.msn
        );
    }
    for (part, kept) in known.parts.iter().enumerate().filter(|_| with_parts) {
        let Some(kept) = &kept.media else { continue };
        match show.part(&line.name, Msn(known.msn), part as u32) {
            Found::Ready(found) if same(&found, kept) => {}
            found => return Err(format!("§6.2.2: part {}.{part} must still be there: {found:?}", known.msn)),
        }
    }
    Ok(())
}

/// §6.2.2: a segment that has left the playlist is there until it was listed first and its availability duration have
/// passed; a part for three target durations after its tag has gone.
pub(crate) fn lingering(
    show: &Show,
    line: &Line,
    series: &Series,
    now_ms: i64,
    target: i64,
    dice: &mut Dice,
) -> Check {
    let first = (series.first_listed() - series.base.min(series.first_listed())) as usize;
    let some = if first <= 4 {
        0..first
    } else {
        let at = dice.below(first - 3);
        at..at + 4
    };
    for known in series.known[some].iter().filter(|known| !known.was_shed) {
        let until = known.since_ms + (known.length + known.longest) / 1000;
        let parts_until = known.parts_until_ms + 3 * target * 1000;
        if now_ms < until.max(parts_until) {
            here(show, line, known, now_ms < parts_until).map_err(|fault| {
                format!(
                    "{fault}; since {} ms, now {now_ms}, until {until}, parts until {parts_until}",
                    known.since_ms
                )
            })?;
            // Nothing is decoded where nothing was sent.
            if !known.samples.is_empty() {
                init(show, &line.name, &known.map)?;
            }
        }
    }
    Ok(())
}

/// What a reader finds in a part.
fn samples(init: &Arc<Header>, media: &Media) -> Check<Vec<Sample>> {
    let mut splitter = Splitter::resume(Arc::clone(init));
    for piece in media.pieces() {
        splitter.feed(piece.clone());
    }
    let mut samples = Vec::new();
    while let Some(event) = splitter.next().map_err(|error| error.to_string())? {
        match event {
            Event::Chunk(chunk) => samples.extend(chunk.samples),
            Event::Header(_) => return Err("a header in a part".to_owned()),
        }
    }
    splitter.finish().map_err(|error| error.to_string())?;
    Ok(samples)
}

/// A frame of sound that another encoder's overlaps loses the end that both have; nothing else may differ.
fn same(found: &Sample, sent: &Sample) -> Check {
    let like = Sample { duration: sent.duration, ..found.clone() };
    let is_near = found.duration.abs_diff(sent.duration) <= sent.duration / 2 + 1;
    hold!(like == *sent && is_near, "§3.2: {found:?} was sent as {sent:?}");
    Ok(())
}

pub(crate) fn bytes(media: &Media) -> Vec<u8> {
    media.pieces().concat()
}

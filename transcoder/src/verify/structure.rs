//! One track against what it was meant to be.

use packager::time::{MediaTime, Timescale};
use packager::track::{Track, TrackKind};

use super::Meant;
use crate::ladder::{AUDIO_RATE, AudioRung, Ladder, Rung};

/// What differs, as "expected …, found …".
pub(super) fn check(ladder: &Ladder, meant: Meant<'_>, track: &Track) -> Result<(), String> {
    match meant {
        Meant::Video(rung) => video(ladder, rung, track),
        Meant::Audio(rung) => audio(ladder, rung, track),
    }
}

fn video(ladder: &Ladder, rung: &Rung, track: &Track) -> Result<(), String> {
    let TrackKind::Video { width, height, pixel_aspect: (across, down) } = track.kind() else {
        return Err(format!("expected video, found {:?}", track.kind()));
    };
    if (u32::from(width), u32::from(height)) != (rung.width, rung.height) || across != down {
        let found = format!("{width} by {height} pixels of {across}:{down}");
        return Err(format!("expected {} by {} square pixels, found {found}", rung.width, rung.height));
    }
    let frames = u64::from(track.samples().len());
    if frames != ladder.frames {
        return Err(format!("expected {} frames, found {frames}", ladder.frames));
    }
    spans("start", track.start(), MediaTime::from_millis(0))?;
    spans("end", track.end(), ladder.duration())?;
    keyframes(ladder, track)
}

/// On the grid, on every point of it, and nowhere else.
fn keyframes(ladder: &Ladder, track: &Track) -> Result<(), String> {
    let mut found = track.keyframes();
    let mut frame = 0;
    while frame < ladder.frames {
        let expected = ladder.frame_rate.at(frame);
        match found.next() {
            Some(time) if time == expected => {}
            Some(time) => {
                return Err(format!("expected a keyframe at {expected} s, found the next at {time} s"));
            }
            None => return Err(format!("expected a keyframe at {expected} s, found no further one")),
        }
        frame += ladder.gop;
    }
    match found.next() {
        None => Ok(()),
        Some(time) => Err(format!("expected no further keyframe, found one at {time} s")),
    }
}

fn audio(ladder: &Ladder, rung: &AudioRung, track: &Track) -> Result<(), String> {
    let TrackKind::Audio { channels, sample_rate } = track.kind() else {
        return Err(format!("expected audio, found {:?}", track.kind()));
    };
    if (channels, sample_rate) != (CHANNELS, AUDIO_RATE) {
        return Err(format!(
            "expected {CHANNELS} channels at {AUDIO_RATE} Hz, found {channels} at {sample_rate} Hz"
        ));
    }
    if track.language() != rung.language.as_deref() {
        return Err(format!("expected the language {:?}, found {:?}", rung.language, track.language()));
    }
    // Priming makes it start up to two frames early; the last frame is filled up.
    let (start, zero) = (track.start(), MediaTime::from_millis(0));
    if start > zero || zero.since(start) > frames_of_audio(2) {
        return Err(format!("expected the start at 0 s or up to two frames before, found {start} s"));
    }
    let (end, expected) = (track.end(), ladder.duration());
    if end < expected || end > expected.plus(frames_of_audio(1)) {
        return Err(format!("expected the end at {expected} s or up to one frame later, found {end} s"));
    }
    Ok(())
}

fn spans(what: &str, found: MediaTime, expected: MediaTime) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("expected the {what} at {expected} s, found it at {found} s")),
    }
}

/// AAC-LC frames are 1,024 samples (ISO/IEC 14496-3 §4.5.2.1.1).
fn frames_of_audio(count: i64) -> MediaTime {
    Timescale::new(AUDIO_RATE).map_or(MediaTime::from_millis(0), |scale| MediaTime::new(count * 1024, scale))
}

const CHANNELS: u16 = 2;

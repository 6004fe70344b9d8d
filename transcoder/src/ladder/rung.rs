//! Sizes and bit rates of the video rungs.

use packager::asset::RenditionName;
use packager::time::Bitrate;

use super::{FrameRate, Rung, Settings};
use crate::Error;

/// The rungs for a picture of this size, the tallest first; empty where it is smaller than 2 by 2.
pub(super) fn rungs(
    width: u32,
    height: u32,
    frame_rate: FrameRate,
    settings: &Settings,
) -> Result<Vec<Rung>, Error> {
    let short = even_below(width.min(height).min(settings.max_height));
    if short < 2 {
        return Ok(Vec::new());
    }
    let mut sides: Vec<u32> = DEFAULT.into_iter().filter(|side| *side <= short).collect();
    // Between two rungs the source's own size is worth an encode, unless the eye would not tell it from the lower one.
    let worth = sides.first().is_none_or(|next| u64::from(short) * 10 >= u64::from(*next) * 11);
    if worth {
        sides.insert(0, short);
    }
    sides.into_iter().map(|side| rung(side, width, height, frame_rate, settings)).collect()
}

fn rung(
    side: u32,
    width: u32,
    height: u32,
    frame_rate: FrameRate,
    settings: &Settings,
) -> Result<Rung, Error> {
    let (short, long) = (width.min(height), width.max(height));
    let scaled = even_nearest(u64::from(side) * u64::from(long), short);
    let other = scaled.min(even_below(long)).max(2);
    let (width, height) = if width < height { (side, other) } else { (other, side) };
    Ok(Rung {
        name: name("video", &side.to_string())?,
        width,
        height,
        crf: settings.crf,
        max_rate: max_rate(side, width, height, frame_rate),
    })
}

/// The ceiling for a rung: interpolated by its short side, then by how much its area differs from 16:9.
fn max_rate(side: u32, width: u32, height: u32, frame_rate: FrameRate) -> Bitrate {
    let above = RATES.iter().find(|row| row.short >= side).unwrap_or(&CEILING);
    let below = RATES.iter().rev().find(|row| row.short <= side).unwrap_or(&FLOOR);
    let side64 = u64::from(side);
    let rate = if above.short <= below.short {
        above.rate
    } else {
        let span = u64::from(above.short - below.short);
        below.rate + (above.rate - below.rate) * side64.saturating_sub(u64::from(below.short)) / span
    };
    // Per cent of the area of a 16:9 picture with this short side. Bits do not grow with all of the area.
    let area = u64::from(width) * u64::from(height) * 900 / (side64 * side64 * 16);
    let rate = rate * area.clamp(60, 160) / 100;
    let rate = if frame_rate.above(30) { rate * 3 / 2 } else { rate };
    Bitrate(rate)
}

pub(super) fn name(role: &str, which: &str) -> Result<RenditionName, Error> {
    let name = format!("{role}-{which}");
    name.parse().map_err(|_| Error::Setting {
        name: "rendition name",
        expected: "1 to 64 of a-z 0-9 -, starting with a letter",
        found: name,
    })
}

const fn even_below(side: u32) -> u32 {
    side - side % 2
}

/// `numerator / denominator`, to the nearest even number.
fn even_nearest(numerator: u64, denominator: u32) -> u32 {
    let unit = 2 * u64::from(denominator).max(1);
    u32::try_from((2 * numerator + unit) / (2 * unit) * 2).unwrap_or(u32::MAX - 1)
}

struct Row {
    short: u32,
    /// Bits per second for 16:9 at up to 30 frames.
    rate: u64,
}

/// The short sides of the default rungs.
const DEFAULT: [u32; 5] = [1080, 720, 480, 360, 240];
const FLOOR: Row = Row { short: 0, rate: 100_000 };
const CEILING: Row = Row { short: 2160, rate: 16_000_000 };
const RATES: [Row; 7] = [
    Row { short: 240, rate: 400_000 },
    Row { short: 360, rate: 800_000 },
    Row { short: 480, rate: 1_400_000 },
    Row { short: 720, rate: 2_800_000 },
    Row { short: 1080, rate: 5_000_000 },
    Row { short: 1440, rate: 9_000_000 },
    CEILING,
];

//! What a publisher sends: a clip of H.264 and AAC out of an FLV file, played round and round. Pictures and frames of
//! sound go round by themselves and are counted, and their times follow from their numbers.

use std::error::Error;
use std::time::Duration;

use bytes::{Buf as _, Bytes};

use super::Kind;

/// Pictures a second.
pub const RATE: u64 = 30;
/// Pictures from one keyframe to the next: two seconds, as a segment has.
pub const GOP: u64 = 60;

/// The clip.
#[derive(Debug)]
pub struct Film {
    /// `onMetaData`, and the sequence headers of pictures and sound.
    heads: Vec<(Kind, Bytes)>,
    pictures: Vec<Bytes>,
    sounds: Vec<Bytes>,
}

impl Film {
    /// Reads an FLV file of [`RATE`] pictures a second without B-frames, a keyframe each [`GOP`], and sound at
    /// 48 kHz.
    ///
    /// # Errors
    /// A file that cannot be read, or is another.
    pub fn read(mut file: Bytes) -> Result<Self, Box<dyn Error>> {
        if !file.starts_with(b"FLV") || file.len() < HEADER {
            return Err("expected an FLV file".into());
        }
        file.advance(HEADER);
        let mut film = Self { heads: Vec::new(), pictures: Vec::new(), sounds: Vec::new() };
        while file.len() > TAG {
            let kind = file[0];
            let length = usize::try_from(u32::from_be_bytes([0, file[1], file[2], file[3]]))?;
            if file.len() < TAG + length {
                return Err("expected a whole tag, found part of one".into());
            }
            file.advance(TAG);
            let data = file.split_to(length);
            file.advance(BACK.min(file.len()));
            film.take(kind, data)?;
        }
        film.check()?;
        Ok(film)
    }

    fn take(&mut self, kind: u8, data: Bytes) -> Result<(), Box<dyn Error>> {
        match (Kind::of(kind), data.get(..2)) {
            (Some(Kind::Script), _) => self.heads.push((Kind::Script, set_data_frame(&data))),
            // The codec, then the kind of packet: a sequence header, frames, the end of the sequence.
            (Some(Kind::Video), Some([first, packet])) if first & 0x0f == AVC => match packet {
                0 => self.heads.push((Kind::Video, data)),
                1 if data.get(2..5) == Some(&[0; 3]) => self.pictures.push(data),
                1 => return Err("expected pictures in the order in which they are shown".into()),
                _ => {}
            },
            (Some(Kind::Audio), Some([first, packet])) if first >> 4 == AAC => match packet {
                0 => self.heads.push((Kind::Audio, data)),
                _ => self.sounds.push(data),
            },
            _ => return Err(format!("expected H.264 and AAC, found a tag of type {kind}").into()),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Box<dyn Error>> {
        let is_key = |picture: &Bytes| picture[0] >> 4 == KEY;
        let on_grid = |(number, picture): (u64, &Bytes)| is_key(picture) == number.is_multiple_of(GOP);
        let whole = !self.pictures.is_empty() && (self.pictures.len() as u64).is_multiple_of(GOP);
        if !whole || !(0..).zip(&self.pictures).all(on_grid) {
            return Err(format!("expected a keyframe each {GOP} pictures and nowhere else").into());
        }
        if self.sounds.is_empty() {
            return Err("expected sound".into());
        }
        Ok(())
    }

    /// What precedes all media.
    pub fn heads(&self) -> &[(Kind, Bytes)] {
        &self.heads
    }

    /// The body of the picture with this number since the beginning.
    pub fn picture(&self, number: u64) -> &Bytes {
        &self.pictures[round(number, self.pictures.len())]
    }

    /// The same of a frame of sound.
    pub fn sound(&self, number: u64) -> &Bytes {
        &self.sounds[round(number, self.sounds.len())]
    }

    /// When a picture is shown, and sent.
    pub fn picture_at(number: u64) -> Duration {
        Duration::from_nanos(number * NANOS / RATE)
    }

    /// When a frame of sound begins, and is sent.
    pub fn sound_at(number: u64) -> Duration {
        Duration::from_nanos(number * SOUND_FRAME * NANOS / SOUND_RATE)
    }

    /// Bits of media in a second.
    pub fn bit_rate(&self) -> u64 {
        let each = |all: &[Bytes]| all.iter().map(Bytes::len).sum::<usize>() as u64 * 8 / all.len() as u64;
        each(&self.pictures) * RATE + each(&self.sounds) * SOUND_RATE / SOUND_FRAME
    }
}

/// A publisher asks a server to keep what a file has as a tag.
fn set_data_frame(tag: &Bytes) -> Bytes {
    let mut message = super::amf::write(&[super::amf::Value::Text("@setDataFrame")]);
    message.extend_from_slice(tag);
    message.into()
}

fn round(number: u64, length: usize) -> usize {
    usize::try_from(number % length as u64).unwrap_or(0)
}

/// With the first `PreviousTagSize`.
const HEADER: usize = 9 + BACK;
const TAG: usize = 11;
const BACK: usize = 4;
const AVC: u8 = 7;
const AAC: u8 = 10;
const KEY: u8 = 1;
const SOUND_RATE: u64 = 48_000;
const SOUND_FRAME: u64 = 1_024;
const NANOS: u64 = 1_000_000_000;

//! What an encoder makes: a function from the number of a frame to its sample.

use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::live::{Header, Sample};

use super::time::grains;

/// One encoder's output of one track. Two with the same number are the same, wherever they run.
#[derive(Debug, Clone)]
pub(crate) struct Encode {
    /// Its number in the show; stands in its frames' bytes.
    pub(crate) id: u32,
    pub(crate) video: bool,
    pub(crate) scale: u32,
    /// A frame is `frame.0 / frame.1` ticks long.
    pub(crate) frame: (i64, i64),
    /// When frame 0 is presented, in ticks.
    pub(crate) origin: i64,
    /// How far apart keyframes are, and by how much they are off the grid, in grains.
    pub(crate) gop: (i64, i64),
    /// How much before it is due a keyframe may come, in grains; less than half a frame.
    pub(crate) early: i64,
    /// How much later than decoded a keyframe is presented, in ticks.
    pub(crate) lead: i64,
    pub(crate) header: Arc<Header>,
    /// Which header of those the track may have.
    pub(crate) variant: u8,
}

impl Encode {
    /// When a frame is presented if frames are presented in the order in which they are decoded, in ticks.
    pub(crate) fn place(&self, frame: i64) -> i64 {
        self.origin + (frame * self.frame.0).div_euclid(self.frame.1)
    }

    /// The same in grains.
    pub(crate) fn at(&self, frame: i64) -> i64 {
        grains(self.place(frame), self.scale)
    }

    /// What tells its header from others of the track.
    pub(crate) fn kind(&self) -> (u8, u32) {
        (self.variant, self.scale)
    }

    /// The first frame at or after a time.
    pub(crate) fn first_from(&self, time: i64) -> i64 {
        let ticks = (time - grains(self.origin, self.scale)).div_euclid(grains(1, self.scale));
        let mut frame = (ticks * self.frame.1).div_euclid(self.frame.0) - 1;
        while self.at(frame) < time {
            frame += 1;
        }
        frame
    }

    /// Half a frame in whole ticks, as grains: what two times may differ in and still be the same.
    pub(crate) fn slack(&self) -> i64 {
        grains((self.frame.0 + self.frame.1 - 1) / self.frame.1 / 2, self.scale)
    }

    /// The nominal length of a frame, in grains, rounded up.
    pub(crate) fn frame_length(&self) -> i64 {
        let length = grains(self.frame.0, self.scale);
        (length + self.frame.1 - 1) / self.frame.1
    }

    /// Whether decoding can start at a frame: with sound always, with video at the first that comes when a keyframe is
    /// due, or a little earlier.
    pub(crate) fn sync(&self, frame: i64) -> bool {
        let (every, off) = self.gop;
        let due = |frame| (self.at(frame) + self.early - off).div_euclid(every);
        !self.video || due(frame) != due(frame - 1)
    }

    /// The next frame from `frame` on at which decoding can start.
    pub(crate) fn next_sync(&self, frame: i64) -> i64 {
        (frame..).find(|frame| self.sync(*frame)).unwrap()
    }

    pub(crate) fn sample(&self, frame: i64) -> Sample {
        let sync = self.sync(frame);
        // Pictures between keyframes are presented in another order than they are decoded in.
        let reordered = if self.video && !sync { [1, -1, 0, 2][frame.rem_euclid(4) as usize] } else { 0 };
        let reordered = reordered * (self.frame.0 / self.frame.1);
        Sample {
            decode: self.place(frame) - self.lead,
            duration: (self.place(frame + 1) - self.place(frame)) as u32,
            offset: (self.lead + reordered) as i32,
            sync,
            data: self.data(frame),
        }
    }

    /// Who made a frame and which it is, and a few bytes more.
    fn data(&self, frame: i64) -> Bytes {
        let mut data = [0xa5u8; 18];
        data[..4].copy_from_slice(&self.id.to_be_bytes());
        data[4..12].copy_from_slice(&frame.to_be_bytes());
        let more = if self.sync(frame) && self.video { 6 } else { frame.rem_euclid(3) as usize };
        Bytes::copy_from_slice(&data[..12 + more])
    }
}

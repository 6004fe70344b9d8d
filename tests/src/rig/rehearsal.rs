//! A live origin of the rig's own, as small as one can be: players, readers and rules are tried on it before they judge
//! forebay. It has no ingest, no memory and no notifications: what is listed follows from the clock alone, the parts are
//! the chunks of the reels, and whoever must wait sleeps.

use std::fmt::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::host::{Asked, Host, Reply};
use super::reel::Reel;
use super::sender::unix_time;

/// A show that began some seconds before it is asked for.
#[derive(Debug)]
pub struct Rehearsal {
    host: Host,
}

impl Rehearsal {
    /// Begins a show of these tracks that has run for `age` already and ends when it is `end` old, at the end of a round.
    ///
    /// # Panics
    /// When a track is older than the clock.
    #[must_use]
    pub fn start(tracks: &[(&'static str, Arc<Reel>)], age: Duration, end: Duration) -> Self {
        let began = Instant::now().checked_sub(age).unwrap();
        let show = Show { tracks: tracks.to_vec(), began, date: unix_time() - age, end };
        Self { host: Host::start(move |asked| show.answer(asked).unwrap_or_else(Reply::nothing)) }
    }

    /// The server.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

struct Show {
    tracks: Vec<(&'static str, Arc<Reel>)>,
    began: Instant,
    date: Duration,
    end: Duration,
}

impl Show {
    fn answer(&self, asked: &Asked) -> Option<Reply> {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        if path == "/main.m3u8" {
            return Some(Reply::of(PLAYLIST, self.main()));
        }
        let (name, file) = path.trim_start_matches('/').split_once('/')?;
        let (_, reel) = self.tracks.iter().find(|(own, _)| *own == name)?;
        match file {
            "index.m3u8" => Some(Reply::of(PLAYLIST, self.media(name, reel, query)?)),
            "init.mp4" => Some(Reply::of("video/mp4", reel.header())),
            _ => {
                let mut numbers = file.strip_suffix(".m4s")?.split('.').map(str::parse);
                let (msn, part) = (numbers.next()?.ok()?, numbers.next().transpose().ok()?);
                let segment = chunks(reel, msn);
                let wanted =
                    part.map_or(segment.clone(), |part: u64| segment.start + part..segment.start + part + 1);
                (wanted.end <= segment.end).then_some(())?;
                self.wait_for(reel, wanted.end)?;
                let bytes: Vec<u8> = wanted.flat_map(|number| reel.piece(0, number).bytes).collect();
                Some(Reply::of("video/iso.segment", bytes))
            }
        }
    }

    fn main(&self) -> String {
        let mut text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
        text += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",DEFAULT=YES,AUTOSELECT=YES,URI=\"audio/index.m3u8\"\n";
        for (name, bandwidth, size) in [("video-360", 900_000, "640x360"), ("video-180", 400_000, "320x180")]
        {
            let codecs = "CODECS=\"avc1.64001e,mp4a.40.2\",FRAME-RATE=30.000,AUDIO=\"a\"";
            let _ = writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={size},{codecs}\n{name}/index.m3u8"
            );
        }
        text
    }

    fn media(&self, name: &str, reel: &Reel, query: &str) -> Option<String> {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        if let Some(msn) = value("_HLS_msn").and_then(|msn| msn.parse().ok()) {
            let part = value("_HLS_part").and_then(|part| part.parse::<u64>().ok());
            let segment = chunks(reel, msn);
            self.wait_for(reel, part.map_or(segment.end, |part| segment.start + part + 1));
        }
        let ready = self.ready(reel);
        let open = (0..).find(|msn| chunks(reel, *msn).end > ready)?;
        let first = open.saturating_sub(WINDOW);
        let is_ended = self.began.elapsed() >= self.end;
        // Six target durations before the end of the last whole segment.
        let skipped =
            if value("_HLS_skip").is_some() && !is_ended { open.saturating_sub(first + 6) } else { 0 };
        let target = if name == "audio" { "0.213334" } else { "0.200000" };
        let mut text =
            format!("#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-TARGETDURATION:2\n", if skipped > 0 { 9 } else { 6 });
        text += "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=0.7,HOLD-BACK=6.0\n";
        let _ = writeln!(text, "#EXT-X-PART-INF:PART-TARGET={target}\n#EXT-X-MEDIA-SEQUENCE:{first}");
        if skipped > 0 {
            let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        } else {
            text += "#EXT-X-MAP:URI=\"init.mp4\"\n";
        }
        for msn in first + skipped..=open {
            self.segment(reel, msn, ready, open, &mut text);
        }
        if is_ended {
            return Some(text + "#EXT-X-ENDLIST\n");
        }
        let (hint, part) = (open, ready - chunks(reel, open).start);
        let _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}.{part}.m4s\"");
        for (other, reel) in self.tracks.iter().filter(|(other, _)| *other != name) {
            let last = self.ready(reel).checked_sub(1)?;
            let msn = (0..).find(|msn| chunks(reel, *msn).contains(&last))?;
            let part = last - chunks(reel, msn).start;
            let _ = writeln!(
                text,
                "#EXT-X-RENDITION-REPORT:URI=\"../{other}/index.m3u8\",LAST-MSN={msn},LAST-PART={part}"
            );
        }
        Some(text)
    }

    fn segment(&self, reel: &Reel, msn: u64, ready: u64, open: u64, text: &mut String) {
        let numbers = chunks(reel, msn);
        let start = reel.piece(0, numbers.start).times.start;
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", printed(self.date + start));
        if msn + 4 > open {
            for (part, number) in numbers.clone().take_while(|number| *number < ready).enumerate() {
                let piece = reel.piece(0, number);
                let flag = if piece.sync { ",INDEPENDENT=YES" } else { "" };
                let seconds = (piece.times.end - piece.times.start).as_secs_f64();
                let _ = writeln!(text, "#EXT-X-PART:DURATION={seconds:.6},URI=\"{msn}.{part}.m4s\"{flag}");
            }
        }
        if msn < open {
            let seconds = (reel.piece(0, numbers.end).times.start - start).as_secs_f64();
            let _ = writeln!(text, "#EXTINF:{seconds:.6},\n{msn}.m4s");
        }
    }

    /// How many chunks are whole by now.
    fn ready(&self, reel: &Reel) -> u64 {
        let now = self.began.elapsed().min(self.end);
        let next = reel.number_at(now);
        if reel.piece(0, next).times.start > now { next - 1 } else { next }
    }

    /// Sleeps until so many chunks are whole, or the show is over; `None` when they never will be, or too late.
    fn wait_for(&self, reel: &Reel, count: u64) -> Option<()> {
        let due = reel.piece(0, count).times.start;
        let left = due.min(self.end).saturating_sub(self.began.elapsed());
        (left < Duration::from_secs(6)).then(|| thread::sleep(left))?;
        (due <= self.end).then_some(())
    }
}

/// The numbers of the chunks of a segment of two seconds.
fn chunks(reel: &Reel, msn: u64) -> std::ops::Range<u64> {
    reel.number_at(Duration::from_secs(2 * msn))..reel.number_at(Duration::from_secs(2 * msn + 2))
}

/// A date in ISO 8601, with milliseconds.
fn printed(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day last; a cycle of 400 years has 146,097 days.
    let day = days + 719_468;
    let (cycle, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (year, millis) = (cycle * 400 + year + carry, since_1970.subsec_millis());
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
/// Whole segments in the window.
const WINDOW: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::live::time::date;

    #[test]
    fn printed_dates_are_read_back() {
        for millis in
            [0, 951_782_399_999, 951_782_400_000, 1_709_251_199_999, 1_795_383_483_250, 4_102_444_800_000]
        {
            let time = Duration::from_millis(millis);
            assert_eq!(date(&printed(time)), Some(time), "{}", printed(time));
        }
    }
}

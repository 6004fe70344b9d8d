//! The argument vector that makes a whole ladder in one ffmpeg process with one decode.
//!
//! A pure function of source, ladder and paths. What each part is for:
//!
//! * `fps`, `tpad`, `trim`: a constant rate from time zero on, and exactly the ladder's number of frames. Picture and
//!   sound that start late or end early are filled up, so that all renditions cover the same span.
//! * `-g`, `-force_key_frames`, no scene cuts, closed GOPs: keyframes at the same frame numbers on every rung.
//! * `+cmaf` with `-use_editlist 1`: without the latter ffmpeg 5.1 shifts every track to zero by itself, which moves
//!   sound against picture by the encoder's priming (1,024 samples); with it, 5.1 and 9.0 write the same structure:
//!   `trun` version 0 and one edit that takes off the reordering delay or the priming.
//! * `frag_keyframe` for video: a fragment is a GOP. Sound has no other frames than key frames, so its fragments are
//!   cut by duration.
//! * `delay_moov`: the edit list is known only when the first packets are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use packager::asset::RenditionName;
use packager::time::{MediaTime, Rounding, Timescale};

use crate::arguments::Arguments;
use crate::ladder::{AUDIO_RATE, AudioRung, Ladder, Rung};
use crate::source::{Scan, Source, Transfer, VideoSource, guarded, location};

/// The file in `folder` that the rendition with this name is written to.
pub fn object(folder: &Path, name: &RenditionName) -> PathBuf {
    folder.join(object_name(name))
}

/// The name of a rendition's object inside its revision.
pub(crate) fn object_name(name: &RenditionName) -> String {
    format!("{name}.mp4")
}

/// ffmpeg's arguments for making all renditions of `ladder` into `folder`, without the program's name. Progress is
/// written to the standard output, complaints with their level to the standard error.
pub fn encode(source: &Source, ladder: &Ladder, folder: &Path) -> Vec<OsString> {
    let mut arguments = Arguments::default();
    arguments.words(
        "-hide_banner -nostdin -n -loglevel level+warning -nostats -progress pipe:1 -stats_period 0.5",
    );
    let [guard @ .., location] = guarded(&source.path);
    arguments.0.extend(guard);
    arguments.word("-i").word(location);
    arguments.word("-filter_complex").word(graph(source, ladder));
    for (number, rung) in ladder.rungs.iter().enumerate() {
        arguments.video(number, rung, ladder, folder);
    }
    for (number, rung) in ladder.audio.iter().enumerate() {
        arguments.audio(number, rung, ladder, folder);
    }
    arguments.0
}

/// ffmpeg's arguments for decoding a made object and saying nothing but faults.
pub(crate) fn decode(object: &Path) -> Vec<OsString> {
    let mut arguments = Arguments::default();
    arguments.words(
        "-hide_banner -nostdin -loglevel level+error -nostats -progress pipe:1 -stats_period 1 -xerror",
    );
    arguments
        .words("-protocol_whitelist file,pipe -format_whitelist mov -err_detect +crccheck+bitstream+buffer");
    arguments.word("-i").word(location(object)).words("-map 0 -f null -");
    arguments.0
}

impl Arguments {
    fn video(&mut self, number: usize, rung: &Rung, ladder: &Ladder, folder: &Path) {
        let (gop, rate) = (ladder.gop, rung.max_rate);
        self.words(&format!("-map [v{number}] -c:v libx264 -preset {} -profile:v high", ladder.preset));
        self.words(&format!("-crf {} -maxrate {rate} -bufsize {rate}", rung.crf));
        self.words(&format!("-g {gop} -keyint_min {gop} -sc_threshold 0 -flags +cgop -forced-idr 1"));
        self.words(&format!("-force_key_frames expr:eq(mod(n,{gop}),0)"));
        self.words(&format!("-video_track_timescale {}", ladder.frame_rate.mp4_timescale()));
        self.track("+cmaf+delay_moov+frag_keyframe+skip_trailer", object(folder, &rung.name));
    }

    fn audio(&mut self, number: usize, rung: &AudioRung, ladder: &Ladder, folder: &Path) {
        self.words(&format!("-map [a{number}] -c:a aac -profile:a aac_low -b:a {}", rung.rate));
        if let Some(language) = &rung.language {
            self.words(&format!("-metadata:s:a:0 language={language}"));
        }
        self.words(&format!("-frag_duration {}", ladder.frame_rate.at(ladder.gop).as_micros()));
        self.track("+cmaf+delay_moov+skip_trailer", object(folder, &rung.name));
    }

    /// What all objects have in common. Nothing of the source's metadata goes along.
    fn track(&mut self, flags: &str, object: PathBuf) {
        self.words("-map_metadata -1 -map_chapters -1 -write_tmcd 0 -use_editlist 1 -movflags");
        self.word(flags).words("-f mp4").word(location(&object));
    }
}

/// One decode of the picture, split over the rungs, and one chain per audio rendition.
fn graph(source: &Source, ladder: &Ladder) -> String {
    let rate = ladder.frame_rate;
    let mut chain = format!("[0:{}]", source.video.index);
    if source.video.scan == Scan::Interlaced {
        chain.push_str("bwdif=mode=send_frame,");
    }
    // Frames that a damaged or late end lacks are the last one again, for at most a second more than is known to be
    // missing: a decoder that gives up early must not turn into a long still.
    let missing = ladder.frames.saturating_sub(rate.frames(source.video.end))
        + rate.frames(MediaTime::from_millis(1_000));
    chain.push_str(&format!(
        "fps=fps={rate}:start_time=0:round=near,tpad=stop={missing}:stop_mode=clone,trim=end_frame={}",
        ladder.frames
    ));
    chain.push_str(&format!(",split={}", ladder.rungs.len()));
    for number in 0..ladder.rungs.len() {
        chain.push_str(&format!("[s{number}]"));
    }
    for (number, rung) in ladder.rungs.iter().enumerate() {
        chain.push_str(&format!(";[s{number}]{}[v{number}]", picture(rung, &source.video)));
    }
    let samples = samples(ladder);
    for (number, rung) in ladder.audio.iter().enumerate() {
        chain.push_str(&format!(
            ";[0:{}]aresample={AUDIO_RATE}:async=1:first_pts=0,aformat=channel_layouts=stereo,apad,\
             atrim=end_sample={samples}[a{number}]",
            rung.stream
        ));
    }
    chain
}

/// Scales first: the tone curve is the costly part.
pub(crate) fn picture(rung: &Rung, video: &VideoSource) -> String {
    let scale = format!("scale={}:{}:flags=bicubic,setsar=1", rung.width, rung.height);
    match video.transfer {
        Transfer::Standard => format!("{scale},format=yuv420p"),
        Transfer::Pq | Transfer::Hlg => format!(
            "{scale},zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,\
             zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
        ),
    }
}

/// How many samples of sound go with the ladder's frames.
fn samples(ladder: &Ladder) -> i64 {
    Timescale::new(AUDIO_RATE).map_or(0, |scale| ladder.duration().rescale(scale, Rounding::Up).ticks())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::{FrameRate, Settings};
    use crate::source::tests::{audio_track, picture};

    /// One argument a line, but an option and its value on one.
    fn text(arguments: &[OsString]) -> String {
        let mut text = String::new();
        for argument in arguments {
            let argument = argument.to_str().unwrap();
            let option = argument.starts_with('-') && !matches!(argument, "-" | "-1");
            text.push(if option { '\n' } else { ' ' });
            text.push_str(argument);
        }
        text.trim_start().to_owned() + "\n"
    }

    /// Compares with the file, or writes it where `FOREBAY_BLESS` is set.
    fn golden(name: &str, source: &Source, settings: &Settings) {
        let ladder = Ladder::fit(source, settings).unwrap();
        let found = text(&encode(source, &ladder, Path::new("out")));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
        if std::env::var_os("FOREBAY_BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap();
        assert_eq!(found, expected, "{name} differs; FOREBAY_BLESS=1 writes it anew, to be read like code");
    }

    #[test]
    fn the_arguments_for_a_full_ladder_with_two_languages() {
        let mut source = picture(1920, 1080);
        source.audio =
            vec![audio_track(1, Some("eng"), 6), audio_track(2, Some("deu"), 2), audio_track(3, None, 1)];
        golden("ladder.txt", &source, &Settings::default());
    }

    #[test]
    fn the_arguments_for_an_interlaced_source_at_an_ntsc_rate_whose_picture_ends_early() {
        let mut source = picture(640, 480);
        source.video.scan = Scan::Interlaced;
        source.video.frame_rate = FrameRate::new(30_000, 1001);
        source.video.base_rate = source.video.frame_rate;
        source.video.end = MediaTime::from_millis(4_000);
        source.audio = vec![audio_track(1, None, 2)];
        golden("interlaced.txt", &source, &Settings::default());
    }

    #[test]
    fn the_arguments_for_hdr() {
        let mut source = picture(640, 360);
        source.video.transfer = Transfer::Hlg;
        golden("hdr.txt", &source, &Settings { max_height: 240, ..Settings::default() });
    }

    #[test]
    fn the_arguments_for_decoding() {
        let found = text(&decode(Path::new("out/video-360.mp4")));
        assert!(found.contains("\n-xerror\n") && found.contains("\n-i file:out/video-360.mp4\n"), "{found}");
        assert!(found.ends_with("\n-f null -\n"), "{found}");
    }
}

//! The argument vector that makes a live show's tracks in one ffmpeg process, each into a pipe of its own.
//!
//! A pure function of picture, preset and start. What each part is for:
//!
//! * `ffmetadata` on the gate's pipe, the last input: ffmpeg reads it to its end before the first frame is made, so
//!   the show begins when we close the pipe and not when everything happens to be loaded. The labels of the frames are
//!   then the times at which they were made, to within some milliseconds.
//! * `realtime`, `arealtime`: the pace, kept behind the decoder, which may run ahead. (`-re` looks every 10 ms only, and
//!   begins with a burst of half a second from ffmpeg 6.1 on.) A process that was stopped catches up, hence the limit.
//! * `-output_ts_offset` with `+frag_discont`: `tfdt` is Unix time. Without the latter each track begins at zero.
//! * `-force_key_frames` by frame number: key frames at the whole multiples of two seconds of Unix time on every rung,
//!   whenever the process was started; and the first frame, wherever it is.
//! * `-tune zerolatency`: no frame waits in the encoder for a later one.
//! * `-frag_duration`: a chunk is five pictures or two frames of sound. Parts of any even number of tenths of a second end
//!   where a chunk of pictures ends; sound has its own rhythm, so that its chunks must be short.
//! * `+cmaf`, `delay_moov`, `skip_trailer`: a header, then chunks, nothing behind them. `prft` says when each was made.

use std::ffi::OsString;
use std::fmt::Write as _;

use packager::time::Bitrate;

use super::start::Start;
use super::{Picture, Scene};
use crate::command::picture as scaled;
use crate::ladder::{Preset, Rung};
use crate::process::FIRST_FILE;
use crate::source::{Scan, Source, guarded};

/// Frames a second of every rung.
pub(super) const FRAME_RATE: u64 = 30;
/// Frames from one key frame to the next: two seconds.
pub(super) const GOP: u64 = 60;
/// The descriptor that holds the show back until it is closed.
pub(super) const GATE: i32 = FIRST_FILE;

/// ffmpeg's arguments, without the program's name. The tracks of the scene are written to the descriptors behind the
/// gate's, in their order: the rungs, then the sound.
pub(super) fn encode(scene: &Scene, preset: Preset, start: &Start) -> Vec<OsString> {
    let mut arguments = Arguments::default();
    arguments
        .words("-hide_banner -nostdin -loglevel level+warning -nostats -progress pipe:1 -stats_period 1");
    let graph = match &scene.picture {
        Picture::Test => {
            arguments.words("-f lavfi -i").word(water()).words("-f lavfi -i").word(beeps(start));
            test_graph(scene, start)
        }
        Picture::File(source) => {
            let [guard @ .., location] = guarded(&source.path);
            arguments.words("-stream_loop -1");
            arguments.0.extend(guard);
            arguments.word("-i").word(location);
            if source.audio.is_empty() {
                arguments.words("-f lavfi -i anullsrc=sample_rate=48000:channel_layout=stereo");
            }
            file_graph(scene, source, start)
        }
    };
    arguments.words(&format!("-f ffmetadata -i pipe:{GATE}"));
    arguments.word("-filter_complex").word(graph);
    let mut file = GATE + 1;
    for (number, rung) in scene.rungs.iter().enumerate() {
        arguments.video(number, rung, preset, start, file);
        file += 1;
    }
    arguments.words(&format!("-map [a] -c:a aac -profile:a aac_low -b:a {SOUND}"));
    arguments.track(start.sound_micros(), SOUND_CHUNK_MICROS, file);
    arguments.0
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split(' ').map(OsString::from));
        self
    }

    fn video(&mut self, number: usize, rung: &Rung, preset: Preset, start: &Start, file: i32) {
        let (rate, first) = (rung.max_rate, start.frame() % GOP);
        self.words(&format!(
            "-map [v{number}] -c:v libx264 -preset {preset} -tune zerolatency -profile:v high"
        ));
        // Half a second of bits: what a key frame may take at once.
        self.words(&format!("-b:v {rate} -maxrate {rate} -bufsize {}", Bitrate(rate.0 / 2)));
        self.words(&format!("-g {GOP} -keyint_min 1 -sc_threshold 0 -flags +cgop -forced-idr 1"));
        let resumed = start.resumed(number).map_or_else(String::new, |frame| format!("+eq(n,{frame})"));
        self.words(&format!("-force_key_frames expr:not(n){resumed}+eq(mod(n+{first},{GOP}),0)"));
        self.words(&format!("-video_track_timescale {VIDEO_TIMESCALE}"));
        self.track(start.micros(), VIDEO_CHUNK_MICROS, file);
    }

    /// What all tracks have in common. Nothing of the source's metadata goes along: two runs give the same header.
    fn track(&mut self, offset: u64, chunk: u64, file: i32) {
        let (seconds, micros) = (offset / MICROS, offset % MICROS);
        self.words("-map_metadata -1 -map_chapters -1 -write_tmcd 0 -movflags");
        self.word("+cmaf+delay_moov+frag_keyframe+skip_trailer+frag_discont");
        self.words(&format!("-frag_duration {chunk} -write_prft wallclock -flush_packets 1"));
        self.words(&format!("-output_ts_offset {seconds}.{micros:06} -f mp4 pipe:{file}"));
    }
}

/// Moving water.
fn water() -> String {
    "gradients=size=640x360:rate=30:speed=0.008:nb_colors=5:seed=7\
     :c0=0x04202c:c1=0x0a4d68:c2=0x088395:c3=0x05bfdb:c4=0x0b2e3b"
        .to_owned()
}

/// A tone with a beep when the seconds of Unix time change.
fn beeps(start: &Start) -> String {
    let into = start.sound_micros() % MICROS;
    format!(
        "sine=frequency=220:beep_factor=4:sample_rate=48000,atrim=start={into}us,asetpts=PTS-STARTPTS,\
         volume=0.25,aformat=channel_layouts=stereo"
    )
}

fn test_graph(scene: &Scene, start: &Start) -> String {
    let time = format!("text='{}':fontsize=72:x=(w-text_w)/2:y=(h-text_h)/2-16", time_of_day(start));
    // The number of the picture within its second of Unix time: what is skipped or shown twice is seen.
    let into = start.frame() % FRAME_RATE;
    let frame = format!(
        r"text='UTC  frame %{{eif\:mod(n+{into}\,{FRAME_RATE})\:d\:2}}':fontsize=20:x=(w-text_w)/2:y=h/2+44"
    );
    // One lap around the edge of the pool in six seconds: what stutters is seen at once. It is where it belongs at each
    // time, so that a run that is started again goes on with it.
    let (seconds, micros) = (start.micros() / MICROS % 6, start.micros() % MICROS);
    let turn = format!("((t+{seconds}.{micros:06})*PI/3)");
    let buoy = format!(
        "text='●':fontcolor=0xffd166:fontsize=30:x=(w-text_w)/2+0.44*w*cos{turn}:y=(h-text_h)/2+0.40*h*sin{turn}"
    );
    let mut graph = format!(
        "[0:v]{},drawtext=font=monospace:fontcolor=white:{SHADOW}:{time},\
         drawtext=font=monospace:fontcolor=white@0.7:{frame},drawtext=font=sans:{buoy},format=yuv420p,split={}",
        paced("", start.late()),
        scene.rungs.len()
    );
    scene.rungs.iter().enumerate().for_each(|(number, _)| push(&mut graph, format_args!("[s{number}]")));
    for (number, rung) in scene.rungs.iter().enumerate() {
        push(
            &mut graph,
            format_args!(";[s{number}]scale={}:{}:flags=bicubic[v{number}]", rung.width, rung.height),
        );
    }
    push(&mut graph, format_args!(";[1:a]{}[a]", paced("a", start.late() * SAMPLES)));
    graph
}

/// A constant rate from time zero on, whatever the file has; the end is followed by the beginning.
fn file_graph(scene: &Scene, source: &Source, start: &Start) -> String {
    let mut graph = format!("[0:{}]", source.video.index);
    if source.video.scan == Scan::Interlaced {
        graph.push_str("bwdif=mode=send_frame,");
    }
    push(
        &mut graph,
        format_args!(
            "fps=fps={FRAME_RATE}:start_time=0:round=near,{},split={}",
            paced("", start.late()),
            scene.rungs.len()
        ),
    );
    scene.rungs.iter().enumerate().for_each(|(number, _)| push(&mut graph, format_args!("[s{number}]")));
    let time = time_of_day(start);
    for (number, rung) in scene.rungs.iter().enumerate() {
        let picture = scaled(rung, &source.video);
        push(
            &mut graph,
            format_args!(
                ";[s{number}]{picture},drawtext=font=monospace:fontcolor=white:{SHADOW}:text='{time} UTC'\
                 :fontsize=h/14:x=h/20:y=h*0.8[v{number}]"
            ),
        );
    }
    let sound = source.audio.first().map_or("1:a".to_owned(), |track| format!("0:{}", track.index));
    push(
        &mut graph,
        format_args!(
            ";[{sound}]aresample=48000:async=1:first_pts=0,aformat=channel_layouts=stereo,{}[a]",
            paced("a", start.late() * SAMPLES)
        ),
    );
    graph
}

/// The clock's pace for a chain of pictures, or of sound with `a` for its kind. What is overdue, so many frames or samples,
/// passes at once: all of it is due when the first one is.
fn paced(kind: &str, late: u64) -> String {
    let pace = format!("{kind}realtime=limit={CATCH_UP}");
    match late {
        0 => pace,
        late => format!(r"{kind}setpts=max(0\,N-{late}),{pace},{kind}setpts=N"),
    }
}

/// The time of day of each frame for drawtext, in UTC with milliseconds. The commas of expressions are escaped for the
/// filter graph, the colons of functions for drawtext.
fn time_of_day(start: &Start) -> String {
    // A microsecond more: sums of thirds fall just below the whole second that they mean.
    let (seconds, micros) = (start.micros() / MICROS, start.micros() % MICROS + 1);
    format!(
        r"%{{pts\:gmtime\:{seconds}.{micros:06}\:%T}}.%{{eif\:mod(floor((t+0.{micros:06})*1000)\,1000)\:d\:3}}"
    )
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(more);
}

const MICROS: u64 = 1_000_000;
/// Samples of sound that go with a picture.
const SAMPLES: u64 = 48_000 / FRAME_RATE;
/// A frame is a whole number of its ticks.
const VIDEO_TIMESCALE: u64 = 15_360;
/// Five frames, less what rounding may add: the muxer ends a fragment at the first frame that reaches it.
const VIDEO_CHUNK_MICROS: u64 = 166_000;
/// Two frames of 1,024 samples.
const SOUND_CHUNK_MICROS: u64 = 42_000;
const SOUND: Bitrate = Bitrate(96_000);
/// Seconds of delay that are made up for; a longer one is forgotten.
const CATCH_UP: u64 = 3600;
const SHADOW: &str = "shadowcolor=black@0.45:shadowx=0:shadowy=3";

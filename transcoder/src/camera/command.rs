//! The argument vector of a camera: one ffmpeg process from a picture to an RTMP server.
//!
//! A pure function of scene, preset, start and address. What each part is for:
//!
//! * `ffmetadata` on the gate's pipe, the last input: ffmpeg reads it to its end before the first frame is made, so
//!   the show begins when we close the pipe and not when everything happens to be loaded. The labels of the frames are
//!   then the times at which they were made, to within some milliseconds.
//! * `realtime`, `arealtime`: the pace, kept behind the decoder, which may run ahead. (`-re` looks every 10 ms only, and
//!   begins with a burst of half a second from ffmpeg 6.1 on.) A process that was stopped catches up, hence the limit.
//! * `-g`, from a start on an even second: a keyframe at each even second of Unix time, so that the picture can be passed
//!   through.
//! * `-tune zerolatency`: no frame waits in the encoder for a later one.

use std::ffi::OsString;
use std::fmt::Write as _;

use packager::time::Bitrate;

use super::{Picture, Scene};
use crate::arguments::Arguments;
use crate::command::picture as scaled;
use crate::ladder::Preset;
use crate::process::FIRST_FILE;
use crate::source::{Scan, Source, guarded};

/// Frames a second.
const FRAME_RATE: u64 = 30;
/// From one keyframe to the next, in seconds. A show begins on a multiple of it.
pub(super) const GOP_SECONDS: u64 = 2;
/// The descriptor that holds the show back until it is closed.
const GATE: i32 = FIRST_FILE;

/// ffmpeg's arguments, without the program's name. `start` is when the first frame is due, in seconds since 1970.
pub(super) fn publish(scene: &Scene, preset: Preset, start: u64, url: &str) -> Vec<OsString> {
    let mut arguments = Arguments::default();
    arguments
        .words("-hide_banner -nostdin -loglevel level+warning -nostats -progress pipe:1 -stats_period 1");
    let graph = match &scene.picture {
        Picture::Test => {
            arguments.words("-f lavfi -i").word(WATER).words("-f lavfi -i").word(BEEPS);
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
    let rate = scene.rung.max_rate;
    arguments.words(&format!(
        "-map [v] -c:v libx264 -preset {preset} -tune zerolatency -profile:v high -pix_fmt yuv420p"
    ));
    // Half a second of bits: what a keyframe may take at once.
    arguments.words(&format!("-b:v {rate} -maxrate {rate} -bufsize {}", Bitrate(rate.0 / 2)));
    let gop = GOP_SECONDS * FRAME_RATE;
    arguments.words(&format!("-g {gop} -keyint_min {gop} -sc_threshold 0 -flags +cgop"));
    arguments.words(&format!("-map [a] -c:a aac -profile:a aac_low -b:a {SOUND}"));
    arguments.words("-map_metadata -1 -map_chapters -1 -flvflags no_duration_filesize -f flv").word(url);
    arguments.0
}

fn test_graph(scene: &Scene, start: u64) -> String {
    let time = format!("text='{}':fontsize=72:x=(w-text_w)/2:y=(h-text_h)/2-16", time_of_day(start));
    // The number of the picture within its second: what is skipped or shown twice is seen.
    let frame = format!(
        r"text='UTC  frame %{{eif\:mod(n\,{FRAME_RATE})\:d\:2}}':fontsize=20:x=(w-text_w)/2:y=h/2+44"
    );
    // One lap around the edge of the pool in six seconds: what stutters is seen at once. It is where it belongs at each
    // time, so that a run that is started again goes on with it.
    let turn = format!("((t+{})*PI/3)", start % 6);
    let buoy = format!(
        "text='●':fontcolor=0xffd166:fontsize=30:x=(w-text_w)/2+0.44*w*cos{turn}:y=(h-text_h)/2+0.40*h*sin{turn}"
    );
    format!(
        "[0:v]{},drawtext=font=monospace:fontcolor=white:{SHADOW}:{time},\
         drawtext=font=monospace:fontcolor=white@0.7:{frame},drawtext=font=sans:{buoy},format=yuv420p,\
         scale={}:{}:flags=bicubic[v];[1:a]{}[a]",
        paced(""),
        scene.rung.width,
        scene.rung.height,
        paced("a"),
    )
}

/// A constant rate from time zero on, whatever the file has; the end is followed by the beginning.
fn file_graph(scene: &Scene, source: &Source, start: u64) -> String {
    let mut graph = format!("[0:{}]", source.video.index);
    if source.video.scan == Scan::Interlaced {
        graph.push_str("bwdif=mode=send_frame,");
    }
    let (picture, time) = (scaled(&scene.rung, &source.video), time_of_day(start));
    let sound = source.audio.first().map_or("1:a".to_owned(), |track| format!("0:{}", track.index));
    // Writing to a String cannot fail.
    let _ = write!(
        graph,
        "fps=fps={FRAME_RATE}:start_time=0:round=near,{},{picture},\
         drawtext=font=monospace:fontcolor=white:{SHADOW}:text='{time} UTC':fontsize=h/14:x=h/20:y=h*0.8[v];\
         [{sound}]aresample=48000:async=1:first_pts=0,aformat=channel_layouts=stereo,{}[a]",
        paced(""),
        paced("a"),
    );
    graph
}

/// The clock's pace for a chain of pictures, or of sound with `a` for its kind.
fn paced(kind: &str) -> String {
    format!("{kind}realtime=limit={CATCH_UP}")
}

/// The time of day of each frame for drawtext, in UTC with milliseconds. The commas of expressions are escaped for the
/// filter graph, the colons of functions for drawtext.
fn time_of_day(start: u64) -> String {
    // A microsecond more: sums of thirds fall just below the whole second that they mean.
    format!(r"%{{pts\:gmtime\:{start}.000001\:%T}}.%{{eif\:mod(floor((t+0.000001)*1000)\,1000)\:d\:3}}")
}

/// Moving water.
const WATER: &str = "gradients=size=640x360:rate=30:speed=0.008:nb_colors=5:seed=7\
     :c0=0x04202c:c1=0x0a4d68:c2=0x088395:c3=0x05bfdb:c4=0x0b2e3b";
/// A tone with a beep when the seconds of Unix time change.
const BEEPS: &str =
    "sine=frequency=220:beep_factor=4:sample_rate=48000,volume=0.25,aformat=channel_layouts=stereo";
const SOUND: Bitrate = Bitrate(96_000);
/// Seconds of delay that are made up for; a longer one is forgotten.
const CATCH_UP: u64 = 3600;
const SHADOW: &str = "shadowcolor=black@0.45:shadowx=0:shadowy=3";

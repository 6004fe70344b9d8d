//! HLS that ffmpeg makes: whole presentations in a folder each, whose entry is `main.m3u8`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::fixture::kept;
use crate::rig::tool::{bytes, tool};

/// Pictures of 640x360 and 320x180, sound in English (by default) and German; fragmented MP4, segments of two seconds.
#[must_use]
pub fn ladder() -> PathBuf {
    make("hls-ladder", 8, &["-bf", "2"], &LADDER)
}

/// Pictures and sound in the same segments.
#[must_use]
pub fn muxed() -> PathBuf {
    let map = ["-map", "0", "-map", "1", "-var_stream_map", "v:0,a:0"];
    make("hls-muxed", 6, &["-bf", "2"], &map)
}

/// One file for each rendition, of which the segments are ranges.
#[must_use]
pub fn ranges() -> PathBuf {
    let map = [
        "-hls_flags",
        "single_file",
        "-map",
        "0",
        "-map",
        "1",
        "-var_stream_map",
        "v:0,agroup:s a:0,agroup:s",
    ];
    let map: Vec<&str> = map.into_iter().chain(["-hls_segment_filename", "v%v/all.mp4"]).collect();
    make("hls-ranges", 6, &[], &map)
}

/// MPEG-TS.
#[must_use]
pub fn ts() -> PathBuf {
    let map = ["-map", "0", "-map", "1", "-var_stream_map", "v:0,a:0", "-hls_segment_type", "mpegts"];
    let map: Vec<&str> = map.into_iter().chain(["-hls_segment_filename", "v%v/%d.ts"]).collect();
    make("hls-ts", 4, &[], &map)
}

/// What [`two_parts`] has behind its discontinuity.
#[must_use]
pub fn second() -> PathBuf {
    make("hls-second", 6, &["-bf", "2"], &LADDER)
}

/// The ladder and after it, behind a discontinuity, another one whose timeline starts anew.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn two_parts() -> PathBuf {
    let parts = [ladder(), second()];
    let recipe = format!("2 {}", parts.clone().map(|part| part.display().to_string()).join(" "));
    kept("hls-two-parts", &recipe, |folder| {
        fs::copy(parts[0].join("main.m3u8"), folder.join("main.m3u8")).unwrap();
        for rendition in ["v0", "v1", "v2", "v3"] {
            let mut joined = String::new();
            for (name, part) in ["a", "b"].into_iter().zip(&parts) {
                let from = part.join(rendition);
                let to = folder.join(rendition).join(name);
                fs::create_dir_all(&to).unwrap();
                for entry in fs::read_dir(&from).unwrap().map(Result::unwrap) {
                    fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
                }
                let text = fs::read_to_string(from.join("index.m3u8")).unwrap();
                let body = text.split_once("#EXT-X-MAP").unwrap();
                if joined.is_empty() {
                    joined.push_str(body.0);
                } else {
                    joined.push_str("#EXT-X-DISCONTINUITY\n");
                }
                for line in format!("#EXT-X-MAP{}", body.1).lines().filter(|line| *line != "#EXT-X-ENDLIST") {
                    let line = line.replace("URI=\"", &format!("URI=\"{name}/"));
                    let is_uri = !line.starts_with('#');
                    joined.push_str(&if is_uri { format!("{name}/{line}\n") } else { format!("{line}\n") });
                }
            }
            joined.push_str("#EXT-X-ENDLIST\n");
            fs::write(folder.join(rendition).join("index.m3u8"), joined).unwrap();
        }
    })
}

const LADDER: [&str; 13] = [
    "-map",
    "0",
    "-map",
    "0",
    "-map",
    "1",
    "-map",
    "2",
    "-s:v:1",
    "320x180",
    "-var_stream_map",
    "v:0,agroup:snd v:1,agroup:snd a:0,agroup:snd,language:eng,default:yes a:1,agroup:snd,language:de",
    "-y",
];

fn make(name: &str, seconds: u32, video: &[&str], more: &[&str]) -> PathBuf {
    kept(name, &format!("3 {seconds} {video:?} {more:?}"), |folder| render(folder, seconds, video, more))
}

fn render(folder: &Path, seconds: u32, video: &[&str], more: &[&str]) {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.current_dir(folder).args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    ffmpeg.arg(format!("testsrc2=size=640x360:rate=25:duration={seconds}"));
    for frequency in [440, 880] {
        let tone = format!("sine=frequency={frequency}:sample_rate=48000:duration={seconds}");
        ffmpeg.args(["-f", "lavfi", "-i", &tone]);
    }
    ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1"]);
    ffmpeg
        .args(["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-c:a", "aac", "-ac", "2"])
        .args(video);
    ffmpeg.args(["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]);
    ffmpeg.args(["-master_pl_name", "main.m3u8", "-hls_segment_filename", "v%v/%d.m4s"]);
    bytes(ffmpeg.args(more).arg("v%v/index.m3u8"));
}

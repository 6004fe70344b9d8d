//! A clip to try things with: moving water, the time burnt in, and a tone with a beep each second.
//!
//! The beep sounds when the seconds change, so that a person sees and hears whether picture and sound belong
//! together.

use std::ffi::OsString;
use std::path::Path;

use crate::process::{Running, Tools};
use crate::{Cancel, Error};

/// Makes an MP4 file of `seconds` at `to`: 1280 x 720, 30 frames a second, one stereo track.
///
/// # Errors
/// [`Error::Tool`] where ffmpeg is missing or fails, [`Error::Cancelled`]. Cancelled, it leaves a part of the file.
pub async fn make(tools: &Tools, to: &Path, seconds: u32, cancel: &Cancel) -> Result<(), Error> {
    let ended =
        Running::start(tools, &tools.ffmpeg, arguments(to, seconds), Box::new(|_| ()))?.end(cancel).await?;
    match ended.success() {
        true => Ok(()),
        false => {
            Err(Error::tool(&tools.ffmpeg, format!("expected a test clip, found {}", ended.complaint())))
        }
    }
}

fn arguments(to: &Path, seconds: u32) -> Vec<OsString> {
    let water = format!(
        "gradients=size=1280x720:rate=30:duration={seconds}:speed=0.008:nb_colors=5:seed=7\
         :c0=0x04202c:c1=0x0a4d68:c2=0x088395:c3=0x05bfdb:c4=0x0b2e3b"
    );
    // The commas of expressions are escaped for the filter graph, the colons of functions for drawtext.
    let time = r"text='%{pts\:hms}':fontcolor=white:fontsize=132:x=(w-text_w)/2:y=(h-text_h)/2-20:shadowcolor=black@0.45:shadowx=0:shadowy=4";
    let name = "text='forebay':fontcolor=white@0.85:fontsize=40:x=(w-text_w)/2:y=h/2+88";
    let frame = r"text='frame %{frame_num}':fontcolor=white@0.6:fontsize=26:x=(w-text_w)/2:y=h/2+146";
    // One lap around the edge of the pool in six seconds: what stutters is seen at once.
    let buoy = r"text='●':fontcolor=0xffd166:fontsize=56:x=(w-text_w)/2+0.40*w*cos(t*1.0471976):y=(h-text_h)/2+0.36*h*sin(t*1.0471976)";
    let tone = format!("sine=frequency=220:beep_factor=4:sample_rate=48000:duration={seconds}");
    let graph = format!(
        "[0:v]drawtext=font=monospace:{time},drawtext=font=sans:{name},drawtext=font=monospace:{frame},drawtext=font=sans:{buoy},\
         format=yuv420p[v];[1:a]volume=0.25,aformat=channel_layouts=stereo[a]"
    );
    let fixed = ["-hide_banner", "-nostdin", "-loglevel", "level+warning", "-y"];
    let encode =
        ["-map", "[v]", "-map", "[a]", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "16", "-g", "60"];
    let sound = [
        "-c:a",
        "aac",
        "-b:a",
        "160k",
        "-metadata:s:a:0",
        "language=eng",
        "-movflags",
        "+faststart",
        "-f",
        "mp4",
    ];
    let mut arguments: Vec<OsString> = fixed.iter().map(OsString::from).collect();
    for source in [water, tone] {
        arguments.extend(["-f", "lavfi", "-i"].map(OsString::from));
        arguments.push(source.into());
    }
    arguments.extend([OsString::from("-filter_complex"), graph.into()]);
    arguments.extend(encode.iter().chain(&sound).map(OsString::from));
    arguments.push(to.into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_clip_is_as_long_as_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("clip.mp4");
        make(&Tools::default(), &to, 2, &Cancel::new()).await.unwrap();
        let source = crate::source::Source::probe(&to, &Tools::default(), &Cancel::new()).await.unwrap();
        assert_eq!((source.video.width, source.video.height), (1280, 720));
        assert_eq!(source.audio.len(), 1);
    }
}

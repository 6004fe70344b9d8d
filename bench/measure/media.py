"""The media that are served: made once, kept in bench/work.

The ladder has the layout of `forebay transcode`: one fragmented object per track, closed GOPs of two seconds, a
fragment for each. Half a minute is encoded and then repeated without encoding it again: the encoder would take a
quarter of an hour, and to a server the bytes are as good as new, because they lie elsewhere in the file.
"""

import subprocess
from pathlib import Path

CLIP_SECONDS = 30
LADDER_SECONDS = 600
LONG_SECONDS = 7200
GOP = 60
RUNGS = {1080: 5400, 720: 2800, 360: 950}  # kb/s
FRAGMENTS = "+cmaf+delay_moov+frag_keyframe+skip_trailer"


def ladder(work: Path) -> Path:
    """A folder with video of 1080, 720 and 360 lines and sound, ten minutes long: about 0.7 GB."""
    folder = work / "store" / "vod" / "walk"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for lines, rate in RUNGS.items():
            repeat(clip(work, lines, rate), LADDER_SECONDS, folder / f"v{lines}.mp4")
        ffmpeg(
            *f"-f lavfi -i sine=frequency=330:sample_rate=48000:duration={LADDER_SECONDS}".split(),
            *"-af aresample,tremolo=f=2 -ac 2 -c:a aac -b:a 128k -frag_duration 2000000".split(),
            *f"-movflags +cmaf+delay_moov+skip_trailer -f mp4 {folder / 'sound.mp4'}".split(),
        )
        (folder / "done").touch()
    return folder


def interleaved(work: Path) -> Path:
    """An asset of one file, ten minutes of pictures of 360 lines and of sound between them, as cameras and editors write it."""
    path = work / "store" / "vod" / "interleaved" / "film.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        walk = ladder(work)
        ffmpeg(*f"-i {walk / 'v360.mp4'} -i {walk / 'sound.mp4'} -map 0:v -map 1:a -c copy -f mp4 {path}".split())
    return path


def hot_object(work: Path) -> Path:
    """An asset whose segments are about a megabyte each."""
    folder = work / "store" / "vod" / "hot"
    path = folder / "v540.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        repeat(clip(work, 540, 1430), CLIP_SECONDS * 2, path)
    return path


def long_track(work: Path) -> Path:
    """Two hours of video at thirty frames a second; small pictures, as only their number matters."""
    path = work / "long.mp4"
    if not path.exists():
        repeat(clip(work, 90, 60), LONG_SECONDS, path)
    return path


def input_clip(work: Path) -> Path:
    """A minute for `forebay transcode`, which makes a registered asset of it."""
    path = work / "input.mp4"
    if not path.exists():
        ffmpeg(
            *"-f lavfi -i testsrc2=size=1280x720:rate=30:duration=60".split(),
            *"-f lavfi -i sine=frequency=330:sample_rate=48000:duration=60".split(),
            *f"-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -f mp4 {path}".split(),
        )
    return path


def live_clips(work: Path) -> dict[str, Path]:
    """The tracks of a live show by name, each a fragmented file: four of pictures, and eight seconds of sound."""
    found = {}
    for lines, rate in (RUNGS | {540: 1430}).items():
        found[str(lines)] = path = work / f"live-{lines}.mp4"
        if not path.exists():
            ffmpeg(*f"-i {clip(work, lines, rate)} -c copy -movflags {FRAGMENTS} -f mp4 {path}".split())
    found["sound"] = path = work / "live-sound.mp4"
    if not path.exists():
        ffmpeg(
            *"-f lavfi -i sine=frequency=330:sample_rate=48000:duration=9 -af tremolo=f=2 -ac 2".split(),
            *"-c:a aac -b:a 128k -frames:a 375 -frag_duration 2000000".split(),
            *f"-movflags +cmaf+delay_moov+skip_trailer -f mp4 {path}".split(),
        )
    return found


def publication(work: Path, lines: int, rate: int) -> Path:
    """What a publisher sends over RTMP, round and round. No B-frames, as encoders for low latency have none."""
    path = work / f"rtmp-{lines}-{rate}.flv"
    if not path.exists():
        width = lines * 16 // 9 // 2 * 2
        ffmpeg(
            *f"-f lavfi -i testsrc2=size={width}x{lines}:rate=30:duration=16,noise=alls=8:allf=t".split(),
            *"-f lavfi -i sine=frequency=330:sample_rate=48000:duration=16 -af tremolo=f=2 -ac 2".split(),
            *f"-c:v libx264 -preset superfast -profile:v high -pix_fmt yuv420p -bf 0 -b:v {rate}k".split(),
            *f"-maxrate {rate}k -bufsize {rate}k -g {GOP} -keyint_min {GOP} -sc_threshold 0 -flags +cgop".split(),
            *f"-c:a aac -b:a 128k -f flv {path}".split(),
        )
    return path


def clip(work: Path, lines: int, rate: int) -> Path:
    """Moving shapes under noise, with B-frames: sizes that vary as those of real pictures do."""
    path = work / f"clip-{lines}.mp4"
    if not path.exists():
        width = lines * 16 // 9
        ffmpeg(
            *f"-f lavfi -i testsrc2=size={width}x{lines}:rate=30:duration={CLIP_SECONDS},noise=alls=8:allf=t".split(),
            *f"-c:v libx264 -preset superfast -profile:v high -pix_fmt yuv420p -bf 2 -b:v {rate}k".split(),
            *f"-maxrate {rate}k -bufsize {rate}k -g {GOP} -keyint_min {GOP} -sc_threshold 0 -flags +cgop".split(),
            *f"-video_track_timescale 15360 -f mp4 {path}".split(),
        )
    return path


def repeat(source: Path, seconds: int, path: Path) -> None:
    """The clip again and again, copied as it is."""
    times = seconds // CLIP_SECONDS - 1
    ffmpeg(
        *f"-stream_loop {times} -i {source} -c copy -video_track_timescale 15360".split(),
        *f"-use_editlist 1 -movflags {FRAGMENTS} -f mp4 {path}".split(),
    )


def ffmpeg(*arguments: str) -> None:
    """Runs ffmpeg into a file beside the wanted one, so that what stands there is whole."""
    *before, path = arguments
    part = f"{path}.part"
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *before, part], check=True)
    Path(part).rename(path)

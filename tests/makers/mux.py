"""mux.py OUT SECONDS RATE SAMPLE_RATE OPTIONS: a clip encoded and muxed through PyAV.

RATE is frames per second as a fraction, 0 for no picture; SAMPLE_RATE is 0 for no sound; OPTIONS is a list of muxer
options such as `movflags=frag_keyframe+empty_moov`, separated by blanks.
"""

import sys
from fractions import Fraction

import av

out, seconds, rate, sample_rate, options = sys.argv[1], int(sys.argv[2]), Fraction(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
WIDTH, HEIGHT = 320, 180


def picture(number):
    """A field of colour that changes with every frame, with a bar that wanders."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, value in zip(frame.planes, (number * 3 % 200 + 20, number * 7 % 256, number * 11 % 256)):
        rows = bytearray([value]) * plane.buffer_size
        bar = number * 4 % plane.height
        rows[bar * plane.line_size:(bar + 1) * plane.line_size] = bytes([235]) * plane.line_size
        plane.update(bytes(rows))
    return frame


def sound(number, size):
    """A saw tooth."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=size)
    frame.sample_rate = sample_rate
    start = number * size
    frame.planes[0].update(b"".join(((start + i) * 300 % 20000).to_bytes(2, "little") for i in range(size)))
    frame.pts = start
    frame.time_base = Fraction(1, sample_rate)
    return frame


with av.open(out, "w", options=dict(option.split("=") for option in options.split())) as container:
    video = audio = None
    if rate:
        video = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "g": "50", "bf": "3", "threads": "1"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    if sample_rate:
        audio = container.add_stream("aac", rate=sample_rate, layout="mono")
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=sample_rate)
    frames, made = int(seconds * rate), 0
    for number in range(max(frames, 1)):
        if video:
            container.mux(video.encode(picture(number)))
        until = (number + 1) / rate if rate else seconds
        while audio and made * 1024 < until * sample_rate:
            for frame in resampler.resample(sound(made, 1024)):
                container.mux(audio.encode(frame))
            made += 1
    for stream in filter(None, (video, audio)):
        container.mux(stream.encode(None))

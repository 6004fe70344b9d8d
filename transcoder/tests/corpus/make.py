"""Writes the corpus beside it: one file for each idea that broke, or could break, a reader of this kind.

    python3 make.py

Fuzzers start from these files, and `tests/corpus.rs` runs each of them through its body. The first byte of a file says how
the bytes behind it are split, and whether the publisher is let in (below 0x80).

`rtmp/recorded-*` are not made here: they are what encoders sent to a listener, after one byte 0x3f. Their sources:

    S="-f lavfi -i testsrc2=size=64x36:rate=10:duration=1 -f lavfi -i sine=frequency=440:duration=1"
    ffmpeg $S -c:v libx264 -preset veryfast -bf 2 -g 10 -crf 40 -pix_fmt yuv420p -c:a aac -b:a 24k -ac 1 tiny.flv
    ffmpeg-8.1 $S -c:v libx265 -preset ultrafast -crf 40 -pix_fmt yuv420p -c:a libopus -b:a 16k -ac 1 tiny.mkv
    ffmpeg-8.1 -i tiny.flv -i tiny.flv -map 0:v -map 1:v -map 0:a -map 1:a -c copy twice.mkv

sent by `-map 0 -c copy -f flv`, and the first of them through flvdemux and flvmux by rtmp2sink and by rtmpsink (librtmp).
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "rtmp"
GREETING = b"\x03" + b"\x07" * 3072


def number(value):
    return b"\x00" + struct.pack(">d", value)


def text(value):
    return b"\x02" + struct.pack(">H", len(value)) + value


def fields(**values):
    named = b"".join(struct.pack(">H", len(name)) + name.encode() + value for name, value in values.items())
    return b"\x03" + named + b"\x00\x00\x09"


NULL = b"\x05"


def message(lane, kind, payload, at=0, stream=1, size=128):
    """A whole message: one chunk with a full header, the others with none."""
    stamp = min(at, 0xFFFFFF)
    head = bytes([lane]) + struct.pack(">I", stamp)[1:] + struct.pack(">I", len(payload))[1:]
    head += bytes([kind]) + struct.pack("<I", stream)
    extended = struct.pack(">I", at) if at >= 0xFFFFFF else b""
    pieces = [payload[i : i + size] for i in range(0, len(payload), size)] or [b""]
    return head + extended + (bytes([0xC0 | lane]) + extended).join(pieces)


def command(*values):
    return message(3, 20, b"".join(values))


CONNECT = command(text(b"connect"), number(1), fields(app=text(b"live"), flashVer=text(b"fuzz"), capsEx=number(15)))
CREATE = command(text(b"createStream"), number(2), NULL)
PUBLISH = command(text(b"publish"), number(3), NULL, text(b"key?a=b"), text(b"live"))
DELETE = command(text(b"deleteStream"), number(4), NULL, number(1))
ON_AIR = GREETING + CONNECT + CREATE + PUBLISH

AVC_HEADER = bytes([0x17, 0, 0, 0, 0]) + b"\x01\x64\x00\x1f\xff\xe1\x00\x00\x01\x00\x00"
AVC_FRAME = bytes([0x17, 1, 0, 0, 80]) + b"\x00\x00\x00\x01\x65"
AAC_HEADER = bytes([0xAF, 0, 0x12, 0x10])
AAC_FRAME = bytes([0xAF, 1]) + b"\x21" * 200


def video(payload, at=0):
    return message(6, 9, payload, at)


def audio(payload, at=0):
    return message(4, 8, payload, at)


def control(kind, value):
    return message(2, kind, struct.pack(">I", value), stream=0)


def part(kind, at, body):
    head = bytes([kind]) + struct.pack(">I", len(body))[1:] + struct.pack(">I", at)[1:] + bytes([at >> 24]) + b"\0\0\0"
    return head + body + struct.pack(">I", 11 + len(body))


METADATA = text(b"onMetaData") + b"\x08\x00\x00\x00\x02\x00\x05width" + number(640) + b"\x00\x00\x09"
MANY_TRACKS = bytes([0x96, 0x11]) + b"hvc1" + b"\x01\x00\x00\x02no" + b"\x00\x00\x00\x04\x00\x00\x00y"
MANY_CODECS = bytes([0x95, 0x21]) + b"Opus" + b"\x02\x00\x00\x01n" + b"mp4a" + b"\x00\x00\x00\x01y"

cases = {
    "greeting-cut": GREETING[:1000],
    "greeting-http": b"GET / HTTP/1.1\r\n\r\n",
    "greeting-tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "connect-twice": GREETING + CONNECT + CONNECT,
    "publish-first": GREETING + PUBLISH,
    "publish-twice": ON_AIR + PUBLISH,
    "publish-again": ON_AIR + audio(AAC_FRAME) + DELETE + PUBLISH + audio(AAC_FRAME, 50),
    "play": GREETING + CONNECT + command(text(b"play"), number(5), NULL, text(b"key")),
    "show": ON_AIR + message(4, 18, text(b"@setDataFrame") + METADATA) + video(AVC_HEADER) + audio(AAC_HEADER)
    + video(AVC_FRAME, 40) + audio(AAC_FRAME, 46) + DELETE,
    "woven": ON_AIR + video(AVC_FRAME * 20)[: 12 + 128] + audio(AAC_FRAME) + bytes([0xC6]) + (AVC_FRAME * 20)[128:],
    "times-wrap": ON_AIR + audio(AAC_FRAME, 0xFFFFFFF0) + audio(AAC_FRAME, 16) + audio(AAC_FRAME, 0x80000000),
    "times-leap": ON_AIR + audio(AAC_FRAME, 0xFFFFFF) + audio(AAC_FRAME, 0xFFFFFE) + audio(AAC_FRAME, 0),
    "times-left-out": ON_AIR + audio(AAC_FRAME, 0x1000000).replace(b"\xc4\x01\x00\x00\x00", b"\xc4") + audio(AAC_FRAME),
    "chunk-size-1": GREETING + control(1, 1) + message(3, 20, text(b"connect") + number(1) + fields(app=text(b"x")), size=1),
    "chunk-size-0": GREETING + control(1, 0),
    "chunk-size-giant": ON_AIR + control(1, 0x7FFFFFFF) + message(6, 9, AVC_FRAME * 100, size=1 << 20),
    "chunk-size-too-large": GREETING + control(1, 0x80000000),
    "chunk-streams": ON_AIR + b"".join(message(lane, 8, AAC_HEADER) for lane in range(4, 40)),
    "chunk-stream-long": ON_AIR + b"\x00\x05" + message(3, 8, AAC_HEADER)[1:] + b"\x01\xff\xff" + message(3, 8, AAC_HEADER)[1:],
    "header-short-first": ON_AIR + b"\x49\x00\x00\x05\x00\x00\x04\x08" + AAC_HEADER,
    "header-none-first": ON_AIR + b"\xc9" + AAC_HEADER,
    "header-inside": ON_AIR + video(AVC_FRAME * 20)[: 12 + 128] + video(AVC_FRAME),
    "abort": ON_AIR + video(AVC_FRAME * 20)[: 12 + 128] + control(2, 6) + video(AVC_FRAME),
    "abort-inside": ON_AIR + video(AVC_FRAME * 20)[: 12 + 60] + control(2, 6) + video(AVC_FRAME),
    "length-giant": ON_AIR + b"\x06\x00\x00\x00\xff\xff\xff\x09\x01\x00\x00\x00",
    "length-zero": ON_AIR + video(b"") + audio(b"") + message(3, 20, b"x")[:12].replace(b"\x01\x14", b"\x00\x14"),
    "unfinished": ON_AIR + b"".join(message(lane, 9, b"\x27" * 16000)[: 12 + 128] for lane in range(4, 10)) * 1
    + b"".join((bytes([0xC0 | lane]) + b"\x27" * 128) for lane in list(range(4, 10)) * 40),
    "amf-deep": GREETING + message(3, 20, b"\x0a\x00\x00\x00\x01" * 800),
    "amf-count": GREETING + message(3, 20, b"\x0a\xff\xff\xff\xff\x05"),
    "amf-references": GREETING + message(3, 20, b"\x0a\x00\x00\x00\x02\x05\x07\x00\x00"),
    "amf-long-text": GREETING + message(3, 20, b"\x0c\xff\xff\xff\xff" + b"a" * 64),
    "amf-no-end": GREETING + message(3, 20, b"\x03\x00\x01a\x05"),
    "amf3-command": GREETING + message(3, 17, b"\x00" + text(b"connect") + number(1) + fields(app=text(b"x"))),
    "amf3-data": ON_AIR + message(4, 15, b"\x00" + METADATA) + message(4, 15, b"\x11\x01"),
    "data-cleared": ON_AIR + message(4, 18, text(b"@clearDataFrame") + text(b"onMetaData")),
    "data-nameless": ON_AIR + message(4, 18, number(1)) + message(4, 18, text(b"@setDataFrame")),
    "aggregate": ON_AIR + message(6, 22, part(9, 10, AVC_FRAME) + part(8, 20, AAC_FRAME) + part(18, 20, METADATA), 500),
    "aggregate-cut": ON_AIR + message(6, 22, part(9, 10, AVC_FRAME) + part(8, 20, AAC_FRAME)[:-30]),
    "aggregate-many": ON_AIR + message(6, 22, part(8, 0, b"\xaf") * 900),
    "enhanced-hevc": ON_AIR + video(b"\x90hvc1" + b"\x01" * 23) + video(b"\x91hvc1\xff\xff\xfe" + b"\x05" * 9, 33),
    "enhanced-avc": ON_AIR + video(b"\x90avc1" + AVC_HEADER[5:]) + video(b"\x91avc1\x00\x00\x28" + b"\x05" * 9, 33)
    + video(b"\xa3avc1" + b"\x05" * 9, 66) + video(b"\x92avc1", 99) + audio(b"\x90mp4a\x12\x10") + audio(b"\x91mp4a\x21", 9),
    "enhanced-modifier": ON_AIR + video(b"\x97\x02\x01\x02\x03\x01av01\x12\x00") + video(b"\x97\xff\x01\x00"),
    "enhanced-tracks": ON_AIR + video(MANY_TRACKS) + audio(MANY_CODECS) + video(b"\x96\x01hvc1\x00\x00\x00\x00y"),
    "enhanced-tracks-nested": ON_AIR + video(b"\x96\x16hvc1\x00\x00\x00\x01y") + audio(b"\x95\x15Opus\x00\x00\x00\x01y"),
    "enhanced-cut": ON_AIR + video(b"\x91hv") + video(b"\x91hvc1\x00") + audio(b"\x91"),
    "codecs-old": ON_AIR + video(b"\x12abc") + video(b"\x57\x00") + audio(b"\x2fabc") + audio(b"\xaf"),
    "pings": ON_AIR + message(2, 4, b"\x00\x06\x00\x00\x00\x01", stream=0) * 50 + message(2, 4, b"\x00"),
    "window": ON_AIR + control(5, 1) + control(3, 9) + message(2, 6, b"\x00\x00\x00\x01\x02", stream=0) + audio(AAC_FRAME),
    "streams": GREETING + CONNECT + CREATE * 70,
}
for name, data in cases.items():
    (HERE / name).write_bytes(bytes([len(name) * 7 & 0x7F]) + data)
(HERE / "refused").write_bytes(b"\x9f" + ON_AIR + audio(AAC_FRAME) + PUBLISH)
(HERE / "empty").write_bytes(b"")

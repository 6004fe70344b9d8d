"""The playlists on standard input, a JSON array of texts, as PyPI's m3u8 reads them: a JSON array of

multivariant  {"variants": [{"uri", "bandwidth", "codecs", "height"}], "media": [uri]}
media         {"target", "ended", "sequence", "partTarget", "skipped", "hint", "complaints": [text],
               "segments": [{"uri", "duration", "map", "gap", "discontinuity", "parts": [part]}], "open": [part],
               "reports": [{"uri", "msn", "part"}], "ranges": [id]}, a part is {"uri", "duration", "independent", "gap"}

Durations are seconds. What a playlist does not say is null or an empty list. `ranges` is null: this parser drops a date
range behind the last part.
"""

import json
import sys

import m3u8


def multivariant(playlist):
    return {
        "variants": [
            {
                "uri": variant.uri,
                "bandwidth": variant.stream_info.bandwidth,
                "codecs": variant.stream_info.codecs,
                "height": variant.stream_info.resolution[1] if variant.stream_info.resolution else None,
            }
            for variant in playlist.playlists
        ],
        "media": [media.uri for media in playlist.media if media.type == "AUDIO"],
    }


def part(read):
    return {
        "uri": read.uri,
        "duration": read.duration,
        "independent": read.independent == "YES",
        "gap": read.gap == "YES",
    }


def media(playlist):
    # Parts behind the last URI come as a segment without one.
    whole = [segment for segment in playlist.segments if segment.uri]
    rest = [segment for segment in playlist.segments if not segment.uri]
    return {
        "target": playlist.target_duration,
        "ended": playlist.is_endlist,
        "sequence": playlist.media_sequence,
        "partTarget": playlist.part_inf.part_target if playlist.part_inf else None,
        "skipped": playlist.skip.skipped_segments if playlist.skip else None,
        "hint": playlist.preload_hint.uri if playlist.preload_hint else None,
        "complaints": [],
        "segments": [
            {
                "uri": segment.uri,
                "duration": segment.duration,
                "map": segment.init_section.uri if segment.init_section else None,
                "gap": bool(segment.gap_tag),
                "discontinuity": segment.discontinuity,
                "parts": [part(read) for read in segment.parts],
            }
            for segment in whole
        ],
        "open": [part(read) for segment in rest for read in segment.parts],
        "reports": [
            {"uri": report.uri, "msn": report.last_msn, "part": report.last_part}
            for report in playlist.rendition_reports
        ],
        "ranges": None,
    }


def read(text):
    playlist = m3u8.loads(text)
    return multivariant(playlist) if playlist.is_variant else media(playlist)


json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)

"""The playlist on standard input as PyPI's m3u8 reads it, as JSON:

multivariant  {"variants": [{"uri", "bandwidth", "codecs", "height"}], "media": [uri]}
media         {"target": seconds, "ended": bool, "segments": [{"uri", "duration", "map"}]}
"""

import json
import sys

import m3u8

playlist = m3u8.loads(sys.stdin.read())
if playlist.is_variant:
    answer = {
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
else:
    answer = {
        "target": playlist.target_duration,
        "ended": playlist.is_endlist,
        "segments": [
            {
                "uri": segment.uri,
                "duration": segment.duration,
                "map": segment.init_section.uri if segment.init_section else None,
            }
            for segment in playlist.segments
        ],
    }
json.dump(answer, sys.stdout)

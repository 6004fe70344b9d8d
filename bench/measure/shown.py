"""One run at a store that is 25 ms away, to be looked at: reads, bytes, memory, collapsing, and two nodes that agree."""

import hashlib
import re
import urllib.request

from . import cold, slow
from .far import MILLIS, Far, Store, paths, register, settle, summed


def measure(far: Far, segments: list[str]) -> dict:
    store = Store(far)
    one = far.forebay(store, "node-1")
    found: dict = {"millis": MILLIS}
    try:
        register(far, one)
        known = paths(far, one)
        one.restart()
        settle()
        store.asked()
        for name, path in (("main playlist", known.main), ("media playlist", known.playlist), ("first segment", known.segment)):
            one.get(path)
            settle()
            found[name] = summed(store.asked())
        one.restart()
        found["2,000 at once"] = cold.together(far, store, one, known.segment, 2000)
        two = far.forebay(store, "node-2")
        try:
            found["hashes"] = [same(path, one, two) for path in every(one, known)]
        finally:
            two.stop()
    finally:
        one.stop()
        store.stop()
    found["slow"] = slow.cold(far, segments)["forebay"] | {"clients": len(segments)}
    for name in ("main playlist", "media playlist", "first segment", "2,000 at once"):
        row = found[name]
        print(f"  {name}: {row['questions']} questions, {row['reads']} reads, {row['bytes']} bytes, {row['round_trips']} round trips")
    print(f"  {found['slow']['clients']} slow clients: {found['slow']['peak_mb']:.0f} MB at the most")
    for row in found["hashes"]:
        print(f"  {row['path']}  node 1 {row['one'][:16]} {row['tags'][0]}  node 2 {row['two'][:16]} {row['tags'][1]}", flush=True)
    return found


def every(node, known) -> list[str]:
    """The playlists, the init segment and the first segments of a rendition."""
    text = node.get(known.playlist).decode()
    folder = known.playlist.rsplit("/", 1)[0]
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)[1]
    names = re.findall(r"^(?!#)(\S+)", text, re.MULTILINE)
    return [known.main, known.playlist, f"{folder}/{init}", *(f"{folder}/{name}" for name in names[:4])]


def same(path: str, one, two) -> dict:
    sums, tags = [], []
    for node in (one, two):
        with urllib.request.urlopen(f"http://127.0.0.1:{node.ports['http']}{node.prefix}{path}", timeout=60) as answer:
            sums.append(hashlib.sha256(answer.read()).hexdigest())
            tags.append(answer.headers["etag"])
    if sums[0] != sums[1] or tags[0] != tags[1]:
        raise SystemExit(f"{path}: two nodes differ")
    return {"path": path, "one": sums[0], "two": sums[1], "tags": tags}

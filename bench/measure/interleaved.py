"""Sound alone out of a file in which it lies between the pictures."""

import re

from . import media
from .far import Far, Store, reads, settle

BUDGET = 1.1


def measure(far: Far) -> dict:
    """All segments of the sound, then all of the pictures: what was read for what was delivered."""
    media.interleaved(far.work)
    store = Store(far, millis=0)
    forebay = far.forebay(store)
    try:
        main = forebay.get("/vod/interleaved/main.m3u8").decode()
        uris = sorted(set(re.findall(r'^(?!#)(\S+)', main, re.MULTILINE)) | set(re.findall(r'URI="([^"]+)"', main)))
        row = {"budget": BUDGET}
        store.asked()
        total = {"read": 0, "delivered": 0}
        for kind in ("audio", "video"):
            [uri] = [uri for uri in uris if f"/{kind}" in uri]
            folder = f"/vod/interleaved/{uri.rsplit('/', 1)[0]}"
            names = re.findall(r"^(?!#)(\S+)", forebay.get(f"/vod/interleaved/{uri}").decode(), re.MULTILINE)
            came = far.drive(forebay, [f"{folder}/{name}" for name in names], len(names), connections=1)
            settle()
            asked = reads(store.asked())
            row[kind] = {"read": sum(one["bytes"] for one in asked), "reads": len(asked), "delivered": came["bytes"]}
            total = {name: total[name] + row[kind][name] for name in total}
    finally:
        forebay.stop()
        store.stop()
    row |= {"ratio": total["read"] / total["delivered"], "met": total["read"] / total["delivered"] <= BUDGET}
    row["audio_ratio"] = row["audio"]["read"] / row["audio"]["delivered"]
    print(f"  interleaved: sound alone read {row['audio_ratio']:.1f} times what it delivered, with the pictures {row['ratio']:.3f}", flush=True)
    return row

"""A crawl through a catalogue beside a set of media that everybody asks for: how much of the set stays in the cache.

The set is 360p of the walk (72 MB). The crawl asks once for each segment of four other assets (1.6 GB), two requests of
the set to one of its own. The caches have room for twice the set. What is read of the set meanwhile was not in the cache.
"""

import os
import shutil
from pathlib import Path

from .far import Far, Store, named, settle
from .peers import Peer, free_port, start
from .slow import link

COPIES = 4
PASSES = 3
MEMORY = 'memory = "256MiB"'
# Blocks have three fifths of it.
VARNISH = "malloc,154M"
ON_DISK = 'memory = "32MiB"\ndisk = "blocks"\ndisk_size = "160MiB"'
VARNISH_ON_DISK = "file,blocks,160M"


class Varnish(Peer):
    """Varnish, which keeps what was used last."""

    def __init__(self, far: Far, store: Store, storage: str):
        ports = {"http": free_port()}
        home = far.work / "varnish"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        vcl = home / "far.vcl"
        vcl.write_text(
            f"""vcl 4.1;
backend store {{ .host = "127.0.0.1"; .port = "{store.ports['http']}"; }}
sub vcl_backend_response {{ set beresp.ttl = 1d; set beresp.grace = 0s; set beresp.keep = 0s; }}
"""
        )
        self.prefix = "/media"
        command = ["varnishd", "-F", "-j", "none", "-n", home / "state", "-a", f"127.0.0.1:{ports['http']}", "-f", vcl]
        command += ["-s", storage.replace("blocks", str(home / "blocks")), "-s", "Transient=malloc,32M", "-p", "thread_pool_min=5", "-p", "thread_pools=1"]
        super().__init__("varnish", start((home / "log").open("w"), *command), ports)


def measure(far: Far, hot: list[str], long: list[str]) -> dict:
    """`hot` and `long` are the segments of the set and of one crawled asset, as paths of the asset `walk`."""
    link(far, COPIES)
    assets(far, COPIES)
    store = Store(far, millis=0)
    rows = []
    try:
        for title, make in (
            ("forebay, memory (TinyLFU)", lambda: far.forebay(store, "crawl", MEMORY)),
            ("Varnish, memory (last used)", lambda: Varnish(far, store, VARNISH)),
            ("forebay, disk (S3-FIFO)", lambda: far.forebay(store, "crawl", ON_DISK)),
            ("Varnish, disk (last used)", lambda: Varnish(far, store, VARNISH_ON_DISK)),
        ):
            peer = make()
            try:
                rows.append(crawled(far, store, peer, title, hot, long))
            finally:
                peer.stop()
    finally:
        store.stop()
    return {"rows": rows, "set": len(hot), "crawled": len(long) * COPIES}


def crawled(far: Far, store: Store, peer: Peer, title: str, hot: list[str], long: list[str]) -> dict:
    is_ours = peer.name == "forebay"
    known: dict[str, str] = {}
    every = [named(peer, path, "walk", known) if is_ours else f"/static{path}" for path in hot]
    crawl = [
        named(peer, path, f"crawl-{copy}", known) if is_ours else f"/static{f'-{copy}' if copy else ''}{path}"
        for copy in range(COPIES) for path in long
    ]
    far.drive(peer, every, PASSES * len(every), connections=4)
    settle()
    store.asked()
    without = read_of_set(store, is_ours, far.drive(peer, every, len(every), connections=4))
    mixed = []
    for number, path in enumerate(crawl):
        mixed += [every[2 * number % len(every)], every[(2 * number + 1) % len(every)], path]
    store.asked()
    sizes = sum((far.work / "static" / path[1:]).stat().st_size for path in hot)
    far.drive(peer, mixed, len(mixed), connections=4)
    came = {"bytes": sizes * 2 * len(crawl) / len(hot)}
    beside = read_of_set(store, is_ours, came)
    row = {"title": title, "without": without, "beside": beside}
    print(f"  {title}: {without:.1%} of the set's bytes from the cache without the crawl, {beside:.1%} beside it", flush=True)
    return row


def read_of_set(store: Store, is_ours: bool, came: dict) -> float:
    """The share of the set's bytes that did not come from the store."""
    mark = "/v360.mp4" if is_ours else "/video-360/"
    read = sum(question["bytes"] for question in store.asked() if mark in question["what"] and "/crawl-" not in question["what"])
    return 1 - read / came["bytes"]


def assets(far: Far, copies: int) -> None:
    """The tallest rendition of the walk as assets of their own."""
    for number in range(copies):
        folder = far.work / "store" / "vod" / f"crawl-{number}"
        folder.mkdir(exist_ok=True)
        file: Path = folder / "v1080.mp4"
        if not file.exists():
            os.link(far.work / "store" / "vod" / "walk" / "v1080.mp4", file)

"""What a cold origin reads: counted by the origin itself, as its store has no latency here that could be timed."""

import re
import subprocess

from . import media
from .peers import load_command
from .scenes import Bench

READS = 'forebay_store_requests_total{operation='
COUNTED = {"store requests": "forebay_store_requests_total", "bytes": "forebay_store_read_bytes_total",
           "catalogue": "forebay_catalog_lookups_total"}


def register(bench: Bench) -> None:
    """A registered asset, made as an operator makes one."""
    listing = bench.work / "store" / "vod" / "cold"
    if not listing.exists():
        arguments = ("transcode", media.input_clip(bench.work), "--asset", "cold", "--preset", "ultrafast")
        bench.forebay.command(*arguments, "--config", bench.forebay.config)


def reads(bench: Bench) -> dict:
    """Reads of the store: for a first viewer, and for many at once."""
    forebay = bench.forebay
    steps = []

    def step(title: str, work) -> None:
        before = forebay.counters()
        work()
        after = forebay.counters()
        row = {"title": title} | {name: after.get(key, 0) - before.get(key, 0) for name, key in COUNTED.items()}
        row["operations"] = {
            re.search(r'operation="(\w+)"', key)[1]: after[key] - before.get(key, 0)
            for key in after if key.startswith(READS) and after[key] != before.get(key, 0)
        }
        steps.append(row)
        print(f"  {title}: {row['store requests']:.0f} store requests {row['operations']}", flush=True)

    def crowd(path: str, clients: int) -> None:
        listed = bench.list("crowd", [path])
        subprocess.run(load_command(bench.load, forebay, listed, clients, connections=clients), check=True,
                       capture_output=True)

    forebay.restart()
    main = "/vod/cold/main.m3u8"
    step("main playlist, cold", lambda: forebay.get(main))
    text = forebay.get(main).decode()
    playlist = re.search(r"^(?!#)(\S+)", text, re.MULTILINE)[1]
    folder = f"/vod/cold/{playlist.rsplit('/', 1)[0]}"
    step("its media playlist", lambda: forebay.get(f"/vod/cold/{playlist}"))
    name = re.search(r"^(?!#)(\S+)", forebay.get(f"/vod/cold/{playlist}").decode(), re.MULTILINE)[1]
    segment = f"{folder}/{name}"
    step("its first segment", lambda: forebay.get(segment))
    forebay.restart()
    step("first segment, all cold", lambda: forebay.get(segment))
    for clients in (50, 500):
        forebay.restart()
        step(f"main playlist, {clients} at once", lambda: crowd(main, clients))
        step(f"first segment, {clients} at once", lambda: crowd(segment, clients))
    renditions = len(re.findall(r"^#EXT-X-STREAM-INF", text, re.MULTILINE))
    return {"title": "cold", "renditions": renditions, "steps": steps}

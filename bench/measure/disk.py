"""The walk out of the disk of the cache, beside nginx and its files."""

import shutil
import time

from . import scenes
from .peers import Forebay

CACHE = 'memory = "64MiB"\ndisk = "blocks"\ndisk_size = "8GiB"'


def server(binary, work, trust) -> Forebay:
    home = work / "disk"
    shutil.rmtree(home, ignore_errors=True)
    return Forebay(binary, work, trust, home, cache=CACHE)


def measure(bench: scenes.Bench) -> dict:
    """Everything on the disk first: what is behind is not written, so it is asked for until nothing is read from the store."""
    walk = scenes.walk(bench)
    listed = bench.list("disk", walk)
    for _ in range(8):
        before = bench.forebay.counters()
        scenes.drive(bench.load, bench.forebay, listed, len(walk), connections=2)
        if read(before, bench.forebay.counters(), READ) == 0:
            break
        time.sleep(2)
    before = bench.forebay.counters()
    row = scenes.compare(bench, "walk, from the disk of the cache", walk, 2 * len(walk), "CPU-s/GB", 0.0)
    after = bench.forebay.counters()
    row["store_bytes"] = read(before, after, READ)
    row["hits"] = {tier: read(before, after, f'forebay_cache_lookups_total{{result="hit",tier="{tier}"}}') for tier in ("block", "disk")}
    return row


def read(before: dict, after: dict, name: str) -> float:
    return after.get(name, 0) - before.get(name, 0)


READ = "forebay_store_read_bytes_total"

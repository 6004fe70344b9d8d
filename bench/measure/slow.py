"""Memory that servers take for clients who read slowly: of what is in memory, and of what has to come from a store far away."""

import os
import subprocess
import time

from . import scenes
from .far import Far, Proxy, Store, named
from .peers import load_command

BUDGET_MB = 0.4
CACHE = 'memory = "128MiB"'


def warm(bench: scenes.Bench) -> list[dict]:
    """All of it in memory, which is shared: what each client adds."""
    return [scenes.slow_clients(bench, 200, 200_000), scenes.slow_clients(bench, 2000, 100_000)]


def cold(far: Far, segments: list[str]) -> dict:
    """200 clients, each of another segment, of which none is in memory, and with a cache that does not hold a third of them."""
    link(far)
    store = Store(far)
    row = {"clients": len(segments), "rate": 200_000, "cache": CACHE, "budget_mb": BUDGET_MB}
    try:
        forebay = far.forebay(store, cache=CACHE)
        proxy = Proxy(far, store)
        try:
            known: dict[str, str] = {}
            ours = [named(forebay, path, "walk", known) for path in segments]
            # The cache is as full as it may be: what is added then is what clients take.
            far.drive(forebay, ours, len(ours), connections=4)
            for peer, paths in ((forebay, ours), (proxy, [f"/static{path}" for path in segments])):
                row[peer.name] = pressed(far, store, peer, paths, row["rate"])
        finally:
            forebay.stop()
            proxy.stop()
    finally:
        store.stop()
    row["met"] = row["forebay"]["each_mb"] <= BUDGET_MB
    print(f"  {row['clients']} slow clients, nothing in memory: {row['forebay']['each_mb']:.3f} MB each,"
          f" nginx {row['nginx']['each_mb']:.3f} MB", flush=True)
    return row


def pressed(far: Far, store: Store, peer, paths: list[str], rate: int) -> dict:
    store.asked()
    before = peer.memory()
    listed = far.listed("pressed", paths)
    command = load_command(far.load, peer, listed, len(paths), connections=len(paths), rate=rate)
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = before
    while load.poll() is None:
        peak = max(peak, peer.memory())
        time.sleep(0.1)
    if load.returncode != 0:
        raise SystemExit("slow clients: the load failed")
    asked = store.asked()
    return {"before_mb": before, "peak_mb": peak, "each_mb": (peak - before) / len(paths), "reads": len(asked),
            "bytes": sum(question["bytes"] for question in asked)}


def link(far: Far, copies: int = 1) -> None:
    """The segments as objects of the bucket, for peers that make none; under several names where there are to be more of them."""
    for number in range(copies):
        name = far.work / "store" / ("static" if number == 0 else f"static-{number}")
        if not name.is_symlink():
            os.symlink("../static", name)

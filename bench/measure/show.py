"""A show that stays: its archive beside the store's own rate, its window, its end, and reading what has passed."""

import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from . import live, media
from .peers import Forebay, fetch

LIVE = 'memory = "6GiB"\nwindow = "12h"\ndvr = "12h"'


class Bench:
    """The tools, and a server with a store of its own."""

    def __init__(self, work: Path, tools: Path, binary: Path, trust: tuple[Path, Path], pairs: int, scale: float):
        self.work, self.tools, self.binary, self.trust = work, tools, binary, trust
        self.pairs, self.scale = pairs, scale
        self.clips = media.live_clips(work)

    def server(self, settings: str = LIVE) -> Forebay:
        home = self.work / "show"
        shutil.rmtree(home, ignore_errors=True)
        (home / "store").mkdir(parents=True)
        return Forebay(self.binary, home, self.trust, live=settings)

    def send(self, server: Forebay, past: int, clips: list[Path], rush: int = 0) -> dict:
        stream = server.stream()
        command = [self.tools / "show", "send", "--address", f"127.0.0.1:{server.ports['http']}"]
        command += ["--admin", f"127.0.0.1:{server.ports['admin']}", "--pid", server.process.pid]
        command += [*server.sender_options(), "--stream", stream, "--past", past, "--rush", rush, *clips]
        return live.run(command) | {"stream": stream}


def measure(bench: Bench) -> dict:
    found = {"archive": archive(bench), "windows": []}
    for hours in (1, 12):
        found["windows"].append(window(bench, hours))
    return found


def archive(bench: Bench) -> dict:
    """Twenty minutes of five tracks, as fast as they are taken; then the same objects, written by the system alone."""
    past = max(120, round(1200 * bench.scale))
    runs, ends, reads = [], [], None
    for number in range(bench.pairs):
        server = bench.server()
        try:
            row = bench.send(server, past, list(bench.clips.values()))
            ends.append(row["played_ms"])
            if number == 0:
                reads = beside_demand(bench, server, row["stream"])
        finally:
            server.stop()
        raw = bench.work / "show" / "raw"
        written = live.run([bench.tools / "show", "write", "--from", bench.work / "show" / "store" / "live", "--to", raw])
        ours, theirs = row["bytes"] / row["archived_s"], written["bytes"] / written["seconds"]
        runs.append({"forebay": ours, "raw": theirs, "sent_s": row["sent_s"], "archived_s": row["archived_s"]})
        print(f"  archive: {ours / 1e6:.0f} MB/s beside {theirs / 1e6:.0f}, sent within {row['sent_s']:.1f} s;"
              f" on demand {row['listed_ms']:.0f} ms after its end, played {row['played_ms']:.0f} ms", flush=True)
    ratios = [run["forebay"] / run["raw"] for run in runs]
    return {
        "past": past, "runs": runs, "ends_ms": ends, "reads": reads, "bytes": row["bytes"], "tracks": row["tracks"],
        "forebay": statistics.median(run["forebay"] for run in runs), "raw": statistics.median(run["raw"] for run in runs),
        "ratio": statistics.median(ratios), "ratios": [min(ratios), max(ratios)],
    }


def beside_demand(bench: Bench, server: Forebay, stream: str) -> dict:
    """The same pictures as segments of the show and as those of the asset that it became, out of the cache."""
    asset = f"{stream}.1"
    end = time.monotonic() + 120
    while time.monotonic() < end and status(server, f"/vod/{asset}/main.m3u8") != 200:
        time.sleep(0.2)
    watch = server.command("token", "mint", "--config", server.config, "--path", "/live/**", "--path", "/vod/**", "--ttl", "12h").strip()
    prefix, lists = f"/t/{watch}", {}
    for name, door in (("show", f"/live/{stream}/vod.m3u8"), ("asset", f"/vod/{asset}/main.m3u8")):
        lists[name] = segments(server, prefix, door)
    runs = []
    for _ in range(bench.pairs):
        pair = {}
        for name, paths in lists.items():
            listed = bench.work / f"show-{name}.paths"
            listed.write_text("".join(f"{path}\n" for path in paths))
            drive(bench, server, prefix, listed, len(paths))
            before = server.cpu()
            came = drive(bench, server, prefix, listed, 3 * len(paths))
            pair[name] = (server.cpu() - before) / came["bytes"] * 1e9
        runs.append(pair)
    ratios = [run["show"] / run["asset"] for run in runs]
    row = {
        "show": statistics.median(run["show"] for run in runs), "asset": statistics.median(run["asset"] for run in runs),
        "ratio": statistics.median(ratios), "ratios": [min(ratios), max(ratios)],
        "segments": {name: len(paths) for name, paths in lists.items()},
    }
    print(f"  reads: {row['show']:.3f} CPU-s/GB of the show, {row['asset']:.3f} of its asset", flush=True)
    return row


def drive(bench: Bench, server: Forebay, prefix: str, listed: Path, requests: int) -> dict:
    command = [bench.tools / "load", "--address", f"127.0.0.1:{server.ports['http']}", "--paths", listed]
    return live.run(command + ["--prefix", prefix, "--requests", requests])


def segments(server: Forebay, prefix: str, door: str) -> list[str]:
    """Those of the tallest pictures."""
    text = fetch(f"http://127.0.0.1:{server.ports['http']}{prefix}{door}").decode()
    first = re.search(r"^(?!#)(\S+)", text, re.MULTILINE)[1]
    playlist = f"{door.rsplit('/', 1)[0]}/{first}"
    text = fetch(f"http://127.0.0.1:{server.ports['http']}{prefix}{playlist}").decode()
    return [f"{playlist.rsplit('/', 1)[0]}/{name}" for name in re.findall(r"^(?!#)(\S+)", text, re.MULTILINE)]


def status(server: Forebay, path: str) -> int:
    url = f"http://127.0.0.1:{server.ports['http']}{server.prefix}{path}"
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url], capture_output=True, text=True)
    return int(done.stdout or 0)


def window(bench: Bench, hours: int) -> dict:
    """A show of so many hours, of the smallest pictures and the sound: what a longer window takes is what is known of segments."""
    clips = [bench.clips["360"], bench.clips["sound"]]
    server = bench.server()
    try:
        row = bench.send(server, round(hours * 3600 * bench.scale), clips, rush=300)
    finally:
        server.stop()
    row["grown"] = row["resident"] - row["resident_before"]
    print(f"  {hours} h: {row['grown'] / 1e6:.0f} MB more in memory; played {row['played_ms']:.0f} ms after its end", flush=True)
    return row | {"hours": hours * bench.scale}

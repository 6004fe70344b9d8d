"""What is measured. Each scene gives rows: a budget, what was found, and the ratio to the peer in the same run."""

import re
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import media
from .peers import Forebay, Nginx, drive, load_command


@dataclass
class Bench:
    """The tools and the servers."""

    root: Path
    work: Path
    load: Path
    playlist: Path
    trust: tuple[Path, Path]
    forebay: Forebay
    nginx: Nginx
    pairs: int
    scale: float
    segments: dict[str, list[str]] = field(default_factory=dict)

    def list(self, name: str, paths: list[str]) -> Path:
        path = self.work / f"{name}.paths"
        path.write_text("".join(f"{p}\n" for p in paths))
        return path


def publish(bench: Bench) -> None:
    """Fetches everything once: the cache is warm then, and nginx has the same bytes as files."""
    for asset in ("walk", "hot"):
        main = bench.forebay.get(f"/vod/{asset}/main.m3u8").decode()
        for playlist in sorted(set(re.findall(r'^(?!#)(\S+)|URI="([^"]+)"', main, re.MULTILINE))):
            uri = next(filter(None, playlist))
            folder, rendition = uri.rsplit("/", 1)[0], uri.split("/")[-2]
            text = bench.forebay.get(f"/vod/{asset}/{uri}").decode()
            names = re.findall(r"^(?!#)(\S+)", text, re.MULTILINE)
            paths = [f"/vod/{asset}/{folder}/{name}" for name in names]
            bench.segments[f"{asset}/{rendition}"] = paths
            init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)[1]
            extra = [f"/vod/{asset}/{folder}/{init}", f"/vod/{asset}/{uri}"]
            bench.segments[f"{asset}/{rendition}/extra"] = extra
            for path in paths + extra:
                file = bench.work / "static" / path[1:]
                file.parent.mkdir(parents=True, exist_ok=True)
                body = bench.forebay.get(path)
                if not file.exists() or file.read_bytes() != body:
                    file.write_bytes(body)


def compare(bench: Bench, title: str, paths: list[str], requests: int, unit: str, budget: float, **options) -> dict:
    """A B A B: each pair of runs gives one ratio, so that what changes on the machine meanwhile meets both."""
    listed = bench.list(re.sub(r"\W+", "-", title), paths)
    requests = max(int(requests * bench.scale), len(paths))
    peer_port = options.pop("peer_port", options.get("port", "http"))
    runs = []
    for number in range(bench.pairs + 1):
        ours = drive(bench.load, bench.forebay, listed, requests, **options)
        theirs = drive(bench.load, bench.nginx, listed, requests, **options | {"port": peer_port})
        if ours["bytes"] != theirs["bytes"]:
            raise SystemExit(f"{title}: {ours['bytes']} bytes from forebay, {theirs['bytes']} from nginx")
        # The first pair warms both up.
        if number > 0:
            runs.append((ours, theirs))
    cost = {"CPU-s/GB": lambda r: r["cpu"] / r["bytes"] * 1e9, "req/CPU-s": lambda r: r["requests"] / r["cpu"]}[unit]
    ratios = [cost(ours) / cost(theirs) for ours, theirs in runs]
    row = {
        "title": title, "unit": unit, "budget": budget, "better": "less" if unit == "CPU-s/GB" else "more",
        "ratio": statistics.median(ratios), "ratios": [min(ratios), max(ratios)],
        "forebay": statistics.median(cost(ours) for ours, _ in runs),
        "nginx": statistics.median(cost(theirs) for _, theirs in runs),
        "forebay_rps": statistics.median(r["requests"] / r["seconds"] for r, _ in runs),
        "nginx_rps": statistics.median(r["requests"] / r["seconds"] for _, r in runs),
        "object_bytes": runs[0][0]["bytes"] / runs[0][0]["requests"], "runs": runs,
    }
    row["met"] = row["ratio"] <= budget if row["better"] == "less" else row["ratio"] >= budget
    print(f"  {title}: {row['forebay']:.4g} against {row['nginx']:.4g} {unit}, ratio {row['ratio']:.2f}"
          f" ({row['ratios'][0]:.2f} to {row['ratios'][1]:.2f}), budget {budget}", flush=True)
    return row


def walk(bench: Bench) -> list[str]:
    """Every segment in the order in which a player that switches would ask: the n-th of each rendition, then the next."""
    every = [paths for key, paths in bench.segments.items() if key.startswith("walk/") and not key.endswith("extra")]
    return [paths[n] for n in range(max(map(len, every))) for paths in every if n < len(paths)]


def transfers(bench: Bench) -> list[dict]:
    """The walk, one rendition of it, and hot objects."""
    low = bench.segments["walk/video-360"]
    [hot] = [paths for key, paths in bench.segments.items() if key.startswith("hot/video") and "extra" not in key]
    init, playlist = bench.segments["walk/video-720/extra"]
    trust = bench.trust[0]
    small = {"connections": 64, "unit": "req/CPU-s", "budget": 0.9}
    return [
        compare(bench, "walk", walk(bench), 4 * len(walk(bench)), "CPU-s/GB", 1.4),
        compare(bench, "360p alone", low, 30 * len(low), "CPU-s/GB", 1.8),
        compare(bench, "hot 1 MB object", hot[1:2], 3000, "CPU-s/GB", 2.2),
        compare(bench, "hot 1 MB object over TLS", hot[1:2], 1500, "CPU-s/GB", 0.7, port="https", trust=trust),
        compare(bench, "init segment, nginx from its cache", [init], 100_000, peer_port="cache", **small),
        compare(bench, "init segment, nginx from a file", [init], 100_000, **small | {"budget": 0.0}),
        compare(bench, "media playlist, nginx from its cache", [playlist], 60_000, peer_port="cache", **small),
    ]


def slow_clients(bench: Bench, clients: int = 200, rate: int = 200_000) -> dict:
    """Memory that a server takes for clients that read slowly, each another segment."""
    tall = bench.segments["walk/video-1080"]
    listed = bench.list("slow", tall)
    row = {"title": "slow clients", "clients": clients, "rate": rate, "budget_mb": 0.4}
    for peer in (bench.forebay, bench.nginx):
        # All of these segments are in the cache, and the connections of before are forgotten.
        drive(bench.load, peer, listed, len(tall))
        time.sleep(1)
        before = peer.memory()
        command = load_command(bench.load, peer, listed, clients, connections=clients, rate=rate)
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        peak = before
        while load.poll() is None:
            peak = max(peak, peer.memory())
            time.sleep(0.1)
        if load.returncode != 0:
            raise SystemExit("slow clients: the load failed")
        row[peer.name] = {"before_mb": before, "peak_mb": peak, "each_mb": (peak - before) / clients}
    row["met"] = row["forebay"]["each_mb"] <= row["budget_mb"]
    print(f"  slow clients: {row['forebay']['each_mb']:.3f} MB each, nginx {row['nginx']['each_mb']:.3f} MB", flush=True)
    return row


def playlists(bench: Bench) -> list[dict]:
    """What a media playlist costs from the index, for ten minutes and for two hours."""
    import json

    tracks = [bench.work / "store" / "vod" / "walk" / "v1080.mp4", media.long_track(bench.work)]
    command = ["taskset", "-c", "1", bench.playlist, *tracks]
    found = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)
    for row, title, budget in zip(found, ("ten minutes", "two hours"), (30, 300)):
        row |= {"title": f"media playlist, {title}", "budget_us": budget, "met": row["playlist_us"] <= budget}
        print(f"  {row['title']}: {row['playlist_us']:.1f} us, budget {budget}", flush=True)
    return found


def token_check(bench: Bench, target: str) -> dict:
    """The cost of a check, as the crate measures it."""
    command = "cargo test --release -p forebay-authz --test cost -- --ignored --nocapture --test-threads 1"
    import os

    done = subprocess.run(command.split(), cwd=bench.root, capture_output=True, text=True,
                          env=os.environ | {"CARGO_TARGET_DIR": target})
    found = {name.strip(): int(ns) for name, ns in re.findall(r"^(.+?)\s+(\d+) ns$", done.stdout, re.MULTILINE)}
    if "admit" not in found:
        raise SystemExit(f"token check:\n{done.stdout}{done.stderr}")
    print(f"  token check: {found['admit']} ns", flush=True)
    return {"title": "token check", "ns": found, "budget_ns": 1000, "met": found["admit"] <= 1000}

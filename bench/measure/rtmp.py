"""Live ingest over RTMP: what a stream costs that is not encoded, how soon a part can be read, and how many streams one core
takes."""

import json
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import live, media
from .peers import LOAD_CORE
from .report import first_line
from .rtmp_peers import MODULE, Forebay, MultimuxRtmp, NginxRtmp, Server

# kb/s of the pictures: of a stream that is looked at for itself, and of one among many.
LARGE, SMALL = 2500, 800
COUNTS = (1, 10, 20)
STEPS = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 80, 100)
# The longest p99 of the part-publish lag at which a core is not yet full, in milliseconds.
LAG_LIMIT = 500
# Beyond that the publishers did not keep to the clock themselves, and the figures are not the server's.
LATE_LIMIT = 100
LADDER = ("video-720", "video-480", "video-360")


@dataclass
class Bench:
    """What is measured with."""

    work: Path
    tools: Path
    binary: Path
    multimux: Path | None
    pairs: int
    scale: float

    def __post_init__(self) -> None:
        """What is passed on is the only rendition, so that no picture is encoded."""
        self.settings = {"pass": True, "rungs": 1}
        self.large, self.large_track = media.publication(self.work, 720, LARGE), "video-720"
        self.small, self.small_track = media.publication(self.work, 360, SMALL), "video-360"

    def passed(self, streams: int, origins: int = 1) -> Forebay:
        return Forebay(self.binary, self.work, streams, origins, self.settings)

    def seconds(self, wanted: int) -> int:
        return max(5, round(wanted * self.scale))


def measure(bench: Bench) -> dict:
    return {
        "multimux": first_line([str(bench.multimux), "--version"]) if bench.multimux else None,
        "fan_out": [fan_out(bench, streams) for streams in COUNTS],
        "copied": copied_lag(bench),
        "ladder": ladder_lag(bench),
        "core": streams_per_core(bench),
    }


def fan_out(bench: Bench, streams: int) -> dict:
    """forebay with one origin and with two, and the peers, in turn; nobody watches."""
    makers: dict[str, Callable[[], Server]] = {
        "one": lambda: bench.passed(streams), "two": lambda: bench.passed(streams, origins=2),
    }
    if MODULE.exists():
        makers["nginx"] = lambda: NginxRtmp(bench.work, streams)
    if bench.multimux:
        makers["multimux"] = lambda: MultimuxRtmp(bench.multimux, bench.work, streams)
    # A process' time is counted in hundredths of a second.
    seconds = bench.seconds(40 if streams == 1 else 20)
    runs: dict[str, list[dict]] = {name: [] for name in makers}
    for _ in range(bench.pairs):
        for name, make in makers.items():
            with make() as server:
                runs[name].append(run(bench, server, bench.large, seconds))
            costs = ", ".join(f"{part} {cost * 1e3:.1f}" for part, cost in runs[name][-1]["costs"].items())
            print(f"  {streams} streams, {name}: {costs} ms of CPU for each second of a stream", flush=True)
    totals = {name: [sum(row["costs"].values()) for row in rows] for name, rows in runs.items()}
    costs = {
        name: {part: statistics.median(row["costs"][part] for row in rows) for part in rows[0]["costs"]}
        for name, rows in runs.items()
    }
    ratios = {}
    for ours in ("one", "two"):
        for peer in list(makers)[2:]:
            found = [a / b for a, b in zip(totals[ours], totals[peer]) if b > 0]
            ratios[f"{ours}/{peer}"] = {"ratio": statistics.median(found), "ratios": [min(found), max(found)]}
    return {"streams": streams, "clip": bench.large.stem, "costs": costs, "ratios": ratios, "runs": runs}


def copied_lag(bench: Bench) -> dict:
    """One stream whose pictures are passed on, and multimux beside it, which never does anything else."""
    makers: dict[str, Callable[[], Server]] = {"forebay": lambda: bench.passed(1)}
    if bench.multimux:
        makers["multimux"] = lambda: MultimuxRtmp(bench.multimux, bench.work, 1)
    runs: dict[str, list[dict]] = {name: [] for name in makers}
    for _ in range(bench.pairs):
        for name, make in makers.items():
            with make() as server:
                watch = server.watch([bench.large_track])
                runs[name].append(run(bench, server, bench.large, bench.seconds(60), *watch, "--copied"))
            say(f"copied, {name}", runs[name][-1])
    found = {name: {
        key: statistics.median(row["lag"]["all"][key] for row in rows) for key in ("p50_ms", "p99_ms", "max_ms")
    } for name, rows in runs.items()}
    ratios = {}
    if bench.multimux:
        for key in ("p50_ms", "p99_ms"):
            pairs = zip(runs["forebay"], runs["multimux"])
            all_ratios = [ours["lag"]["all"][key] / theirs["lag"]["all"][key] for ours, theirs in pairs]
            ratios[key] = {"ratio": statistics.median(all_ratios), "ratios": [min(all_ratios), max(all_ratios)]}
    return {"clip": bench.large.stem, "lags": found, "ratios": ratios, "runs": runs}


def ladder_lag(bench: Bench) -> dict:
    """One stream of which three renditions are encoded, each with a viewer."""
    clip = media.publication(bench.work, 720, LARGE)
    settings = {"pass": False, "max_height": 720, "preset": "superfast"}
    with Forebay(bench.binary, bench.work, 1, settings=settings) as server:
        row = run(bench, server, clip, bench.seconds(120), *server.watch(list(LADDER)))
        faults = server.faults()
    say("ladder", row)
    return row | {"clip": clip.stem, "faults": faults}


def streams_per_core(bench: Bench) -> dict:
    """More and more streams, each with a viewer, until parts come late."""
    steps, most = [], None
    for streams in STEPS:
        with bench.passed(streams) as server:
            try:
                watch = server.watch([bench.small_track])
                row = run(bench, server, bench.small, bench.seconds(30), *watch, "--copied", settle=10)
            except Failed as failure:
                row = {"streams": streams, "failed": str(failure).strip().split("\n")[-1]}
            row["faults"] = server.faults()
        row["met"] = holds(row)
        steps.append(row)
        say(f"{streams} streams on a core", row)
        if not row["met"]:
            break
        most = row
    return {"clip": bench.small.stem, "limit_ms": LAG_LIMIT, "most": most, "steps": steps}


def holds(row: dict) -> bool:
    if "failed" in row or row["faults"] or row["refused"] or row["late"]["p99_ms"] > LATE_LIMIT:
        return False
    return row["lag"]["all"]["p99_ms"] < LAG_LIMIT and not any(process["replaced"] for process in row["cpu"])


class Failed(SystemExit):
    """A run that came to nothing, in the words of the tool. Where nobody deals with it, the bench ends."""


def run(bench: Bench, server: Server, clip: Path, seconds: int, *options, settle: int = 5) -> dict:
    """Publishes the clip to a server. `costs` are the seconds of CPU for each second of a stream, by processes."""
    words = ["taskset", "-c", LOAD_CORE, bench.tools / "rtmp", "--streams", server.streams, "--clip", clip]
    words += ["--settle", settle, "--seconds", seconds, *options]
    for pid in server.processes.values():
        words += ["--pid", pid]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, words))}:\n{done.stderr}")
    row = json.loads(done.stdout)
    media_seconds, costs = row["seconds"] * row["streams"], {}
    for name, process in zip(server.processes, row["cpu"]):
        # All origins together, as all encoders are.
        name = "origins" if name.startswith("origin-") else name
        costs[name] = costs.get(name, 0) + process["own"] / media_seconds
        if name == "worker":
            costs["ffmpeg"] = process["children"] / media_seconds
    return row | {"costs": costs}


def say(title: str, row: dict) -> None:
    if "failed" in row:
        return print(f"  {title}: failed, {row['failed']}, {row['faults']}", flush=True)
    lag, late = row["lag"]["all"], row["late"]
    faults = f", faults {row['faults']}" if row.get("faults") else ""
    print(f"  {title}: p50 {lag['p50_ms']:.1f} ms, p99 {lag['p99_ms']:.1f} ms, longest {lag['max_ms']:.1f} ms of"
          f" {lag['count']} parts; publishers late by {late['p99_ms']:.1f} ms at p99;"
          f" {sum(row['costs'].values()) * 1e3:.1f} ms of CPU for each second of a stream{faults}", flush=True)

"""Live shows: requests that are held, playlists of a window, and how soon a part can be read."""

import json
import os
import resource
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from . import media
from .peers import LOAD_CORE, Forebay, Multimux

# Each connection is a descriptor on both sides, and a port of 127.0.0.1 (ip_local_port_range has 28,232).
DESCRIPTORS = 12_000
CROWD = 10_000


def descriptors() -> None:
    """Lets this process and those it starts open a file for each of the crowd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= DESCRIPTORS:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (ValueError, PermissionError):
        raise SystemExit(f"{CROWD} connections need `ulimit -Hn {DESCRIPTORS}`, found {hard}") from None


def measure(work: Path, tools: Path, forebay: Forebay, multimux: Path | None, scale: float) -> dict:
    """All scenes. The server starts anew for each, so that its memory is that of the scene."""
    descriptors()
    clips = media.live_clips(work)
    results = {"held": [], "peer": None}
    for waiters in (500, CROWD):
        results["held"].append(judge_held(held(tools, forebay, clips, waiters, scale)))
    results["peer"] = beside(work, tools, forebay, multimux, clips, scale) if multimux else None
    results["windows"] = windows(tools, clips)
    results["parts"] = parts(tools, clips)
    results["lag"] = [lag(tools, forebay, clips, streams, scale) for streams in (1, 20)]
    return results


def held(tools: Path, server, clips: dict, waiters: int, scale: float, sound=True, identity=False) -> dict:
    server.restart()
    seconds = max(5, round(30 * scale))
    command = [tools / "held", "--address", f"127.0.0.1:{server.ports['http']}", "--pid", server.process.pid]
    command += server.sender_options() + ["--stream", server.stream(), "--video", clips["360"]]
    command += ["--audio", clips["sound"]] if sound else []
    command += ["--identity"] if identity else []
    row = run(command + ["--waiters", waiters, "--seconds", seconds])
    print(f"  held, {waiters} of {server.name}: wake p50 {row['wake']['p50_ms']:.2f} ms, p99 {row['wake']['p99_ms']:.2f} ms,"
          f" all within {row['all_within']['max_ms']:.0f} ms, {row['cpu_us']:.1f} us of CPU each,"
          f" {row['memory_each'] / 1024:.1f} KB each", flush=True)
    return row | {"server": server.name}


def judge_held(row: dict) -> dict:
    """The budgets: microseconds of CPU, kilobytes, and the wait of the last percent or of everyone."""
    budgets = {"cpu_us": 25, "memory_each": 16 * 1024}
    met = {name: row[name] <= budget for name, budget in budgets.items()}
    if row["waiters"] < CROWD:
        met["p99"] = row["wake"]["p99_ms"] <= 20
    else:
        met["all"] = row["all_within"]["max_ms"] <= 300
    return row | {"title": f"held requests, {row['waiters']:,}", "met": met}


def beside(work: Path, tools: Path, forebay: Forebay, binary: Path, clips: dict, scale: float, pairs: int = 3) -> dict:
    """multimux and forebay in turn: the same sender, pictures alone, playlists that are not compressed."""
    waiters, rows = 500, []
    peer = Multimux(binary, work)
    try:
        for _ in range(pairs):
            pair = [held(tools, server, clips, waiters, scale / 2, sound=False, identity=True)
                    for server in (forebay, peer)]
            rows.append(pair)
    finally:
        peer.stop()
    figures = {
        "p50": lambda row: row["wake"]["p50_ms"], "p99": lambda row: row["wake"]["p99_ms"],
        "cpu": lambda row: row["cpu_us"], "memory": lambda row: row["memory_each"],
    }
    found = {}
    for name, of in figures.items():
        ratios = [of(ours) / of(theirs) for ours, theirs in rows]
        found[name] = {
            "forebay": statistics.median(of(ours) for ours, _ in rows),
            "multimux": statistics.median(of(theirs) for _, theirs in rows),
            "ratio": statistics.median(ratios), "ratios": [min(ratios), max(ratios)],
        }
    return {"version": peer.version, "waiters": waiters, "figures": found, "runs": rows}


def windows(tools: Path, clips: dict) -> list[dict]:
    rows = run([tools / "window", clips["360"], clips["sound"]])
    for row in rows:
        delta = row["delta"]
        row["title"] = f"delta update of {span(row['seconds'])}"
        row["budget"] = 3000 if row["seconds"] == 43_200 and not row["breaks"] else None
        row["met"] = row["budget"] is None or delta["gzip_bytes"] <= row["budget"]
        print(f"  window of {span(row['seconds'])}, {row['breaks']} breaks: full {row['full']['render_us']:.0f} us,"
              f" delta {delta['render_us']:.1f} us, {delta['gzip_bytes']} B compressed", flush=True)
    return rows


def parts(tools: Path, clips: dict) -> list[dict]:
    rows = run([tools / "part", *clips.values()])
    for row, name in zip(rows, clips):
        row["name"] = name
        print(f"  part of {name}, {row['bytes'] / 1000:.0f} kB: split {row['split_us']:.1f} us, window {row['push_us']:.1f} us,"
              f" of that hash {row['hash_us']:.1f} us", flush=True)
    return rows


def lag(tools: Path, forebay: Forebay, clips: dict, streams: int, scale: float) -> dict:
    forebay.restart()
    seconds = max(5, round((60 if streams == 1 else 20) * scale))
    command = [tools / "lag", "--address", f"127.0.0.1:{forebay.ports['http']}", "--pid", forebay.process.pid]
    command += forebay.sender_options() + ["--stream", forebay.stream(), "--streams", streams, "--seconds", seconds]
    row = run(command + list(clips.values()))
    print(f"  lag, {streams} streams: p50 {row['lag']['p50_ms']:.2f} ms, p99 {row['lag']['p99_ms']:.2f} ms,"
          f" {row['cpu_share_each'] * 100:.2f} % of a core each", flush=True)
    return row


def span(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds >= 3600 else f"{seconds // 60} min"


def run(command: list):
    words = ["taskset", "-c", str(LOAD_CORE), *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}:\n{done.stderr}")
    return json.loads(done.stdout)


def multimux(tools: Path) -> Path | None:
    """The peer, where it has been installed (`make -C bench peer`)."""
    found = tools.parent / "bin" / "multimux"
    return found if found.exists() else shutil.which("multimux") and Path(shutil.which("multimux"))


def quiet(limit: float = 1.5, patience: float = 300) -> float:
    """Waits until little else is going on, but not for ever; gives the load average."""
    end = time.monotonic() + patience
    while os.getloadavg()[0] >= limit and time.monotonic() < end:
        time.sleep(5)
    return os.getloadavg()[0]

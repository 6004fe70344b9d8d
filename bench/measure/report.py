"""bench/RESULTS.md and bench/results.json."""

import json
import os
import platform
import re
import subprocess
from datetime import date
from pathlib import Path

from . import far_report, live_report, rtmp_report, show_report


def machine() -> dict:
    info = Path("/proc/cpuinfo").read_text()
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    cpu = re.search(r"model name\s*:\s*(.+)", info)
    family = [re.search(rf"^{key}\s*:\s*(\d+)", info, re.MULTILINE) for key in ("cpu family", "model")]
    return {
        "cpu": (cpu[1] if cpu else platform.machine())
        + "".join(f", {name} {m[1]}" for name, m in zip(("family", "model"), family) if m),
        "cores": os.cpu_count(), "memory_gib": round(memory), "kernel": platform.release().split("-")[0],
        "nginx": first_line(["nginx", "-v"]), "rustc": first_line(["rustc", "--version"]),
    }


def commit(root: Path) -> str:
    name = first_line(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"])
    built_from = ["origin/src", "packager/src", "authz/src", "transcoder/src", "Cargo.lock", "Cargo.toml"]
    changed = first_line(["git", "-C", str(root), "status", "--porcelain", "--", *built_from])
    return name + (" with changes" if changed else "")


def first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def write(folder: Path, results: dict) -> None:
    """Parts that were not measured this time stay as they are, each with the date and commit of its run."""
    former = folder / "results.json"
    results = (json.loads(former.read_text()) if former.exists() else {}) | results
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(text(folder, results))


def text(folder: Path, results: dict) -> str:
    m = results["machine"]
    parts = [f"""# Results

Written by `make bench`. What each figure means and how it is measured is in `README.md`; every single run is in `results.json`.

- Machine, where nothing else is said: {m['cpu']}; {m['cores']} cores, {m['memory_gib']} GiB, Linux {m['kernel']}; the server on one core, the load on the other.
- {m['rustc']}.

"""]
    missed = []
    if "transfers" in results:
        parts += [head(results), transfers(results["transfers"]), micro(results)]
        missed += [row["title"] for row in judged(results) if not row["met"]]
    parts.append(far_report.text(results))
    missed += [row["title"] for row in far_report.judged(results) if not row["met"]]
    if "live" in results:
        parts.append(live_report.text(results["live"]))
        missed += [row["title"] for row in live_report.judged(results["live"]) if not row["met"]]
    if "show" in results:
        parts.append(show_report.text(results["show"]))
        missed += [row["title"] for row in show_report.judged(results["show"]) if not row["met"]]
    if "rtmp" in results:
        parts.append(rtmp_report.text(results["rtmp"]))
    parts.append("## What misses its budget\n\n")
    parts.append("Nothing.\n" if not missed else "".join(f"- {title}\n" for title in missed))
    notes = folder / "NOTES.md"
    if notes.exists():
        parts.append("\nWhy, and what was found by profiling: `NOTES.md`.\n")
    return "".join(parts)


def head(results: dict) -> str:
    busy = results["load_average"]
    nginx = results["machine"]["nginx"].replace("nginx version: ", "")
    quiet = "a quiet machine" if max(busy) < 3.5 else "other work was going on, so ratios say more than absolute figures"
    return f"""Files: measured {date.fromisoformat(results['date']).isoformat()}, commit {results['commit']}, load average from {min(busy):.1f} to {max(busy):.1f}: {quiet}.
Peer: {nginx}, one worker, in the same run, on the same bytes.

"""


def judged(results: dict) -> list[dict]:
    rows = [row for row in results["transfers"] if row["budget"]]
    return rows + [*results["playlists"], results["token"]]


def transfers(rows: list[dict]) -> str:
    out = ["## Transfers\n\n| what | object | forebay | nginx | ratio, median (range) | budget | met |\n",
           "|------|--------|---------|-------|-----------------------|--------|-----|\n"]
    for row in rows:
        sign = "<=" if row["better"] == "less" else ">="
        digits = ".3f" if row["better"] == "less" else ",.0f"
        low, high = row["ratios"]
        budget = f"{sign} {row['budget']}" if row["budget"] else "none"
        met = yes(row["met"]) if row["budget"] else ""
        out.append(f"| {row['title']} | {size(row['object_bytes'])} | {row['forebay']:{digits}} {row['unit']} |"
                   f" {row['nginx']:{digits}} | {row['ratio']:.2f} ({low:.2f} to {high:.2f}) | {budget} | {met} |\n")
    out.append("\nRequests a second in the same runs, forebay and nginx: ")
    out.append("; ".join(f"{row['title']} {row['forebay_rps']:,.0f} and {row['nginx_rps']:,.0f}" for row in rows))
    return "".join(out) + ".\n\n"


def micro(results: dict) -> str:
    out = ["## Single operations\n\n| what | measured | budget | met |\n|------|----------|--------|-----|\n"]
    for row in results["playlists"]:
        out.append(f"| {row['title']}: {row['segments']} segments, {row['samples']:,} samples |"
                   f" {row['playlist_us']:.1f} us | <= {row['budget_us']} us | {yes(row['met'])} |\n")
        out.append(f"| its index of {size(row['index_bytes'])}, read | {row['load_us']:.0f} us | none | |\n")
    token = results["token"]
    out.append(f"| token check, HMAC-SHA256 | {token['ns']['admit'] / 1000:.2f} us | <= 1 us | {yes(token['met'])} |\n\n")
    return "".join(out)


def size(count: float) -> str:
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.2f} {unit}"
    return f"{count:.0f} B"


def yes(met: bool) -> str:
    return "yes" if met else "**no**"

#!/usr/bin/env python3
"""Measures forebay beside nginx and writes RESULTS.md and results.json. `make -C bench` builds and calls it."""

import argparse
import os
import resource
import shutil
from datetime import date
from pathlib import Path

from measure import cold, media, report, scenes
from measure.peers import Forebay, Nginx, certificate

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forebay", type=Path, required=True, help="the daemon, built for release")
    parser.add_argument("--tools", type=Path, required=True, help="the folder with load and playlist")
    parser.add_argument("--target", default=str(HERE.parent / "target"), help="where cargo builds the token check")
    parser.add_argument("--pairs", type=int, default=5, help="how many runs of each, interleaved")
    parser.add_argument("--scale", type=float, default=1.0, help="shorter or longer runs")
    parser.add_argument("--dry", action="store_true", help="print only, write nothing")
    arguments = parser.parse_args()
    # 500 clients at once, on both sides.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    work = HERE / "work"
    work.mkdir(exist_ok=True)
    print("media", flush=True)
    for make in (media.ladder, media.hot_object, media.long_track, media.input_clip):
        make(work)
    shutil.rmtree(work / "static", ignore_errors=True)
    trust = certificate(work)
    forebay = Forebay(arguments.forebay, work, trust)
    nginx = None
    try:
        (work / "static").mkdir()
        nginx = Nginx(work, trust)
        bench = scenes.Bench(
            HERE.parent, work, arguments.tools / "load", arguments.tools / "playlist", trust,
            forebay, nginx, arguments.pairs, arguments.scale,
        )
        results = measure(bench, arguments.target)
    finally:
        forebay.stop()
        if nginx:
            nginx.stop()
    if not arguments.dry:
        report.write(HERE, results)


def measure(bench: scenes.Bench, target: str) -> dict:
    busy = [os.getloadavg()[0]]
    results = {"date": date.today().isoformat(), "commit": report.commit(bench.root), "machine": report.machine()}
    print("publish", flush=True)
    scenes.publish(bench)
    cold.register(bench)
    print("transfers", flush=True)
    results["transfers"] = scenes.transfers(bench)
    busy.append(os.getloadavg()[0])
    print("others", flush=True)
    results["slow"] = scenes.slow_clients(bench)
    results["playlists"] = scenes.playlists(bench)
    results["token"] = scenes.token_check(bench, target)
    results["cold"] = cold.reads(bench)
    busy.append(os.getloadavg()[0])
    return results | {"load_average": busy}


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures forebay beside nginx and writes RESULTS.md and results.json. `make -C bench` builds and calls it."""

import argparse
import os
import shutil
import signal
import sys
from datetime import date
from pathlib import Path

from measure import cold, crawl, disk, interleaved, live, media, report, rtmp, scenes, show, shown, slow
from measure.far import Far
from measure.peers import Forebay, Nginx, certificate

HERE = Path(__file__).resolve().parent
# Each of these answers one question, with servers of its own.
QUESTIONS = ("cold", "crowd", "slow", "crawl", "interleaved", "disk", "shown")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forebay", type=Path, required=True, help="the daemon, built for release")
    parser.add_argument("--tools", type=Path, required=True, help="the folder with load and playlist")
    parser.add_argument("--target", default=str(HERE.parent / "target"), help="where cargo builds the token check")
    parser.add_argument("--pairs", type=int, default=5, help="how many runs of each, interleaved")
    parser.add_argument("--scale", type=float, default=1.0, help="shorter or longer runs")
    parser.add_argument("--only", choices=("files", "live", "show", "rtmp", *QUESTIONS),
                        help="measure this alone; the rest of the report stays")
    parser.add_argument("--dry", action="store_true", help="print only, write nothing")
    arguments = parser.parse_args()
    # So that whoever ends this ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: told to end"))
    # Many clients at once, on both sides.
    live.descriptors()
    work = HERE / "work"
    work.mkdir(exist_ok=True)
    trust = certificate(work)
    (work / "store").mkdir(exist_ok=True)
    # Each part may have been measured on another machine.
    results = {"machine": report.machine()} if arguments.only in (None, "files") else {}
    forebay = Forebay(arguments.forebay, work, trust)
    try:
        if arguments.only in (None, "files"):
            results |= files(arguments, work, trust, forebay)
        if arguments.only in (None, "live"):
            results["live"] = shows(arguments, work, forebay)
        if arguments.only in (None, "show"):
            # It has servers of its own.
            forebay.stop()
            results["show"] = stays(arguments, work, trust)
        if arguments.only in (None, "rtmp"):
            # It has servers of its own.
            forebay.stop()
            results["rtmp"] = publishers(arguments, work)
        for question in QUESTIONS:
            if arguments.only in (None, question):
                forebay.stop()
                results[question] = answer(arguments, work, trust, question)
    finally:
        forebay.stop()
    if not arguments.dry:
        report.write(HERE, results)


def files(arguments: argparse.Namespace, work: Path, trust: tuple[Path, Path], forebay: Forebay) -> dict:
    print("media", flush=True)
    for make in (media.ladder, media.hot_object, media.long_track, media.input_clip):
        make(work)
    shutil.rmtree(work / "static", ignore_errors=True)
    (work / "static").mkdir()
    nginx = Nginx(work, trust)
    try:
        bench = scenes.Bench(
            HERE.parent, work, arguments.tools / "load", arguments.tools / "playlist", trust,
            forebay, nginx, arguments.pairs, arguments.scale,
        )
        return measure(bench, arguments.target)
    finally:
        nginx.stop()


def measure(bench: scenes.Bench, target: str) -> dict:
    busy = [live.quiet()]
    results = {"date": date.today().isoformat(), "commit": report.commit(bench.root)}
    print("publish", flush=True)
    scenes.publish(bench)
    print("transfers", flush=True)
    results["transfers"] = scenes.transfers(bench)
    busy.append(os.getloadavg()[0])
    print("others", flush=True)
    results["playlists"] = scenes.playlists(bench)
    results["token"] = scenes.token_check(bench, target)
    busy.append(os.getloadavg()[0])
    return results | {"load_average": busy}


def answer(arguments: argparse.Namespace, work: Path, trust: tuple[Path, Path], question: str) -> dict:
    busy = [live.quiet(patience=0 if arguments.dry else 300)]
    print(question, flush=True)
    far = Far(work, arguments.tools, arguments.forebay, trust, arguments.scale)
    if question in ("cold", "crowd"):
        found = {"cold": cold.measure, "crowd": cold.crowd}[question](far)
    elif question == "interleaved":
        found = interleaved.measure(far)
    else:
        found = beside_files(arguments, work, trust, question, far)
    return stamp() | {"load_average": [*busy, os.getloadavg()[0]]} | found


def beside_files(arguments: argparse.Namespace, work: Path, trust: tuple[Path, Path], question: str, far: Far) -> dict:
    """What needs the segments of the walk as files."""
    media.ladder(work)
    media.hot_object(work)
    (work / "static").mkdir(exist_ok=True)
    forebay = disk.server(arguments.forebay, work, trust) if question == "disk" else Forebay(arguments.forebay, work, trust)
    nginx = Nginx(work, trust)
    bench = scenes.Bench(
        HERE.parent, work, arguments.tools / "load", arguments.tools / "playlist", trust,
        forebay, nginx, arguments.pairs, arguments.scale,
    )
    try:
        scenes.publish(bench)
        tall, middle, low = (bench.segments[f"walk/video-{lines}"] for lines in (1080, 720, 360))
        if question == "disk":
            return disk.measure(bench)
        found = {"warm": slow.warm(bench)} if question == "slow" else {}
        forebay.stop()
        if question == "crawl":
            return crawl.measure(far, low, tall)
        if question == "slow":
            return found | {"cold": slow.cold(far, tall + middle)}
        return shown.measure(far, tall + middle)
    finally:
        forebay.stop()
        nginx.stop()


def shows(arguments: argparse.Namespace, work: Path, forebay: Forebay) -> dict:
    busy = [live.quiet()]
    print("live", flush=True)
    peer = live.multimux(arguments.tools)
    found = live.measure(work, arguments.tools, forebay, peer, arguments.scale)
    return stamp() | {"load_average": [*busy, os.getloadavg()[0]]} | found


def stays(arguments: argparse.Namespace, work: Path, trust: tuple[Path, Path]) -> dict:
    busy = [live.quiet()]
    print("show", flush=True)
    bench = show.Bench(work, arguments.tools, arguments.forebay, trust, min(arguments.pairs, 3), arguments.scale)
    found = show.measure(bench)
    return stamp() | {"load_average": [*busy, os.getloadavg()[0]]} | found


def publishers(arguments: argparse.Namespace, work: Path) -> dict:
    busy = [live.quiet()]
    print("rtmp", flush=True)
    bench = rtmp.Bench(
        work, arguments.tools, arguments.forebay, live.multimux(arguments.tools), min(arguments.pairs, 3), arguments.scale
    )
    found = rtmp.measure(bench)
    return stamp() | {"load_average": [*busy, os.getloadavg()[0]]} | found


def stamp() -> dict:
    return {"date": date.today().isoformat(), "commit": report.commit(HERE.parent), "machine": report.machine()}


if __name__ == "__main__":
    main()

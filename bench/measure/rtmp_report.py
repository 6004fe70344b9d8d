"""The part of RESULTS.md that tells about live ingest over RTMP."""

import re

NAMES = {"one": "forebay, one origin", "two": "forebay, two origins", "nginx": "nginx-rtmp", "multimux": "multimux"}


def text(rtmp: dict) -> str:
    low, high = min(rtmp["load_average"]), max(rtmp["load_average"])
    head = (
        f"## Live ingest over RTMP\n\nMeasured on {rtmp['machine']['cpu']}, {rtmp['date']}, commit {rtmp['commit']}, load average from {low:.1f} to"
        f" {high:.1f} (what runs here included). Segments of 2 s, parts of\n333 ms; all processes of a server on one core,"
        " the publishers on the other.\n\n"
    )
    return head + fan_out(rtmp["fan_out"], rtmp["multimux"]) + lag(rtmp) + core(rtmp["core"])


def fan_out(rows: list[dict], multimux: str | None) -> str:
    peers = [name for name in ("nginx", "multimux") if f"one/{name}" in rows[0]["ratios"]]
    out = [
        f"### What a stream costs that is not encoded\n\nStreams of {pictures(rows[0]['clip'])} and 128 kb/s of sound,\npassed"
        " on as they come (forebay's ffmpeg copies the pictures and encodes the sound anew), without viewers.\nMilliseconds"
        " of CPU, user and kernel, for each second of a stream.\n\n"
        "| streams | server | worker | ffmpeg | origins | all |"
        + "".join(f" ratio to {NAMES[peer]}, median (range) |" for peer in peers) + "\n|-|-|-|-|-|-|" + "-|" * len(peers) + "\n"
    ]
    for row in rows:
        for name, costs in row["costs"].items():
            # A peer is one process.
            parts = [costs.get(part) for part in ("worker", "ffmpeg", "origins")]
            cells = [f"{part * 1e3:.1f}" if part is not None else "" for part in parts]
            cells.append(f"{sum(costs.values()) * 1e3:.1f}")
            cells += [ratio(row["ratios"].get(f"{name}/{peer}")) for peer in peers]
            out.append(f"| {row['streams']} | {NAMES[name]} | {' | '.join(cells)} |\n")
    version = f" The other peer is {multimux}." if multimux else " multimux is not installed (`make -C bench peer`)."
    return "".join(out) + (
        "\nnginx-rtmp writes classic HLS, without parts, as files; the disk's work for them is in no figure. Both peers serve what"
        f" they\ntake in themselves, one rendition of it.{version}\n\n"
    )


def lag(rtmp: dict) -> str:
    copied, ladder = rtmp["copied"], rtmp["ladder"]
    out = [
        "### From the last picture to a part that can be read\n\nFrom the moment before the last picture of a part was sent to"
        " the first byte of the playlist that lists it, for which a\nviewer held a request. One stream of"
        f" {pictures(copied['clip'])}.\n\n| what is made of it | server | p50 | p99 | longest | parts |\n|-|-|-|-|-|-|\n"
    ]
    for name, found in copied["lags"].items():
        parts = sum(row["lag"]["all"]["count"] for row in copied["runs"][name])
        out.append(f"| passed on | {name} | {milliseconds(found)} | {parts} |\n")
    for track, found in ladder["lag"]["tracks"].items():
        out.append(f"| {track} of three, `superfast` | forebay | {milliseconds(found)} | {found['count']} |\n")
    out.append(f"| all three | forebay | {milliseconds(ladder['lag']['all'])} | {ladder['lag']['all']['count']} |\n")
    if copied["ratios"]:
        p50, p99 = (ratio(copied["ratios"][key]) for key in ("p50_ms", "p99_ms"))
        out.append(f"\nPassed on, forebay to multimux, run by run: p50 {p50}, p99 {p99}.")
    clip = "" if ladder["clip"] == copied["clip"] else f" of {pictures(ladder['clip'])}"
    costs = ", ".join(f"{part} {cost:.3f}" for part, cost in ladder["costs"].items())
    faults = f" What went wrong meanwhile: {ladder['faults']}." if ladder["faults"] else ""
    return "".join(out) + f"\nThe ladder{clip} takes {sum(ladder['costs'].values()):.2f} of a core ({costs}).{faults}\n\n"


def core(found: dict) -> str:
    head = (
        f"### Streams on one core\n\nStreams of {pictures(found['clip'])} and 128 kb/s of sound, passed on; worker,\nffmpeg"
        " and origin on one core, a viewer for each stream. A core is full when the p99 of the lag reaches"
        f" {found['limit_ms']} ms, an encoder\nends, or a viewer is told to come back.\n\n"
        "| streams | lag p50 | p99 | longest | worker, each | ffmpeg, each | origin, each | of the core | holds |\n"
        "|-|-|-|-|-|-|-|-|-|\n"
    )
    out = [head]
    for row in found["steps"]:
        if "failed" in row:
            out.append(f"| {row['streams']} | | | | | | | | {yes(False)}: {row['failed']} |\n")
            continue
        costs, faults = row["costs"], "".join(f", {count} {event}" for event, count in row["faults"].items())
        each = " | ".join(f"{costs[part] * 1e3:.1f} ms" for part in ("worker", "ffmpeg", "origins"))
        out.append(
            f"| {row['streams']} | {milliseconds(row['lag']['all'])} | {each} |"
            f" {sum(costs.values()) * row['streams'] * 100:.0f} % | {yes(row['met'])}{faults} |\n"
        )
    most = found["most"]
    if most is None:
        return "".join(out) + "\nNot even the smallest number holds.\n\n"
    cost = sum(most["costs"].values()) * 1e3
    return "".join(out) + (
        f"\n**{most['streams']} streams on a core**, each of {cost:.1f} ms of CPU a second there.\n\n"
    )


def pictures(clip: str) -> str:
    """Of a clip, by its name: `rtmp-720-2500`."""
    lines, rate = map(int, re.fullmatch(r"rtmp-(\d+)-(\d+)", clip).groups())
    return f"{lines} lines, 30 pictures a second, {rate:,} kb/s"


def milliseconds(found: dict) -> str:
    return f"{found['p50_ms']:.1f} ms | {found['p99_ms']:.1f} ms | {found['max_ms']:.0f} ms"


def ratio(found: dict | None) -> str:
    return f"{found['ratio']:.2f} ({found['ratios'][0]:.2f} to {found['ratios'][1]:.2f})" if found else ""


def yes(met: bool) -> str:
    return "yes" if met else "**no**"

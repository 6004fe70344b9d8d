"""The part of RESULTS.md that tells about live shows."""

from .live import span

STREAM = "1080, 720, 540 and 360 lines and sound, 10.7 Mb/s together"


def text(live: dict) -> str:
    low, high = min(live["load_average"]), max(live["load_average"])
    head = (
        f"## Live shows\n\nMeasured on {live['machine']['cpu']}, {live['date']}, commit {live['commit']}, load average from {low:.1f} to {high:.1f}"
        " (what runs here included). Segments of 2 s, parts of 333 ms.\n\n"
    )
    parts = [head, held(live["held"]), beside(live["peer"]), lag(live["lag"]), windows(live["windows"])]
    return "".join(parts) + parts_of(live["parts"])


def judged(live: dict) -> list[dict]:
    """Title and whether the budget was met."""
    rows = [{"title": row["title"], "met": all(row["met"].values())} for row in live["held"]]
    return rows + [row for row in live["windows"] if row["budget"]]


def held(rows: list[dict]) -> str:
    out = [
        "### Held requests\n\nEach viewer holds a request for a delta update with the next part, over a keep-alive connection"
        " of HTTP/1.1 and with a token of\nits own, and asks again at once. The wake is from the moment before the last"
        " kilobyte of the part was sent to the\nfirst byte of the answer.\n\n",
        "| viewers | wake p50 | p99 | all have it, median and longest | CPU for each wake (user, kernel) | memory for each | of a core |\n",
        "|-|-|-|-|-|-|-|\n",
    ]
    for row in rows:
        wake, whole, met = row["wake"], row["all_within"], row["met"]
        p99 = f" (<= 20: {yes(met['p99'])})" if "p99" in met else ""
        longest = f" (<= 300: {yes(met['all'])})" if "all" in met else ""
        out.append(
            f"| {row['waiters']:,} | {wake['p50_ms']:.1f} ms | {wake['p99_ms']:.1f} ms{p99} |"
            f" {whole['p50_ms']:.0f} ms, {whole['max_ms']:.0f} ms{longest} |"
            f" {row['cpu_us']:.1f} us ({row['user_us']:.1f}, {row['system_us']:.1f}) (<= 25: {yes(met['cpu_us'])}) |"
            f" {row['memory_each'] / 1024:.1f} KB (<= 16: {yes(met['memory_each'])}) | {row['cpu_share'] * 100:.0f} % |\n"
        )
    skipped = sum(row["skipped"] for row in rows)
    late = "" if not skipped else (
        f" {skipped:,} parts were skipped by viewers that were behind; they count with the answer that told of them."
    )
    row = rows[-1]
    return "".join(out) + (
        f"\n{row['seconds']:.0f} s and {row['wakes']:,} wakes for {row['waiters']:,} viewers.{late} An answer has"
        f" {row['body_bytes']:.0f} bytes of gzip. Without viewers the show takes {row['idle_cpu_share'] * 100:.1f} % of a"
        f" core.\nBuffers of the kernel's sockets are in no figure.\n\n"
    )


def beside(peer: dict | None) -> str:
    if peer is None:
        return "multimux is not installed, so there is no peer in this run (`make -C bench peer`).\n\n"
    names = {
        "p50": ("wake p50", "ms", 1), "p99": ("wake p99", "ms", 1), "cpu": ("CPU for each wake", "us", 1),
        "memory": ("memory for each viewer", "KB", 1024),
    }
    out = [
        f"#### Beside {peer['version']}\n\n{peer['waiters']} viewers in turn, the same sender (an object for each segment"
        " there), pictures alone, playlists that are not\ncompressed. multimux has no delta updates and checks no token;"
        " forebay does both.\n\n| what | forebay | multimux | ratio, median (range) |\n|-|-|-|-|\n"
    ]
    for name, (title, unit, scale) in names.items():
        row = peer["figures"][name]
        low, high = row["ratios"]
        out.append(
            f"| {title} | {row['forebay'] / scale:.1f} {unit} | {row['multimux'] / scale:.1f} {unit} |"
            f" {row['ratio']:.2f} ({low:.2f} to {high:.2f}) |\n"
        )
    ours, theirs = peer["runs"][0]
    return "".join(out) + (
        f"\nAn answer has {ours['body_bytes']:,.0f} bytes here and {theirs['body_bytes']:,.0f} there.\n\n"
    )


def lag(rows: list[dict]) -> str:
    out = [
        f"### From push to readable\n\nStreams of {rows[0]['tracks']} tracks ({STREAM}), one viewer for each track who holds a"
        " request for the hinted\npart. From the last kilobyte of a part on the sender's connection to the first byte of the"
        " answer.\n\n| streams | p50 | p99 | longest | CPU of the server for each stream |\n|-|-|-|-|-|\n"
    ]
    for row in rows:
        lag = row["lag"]
        out.append(
            f"| {row['streams']} | {lag['p50_ms']:.2f} ms | {lag['p99_ms']:.2f} ms | {lag['max_ms']:.1f} ms |"
            f" {row['cpu_share_each'] * 100:.2f} % of a core |\n"
        )
    return "".join(out) + "\n"


def windows(rows: list[dict]) -> str:
    out = [
        "### Playlists of a window\n\nMade once for each part and form, however many ask.\n\n"
        "| window | form | written | compressed | bytes | on the wire | budget | met |\n|-|-|-|-|-|-|-|-|\n"
    ]
    for row in rows:
        window = span(row["seconds"]) + (f", {row['breaks']} breaks" if row["breaks"] else "")
        for key, name in (("full", "full"), ("delta", "delta"), ("delta_v2", "delta v2")):
            form = row[key]
            has_budget = key == "delta" and row["budget"]
            budget, met = (f"<= {row['budget']:,} B", yes(row["met"])) if has_budget else ("", "")
            out.append(
                f"| {window} | {name} | {form['render_us']:,.0f} us | {form['gzip_us']:,.0f} us | {form['bytes']:,} |"
                f" {form['gzip_bytes']:,} B | {budget} | {met} |\n"
            )
    return "".join(out) + "\nA delta update must list every date range of the window, unless it is asked for as v2.\n\n"


def parts_of(rows: list[dict]) -> str:
    out = [
        "### What a part costs\n\n| track | part | boxes read | taken by the window | of that: written | hashed |\n|-|-|-|-|-|-|\n"
    ]
    for row in rows:
        out.append(
            f"| {row['name']} | {row['bytes'] / 1000:.1f} kB | {row['split_us']:.1f} us | {row['push_us']:.1f} us |"
            f" {row['mux_us']:.1f} us | {row['hash_us']:.1f} us |\n"
        )
    return "".join(out) + "\n"


def yes(met: bool) -> str:
    return "yes" if met else "**no**"

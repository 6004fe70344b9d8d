"""The part of RESULTS.md about stores that are far away, crowds, slow clients, crawls and the disk of the cache."""


def text(results: dict) -> str:
    """A section for each question that was asked."""
    return "".join(write(results[name]) for name, write in SECTIONS.items() if is_there(results, name))


def judged(results: dict) -> list[dict]:
    """What has a budget."""
    rows = []
    if is_there(results, "cold"):
        rows += [row | {"title": f"cold: {row['title']}"} for row in results["cold"]["steps"] if row["budget"]]
    if is_there(results, "crowd"):
        rows += [row | {"title": f"{row['title']}, {row['clients']:,} at once"} for row in results["crowd"]["rows"]]
    if is_there(results, "slow"):
        rows += [row | {"title": f"{row['clients']:,} slow clients"} for row in results["slow"]["warm"]]
        rows.append(results["slow"]["cold"] | {"title": "slow clients of what has to be read"})
    if is_there(results, "interleaved"):
        rows.append(results["interleaved"] | {"title": "interleaved"})
    return rows


def is_there(results: dict, name: str) -> bool:
    return "commit" in results.get(name, {})


def stamp(found: dict) -> str:
    busy = found["load_average"]
    return (f"Measured on {found['machine']['cpu']}, {found['date']}, commit {found['commit']}, load average from {min(busy):.1f}"
            f" to {max(busy):.1f}.")


def cold(found: dict) -> str:
    out = [f"""## A cold origin

{stamp(found)} A registered asset with {found['renditions']} video renditions on a store of the S3 protocol that lets each answer wait for
{found['millis']} ms; a fresh process each of {len(found['steps'][0]['firsts_ms'])} times. A round trip is a question that waited for the answer to another one. The peer
is the store itself, asked for the same bytes as one object: what cannot be beaten.

| what | round trips | budget | met | reads | bytes read | first byte | the store's own | ratio, median (range) |
|-|-|-|-|-|-|-|-|-|
"""]
    for row in found["steps"]:
        own = f"{row['store_ms']:.1f} ms | {row['ratio']:.2f} ({row['ratios'][0]:.2f} to {row['ratios'][1]:.2f})" if "store_ms" in row else " | "
        budget = f"<= {row['budget']} | {yes(row['met'])}" if row["budget"] else " | "
        out.append(f"| {row['title']} | {row['round_trips']} | {budget} | {row['reads']} | {size(row['bytes'])} |"
                   f" {row['first_ms']:.1f} ms | {own} |\n")
    return "".join(out) + "\n"


def crowd(found: dict) -> str:
    out = [f"""## Many who ask for the same at once

{stamp(found)} Nothing in memory, a store {found['millis']} ms away. nginx has the same bytes as one object behind `proxy_cache` with `proxy_cache_lock`;
who waits there looks each half second whether the answer has come.

| what | at once | reads (bytes) | as one alone | first byte p50 | p99 | all of it, p99 | nginx: reads (bytes) | first byte p50 | p99 | all of it, p99 | first byte p99, ratio |
|-|-|-|-|-|-|-|-|-|-|-|-|
"""]
    for row in found["rows"]:
        ours, theirs = row["forebay"], row["nginx"]
        cells = [row["title"], f"{row['clients']:,}"]
        for server, extra in ((ours, [yes(row["met"])]), (theirs, [])):
            cells += [f"{server['reads']} ({size(server['bytes'])})", *extra]
            cells += [f"{server[name]:.0f} ms" for name in ("first_p50_ms", "first_p99_ms", "p99_ms")]
        out.append(f"| {' | '.join(cells)} | {ours['first_p99_ms'] / theirs['first_p99_ms']:.2f} |\n")
    return "".join(out) + "\n"


def slow(found: dict) -> str:
    out = [f"""## Memory of slow clients

{stamp(found)} Each reads a segment of the 1080 or 720 rendition. In the last row each another one, and the cache has room for a part of them alone.

| clients | at | where it is | server | before | at the most | for each client | budget | met |
|-|-|-|-|-|-|-|-|-|
"""]
    for row, where in [*((row, "in memory") for row in found["warm"]), (found["cold"], "25 ms away")]:
        for name in ("forebay", "nginx"):
            one = row[name]
            budget = f"<= {row['budget_mb']} MB | {yes(row['met'])}" if name == "forebay" else " | "
            out.append(f"| {row['clients']:,} | {row['rate'] // 1000} kB/s | {where} | {name} | {one['before_mb']:.0f} MB | {one['peak_mb']:.0f} MB |"
                       f" {one['each_mb']:.3f} MB | {budget} |\n")
    return "".join(out) + "\n"


def crawl(found: dict) -> str:
    out = [f"""## A crawl beside what everybody asks for

{stamp(found)} A set of {found['set']} segments, of half the size of the cache, and a crawl that asks once for each of {found['crawled']} larger ones, two requests of the set to
one of the crawl. The share of the set's bytes that came from the cache.

| cache | without the crawl | beside it |
|-|-|-|
"""]
    out += [f"| {row['title']} | {row['without']:.1%} | {row['beside']:.1%} |\n" for row in found["rows"]]
    return "".join(out) + "\n"


def interleaved(found: dict) -> str:
    sound, picture = found["audio"], found["video"]
    return f"""## Sound out of interleaved files

{stamp(found)} One file of ten minutes with pictures and sound between each other: all segments of the sound, then all of the pictures. nginx-vod-module was measured
to read 37 times what it delivers of the sound.

| what | delivered | read | reads | read for each byte | budget | met |
|-|-|-|-|-|-|-|
| the sound alone | {size(sound['delivered'])} | {size(sound['read'])} | {sound['reads']} | {found['audio_ratio']:.2f} | | |
| then the pictures | {size(picture['delivered'])} | {size(picture['read'])} | {picture['reads']} | | | |
| both | {size(sound['delivered'] + picture['delivered'])} | {size(sound['read'] + picture['read'])} | {sound['reads'] + picture['reads']} | {found['ratio']:.3f} | <= {found['budget']} | {yes(found['met'])} |

"""


def disk(found: dict) -> str:
    low, high = found["ratios"]
    return f"""## Out of the disk of the cache

{stamp(found)} The walk, with 64 MiB of memory for the cache and all of it on its disk (in the page cache, as nginx's files are); {size(found['store_bytes'])} were read from the
store meanwhile. {found['hits']['disk']:,.0f} blocks came from the disk, {found['hits']['block']:,.0f} from memory.

| what | forebay | nginx | ratio, median (range) |
|-|-|-|-|
| {found['title']} | {found['forebay']:.3f} CPU-s/GB | {found['nginx']:.3f} | {found['ratio']:.2f} ({low:.2f} to {high:.2f}) |

"""


def shown(found: dict) -> str:
    out = [f"""## To be looked at

{stamp(found)} One run (`make bench ARGS='--only shown'`) at a store that is {found['millis']} ms away.

| what | questions | reads | bytes read | round trips |
|-|-|-|-|-|
"""]
    for name in ("main playlist", "media playlist", "first segment", "2,000 at once"):
        row = found[name]
        out.append(f"| {name} | {row['questions']} | {row['reads']} | {size(row['bytes'])} | {row['round_trips']} |\n")
    slow = found["slow"]
    out.append(f"\n{slow['clients']} slow clients, each of another segment: {slow['peak_mb']:.0f} MB at the most, {slow['before_mb']:.0f} before them.\n\n"
               "| path | SHA-256 from node 1 | from node 2 | entity tag of both |\n|-|-|-|-|\n")
    out += [f"| `{row['path']}` | `{row['one'][:16]}…` | `{row['two'][:16]}…` | `{row['tags'][0]}` |\n" for row in found["hashes"]]
    return "".join(out) + "\n"


def size(count: float) -> str:
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.2f} {unit}"
    return f"{count:.0f} B"


def yes(met: bool) -> str:
    return "yes" if met else "**no**"


SECTIONS = {"cold": cold, "crowd": crowd, "slow": slow, "crawl": crawl, "interleaved": interleaved, "disk": disk, "shown": shown}

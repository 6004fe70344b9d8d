"""What nobody has asked for yet, from a store that is 25 ms away: round trips, reads, time to the first byte."""

import statistics

from .far import MILLIS, Far, Proxy, Store, paths, register, settle, summed

TIMES = 9


def measure(far: Far) -> dict:
    """A first viewer of a registered asset, beside the same bytes asked of the store directly."""
    store = Store(far)
    forebay = far.forebay(store)
    try:
        register(far, forebay)
        known = paths(far, forebay)
        steps = [
            ("main playlist", [], known.main, "/plain/main.m3u8", 3),
            ("a media playlist, after the main playlist", [known.main], known.playlist, None, None),
            ("first segment, after the playlists", [known.main, known.playlist], known.segment, "/plain/segment.m4s", 1),
            ("first segment, nothing before it", [], known.segment, "/plain/segment.m4s", 3),
        ]
        rows = [step(far, store, forebay, *of) for of in steps]
    finally:
        forebay.stop()
        store.stop()
    return {"millis": MILLIS, "renditions": known.renditions, "times": TIMES, "steps": rows}


def step(far: Far, store: Store, forebay, title: str, before: list[str], path: str, plain: str | None, budget: int | None) -> dict:
    """Each time from a process that knows nothing but what `before` brought."""
    ours, theirs, asked = [], [], []
    for _ in range(max(3, round(TIMES * far.scale))):
        forebay.restart()
        for earlier in before:
            forebay.get(earlier)
        settle()
        store.asked()
        ours.append(far.drive(forebay, [path], 1, connections=1)["first_p50_ms"])
        settle()
        asked.append(summed(store.asked()))
        if plain:
            theirs.append(far.drive(store, [plain], 1, connections=1)["first_p50_ms"])
    row = {"title": title, "first_ms": statistics.median(ours), "firsts_ms": ours, "budget": budget, "asked": asked}
    row |= {name: max(one[name] for one in asked) for name in ("questions", "reads", "bytes", "round_trips")}
    if plain:
        ratios = [a / b for a, b in zip(ours, theirs)]
        row |= {"store_ms": statistics.median(theirs), "ratio": statistics.median(ratios), "ratios": [min(ratios), max(ratios)]}
    if budget:
        row["met"] = row["round_trips"] <= budget
    print(f"  {title}: {row['round_trips']} round trips, {row['reads']} reads, {row['first_ms']:.1f} ms to the first byte", flush=True)
    return row


def crowd(far: Far) -> dict:
    """1, 50 and 2,000 who ask for the same at once, beside nginx with `proxy_cache_lock`."""
    store = Store(far)
    forebay = far.forebay(store)
    rows = []
    try:
        register(far, forebay)
        known = paths(far, forebay)
        for clients in (1, 50, 2000):
            for title, path, plain in (("main playlist", known.main, "/plain/main.m3u8"), ("first segment", known.segment, "/plain/segment.m4s")):
                forebay.restart()
                proxy = Proxy(far, store)
                try:
                    rows.append({"title": title, "clients": clients} | {
                        peer.name: together(far, store, peer, asked, clients)
                        for peer, asked in ((forebay, path), (proxy, plain))
                    })
                finally:
                    proxy.stop()
                row = rows[-1]
                print(f"  {title}, {clients} at once: {row['forebay']['reads']} reads, first byte p99 {row['forebay']['first_p99_ms']:.0f} ms;"
                      f" nginx {row['nginx']['reads']}, {row['nginx']['first_p99_ms']:.0f} ms", flush=True)
    finally:
        forebay.stop()
        store.stop()
    alone = {row["title"]: row["forebay"] for row in rows if row["clients"] == 1}
    for row in rows:
        row["met"] = all(row["forebay"][name] == alone[row["title"]][name] for name in ("reads", "bytes"))
    return {"millis": MILLIS, "rows": rows}


def together(far: Far, store: Store, peer, path: str, clients: int) -> dict:
    settle()
    store.asked()
    came = far.drive(peer, [path], clients, connections=clients)
    settle()
    return came | summed(store.asked())

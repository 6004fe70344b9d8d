"""The part of RESULTS.md about shows that stay."""

from .far_report import stamp


def text(found: dict) -> str:
    row, reads = found["archive"], found["archive"]["reads"]
    low, high = row["ratios"]
    windows = found["windows"]
    per_hour = (windows[1]["grown"] - windows[0]["grown"]) / (windows[1]["hours"] - windows[0]["hours"]) / windows[1]["tracks"]
    out = [f"""## Shows that stay

{stamp(found)} A store in a folder. A show's past is sent as fast as it is taken; what is sent has to be received, cut, hashed
and written.

| what | forebay | beside it | ratio, median (range) | budget | met |
|-|-|-|-|-|-|
| archive, {row['past'] // 60} min of {row['tracks']} tracks, {row['bytes'] / 1e9:.2f} GB: from the first byte sent to the last one stored | {row['forebay'] / 1e6:,.0f} MB/s | {row['raw'] / 1e6:,.0f} MB/s, the same objects written by four threads and nothing else | {row['ratio']:.2f} ({low:.2f} to {high:.2f}) | none | |
| segments of the tallest pictures, of the show and of the asset that it became, out of the cache | {reads['show']:.3f} CPU-s/GB | {reads['asset']:.3f} CPU-s/GB | {reads['ratio']:.2f} ({reads['ratios'][0]:.2f} to {reads['ratios'][1]:.2f}) | none | |

| from the end of the show to its first segment on demand | measured | budget | met |
|-|-|-|-|
"""]
    for title, millis in moments(found):
        out.append(f"| {title} | {millis:.0f} ms | <= 1000 ms | {'yes' if millis <= 1000 else '**no**'} |\n")
    out.append("\n| window | segments known | more in memory |\n|-|-|-|\n")
    for one in windows:
        count = round(one["past"] / 2) * one["tracks"]
        out.append(f"| {one['hours']:g} h of {one['tracks']} tracks | {count:,} | {one['grown'] / 1e6:.0f} MB |\n")
    out.append("\n| window | a playlist from its start, written anew and compressed | its delta update | of the window | its delta update |\n|-|-|-|-|-|\n")
    for one in windows:
        forms = ("start.m3u8", "start.m3u8?_HLS_skip=YES", "index.m3u8", "index.m3u8?_HLS_skip=YES")
        cells = [f"{one['renders'][form]['ms']:.2f} ms, {one['renders'][form]['bytes']:,} bytes" for form in forms]
        out.append(f"| {one['hours']:g} h | {' | '.join(cells)} |\n")
    out.append("\nA playlist is written once for all who ask for the same form of it, and only when somebody does. A window is 12 h long here, too.\n")
    # Beside it stands what the allocator keeps of the rush in which the past came.
    seen = f"{per_hour / 1e6:.2f} MB" if per_hour > 2e5 else "less than can be seen here"
    out.append(f"\nAn hour more of a track takes {seen}: what is known of 1,800 segments. Their media is in the store, but for the last minute.\n\n")
    return "".join(out)


def judged(found: dict) -> list[dict]:
    return [{"title": title, "met": millis <= 1000} for title, millis in moments(found)]


def moments(found: dict) -> list[tuple[str, float]]:
    row = found["archive"]
    rows = [(f"{row['past'] // 60} min of {row['tracks']} tracks, the longest of {len(row['ends_ms'])}", max(row["ends_ms"]))]
    return rows + [(f"{one['hours']:g} h of {one['tracks']} tracks", one["played_ms"]) for one in found["windows"]]

"""A store that is 25 ms away: the servers that read from it, and how they are asked."""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import media
from .peers import LOAD_CORE, Forebay, Peer, fetch, free_port, load_command, start

MILLIS = 25
ID, SECRET = "AKBENCH", "nobody guesses this"


@dataclass
class Far:
    """The tools, and what all servers share: keys, catalogue, and the folder that is the bucket."""

    work: Path
    tools: Path
    binary: Path
    trust: tuple[Path, Path]
    scale: float

    @property
    def load(self) -> Path:
        return self.tools / "load"

    def listed(self, name: str, paths: list[str]) -> Path:
        path = self.work / f"{name}.paths"
        path.write_text("".join(f"{p}\n" for p in paths))
        return path

    def forebay(self, store: "Store", name: str = "far", cache: str = 'memory = "512MiB"') -> Forebay:
        """A fresh one: nothing in memory, nothing on a disk."""
        home = self.work / name
        shutil.rmtree(home, ignore_errors=True)
        return Forebay(self.binary, self.work, self.trust, home, store.section(self.work), cache)

    def drive(self, peer: Peer, paths: list[str], requests: int, **options) -> dict:
        """Runs the load; gives what came."""
        listed = self.listed("asked", paths)
        command = load_command(self.load, peer, listed, requests, **options)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)


class Store(Peer):
    """`src/bin/store.rs`, beside the load: a peer that is asked directly, and what the others read from."""

    def __init__(self, far: Far, millis: int = MILLIS):
        ports = {"http": free_port()}
        self.prefix = "/media"
        command = [far.tools / "store", "--listen", f"127.0.0.1:{ports['http']}", "--folder", far.work / "store"]
        command += ["--far", millis, "--id", ID, "--secret", SECRET]
        log = (far.work / "store.log").open("w")
        super().__init__("store", start(log, *command, core=LOAD_CORE), ports)

    def section(self, work: Path) -> str:
        """What the daemon's configuration says of it."""
        key = work / "store-key.toml"
        key.write_text(f'access_key_id = "{ID}"\nsecret_access_key = "{SECRET}"\n')
        key.chmod(0o600)
        return f'url = "s3://media"\nendpoint = "http://127.0.0.1:{self.ports["http"]}"\ncredentials = "{key}"'

    def asked(self) -> list[dict]:
        """Each question since this was last asked."""
        return json.loads(fetch(f"http://127.0.0.1:{self.ports['http']}/-/asked"))


class Proxy(Peer):
    """nginx with its cache before the store; equal questions wait for one answer (`proxy_cache_lock`)."""

    def __init__(self, far: Far, store: Store, name: str = "proxy", size: str = "2g"):
        ports = {"http": free_port()}
        home = far.work / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        temporary = " ".join(f"{kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = home / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(
            f"""{user} worker_processes 1; daemon off; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 8192; }}
http {{
  {temporary}
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  proxy_cache_path {home}/cache keys_zone=far:10m max_size={size} inactive=1d use_temp_path=off;
  upstream store {{ server 127.0.0.1:{store.ports['http']}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{ports['http']} backlog=4096;
    location / {{
      proxy_pass http://store; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache far; proxy_cache_valid 200 1d; proxy_cache_lock on; proxy_cache_lock_timeout 60s;
    }}
  }}
}}
"""
        )
        self.prefix = "/media"
        log = (home / "log").open("w")
        super().__init__("nginx", start(log, "nginx", "-p", home, "-e", home / "error.log", "-c", config), ports)


def register(far: Far, forebay: Forebay) -> None:
    """The asset `cold`, made as an operator makes one, in the folder that is the bucket."""
    if (far.work / "store" / "vod" / "cold").exists():
        return
    near = Forebay(far.binary, far.work, far.trust)
    near.stop()
    command = ("transcode", media.input_clip(far.work), "--asset", "cold", "--preset", "ultrafast")
    forebay.command(*command, "--config", near.config)


@dataclass
class Paths:
    """What a first viewer asks for, and the same bytes as objects of the bucket."""

    main: str
    playlist: str
    segment: str
    renditions: int


def paths(far: Far, forebay: Forebay, asset: str = "cold") -> Paths:
    """Follows an asset to its first segment; leaves main playlist and segment as plain objects for peers."""
    main = f"/vod/{asset}/main.m3u8"
    text = forebay.get(main).decode()
    first = re.search(r"^(?!#)(\S+)", text, re.MULTILINE)[1]
    playlist = f"/vod/{asset}/{first}"
    name = re.search(r"^(?!#)(\S+)", forebay.get(playlist).decode(), re.MULTILINE)[1]
    segment = f"{playlist.rsplit('/', 1)[0]}/{name}"
    plain = far.work / "store" / "plain"
    plain.mkdir(exist_ok=True)
    (plain / "main.m3u8").write_bytes(forebay.get(main))
    (plain / "segment.m4s").write_bytes(forebay.get(segment))
    return Paths(main, playlist, segment, len(re.findall(r"^#EXT-X-STREAM-INF", text, re.MULTILINE)))


def named(forebay: Forebay, segment: str, asset: str, known: dict[str, str]) -> str:
    """The path of the same segment, of this asset, as this server names it: the revision of a folder is made of what its store says
    of the files. `known` has the revisions."""
    if asset not in known:
        main = forebay.get(f"/vod/{asset}/main.m3u8").decode()
        known[asset] = re.search(r"^(?!#)(\S+)", main, re.MULTILINE)[1].split("/")[0]
    return "/".join(["/vod", asset, known[asset], *segment.split("/")[-2:]])


def round_trips(asked: list[dict]) -> int:
    """The longest row of questions of which each was put when the one before it was answered."""
    count, free = 0, -1
    for question in sorted(asked, key=lambda question: question["until"]):
        if question["from"] >= free:
            count, free = count + 1, question["until"]
    return count


def reads(asked: list[dict]) -> list[dict]:
    """Those that brought bytes of objects."""
    return [question for question in asked if question["what"].startswith("GET") and "list-type" not in question["what"]]


def summed(asked: list[dict]) -> dict:
    return {
        "questions": len(asked), "reads": len(reads(asked)), "bytes": sum(question["bytes"] for question in reads(asked)),
        "round_trips": round_trips(asked),
    }


def settle() -> None:
    """What was asked for is answered; what goes on behind it has a moment."""
    time.sleep(0.3)

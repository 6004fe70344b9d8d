"""Servers that take streams over RTMP, started anew for each run: forebay as a worker and its origins, nginx-rtmp, multimux.

Each gives `streams`, a file with a line for each stream (its name, the name that it is published under, where to), and
`processes`, the numbers of its processes by what they are.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from .peers import Peer, fetch, free_port, start

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
# What a server counts when something went wrong with a show. The others belong to its life.
FAULTS = ("stopped", "lost", "rung_dropped", "pass_through_ended", "changed", "jumped", "unusable", "slate_on", "paused",
          "interrupted", "skipped")


class Server:
    """Processes that are stopped together, those first that were started last: a worker before its origins."""

    def __init__(self, home: Path):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        self.home, self.peers, self.streams = home, {}, home / "streams"

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        for peer in reversed(self.peers.values()):
            peer.stop()

    def run(self, name: str, ports: dict[str, int], *command) -> None:
        """Starts a process, and waits until it listens."""
        log = (self.home / f"{name}.log").open("w")
        process = start(log, *command)
        try:
            self.peers[name] = Peer(name, process, ports)
        except BaseException:
            process.kill()
            process.wait()
            raise

    @property
    def processes(self) -> dict[str, int]:
        return {name: peer.process.pid for name, peer in self.peers.items()}

    def list(self, rows: list[tuple[str, str, int]]) -> None:
        self.streams.write_text("".join(f"{name} {published} 127.0.0.1:{port}\n" for name, published, port in rows))


class Forebay(Server):
    """A worker, and origins that it feeds."""

    name = "forebay"

    def __init__(self, binary: Path, work: Path, count: int, origins: int = 1, settings: dict | None = None):
        super().__init__(work / "rtmp" / "forebay")
        self.binary, self.count, self.settings = binary, count, settings or {}
        self.keys = self.home / "keys.json"
        self.origins = [{"http": free_port(), "admin": free_port()} for _ in range(origins)]
        self.worker = {"rtmp": free_port(), "admin": free_port()}

    def begin(self) -> None:
        self.command("keys", "gen", "--keys", self.keys)
        for number, ports in enumerate(self.origins, 1):
            config = self.config(f"origin-{number}", f"""[listen]
http = "127.0.0.1:{ports['http']}"
admin = "127.0.0.1:{ports['admin']}"
""")
            self.run(f"origin-{number}", ports, self.binary, "serve", "--config", config)
        origins = ", ".join(f'"http://127.0.0.1:{ports["http"]}"' for ports in self.origins)
        settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.settings.items())
        config = self.config("worker", f"""[listen]
admin = "127.0.0.1:{self.worker['admin']}"
[rtmp]
listen = "127.0.0.1:{self.worker['rtmp']}"
per_address = 1000
[work]
name = "bench"
origins = [{origins}]
{settings}""")
        self.run("worker", self.worker, self.binary, "work", "--config", config)
        rows = []
        for number in range(self.count):
            told = self.command("keys", "stream", "gen", f"s{number}", "--config", config)
            key = re.search(r"^stream key\s+(\S+)$", told, re.MULTILINE)[1]
            rows.append((f"s{number}", key, self.worker["rtmp"]))
        self.list(rows)

    def config(self, name: str, own: str) -> Path:
        path = self.home / f"{name}.toml"
        # Threads: one core has them all.
        path.write_text(f"""{own}[store]
url = "file://{self.home}"
[database]
url = "sqlite://{self.home / 'catalogue.db'}"
[auth]
keys = "{self.keys}"
[limits]
threads = 1
[live]
memory = "4GiB"
[log]
level = "warn"
""")
        return path

    def command(self, *arguments) -> str:
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"forebay {' '.join(map(str, arguments))}:\n{done.stderr}")
        return done.stdout

    def watch(self, tracks: list[str]) -> list:
        options = ["--watch", f"127.0.0.1:{self.origins[0]['http']}", "--keys", self.keys]
        return options + [word for track in tracks for word in ("--track", track)]

    def faults(self) -> dict[str, int]:
        """What went wrong with its shows, by kind."""
        text = fetch(f"http://127.0.0.1:{self.worker['admin']}/metrics").decode()
        events = re.findall(r'^forebay_work_events_total\{event="(\w+)"\} (\d+)', text, re.MULTILINE)
        return {event: int(count) for event, count in events if event in FAULTS and int(count) > 0}


class NginxRtmp(Server):
    """nginx with Debian's RTMP module: classic HLS, written as files."""

    name = "nginx-rtmp"

    def __init__(self, work: Path, count: int):
        super().__init__(work / "rtmp" / "nginx")
        self.count = count

    def begin(self) -> None:
        port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        config = self.home / "nginx.conf"
        (self.home / "hls").mkdir()
        # One process, so that all it does is counted.
        config.write_text(f"""load_module {MODULE};
{user}
daemon off;
master_process off;
pid {self.home}/pid;
error_log {self.home}/error.log;
events {{ worker_connections 4096; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:{port};
    chunk_size 4096;
    application live {{
      live on;
      hls on;
      hls_path {self.home}/hls;
      hls_fragment 2s;
      hls_playlist_length 60s;
    }}
  }}
}}
""")
        self.run("nginx", {"rtmp": port}, "nginx", "-p", self.home, "-e", self.home / "error.log", "-c", config)
        self.list([(f"s{number}", f"s{number}", port) for number in range(self.count)])


class MultimuxRtmp(Server):
    """multimux: a route with a listener of its own for each stream, Low-Latency HLS out of the same process."""

    name = "multimux"

    def __init__(self, binary: Path, work: Path, count: int):
        super().__init__(work / "rtmp" / "multimux")
        self.binary, self.count = binary, count
        self.http = free_port()

    def begin(self) -> None:
        ingests = [free_port() for _ in range(self.count)]
        routes = [
            {"name": f"s{number}", "outputs": ["llhls"],
             "input": {"type": "rtmp", "listen": f"127.0.0.1:{port}", "app": "live"}}
            for number, port in enumerate(ingests)
        ]
        config = self.home / "config.json"
        # The window, segments and parts that forebay has.
        config.write_text(json.dumps({
            "bind": f"127.0.0.1:{self.http}", "target_duration_secs": 2.0, "part_target_ms": 334,
            "window_segments": 30, "max_concurrent_requests": 20_000, "routes": routes,
        }))
        self.run("multimux", {"http": self.http}, "env", "RUST_LOG=warn", self.binary, "--config", config)
        self.list([(f"s{number}", f"s{number}", port) for number, port in enumerate(ingests)])

    def watch(self, _tracks: list[str]) -> list:
        return ["--watch", f"127.0.0.1:{self.http}"]

"""Servers that are compared: started on loopback, pinned to one core, told apart by what their processes use."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
TICK = os.sysconf("SC_CLK_TCK")


class Peer:
    """A process, its children, and where it listens."""

    def __init__(self, name: str, process: subprocess.Popen, ports: dict[str, int]):
        self.name, self.process, self.ports = name, process, ports
        for port in ports.values():
            wait_for(port)

    def cpu(self) -> float:
        """Seconds of CPU that it has used, in user space and in the kernel."""
        return sum(sum(map(int, stat(pid)[11:13])) for pid in self.pids()) / TICK

    def memory(self) -> float:
        """Resident megabytes."""
        return sum(resident(pid) for pid in self.pids()) / 1e6

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Forebay(Peer):
    """The daemon on a store and a catalogue in `work`. Another one has a folder of its own, and may have another store and cache."""

    def __init__(self, binary: Path, work: Path, trust: tuple[Path, Path], home: Path | None = None,
                 store: str = "", cache: str = 'memory = "2GiB"', live: str = 'memory = "4GiB"'):
        ports = {"http": free_port(), "https": free_port(), "admin": free_port()}
        home = home or work
        home.mkdir(parents=True, exist_ok=True)
        self.binary, self.config = binary, home / "forebay.toml"
        store = store or f'url = "file://{work / "store"}"'
        self.config.write_text(
            f"""[listen]
http = "127.0.0.1:{ports['http']}"
https = "127.0.0.1:{ports['https']}"
admin = "127.0.0.1:{ports['admin']}"
[tls]
cert = "{trust[0]}"
key = "{trust[1]}"
[store]
{store}
[database]
url = "sqlite://{work / 'catalogue.db'}"
[auth]
keys = "{work / 'keys.json'}"
[cache]
{cache}
[limits]
threads = 1
connections = 12000
[live]
{live}
[log]
level = "warn"
"""
        )
        if not (work / "keys.json").exists():
            self.command("keys", "gen", "--keys", work / "keys.json")
        self.log = (home / "forebay.log").open("w")
        super().__init__("forebay", self.launch(), ports)
        token = self.command("token", "mint", "--config", self.config, "--path", "/vod/**", "--ttl", "12h")
        self.prefix = f"/t/{token.strip()}"

    def launch(self) -> subprocess.Popen:
        return start(self.log, self.binary, "serve", "--config", self.config)

    def restart(self) -> None:
        """Everything that was in memory is gone."""
        self.stop()
        self.process = self.launch()
        for port in self.ports.values():
            wait_for(port)

    def command(self, *arguments) -> str:
        done = subprocess.run([self.binary, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    def get(self, path: str) -> bytes:
        """What a viewer with a token gets."""
        return fetch(f"http://127.0.0.1:{self.ports['http']}{self.prefix}{path}")

    def sender_options(self) -> list:
        """What the tools need to send to it and to watch."""
        return ["--keys", self.config.parent / "keys.json"]

    def stream(self) -> str:
        """A name that was not used before: under an old one, the show of before would go on."""
        return f"s{time.time_ns()}"

    def counters(self) -> dict[str, float]:
        """The sum of each counter that tells how much was read."""
        text = fetch(f"http://127.0.0.1:{self.ports['admin']}/metrics").decode()
        found: dict[str, float] = {}
        for line in text.splitlines():
            if match := re.match(r"(forebay_\w+_total)(?:\{(.*)\})? (\S+)$", line):
                name, labels, value = match.groups()
                found[name] = found.get(name, 0) + float(value)
                if labels:
                    found[f"{name}{{{labels}}}"] = float(value)
        return found


class Nginx(Peer):
    """nginx with one worker: files in clear and over TLS, and a cache in front of them."""

    def __init__(self, work: Path, trust: tuple[Path, Path]):
        ports = {"http": free_port(), "https": free_port(), "cache": free_port()}
        home = work / "nginx"
        home.mkdir(exist_ok=True)
        config = home / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "\n".join(
            f"  {kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # The settings that an operator who wants speed would choose.
        config.write_text(
            f"""{user}
worker_processes 1;
daemon off;
pid {home}/pid;
error_log {home}/error.log;
events {{ worker_connections 4096; }}
http {{
{temporary}
  include /etc/nginx/mime.types;
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=10000;
  open_file_cache_valid 60s;
  ssl_certificate {trust[0]};
  ssl_certificate_key {trust[1]};
  ssl_protocols TLSv1.3;
  proxy_cache_path {home}/cache keys_zone=hot:10m max_size=1g inactive=1d;
  server {{
    listen 127.0.0.1:{ports['http']} backlog=4096;
    listen 127.0.0.1:{ports['https']} ssl backlog=4096;
    root {work / 'static'};
  }}
  server {{
    listen 127.0.0.1:{ports['cache']} backlog=4096;
    location / {{
      proxy_pass http://127.0.0.1:{ports['http']};
      proxy_cache hot;
      proxy_cache_valid 200 1d;
    }}
  }}
}}
"""
        )
        self.prefix = ""
        log = (home / "log").open("w")
        super().__init__("nginx", start(log, "nginx", "-p", home, "-e", home / "error.log", "-c", config), ports)


class Multimux(Peer):
    """multimux: an open origin of Low-Latency HLS, fed by the same sender. It checks no token."""

    def __init__(self, binary: Path, work: Path):
        self.binary, self.home = binary, work / "multimux"
        self.home.mkdir(exist_ok=True)
        self.version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
        self.log = (self.home / "log").open("w")
        ports = {"http": free_port(), "ingest": free_port()}
        super().__init__("multimux", self.launch(ports), ports)

    def launch(self, ports: dict[str, int]) -> subprocess.Popen:
        source = {"type": "dashif_ingest", "listen": f"127.0.0.1:{ports['ingest']}", "publishing_point": "/ingest"}
        config = self.home / "config.json"
        # The window, segments and parts that forebay has; and no limit that would be met.
        config.write_text(json.dumps({
            "bind": f"127.0.0.1:{ports['http']}", "target_duration_secs": 2.0, "part_target_ms": 334,
            "window_segments": 30, "max_concurrent_requests": 20_000,
            "routes": [{"name": "show", "input": source, "outputs": ["llhls"]}],
        }))
        return start(self.log, "env", "RUST_LOG=warn", self.binary, "--config", config)

    def restart(self) -> None:
        self.stop()
        self.ports = {"http": free_port(), "ingest": free_port()}
        self.process = self.launch(self.ports)
        for port in self.ports.values():
            wait_for(port)

    def sender_options(self) -> list:
        return ["--ingest", f"127.0.0.1:{self.ports['ingest']}"]

    def stream(self) -> str:
        return "show"


def start(log, *command, core: int = SERVER_CORE) -> subprocess.Popen:
    pinned = ["taskset", "-c", str(core), *map(str, command)]
    return subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def load_command(load: Path, peer: Peer, paths: Path, requests: int, connections=16, port="http", trust=None, rate=None):
    command = ["taskset", "-c", str(LOAD_CORE), load, "--address", f"127.0.0.1:{peer.ports[port]}"]
    command += ["--paths", paths, "--prefix", peer.prefix, "--requests", requests, "--connections", connections]
    command += ["--trust", trust] if trust else []
    command += ["--rate", rate] if rate else []
    return [str(word) for word in command]


def drive(*arguments, **options) -> dict:
    """Runs the load; gives what came, with the seconds of CPU that the server took for it."""
    peer: Peer = arguments[1]
    before = peer.cpu()
    done = subprocess.run(load_command(*arguments, **options), check=True, capture_output=True, text=True)
    return json.loads(done.stdout) | {"cpu": peer.cpu() - before, "peer": peer.name}


def certificate(work: Path) -> tuple[Path, Path]:
    """A P-256 certificate for loopback."""
    cert, key = work / "cert.pem", work / "key.pem"
    if not cert.exists():
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=bench"
        extensions = ["subjectAltName=IP:127.0.0.1", "basicConstraints=critical,CA:FALSE"]
        options = [word for extension in extensions for word in ("-addext", extension)]
        subprocess.run([*command.split(), *options, "-keyout", key, "-out", cert], check=True, capture_output=True)
        key.chmod(0o600)
    return cert, key


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat after the name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def family(parent: int) -> list[int]:
    """A process and its children."""
    found = [parent]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(stat(int(entry.name))[1]) == parent:
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found

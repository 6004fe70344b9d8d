#!/usr/bin/env bash
# Installs what the benchmarks need beside what the demo needs. Safe to run again.
set -euo pipefail

cd "$(dirname "$0")"
../deploy/setup.sh demo

missing=()
for pair in nginx:nginx varnishd:varnish openssl:openssl taskset:util-linux python3:python3; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair##*:}")
done
[ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || missing+=(libnginx-mod-rtmp)
[ "${#missing[@]}" -gt 0 ] || exit 0
run=()
[ "$(id -u)" -eq 0 ] || run=(sudo)
# Debian starts what it installs; a peer that listens everywhere is not wanted here.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee "$policy" >/dev/null
    "${run[@]}" chmod +x "$policy"
    trap '"${run[@]}" rm -f "$policy"' EXIT
fi
echo "bench: apt: ${missing[*]}"
"${run[@]}" apt-get update -q </dev/null >/dev/null
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null

#!/usr/bin/env bash
# A PostgreSQL server for tests, in the foreground:
#
#   setpriv --pdeathsig HUP tests/servers/postgres.sh FOLDER
#
# FOLDER is an empty one, or that of a former run, whose data are there again. The server listens on a Unix socket in it and on no
# network; its superuser is `postgres`, and any local user is believed to be whoever it says. It says `ready` when it answers.
#
# TERM stops it and leaves the folder; HUP, which the system sends when who started it has died, stops it and removes the folder.
# Nothing is synced to the disk: what is tested is a server that stops, not a machine that does.
set -euo pipefail

folder="$1"
programs="$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"
[ -x "$programs/postgres" ] || { echo "postgres is missing: run \`make setup\`" >&2; exit 1; }

# The server refuses to run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$folder"
    as=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

server=""
stop() {
    # Immediate: clients are cut off, as they are when a server dies.
    [ -z "$server" ] || kill -QUIT "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
}
trap 'stop; exit 0' TERM
trap 'stop; rm -rf "$folder"; exit 0' HUP

if [ ! -e "$folder/data/PG_VERSION" ]; then
    "${as[@]}" "$programs/initdb" -D "$folder/data" -U postgres --auth=trust --no-sync -E UTF8 --locale=C >"$folder/initdb.log" \
        || { cat "$folder/initdb.log" >&2; exit 1; }
fi
# If this script is killed, the server goes too.
"${as[@]}" setpriv --pdeathsig QUIT "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= \
    -c fsync=off -c full_page_writes=off -c max_connections=200 -c autovacuum=off >>"$folder/server.log" 2>&1 &
server=$!
until "$programs/pg_isready" -q -h "$folder" -U postgres; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/server.log" >&2; exit 1; }
    sleep 0.02
done
echo ready
wait "$server"

#!/usr/bin/env bash
# Every figure of docs/performance.md in one run: starts the server on a temporary data folder, loads it, measures its peer on the
# same machine right after, kills it and starts it again, and prints targets beside figures. Nothing else should run meanwhile.
#
#   bench/run.sh SERVER_BINARY [LOAD_BINARY_FOLDER]
#
# SECONDS_EACH (20), MILLIONS (20: size of the log for queries, start and verify), KILLS (0: crash test), PEER (1), DUCKDB (1) and
# RESULTS (bench/results) and TMPDIR (where the data goes) may be set. The report is written to RESULTS/<date>.json; it names no
# machine path.
set -euo pipefail

server=$(realpath "${1:?the server binary}")
here=$(cd "$(dirname "$0")" && pwd)
bin=$(realpath "${2:-$here/../target/release}")
load=$bin/indelible-load
crash=$bin/indelible-crash
seconds=${SECONDS_EACH:-20}
millions=${MILLIONS:-20}

folder=$(mktemp -d "${TMPDIR:-/tmp}/indelible-bench.XXXXXX")
reports=$folder/reports
mkdir "$reports"
# A token of this run's own for a server that only this machine reaches.
INDELIBLE_ADMIN_TOKEN=ind_a_$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export INDELIBLE_ADMIN_TOKEN INDELIBLE_TOKEN=$INDELIBLE_ADMIN_TOKEN
address=127.0.0.1:$((20000 + RANDOM % 20000))
pid=

# Public, so that looking at the checkpoint a hundred times a second leaves no events; flushed soon, so that what the index writes
# is within what is measured.
cat > "$folder/indelible.toml" <<CONF
[index]
flush_interval = "5s"
[[log]]
name = "main"
public = true
CONF

start() { # data folder
  "$server" serve --data "$1" --listen "$address" --config "$folder/indelible.toml" >> "$folder/server.log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    (exec 3<> "/dev/tcp/${address%:*}/${address#*:}") 2> /dev/null && return
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.1
  done
  tail -5 "$folder/server.log" >&2
  exit 2
}
stop() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid" || true; }
  pid=
}
trap 'stop; rm -rf "$folder"' EXIT

measure() { # report, data folder, scenario and its options
  local report=$1 data=$2
  shift 2
  echo "== $*" >&2
  "$load" --address "$address" --data "$data" --pid "${pid:-0}" --save "$reports/$report.json" "$@" >&2 || true
}

measure probe "$folder" probe --folder "$folder"
start "$folder/small"
# The rate first: its memory is that of the recording path alone.
measure rate "$folder/small" rate --seconds "$seconds"
measure single "$folder/small" single --seconds "$seconds"
measure batch "$folder/small" batch --seconds "$seconds"
stop

if [ "${PEER:-1}" = 1 ]; then
  echo "== PostgreSQL" >&2
  "$here/peer-postgres.sh" "$load" "$seconds" | while read -r line; do
    name=$(sed 's/^{"scenario":"\([a-z_]*\)".*/\1/' <<< "$line")
    echo "$line" > "$reports/$name.json"
    echo "$line" >&2
  done
fi

start "$folder/large"
measure fill "$folder/large" fill --millions "$millions"
measure query "$folder/large" query
if [ "${DUCKDB:-1}" = 1 ]; then
  "$here/queries.py" --address "$address" --data "$folder/large" --format json > "$reports/duckdb.json" || true
fi
stop
measure verify "$folder/large" verify --server "$server" --folder "$folder/large/logs/main"
echo "== start after SIGKILL" >&2
"$crash" --server "$server" --start-time 10 --data "$folder/large" --format json > "$reports/start.json" || true
if [ "${KILLS:-0}" -gt 0 ]; then
  "$crash" --server "$server" --kills "$KILLS" >&2
fi

"$load" summary "$reports"
results=${RESULTS:-$here/results}
mkdir -p "$results"
"$load" --format json summary "$reports" > "$results/$(date -u +%Y-%m-%d).json"

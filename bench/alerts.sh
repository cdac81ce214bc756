#!/usr/bin/env bash
# What watching costs, and how soon people are told: recording in batches with detection off and on, in turns; then, under
# 20,000 events a second, the time from an acknowledged event to the webhook that tells of it.
# Load, receiver and server share the machine; nothing else should run meanwhile.
#
#   bench/alerts.sh [FOLDER_OF_RELEASE_PROGRAMS]
#
# SECONDS_EACH (10), ROUNDS (3), ALERTS (300), RATE (20000) and TMPDIR may be set. Needs python3 (its standard library only).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(realpath "${1:-$here/../target/release}")
seconds=${SECONDS_EACH:-10}
folder=$(mktemp -d "${TMPDIR:-/tmp}/indelible-alerts.XXXXXX")
INDELIBLE_ADMIN_TOKEN=ind_a_$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export INDELIBLE_ADMIN_TOKEN INDELIBLE_TOKEN=$INDELIBLE_ADMIN_TOKEN
address=127.0.0.1:$((20000 + RANDOM % 20000))
hook=127.0.0.1:$((40001 + RANDOM % 20000))
pid=
stop() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid" || true; }
  pid=
}
trap 'stop; rm -rf "$folder"' EXIT

start() { # data folder, settings
  "$bin/indelible" serve --data "$1" --listen "$address" --config "$2" >> "$folder/server.log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    (exec 3<> "/dev/tcp/${address%:*}/${address#*:}") 2> /dev/null && return
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.1
  done
  tail -5 "$folder/server.log" >&2
  exit 2
}

printf '[detect]\nenabled = false\n' > "$folder/off.toml"
printf '[detect]\nenabled = true\n' > "$folder/on.toml"
for round in $(seq "${ROUNDS:-3}"); do
  for way in off on; do
    start "$folder/$way-$round" "$folder/$way.toml"
    "$bin/indelible-load" --address "$address" --data "$folder/$way-$round" --pid "$pid" --format json \
      --save "$folder/$way-$round.json" batch --seconds "$seconds" > /dev/null
    stop
    rm -rf "${folder:?}/$way-$round"
  done
done

mkdir "$folder/rules"
python3 "$here/alerts.py" rules "$folder/rules" "${ALERTS:-300}"
cat > "$folder/told.toml" << CONF
[detect]
rules = ["$folder/rules"]
[[receiver]]
name = "bench"
type = "webhook"
url = "http://$hook/"
allow_private = true
rules = ["bench-*"]
CONF
start "$folder/told" "$folder/told.toml"
python3 "$here/alerts.py" measure "http://$address" "$hook" "${ALERTS:-300}" "${RATE:-20000}" > "$folder/latency.json"
stop
python3 "$here/alerts.py" report "$folder" "${ROUNDS:-3}"

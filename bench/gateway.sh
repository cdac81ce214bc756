#!/usr/bin/env bash
# What the gateways add, and what they carry: the same client and the same scripted upstream, directly and through
# `indelible serve`, in one run; and beside them LiteLLM's proxy with its logging on, when a Python with it is given.
# Upstream, load and gateway share the machine; nothing else should run meanwhile.
#
#   bench/gateway.sh [FOLDER_OF_RELEASE_PROGRAMS]
#
# SECONDS_EACH (10), STREAMS (5000), LITELLM (path of a `litellm` program; python3 -m venv, pip install 'litellm[proxy]') and TMPDIR
# may be set. Prints a table with the targets beside, and the reports of each measurement to RESULTS (bench/results) as JSON.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(realpath "${1:-$here/../target/release}")
load=$bin/indelible-load
seconds=${SECONDS_EACH:-10}
streams=${STREAMS:-5000}
ulimit -n "$(ulimit -Hn)"

folder=$(mktemp -d "${TMPDIR:-/tmp}/indelible-gateway.XXXXXX")
mkdir "$folder/reports"
INDELIBLE_ADMIN_TOKEN=ind_a_$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export INDELIBLE_ADMIN_TOKEN INDELIBLE_TOKEN=$INDELIBLE_ADMIN_TOKEN
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait 2> /dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

"$bin/indelible-upstream" --pieces 60 > "$folder/upstream" &
pids+=($!)
sleep 0.5
upstream=$(cat "$folder/upstream")
cat > "$folder/indelible.toml" << CONF
[limits]
connections = 8000
[[gateway.llm]]
name = "openai"
mount = "/llm/openai"
upstream = "$upstream"
format = "openai"
[[gateway.mcp]]
name = "tools"
mount = "/mcp/tools"
upstream = "$upstream/mcp"
CONF
"$bin/indelible" serve --data "$folder/data" --listen 127.0.0.1:0 --config "$folder/indelible.toml" > "$folder/server" 2>&1 &
server=$!
pids+=("$server")
for _ in $(seq 100); do grep -q '^URL:' "$folder/server" && break; sleep 0.1; done
gateway=$(sed -n 's/^URL: *http:\/\///p' "$folder/server")
[ -n "$gateway" ] || { tail -5 "$folder/server" >&2; exit 2; }
direct=${upstream#http://}

calls() { # report, address, path, options
  local report=$1 address=$2 path=$3
  shift 3
  echo "== $report" >&2
  "$load" --address "$address" --save "$folder/reports/$report.json" calls --path "$path" --seconds "$seconds" "$@" > /dev/null || echo "   with faults" >&2
}
chat=/v1/chat/completions
calls warm "$gateway" "/llm/openai$chat" --rate 200
calls plain-direct "$direct" "$chat" --rate 200
calls plain-gateway "$gateway" "/llm/openai$chat" --rate 200
calls stream-direct "$direct" "$chat" --rate 100 --stream
calls stream-gateway "$gateway" "/llm/openai$chat" --rate 100 --stream
calls tool-direct "$direct" /mcp --rate 200 --tool
calls tool-gateway "$gateway" /mcp/tools --rate 200 --tool
calls most-direct "$direct" "$chat" --connections 64
calls most-gateway "$gateway" "/llm/openai$chat" --connections 64
echo "== $streams streams held open" >&2
"$load" --address "$gateway" --pid "$server" --save "$folder/reports/hold.json" calls --path "/llm/openai$chat" --model gpt-test+drip \
  --hold "$streams" --seconds 30 > /dev/null || echo "   with faults" >&2

if [ -n "${LITELLM:-}" ]; then
  cat > "$folder/litellm.yaml" << CONF
model_list:
  - model_name: gpt-test
    litellm_params: {model: openai/gpt-test, api_base: $upstream/v1, api_key: any}
litellm_settings:
  callbacks: [log_to_file.logger]
CONF
  # Its logging: every call with messages and answer as a line of a file, flushed but not synced.
  cat > "$folder/log_to_file.py" << 'CODE'
import json
from litellm.integrations.custom_logger import CustomLogger


class FileLogger(CustomLogger):
    def __init__(self):
        super().__init__()
        self.out = open("calls.log", "a", buffering=1)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        line = {"model": kwargs.get("model"), "messages": kwargs.get("messages"), "answer": str(response_obj), "from": str(start_time), "to": str(end_time)}
        self.out.write(json.dumps(line) + "\n")


logger = FileLogger()
CODE
  port=$((20000 + RANDOM % 20000))
  key=sk-${INDELIBLE_TOKEN#ind_a_} # its tokens begin so
  (cd "$folder" && exec env LITELLM_MASTER_KEY="$key" LITELLM_LOG=ERROR LITELLM_TELEMETRY=False "$LITELLM" --config litellm.yaml --host 127.0.0.1 --port "$port" --num_workers 1) > "$folder/litellm.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 120); do (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break; sleep 0.5; done
  INDELIBLE_TOKEN=$key calls peer-warm "127.0.0.1:$port" "$chat" --connections 8
  INDELIBLE_TOKEN=$key calls peer-most "127.0.0.1:$port" "$chat" --connections 64
  [ -s "$folder/calls.log" ] || { echo "   its log is empty" >&2; tail -5 "$folder/litellm.log" >&2; }
fi

python3 - "$folder/reports" << 'CODE'
import json, sys, pathlib
r = {p.stem: json.loads(p.read_text()) for p in pathlib.Path(sys.argv[1]).glob("*.json")}
def ms(name, what, q):
    return r[name][what][q]
def added(kind, what, q):
    return ms(f"{kind}-gateway", what, q) - ms(f"{kind}-direct", what, q)
def row(figure, reach, value, ok):
    print(f"| {figure} | {reach} | {value} | {'reached' if ok else 'missed'} |")
print("| figure | reach | measured | |\n| --- | --- | --- | --- |")
a, b = added("plain", "whole_ms", "p50"), added("plain", "whole_ms", "p99")
row("added latency, non-streaming, 200 calls/s", "p50 ≤ 0.6 ms, p99 ≤ 3 ms", f"p50 {a:.2f} ms, p99 {b:.2f} ms", a <= 0.6 and b <= 3)
a = added("stream", "first_ms", "p50")
row("added time to first byte of a stream", "p50 ≤ 0.6 ms", f"{a:.2f} ms", a <= 0.6)
most = r["most-gateway"]["calls_per_s"]
row("throughput against a fast upstream", "≥ 4,000 calls/s", f"{most:,} calls/s (directly {r['most-direct']['calls_per_s']:,})", most >= 4000)
if "peer-most" in r:
    peer = r["peer-most"]["calls_per_s"]
    told = f"{most / peer:.1f} × ({peer:,} calls/s)" if peer else "not measured: it answered nothing"
    row("… to LiteLLM's proxy with its logging on", "≥ 20 ×", told, peer and most >= 20 * peer)
k = r["hold"].get("kib_a_stream", 0)
row(f"memory for a streaming call, {r['hold']['open_at_once']:,} at once", "≤ 64 KiB", f"{k:.0f} KiB", k <= 64 and r["hold"]["open_at_once"] >= r["hold"]["streams"])
a = added("tool", "whole_ms", "p50")
row("MCP tool call through the HTTP gateway", "p50 ≤ 0.8 ms added", f"{a:.2f} ms", a <= 0.8)
for name, report in sorted(r.items()):
    if report.get("faults"):
        print(f"{report['failed']} failed in {name}: {report['faults'][0][:300]}")
CODE
results=${RESULTS:-$here/results}
mkdir -p "$results"
python3 - "$folder/reports" > "$results/gateway-$(date -u +%Y-%m-%d).json" << 'CODE'
import json, sys, pathlib
print(json.dumps({p.stem: json.loads(p.read_text()) for p in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))}, indent=1))
CODE

"""The parts of bench/alerts.sh: rules to be found by, the load and the receiver, and the table."""

import http.client
import json
import os
import statistics
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# After so many alerts of one rule within an hour further ones are gathered, and not told: so each rule makes fewer.
ALERTS_OF_A_RULE = 40
BATCH = 500


def rules(folder, alerts):
    for n in range(-(-alerts // ALERTS_OF_A_RULE)):
        Path(folder, f"bench-{n}.yml").write_text(
            f"title: Bench {n}\nid: bench-{n}\nlogsource: {{product: indelible}}\n"
            f"detection:\n  vault:\n    resources.id: bench-vault-{n}\n  condition: vault\nlevel: high\n")


def event(actor, resource, n):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "time": now, "actor": {"id": actor, "type": "human", "ip": "192.0.2.7"}, "action": "read", "operation": "orders.lookup",
        "resources": [{"type": "table", "id": resource, "count": n % 50}], "outcome": {"result": "allowed", "code": "200"},
        "attributes": {"n": n, "region": "eu-west-1"},
    }


def post(connection, body):
    headers = {"authorization": f"Bearer {os.environ['INDELIBLE_TOKEN']}", "content-type": "application/x-ndjson"}
    connection.request("POST", "/v1/events", body, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"the server answers {answer.status}")


def load(address, rate, stop, done):
    """Batches at a fixed rate; what is late is sent at once."""
    connection = http.client.HTTPConnection(address)
    lines = [json.dumps(event(f"user-{n % 397}", f"orders/{n}", 0)) for n in range(BATCH)]
    body, sent, began = "\n".join(lines), 0, time.monotonic()
    while not stop.is_set():
        due = began + sent * BATCH / rate
        time.sleep(max(0.0, due - time.monotonic()))
        post(connection, body.replace('"n": 0', f'"n": {sent}').encode())
        sent += 1
    done.append(sent * BATCH / (time.monotonic() - began))


def measure(url, hook, alerts, rate):
    address = url.removeprefix("http://")
    arrived = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            now = time.monotonic()
            notice = json.loads(self.rfile.read(int(self.headers["content-length"])))
            arrived.setdefault(notice["alert"]["entity"]["id"], now)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    host, port = hook.split(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stop, done = threading.Event(), []
    loader = threading.Thread(target=load, args=(address, rate, stop, done))
    loader.start()
    time.sleep(3)
    connection, acknowledged = http.client.HTTPConnection(address), {}
    for n in range(alerts):
        actor = f"finder-{n}"
        post(connection, json.dumps(event(actor, f"bench-vault-{n // ALERTS_OF_A_RULE}", n)).encode())
        acknowledged[actor] = time.monotonic()
        time.sleep(0.1)
    end = time.monotonic() + 60
    while len(arrived) < alerts and time.monotonic() < end:
        time.sleep(0.1)
    stop.set()
    loader.join()
    took = sorted((arrived[actor] - acknowledged[actor]) * 1000 for actor in arrived if actor in acknowledged)
    print(json.dumps({"alerts": alerts, "told": len(took), "rate": done[0], "ms": took}))


def report(folder, rounds):
    def rate(way, n):
        return json.loads(Path(folder, f"{way}-{n}.json").read_text())["events_per_s"]
    pairs = [(rate("off", n), rate("on", n)) for n in range(1, rounds + 1)]
    for n, (off, on) in enumerate(pairs, 1):
        print(f"round {n}: {off:,.0f} events/s without detection, {on:,.0f} with: {on / off:.2f}")
    print(f"recording with detection on, median: {statistics.median(on / off for off, on in pairs):.2f} x without (target 0.90)")
    latency = json.loads(Path(folder, "latency.json").read_text())
    took = latency["ms"]
    at = lambda part: took[min(len(took) - 1, int(part * len(took)))] if took else float("nan")
    print(f"under {latency['rate']:,.0f} events/s: {latency['told']} of {latency['alerts']} told, "
          f"from acknowledged to webhook p50 {at(0.5):.0f} ms (250), p99 {at(0.99):.0f} ms (1000), longest {at(1):.0f} ms")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "rules":
        rules(rest[0], int(rest[1]))
    elif what == "measure":
        measure(rest[0], rest[1], int(rest[2]), float(rest[3]))
    else:
        report(rest[0], int(rest[1]))

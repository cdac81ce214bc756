#!/usr/bin/env python3
"""How long the pages take at the server, on whatever log it holds: first asked, and asked again.

    INDELIBLE_TOKEN=… bench/pages.py [--address 127.0.0.1:7411] [--repeats 9] [--actor ID]

The time is from the request to the last byte of the compressed answer, over one connection on the same machine. Each look is recorded,
so that a page never is quite the same as before: what came meanwhile is counted with it.
"""

import argparse
import http.client
import os
import statistics
import sys
import time
from urllib.parse import quote, urlencode

PAGES = [
    ("overview, last 24 hours", "/"),
    ("overview, last 30 days", "/?range=30d"),
    ("search, everything", "/search"),
    ("search, denied", "/search?q=outcome%3Adenied"),
    ("search, one actor", "/search?q={actor}"),
    ("search, an actor's denied", "/search?q={actor}+outcome%3Adenied"),
    ("search, a free text", "/search?q=nobody-of-this-name"),
    ("brushed to a day", "/search?q=outcome%3Adenied&from={day}&to={day}T23%3A59%3A59Z"),
    ("counts by field, everything", "/search/counts"),
    ("counts by field, denied", "/search/counts?q=outcome%3Adenied"),
    ("counts by field, one actor", "/search/counts?q={actor}"),
    ("completion of values", "/v1/stats?by=actor&limit=12&q={begin}"),
    ("an actor", "/actor?id={id}"),
    ("an event", "/events/main/{index}"),
    ("flows, last 24 hours", "/flows"),
]


class Server:
    def __init__(self, address, token):
        self.address, self.cookie = address, None
        self.connection = http.client.HTTPConnection(address, timeout=120)
        body = urlencode({"token": token})
        headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", "accept": "text/html"}
        self.connection.request("POST", "/sign-in", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 303:
            sys.exit(f"the sign-in was answered with {answer.status}")
        self.cookie = answer.getheader("set-cookie").split(";")[0]

    def get(self, path):
        headers = {"cookie": self.cookie, "accept": "text/html", "accept-encoding": "gzip"}
        begun = time.perf_counter()
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - begun
        if answer.status != 200:
            sys.exit(f"{path} was answered with {answer.status}: {body[:300]!r}")
        return taken * 1000, len(body)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--address", default="127.0.0.1:7411")
    arguments.add_argument("--repeats", type=int, default=9)
    arguments.add_argument("--actor", default="user-00007@example.com")
    given = arguments.parse_args()
    server = Server(given.address, os.environ.get("INDELIBLE_TOKEN") or sys.exit("INDELIBLE_TOKEN is not set"))
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 3 * 86_400))
    words = {"actor": quote(f"actor:{given.actor}"), "id": quote(given.actor), "day": day, "index": 12345, "begin": quote(f"actor:{given.actor[:6]}*")}
    print(f"{'page':32} {'first ms':>9} {'again p50':>10} {'worst':>8} {'KiB':>6}")
    for name, path in PAGES:
        path = path.format(**words)
        first, size = server.get(path)
        again = sorted(server.get(path)[0] for _ in range(given.repeats))
        print(f"{name:32} {first:9.1f} {statistics.median(again):10.1f} {again[-1]:8.1f} {size / 1024:6.1f}", flush=True)


if __name__ == "__main__":
    main()

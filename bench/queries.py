#!/usr/bin/env python3
"""The server's queries beside DuckDB on the same Parquet files: one actor's events of one day, counts by model and day, events by
id. Warm, both with 2 threads, one query at a time; the median counts. Each answer is compared with DuckDB's.

    INDELIBLE_TOKEN=... bench/queries.py --address 127.0.0.1:7411 --data DATA [--log main] [--times 20] [--format text|json]

DuckDB comes from a virtual environment that is made when it is not there: outside the repository, in the user's cache folder or at
--venv. What the server has not written to a file yet is not DuckDB's to find: let it flush first (index.flush_interval).
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.parse
import venv

DUCKDB = ["duckdb==1.4.*", "pytz"]
THREADS = 2
IDS = 20
PAGE = 100
COLUMNS = "select index, id, time, action, operation, outcome_result from events"
MODEL_DAY = "select ai_request_model, date_trunc('day', time) as day, count(*) as n from events group by 1, 2"


def enter_venv(folder):
    """Goes on in the virtual environment, made first if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder} with {DUCKDB[0]}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *DUCKDB], check=True)
    if pathlib.Path(sys.prefix).resolve() != folder.resolve():
        os.execv(python, [str(python), *sys.argv])


class Server:
    def __init__(self, arguments):
        self.connection = http.client.HTTPConnection(arguments.address, timeout=120)
        self.headers = {"authorization": f"Bearer {os.environ.get('INDELIBLE_TOKEN', '')}"}
        self.log = arguments.log

    def ask(self, method, path, body=None):
        headers = {**self.headers, "content-type": "application/json"} if body else self.headers
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:400].decode()}")
        return json.loads(text)

    def sql(self, query):
        return self.ask("POST", "/v1/sql", json.dumps({"query": query, "log": self.log}))["rows"]

    def events(self, **query):
        return self.ask("GET", "/v1/events?" + urllib.parse.urlencode({**query, "log": self.log}))["events"]

    def stats(self, **query):
        return self.ask("GET", "/v1/stats?" + urllib.parse.urlencode({**query, "log": self.log}))["rows"]


def median_ms(run, times):
    """Median time of a query in milliseconds, after three runs that are not counted, and its last answer."""
    taken = []
    for turn in range(times + 3):
        began = time.perf_counter()
        answer = run()
        if turn >= 3:
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), answer


def subject(duck):
    """An actor in the middle of the field on the fullest day, and ids spread over all files."""
    day = duck("select strftime(time, '%Y-%m-%d') as day from events where actor_id is not null group by 1 order by count(*) desc limit 1")[0][0]
    within = f"time >= timestamptz '{day} 00:00:00+00' and time <= timestamptz '{day} 23:59:59.999999+00'"
    actors = duck(f"select actor_id from events where {within} and actor_id is not null group by 1 order by count(*) desc, 1 limit 500")
    ids = duck(f"select id from events where source_kind <> 'indelible' using sample reservoir({IDS} rows) repeatable (7)")
    return day, actors[len(actors) // 2][0], sorted(row[0] for row in ids)


def measure(arguments):
    import duckdb

    session = duckdb.connect(config={"threads": THREADS})
    session.execute("set timezone = 'UTC'")
    session.execute("set parquet_metadata_cache = true")
    files = pathlib.Path(arguments.data) / "index" / arguments.log / "date=*" / "*.parquet"
    session.execute(f"create view events as select * from read_parquet('{files}', hive_partitioning = false)")
    duck = lambda query: session.execute(query).fetchall()
    server = Server(arguments)

    day, actor, ids = subject(duck)
    span = {"from": f"{day}T00:00:00Z", "to": f"{day}T23:59:59.999999999Z"}
    of_day = lambda kind, t: f"time >= {kind} '{day}{t}00:00:00+00:00' and time <= {kind} '{day}{t}23:59:59.999999+00:00'"
    actor_day = f"{COLUMNS} where actor_id = '{actor}' and {{}} order by time desc limit {PAGE}"
    by_ids = f"{COLUMNS} where id in ({', '.join(repr(id) for id in ids)})"
    any_id = " or ".join(f"id:{id}" for id in ids)

    one_id = f"{COLUMNS} where id = '{ids[0]}'"
    # Name, DuckDB's query, the same in the server's SQL, the same through the query language; where a row's value to compare stands.
    questions = [
        (
            "actor_day",
            actor_day.format(of_day("timestamptz", " ")),
            actor_day.format(of_day("timestamp", "T")),
            lambda: server.events(q=f'actor:"{actor}"', limit=PAGE, **span),
            (0, "index"),
        ),
        (
            "model_day",
            MODEL_DAY,
            MODEL_DAY,
            lambda: server.stats(q="", by="ai_request_model", interval="1d"),
            (2, "count"),
        ),
        ("id", one_id, one_id, lambda: server.events(q=f"id:{ids[0]}"), (0, "index")),
        ("ids", by_ids, by_ids, lambda: server.events(q=any_id, limit=PAGE), (0, "index")),
    ]
    report = {"scenario": "duckdb", "duckdb": duckdb.__version__, "threads": THREADS}
    report["events"] = duck("select count(*) from events")[0][0]
    for name, duck_query, sql_query, ask, (at, field) in questions:
        duck_ms, expected = median_ms(lambda: duck(duck_query), arguments.times)
        sql_ms, by_sql = median_ms(lambda: server.sql(sql_query), arguments.times)
        api_ms, by_api = median_ms(ask, arguments.times)
        # Reading is recorded too: rows without a model grow while this runs, and are left out of the comparison.
        values = [sorted(row[at] for row in found if row[0] is not None) for found in (expected, by_sql)]
        values.append(sorted(row[field] for row in by_api if row.get("ai_request_model", "") is not None))
        report[name] = {
            "rows": len(expected),
            "same": values[0] == values[1] == values[2],
            "duckdb_ms": round(duck_ms, 2),
            "sql_ms": round(sql_ms, 2),
            "api_ms": round(api_ms, 2),
            "sql_ratio": round(sql_ms / duck_ms, 2),
            "api_ratio": round(api_ms / duck_ms, 2),
        }
    return report


def main():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1:7411")
    parser.add_argument("--data", required=True)
    parser.add_argument("--log", default="main")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--venv", type=pathlib.Path, default=cache / "indelible-bench-venv")
    arguments = parser.parse_args()
    enter_venv(arguments.venv)
    report = measure(arguments)
    if arguments.format == "json":
        print(json.dumps(report))
        return
    print(f"{report['events']} events, DuckDB {report['duckdb']}, {THREADS} threads; medians in ms")
    print(f"{'query':<24}{'rows':>18}{'DuckDB':>10}{'SQL':>10}{'ratio':>8}{'API':>10}{'ratio':>8}")
    for name, row in ((name, row) for name, row in report.items() if isinstance(row, dict)):
        rows = f"{row['rows']}{'' if row['same'] else ' (differ)'}"
        print(f"{name:<24}{rows:>18}{row['duckdb_ms']:>10}{row['sql_ms']:>10}{row['sql_ratio']:>8}{row['api_ms']:>10}{row['api_ratio']:>8}")


if __name__ == "__main__":
    main()

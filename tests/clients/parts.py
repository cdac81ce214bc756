"""The programs the tests start, and what they ask of the log."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

ADMIN = "ind_a_" + "5a" * 32
PROVIDER_KEY = "the-provider's-key"
CONFIG = """
[[gateway.llm]]
name = "openai"
mount = "/llm/openai"
upstream = "{upstream}"
format = "openai"
credential_variable = "TEST_PROVIDER_KEY"
idle_time = "2s"

[[gateway.llm]]
name = "anthropic"
mount = "/llm/anthropic"
upstream = "{upstream}"
format = "anthropic"
credential_variable = "TEST_PROVIDER_KEY"
idle_time = "2s"

[[gateway.mcp]]
name = "everything"
mount = "/mcp/everything"
upstream = "{everything}/mcp"
"""


class Failed(AssertionError):
    """A test did not find what it expected."""


def expect(condition, message):
    if not condition:
        raise Failed(message)


def wait(what, seconds, ask):
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Program:
    """A program under test, its output in a file."""

    def __init__(self, command, log, env=None):
        self.log = Path(log)
        self.out = open(self.log, "ab")
        self.process = subprocess.Popen(command, stdout=self.out, stderr=self.out, env={**os.environ, **(env or {})})

    def text(self):
        return self.log.read_text(errors="replace")

    def line(self, beginning, seconds=60, skip=0):
        def ask():
            expect(self.process.poll() is None, f"{self.log.name} ended:\n{self.text()[-3000:]}")
            lines = [line for line in self.text()[skip:].splitlines() if line.startswith(beginning)]
            return lines[0][len(beginning):].strip() if lines else None
        return wait(f"`{beginning}` of {self.log.name}", seconds, ask)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
        self.out.close()


class Upstream(Program):
    def __init__(self, bin_dir, folder, *arguments):
        super().__init__([f"{bin_dir}/indelible-upstream", "--key", PROVIDER_KEY, *arguments], f"{folder}/upstream.log")
        self.url = "http" + self.line("http")

    def calls(self):
        return json.load(urllib.request.urlopen(f"{self.url}/_calls"))["calls"]

    def last(self):
        return json.load(urllib.request.urlopen(f"{self.url}/_last"))


class Everything(Program):
    """The tool server from npm, over streamable HTTP."""

    def __init__(self, script, folder, port):
        super().__init__(["node", script, "streamableHttp"], f"{folder}/everything.log", {"PORT": str(port)})
        self.url = f"http://127.0.0.1:{port}"

        def listens():
            expect(self.process.poll() is None, f"the tool server ended:\n{self.text()}")
            try:
                urllib.request.urlopen(f"{self.url}/mcp", timeout=2)
                return True
            except urllib.error.HTTPError:
                return True
            except OSError:
                return False
        wait("the tool server", 30, listens)


class Server:
    """`indelible serve` with gateways, over a data folder that outlives it."""

    def __init__(self, bin_dir, folder, upstream, everything, data=None, extra=""):
        self.bin, self.folder = bin_dir, Path(folder)
        self.data = Path(data or f"{folder}/data")
        config = self.folder / "indelible.toml"
        config.write_text(CONFIG.format(upstream=upstream, everything=everything) + extra)
        self.config = config
        self.start()

    def start(self):
        skip = len((self.folder / "server.log").read_text(errors="replace")) if (self.folder / "server.log").exists() else 0
        env = {"INDELIBLE_ADMIN_TOKEN": ADMIN, "TEST_PROVIDER_KEY": PROVIDER_KEY}
        command = [f"{self.bin}/indelible", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", "--config", str(self.config)]
        self.program = Program(command, self.folder / "server.log", env)
        self.url = self.program.line("URL:", skip=skip)

    def stop(self, how=signal.SIGTERM):
        self.program.stop(how)

    def api(self, method, path, body=None, token=ADMIN):
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def token(self, name, role="gateway"):
        return self.api("POST", "/v1/tokens", {"name": name, "role": role})["token"]

    def events(self, query, limit=50):
        page = self.api("GET", "/v1/events?" + urllib.parse.urlencode({"q": query, "limit": limit, "order": "asc"}))
        return [one["event"] for one in page["events"]]

    def exchange(self, conversation, seconds=10):
        """Intent and outcome of the one exchange of a conversation: exactly one each."""
        query = f"conversation:{conversation}"

        def both():
            found = self.events(query)
            return found if any(event["outcome"]["phase"] != "intent" for event in found) else None
        found = wait(f"the outcome of {conversation}", seconds, both)
        phases = [event["outcome"]["phase"] for event in found]
        expect(phases == ["intent", "outcome"], f"phases {phases} instead of one intent and one outcome: {json.dumps(found)[:2000]}")
        expect(found[0]["outcome"]["request"] == found[1]["outcome"]["request"], "intent and outcome carry different requests")
        return found

    def verify(self):
        log = next((self.data / "logs").iterdir())
        done = subprocess.run([f"{self.bin}/indelible", "verify", str(log), "--format", "json"], capture_output=True, text=True)
        expect(done.returncode == 0, f"verify says {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def command(self, *arguments):
        env = {**os.environ, "INDELIBLE_URL": self.url, "INDELIBLE_TOKEN": ADMIN}
        return subprocess.run([f"{self.bin}/indelible", *arguments], capture_output=True, text=True, env=env)


def conversation():
    """A name by which a test finds its own events."""
    return f"c-{uuid.uuid4().hex}"


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def folder():
    return tempfile.mkdtemp(prefix="indelible-clients-")

#!/usr/bin/env python3
"""Drives the official `mcp` package against the server-everything of MCP through a gateway, and says whether all of it worked.

    mcp_client.py [--token TOKEN] http URL        streamable HTTP
    mcp_client.py [--token TOKEN] sse URL         the older HTTP with a stream of events beside it
    mcp_client.py stdio -- COMMAND [ARGUMENT …]   pipes, such as `indelible mcp wrap -- npx …`

Needs `pip install mcp` (2.x). Exits with 0 when every step did what it should, with 1 otherwise. The last line on standard output
is a JSON object with what was done. `TESTS` are run by `run.py`: they compare what was done with what was recorded.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import httpx2
import mcp
import mcp_types as types
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

PARALLEL_CALLS = 20


class Steps:
    """What was done, and what went wrong."""

    def __init__(self):
        self.done = {}
        self.wrong = []

    def check(self, name, fine, shown=""):
        self.done[name] = self.done.get(name, 0) + 1
        if not fine:
            self.wrong.append(f"{name}: {shown}")
        print(f"{'ok' if fine else 'WRONG'}  {name}  {shown if not fine else ''}".rstrip(), file=sys.stderr)


def text_of(result):
    return " ".join(getattr(block, "text", "") for block in result.content)


async def sample(_context, params):
    return types.CreateMessageResult(
        role="assistant",
        content=types.TextContent(type="text", text="sampled by the client"),
        model="test-model",
        stop_reason="endTurn",
    )


async def elicit(_context, params):
    return types.ElicitResult(action="decline")


async def roots(_context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///srv/work", name="work")])


async def drive(target, steps, mode):
    progress = []

    async def on_progress(done, total, message):
        progress.append(done)

    client = mcp.Client(
        target,
        mode=mode,
        sampling_callback=sample,
        elicitation_callback=elicit,
        list_roots_callback=roots,
        read_timeout_seconds=30,
    )
    async with client:
        steps.check("initialize", client.server_info is not None and client.server_info.name != "", client.server_info)
        tools = await client.list_tools()
        names = {tool.name for tool in tools.tools}
        steps.check("tools/list", {"echo", "get-sum"} <= names, sorted(names))
        result = await client.call_tool("echo", {"message": "hello"})
        steps.check("tools/call", "hello" in text_of(result), result)
        result = await client.call_tool("get-sum", {"a": 2, "b": 40})
        steps.check("tools/call", "42" in text_of(result), result)
        result = await client.call_tool("get-tiny-image", {})
        steps.check("tools/call", any(block.type == "image" for block in result.content), result)
        result = await client.call_tool("get-structured-content", {"location": "Chicago"})
        steps.check("tools/call", result.structured_content is not None, result)
        result = await client.call_tool("echo", {})
        steps.check("tools/call", result.is_error, result)
        result = await client.call_tool(
            "trigger-long-running-operation", {"duration": 1, "steps": 4}, progress_callback=on_progress
        )
        steps.check("tools/call", len(progress) >= 3, f"{progress} {text_of(result)}")
        if "trigger-sampling-request" in names:
            result = await client.call_tool("trigger-sampling-request", {"prompt": "hi", "maxTokens": 20})
            steps.check("sampling/createMessage", "sampled by the client" in text_of(result), result)
            steps.check("tools/call", True)
        if "trigger-elicitation-request" in names:
            result = await client.call_tool("trigger-elicitation-request", {})
            steps.check("elicitation/create", "declined" in text_of(result).lower(), result)
            steps.check("tools/call", True)
        if "get-roots-list" in names:
            result = await client.call_tool("get-roots-list", {})
            steps.check("tools/call", "/srv/work" in text_of(result), result)
        calls = [client.call_tool("echo", {"message": f"m{n}"}) for n in range(PARALLEL_CALLS)]
        for n, result in enumerate(await asyncio.gather(*calls)):
            steps.check("tools/call", f"m{n}" in text_of(result).split() or f"m{n}" in text_of(result), result)
        resources = await client.list_resources()
        steps.check("resources/list", len(resources.resources) > 0, resources)
        read = await client.read_resource(str(resources.resources[0].uri))
        steps.check("resources/read", len(read.contents) > 0, read)
        prompts = await client.list_prompts()
        steps.check("prompts/list", len(prompts.prompts) > 0, prompts)
        prompt = await client.get_prompt("simple-prompt")
        steps.check("prompts/get", len(prompt.messages) > 0, prompt)
        try:
            await client.get_prompt("no-such-prompt")
            steps.check("prompts/get", False, "a prompt that is not there was given")
        except mcp.MCPError as error:
            steps.check("prompts/get", True, error)
        if client.protocol_version < "2026":
            await client.send_ping()
            steps.check("ping", True)
    return client


def target_of(arguments):
    if arguments.transport == "stdio":
        command = arguments.rest[1:] if arguments.rest[:1] == ["--"] else arguments.rest
        return StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    headers = {"authorization": f"Bearer {arguments.token}"} if arguments.token else {}
    headers.update(header.split("=", 1) for header in arguments.header)
    url = arguments.rest[0]
    if arguments.transport == "sse":
        return sse_client(url, headers=headers)
    client = httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=120))
    return streamable_http_client(url, http_client=client)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("transport", choices=["http", "sse", "stdio"])
    parser.add_argument("--token", default="")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--mode", default="legacy", help="legacy, auto, or a protocol version")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="URL | -- COMMAND")
    arguments = parser.parse_args()
    steps = Steps()
    try:
        asyncio.run(asyncio.wait_for(drive(target_of(arguments), steps, arguments.mode), 120))
    except BaseException as error:  # the caller wants one line and an exit code, whatever it was
        steps.wrong.append(f"broke off: {error!r}")
        for inner in getattr(error, "exceptions", []):
            steps.wrong.append(f"  {inner!r}")
    for wrong in steps.wrong:
        print(f"wrong: {wrong}", file=sys.stderr)
    print(json.dumps({"done": steps.done, "wrong": len(steps.wrong)}))
    return 1 if steps.wrong else 0


# What `run.py` runs: `setting` holds the server, its URL for this gateway, a token, and the programs.


def client(arguments, env=None):
    """Runs this file as a program; gives what was done."""
    command = [sys.executable, __file__, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=150, env={**os.environ, **(env or {})})
    assert run.returncode == 0, f"{' '.join(arguments)} ended with {run.returncode}:\n{run.stdout[-1000:]}{run.stderr[-3000:]}"
    return json.loads(run.stdout.splitlines()[-1])["done"]


def compare(done, events):
    """Every request has one intent, and each intent one outcome."""
    intents = [event for event in events if event["outcome"]["phase"] == "intent"]
    outcomes = [event["attributes"]["indelible.intent"] for event in events if event["outcome"]["phase"] == "outcome"]
    assert sorted(event["id"] for event in intents) == sorted(outcomes), "not one outcome for each intent"
    for operation, times in done.items():
        recorded = sum(event["operation"] == operation for event in intents)
        wanted = 0 if operation == "ping" else times
        assert recorded == wanted, f"{operation}: {recorded} recorded, {wanted} done"
    failed = [event for event in events if event["outcome"]["result"] == "failed"]
    assert {event["outcome"]["code"] for event in failed} == {"tool_error", "-32602"}, json.dumps(failed)[:2000]
    echo = next(event for event in intents if event["operation"] == "tools/call")
    assert echo["resources"][0]["id"].endswith("/echo"), echo["resources"]


def the_everything_server_over_http(setting):
    conversation = f"c-{uuid.uuid4().hex}"
    header = f"x-indelible-conversation={conversation}"
    done = client(["--token", setting.token, "--header", header, "http", setting.url])
    compare(done, setting.server.events(f"conversation:{conversation}", 500))


def the_everything_server_wrapped_and_sent_to_a_server(setting):
    name = f"wrapped-{uuid.uuid4().hex}"
    command = [setting.indelible, "mcp", "wrap", "--name", name, "--", "node", setting.everything]
    token = setting.server.token(name, "ingest")
    done = client(["stdio", "--", *command], {"INDELIBLE_URL": setting.server.url, "INDELIBLE_TOKEN": token})
    events = setting.server.events(f"source:gateway/{name}", 500)
    compare(done, events)
    assert not any("sealed" in event for event in events), "content has no place on a server"
    assert events[-1]["operation"] == "session.end"


def the_everything_server_wrapped_with_a_log_of_its_own(setting):
    data = tempfile.mkdtemp(prefix="indelible-wrap-")
    try:
        command = [setting.indelible, "mcp", "wrap", "--data", data, "--actor", "agent:planner", "--on-behalf-of", "human:ana"]
        for run in range(2):
            done = client(["stdio", "--", *command, "--", "node", setting.everything])
        found = setting.server.command("search", "", "--data", data, "--limit", "1000", "--order", "asc", "--format", "ndjson")
        assert found.returncode == 0, found.stderr
        events = [json.loads(line) for line in found.stdout.splitlines()]
        events = [event.get("event", event) for event in events]
        starts = [n for n, event in enumerate(events) if event["operation"] == "gateway.start"]
        assert len(starts) == 2, starts
        compare(done, events[starts[1]:])
        assert any(event["operation"] == "tools/changed" for event in events[:starts[1]])
        assert not any(event["operation"] == "tools/changed" for event in events[starts[1]:]), "tools are remembered"
        assert any("sealed" in event for event in events)
        log = Path(data) / "logs" / "main"
        verified = setting.server.command("verify", str(log))
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        shutil.rmtree(data, ignore_errors=True)


def a_wrapped_command_ends_as_it_would_alone(setting):
    data = tempfile.mkdtemp(prefix="indelible-wrap-")
    try:
        command = [setting.indelible, "mcp", "wrap", "--data", data, "--", "sh", "-c", "read line; echo noise; exit 7"]
        run = subprocess.run(command, input="\n", capture_output=True, text=True, timeout=60)
        assert (run.returncode, run.stdout) == (7, ""), f"{run.returncode} {run.stdout!r} {run.stderr}"
    finally:
        shutil.rmtree(data, ignore_errors=True)


TESTS = [
    the_everything_server_over_http,
    the_everything_server_wrapped_and_sent_to_a_server,
    the_everything_server_wrapped_with_a_log_of_its_own,
    a_wrapped_command_ends_as_it_would_alone,
]


if __name__ == "__main__":
    sys.exit(main())

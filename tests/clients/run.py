"""Starts upstream, tool server and `indelible serve`, runs the clients' tests, and asks the log what it saw."""

import argparse
import os
import shutil
import sys
import traceback
from pathlib import Path

import fault_tests
import llm_tests
from parts import ADMIN, Everything, Server, Upstream, folder, free_port


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--everything", required=True)
    parser.add_argument("--direct", action="store_true")
    arguments = parser.parse_args()
    place = folder()
    failed = []
    programs = []
    try:
        upstream = Upstream(arguments.bin, place)
        programs.append(upstream)
        if arguments.direct:
            run(failed, [(test, (llm_tests.Setting(upstream.url, "the-provider's-key"),)) for test in llm_tests.TESTS])
        else:
            everything = Everything(arguments.everything, place, free_port())
            programs.append(everything)
            server = Server(arguments.bin, place, upstream.url, everything.url)
            programs.append(server)
            setting = llm_tests.Setting(server.url, server.token("client-tests"), server, upstream)
            run(failed, [(test, (setting,)) for test in llm_tests.TESTS])
            run(failed, mcp_tests(arguments, server, everything))
            server.stop()
            run(failed, [(log_is_intact, (server,))])
            for test in fault_tests.TESTS:
                own = Path(place) / test.__name__
                own.mkdir()
                run(failed, [(test, (arguments.bin, own, upstream, everything.url))])
    finally:
        for program in reversed(programs):
            program.stop()
        if os.environ.get("KEEP"):
            print(f"kept: {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)
    if failed:
        print(f"{len(failed)} failed: {' '.join(failed)}")
        return 1
    print("all is well")
    return 0


def log_is_intact(server):
    server.verify()


def mcp_tests(arguments, server, everything):
    """The tests of the tool gateway, when they are there: functions `test(setting)` in `TESTS`."""
    if not (Path(__file__).parent / "mcp_client.py").exists():
        return []
    import mcp_client
    if not hasattr(mcp_client, "TESTS"):
        return []
    setting = argparse.Namespace(
        url=f"{server.url}/mcp/everything", direct_url=f"{everything.url}/mcp", token=server.token("mcp-tests"), admin=ADMIN,
        server=server, indelible=f"{arguments.bin}/indelible", everything=arguments.everything)
    return [(test, (setting,)) for test in mcp_client.TESTS]


def run(failed, tests):
    only = os.environ.get("TESTS_ONLY", "")
    for test, given in tests:
        if only not in test.__name__:
            continue
        try:
            said = test(*given)
            print(f"{said or 'ok':<4} {test.__name__}", flush=True)
        except Exception:
            failed.append(test.__name__)
            print(f"FAILED {test.__name__}\n{traceback.format_exc()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

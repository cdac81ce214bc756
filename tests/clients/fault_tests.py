"""What happens to calls when the server dies in the middle of one, and when its disk is full."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import openai

from parts import Failed, Server, conversation, expect, wait


# Room for segments of the journal (64 MiB each), for packs of sealed content, and for what both leave free for the log.
SIZE = "size=900m"


def killed_mid_stream(bin_dir, folder, upstream, everything):
    """An intent without an outcome is found at the next start and closed as failed, interrupted."""
    server = Server(bin_dir, folder, upstream.url, everything)
    try:
        name = conversation()
        client = openai.OpenAI(base_url=f"{server.url}/llm/openai/v1", api_key=server.token("killed"), max_retries=0)
        stream = client.chat.completions.create(model="gpt-test+drip", messages=[{"role": "user", "content": "x"}], stream=True,
                                                extra_headers={"x-indelible-conversation": name})
        next(iter(stream))
        server.stop(signal.SIGKILL)
        server.start()

        intent = server.events(f"conversation:{name} phase:intent")[0]

        def outcomes():
            found = server.events("source:gateway/openai phase:outcome")
            return [event for event in found if event["outcome"]["request"] == intent["outcome"]["request"]]
        outcome = wait("the interrupted call to be closed", 20, outcomes)[0]
        expect(outcome["outcome"]["result"] == "failed" and outcome["outcome"]["reason"] == "interrupted", outcome["outcome"])
        server.stop()
        server.start()
        expect(len(outcomes()) == 1, "the next start closed it again")
        server.verify()
    finally:
        server.stop()


def full_disk(bin_dir, folder, upstream, everything):
    """No record, no access: nothing reaches upstream, and the client is told 507."""
    disk = Path(folder) / "small-disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs", str(disk)], capture_output=True).returncode != 0:
        return "skipped: a small disk cannot be mounted here (needs root)"
    server = None
    try:
        server = Server(bin_dir, folder, upstream.url, everything, data=disk / "data")
        client = openai.OpenAI(base_url=f"{server.url}/llm/openai/v1", api_key=server.token("full"), max_retries=0)

        def call():
            client.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": "x" * 300_000}])
        call()
        with open(disk / "filler", "wb") as filler:
            try:
                while True:
                    filler.write(bytes(1 << 16))
                    filler.flush()
            except OSError:
                pass
        refused = None
        for _ in range(2000):
            before = upstream.calls()
            try:
                call()
            except openai.APIStatusError as error:
                refused = error
                break
        expect(refused is not None, "calls went on on a full disk")
        expect(refused.status_code == 507, f"{refused.status_code}: {refused}")
        expect(upstream.calls() == before, "the refused call reached upstream")
        before = upstream.calls()
        threads = [threading.Thread(target=lambda: _refused(call)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(upstream.calls() == before, "a refused call reached upstream")
        (disk / "filler").unlink()

        said = []

        def again():
            try:
                call()
                return True
            except openai.APIStatusError as error:
                said.append(f"{error.status_code}: {error}")
                return False
        try:
            wait("calls after there is room again", 30, again)
        except Failed as failed:
            raise Failed(f"{failed}; the last answer was {said[-1]}") from None
        server.stop()
        server.verify()
    finally:
        if server:
            server.stop()
        subprocess.run(["umount", "-l", str(disk)], capture_output=True)
    return None


def _refused(call):
    try:
        call()
    except openai.APIStatusError:
        pass


TESTS = [killed_mid_stream, full_disk]

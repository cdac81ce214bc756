"""Starts receivers and `indelible serve`, records events that a rule finds, and asks the receivers what reached them."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import uuid
from pathlib import Path

from servers import (
    MAIL_PASSWORD, OPSGENIE_KEY, ROUTING_KEY, SIGNING_KEY, Alertmanager, Hooks, Mail, Syslog, certificate, expect, free_port, wait,
)
from parts import ADMIN, Program, Server as GatewayServer

RULE = """
title: Somebody read the vault <!channel> *now*
id: 5f5c3d0e-6a5e-4a53-9d5a-2c7f3b1e9a01
logsource: {product: indelible}
detection:
  vault: {resources.id: vault}
  condition: vault
level: high
falsepositives: [Rotation]
tags: [attack.t1078]
"""

HTTP = '\n[[receiver]]\nname = "{name}"\ntype = "{type}"\nurl = "{url}"\nallow_private = true\ntimeout = "2s"\nrules = ["5f5c*"]\n{more}\n'


class Server(GatewayServer):
    """`indelible serve` with receivers, over a data folder that outlives it."""

    def __init__(self, bin_dir, place, receivers):
        place.mkdir()
        self.bin, self.folder, self.data = bin_dir, place, place / "data"
        rules = place / "rules"
        rules.mkdir()
        (rules / "vault.yml").write_text(RULE)
        self.config = place / "indelible.toml"
        self.config.write_text(f'[detect]\nbuilt_in = false\nrules = ["{rules}"]\n' + receivers)
        self.start()

    def start(self):
        log = self.folder / "server.log"
        skip = len(log.read_text(errors="replace")) if log.exists() else 0
        secrets = {"PD_KEY": ROUTING_KEY, "OG_KEY": OPSGENIE_KEY, "MAIL_KEY": MAIL_PASSWORD, "HOOK_KEY": SIGNING_KEY}
        command = [f"{self.bin}/indelible", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", "--config", str(self.config)]
        self.program = Program(command, log, {"INDELIBLE_ADMIN_TOKEN": ADMIN, **secrets})
        self.url = self.program.line("URL:", skip=skip)

    def read_vault(self, actor=None):
        actor = actor or f"ana-{uuid.uuid4().hex[:8]}|=\\<@U1> [x](y)"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.api("POST", "/v1/events", {
            "time": now, "actor": {"id": actor, "type": "human"}, "action": "read",
            "resources": [{"type": "secret", "id": "vault"}], "outcome": {"result": "allowed"}})
        return actor

    def alert(self, actor):
        found = [one for one in self.api("GET", "/v1/alerts?state=any&limit=1000")["alerts"] if one["entity"]["id"] == actor]
        return found[0] if found else None


class Setting:
    """All receivers, and a server that tells them."""

    def __init__(self, bin_dir, place):
        self.bin, self.place = bin_dir, place
        self.cert, key = certificate(place)
        self.hooks, self.programs = Hooks(), []
        self.mail = Mail(self.cert, key)
        self.syslog = Syslog(place, self.cert, key)
        self.programs.append(self.syslog)
        self.alertmanager = Alertmanager(place)
        self.programs.append(self.alertmanager)

    def receivers(self):
        def http(kind, more="", path=None):
            return HTTP.format(name=kind, type=kind, url=f"{self.hooks.url}/{path or kind}", more=more)
        text = "".join([
            http("slack"), http("teams"), http("ocsf"), http("webhook", 'credential_variable = "HOOK_KEY"'),
            http("pagerduty", 'credential_variable = "PD_KEY"'), http("opsgenie", 'credential_variable = "OG_KEY"'),
        ])
        text += HTTP.format(name="alertmanager", type="alertmanager", url=self.alertmanager.url, more="")
        text += f'''
[[receiver]]
name = "mail"
type = "mail"
address = "localhost:{self.mail.port}"
user = "indelible"
credential_variable = "MAIL_KEY"
from = "Indelible <indelible@example.com>"
to = ["on-call@example.com", "second@example.com"]
ca_file = "{self.cert}"
allow_private = true
rules = ["5f5c*"]
'''
        for protocol, port in [("tls", self.syslog.tls), ("tcp", self.syslog.tcp), ("udp", self.syslog.udp)]:
            text += f'''
[[receiver]]
name = "syslog-{protocol}"
type = "syslog"
address = "localhost:{port}"
protocol = "{protocol}"
ca_file = "{self.cert}"
allow_private = true
rules = ["5f5c*"]
'''
        return text

    def stop(self):
        self.hooks.stop()
        self.mail.stop()
        for program in reversed(self.programs):
            program.stop()


def everybody_is_told_in_its_own_form(setting):
    server = Server(setting.bin, setting.place / "everybody", setting.receivers())
    try:
        actor = server.read_vault()
        alert = wait("the alert", 10, lambda: server.alert(actor))
        hooks = setting.hooks
        kinds = ["slack", "teams", "ocsf", "webhook", "pagerduty", "opsgenie"]
        wait("the HTTP receivers", 20, lambda: hooks.faults or all(hooks.of(kind) for kind in kinds))
        expect(not hooks.faults, f"refused by the schemas: {hooks.faults}")
        expect(hooks.of("pagerduty")[0][3]["dedup_key"] == alert["id"], "PagerDuty knows it by our id")
        message = hooks.of("slack")[0][3]
        # what is `plain_text` Slack shows as it is
        slack = message["text"] + str([one for one in message["blocks"] if one["type"] != "header"])
        expect("<!channel>" not in slack and "<@U1>" not in slack, f"texts of events are no markup: {slack}")
        expect(hooks.of("webhook")[0][3]["alert"]["entity"]["id"] == actor, "a webhook gets it as it is")

        def at_alertmanager():
            return [one for one in setting.alertmanager.alerts() if one["labels"]["entity"] == actor]
        expect(wait("Alertmanager", 20, at_alertmanager)[0]["labels"]["severity"] == "high", "severity at Alertmanager")
        sender, to, text, secured = wait("mail", 20, lambda: setting.mail.messages)[0]
        expect((sender, to, secured) == ("indelible@example.com", ["on-call@example.com", "second@example.com"], True), str((sender, to, secured)))
        expect(alert["id"] in text and "Auto-Submitted: auto-generated" in text, text)
        lines = wait("syslog", 20, lambda: len(setting.syslog.lines()) >= 3 and setting.syslog.lines())
        ours = [line for line in lines if "CEF:0|Indelible|indelible|" in line and alert["id"] in line]
        expect({line.split()[0] for line in ours} == {"imudp", "imtcp", "imptcp"}, f"one over each way: {lines}")
        # rsyslog names facility 13 after its number
        expect(all(line.split()[1].endswith(".err") and line.split()[2:4] == ["indelible", "alert"] for line in ours), str(ours))
        expect(all("cs2=" + actor.replace("\\", "\\\\").replace("=", "\\=") in line for line in ours), str(ours))

        server.api("POST", f"/v1/alerts/{alert['id']}/acknowledge", {"owner": "sam"})
        server.api("POST", f"/v1/alerts/{alert['id']}/close", {"reason": "rotation"})
        wait("the end at PagerDuty", 20, lambda: [one[3]["event_action"] for one in hooks.of("pagerduty")] == ["trigger", "acknowledge", "resolve"])
        wait("the end at Opsgenie", 20, lambda: len(hooks.of("opsgenie")) == 3)
        wait("the end at Alertmanager", 20, lambda: not at_alertmanager())
        wait("the end by mail", 20, lambda: len(setting.mail.messages) == 3)
        expect(not hooks.faults, f"refused by the schemas: {hooks.faults}")
        # a second finding about an open alert is not told
        actor = server.read_vault()
        wait("another alert", 10, lambda: server.alert(actor))
        wait("it is told", 10, lambda: len(hooks.of("slack")) == 4)
        server.read_vault(actor)
        wait("the second finding", 10, lambda: server.alert(actor)["findings"] == 2)
        time.sleep(1)
        expect(len(hooks.of("slack")) == 4, "told once")
        tried = server.command("alerts", "test", "mail")
        expect(tried.returncode == 0 and "took the test" in tried.stdout, tried.stdout + tried.stderr)
    finally:
        server.stop()


def those_that_fail_are_told_by_others_and_delay_nobody(setting):
    hooks = setting.hooks
    text = HTTP.format(name="hang", type="webhook", url=f"{hooks.url}/hang", more="")
    text += HTTP.format(name="elsewhere", type="webhook", url=f"{hooks.url}/elsewhere", more="")
    text += HTTP.format(name="inside", type="webhook", url=f"{hooks.url}/inside", more="").replace("allow_private = true", "")
    text += HTTP.format(name="down", type="webhook", url=f"{hooks.url}/down", more="")
    text += HTTP.format(name="well", type="webhook", url=f"{hooks.url}/webhook", more='credential_variable = "HOOK_KEY"').replace("rules = ", "# rules = ")
    hooks.down, before = True, len(hooks.of("webhook"))
    server = Server(setting.bin, setting.place / "failing", text)
    try:
        actor = server.read_vault()

        def told():
            return [one[3]["alert"] for one in hooks.of("webhook")[before:]]
        began = time.monotonic()
        wait("the one that is well", 10, lambda: [alert for alert in told() if alert["entity"]["id"] == actor])
        expect(time.monotonic() - began < 2, "nobody waits for those that hang")

        def failing():
            return {alert["entity"]["id"] for alert in told() if alert["rule"]["id"] == "health/receiver"}
        wait("an alert about each that fails", 60, lambda: failing() == {"hang", "elsewhere", "inside", "down"})
        errors = {one["name"]: one.get("error", "") for one in server.api("GET", "/v1/receivers")["receivers"]}
        expect("redirect" in errors["elsewhere"] and "own network" in errors["inside"] and "in time" in errors["hang"], str(errors))
        expect(not hooks.of("inside"), "nothing went into the own network")
        tried = server.command("alerts", "test", "elsewhere")
        expect(tried.returncode != 0 and "redirect" in tried.stderr, tried.stdout + tried.stderr)
        hooks.down = False
        wait("the one that was down", 60, lambda: [one for one in hooks.of("down") if one[3]["alert"]["entity"]["id"] == actor])
        expect(len([one for one in hooks.of("down") if one[3]["alert"]["entity"]["id"] == actor]) == 1, "delivered once")
    finally:
        server.stop()


def a_kill_at_any_time_loses_no_notice(setting):
    """Killed at growing times after the event was acknowledged: each alert is delivered, at most once more."""
    port = free_port()
    text = HTTP.format(name="late", type="webhook", url=f"http://127.0.0.1:{port}/late", more='credential_variable = "HOOK_KEY"')
    server = Server(setting.bin, setting.place / "killed", text)
    hooks, actors = None, []
    try:
        for pause in [0.0, 0.02, 0.05, 0.08, 0.12, 0.2, 0.4, 1.0]:
            actors.append(server.read_vault())
            time.sleep(pause)
            server.stop(signal.SIGKILL)
            server.start()
        hooks = Hooks(port)
        for pause in [0.02, 0.05, 0.08, 0.12, 0.2]:
            actors.append(server.read_vault())
            time.sleep(pause)
            server.stop(signal.SIGKILL)
            server.start()

        def times():
            return {actor: [one[2]["webhook-id"] for one in hooks.of("late") if one[3]["alert"]["entity"]["id"] == actor] for actor in actors}
        wait("every alert", 60, lambda: all(times().values()))
        time.sleep(2)
        expect(not hooks.faults, str(hooks.faults))
        for actor, keys in times().items():
            expect(len(keys) <= 2 and len(set(keys)) == 1, f"{actor}: {keys}")
        alerts = [one for one in server.api("GET", "/v1/alerts?limit=1000")["alerts"] if one["rule"]["id"].startswith("5f5c")]
        expect(len(alerts) == len(actors) and all(one["findings"] == 1 for one in alerts), "one alert for each, of one finding")
        server.stop()
        server.verify()
    finally:
        server.stop()
        if hooks:
            hooks.stop()


TESTS = [everybody_is_told_in_its_own_form, those_that_fail_are_told_by_others_and_delay_nobody, a_kill_at_any_time_loses_no_notice]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="indelible-receivers-"))
    only, failed = os.environ.get("TESTS_ONLY", ""), []
    setting = Setting(arguments.bin, place)
    try:
        for test in TESTS:
            if only not in test.__name__:
                continue
            try:
                test(setting)
                print(f"ok      {test.__name__}", flush=True)
            except Exception:
                failed.append(test.__name__)
                print(f"FAILED  {test.__name__}\n{traceback.format_exc()}", flush=True)
    finally:
        setting.stop()
        if os.environ.get("KEEP"):
            print(f"kept: {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)
    if failed:
        print(f"{len(failed)} failed: {' '.join(failed)}")
        return 1
    print("all is well")
    return 0


if __name__ == "__main__":
    sys.exit(main())

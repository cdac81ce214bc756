"""Servers that alerts are sent to, none of them ours but the HTTP one, which judges by others' schemas and libraries."""

import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import ocsf_json_schema
import standardwebhooks
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

import schemas

sys.path.append(str(Path(__file__).resolve().parent.parent / "clients"))
from parts import Program, expect, free_port, wait  # noqa: E402

SIGNING_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
OPSGENIE_KEY = "the-integration's-key"
MAIL_PASSWORD = "the mail server's password"


def certificate(place):
    """A certificate for this machine, which is its own authority."""
    key, cert = place / "key.pem", place / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True)
    return cert, key


class Hooks:
    """Takes what is posted, by path; says what is wrong with it."""

    def __init__(self, port=0):
        self.arrived, self.faults, self.down, self.lock = [], [], True, threading.Lock()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers = hooks.judge(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def judge(self, path, headers, body):
        kind = path.split("?")[0].split("/")[1]
        headers = {name.lower(): value for name, value in headers.items()}
        if kind == "hang":
            time.sleep(30)
        if kind == "elsewhere":
            return 307, {"location": "http://169.254.169.254/latest/meta-data"}
        if kind == "down" and self.down:
            return 503, {}
        status = 202 if kind in ("pagerduty", "opsgenie") else 200
        try:
            self.check(kind, path, headers, body)
        except Exception as error:  # whatever the judges raise is a fault of ours
            with self.lock:
                self.faults.append(f"{path}: {type(error).__name__}: {str(error)[:500]}")
            return 400, {}
        with self.lock:
            self.arrived.append((kind, path, headers, json.loads(body)))
        return status, {}

    def check(self, kind, path, headers, body):
        document = json.loads(body)
        expect(headers["content-type"] == "application/json", "content-type")
        if kind == "slack":
            jsonschema.validate(document, schemas.SLACK)
        elif kind == "teams":
            jsonschema.validate(document, schemas.TEAMS)
        elif kind == "pagerduty":
            jsonschema.validate(document, schemas.PAGERDUTY)
            expect(document["routing_key"] == ROUTING_KEY, "routing key")
        elif kind == "opsgenie":
            expect(headers["authorization"] == f"GenieKey {OPSGENIE_KEY}", "authorization")
            change = path.count("/") > 1
            jsonschema.validate(document, schemas.OPSGENIE_CHANGE if change else schemas.OPSGENIE_CREATE)
            expect(not change or path.endswith("?identifierType=alias"), path)
        elif kind == "ocsf":
            schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(document["metadata"]["version"]))
            jsonschema.validate(document, schema.get_class_schema("detection_finding"))
        elif kind in ("webhook", "late"):
            standardwebhooks.Webhook(SIGNING_KEY).verify(body, headers)

    def of(self, kind):
        with self.lock:
            return [one for one in self.arrived if one[0] == kind]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Mail:
    """An SMTP server with STARTTLS and a login."""

    def __init__(self, cert, key):
        self.messages = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        mail = self

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                mail.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode(), session.ssl is not None))
                return "250 taken"

        def login(server, session, envelope, mechanism, data):
            return AuthResult(success=data.login == b"indelible" and data.password == MAIL_PASSWORD.encode())

        self.controller = Controller(
            Handler(), hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
            authenticator=login, auth_required=True, auth_require_tls=True)
        self.controller.start()
        self.port = self.controller.port

    def stop(self):
        self.controller.stop()


class Syslog(Program):
    """rsyslog: over TLS, TCP and UDP, into one file, as it parsed the messages."""

    def __init__(self, place, cert, key):
        self.tls, self.tcp, self.udp = free_port(), free_port(), free_port()
        self.file = place / "syslog.out"
        config = place / "rsyslog.conf"
        config.write_text(f"""
global(workDirectory="{place}" maxMessageSize="16k" DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{cert}"
       DefaultNetstreamDriverCertFile="{cert}" DefaultNetstreamDriverKeyFile="{key}")
module(load="imudp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
module(load="imptcp")
template(name="parsed" type="string" string="%inputname% %syslogfacility-text%.%syslogseverity-text% %app-name% %msgid% %timestamp:::date-rfc3339% %msg%\\n")
input(type="imudp" port="{self.udp}" address="127.0.0.1")
input(type="imtcp" port="{self.tls}" address="127.0.0.1")
input(type="imptcp" port="{self.tcp}" address="127.0.0.1")
*.* action(type="omfile" file="{self.file}" template="parsed")
""")
        super().__init__(["rsyslogd", "-n", "-f", str(config), "-i", str(place / "rsyslog.pid")], place / "rsyslog.log")
        wait("rsyslog", 20, lambda: self.process.poll() is None and self.listens())

    def listens(self):
        import socket
        try:
            socket.create_connection(("127.0.0.1", self.tls), 1).close()
            return True
        except OSError:
            return False

    def lines(self):
        return self.file.read_text(errors="replace").splitlines() if self.file.exists() else []


class Alertmanager(Program):
    def __init__(self, place):
        port = free_port()
        config = place / "alertmanager.yml"
        config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={place}/alertmanager",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], place / "alertmanager.log")
        wait("Alertmanager", 30, self.ready)

    def ready(self):
        expect(self.process.poll() is None, f"Alertmanager ended:\n{self.text()[-2000:]}")
        try:
            return urllib.request.urlopen(f"{self.url}/-/ready", timeout=2).status == 200
        except OSError:
            return False

    def alerts(self):
        return json.load(urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5))

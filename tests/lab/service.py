"""Starts the approval service over a lab, and speaks to it as a person's browser or a program would."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import requests

from tests.lab import render
from webhook.runs import processes
from webhook.runs.folder import Folder

CHECKOUT = Path(__file__).resolve().parents[2]
#: Long, for an emulated machine: a process that ends is noticed at once.
READY_S = 300


class ServiceError(Exception):
    """The service did not come up, or answered what was not expected."""


class Service:
    """``python -m webhook`` with its own port and database, over a lab's config folder and a store."""

    def __init__(self, lab, state, port=None, part="up", **environment):
        self.lab, self.state, self.part = lab, Path(state), part
        self.port = port or render.free_port(set())
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.state / "webhook" / f"{part}.log"
        self.process = None
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SUANWANG_", "PYTHON"))},
            "SUANWANG_CONFIG": str(lab.config),
            "SUANWANG_STATE": str(self.state),
            "SUANWANG_BIND": f"127.0.0.1:{self.port}",
            **environment,
        }

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def command(self, *arguments):
        """Run ``python -m webhook …`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "webhook", *arguments], cwd=CHECKOUT, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )  # fmt: skip

    def start(self):
        self.launch()
        if self.part != "launcher":
            self.wait_ready()
        return self

    def launch(self):
        self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webhook", self.part], cwd=CHECKOUT, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_ready(self):
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise ServiceError(f"the service ended at once:\n{self.tail()}")
            try:
                if requests.get(f"{self.url}/healthz", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise ServiceError(f"the service is not ready in time:\n{self.tail()}")

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # A run goes on without its launcher, as it should; with the lab gone there is nothing for it to do.
        for path in (self.state / "webhook" / "launches").glob("*"):
            place = Folder(path)
            # One that has only just begun holds no lock yet.
            if place.alive or place.read("result.json") is None:
                processes.kill_marked(path.name)

    def people(self):
        return json.loads((self.lab.config / "credentials" / "webhook-people").read_text())

    def log_in(self, who):
        """Return a Client that is logged in as one of the lab's people: requester, approver, operator."""
        principal = f"{who}@lab.invalid"
        client = Client(self.url)
        found = client.post("session", principal=principal, password=self.people()[principal]["password"])
        client.session.headers["X-CSRF-Token"] = found["csrf"]
        return client


class Client:
    """The API by its nouns: ``client.get("tasks", state="confirmed")``, ``client.post("tasks/ID/confirm", …)``."""

    def __init__(self, url, token=None):
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, verb, path, expect=None, **options):
        """Return the response; raise ServiceError where the status is not as expected (any 2xx, without a word)."""
        answer = self.session.request(verb, f"{self.url}/api/v1/{path}", timeout=90, **options)
        good = answer.ok if expect is None else answer.status_code == expect
        if not good:
            raise ServiceError(f"{verb} {path}: {answer.status_code}: {answer.text[:2000]}")
        return answer

    def get(self, path, expect=None, **query):
        return self.call("GET", path, expect, params=query).json()

    def post(self, path, expect=None, **body):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self.call("POST", path, expect, json=body, headers=headers).json()

    def wait(self, path, good, seconds=180, bad=()):
        """Ask until the thing's state is one of `good`; ServiceError for one of `bad`, or when time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.get(path)
            if found["state"] in good:
                return found
            if found["state"] in bad:
                raise ServiceError(f"{path} is {found['state']}: {found.get('message')}")
            time.sleep(0.2)
        raise ServiceError(f"{path} is still {found['state']} after {seconds} s")

    def events(self, run, after=0, last=None):
        """Yield (id, event, data) of a run's stream."""
        headers = {"Last-Event-ID": str(last)} if last else {}
        url = f"{self.url}/api/v1/runs/{run}/events?after={after}"
        with self.session.get(url, headers=headers, stream=True, timeout=120) as answer:
            answer.raise_for_status()
            kind, ident = "message", None
            for line in answer.iter_lines(decode_unicode=True, chunk_size=1):
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    ident = int(value)
                elif name == "data":
                    yield ident, kind, json.loads(value)
                elif not line:
                    kind, ident = "message", None

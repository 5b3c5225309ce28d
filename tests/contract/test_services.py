# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that is served: made, found, changed and ended by name, answering real requests, where a platform can."""

import dataclasses
import json
import sys
import time
import urllib.request

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import SERVICE_STATES
from ansible_collections.suanwang.brain.plugins.module_utils.resources import ServiceSpec

pytestmark = pytest.mark.needs("serve")

SERVER = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = {"word": os.environ["WORD"], "nonce": os.environ["LAB_SITE_NONCE"], "path": self.path}
        body = json.dumps(said).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): print(*words, flush=True)
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SWB_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def service(platform):
    """Yield a name that is free, and end what stands under it."""
    name = f"swb-contract-{time.monotonic_ns() % 10**9}-web"
    yield name
    platform.unserve(name)


@pytest.fixture
def spec(bench, platform, service):
    def make(word="hello", **more):
        layout = jobfile.Layout(platform.files.root(), service, "web")
        platform.files.put(SERVER.encode(), f"{layout.workdir}/serve.py")
        facts = {
            "name": service, "label": f"deployment=contract word={word}", "pool": bench.expected["pool"],
            "script": f'#!/bin/sh\nexec "{sys.executable}" serve.py\n', "workdir": layout.workdir, "log": layout.log,
            "environment": {"PATH": "/usr/bin:/bin", "WORD": word, "SWB_PORT": "8000"},
        }  # fmt: skip
        return ServiceSpec(**{**facts, **more})

    return make


def until(platform, name, *states, ready=None):
    end = time.monotonic() + 20
    while True:
        found = platform.inference_service(name)
        if found and found.state in states and ready in (None, found.ready):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def ask(bench, url):
    import ssl

    context = ssl.create_default_context(cafile=bench.lab.config / "ca.pem")
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        return json.loads(answer.read())


def test_one_is_made_answers_and_is_ended(bench, platform, service, spec):
    assert platform.inference_service(service) is None
    bench.reset()
    made = platform.serve(spec(accelerators=1, accelerator=bench.expected["model"]))
    assert made.name == service and made.state in SERVICE_STATES
    found = until(platform, service, "running", ready=1)
    assert found.pool == f"{platform.site.id}/{platform.endpoint.id}/{bench.expected['pool']}"
    assert found.label in ("deployment=contract word=hello", None) and found.replicas == 1
    said = ask(bench, f"{found.url}predict?x=1")
    assert (
        said["word"] == "hello" and said["nonce"] == bench.site.info()["nonce"] and said["path"].startswith("/predict")
    )
    assert platform.pools()[0].free.accelerators == bench.expected["accelerators"] - 1
    assert service not in [job.name for job in platform.jobs()]
    assert "serving" in platform.files.tail(spec().log)
    platform.unserve(service)
    assert platform.inference_service(service) is None
    platform.unserve(service)


def test_a_second_spec_changes_the_one_of_that_name(bench, platform, service, spec):
    platform.serve(spec())
    until(platform, service, "running")
    platform.serve(spec("again", replicas=2))
    found = until(platform, service, "running", ready=2)
    assert found.replicas == 2 and ask(bench, found.url)["word"] == "again"
    assert bench.copies(service) == 3


def test_one_that_ends_is_failed(platform, service, spec):
    platform.serve(dataclasses.replace(spec(), script="#!/bin/sh\nexit 3\n"))
    assert until(platform, service, "failed").ready == 0


def test_a_model_that_is_not_there_is_refused_before_anything_is_sent(bench, platform, spec):
    asked = spec(accelerators=1, accelerator="h9000")
    bench.reset()
    with pytest.raises(Refused):
        platform.serve(asked)
    assert bench.counters()["writes"] == 0


def test_an_address_outside_the_site_is_refused(platform, service, spec, monkeypatch):
    platform.serve(spec())
    fields = {**platform.profile["fields"]["service"], "url": "'https://203.0.113.9/x'"}
    platform.talk.profile = {**platform.profile, "fields": {**platform.profile["fields"], "service": fields}}
    with pytest.raises(Refused) as caught:
        platform.inference_service(service)
    assert "203.0.113.9" in str(caught.value)
    platform.talk.profile = platform.profile

# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that is served: made, found, changed and ended by name, answering real requests, where a platform can."""

import dataclasses
import hashlib
import json
import sys
import tarfile
import time
import urllib.request

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import JobFailed
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.services import SERVICE_STATES
from ansible_collections.suanwang.brain.plugins.module_utils.services import ServiceSpec
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import VERBS

pytestmark = pytest.mark.needs("serve")

SUBMITS = {"aofei": "/inferences", "tianyin": "/instance-service", "custom": "/v3/services"}
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


# -- the verb ----------------------------------------------------------------------------------------
@pytest.fixture
def act(platform, service, tmp_path, bench):
    """Return a function that runs the verb `inference_service`; its events are collected in `act.told`."""
    (tmp_path / "serve.py").write_text(SERVER)
    with tarfile.open(tmp_path / "code.tar", "w") as archive:
        archive.add(tmp_path / "serve.py", "serve.py")
    digest = hashlib.sha256((tmp_path / "code.tar").read_bytes()).hexdigest()
    deployment = service.removeprefix("swb-").removesuffix("-web")

    def call(check=False, **more):
        spec = VERBS["inference_service"].spec["argument_spec"]
        params = {name: entry.get("default") for name, entry in spec.items()}
        params |= {
            "deployment": deployment, "component": "web", "pool": bench.expected["pool"],
            "code": {"source": str(tmp_path / "code.tar"), "sha256": digest}, "command": [sys.executable, "serve.py"],
            "environment": {"WORD": "one"}, "wait_s": 20, **more,
        }  # fmt: skip
        return VERBS["inference_service"].run(platform, params, check, lambda event, **f: call.told.append((event, f)))

    call.told = []
    return call


def test_the_verb_is_idempotent_and_check_mode_writes_nothing(bench, platform, service, act):
    bench.reset()
    shown = act(check=True)
    assert shown["changed"] and shown["service"] is None and service in shown["diff"]["after"]
    assert bench.counters()["writes"] == 0
    made = act()
    assert made["changed"] and (made["service"]["state"], made["service"]["ready"]) == ("running", 1)
    assert ask(bench, made["service"]["url"])["word"] == "one"
    bench.reset()
    again = act()
    assert not again["changed"] and again["service"]["id"] == made["service"]["id"]
    assert bench.counters()["writes"] == 0
    other = act(environment={"WORD": "two"}, replicas=2)
    assert other["changed"] and other["service"]["ready"] == 2 and "1 copies" in other["diff"]["before"]
    assert ask(bench, other["service"]["url"])["word"] == "two"
    assert act(check=True, state="absent")["changed"] and platform.inference_service(service)
    assert act(state="absent")["changed"] and not act(state="absent")["changed"]


def test_one_that_does_not_start_is_said_with_its_last_lines(act):
    with pytest.raises(JobFailed) as caught:
        act(command=["/bin/sh", "-c", "echo no model here; exit 4"])
    assert "no model here" in str(caught.value)


def test_a_service_of_that_name_that_is_not_ours_is_a_conflict(platform, service, spec, act):
    platform.serve(spec())
    with pytest.raises(Conflict):
        act()
    with pytest.raises(Conflict):
        act(state="absent")
    assert platform.inference_service(service)


def test_a_lost_answer_is_looked_for_and_no_second_one_is_made(bench, platform, service, act):
    bench.site.fault("lost_answer", n=1, path=SUBMITS[platform.NAME])
    made = act()
    assert made["changed"] and bench.copies(service) == 1


def test_an_address_outside_the_site_is_refused(platform, service, spec, monkeypatch):
    platform.serve(spec())
    fields = {**platform.profile["fields"]["service"], "url": "'https://203.0.113.9/x'"}
    platform.talk.profile = {**platform.profile, "fields": {**platform.profile["fields"], "service": fields}}
    with pytest.raises(Refused) as caught:
        platform.inference_service(service)
    assert "203.0.113.9" in str(caught.value)
    platform.talk.profile = platform.profile

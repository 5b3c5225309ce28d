"""A service whose lease is short: asked for and approved over HTTP, standing at a lab's site, ended by the launcher."""

import time

import pytest

from tests.lab.lab import Lab
from tests.lab.service import Service

SERVER = """
import http.server, os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


http.server.ThreadingHTTPServer(("", int(os.environ["SWB_PORT"])), Handler).serve_forever()
"""
WEB = {
    "id": "web",
    "kind": "serve",
    "framework": "none",
    "code": {"path": "code", "entry": "main.py"},
    "resources": {"nodes": 1, "accelerators": 1, "cpu": 1, "memory_gib": 1},
    "lease_s": 60,
}
PATIENCE_S = 300


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("serving"), sites=["hangzhou-b"], more=True) as started:
        yield started


@pytest.fixture
def service(lab, tmp_path):
    with Service(lab, tmp_path / "state") as started:
        yield started


def running(lab):
    return [job for job in lab.site("hangzhou-b/aofei").jobs() if job["job_state"] == "RUNNING"]


def test_the_launcher_gives_it_back_once_when_its_lease_is_over(lab, service):
    requester, approver = service.log_in("requester"), service.log_in("approver")
    document = {"name": "short", "tenant": "demo", "deployment": "short", "components": [WEB]}
    task = requester.post("tasks", document=document, files=[{"path": "code/main.py", "text": SERVER}])
    run = task["id"]
    requester.wait(f"tasks/{run}", ("proposed",), bad=("refused",))
    chosen = requester.get(f"tasks/{run}/proposals")["items"][0]["id"]
    task = requester.post(f"tasks/{run}/confirm", proposal=chosen)
    approver.post(f"tasks/{run}/approve", digest=task["digest"])
    requester.wait(f"runs/{run}", ("succeeded",), bad=("failed",))
    assert [job["name"] for job in running(lab)] == ["swb-short-web"]
    (there,) = requester.get("deployments")["items"]
    assert (there["run"], there["lease_s"]) == (run, 60)
    until = time.monotonic() + PATIENCE_S
    launches = []
    while not launches or launches[0]["state"] not in ("succeeded", "failed", "lost"):
        assert time.monotonic() < until, (launches, requester.get("deployments"))
        time.sleep(0.5)
        launches = [one for one in requester.get(f"runs/{run}")["launches"] if one["kind"] == "retire"]
    assert [(one["state"], one["asked_by"]) for one in launches] == [("succeeded", "service")]
    assert running(lab) == [] and requester.get("deployments")["items"] == []
    assert requester.get(f"runs/{run}")["state"] == "succeeded", "its run went well, whatever became of it later"

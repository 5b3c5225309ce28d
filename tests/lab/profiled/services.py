"""Inference services of a stand-in: real processes that answer HTTP, and the gateway by which the world reaches them.

There are no network namespaces here, so a container's port becomes a free one of this machine: the line `export
SWB_PORT=` of the script is given that. The gateway is a path of the platform's own front, ``/apps/<id>/``. A copy
runs as long as its pool lets a job run.
"""

import http.client
import json
import re
import socket
import uuid
from pathlib import Path

from tests.lab.profiled.house import House
from tests.lab.profiled.house import Refusal
from tests.lab.slurm.answers import Answer

MARK = "lab-service"
PORT = re.compile(r"^export SWB_PORT=\d+$", re.M)


class Services:
    def __init__(self, house: House, folder: Path):
        self.house, self._file = house, folder / "services.json"
        self._known: dict[str, dict] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def _save(self) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(self._known))
        part.replace(self._file)

    def make(self, *, name: str, label: str, replicas: int, script: str, **work) -> dict:
        if any(row["name"] == name for row in self._known.values()):
            raise Refusal("exists", f"there is a service {name} already")
        identity = uuid.uuid4().hex[:12]
        self._known[identity] = {"id": identity, "name": name}
        return self.change(identity, label=label, replicas=replicas, script=script, **work)

    def change(self, identity: str, *, label: str, replicas: int, script: str, name: str = "", **work) -> dict:
        row = self._find(identity)
        self._end(row)
        copies, longest = [], self.house.longest(work["pool"])
        try:
            for _copy in range(replicas):
                port = _free_port()
                job = self.house.submit(
                    PORT.sub(f"export SWB_PORT={port}", script),
                    name=row["name"],
                    label=MARK,
                    limit_min=longest,
                    **work,
                )
                copies.append({"job": job.job_id, "port": port})
        finally:
            row |= {"label": label, "replicas": replicas, "pool": work["pool"], "copies": copies}
            self._save()
        return self.view(row)

    def remove(self, identity: str) -> None:
        self._end(self._find(identity))
        del self._known[identity]
        self._save()

    def rows(self, name: str | None = None) -> list[dict]:
        return [self.view(row) for row in self._known.values() if name in (None, "", row["name"])]

    def view(self, row: dict) -> dict:
        """Return a service with how many copies answer, and how it is: starting, running, degraded or failed."""
        jobs = [self.house.cluster.jobs.get(copy["job"]) for copy in row["copies"]]
        ready = sum(bool(job) and job.state == "RUNNING" and _answers(copy["port"])
                    for job, copy in zip(jobs, row["copies"], strict=True))  # fmt: skip
        ended = sum(job is None or job.final for job in jobs)
        state = "failed" if jobs and ended == len(jobs) else "degraded" if ended else "running"
        if state == "running" and ready < len(jobs):
            state = "starting"
        return {**row, "ready": ready, "state": state}

    def forward(self, identity: str, call) -> Answer:
        """Pass a request on to a copy that answers, as an ingress does."""
        row = self._find(identity)
        for copy in row["copies"]:
            if _answers(copy["port"]):
                connection = http.client.HTTPConnection("127.0.0.1", copy["port"], timeout=30)
                rest = call.path.partition(f"/apps/{identity}")[2] or "/"
                connection.request(call.method, rest, call.body, {"Content-Type": "application/json"})
                found = connection.getresponse()
                data = found.read()
                connection.close()
                return Answer(found.status, data)
        raise Refusal("down", "no copy answers")

    def _find(self, identity: str) -> dict:
        if identity not in self._known:
            raise Refusal("no_service", f"there is no service {identity}")
        return self._known[identity]

    def _end(self, row: dict) -> None:
        for copy in row.get("copies", ()):
            job = self.house.cluster.jobs.get(copy["job"])
            if job and not job.final and not job.flags:
                self.house.cancel(job)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True

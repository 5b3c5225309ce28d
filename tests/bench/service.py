"""The approval service over HTTP: edits with their figures, handing in, lists, and a hundred watchers beside them."""

import contextlib
import http.client
import statistics
import time
import urllib.parse

from tests.bench.measure import CommandFailed
from tests.bench.measure import Row
from tests.lab.lab import Lab
from tests.lab.service import Service
from tests.lab.service import ServiceError
from webhook import config
from webhook.planner.client import Planner


def measure(bench):
    count, watchers = (5, 4) if bench.small else (100, 100)
    with Lab(bench.folder / "lab") as lab, Service(lab, bench.folder / "state") as service:
        try:
            yield from _measured(service, count, watchers)
        except ServiceError as error:
            raise CommandFailed(str(error)) from error


def _measured(service, count, watchers):
    client = service.log_in("requester")
    task = client.post("tasks", catalogue="digits")
    client.wait(f"tasks/{task['id']}", ("proposed",), bad=("refused",))
    made = [_timed(lambda: client.post("tasks", catalogue="digits")) for _unused in range(max(5, count // 5))]
    base = client.get(f"tasks/{task['id']}/proposals")["items"][0]
    path = f"tasks/{task['id']}/revise"

    def edit(number):
        parameters = {"steps": 1000 + number}
        return client.post(
            path, 200, proposal=base["id"], components={"train": {"parameters": parameters}}, keep=False
        )  # fmt: skip

    edits = [_timed(lambda number=number: edit(number)) for number in range(count)]
    planner = Planner(config.load(service.environment))
    file = str(service.state / "webhook" / "tasks" / task["id"] / "files" / "task.yml")
    asked = {"path": file, "round": 1, "label": base["label"]}

    def directly(number):
        chain = [{"components": {"train": {"parameters": {"steps": 1000 + number}}}}]
        return planner.ask("revise", chain=chain, **asked)

    directly(0)
    alone = [_timed(lambda number=number: directly(number)) for number in range(count)]
    planner.close()
    lists = [_timed(lambda: client.get("tasks", limit=50)) for _unused in range(count)]
    with _watching(service, client, task["id"], watchers):
        beside = [_timed(lambda: client.get("tasks", limit=50)) for _unused in range(count)]
    for what, ours, against, peer, target, note in (
        ("an edit with its figures, over HTTP", _p95(edits), "the planner alone", _p95(alone), None, "95th percentile"),
        ("handing a task in, with proposals", _median(made), "a list of tasks", _median(lists), None, "median"),
        (f"a list beside {watchers} watchers", _p95(beside), "without watchers", _p95(lists), 3, "95th percentile"),
    ):
        yield Row("service", what, ours, against, peer, "s", target, note)


def _timed(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _median(times):
    return statistics.median(times)


def _p95(times):
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


@contextlib.contextmanager
def _watching(service, client, run, count):
    """Hold so many open streams of a run's events."""
    cookies = "; ".join(f"{one.name}={one.value}" for one in client.session.cookies)
    address, streams = urllib.parse.urlsplit(service.url).netloc, []
    try:
        for _unused in range(count):
            connection = http.client.HTTPConnection(address, timeout=30)
            connection.request("GET", f"/api/v1/runs/{run}/events", headers={"Cookie": cookies})
            answer = connection.getresponse()
            streams.append((connection, answer))
            if answer.status != 200 or answer.readline() != b"retry: 2000\n":
                raise ServiceError(f"watcher {len(streams)} was refused: {answer.status}")
        yield
    finally:
        for connection, answer in streams:
            answer.close()
            connection.close()

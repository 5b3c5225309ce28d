"""kill -9 of any process of the service at random moments: every approval is launched, none twice, none is lost."""

import os
import signal
import time
import uuid

import pytest
import requests

from tests.lab.service import Service
from tests.lab.service import ServiceError
from tests.webhook.people import tiny_task
from tests.webhook.striking import processes
from tests.webhook.striking import Striker

SEED = 20261125
#: Fifty take some eight minutes on two busy cores; every test run takes fewer.
COUNT = int(os.environ.get("SUANWANG_KILLS", "6"))
ENDS = ("succeeded", "failed", "cancelled", "rejected", "expired", "refused")
WAIT_S = 60 + 40 * COUNT


class Stubborn:
    """A client that asks again where a process died under its request: the same key, so nothing happens twice."""

    def __init__(self, services, who):
        self.services, self.who = services, who
        self.clients = [service.log_in(who) for service in services]

    def call(self, method, path, body=None, settled=()):
        key, until, turn, last = str(uuid.uuid4()), time.monotonic() + 120, 0, None
        while time.monotonic() < until:
            client = self.clients[turn % len(self.clients)]
            turn += 1
            try:
                return client.call(method, path, json=body, headers={"Idempotency-Key": key}).json()
            except requests.RequestException as error:
                last = error
                time.sleep(0.2)
            except ServiceError as error:
                last = error
                if any(word in str(error) for word in settled):
                    return None
                if not any(f": {code}: " in str(error) for code in (409, 429, 500, 502, 503, 504)):
                    raise
                time.sleep(0.3)
        raise AssertionError(f"{method} {path} had no answer in 120 s; the last: {last}")


def approved(requester, approver, number):
    """Ask, confirm and approve one task; return its run id."""
    document, files = tiny_task(f"strike {number}")
    task = requester.call("POST", "tasks", {"document": document, "files": files})
    run = task["id"]
    until = time.monotonic() + 120
    while task["state"] == "submitted" and time.monotonic() < until:
        time.sleep(0.3)
        task = requester.call("GET", f"tasks/{run}")
    assert task["state"] in ("proposed", "confirmed"), task
    found = requester.call("GET", f"tasks/{run}/proposals")["items"]
    requester.call("POST", f"tasks/{run}/confirm", {"proposal": found[0]["id"]})
    digest = requester.call("GET", f"tasks/{run}")["digest"]
    # An approval whose answer was lost is there: asking again is refused as "cannot approve".
    approver.call("POST", f"tasks/{run}/approve", {"digest": digest}, settled=("cannot approve",))
    return run


def struck(services, lab):
    """Approve COUNT tasks while processes die; return (state by run, names of jobs by run, kills)."""
    requester, approver = Stubborn(services, "requester"), Stubborn(services, "approver")
    runs = [approved(requester, approver, 0)]  # the first one waits for the first perception
    begun = time.monotonic()
    runs.append(approved(requester, approver, 1))
    striker = Striker(services, SEED, longest_s=time.monotonic() - begun)
    striker.start()
    try:
        runs += [approved(requester, approver, number) for number in range(2, COUNT)]
        # A quick machine has approved all before enough died: the runs themselves are struck then.
        until = time.monotonic() + 60
        while sum(striker.kills.values()) < COUNT // 3 and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        striker.stop()
    states, until = {}, time.monotonic() + WAIT_S
    while len(states) < len(runs) and time.monotonic() < until:
        for run in set(runs) - set(states):
            task = requester.call("GET", f"tasks/{run}")
            if task["state"] in ENDS:
                states[run] = (task["state"], task["message"])
        time.sleep(2)
    names = [job["name"] for site in ("hunan", "centre-a") for job in lab.site(site).jobs()]
    jobs = {run: [name for name in names if f"swb-{run}-" in name] for run in runs}
    return runs, states, jobs, striker.kills


def judge(runs, states, jobs, kills, services):
    print(f"seed {SEED}: {len(runs)} approvals, killed: {kills}")
    lost = [run for run in runs if run not in states]
    twice = {run: names for run, names in jobs.items() if len(names) > 1}
    never = [run for run in runs if not jobs[run]]
    assert (lost, twice, never) == ([], {}, []), services[0].tail()
    assert {state for state, _message in states.values()} == {"succeeded"}, states
    assert sum(kills.values()) >= COUNT // 3
    assert services[0].command("audit", "verify").returncode == 0


def test_every_approval_is_launched_once_on_sqlite(lab, tmp_path):
    with Service(lab, tmp_path / "state") as service:
        judge(*struck([service], lab), [service])
        state = service.state
    assert {part: pids for part, pids in processes(state).items() if pids} == {}


def test_every_approval_is_launched_once_on_postgresql_with_two_instances(lab, tmp_path, postgres):
    with Service(lab, tmp_path / "state", SUANWANG_DATABASE=postgres) as one:
        with Service(lab, tmp_path / "state", SUANWANG_DATABASE=postgres) as other:
            judge(*struck([one, other], lab), [one, other])


def test_what_has_only_just_begun_does_not_outlive_the_service(lab, tmp_path):
    """A run process holds no lock yet while it loads its libraries."""
    with Service(lab, tmp_path / "state") as service:
        state, first, until = service.state, [], time.monotonic() + 60
        while not first and time.monotonic() < until:
            first = processes(state)["run process"]
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        while not set(processes(state)["run process"]) - set(first):
            assert time.monotonic() < until, service.tail()
        for part in ("web", "launcher", "supervisor"):
            for pid in processes(state)[part]:
                os.kill(pid, signal.SIGKILL)
    assert processes(state)["run process"] == []


@pytest.mark.parametrize("part", ["launcher", "run process", "playbook", "web"])
def test_what_was_begun_is_adopted(lab, tmp_path, part):
    """One kill of one part in the middle of a run: the same run ends well, with the one job it had."""

    with Service(lab, tmp_path / "state") as service:
        requester, approver = Stubborn([service], "requester"), Stubborn([service], "approver")
        run = approved(requester, approver, 0)
        journal = service.state / "runs" / run / "journal.jsonl"
        until = time.monotonic() + 60
        while not (journal.exists() and '"submitted"' in journal.read_text()) and time.monotonic() < until:
            time.sleep(0.02)
        for pid in processes(service.state)[part]:
            os.kill(pid, signal.SIGKILL)
        until, task = time.monotonic() + 120, {"state": None}
        while task["state"] not in ENDS and time.monotonic() < until:
            time.sleep(0.3)
            task = requester.call("GET", f"tasks/{run}")
        assert task["state"] == "succeeded", (task, service.tail())
    names = [job["name"] for site in ("hunan", "centre-a") for job in lab.site(site).jobs()]
    assert [name for name in names if f"swb-{run}-" in name] == [f"swb-{run}-train.a1"]

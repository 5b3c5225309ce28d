"""The whole way over HTTP, against a lab: asked for, planned, approved by a second person, launched once, and home."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from tests.lab.service import ServiceError
from tests.webhook.people import tiny_task
from tests.webhook.sockets import Watch
from tests.webhook.striking import processes


def jobs(lab, run):
    """Return the names of all jobs that ever carried a run's name, at every site."""
    return [
        job["name"] for name in ("hunan", "centre-a") for job in lab.site(name).jobs() if f"swb-{run}-" in job["name"]
    ]


@pytest.fixture(scope="module")
def people(service):
    return {who: service.log_in(who) for who in ("requester", "approver", "operator")}


def asked(people, window=None, **changes):
    """Hand a tiny task in and make its first proposal the plan, to start within a window; return the task."""
    document, files = tiny_task(**changes)
    requester = people["requester"]
    task = requester.post("tasks", document=document, files=files)
    requester.wait(f"tasks/{task['id']}", ("proposed",), bad=("refused",))
    found = requester.get(f"tasks/{task['id']}/proposals")["items"]
    proposal = found[0]
    if window:
        proposal = requester.post(f"tasks/{task['id']}/revise", proposal=proposal["id"], window=window)
    return requester.post(f"tasks/{task['id']}/confirm", proposal=proposal["id"])


def test_the_example_comes_home(service, people, lab):
    requester, approver = people["requester"], people["approver"]
    task = requester.post("tasks", catalogue="digits")
    run = task["id"]
    requester.wait(f"tasks/{run}", ("proposed",), bad=("refused",))
    found = requester.get(f"tasks/{run}/proposals")
    assert {"fastest", "cheapest"} <= {label for one in found["items"] for label in one["labels"]}
    edited = requester.post(
        f"tasks/{run}/revise", proposal=found["items"][0]["id"], components={"train": {"parameters": {"steps": 2100}}}
    )
    assert (
        edited["deltas"]["finish_s"] == 0 and edited["edits"][0]["components"]["train"]["parameters"]["steps"] == 2100
    )
    task = requester.post(f"tasks/{run}/confirm", proposal=edited["id"])
    plan = approver.get(f"tasks/{run}/plan")
    assert plan["plan"]["requester"] == "requester@lab.invalid"
    assert plan["plan"]["components"][1]["parameters"]["steps"] == 2100
    approver.post(f"tasks/{run}/approve", digest=task["digest"])
    seen = list(approver.events(run))
    assert seen[-1][1:] == ("end", {"state": "succeeded"})
    ids = [ident for ident, kind, _event in seen if kind == "journal"]
    half = len(ids) // 2
    again = [ident for ident, kind, _event in approver.events(run, last=ids[half]) if kind == "journal"]
    assert again == ids[half + 1 :]
    home = requester.get(f"runs/{run}/artifacts")["items"]
    data = requester.call("GET", f"runs/{run}/artifacts/{home[0]['path']}").content
    assert hashlib.sha256(data).hexdigest() == home[0]["sha256"]
    assert jobs(lab, run) == [f"swb-{run}-train.a1"]
    shown = requester.get(f"runs/{run}")
    assert [one["state"] for one in shown["components"]] == ["succeeded"] * 3
    assert float(shown["models"][0]["accuracy"]) >= 0.94
    (used,) = [one for one in approver.get("usage")["items"] if one["person"] == "requester@lab.invalid"]
    events = [json.loads(line) for line in (service.state / "runs" / run / "journal.jsonl").read_text().splitlines()]
    (times,) = {(one["started"], one["ended"]) for one in events if one["event"] == "used"}
    assert used["runs"] == 1 and used["gib"] > 0 and used["unknown"] == 0
    assert used["card_hours"] == pytest.approx(clock.seconds_between(*times) / 3600, abs=1e-6)
    assert "PLAY RECAP" in requester.call("GET", f"runs/{run}/log").text
    assert service.command("audit", "verify").returncode == 0


def test_what_would_be_done_is_shown_before_it_is_approved(people):
    task = asked(people, name="checked")
    approver = people["approver"]
    found = approver.get(f"tasks/{task['id']}/plan")
    assert found["check_state"] in ("queued", "claimed", "running", "succeeded")
    until = time.monotonic() + 90
    while not found["check"] and time.monotonic() < until:
        time.sleep(0.3)
        found = approver.get(f"tasks/{task['id']}/plan")
    assert f"+job swb-{task['id']}-train.a1" in found["check"]
    rejected = approver.post(f"tasks/{task['id']}/reject", digest=task["digest"], reason="too dear for this week")
    assert (rejected["state"], rejected["message"]) == ("rejected", "too dear for this week")
    with pytest.raises(ServiceError, match="409.*cannot approve"):
        approver.post(f"tasks/{task['id']}/approve", digest=task["digest"])


def test_a_plan_over_the_quota_is_not_approved_and_what_was_held_is_given_back(people):
    task, other = asked(people, name="first"), asked(people, name="second")
    operator, approver, requester = people["operator"], people["approver"], people["requester"]
    quota = {"tenant": "demo", "person": "requester@lab.invalid", "resource": "card_s"}
    used = approver.get("usage")["items"]
    spent = sum(round(one["card_hours"] * 3600) for one in used)
    needs = approver.get(f"tasks/{task['id']}/plan")["plan"]["caps"]["card_s"]
    try:
        operator.post("quotas", **quota, amount=spent + needs + needs // 2)
        approver.post(f"tasks/{task['id']}/approve", digest=task["digest"])
        with pytest.raises(ServiceError, match="409.*card-hours"):
            approver.post(f"tasks/{other['id']}/approve", digest=other["digest"])
        requester.wait(f"tasks/{task['id']}", ("succeeded",), bad=("failed",))
        (line,) = approver.get(f"tasks/{other['id']}/plan")["quotas"]
        assert line["held"] == 0 and line["used"] < spent + needs
        approver.post(f"tasks/{other['id']}/approve", digest=other["digest"])
        requester.wait(f"tasks/{other['id']}", ("succeeded",), bad=("failed",))
    finally:
        operator.post("quotas", **quota, amount=None)


def test_a_run_approved_early_is_launched_when_its_window_opens(service, people, lab):
    requester, opens = people["requester"], clock.after(clock.now(), 20)
    task = asked(people, window={"not_before": opens}, name="later")
    run = task["id"]
    people["approver"].post(f"tasks/{run}/approve", digest=task["digest"])
    assert clock.now() < opens, "it was approved too late to have waited"
    requester.wait(f"tasks/{run}", ("succeeded",), bad=("failed", "expired"))
    journal = (service.state / "runs" / run / "journal.jsonl").read_text().splitlines()
    assert min(json.loads(line)["at"] for line in journal) >= opens
    assert jobs(lab, run) == [f"swb-{run}-train.a1"]


def test_four_eyes_hold_for_everyone(people):
    task = asked(people, name="eyes")
    for who, words in (("requester", "403"), ("operator", "403")):
        with pytest.raises(ServiceError, match=words):
            people[who].post(f"tasks/{task['id']}/approve", digest=task["digest"])
    with pytest.raises(ServiceError, match="changed since you saw it"):
        people["approver"].post(f"tasks/{task['id']}/approve", digest="0" * 64)


def test_the_same_post_twice_makes_one_task(people):
    document, files = tiny_task("once")
    first, second = (
        people["requester"].call(
            "POST", "tasks", json={"document": document, "files": files}, headers={"Idempotency-Key": "the-same-key"}
        )
        for _unused in range(2)
    )
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replay"] == "true"
    with pytest.raises(ServiceError, match="used for another request"):
        people["requester"].call(
            "POST", "tasks", json={"catalogue": "digits"}, headers={"Idempotency-Key": "the-same-key"}
        )


def test_a_row_forged_in_the_database_is_refused_by_the_play(service, people, lab):
    """Whoever can write the database, and cannot sign, starts nothing at a site."""
    from sqlalchemy import text

    from webhook.database import Database

    task = asked(people, name="forged")
    database = Database(f"sqlite:///{service.state}/webhook/webhook.sqlite")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE tasks SET state = 'approved' WHERE id = :run"), {"run": task["id"]})
        connection.execute(
            text(
                "INSERT INTO launches (id, kind, once, task, digest, state, asked_by, attempts, created_at)"
                " VALUES (:id, 'apply', 'forged', :run, :digest, 'queued', 'nobody', 0, '2026-01-01T00:00:00Z')"
            ),
            {"id": "0" * 26, "run": task["id"], "digest": task["digest"]},
        )
    database.close()
    ended = people["requester"].wait(f"tasks/{task['id']}", ("failed", "succeeded"))
    assert ended["state"] == "failed" and "is not approved" in ended["message"]
    assert jobs(lab, task["id"]) == []


def test_cancel_gives_everything_back(people, lab):
    document, files = tiny_task("long", work={"duration_s": 60})
    files[0]["text"] = "import time\ntime.sleep(60)\n"
    requester = people["requester"]
    task = requester.post("tasks", document=document, files=files)
    requester.wait(f"tasks/{task['id']}", ("proposed",))
    found = requester.get(f"tasks/{task['id']}/proposals")["items"]
    task = requester.post(f"tasks/{task['id']}/confirm", proposal=found[0]["id"])
    people["approver"].post(f"tasks/{task['id']}/approve", digest=task["digest"])
    for _ident, kind, event in requester.events(task["id"]):
        if kind == "journal" and event["event"] == "submitted":
            break
    assert requester.post(f"runs/{task['id']}/cancel")["state"] == "cancelling"
    ended = requester.wait(f"tasks/{task['id']}", ("cancelled", "failed"))
    assert ended["state"] == "cancelled", ended
    states = {
        job["name"]: job["state"] for name in ("hunan", "centre-a") for job in lab.site(name).jobs()
        if task["id"] in job["name"]
    }  # fmt: skip
    assert list(states) == [f"swb-{task['id']}-train.a1"] and "CANCELLED" in json.dumps(states)


def test_the_same_plan_again_keeps_its_digest_and_another_does_not(people):
    requester, task = people["requester"], asked(people, name="again")
    path = f"tasks/{task['id']}"
    found = requester.post(f"{path}/proposals")["items"]
    assert requester.get(path)["state"] == "proposed"
    same = requester.post(f"{path}/confirm", proposal=found[0]["id"])
    assert same["digest"] == task["digest"]
    edited = requester.post(
        f"{path}/revise", proposal=found[0]["id"], components={"train": {"parameters": {"steps": 1}}}
    )  # fmt: skip
    with pytest.raises(ServiceError, match="nothing is confirmed|cannot approve"):
        people["approver"].post(f"{path}/approve", digest=task["digest"])
    other = requester.post(f"{path}/confirm", proposal=edited["id"])
    assert other["digest"] != task["digest"]
    with pytest.raises(ServiceError, match="changed since you saw it"):
        people["approver"].post(f"{path}/approve", digest=task["digest"])


def test_a_failed_run_is_resumed_and_given_back(people, lab):
    document, files = tiny_task("bad")
    files[0]["text"] = "raise SystemExit(3)\n"
    requester = people["requester"]
    task = requester.post("tasks", document=document, files=files)
    path = f"tasks/{task['id']}"
    requester.wait(path, ("proposed",), bad=("refused",))
    found = requester.get(f"{path}/proposals")["items"]
    task = requester.post(f"{path}/confirm", proposal=found[0]["id"])
    people["approver"].post(f"{path}/approve", digest=task["digest"])
    assert "exit code 3" in requester.wait(path, ("failed", "succeeded"))["message"]
    requester.post(f"runs/{task['id']}/resume", 202)
    requester.wait(path, ("failed", "succeeded"))
    launches = requester.get(f"runs/{task['id']}")["launches"]
    assert [one["state"] for one in launches if one["kind"] == "apply"] == ["failed", "failed"]
    requester.post(f"runs/{task['id']}/cancel", 202)
    assert requester.wait(path, ("cancelled", "failed"))["state"] == "cancelled"
    assert len(jobs(lab, task["id"])) == 1


def test_signed_on_the_shell_counts_on_the_page(service, people, lab, tmp_path):
    from tests.playbooks.project import Project

    task = asked(people, name="shell")
    project = Project(lab, tmp_path, store=service.state)
    project.approve(task["id"]).good()
    ended = people["requester"].wait(f"tasks/{task['id']}", ("succeeded",), bad=("failed",))
    assert ended["state"] == "succeeded"
    decided = people["requester"].get(f"tasks/{task['id']}")["decisions"]
    assert [one["person"] for one in decided] == ["approver@lab.invalid"]
    assert jobs(lab, task["id"]) == [f"swb-{task['id']}-train.a1"]


def test_only_playbooks_are_ever_connected_to_a_site(service, people, lab):
    """Web process, planner, launcher and supervisor have no connection to a site while a run goes on; playbooks do."""
    sites = {(row["address"], row["port"]) for site in lab.sites for row in site.need["endpoints"]}
    watch = Watch(service.state)
    watch.start()
    try:
        people["requester"].post("perceive")
        task = asked(people, name="watched")
        people["approver"].post(f"tasks/{task['id']}/approve", digest=task["digest"])
        people["requester"].wait(f"tasks/{task['id']}", ("succeeded",), bad=("failed",))
        people["requester"].get("pools")
    finally:
        watch.stop()
    touched = {part: peers & sites for part, peers in watch.seen.items() if peers & sites}
    assert set(touched) <= {"playbook", "run process"} and touched.get("playbook"), (touched, watch.samples)
    assert {"web", "planner", "launcher", "supervisor"} <= set(watch.seen)


def test_a_pause_holds_launches_back(people):
    operator = people["operator"]
    operator.post("pause", paused=True, reason="maintenance of the controller")
    try:
        task = asked(people, name="held")
        assert people["approver"].post(f"tasks/{task['id']}/approve", digest=task["digest"])["state"] == "approved"
        for _again in range(8):  # the launcher looks five times a second
            time.sleep(0.2)
            assert people["requester"].get(f"tasks/{task['id']}")["state"] == "approved"
    finally:
        operator.post("pause", paused=False, reason="maintenance is over")
    people["requester"].wait(f"tasks/{task['id']}", ("succeeded",), bad=("failed",))


def test_no_secret_is_left_anywhere(service, people, lab):
    """After all the runs above: not in the database or its log, not in a launch's folder, not in a command line."""
    secrets = {who: one["password"].encode() for who, one in service.people().items()}
    secrets |= {f"session of {who}": one.session.cookies.get("suanwang").encode() for who, one in people.items()}
    for path in (lab.config / "credentials").iterdir():
        if path.name != "webhook-people":
            # Of a key, a line from its middle; of a token, all of it.
            lines = path.read_bytes().strip().splitlines()
            secrets[path.name] = lines[len(lines) // 2] if len(lines) > 2 else lines[0]
    assert all(len(value) > 8 for value in secrets.values())
    found = []
    for path in (path for path in service.state.rglob("*") if path.is_file()):
        data = path.read_bytes()
        found += [(name, str(path)) for name, value in secrets.items() if value in data]
    for pids in processes(service.state).values():
        for pid in pids:
            shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            found += [(name, pid) for name, value in secrets.items() if value in shown]
    assert found == []
    loose = [path for path in (service.state / "webhook").rglob("*") if path.stat().st_mode & 0o007]
    assert (service.state / "webhook").stat().st_mode & 0o077 == 0, loose

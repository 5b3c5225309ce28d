"""How a launch is judged, and what can no longer start: on rows and journals made for it."""

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from webhook import database
from webhook.desk import chores
from webhook.models import Launch
from webhook.models import Task
from webhook.runs import controller
from webhook.runs.ends import broke_off
from webhook.runs.ends import finish
from webhook.runs.folder import Folder
from webhook.runs.follower import Follower


def approved(desk, start_by="2099-01-01T00:00:00Z", moves=("propose", "confirm", "approve")):
    """Return the run id of a task with a plan on disk, in the state after these moves, its launch claimed."""
    now, run = desk.now(), desk.new_id()
    digest, _path = desk.store.save_plan({"run": run, "window": {"start_by": start_by}}, {})
    with desk.database.write() as session:
        task = database.add_task(
            session, id=run, name="n", tenant="demo", requester="r", source="api", document="{}", created_at=now,
            updated_at=now,
        )  # fmt: skip
        for move in moves:
            database.move(session, task, move, now, digest=digest)
        database.add_launch(
            session, id=desk.new_id(), kind="apply", once=f"apply:{digest}", task=run, digest=digest, asked_by="r",
            created_at=now,
        )  # fmt: skip
    return run


def launch_of(desk, run, claim=True):
    with desk.database.write() as session:
        row = session.query(Launch).filter(Launch.task == run, Launch.kind == "apply").one()
        if claim:
            database.move(session, row, "claim", desk.now(), attempts=1)
        return row


def state(desk, run):
    with desk.database.read() as session:
        row = session.get(Task, run)
        return row.state, row.message


@pytest.mark.parametrize(
    ("journal", "result", "wanted"),
    [
        (["loaded", "closed:succeeded"], {"exit_code": 0, "cancelled": False}, "succeeded"),
        (["loaded", "closed:succeeded"], {"exit_code": 4, "cancelled": False}, "succeeded"),
        (["loaded"], {"exit_code": 0, "cancelled": False}, "failed"),
        ([], {"exit_code": 0, "cancelled": False}, "failed"),
        (["loaded", "closed:failed"], {"exit_code": 2, "cancelled": False}, "failed"),
        (["loaded", "closed:partial"], {"exit_code": 0, "cancelled": False}, "failed"),
        (["loaded", "closed:succeeded", "loaded"], {"exit_code": 0, "cancelled": False}, "failed"),
        (["loaded"], {"exit_code": None, "cancelled": True}, "cancelling"),
        (["loaded"], {"exit_code": None, "cancelled": False, "lost": True}, "failed"),
    ],
)
def test_the_closed_journal_alone_is_a_success(desk, settings, journal, result, wanted):
    run = approved(desk)
    row = launch_of(desk, run)
    for line in journal:
        kind, _, closed = line.partition(":")
        desk.store.note(run, {"event": kind, "at": desk.now(), **({"state": closed} if closed else {})})
    finish(settings, desk.database, row, result)
    assert state(desk, run)[0] == wanted
    if not journal:
        assert "not closed" in state(desk, run)[1]
    finish(settings, desk.database, row, result)  # two launchers may see the same end
    assert state(desk, run)[0] == wanted
    with desk.database.read() as session:
        kinds = [one.kind for one in session.query(Launch).filter(Launch.task == run)]
    assert kinds.count("release") == (1 if wanted == "cancelling" else 0)


@pytest.mark.parametrize(
    ("journal", "result", "wanted"),
    [
        (["loaded"], {"exit_code": 1, "cancelled": False}, True),
        (["loaded", "closed:failed"], {"exit_code": 2, "cancelled": False}, False),
        (["loaded"], {"exit_code": 1, "cancelled": True}, False),
        ([], {"exit_code": 2, "cancelled": False}, False),
        ([], {"exit_code": 1, "cancelled": False, "ended": False}, True),
        ([], {"exit_code": 1, "cancelled": False, "ended": True}, False),
        ([], {"exit_code": 4, "cancelled": False, "ended": False}, False),
        (["loaded"], {"exit_code": 0, "cancelled": False}, False),
    ],
)
def test_a_pass_that_nobody_closed_broke_off_and_is_begun_again(desk, settings, journal, result, wanted):
    run = approved(desk)
    row = launch_of(desk, run)
    for line in journal:
        kind, _, closed = line.partition(":")
        desk.store.note(run, {"event": kind, "at": desk.now(), **({"state": closed} if closed else {})})
    assert broke_off(settings, row, result) is wanted


def test_what_can_no_longer_start_expires_and_what_has_begun_does_not(desk):
    late, early = clock.after(desk.now(), -60), clock.after(desk.now(), 600)
    waiting = approved(desk, late, moves=("propose", "confirm"))
    queued, begun, fresh = approved(desk, late), approved(desk, late), approved(desk, early)
    desk.store.note(begun, {"event": "loaded", "at": late})
    chores.expire(desk)
    assert [state(desk, run)[0] for run in (waiting, queued, begun, fresh)] == [
        "expired", "expired", "approved", "approved",
    ]  # fmt: skip
    assert launch_of(desk, queued, claim=False).state == "cancelled"


# -- jobs of a controller ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "why", "came_to_its_end", "code"),
    [
        ("successful", "", True, 0),
        ("failed", "", True, 1),
        ("failed", "", False, None),  # its playbook was killed: begun again
        ("failed", "Previous Task Failed", False, 1),
        ("error", "", False, None),
        ("canceled", "", False, None),
    ],
)
def test_a_job_whose_playbook_did_not_come_to_its_end_was_killed(tmp_path, status, why, came_to_its_end, code):
    follower, left = Follower(Folder(tmp_path)), {"brain_quota": []}
    follower.event({"event": "runner_on_failed", "stdout": "fatal: ...", "event_data": {"artifact_data": {"x": 1}}})
    if came_to_its_end:
        follower.event({"event": "playbook_on_stats", "stdout": "PLAY RECAP", "event_data": {"artifact_data": left}})
    ended = {"id": 7, "status": status, "job_explanation": why, "artifacts": left}
    found = controller._result(ended, follower)
    follower.close()
    assert found == {"exit_code": code, "cancelled": status == "canceled", "job": 7, "stats": left}
    assert follower.stats == (left if came_to_its_end else {})

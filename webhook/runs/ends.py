"""How a launch ended: from its result, and for a run from its journal, which alone says that it succeeded."""

from __future__ import annotations

import json

from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.said import join
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import words
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.history import History
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

from .. import audit
from .. import database
from ..models import Launch
from ..models import Task
from . import folder
from . import ledger
from . import specs

_SAID, _MOST = 600, 3000
#: What ansible-playbook ends with when ansible-core itself raises, as over a dead worker; a bad playbook is 4.
CORE_ERROR = 1
#: Kind of launch → what of its set_stats is kept with it.
KEPT = dict.fromkeys(("quota", "quota_check"), "brain_quota")


def finish(settings, db, row, result):
    """Write down the end of a launch, and what follows from it for its task, in one transaction."""
    event, message = _judge(settings, row, result)
    now = clock.now()
    with db.write() as session:
        launch = database.locked(session, Launch, row.id)
        if launch.state not in ("claimed", "running"):
            return
        database.move(
            session, launch, event, now, ended_at=now, exit_code=result["exit_code"], message=message,
            outcome=(result.get("stats") or {}).get(KEPT.get(launch.kind)),
        )  # fmt: skip
        if launch.kind == "quota":
            said = {"state": launch.state, "message": message, "outcome": launch.outcome}
            audit.note(session, now, "service", "limits.pushed", launch.params["tenant"], launch=launch.id, **said)
        if launch.task and launch.kind in specs.OF_A_RUN:
            _follow(session, Store(settings.state), launch, event, message, now)


def broke_off(settings, row, result):
    """Whether a playbook failed in the middle of its pass, by its own death and not by what it did: no judge closed it.

    A worker that was killed ends a playbook like this; before the plan was loaded there is no pass yet, but then the
    playbook ends by ansible-core's error, without its statistics. Running again is the resume.
    """
    if row.kind not in specs.OF_A_RUN or result["cancelled"] or result["exit_code"] in (0, None):
        return False
    if result["exit_code"] == CORE_ERROR and not result.get("ended", True):
        return True
    events = Store(settings.state).journal(row.task)
    loaded = [event["at"] for event in events if event["event"] == "loaded"]
    return History(events).open and bool(loaded) and loaded[-1] >= (row.started_at or row.created_at)


def _judge(settings, row, result):
    """Return (event of the launch, sentence or None)."""
    if result.get("lost"):
        said = _said(settings, row)
        if said is None:
            return "lose", say("its process died {n} times", n=row.attempts)
        return "lose", say("its process died {n} times: {said}", n=row.attempts, said=said)
    if result["cancelled"]:
        return "cancel", say("interrupted")
    code, said = result["exit_code"], None
    if row.kind in specs.OF_A_RUN:
        events = Store(settings.state).journal(row.task)
        past = History(events)
        closed = None if past.open else past.closed
        wanted = "succeeded" if row.kind == "apply" else "released"
        if closed == wanted:
            return "succeed", None
        if code == 0:
            return "fail", say("the playbook ended with 0, and the journal is not closed as {state}", state=wanted)
        said = failures(events) if closed == "failed" else None
    if code == 0:
        return "succeed", None
    return "fail", said or _said(settings, row) or say("the playbook ended with exit code {code}", code=code)


def failures(events):
    """Return what ended badly in a journal's last pass: who, and why, then who was not started for that; or None."""
    ends = {}
    for event in events:
        if event["event"] == "loaded":
            ends = {}
        elif event["event"] == "end":
            ends[event["component"]] = event
    bad = {name: end for name, end in ends.items() if end["state"] != "succeeded"}
    said = [
        say("{component}: {message}", component=name, message=words(end.get("message") or end["state"]))
        for name, end in bad.items()
        if not end.get("culprit")
    ]
    after = [name for name, end in bad.items() if end.get("culprit")]
    if after:
        said.append(say("not started because of that: {names}.", names=", ".join(after)))
    return join(" ", said)[:_MOST] if said else None


def _said(settings, row):
    """Return the last sentence of failure in a launch's log, for people."""
    try:
        text = (folder.of(settings, row.id) / "log.txt").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    found = [line for line in text.splitlines() if line.startswith(("fatal:", "failed:", "ERROR", "[ERROR]"))]
    return _sentence(found[-1])[:_SAID] if found else None


def _sentence(line):
    """Return what a line ``fatal: [host]: FAILED! => {…}`` says, without what surrounds it."""
    try:
        return str(json.loads(line.partition(" => ")[2])["msg"])
    except (ValueError, TypeError, KeyError):
        return line


def _follow(session, store, launch, event, message, now):
    task = database.locked(session, Task, launch.task)
    if launch.kind == "retire":
        ended = "deployment.ended" if event == "succeed" else "deployment.stuck"
        audit.note(session, now, "service", ended, task.id, digest=task.digest, message=message)
    elif launch.kind == "apply":
        if task.state == "approved":  # it was over before anybody saw it run
            database.move(session, task, "start", now)
        if event == "cancel" or (task.state == "cancelling" and event != "succeed"):
            if task.state == "running":
                database.move(session, task, "cancel", now)
            _release(session, task, now)
            return
        if task.state in ("running", "cancelling"):
            _end(session, store, task, "succeed" if event == "succeed" else "fail", message, now)
    elif task.state == "cancelling":
        _end(session, store, task, "cancelled" if event == "succeed" else "fail", message, now)


def _end(session, store, task, event, message, now):
    database.move(session, task, event, now, message=message or (task.message if event == "cancelled" else None))
    ledger.settle(session, store, task, now)
    audit.note(session, now, "service", f"run.{task.state}", task.id, digest=task.digest, message=message)


def _release(session, task, now):
    count = select(func.count()).select_from(Launch).where(Launch.task == task.id, Launch.kind == "release")
    once = f"release:{task.digest}:{session.scalar(count) + 1}"
    database.add_launch(
        session, id=folder.new_id(), kind="release", once=once, task=task.id, digest=task.digest, asked_by="service",
        created_at=now,
    )  # fmt: skip

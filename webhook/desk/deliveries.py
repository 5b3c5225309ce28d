"""What a signed webhook sets off: a task that waits for approval, or a reading of the sites after an alert."""

from __future__ import annotations

import json

from sqlalchemy.exc import IntegrityError

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from .. import audit
from ..models import Delivery
from . import pushes
from . import runs
from . import tasks
from .desk import Clash
from .desk import Denied
from .files import wrong

SOURCE = pushes.SOURCE
FETCHING = "its files are fetched"


def take(desk, source, delivery, body, record, name_rule):
    """Take a delivery in, once; return its row. The same one again returns what it came to. Raises Invalid, Clash."""
    now, fresh = desk.now(), _remember(desk, source, delivery)
    if not fresh:
        return _known(desk, delivery)
    try:
        task, outcome = _carry_out(desk, source, delivery, body, record, name_rule)
    except (BrainError, Denied) as error:
        task, outcome = None, f"refused: {error}"
    with desk.database.write() as session:
        row = session.get(Delivery, delivery.id)
        if row.fetch is None and row.outcome != "begun":
            return row  # fetched already
        row.task, row.outcome = task, outcome
        audit.note(session, now, source.principal, "delivery.take", delivery.id, task=task, outcome=outcome)
        return row


def _remember(desk, source, delivery):
    try:
        with desk.database.write() as session:
            if session.get(Delivery, delivery.id) is not None:
                return False
            session.add(
                Delivery(
                    id=delivery.id, source=source.name, sha256=delivery.sha256, task=None, outcome="begun",
                    at=desk.now(),
                )
            )  # fmt: skip
    except IntegrityError:
        return False
    return True


def _known(desk, delivery):
    with desk.database.read() as session:
        row = session.get(Delivery, delivery.id)
    if row.sha256 != delivery.sha256:
        raise Clash("a delivery of this id had another body: replayed, or a mistake")
    return row


def _carry_out(desk, source, delivery, body, record, name_rule):
    """Return (task id or None, outcome)."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise wrong("body", say("is not JSON: {error}.", error=str(error)), "Send JSON.") from error
    if not isinstance(found, dict):
        raise wrong("body", "is not an object.", "Send an object.")
    caller = pushes.caller_of(source)
    if source.kind == "alertmanager":
        alerts = found.get("alerts")
        firing = [one for one in alerts if one.get("status") == "firing"] if isinstance(alerts, list) else []
        runs.perceive(desk, caller)
        return None, f"{len(firing)} alerts fire; the sites are read"
    if source.kind != "generic" and pushes.FIELD not in found and source.raw is not None:
        _fetched_later(desk, source, delivery, pushes.commit_of(source, found))
        return None, FETCHING
    asked = _asked(source, found, record)
    row = tasks.make(desk, caller, asked, name_rule, source=f"{SOURCE}{source.name}"[:40])
    return row.id, "a task"


def _asked(source, found, record):
    if source.kind == "generic":
        return record({name: found[name] for name in ("document", "yaml", "catalogue", "files") if name in found})
    pushes.commit_of(source, found)
    if pushes.FIELD in found:
        given = found[pushes.FIELD]
        if not isinstance(given, dict):
            raise wrong(pushes.FIELD, "is not an object.", "Send what POST /api/v1/tasks takes.")
        return record({name: given[name] for name in ("document", "yaml", "files") if name in given})
    if source.task is None:
        raise wrong(
            "task",
            say("webhook.yml names no task for pushes of {source}.", source=source.name),
            "Add `raw:` or `task:` there.",
        )
    return record({"catalogue": source.task})


def _fetched_later(desk, source, delivery, commit):
    with desk.database.write() as session:
        row = session.get(Delivery, delivery.id)
        row.fetch = {"source": source.name, "commit": commit, "run": desk.new_id(), "attempts": 0}
        row.due_at = desk.now()

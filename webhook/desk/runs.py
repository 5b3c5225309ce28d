"""A run as people see it: components from plan and journal, launches, artifacts; cancelling and resuming."""

from __future__ import annotations

from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import leases
from ansible_collections.suanwang.brain.plugins.plugin_utils.history import History

from .. import audit
from .. import database
from ..models import Launch
from ..models import Switch
from ..runs import ledger
from . import kept
from .approvals import queue
from .desk import Denied
from .desk import Missing
from .desk import task_of

STATES = ("approved", "running", "cancelling", "cancelled", "succeeded", "failed")
#: What an event of the journal says of a component where it carries no state of its own.
_SHOWN = {
    "placed": "placed",
    "waiting": "waiting",
    "begin": "begun",
    "found": "found",
    "intent": "writing",
    "submitted": "queued",
    "doubt": "in doubt",
    "unreachable": "unreachable",
    "evaluated": "measured",
}

GANG = ("gang", "skew_s", "allowed_s", "starts")


def launches(desk, run):
    with desk.database.read() as session:
        query = select(Launch).where(Launch.task == run).order_by(Launch.created_at, Launch.id)
        return list(session.scalars(query))


def show(desk, caller, run):
    """Return {task, components, launches, models, endpoints, services, gangs, plan} of a run."""
    with desk.database.read() as session:
        row = task_of(session, caller, run)
    if row.digest is None:
        raise Missing(say("task {run} has no plan yet", run=run))
    _folder, plan = desk.plan(row.digest)
    events = desk.store.journal(run)
    mine = leases.stays(desk.store) if plan.get("deployment") else ()
    stays = {stay.component: stay for stay in mine if stay.run == run}
    return {
        "task": row,
        "components": components(plan, desk.store.estimate(row.digest), events),
        "launches": launches(desk, run),
        "models": models(events),
        "endpoints": kept.machines(events, stays),
        "services": kept.services(desk.config(), plan, events, stays),
        "gangs": [{name: event[name] for name in GANG} for event in kept.newest(events, "gang", "gang")],
        "plan": plan,
    }


def components(plan, estimate, events):
    """Return one mapping a component: what was planned, and what the journal says."""
    planned = {one["id"]: one for one in estimate.get("components", ())}
    found = {
        item["id"]: {
            "id": item["id"],
            "kind": item["kind"],
            "needs": item["needs"],
            "state": "planned",
            "planned_start": planned.get(item["id"], {}).get("start"),
            "planned_end": planned.get(item["id"], {}).get("end"),
        }
        for item in plan["components"]
    }
    releasing = False
    for event in events:
        if event["event"] == "loaded":
            releasing = event.get("purpose") == "release"
        row = found.get(event.get("component"))
        if row is not None:
            _take(row, event, releasing)
    return list(found.values())


def _take(row, event, releasing):
    kind = event["event"]
    ended = row["state"] in ("succeeded", "failed", "released")
    if kind == "intent" and ended:
        return  # giving back what is no longer needed is no news of the component
    row["state"] = event.get("state") or _SHOWN.get(kind, row["state"])
    if kind == "placed":
        row["pool"], row["state"] = event["pool"], "released" if releasing else "placed"
    if kind == "begin":
        row["since"] = row.get("since") or event["at"]
        row["until"] = None
    if kind == "end":
        row["until"] = event["at"]
        if releasing and event["state"] == "succeeded":
            row["state"] = "released"
    row["percent"] = event.get("percent") if kind == "progress" else 100 if kind == "end" else None
    row["message"] = event.get("message") or event.get("reason")


def models(events):
    """Return what came home and was measured: component, path, sha256, accuracy, rows."""
    found = {}
    for event in events:
        if event["event"] == "evaluated":
            found[event["component"]] = {key: event[key] for key in ("component", "path", "sha256", "accuracy", "rows")}
    return list(found.values())


def closed(events):
    """Return the state in which a journal was closed last, or None where a pass is open or none was begun."""
    past = History(events)
    return None if past.open else past.closed


def _allowed(caller, row):
    if caller.principal != row.requester and not caller.has("operator", "admin"):
        raise Denied("only who asked, and operators, cancel and resume a run")


def cancel(desk, caller, run):
    """End a run: what waits is not started, what runs is interrupted and given back. Return the task."""
    now = desk.now()
    with desk.database.write() as session:
        row = task_of(session, caller, run, database.locked)
        _allowed(caller, row)
        live = select(Launch).where(
            Launch.task == run, Launch.kind == "apply", Launch.state.in_(("queued", "claimed", "running"))
        )  # fmt: skip
        launch = session.scalars(live.order_by(Launch.id.desc())).first()
        if row.state == "approved" and (launch is None or launch.state == "queued"):
            if launch is not None:
                database.move(session, launch, "cancel", now, ended_at=now, message=say("cancelled before it began"))
            database.move(session, row, "cancel", now, message=say("cancelled by {who}", who=caller.principal))
            ledger.settle(session, desk.store, row, now)
        else:
            if row.state == "approved":  # claimed, about to begin: it is running to everybody
                database.move(session, row, "start", now)
            database.move(session, row, "cancel", now, message=say("cancelled by {who}", who=caller.principal))
            if launch is not None:
                launch.cancel_at = now
            else:
                release(session, desk, row, caller.principal, now)
        audit.note(session, now, caller.principal, "run.cancel", run)
        return row


def release(session, desk, row, asked_by, now):
    """Queue the giving back of what a run holds."""
    count = select(func.count()).select_from(Launch).where(Launch.task == row.id, Launch.kind == "release")
    return queue(session, desk, row, "release", f"release:{row.digest}:{session.scalar(count) + 1}", asked_by, now)


def resume(desk, caller, run):
    """Start the same plan again: what is done is found by its name, and only the rest is carried out."""
    now = desk.now()
    with desk.database.write() as session:
        row = task_of(session, caller, run, database.locked)
        _allowed(caller, row)
        database.move(session, row, "resume", now, message=None)
        ledger.hold(session, row, desk.plan(row.digest)[1], now)
        count = select(func.count()).select_from(Launch).where(Launch.task == run, Launch.kind == "apply")
        queue(
            session, desk, row, "apply", f"apply:{row.digest}:{session.scalar(count) + 1}", caller.principal, now
        )  # fmt: skip
        audit.note(session, now, caller.principal, "run.resume", run)
        return row


def perceive(desk, caller):
    """Ask for a reading of all sites now; one that waits already is enough. Return the launch."""
    now = desk.now()
    with desk.database.write() as session:
        waiting = select(Launch).where(Launch.kind == "perceive", Launch.state == "queued")
        row = session.scalars(waiting).first()
        if row is None:
            made = desk.new_id()
            row = database.add_launch(
                session, id=made, kind="perceive", once=f"perceive:{made}", asked_by=caller.principal, created_at=now
            )  # fmt: skip
        return row


def pause(desk, caller, paused, reason):
    """Hold back every launch of plans, or let them go on."""
    now = desk.now()
    with desk.database.write() as session:
        session.merge(Switch(name="pause", value={"on": paused, "reason": reason}, by=caller.principal, at=now))
        audit.note(session, now, caller.principal, "fleet.pause", "all", paused=paused, reason=reason)


def paused(session):
    """Return the reason for which launches are held back, or None."""
    row = session.get(Switch, "pause")
    return row.value["reason"] if row is not None and row.value["on"] else None


def artifacts(desk, caller, run):
    """Return (path, size) of what came home, in order."""
    with desk.database.read() as session:
        task_of(session, caller, run)
    root = artifact_root(desk, run)
    found = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    return [(path.relative_to(root).as_posix(), path.stat().st_size) for path in found]


def artifact_root(desk, run):
    return desk.store.run_dir(run) / "artifacts"

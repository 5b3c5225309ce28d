"""What deployments keep: who sees it, until when it stays, and how it ends: by its lease, or by somebody's word.

What was made without this service has no task here: it is shown, and ends on the shell.
"""

from __future__ import annotations

import logging

from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import leases

from .. import audit
from .. import database
from ..models import Launch
from ..models import Switch
from ..models import Task
from ..runs import ledger
from ..states import LAUNCH_ENDS
from .approvals import queue
from .desk import Clash
from .desk import Denied
from .desk import Missing

log = logging.getLogger(__name__)
RETIRE = "retire"
#: A plan of the deployment in one of these is about to change it.
CHANGING = ("approved", "running", "cancelling")


def index(desk, caller):
    """Return one mapping a deployment that stands and that the caller sees, the one that ends first first."""
    now, found = desk.now(), []
    there = [one for one in leases.standing(desk.store) if caller.sees(one.tenant)]
    with desk.database.read() as session:
        for one in there:
            row = session.get(Task, one.run)
            may_end = row is not None and (caller.principal == row.requester or caller.has("operator", "admin"))
            found.append(
                {
                    **vars(one),
                    "state": "stopping" if _ending(session, one.run) else one.state(now),
                    "pools": [{"component": name, "pool": pool} for name, pool in sorted(one.pool_of.items())],
                    "may_end": may_end,
                    "may_extend": row is not None and caller.has("operator", "admin"),
                }
            )
    return found


def extend(desk, caller, tenant, name, hours):
    """Let a deployment stay so many hours from now, and hold what that may use; return what `index` shows of it."""
    there, now = _there(desk, caller, tenant, name), desk.now()
    until = leases.prolonged(there, hours, now)
    with desk.database.write() as session:
        _not_ending(session, there)
        row = _task(session, there.keeps)
        _folder, plan = desk.plan(row.digest)
        more_s = round(clock.seconds_between(there.until, until))
        ledger.hold_more(session, row, plan, desk.store.estimate(row.digest), more_s, now)
        leases.prolong(desk.store, there, until, caller.principal, now)
        audit.note(
            session, now, caller.principal, "deployment.extend", there.run, deployment=f"{tenant}/{name}",
            before=there.until, until=until,
        )  # fmt: skip
    return next(one for one in index(desk, caller) if (one["tenant"], one["deployment"]) == (tenant, name))


def end(desk, caller, tenant, name):
    """Give everything of a deployment back; return the launch."""
    there = _there(desk, caller, tenant, name)
    with desk.database.write() as session:
        row = _task(session, there.run)
        if caller.principal != row.requester and not caller.has("operator", "admin"):
            raise Denied("only who asked, and operators, end a deployment")
        _not_ending(session, there)
        if _changing(session, desk, there):
            raise Clash("a plan of this deployment is approved or runs: cancel it first, or wait for its end")
        count = select(func.count()).select_from(Launch).where(Launch.task == row.id, Launch.kind == RETIRE)
        once = f"{RETIRE}:{row.digest}:{session.scalar(count) + 1}"
        return _retire(session, desk, row, there, once, caller.principal)


# -- what nobody asks for --------------------------------------------------------------------------------
def end_overdue(desk):
    """Tell of leases that are about to end, each once, and give back what is overdue, once a lease."""
    now = desk.now()
    for there in leases.standing(desk.store):
        if now < there.notice_at:
            continue
        try:
            with desk.database.read() as session:
                done = _is_done(session, there, now)
            if not done:
                _due(desk, there, now)
        except (BrainError, Missing, Clash, database.Stale) as error:
            log.warning("the lease of %s/%s: %s", there.tenant, there.deployment, error)


def settle(desk):
    """Count what a run used once nothing of it stands any more, whoever gave it back."""
    with desk.database.read() as session:
        rows = ledger.unsettled(session)
    standing = {stay.run for stay in leases.stays(desk.store) if stay.ended is None} if rows else ()
    for row in rows:
        if row.id not in standing:
            try:
                with desk.database.write() as session:
                    ledger.settle(session, desk.store, row, desk.now())
            except BrainError as error:
                log.warning("what task %s used: %s", row.id, error)


def _due(desk, there, now):
    with desk.database.write() as session:
        row = _task(session, there.run)
        if _is_done(session, there, now) or _changing(session, desk, there):
            return
        if there.state(now) == "overdue":
            _retire(session, desk, row, there, _once(row, there), "service")
            return
        session.merge(Switch(name=_mark(there), value={"until": there.until}, by="service", at=now))
        audit.note(
            session, now, "service", "deployment.ending", row.id, deployment=f"{there.tenant}/{there.deployment}",
            digest=row.digest, message=f"its lease ends at {there.until}",
        )  # fmt: skip


def _is_done(session, there, now):
    """Whether what is due of a lease was done: the notice, or the launch that ends it."""
    if there.state(now) == "overdue":
        row = session.get(Task, there.run)
        query = select(Launch.id).where(Launch.once == _once(row, there)) if row else None
        return row is None or session.scalar(query) is not None or _ending(session, there.run)
    mark = session.get(Switch, _mark(there))
    return mark is not None and mark.value["until"] == there.until


def _once(row, there):
    return f"{RETIRE}:{row.digest}:{there.until}"


def _mark(there):
    return f"lease:{there.tenant}/{there.deployment}"


def _retire(session, desk, row, there, once, actor):
    now, name = desk.now(), f"{there.tenant}/{there.deployment}"
    audit.note(session, now, actor, "deployment.end", row.id, deployment=name, lease_until=there.until)
    return queue(session, desk, row, RETIRE, once, actor, now)


def _there(desk, caller, tenant, name):
    if caller.sees(tenant):
        for one in leases.standing(desk.store):
            if (one.tenant, one.deployment) == (tenant, name):
                return one
    raise Missing(say("nothing of a deployment {name} stands", name=f"{tenant}/{name}"))


def _task(session, run):
    row = session.get(Task, run)
    if row is None:
        raise Clash("it was made without this service: release.yml and lease.yml on the shell are for it")
    return row


def _ending(session, run):
    query = select(Launch.id).where(Launch.task == run, Launch.kind == RETIRE, Launch.state.not_in(LAUNCH_ENDS))
    return session.scalars(query).first() is not None


def _not_ending(session, there):
    if _ending(session, there.run):
        raise Clash("it is being ended")


def _changing(session, desk, there):
    """Whether a plan that changes the deployment is approved or runs: what it makes has a lease of its own."""
    query = select(Task.digest).where(Task.tenant == there.tenant, Task.state.in_(CHANGING))
    plans = [desk.plan(digest)[1] for digest in session.scalars(query) if digest]
    return any(plan.get("deployment") == there.deployment for plan in plans)

"""Asking: a task is handed in, looked at, taken back."""

from __future__ import annotations

import logging

from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import swapped

from .. import audit
from .. import database
from .. import states
from ..models import Decision
from ..models import Task
from . import files
from . import proposals
from .desk import Clash
from .desk import Denied
from .desk import Missing
from .desk import owns
from .desk import task_of

log = logging.getLogger(__name__)
PRIORITY_MAX = 5


def make(desk, caller, asked, name_rule, source="api", run=None):
    """Take a task in and propose at once where facts are known; return its row. Raises Invalid, Denied.

    run: the id that an earlier try of the same request had; where that try came far enough, its task is the answer.
    """
    run = run or desk.new_id()
    with desk.database.read() as session:
        made = session.get(Task, run)
    if made is not None and made.requester != caller.principal:
        raise Clash(say("there is a task {run} already", run=run))
    if made is not None:
        return made
    files.forget(desk, run)
    text = files.lay(desk, run, asked, name_rule)
    try:
        found = desk.planner.ask("read", path=desk.task_file(run))
        tenant = found["tenant"]
        if tenant not in desk.config().tenants:
            raise files.wrong(
                "tenant", say("tenants.yml has no tenant {tenant}.", tenant=tenant), "Take one of GET /api/v1/tenants."
            )
        if not caller.sees(tenant):
            raise Denied(say("you do not belong to tenant {tenant}", tenant=tenant))
        most = desk.config().tenants[tenant].get("priority_max", PRIORITY_MAX)
        if found["priority"] > most:
            raise files.wrong(
                "priority",
                say("tasks of {tenant} have {most} at most.", tenant=tenant, most=most),
                "Ask for no more than that.",
            )
        now = desk.now()
        with desk.database.write() as session:
            database.add_task(
                session, id=run, name=found["name"], tenant=tenant, requester=caller.principal, source=source,
                document=text, priority=found["priority"], created_at=now, updated_at=now,
            )  # fmt: skip
            audit.note(session, now, caller.principal, "task.make", run, name=found["name"], source=source)
    except BrainError as error:
        files.forget(desk, run)
        raise _bare(error, desk, run) from error
    except BaseException:
        files.forget(desk, run)
        raise
    try:
        proposals.propose(desk, run, caller.principal)
    except (BrainError, Clash, states.Illegal, database.Stale) as error:
        # No site was read yet, or the launcher proposed for it meanwhile: either way it goes on by itself.
        log.info("task %s: %s", run, error)
    return show(desk, caller, run)


def _bare(error, desk, run):
    """Take the folders of this machine out of an error's sentences."""
    here = f"{desk.folder(run) / 'files'}/"
    error.message = swapped(error.message, here, "")
    problems = error.details.get("problems", ())
    error.details["problems"] = [{name: swapped(text, here, "") for name, text in one.items()} for one in problems]
    return error


def show(desk, caller, run):
    with desk.database.read() as session:
        return task_of(session, caller, run)


def index(desk, caller, state=None, tenant=None, mine=False, after=None, limit=50):
    """Return (rows, newest first, id to go on from or None) of the tasks that the caller may see."""
    query = select(Task).order_by(Task.id.desc()).limit(limit + 1)
    if "*" not in caller.tenants:
        query = query.where(Task.tenant.in_(caller.tenants))
    if state:
        query = query.where(Task.state.in_(state))
    if tenant:
        query = query.where(Task.tenant == tenant)
    if mine:
        query = query.where(Task.requester == caller.principal)
    if after:
        query = query.where(Task.id < after)
    with desk.database.read() as session:
        rows = list(session.scalars(query))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def decisions(desk, run):
    """Return what was decided about a task, oldest first."""
    with desk.database.read() as session:
        return list(session.scalars(select(Decision).where(Decision.task == run).order_by(Decision.at, Decision.id)))


def withdraw(desk, caller, run):
    now = desk.now()
    with desk.database.write() as session:
        row = task_of(session, caller, run, database.locked)
        if not owns(caller, row):
            raise Denied("only who asked can take a task back")
        database.move(session, row, "withdraw", now)
        audit.note(session, now, caller.principal, "task.withdraw", run)
        return row


def can(caller, row):
    """Return what the caller can do with a task now, as words of the API. The server asks again when it is done."""
    moves = {
        "propose": ("propose", ("requester", "admin"), True),
        "revise": ("revise", ("requester", "admin"), True),
        "confirm": ("confirm", ("requester", "admin"), True),
        "withdraw": ("withdraw", ("requester", "admin"), True),
        "approve": ("approve", ("approver",), False),
        "reject": ("reject", ("approver",), False),
        "cancel": ("cancel", ("requester", "operator", "admin"), None),
        "resume": ("resume", ("requester", "operator", "admin"), None),
    }
    found = []
    for word, (event, roles, own) in moves.items():
        if (row.state, event) not in states.TASK or not caller.has(*roles):
            continue
        mine = caller.principal == row.requester
        if own is True and not owns(caller, row) or own is False and mine:
            continue
        if own is None and not mine and not caller.has("operator", "admin"):
            continue
        if event == "approve" and row.digest is None:
            continue
        found.append(word)
    return found


__all__ = ["Clash", "Denied", "Missing", "can", "decisions", "index", "make", "show", "withdraw"]

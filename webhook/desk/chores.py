"""What nobody asks for and has to be done: the launcher calls these between its own steps."""

from __future__ import annotations

import logging

from sqlalchemy import delete
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .. import audit
from .. import database
from ..models import Answer
from ..models import Launch
from ..models import Login
from ..models import Task
from ..notices import outbox
from ..rights import Caller
from ..runs import ledger
from ..states import Illegal
from . import alarms
from . import approvals
from . import deployments
from . import proposals
from .deliveries import SOURCE
from .desk import Clash

log = logging.getLogger(__name__)
ANSWERS_S = 24 * 3600
#: So long the request that handed a task in proposes for it itself.
PATIENCE_S = 3


def plan_waiting(desk):
    """Propose for tasks that came before any site was read, or whose request died before it had proposed."""
    if not any(desk.store.root.glob("snapshots/*.json")):
        return
    with desk.database.read() as session:
        query = select(Task.id).where(Task.state == "submitted", Task.created_at < clock.after(desk.now(), -PATIENCE_S))
        waiting = list(session.scalars(query.limit(20)))
    for run in waiting:
        try:
            proposals.propose(desk, run, "service")
        except (BrainError, Clash, Illegal, database.Stale) as error:
            log.info("task %s still waits for proposals: %s", run, error)


def confirm_deliveries(desk):
    """Ask for approval of what a signed webhook asked for: of the first proposal, as the task's weights order them."""
    with desk.database.read() as session:
        query = select(Task).where(Task.state == "proposed", Task.round == 1, Task.source.startswith(SOURCE))
        rows = list(session.scalars(query))
    for row in rows:
        caller = Caller(row.requester, row.requester, ("requester",), (row.tenant,), "signed")
        try:
            _task, found = proposals.index(desk, caller, row.id)
            proposals.confirm(desk, caller, row.id, found[0].id)
        except (BrainError, Clash, Illegal, database.Stale) as error:
            log.warning("task %s of a delivery: %s", row.id, error)


def approve_by_policy(desk):
    """Sign, as the policy, the plans that policy.yml approves by itself."""
    if "auto_approve" not in desk.config().policy:
        return
    with desk.database.read() as session:
        confirmed = list(session.scalars(select(Task.id).where(Task.state == "confirmed")))
    for run in confirmed:
        try:
            approvals.approve_by_policy(desk, run)
        except (BrainError, Clash, Illegal, database.Stale) as error:
            log.warning("the policy over task %s: %s", run, error)


def take_up_signatures(desk):
    """Index signatures whose rows are missing: made on the shell, or by a process that died in between."""
    with desk.database.read() as session:
        confirmed = list(session.scalars(select(Task.id).where(Task.state == "confirmed")))
    for run in confirmed:
        try:
            approvals.take_up(desk, run)
        except (BrainError, database.Stale) as error:
            log.warning("the signatures of task %s: %s", run, error)


def launch_opened(desk):
    """Queue approved plans whose window was not open yet when they were approved, and is now."""
    once = select(Launch.id).where(Launch.once == "apply:" + Task.digest)
    with desk.database.read() as session:
        query = select(Task.id).where(Task.state == "approved", ~once.exists())
        waiting = list(session.scalars(query))
    for run in waiting:
        try:
            with desk.database.write() as session:
                row = database.locked(session, Task, run)
                if row.state == "approved":
                    approvals.launch(session, desk, row, desk.now())
        except (BrainError, database.Stale) as error:
            log.warning("the window of task %s: %s", run, error)


def expire(desk):
    """Close what can no longer start."""
    now = desk.now()
    with desk.database.read() as session:
        rows = list(session.scalars(select(Task).where(Task.state.in_(("confirmed", "approved")))))
    for row in rows:
        try:
            _folder, plan = desk.plan(row.digest)
        except BrainError as error:
            log.warning("the plan of task %s: %s", row.id, error)
            continue
        if now > plan["window"]["start_by"] and not desk.store.journal(row.id):
            _expire(desk, row.id, now, plan["window"]["start_by"])


def _expire(desk, run, now, start_by):
    with desk.database.write() as session:
        row = database.locked(session, Task, run)
        launch = session.scalars(select(Launch).where(Launch.task == run, Launch.kind == "apply")).first()
        if row.state not in ("confirmed", "approved") or (launch is not None and launch.state != "queued"):
            return
        if launch is not None:
            database.move(session, launch, "cancel", now, ended_at=now, message=say("too late to start"))
        message = say("it could have started until {at}", at=start_by)
        database.move(session, row, "expire", now, message=message)
        ledger.settle(session, desk.store, row, now)
        audit.note(session, now, "service", "task.expire", run, digest=row.digest, message=message)


def tidy(desk):
    """Forget logins that are over and answers that nobody asks for again; write down the audit's end."""
    now = desk.now()
    with desk.database.write() as session:
        session.execute(delete(Login).where(Login.expires_at < now))
        session.execute(delete(Answer).where(Answer.at < clock.after(now, -ANSWERS_S)))
        number, text = audit.head(session)
    path = desk.settings.folder / "audit.heads"
    known = audit.read_heads(path)
    if number and (not known or known[-1][0] < number):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "a") as stream:
            stream.write(f"{number} {text}\n")


OFTEN = (plan_waiting, confirm_deliveries, take_up_signatures, launch_opened)
SELDOM = (
    approve_by_policy, expire, tidy, alarms.forget_gone, deployments.end_overdue, deployments.settle, outbox.collect,
)  # fmt: skip

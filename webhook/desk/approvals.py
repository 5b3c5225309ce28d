"""Judging: a second person approves the very bytes of a plan, or rejects it with a reason.

The signed statement is written first, then the row, the task's state and the launch in one transaction. Whoever dies
between the two is made good by `take_up`: signatures beside a plan are the truth, rows are their index.
"""

from __future__ import annotations

import hashlib
import pathlib

from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import autoapproval
from ansible_collections.suanwang.brain.plugins.plugin_utils import carried
from ansible_collections.suanwang.brain.plugins.plugin_utils import draining
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from ansible_collections.suanwang.brain.plugins.plugin_utils.fetching import planned_files

from .. import audit
from .. import database
from ..models import Decision
from ..models import Launch
from ..models import Task
from ..runs import ledger
from .desk import Clash
from .desk import Denied
from .desk import Missing
from .desk import task_of


def plan(desk, caller, run):
    """Return what an approver has to see: task, plan, estimate, check launch, verdict over the signatures."""
    with desk.database.read() as session:
        row = task_of(session, caller, run)
        if row.digest is None:
            raise Clash("nothing is confirmed yet")
        check = session.scalars(select(Launch).where(Launch.once == f"check:{row.digest}")).first()
    folder, document = desk.plan(row.digest)
    config, verdict = _judged(desk, row.digest)
    with desk.database.read() as session:
        quotas = ledger.lines(session, row, document, desk.now())
    return {
        "task": row,
        "plan": document,
        "estimate": desk.store.estimate(row.digest),
        "check": check,
        "quotas": quotas,
        "drained": draining.planned(document, draining.read(desk.store)),
        "needed": config.policy["approvals"] if config.policy["require_approval"] else 0,
        "approvers": list(verdict.approvers),
        "carried": carried.pack(desk.store, folder),
    }


def object_path(desk, caller, run, sha256):
    """Return the path of a file that the plan of a task names, by its hash."""
    with desk.database.read() as session:
        row = task_of(session, caller, run)
    found = planned_files(desk.plan(row.digest)[1]) if row.digest else {}
    if sha256 not in found:
        raise Missing(say("the plan of task {run} names no file {sha256}", run=run, sha256=sha256))
    kept = desk.store.object_path(sha256)
    return kept if kept.is_file() else pathlib.Path(found[sha256].get("source", kept))


def _judged(desk, digest):
    config = desk.config()
    folder, document = desk.plan(digest)
    found = desk.store.approvals(folder)
    return config, statement.judge(found, document, digest, config.policy, config.allowed_signers, desk.now())


def approve(desk, caller, run, digest):
    """Sign the plan in the name of the caller; where enough have, the launch is queued. Return the task."""
    with desk.database.read() as session:
        row = task_of(session, caller, run)
        _open(row, digest)
        database.states.after("task", row.state, "approve")
    _eyes(caller, row)
    config = desk.config()
    if caller.principal not in config.policy["approvers"]:
        raise Denied(say("{principal} is not an approver in policy.yml", principal=caller.principal))
    folder, document = desk.plan(digest)
    now = desk.now()
    if now > document["window"]["start_by"]:
        raise Clash(say("the plan could have started until {at}; propose again", at=document["window"]["start_by"]))
    with desk.database.read() as session:
        ledger.check(session, row, document, now)
    _sign(desk, config, folder, document, digest, caller.principal, now)
    return take_up(desk, run)


def approve_by_policy(desk, run):
    """Sign a plan that stays below the limits of policy.yml, in the policy's name; return whether it does."""
    with desk.database.read() as session:
        row = session.get(Task, run)
    config = desk.config()
    if row.state != "confirmed" or not config.policy["require_approval"]:
        return False
    folder, document = desk.plan(row.digest)
    now = desk.now()
    if autoapproval.refusals(document, config.policy) or now > document["window"]["start_by"]:
        return False
    if draining.planned(document, draining.read(desk.store)):
        return False  # a person is told, and decides
    _config, verdict = _judged(desk, row.digest)
    if verdict.enough and not verdict.expired:
        return True
    _sign(desk, config, folder, document, row.digest, autoapproval.APPROVER, now)
    take_up(desk, run)
    return True


def _open(row, digest):
    if row.digest != digest:
        raise Clash("the plan has changed since you saw it: look at it again")


def _eyes(caller, row):
    if caller.principal == row.requester:
        raise Denied("whoever asked for a plan cannot judge it: four eyes")


def _sign(desk, config, folder, document, digest, approver, now):
    signer = desk.settings.file.signer
    key = statement.read_key(desk.settings.secret_path(signer.credential))
    expires = statement.valid_until(document, config.policy, now)
    rules = statement.rules_hash(config.policy) if approver == autoapproval.APPROVER else None
    made = statement.sign(key, digest, document["run"], approver, now, expires, signer.principal, rules)
    statement.check_approval(made, document, digest, config.policy, config.allowed_signers)
    who = hashlib.sha256(approver.encode()).hexdigest()[:12]
    desk.store.save_approval(folder, f"{statement.key_id(statement.public_blob(key))}-{who}", made)


def take_up(desk, run):
    """Index the signatures beside a task's plan, and queue the launch once they are enough; return the task.

    Signatures made on the shell (`approve.yml`) count like those made here.
    """
    with desk.database.read() as session:
        row = session.get(Task, run)
        known = {one.person for one in session.scalars(select(Decision).where(Decision.digest == row.digest))}
    if row.digest is None or row.state != "confirmed":
        return row
    config, verdict = _judged(desk, row.digest)
    claims = {one["approver"]: one for one in _claims(desk, row.digest)}
    fresh = [name for name in verdict.approvers if name not in known and name in claims]
    ready = (verdict.enough and not verdict.expired) or not config.policy["require_approval"]
    if not fresh and not ready:
        return row
    now = desk.now()
    with desk.database.write() as session:
        digest, row = row.digest, database.locked(session, Task, run)
        if row.state != "confirmed" or row.digest != digest:
            return row
        known = {one.person for one in session.scalars(select(Decision).where(Decision.digest == row.digest))}
        for name in fresh:
            if name in known:
                continue
            _decide(session, desk, row, name, "approve", now, expires_at=claims[name]["expires"])
            audit.note(
                session, now, name, "task.approve", run, digest=row.digest, service=claims[name].get("service")
            )  # fmt: skip
        if ready:
            ledger.hold(session, row, desk.plan(digest)[1], now)
            database.move(session, row, "approve", now)
            launch(session, desk, row, now)
        return row


def _claims(desk, digest):
    for approval in desk.store.approvals(desk.store.find_plan(digest)):
        try:
            yield approval.claims
        except BrainError:
            continue


def _decide(session, desk, row, person, verdict, now, **more):
    session.add(
        Decision(
            id=desk.new_id(), task=row.id, digest=row.digest, person=person, verdict=verdict, at=now, **more
        )  # fmt: skip
    )
    session.flush()


def launch(session, desk, row, now):
    """Queue the run of an approved plan, once, unless its window opens later: then `chores.launch_opened` does it."""
    if now >= desk.plan(row.digest)[1]["window"].get("not_before", now):
        queue(session, desk, row, "apply", f"apply:{row.digest}", row.requester, now)


def queue(session, desk, row, kind, once, asked_by, now):
    """Queue a launch for a task, once."""
    return database.add_launch(
        session, id=desk.new_id(), kind=kind, once=once, task=row.id, digest=row.digest, asked_by=asked_by,
        created_at=now,
    )  # fmt: skip


def reject(desk, caller, run, digest, reason):
    now = desk.now()
    with desk.database.write() as session:
        row = task_of(session, caller, run, database.locked)
        _open(row, digest)
        _eyes(caller, row)
        if caller.principal not in desk.config().policy["approvers"]:
            raise Denied(say("{principal} is not an approver in policy.yml", principal=caller.principal))
        database.move(session, row, "reject", now, message=reason)
        old = select(Decision).where(Decision.digest == digest, Decision.person == caller.principal)
        if session.scalars(old).first() is not None:
            raise Clash("you have judged this plan before")
        _decide(session, desk, row, caller.principal, "reject", now, reason=reason)
        audit.note(session, now, caller.principal, "task.reject", run, digest=digest, reason=reason)
        return row

"""Proposals: made, revised, and one of them confirmed as the plan that people are asked to approve."""

from __future__ import annotations

import json

from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import swapped
from ansible_collections.suanwang.brain.plugins.module_utils.said import told
from ansible_collections.suanwang.brain.plugins.module_utils.said import words

from .. import audit
from .. import database
from ..models import Proposal
from ..runs import ledger
from .desk import Clash
from .desk import Denied
from .desk import Missing
from .desk import owns
from .desk import task_of

#: What a round says beside its proposals stands in the body of each: rejected, waits, notes, told.
ROUND = "of_round"


def make(desk, caller, run):
    """Propose again, from what is known now."""
    with desk.database.read() as session:
        row = task_of(session, caller, run)
        _mine(caller, row)
    return propose(desk, run, caller.principal)


def propose(desk, run, actor):
    """Reckon a round; return its rows. Where nothing is possible the task is refused, with the sentences why.

    Raises NotFound where no site was read yet: the task stays as it is.
    """
    with desk.database.read() as session:
        row = session.get(database.models.Task, run)
        round_ = row.round + 1
        state = row.state
    database.states.after("task", state, "propose")
    try:
        found = desk.planner.ask("propose", path=desk.task_file(run), round=round_)
    except NotFound:
        raise
    except BrainError as error:
        message = say("{message} {way_out}", message=words(error.message), way_out=words(error.way_out or ""))
        _refuse(desk, run, state, actor, swapped(message, f"{desk.folder(run) / 'files'}/", ""))
        return []
    now = desk.now()
    with desk.database.write() as session:
        row = database.locked(session, database.models.Task, run)
        if row.round + 1 != round_ or row.state != state:
            raise Clash("somebody else proposed for this task meanwhile")
        rows = [
            Proposal(
                id=desk.new_id(), task=run, round=round_, number=number, label=body["label"], parent=None, chain=[],
                body={**body, ROUND: {name: found[name] for name in ("rejected", "waits", "notes", "told")}},
                deltas=None, made_by=None, created_at=now,
            )
            for number, body in enumerate(found["items"], 1)
        ]  # fmt: skip
        session.add_all(rows)
        database.move(session, row, "propose", now, round=round_, proposal=None, message=None)
        audit.note(session, now, actor, "task.propose", run, round=round_, proposals=[one.label for one in rows])
    return rows


def _refuse(desk, run, state, actor, message):
    now = desk.now()
    # Beside the task's files: the row keeps the English text alone.
    desk.store.write(refusal_path(desk, run), json.dumps(told([message]), ensure_ascii=False).encode())
    with desk.database.write() as session:
        row = database.locked(session, database.models.Task, run)
        if row.state == state:
            database.move(session, row, "refuse", now, message=str(message), proposal=None)
            audit.note(session, now, actor, "task.refuse", run, reason=str(message))


def refusal_path(desk, run):
    """Return the file that says of what the sentence of a refused task was made."""
    return desk.folder(run) / "refusal.json"


def refusal(desk, run):
    """Return English text → what it was made of, for the message of a task that was refused last."""
    try:
        return json.loads(refusal_path(desk, run).read_bytes())
    except FileNotFoundError:
        return {}


def index(desk, caller, run):
    """Return (task, its proposals of the present round with their revisions)."""
    with desk.database.read() as session:
        row = task_of(session, caller, run)
        query = select(Proposal).where(Proposal.task == run, Proposal.round == row.round).order_by(Proposal.number)
        return row, list(session.scalars(query))


def revise(desk, caller, run, proposal, edits, keep=True):
    """Edit a proposal, as the planner's revise takes edits; return the new row, kept unless keep is false."""
    with desk.database.read() as session:
        task = task_of(session, caller, run)
        _mine(caller, task)
        database.states.after("task", task.state, "revise")
        base = _of(session, task, proposal)
    chain = [*base.chain, edits]
    found = desk.planner.ask(
        "revise", path=desk.task_file(run), round=base.round, label=_root(desk, base), chain=chain
    )  # fmt: skip
    now = desk.now()
    made = Proposal(
        id=desk.new_id(), task=run, round=base.round, number=0, label="revised", parent=base.id, chain=chain,
        body=found["proposal"], deltas=found["deltas"], made_by=caller.principal, created_at=now,
    )  # fmt: skip
    if not keep:
        return made
    with desk.database.write() as session:
        task = task_of(session, caller, run, database.locked)
        if task.round != base.round:
            raise Clash("there is a newer round of proposals")
        query = select(func.max(Proposal.number)).where(Proposal.task == run, Proposal.round == base.round)
        made.number = session.scalar(query) + 1
        session.add(made)
        database.move(session, task, "revise", now, proposal=made.id)
        audit.note(session, now, caller.principal, "proposal.revise", run, edits=edits, proposal=made.id)
    return made


def confirm(desk, caller, run, proposal):
    """Write the plan of a proposal, and ask for approval. The same plan again keeps its digest and approvals."""
    with desk.database.read() as session:
        task = task_of(session, caller, run)
        _mine(caller, task)
        database.states.after("task", task.state, "confirm")
        chosen = _of(session, task, proposal)
    found = desk.planner.ask(
        "confirm", path=desk.task_file(run), round=chosen.round, label=_root(desk, chosen), chain=chosen.chain,
        run=run, requester=task.requester, keep=task.digest,
    )  # fmt: skip
    digest, now = found["digest"], desk.now()
    with desk.database.write() as session:
        task = task_of(session, caller, run, database.locked)
        if task.round != chosen.round:
            raise Clash("there is a newer round of proposals")
        ledger.check(session, task, desk.plan(digest)[1], now)
        before = task.digest
        database.move(session, task, "confirm", now, digest=digest, proposal=chosen.id)
        database.add_launch(
            session, id=desk.new_id(), kind="check", once=f"check:{digest}", task=run, digest=digest,
            asked_by=caller.principal, created_at=now,
        )  # fmt: skip
        audit.note(
            session, now, caller.principal, "task.confirm", run, digest=digest, proposal=chosen.id,
            dropped=before if before and before != digest else None,
        )  # fmt: skip
    return task


def _mine(caller, row):
    if not owns(caller, row):
        raise Denied("only who asked for a task plans it")


def _of(session, task, proposal):
    row = session.get(Proposal, proposal)
    if row is None or row.task != task.id:
        raise Missing(say("there is no proposal {proposal} of this task", proposal=proposal))
    if row.round != task.round:
        raise Clash("that proposal is of an older round")
    return row


def _root(desk, row):
    """Return the label of the proposal that a chain of revisions began with."""
    with desk.database.read() as session:
        while row.parent is not None:
            row = session.get(Proposal, row.parent)
        return row.label


__all__ = ["NotFound", "confirm", "index", "make", "propose", "revise"]

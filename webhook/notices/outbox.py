"""The outbox: which notices there are to send, made from the audit, each once; sent at least once.

A row of the audit is there if and only if what it tells has happened, so notices are made by reading on in it from
where the last reading ended; the mark and the notices are one transaction. A notice is marked as being sent before it
is sent: whoever dies in between leaves it to be sent again when its lease is over, so that none is lost. The one that
was sent and not marked comes twice; by mail with the same Message-ID.
"""

from __future__ import annotations

import logging

from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import autoapproval
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .. import audit
from .. import database
from ..desk.desk import Missing
from ..models import Entry
from ..models import Notice
from ..models import Switch
from ..models import Task
from ..outgoing import Failed
from . import channels

log = logging.getLogger(__name__)
MARK = "notices"
LEASE_S = 180
ATTEMPTS = 8
FIRST_S, LONGEST_S = 15, 3600
AT_ONCE = 200
#: What of the audit is told: action → event.
EVENTS = {
    "task.confirm": "approval",
    "run.succeeded": "succeeded",
    "run.failed": "failed",
    "run.cancelled": "cancelled",
    "task.reject": "rejected",
    "task.expire": "expired",
    "deployment.ending": "ending",
    "deployment.ended": "ended",
    "deployment.stuck": "stuck",
}


# -- making ----------------------------------------------------------------------------------------------
def collect(desk):
    """Make the notices of what has happened since the last time. The first time, nothing old is told."""
    file, now = desk.settings.file.notices, desk.now()
    with desk.database.read() as session:
        mark, (last, _hash) = session.get(Switch, MARK), audit.head(session)
        if mark is not None and mark.value["number"] >= last:
            return
    with desk.database.write() as session:
        mark = database.locked(session, Switch, MARK)
        if mark is None:
            session.add(Switch(name=MARK, value={"number": last}, by="service", at=now))
            return
        query = select(Entry).where(Entry.number > mark.value["number"]).order_by(Entry.number).limit(AT_ONCE)
        rows = list(session.scalars(query))
        for row in rows:
            if row.action in EVENTS and (file.mail or file.robots):
                _make(session, desk, row, now)
        if rows:
            mark.value, mark.at = {"number": rows[-1].number}, now


def _make(session, desk, entry, now):
    event, task = EVENTS[entry.action], session.get(Task, entry.object)
    if task is None:
        return
    try:
        _folder, plan = desk.plan(entry.details.get("digest") or task.digest)
        people = _approvers(desk, task, plan) if event == "approval" else [task.requester]
    except (BrainError, TypeError) as error:
        log.warning("the plan of task %s, for a notice: %s", task.id, error)
        return
    if event == "approval" and (task.digest != entry.details.get("digest") or task.state != "confirmed"):
        return  # it was changed or judged meanwhile
    if event == "approval" and not people:
        return
    params = {
        "name": task.name,
        "tenant": task.tenant,
        "requester": task.requester,
        "sites": ", ".join(sorted(plan["sites"])),
        "limits": _limits(plan["caps"]),
        "message": entry.details.get("reason") or entry.details.get("message"),
        "digest": entry.details.get("digest"),
        "url": f"{desk.settings.public_url}/{_page(event)}".replace("<id>", task.id),
    }
    for channel, recipient in _ways(desk.settings.file.notices, people):
        session.add(
            Notice(
                id=desk.new_id(), once=f"{entry.number}:{channel}:{recipient}"[:400], channel=channel,
                recipient=recipient, event=event, task=task.id, params=params, state="pending", attempts=0, due_at=now,
                created_at=now,
            )
        )  # fmt: skip
    session.flush()


def _page(event):
    if event in ("ending", "stuck"):
        return "deployments"
    return "tasks/<id>/plan" if event in ("approval", "rejected", "expired") else "runs/<id>"


def _approvers(desk, task, plan):
    """Return who could approve: nobody where policy.yml asks for no approval, or approves the plan by itself."""
    policy = desk.config().policy
    if not policy["require_approval"] or not autoapproval.refusals(plan, policy):
        return []
    return [name for name in policy["approvers"] if name != task.requester]


def _limits(caps):
    parts = [f"{caps['card_s'] / 3600:.2f} card·h", f"{caps['wall_s']} s"]
    if caps.get("money_fen") is not None:
        parts.append(f"¥{caps['money_fen'] / 100:.2f}")
    return ", ".join(parts)


def _ways(file, people):
    """Yield (channel, recipient): a mail to each who has an address, a message to each robot's group."""
    for name in people if file.mail else ():
        address = file.mail.addresses.get(name, name)
        if address.count("@") == 1:
            yield channels.MAIL, address
    for robot in file.robots:
        yield robot.name, ""


# -- sending ---------------------------------------------------------------------------------------------
def send(desk, most=20):
    """Send what is due, at most so many; return how many were sent."""
    sent = 0
    for _unused in range(most):
        row = _take(desk)
        if row is None:
            break
        try:
            channels.send(desk.settings, row)
        except Failed as error:
            _failed(desk, row, str(error), error.final)
        except Exception as error:  # a message nobody can send must not hold up the others
            log.exception("notice %s", row.id)
            _failed(desk, row, f"it could not be made: {type(error).__name__}", True)
        else:
            with desk.database.write() as session:
                now = desk.now()
                database.move(session, database.locked(session, Notice, row.id), "sent", now, sent_at=now, message=None)
            sent += 1
    return sent


def _take(desk):
    """Mark the next due notice as being sent, and return it; None where nothing is due."""
    now = desk.now()
    query = select(Notice).where(Notice.state.in_(("pending", "sending")), Notice.due_at <= now)
    query = query.order_by(Notice.due_at, Notice.id).limit(1)
    with desk.database.read() as session:
        if session.scalars(query).first() is None:
            return None
    with desk.database.write() as session:
        if session.get_bind().dialect.name != "sqlite":
            query = query.with_for_update(skip_locked=True)
        row = session.scalars(query).first()
        if row is None:
            return None
        return database.move(
            session, row, "send", now, attempts=row.attempts + 1, due_at=clock.after(now, LEASE_S)
        )  # fmt: skip


def _failed(desk, row, said, final):
    with desk.database.write() as session:
        now, fresh = desk.now(), database.locked(session, Notice, row.id)
        if final or fresh.attempts >= ATTEMPTS:
            database.move(session, fresh, "give_up", now, message=said)
            log.warning("notice %s by %s is given up: %s", row.id, row.channel, said)
            return
        wait = min(LONGEST_S, FIRST_S * 2 ** (fresh.attempts - 1))
        database.move(session, fresh, "retry", now, message=said, due_at=clock.after(now, wait))


# -- looking ---------------------------------------------------------------------------------------------
def index(desk, state=None, after=None, limit=50):
    """Return (rows, newest first, id to go on from or None)."""
    query = select(Notice).order_by(Notice.id.desc()).limit(limit + 1)
    if state:
        query = query.where(Notice.state == state)
    if after:
        query = query.where(Notice.id < after)
    with desk.database.read() as session:
        rows = list(session.scalars(query))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def again(desk, caller, ident):
    """Send a notice again that was given up; return it."""
    now = desk.now()
    with desk.database.write() as session:
        row = database.locked(session, Notice, ident)
        if row is None:
            raise Missing(say("there is no notice {ident}", ident=ident))
        database.move(session, row, "again", now, attempts=0, due_at=now)
        audit.note(session, now, caller.principal, "notice.again", ident, channel=row.channel)
        return row


def counts(session):
    """Return {(channel, state): number}."""
    query = select(Notice.channel, Notice.state, func.count()).group_by(Notice.channel, Notice.state)
    return {(channel, state): count for channel, state, count in session.execute(query)}

"""Quotas: what is held of them from approval, and settled when a run ends. A month is one in China.

A plan that is approved holds the most it may use (its caps); a run that has ended counts what it did use, and one that
keeps something for a deployment not before nothing of it stands any more; what was never begun counts nothing. Holding
and comparing are one step under the tenant's lock, so nothing is spent twice.
"""

from __future__ import annotations

import datetime
import zoneinfo

from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import QuotaExceeded
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import words
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import leases
from ansible_collections.suanwang.brain.plugins.plugin_utils import metering

from .. import database
from ..models import Holding
from ..models import Quota
from ..models import Task
from ..states import TASK_ENDS

CHINA = zoneinfo.ZoneInfo("Asia/Shanghai")
RESOURCES = ("card_s", "core_s", "money_fen")
#: What people see and set of each: its unit, and how many of ours are one of it.
UNITS = {"card_s": ("card-hours", 3600), "core_s": ("core-hours", 3600), "money_fen": ("yuan", 100)}


class Over(QuotaExceeded):
    """A plan would go over a quota. resource, left: what of it is left, in the unit of UNITS."""

    def __init__(self, resource, whose, needs, left, amount):
        unit, parts = UNITS[resource]
        self.resource, self.left = resource, left / parts
        figures = {"needs": needs, "amount": amount, "left": max(0, left)}
        super().__init__(
            say(
                "the plan may use {needs} {unit}, and of the {amount} {unit} a month of {whose} {left} are left",
                unit=words(unit),
                whose=whose,
                **{name: f"{value / parts:g}" for name, value in figures.items()},
            )
        )


def month_of(at):
    """Return the month, YYYY-MM in China, of a time."""
    return clock.moment(at).astimezone(CHINA).strftime("%Y-%m")


def bounds(month):
    """Return (first, end) of a month YYYY-MM in China, as times in UTC; end is the first of the next."""
    year, number = map(int, month.split("-"))
    first = datetime.datetime(year, number, 1, tzinfo=CHINA)
    end = datetime.datetime(year + number // 12, number % 12 + 1, 1, tzinfo=CHINA)
    return tuple(one.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for one in (first, end))


def spent(session, tenant, month, person=None, without=None):
    """Return resource → (used, held) of a tenant, or of one person of it. without: a task that does not count."""
    query = select(
        Holding.settled_at.is_not(None), *(func.coalesce(func.sum(getattr(Holding, name)), 0) for name in RESOURCES)
    ).where(Holding.tenant == tenant, Holding.month == month)
    if person is not None:
        query = query.where(Holding.person == person)
    if without is not None:
        query = query.where(Holding.task != without)
    found = {settled: figures for settled, *figures in session.execute(query.group_by(Holding.settled_at.is_not(None)))}
    nothing = (0, 0, 0)
    return {
        name: (int(found.get(True, nothing)[at]), int(found.get(False, nothing)[at]))
        for at, name in enumerate(RESOURCES)
    }


def lines(session, task, plan, now):
    """Return one mapping a quota that a plan falls under: whose, resource, amount, used, held, needs, all a month.

    The task itself does not count among what is held. needs None: its price is not known.
    """
    needs, month, found = metering.held(plan), month_of(now), []
    whose = {"": task.tenant, task.requester: say("{person} in {tenant}", person=task.requester, tenant=task.tenant)}
    rows = select(Quota).where(Quota.tenant == task.tenant, Quota.person.in_(whose))
    for quota in list(session.scalars(rows.order_by(Quota.person, Quota.resource))):
        used, held = spent(session, task.tenant, month, quota.person or None, without=task.id)[quota.resource]
        figures = {"amount": quota.amount, "used": used, "held": held, "needs": needs[quota.resource]}
        found.append({"whose": whose[quota.person], "resource": quota.resource, **figures})
    return found


def check(session, task, plan, now):
    """Raise Over where a plan does not fit what is left of its tenant's or its requester's quotas."""
    for line in lines(session, task, plan, now):
        left = line["amount"] - line["used"] - line["held"]
        # A price that nobody knows cannot be held against a budget: what is known is.
        if line["needs"] is not None and line["needs"] > left:
            raise Over(line["resource"], line["whose"], line["needs"], left, line["amount"])


def hold(session, task, plan, now):
    """Hold what a plan may use at most; raise Over. In the transaction that approves it."""
    lock(session, task.tenant)
    check(session, task, plan, now)
    row = session.get(Holding, task.id) or Holding(task=task.id, tenant=task.tenant, person=task.requester)
    row.month, row.settled_at = month_of(now), None
    for name, amount in metering.held(plan).items():
        setattr(row, name, amount)
    session.add(row)
    session.flush()


def hold_more(session, task, plan, estimate, seconds, now):
    """Hold what a task's plan may use more if what it keeps stays so much longer; raise Over."""
    lock(session, task.tenant)
    more = metering.held_longer(plan, estimate, seconds)
    row = database.locked(session, Holding, task.id)
    for line in lines(session, task, plan, now):
        needs = more[line["resource"]]
        mine = (getattr(row, line["resource"]) or 0) if row is not None and row.settled_at is None else 0
        left = line["amount"] - line["used"] - line["held"] - mine
        if needs is not None and needs > left:
            raise Over(line["resource"], line["whose"], needs, left, line["amount"])
    if row is not None and row.settled_at is None:
        for name, amount in more.items():
            held = getattr(row, name)
            setattr(row, name, None if None in (held, amount) else held + amount)


def settle(session, store, task, now):
    """Count what a task did use in place of what was held for it. What is not known keeps what was held.

    While something of it stands for a deployment nothing changes.
    """
    row = database.locked(session, Holding, task.id)
    if row is None or row.settled_at is not None:
        return
    there = [stay for stay in leases.stays(store) if stay.run == task.id]
    if any(stay.ended is None for stay in there):
        return
    for name, amount in totals(of_run(store, task.id, task.digest, there)).items():
        if amount is not None:
            setattr(row, name, amount)
    row.settled_at = now


def unsettled(session):
    """Return the tasks that are over and for which something is held."""
    query = select(Task).join(Holding, Holding.task == Task.id)
    return list(session.scalars(query.where(Holding.settled_at.is_(None), Task.state.in_(TASK_ENDS))))


def of_run(store, run, digest, stays, span=None):
    """Return the metering.Used of a run and of its stays, all of them or what of them lies in a span.

    span: (first, end), RFC 3339. Work lies where it ended; a stay lies in every span in which it stood.
    """
    plan, estimate = store.read_plan(store.find_plan(digest))[0], store.estimate(digest)
    first, end = span or ("", "9999")
    found = [one for one in metering.used(plan, estimate, store.journal(run)) if first <= one.ended < end]
    numbers = {}
    for stay in stays:
        numbers[stay.component] = numbers.get(stay.component, 0) + 1
        since, until = max(stay.since, first), min(stay.ended or end, end)
        if since < until:
            found.append(metering.stood(plan, estimate, stay, numbers[stay.component], since, until))
    return found


def totals(found):
    """Return resource → the sum over metering.Used, None where one of them is not known."""
    return {
        name: None if any(getattr(one, name) is None for one in found) else sum(getattr(one, name) for one in found)
        for name in RESOURCES
    }


def lock(session, tenant):
    """Let one transaction at a time hold of a tenant's quotas. SQLite has one writer anyway."""
    if session.get_bind().dialect.name != "sqlite":
        session.execute(select(func.pg_advisory_xact_lock(727165, func.hashtext(tenant))))

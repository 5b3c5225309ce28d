"""Quotas that people set, and what was used: sums a month, and the statement behind them."""

from __future__ import annotations

import csv
import io
import re

from sqlalchemy import or_
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import leases

from .. import audit
from ..models import Quota
from ..models import Task
from ..runs import ledger
from .desk import Clash
from .desk import Missing

MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
#: Column of a statement → its words in both languages.
COLUMNS = {
    "run": ("run", "运行"),
    "task": ("task", "任务"),
    "requester": ("asked by", "申请人"),
    "digest": ("plan digest", "计划摘要"),
    "component": ("component", "组件"),
    "kind": ("kind", "类别"),
    "attempt": ("attempt", "尝试"),
    "pool": ("pool", "资源池"),
    "started": ("started (UTC)", "开始 (UTC)"),
    "ended": ("ended (UTC)", "结束 (UTC)"),
    "card_hours": ("card-hours", "卡时"),
    "core_hours": ("core-hours", "核时"),
    "gib": ("GiB moved", "传输 GiB"),
    "yuan": ("yuan", "金额（元）"),
}
_GIB = 1 << 30


def tenants(desk, caller, tenant=None):
    """Return the tenants that the caller sees, or the one named; raise Missing where he does not see it."""
    seen = [name for name in sorted(desk.config().tenants) if caller.sees(name)]
    if tenant is not None and tenant not in seen:
        raise Missing(say("there is no tenant {tenant}", tenant=tenant))
    return seen if tenant is None else [tenant]


def index(desk, caller):
    """Return one mapping a quota: whose, of what, the amount a month, and what is used, held and left of it."""
    month, found = ledger.month_of(desk.now()), []
    with desk.database.read() as session:
        query = select(Quota).where(Quota.tenant.in_(tenants(desk, caller)))
        for row in session.scalars(query.order_by(Quota.tenant, Quota.person, Quota.resource)):
            used, held = ledger.spent(session, row.tenant, month, row.person or None)[row.resource]
            shown = {"tenant": row.tenant, "person": row.person or None, "resource": row.resource, "month": month}
            figures = {"amount": row.amount, "used": used, "held": held, "left": row.amount - used - held}
            found.append({**shown, **figures, "by": row.by, "at": row.at})
    return found


def put(desk, caller, tenant, person, resource, amount):
    """Set a quota; amount None takes it away. Runs that are approved go on. Return what `index` shows."""
    tenants(desk, caller, tenant)
    now, key = desk.now(), (tenant, person or "", resource)
    with desk.database.write() as session:
        ledger.lock(session, tenant)
        row = session.get(Quota, key)
        before = row.amount if row is not None else None
        if amount is None and row is not None:
            session.delete(row)
        elif amount is not None:
            session.merge(Quota(**dict(zip(("tenant", "person", "resource"), key, strict=True)),
                                amount=amount, by=caller.principal, at=now))  # fmt: skip
        whose = f"{tenant}/{person}" if person else tenant
        audit.note(
            session, now, caller.principal, "quota.put", whose, resource=resource, amount=amount, before=before
        )  # fmt: skip
    return index(desk, caller)


def rows(desk, caller, month, tenant=None):
    """Return one mapping of COLUMNS, and the tenant, for everything that ended in a month; in order of time.

    What a deployment keeps counts in every month in which it stood, so far.
    """
    _checked(month)
    first, end = ledger.bounds(month)
    stays = {}
    for stay in leases.stays(desk.store):
        stays.setdefault(stay.run, []).append(stay)
    with desk.database.read() as session:
        query = select(Task).where(Task.tenant.in_(tenants(desk, caller, tenant)), Task.digest.is_not(None))
        query = query.where(Task.created_at < end, or_(Task.updated_at >= first, Task.id.in_(list(stays))))
        tasks = list(session.scalars(query))
    found, span = [], (first, min(end, desk.now()))
    for task in tasks:
        try:
            used = ledger.of_run(desk.store, task.id, task.digest, stays.get(task.id, ()), span)
        except BrainError:  # a plan that was removed from the store: its task stays listed, without figures
            continue
        found += [{"tenant": task.tenant, **_row(task, one)} for one in used]
    return sorted(found, key=lambda row: (row["ended"], row["run"], row["component"], row["attempt"]))


def _row(task, one):
    return {
        "run": task.id,
        "task": task.name,
        "requester": task.requester,
        "digest": task.digest,
        "component": one.component,
        "kind": one.kind,
        "attempt": one.attempt,
        "pool": one.pool,
        "started": one.started,
        "ended": one.ended,
        "card_hours": _parts(one.card_s, 3600),
        "core_hours": _parts(one.core_s, 3600),
        "gib": _parts(one.bytes, _GIB),
        "yuan": _parts(one.money_fen, 100),
    }


def _parts(amount, parts):
    return None if amount is None else round(amount / parts, 6)


def sums(found):
    """Return one mapping a (tenant, person) of `rows`: runs, the sums, and of how many rows a figure is unknown."""
    grouped = {}
    for row in found:
        grouped.setdefault((row["tenant"], row["requester"]), []).append(row)
    return [
        {
            "tenant": tenant,
            "person": person,
            "runs": len({row["run"] for row in rows_}),
            **{name: round(sum(row[name] or 0 for row in rows_), 6) for name in FIGURES},
            "unknown": sum(any(row[name] is None for name in FIGURES) for row in rows_),
        }
        for (tenant, person), rows_ in sorted(grouped.items())
    ]


FIGURES = ("card_hours", "core_hours", "gib", "yuan")


def statement(found, chinese):
    """Return `rows` as CSV with a line of sums. What is unknown is an empty cell."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow([words[chinese] for words in COLUMNS.values()])
    for row in found:
        lines.writerow([_cell(row[name]) for name in COLUMNS])
    total = {name: f"{sum(row[name] or 0 for row in found):g}" for name in FIGURES}
    lines.writerow([("sum", "合计")[chinese], *[total.get(name, "") for name in list(COLUMNS)[1:]]])
    return out.getvalue()


def _cell(value):
    """A text that a spreadsheet would take for a formula is marked as text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _checked(month):
    if not MONTH.fullmatch(month):
        raise Clash(say("{month!r} is no month: write YYYY-MM", month=month))

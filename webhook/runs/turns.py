"""Whose turn it is: by priority, then by the share that the tenant has used this month, then by age.

What gives back or only looks comes before what takes: a release frees what others wait for.
"""

from __future__ import annotations

from sqlalchemy import func
from sqlalchemy import select

from ..models import Holding
from ..models import Quota
from . import ledger

TAKES = "apply"


def order(waiting, shares):
    """Return the ids of launches in the order of their turns.

    waiting: (id, kind, priority, tenant), oldest first; shares: tenant → the share it has used, 0 where it has none.
    """

    def turn(at):
        _ident, kind, priority, tenant = waiting[at]
        return (0, 0, 0.0, at) if kind != TAKES else (1, -priority, shares.get(tenant, 0.0), at)

    return [waiting[at][0] for at in sorted(range(len(waiting)), key=turn)]


def shares(session, tenants, now):
    """Return tenant → card-seconds used and held this month over its quota, or where it has none over everybody's."""
    month = ledger.month_of(now)
    everybody = session.scalar(select(func.coalesce(func.sum(Holding.card_s), 0)).where(Holding.month == month))
    found = {}
    for tenant in sorted(tenants):
        quota = session.get(Quota, (tenant, "", "card_s"))
        whole = quota.amount if quota is not None else int(everybody)
        found[tenant] = sum(ledger.spent(session, tenant, month)["card_s"]) / whole if whole else 0.0
    return found

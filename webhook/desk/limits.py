"""Limits of a tenant's accounts at the sites: tried first, with the difference shown, then set by `quota.yml`.

They are the platforms' own, on what is there at once; what a tenant may use a month is our ledger's (`quotas`), and is
all that holds where a platform has no such verb.
"""

from __future__ import annotations

from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .. import audit
from .. import database
from ..models import Launch
from ..states import LAUNCH_ENDS
from . import quotas
from .desk import Clash
from .desk import Missing

CHECK, PUSH = "quota_check", "quota"
#: What a trial run said longer ago is looked at again before anything is set.
GOOD_S = 3600


def places(desk, tenant):
    """Return where a tenant has an account of its own, as <site>/<endpoint>."""
    config = desk.config()
    entries = config.tenants[tenant]["sites"]
    return [
        f"{name}/{endpoint.id}"
        for name, site in sorted(config.sites.items())
        for endpoint in site.endpoints
        if entries.get(name, {}).get(endpoint.id, {}).get("native_account")
    ]


def try_(desk, caller, tenant, at, limits):
    """Begin a trial run of setting limits, resource → number, at endpoints; return it as `show` does.

    Raise Missing for a tenant or an endpoint that is not there.
    """
    quotas.tenants(desk, caller, tenant)
    known = places(desk, tenant)
    for place in at:
        if place not in known:
            raise Missing(say("the tenant {tenant} has no account at {place}", tenant=tenant, place=place))
    figures = {name: f"{int(value) if value == int(value) else value}" for name, value in sorted(limits.items())}
    params = {
        "tenant": tenant,
        "at": ",".join(dict.fromkeys(at)),
        "limits": ",".join(f"{name}={value}" for name, value in figures.items()),
    }
    now, ident = desk.now(), desk.new_id()
    with desk.database.write() as session:
        row = database.add_launch(
            session, id=ident, kind=CHECK, once=f"{CHECK}:{ident}", params=params, asked_by=caller.principal,
            created_at=now,
        )  # fmt: skip
        audit.note(session, now, caller.principal, "limits.try", tenant, launch=ident, at=at, limits=figures)
    return _shown(row, None)


def push(desk, caller, ident):
    """Set what a trial run showed, once; return it as `show` does. Raise Clash where it is to be tried first."""
    now = desk.now()
    with desk.database.write() as session:
        row = _row(session, caller, ident, database.locked)
        made = _push_of(session, ident)
        if made is None:
            _ready(row, now)
            made = database.add_launch(
                session, id=desk.new_id(), kind=PUSH, once=f"{PUSH}:{ident}", params=row.params,
                asked_by=caller.principal, created_at=now,
            )  # fmt: skip
            audit.note(
                session, now, caller.principal, "limits.push", row.params["tenant"], launch=made.id, tried=ident,
                at=row.params["at"].split(","), limits=row.params["limits"],
            )  # fmt: skip
        return _shown(row, made)


def _ready(row, now):
    if row.state not in LAUNCH_ENDS:
        raise Clash("the trial run is under way: wait for what it says")
    if not any(one["state"] == "changed" for one in row.outcome or ()):
        raise Clash("the trial run found nothing to set")
    if row.ended_at < clock.after(now, -GOOD_S):
        raise Clash("the trial run was too long ago: try again")


def show(desk, caller, ident):
    """Return {id, tenant, at, limits, tried, pushed} of a trial run; pushed: None where nobody has pushed it."""
    with desk.database.read() as session:
        return _shown(_row(session, caller, ident), _push_of(session, ident))


def index(desk, caller, after=None, limit=50):
    """Return (what `show` returns, newest first; id to go on from or None)."""
    query = select(Launch).where(Launch.kind == CHECK).order_by(Launch.id.desc()).limit(limit + 1)
    if after:
        query = query.where(Launch.id < after)
    with desk.database.read() as session:
        rows = list(session.scalars(query))
        seen = [row for row in rows[:limit] if caller.sees(row.params["tenant"])]
        made = select(Launch).where(Launch.once.in_([f"{PUSH}:{row.id}" for row in seen]))
        pushed = {row.once.partition(":")[2]: row for row in session.scalars(made)}
    return [_shown(row, pushed.get(row.id)) for row in seen], rows[limit - 1].id if len(rows) > limit else None


def _row(session, caller, ident, lock=None):
    row = lock(session, Launch, ident) if lock else session.get(Launch, ident)
    if row is None or row.kind != CHECK or not caller.sees(row.params["tenant"]):
        raise Missing(say("there is no trial run {ident}", ident=ident))
    return row


def _push_of(session, ident):
    return session.scalars(select(Launch).where(Launch.once == f"{PUSH}:{ident}")).first()


def _shown(row, made):
    return {
        "id": row.id,
        "tenant": row.params["tenant"],
        "at": row.params["at"].split(","),
        "limits": dict(one.split("=") for one in row.params["limits"].split(",")),
        "tried": row,
        "pushed": made,
    }

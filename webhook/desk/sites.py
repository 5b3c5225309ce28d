"""Sites as operators see them: endpoints, pools, what is drained and why; draining and undraining.

A drain is a file of the store, which the planner, the playbooks and people on the shell read too: first the file, then
the row of the audit.
"""

from __future__ import annotations

from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import draining

from .. import audit
from . import runs
from .desk import kept
from .desk import Missing

WORST = ("live", "drained", "partial", "stale", "lost")


def index(desk):
    """Return one mapping a site: state (of its worst endpoint), age (of its oldest), endpoints with pools, drains."""
    seen, drains, found = desk.planner.ask("overview"), draining.read(desk.store), {}
    for one in seen["sites"]:
        row = found.setdefault(one["id"], {"id": one["id"], "name": one["name"], "lab": one["lab"], "endpoints": []})
        pools = [
            {**pool, "drained": _over(pool["id"], drains)}
            for pool in seen["pools"]
            if pool["id"].startswith(f"{one['id']}/{one['endpoint']}/")
        ]
        scope = f"{one['id']}/{one['endpoint']}"
        more = {"id": one["endpoint"], "scope": scope, "drained": drains.get(scope), "pools": pools}
        row["endpoints"].append({**one, **more})
    for name, row in found.items():
        row["state"] = max((one["state"] for one in row["endpoints"]), key=WORST.index)
        ages = [one["age_s"] for one in row["endpoints"]]
        row["age_s"] = None if None in ages else max(ages)
        row["alarms"] = len({one["id"] for one in seen["alarms"] if one["site"] == name})
        row["drained"] = drains.get(name)
    return list(found.values())


def _over(pool, drains):
    found = draining.over(pool, drains)
    return None if found is None else {"scope": found[0], **found[1]}


def drains(desk):
    """Return the drains as a list of {scope, reason, by, at}, by scope."""
    return [{"scope": scope, **entry} for scope, entry in sorted(draining.read(desk.store).items())]


def drain(desk, caller, scope, reason):
    """Send no new work to a scope; return its entry.

    Raise Denied for a site that is not the caller's, Invalid, NotFound, Missing for a pool nobody has seen.
    """
    kept(caller, scope.partition("/")[0])
    if scope.count("/") > 1 and scope not in {pool["id"] for pool in desk.planner.ask("overview")["pools"]}:
        raise Missing(say("there is no pool {scope}", scope=scope))
    now = desk.now()
    _before, after = draining.drain(desk.store, desk.config(), scope, reason, caller.principal, now)
    with desk.database.write() as session:
        audit.note(session, now, caller.principal, "fleet.drain", scope, reason=after["reason"])
    return {"scope": scope, **after}


def undrain(desk, caller, scope):
    """Let new work go to a scope again; return the entry that was there. Raise Denied, Missing where nothing was."""
    kept(caller, scope.partition("/")[0])
    before = draining.lift(desk.store, scope)
    if before is None:
        raise Missing(say("{scope} is not drained", scope=scope))
    with desk.database.write() as session:
        audit.note(session, desk.now(), caller.principal, "fleet.undrain", scope, reason=before["reason"])
    return {"scope": scope, **before}


def paused(desk):
    """Return the reason for which launches are held back, or None."""
    with desk.database.read() as session:
        return runs.paused(session)

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What deployments keep: since when, until when by its lease, and when it was given back or taken over by a newer plan.

All of it is read from the journals of their runs. A lease begins when what it is of stands, and is put off by a line
``lease`` in the journal of the deployment's newest run.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from dataclasses import replace

from ..module_utils.errors import BrainError
from ..module_utils.errors import Invalid
from ..module_utils.errors import NotFound
from . import clock
from .store import Store

#: What the journal says of a component of which something stands from then on.
_STANDS = ("made", "served", "answers", "reachable")
#: A notice goes out so long before a lease ends, and of a short lease a quarter of it before.
NOTICE_S = 24 * 3600


@dataclass(frozen=True)
class Stay:
    """What one plan keeps of a component. Times: RFC 3339, UTC. pool: where it is, None where no journal says so.

    until: when its lease ends; ended: when it was given back or taken over by a newer plan, None while it stands.
    """

    tenant: str
    deployment: str
    component: str
    kind: str
    run: str
    pool: str | None
    lease_s: int
    since: str
    until: str
    ended: str | None = None


@dataclass(frozen=True)
class Standing:
    """A deployment of which something stands. run: of its newest plan that was applied, in whose journal it is ended.

    keeps: the newest run of which something stands. until: when the last of its leases ends. lease_s: the longest of
    them. pool_of: component → the pool where it is.
    """

    tenant: str
    deployment: str
    run: str
    keeps: str
    since: str
    until: str
    lease_s: int
    pool_of: dict[str, str | None]

    @property
    def notice_at(self):
        """When its owner is told that it is about to end."""
        return clock.after(self.until, -min(NOTICE_S, self.lease_s // 4))

    def state(self, now):
        """Return standing, ending (the notice is due) or overdue."""
        return "overdue" if now >= self.until else "ending" if now >= self.notice_at else "standing"


def stays(store):
    """Return every Stay that the store's journals tell of, in the order in which they began."""
    told = {}
    for plan, events in _applied(store):
        told.setdefault((plan["tenant"], plan["deployment"]), []).extend(_told(plan, events))
    found = [
        stay for _key, events in sorted(told.items()) for stay in _followed(sorted(events, key=lambda one: one[0]))
    ]
    return sorted(found, key=lambda stay: (stay.since, stay.run, stay.component))


def standing(store):
    """Return a Standing a deployment of which something stands, the one that ends first first."""
    groups, newest = {}, {(plan["tenant"], plan["deployment"]): plan["run"] for plan, _events in _applied(store)}
    for stay in stays(store):
        if stay.ended is None:
            groups.setdefault((stay.tenant, stay.deployment), []).append(stay)
    found = []
    for (tenant, deployment), there in groups.items():
        found.append(
            Standing(
                tenant,
                deployment,
                newest[tenant, deployment],
                max(stay.run for stay in there),
                min(stay.since for stay in there),
                max(stay.until for stay in there),
                max(stay.lease_s for stay in there),
                {stay.component: stay.pool for stay in there},
            )
        )
    return sorted(found, key=lambda one: (one.until, one.tenant, one.deployment))


def find(store, name):
    """Return the Standing of ``deployment`` or ``tenant/deployment``; raise NotFound, Invalid where it is not one."""
    tenant, _slash, deployment = name.rpartition("/")
    there = [one for one in standing(store) if one.deployment == deployment and tenant in ("", one.tenant)]
    if not there:
        raise NotFound(f"nothing of a deployment {name} stands.", way_out="status.yml lists what does.")
    if len(there) > 1:
        raise Invalid(
            f"the deployment {deployment} is of several tenants: {', '.join(one.tenant for one in there)}.",
            way_out=f"Name one: {there[0].tenant}/{deployment}",
        )
    return there[0]


def prolonged(there, lease_h, now):
    """Return the time until which a Standing stays if its lease goes on for so many hours from now; raise Invalid.

    An operator may give again what the approved plan gave, and no more: what is to stay longer is a new plan.
    """
    until = clock.after(now, round(lease_h * 3600))
    if until <= there.until:
        raise Invalid(
            f"the lease of {there.deployment} ends at {there.until} anyway.",
            way_out=f"Give more hours. Sooner: playbooks/release.yml -e deployment={there.tenant}/{there.deployment}",
        )
    if lease_h * 3600 > there.lease_s:
        raise Invalid(
            f"{lease_h:g} h are more than the {there.lease_s / 3600:g} h that were approved for {there.deployment}.",
            way_out="Give fewer, or propose a plan of the same deployment with a longer lease_s.",
        )
    return until


def prolong(store, there, until, by, now):
    """Put the end of a Standing's leases off, in the journal of its newest run."""
    store.note(there.run, {"at": now, "component": None, "event": "lease", "until": until, "by": by})


def _applied(store):
    """Yield (plan, events) of the runs that keep something and were ever applied, oldest first."""
    for run in reversed(store.runs()):
        plan = _keeping(store, run)
        events = store.journal(run) if plan is not None else ()
        if events:
            yield plan, events


def _keeping(store, run):
    """Return the plan of a run that keeps something, or None."""
    try:
        return _plan_of(store.root, store.find_plan(run))
    except (BrainError, OSError, KeyError):
        return None  # a damaged plan was never applied as it is


@functools.lru_cache(maxsize=4096)  # it is asked for every few seconds, and a plan never changes
def _plan_of(root, folder):
    plan, _digest = Store(root).read_plan(folder)
    return plan if plan.get("deployment") and any("lease_s" in item for item in plan["components"]) else None


def _told(plan, events):
    """Yield (time, what, plan, of what): stands | kept of (component, pool), lease of its end, gone of None."""
    kept = {item["id"] for item in plan["components"] if "lease_s" in item}
    releasing, whole, places = False, False, {}
    for event in events:
        kind, name = event["event"], event.get("component")
        if kind == "loaded":
            releasing = event.get("purpose") == "release"
            # Of a release: the deployment's own has parts, namely what it kept; a run's leaves that as it is.
            whole = releasing and bool(event.get("only"))
        elif kind == "lease":
            yield event["at"], "lease", plan, event["until"]
        elif kind == "closed" and event["state"] == "released" and whole:
            yield event["at"], "gone", plan, None
        elif kind == "closed" and event["state"] == "succeeded":
            yield from ((event["at"], "kept", plan, (one, places.get(one))) for one in sorted(kept))
        elif releasing or name not in kept:
            continue
        elif kind == "placed" and not event.get("error"):
            places[name] = event["pool"]
        elif kind in _STANDS:
            yield event["at"], "stands", plan, (name, places.get(name))
        elif kind == "end" and event["state"] == "succeeded":
            yield event["at"], "kept", plan, (name, places.get(name))


def _followed(told):
    """Return the Stays of one deployment from what its journals told, in the order of time."""
    there, over = {}, []
    for at, what, plan, value in told:
        if what == "gone":
            over += [replace(stay, ended=at) for stay in there.values()]
            there = {}
        elif what == "lease":
            there = {name: replace(stay, until=max(stay.until, value)) for name, stay in there.items()}
        else:
            name, pool = value
            # Until the newer plan's own stands, the older one's does.
            replaced = what == "kept" and name in there and there[name].run != plan["run"]
            if replaced:
                over.append(replace(there[name], ended=at))
            if replaced or name not in there:
                there[name] = _begun(plan, name, pool, at)
    return [*over, *there.values()]


def _begun(plan, name, pool, at):
    item = next(one for one in plan["components"] if one["id"] == name)
    until = clock.after(at, item["lease_s"])
    return Stay(
        plan["tenant"], plan["deployment"], name, item["kind"], plan["run"], pool, item["lease_s"], at, until
    )  # fmt: skip

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: where a component runs already, or the first allowed pool that is fit for it now."""

from __future__ import annotations

import dataclasses

from ..module_utils.errors import BrainError
from ..module_utils.errors import Unreachable
from ..module_utils.hostvars import state_at
from ..module_utils.names import deployed
from ..module_utils.verbs.look import look_at_all
from ..module_utils.verbs.patience import looked_for
from ..module_utils.verbs.patience import SETTLE_S
from . import clock
from . import draining
from . import observing
from .perception import read_endpoint
from .planned import KEPT

#: How long the preflight waits for a pool that cannot say whether a component is there.
PREFLIGHT_S = 60


def place(run_pass, component):
    """Return {pool, site, endpoint, name, arch, accelerator, found, state, submits}, or the same with `error`.

    submits: whether a job will be submitted, so that its data are needed.

    After everything ended well the journal is enough: what is left to do is to give back.
    The component's name is looked up at every allowed pool first. A pool that cannot answer leaves the component
    undecided: then nothing is submitted anywhere else, because the job may be there.
    """
    if run_pass.facts["done"]:
        return _as_noted(run_pass, component)
    if component["kind"] in KEPT:
        return _standing(run_pass, component)
    looks = {
        "run": run_pass.run,
        "component": component["id"],
        "attempts": 1 + component.get("retry", 0),
    }
    noted = _noted(run_pass, component["id"])
    found = looked_for(
        lambda: _look_everywhere(run_pass, component, looks, noted),
        lambda result: not result["again"],
        0 if run_pass.check else PREFLIGHT_S,
    )
    if found["seen"]:
        return _found(run_pass, component, *found["seen"])
    if found["undecided"]:
        said = " ".join(found["undecided"])
        return _error(component, f"{component['id']} is undecided: it may run already. {said}")
    return _chosen(run_pass, component)


def _standing(run_pass, component):
    """Where what a deployment keeps stands already, there it stays; else the first allowed pool that is fit."""
    name = deployed(run_pass.plan["deployment"], component["id"])
    for site, endpoint in dict.fromkeys(tuple(p.split("/", 2)[:2]) for p in component["pools"]):
        try:
            platform = _platform(run_pass, site, endpoint)
            look = platform.inference_service if component["kind"] == "serve" else platform.instance
            found = look(name)
            pools = _pools(run_pass, site, endpoint)
        except BrainError as error:
            said = f"{component['id']} is undecided: it may stand there already. {error.at(site)}"
            return _error(component, said)
        if found:
            allowed = [pool for pool in component["pools"] if pool.startswith(f"{site}/{endpoint}/")]
            if found.pool not in (None, *allowed):
                way = f"Release it first: playbooks/release.yml -e deployment={run_pass.plan['deployment']}"
                return _error(component, f"{name} stands in {found.pool}, which the plan does not allow. {way}")
            pool = found.pool or allowed[0]
            drained = _drained(run_pass, component, pools.get(pool))
            if drained:
                return _error(component, f"{name} stands in {pool}, and is not changed there: {drained}")
            return {**_record(pool, _facts(pools.get(pool))), "found": True, "state": None, "submits": True}
    return _chosen(run_pass, component)


def _drained(run_pass, component, pool):
    """Return why a plan changes nothing in a pool that people drained; None where this run did already, or may."""
    begun = any(
        event["event"] in ("made", "served", "answers", "reachable") for event in run_pass.earlier(component["id"])
    )
    if begun or pool is None or state_at(pool, clock.now()) != "drained":
        return None
    return unfit(component, pool, clock.now())


def _look_everywhere(run_pass, component, looks, noted):
    """Return {seen: (site, endpoint, Look) or None, undecided: sentences, again: a second look may tell more}."""
    undecided, again = [], False
    for site, endpoint in dict.fromkeys(tuple(p.split("/", 2)[:2]) for p in component["pools"]):
        try:
            seen = look_at_all(_platform(run_pass, site, endpoint), looks)
        except BrainError as error:
            undecided.append(str(error.at(site)))
            again = again or isinstance(error, Unreachable)
            run_pass.note(component["id"], "unreachable", message=str(error))
            continue
        if seen.there and seen.attempt >= noted.get("attempt", 1):
            return {"seen": (site, endpoint, seen), "undecided": [], "again": False}
    if noted.get("native_id"):
        undecided.append(
            f"The journal says that it was submitted as {noted['native_id']}, and no allowed pool shows it."
            " Run the same again; if it stays so, ask the site about that job, then release.yml and a new plan."
        )
        again = True  # a list may have been cut short
    elif noted and clock.seconds_between(noted["at"], clock.now()) <= SETTLE_S:
        again = True  # its submit may still be on the way: only a look after that counts
    return {"seen": None, "undecided": undecided, "again": again}


def _as_noted(run_pass, component):
    placed = [event for event in run_pass.earlier(component["id"]) if event["event"] == "placed"]
    return {**_record(placed[-1]["pool"], {}), "found": True, "state": "succeeded", "submits": False}


def _noted(run_pass, name):
    """Return {attempt, at, native_id or None} of the newest submit that the journal knows; {} where none."""
    noted = {}
    for event in run_pass.earlier(name):
        if event["event"] in ("intent", "submitted") and "attempt" in event:
            noted = {"attempt": event["attempt"], "at": event["at"], "native_id": event.get("native_id")}
    return noted


def _platform(run_pass, site, endpoint):
    return run_pass.config.platform(site, endpoint, run_pass.plan["tenant"])


def _found(run_pass, component, site, endpoint, seen):
    allowed = [pool for pool in component["pools"] if pool.startswith(f"{site}/{endpoint}/")]
    native = seen.job.pool if seen.job else None
    pool = next((p for p in allowed if native in (p, p.split("/", 2)[2])), allowed[0])
    if seen.ended and seen.state == "succeeded":
        return {**_record(pool, {}), "found": True, "state": seen.state, "submits": False}
    again = seen.ended and seen.attempt <= component.get("retry", 0)
    facts = _facts(_pools(run_pass, site, endpoint).get(pool)) if again else {}
    return {**_record(pool, facts), "found": True, "state": seen.state, "submits": again}


def _chosen(run_pass, component):
    reasons = []
    for pool_id in component["pools"]:
        site, endpoint, _name = pool_id.split("/", 2)
        try:
            pool = _pools(run_pass, site, endpoint).get(pool_id)
        except BrainError as error:
            reasons.append(str(error.at(site)))
            continue
        why_not = unfit(component, pool, clock.now())
        if why_not is None:
            return {**_record(pool_id, _facts(pool)), "found": False, "state": None, "submits": True}
        reasons.append(f"{pool_id}: {why_not}")
    said = " ".join(reasons)
    return _error(component, f"no allowed pool is fit for {component['id']} now. {said}")


def _pools(run_pass, site, endpoint):
    record = run_pass.config.site(site)
    now = clock.now()
    pools = read_endpoint(run_pass.config, record, record.endpoint(endpoint), now, run_pass.plan["tenant"])
    if any(pool.seen.state == "partial" for pool in pools):
        pools = _as_the_site_sees(run_pass, record, endpoint, pools)
    measured = observing.of_store(run_pass.store, record, now)
    pools = draining.applied([observing.observed(pool, measured) for pool in pools], draining.read(run_pass.store))
    return {pool.id: pool for pool in pools}


def _as_the_site_sees(run_pass, record, endpoint, pools):
    """A mere tenant sees no machines: what the site file's own account sees of them, with the tenant's quota.

    That account may not answer: then what the tenant sees has to do.
    """
    try:
        whole = read_endpoint(run_pass.config, record, record.endpoint(endpoint), clock.now())
    except BrainError:
        return pools
    quota = tuple(dict.fromkeys(one for pool in pools for one in pool.quota))
    return [dataclasses.replace(pool, quota=quota) for pool in whole]


def unfit(component, pool, now):
    """Return the sentence that says why a component cannot run on a pool now, or None. Waiting is no reason."""
    if pool is None:
        return "the platform no longer shows this pool."
    state = state_at(pool, now)
    if state == "drained" and pool.seen.error:
        return f"it is drained: {pool.seen.error}."
    if state in ("lost", "drained") or not pool.open:
        return f"it takes no work (state {state}, {'open' if pool.open else 'closed'})."
    critical = sorted(alarm.name for alarm in pool.alarms if alarm.severity == "critical")
    if critical:
        return f"it has a critical alarm: {critical[0]}."
    wanted = component.get("accelerators", 0)
    held = pool.capacity.accelerators
    if wanted and held is not None and held < wanted:
        return f"{wanted} accelerators are asked for, {held} are there."
    nodes = pool.capacity.nodes if component["kind"] not in KEPT else None
    if nodes is not None and nodes < component.get("nodes", 1):
        return f"{component['nodes']} nodes are asked for, {nodes} are there."
    if pool.max_wall_s is not None and pool.max_wall_s < component["wall_s"]:
        return f"{component['wall_s']} s are asked for, {pool.max_wall_s} s are allowed."
    return None


def _facts(pool):
    if pool is None:
        return {}
    return {"arch": pool.arch, "accelerator": pool.accelerator.model if pool.accelerator else None}


def _record(pool_id, facts):
    site, endpoint, name = pool_id.split("/", 2)
    known = {"arch": None, "accelerator": None, **facts}
    return {"pool": pool_id, "site": site, "endpoint": endpoint, "name": name, **known}


def _error(component, sentence):
    return {**_record(component["pools"][0], {}), "found": False, "state": None, "submits": False, "error": sentence}

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which component may run on which pool: every broken hard rule, as a sentence.

`matrix` names all the broken rules of a (component, pool), not the first, so that the least relaxation
can be told. Facts that are not known break no rule, except where placing would then be a promise about
safety (network reach, data level, pool state).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from . import catalogue
from . import score
from .expand import level_of
from .network import CONTROLLER
from .network import GIB
from .network import Network
from .rules import STAYS
from .timeline import epoch
from .timeline import human


@dataclass(frozen=True)
class No:
    """One broken rule. field: in the component or the task, advice: what to do instead, up to which limit."""

    rule: str
    sentence: str
    field: str | None = None
    advice: str | None = None
    limit: float | None = None


def deadline_s(task, now):
    """Return the seconds from `now` to the task's deadline, the nearer of the two, or None."""
    limits = task.constraints
    found = [limits.deadline_s] if limits.deadline_s is not None else []
    if limits.deadline is not None:
        found.append(epoch(limits.deadline) - epoch(now, up=True))
    return min(found, default=None)


def matrix(graph, pools, policy, now, *, tenants=None, links=None):
    """Return {component id: {pool id: (No, ...)}} for the components that run; () where all is well.

    graph: expand.Graph. pools: records. policy: the policy file's mapping. now: RFC 3339.
    tenants: the tenants file's mapping (with or without its `tenants:`) or None to skip that rule.
    links: records or None to skip that rule.
    """
    network = None if links is None else Network(links)
    tenants = tenants.get("tenants", tenants) if tenants is not None else None
    places = sorted(pools, key=lambda pool: pool.id)
    always = {pool.id: tuple(_pool_rules(graph.task, pool, policy, now, tenants)) for pool in places}
    deadline = deadline_s(graph.task, now)
    found = {}
    for node in sorted(graph.compute, key=lambda one: one.id):
        ask = Ask.of(node, graph, deadline, network)
        found[node.id] = {pool.id: always[pool.id] + tuple(_component_rules(ask, pool)) for pool in places}
    return found


@dataclass(frozen=True)
class Ask:
    """What one component asks of a pool, gathered once."""

    node: object
    task: object
    level: str | None
    stated: bool
    deadline: int | None
    network: Network | None
    home_in: bool
    home_out: bool
    size: int

    @classmethod
    def of(cls, node, graph, deadline, network):
        """Return the Ask of a compute node."""
        moves = [one for one in graph.nodes if one.of == node.id and one.kind == "move_data"]
        level, stated = level_of(node, graph)
        return cls(
            node,
            graph.task,
            level,
            stated,
            deadline,
            network,
            any(move.datum.producer is None for move in moves),
            any(one.of == node.id and one.kind == "collect" for one in graph.nodes),
            sum(move.datum.size or 0 for move in moves),
        )


def _pool_rules(task, pool, policy, now, tenants):
    state = score.state_of(pool, now)
    if state == "lost":
        seen = f"last seen {pool.seen.at}" if pool.seen.at else "never seen"
        error = f" ({pool.seen.error})" if pool.seen.error else ""
        yield No("state", f"{pool.id} is lost: {seen}{error}", None, "Look at the site again")
    elif state == "drained":
        yield No("state", f"{pool.id} is drained", None, "Wait until the site takes work")
    elif not pool.open:
        yield No("state", f"{pool.id} is not open for work", None, "Wait until it is open")
    for alarm in sorted(pool.alarms, key=lambda one: one.id):
        if alarm.severity == "critical":
            sentence = f"{pool.id} has a critical alarm: {alarm.name}"
            yield No("alarm", sentence, None, "Wait until the alarm is cleared")
    yield from _maintenance(pool, policy, now)
    if tenants is not None:
        yield from _tenant(task, pool, tenants)


def _maintenance(pool, policy, now):
    """A window over the whole pool that leaves no time to start in. Shorter ones only delay."""
    limit = 3600 * (policy or {}).get("start_within_h", 24)
    base, free_from = epoch(now), 0
    for window in sorted(pool.windows, key=lambda one: (one.start, one.end)):
        whole = window.nodes is None or window.nodes >= (pool.capacity.nodes or 0)
        start, end = epoch(window.start) - base, epoch(window.end, up=True) - base
        if whole and start <= free_from < end:
            free_from = end
            if end >= limit:
                why = f" ({window.reason})" if window.reason else ""
                sentence = f"{pool.id} is in maintenance until {window.end}{why}"
                yield No("maintenance", sentence, None, "Ask again when it is over")
                return


def _tenant(task, pool, tenants):
    known = tenants.get(task.tenant)
    if known is None:
        sentence = f"{pool.id} is not for tenant {task.tenant}, which is not known"
        yield No("tenant", sentence, "tenant", "Name a known tenant")
    elif pool.site not in known.get("sites", {}):
        sentence = f"{pool.id} is not for tenant {task.tenant}, which has no account at {pool.site}"
        yield No("tenant", sentence, "tenant", f"Add {pool.site} to the tenant's sites")
    elif pool.endpoint not in known["sites"][pool.site]:
        sentence = (
            f"{pool.id} is not for tenant {task.tenant}, which has no account at {pool.site}'s endpoint {pool.endpoint}"
        )
        yield No("tenant", sentence, "tenant", f"Add {pool.endpoint} to the tenant's {pool.site}")


def _component_rules(ask, pool):
    if ask.node.component.kind == "provision":
        if not pool.machines:
            yield No("machines", f"{pool.id} makes no machines", "kind", "Use a pool of a cloud")
            return
    elif not pool.jobs:
        yield No("jobs", f"{pool.id} gives machines and runs no jobs", "kind", "Use a pool that runs jobs")
        return
    if ask.node.component.kind == "serve" and not pool.serves:
        yield No("serve", f"{pool.id} keeps no service that answers", "kind", "Use a platform that serves models")
        return
    yield from _places(ask, pool)
    yield from _data(ask, pool)
    yield from _software(ask, pool)
    blocked = False
    for no in _size(ask, pool):
        blocked = True
        yield no
    yield from _quota(ask, pool)
    if not blocked:  # the run time of a shape that does not exist says nothing
        yield from _time(ask, pool)
    if ask.network is not None:
        yield from _links(ask, pool)


def _places(ask, pool):
    component, limits = ask.node.component, ask.task.constraints
    for field, allowed in (("sites", component.sites), ("constraints.sites", limits.sites)):
        if allowed is not None and pool.site not in allowed:
            sentence = f"{pool.id} is at {pool.site}, and the sites allowed are: {', '.join(sorted(allowed))}"
            yield No("site", sentence, field, f"Add {pool.site} to {field}")
    residency = limits.data_residency
    here = {pool.site, f"{pool.site}/{pool.zone}", pool.zone}
    if residency is not None and not here & set(residency):
        sentence = f"data must stay at {', '.join(sorted(residency))}, and {pool.id} is elsewhere"
        yield No("residency", sentence, "constraints.data_residency", "Widen data_residency")
    if limits.intranet_only and pool.via != "intranet":
        how = f"over the {pool.via}" if pool.via else "in a way that is not known"
        sentence = f"{pool.id} is reached {how}, and intranet_only is asked for"
        yield No("intranet", sentence, "constraints.intranet_only", "Drop intranet_only")


def _data(ask, pool):
    if ask.level is not None and (pool.data_levels or ask.stated):
        if ask.level not in pool.data_levels and (pool.data_levels or ask.level != "public"):
            allowed = f"takes {', '.join(pool.data_levels)}" if pool.data_levels else "states no level"
            word = "" if ask.stated else " (a level that is not stated counts as internal)"
            sentence = f"{pool.id} {allowed} data, and this is {ask.level}{word}"
            yield No("data_level", sentence, "inputs", f"Use a site that may hold {ask.level} data")
    free = pool.storage.free_gib
    if free is not None and ask.size > free * GIB:
        sentence = f"{pool.id} has {free:g} GiB of storage free, {ask.size / GIB:.1f} GiB are read"
        yield No("storage", sentence, "inputs", "Free storage there")


def _software(ask, pool):
    component = ask.node.component
    asked = component.resources
    if asked.arch and pool.arch != asked.arch:
        found = pool.arch or "of an architecture that is not known"
        sentence = f"{pool.id} is {found}, {asked.arch} was asked for"
        yield No("arch", sentence, "resources.arch", f"Drop arch={asked.arch}")
    if asked.accelerators:
        yield from _accelerator(asked, pool)
    if component.image and component.kind != "provision":
        sentence = f"{pool.id} runs no images, {component.image} was asked for"
        yield No("image", sentence, "image", "Give code and framework instead of an image")
    elif component.kind != "provision":
        yield from _runtime(component, pool)


def _accelerator(asked, pool):
    card = pool.accelerator
    if card is None:
        sentence = f"{pool.id} has no accelerators, {asked.accelerators} were asked for"
        yield No("accelerator", sentence, "resources.accelerators", "Ask for no accelerators")
    elif not accelerator_fits(asked.accelerator, card):
        sentence = f"{pool.id} has {card.model} ({card.kind}), {asked.accelerator} was asked for"
        yield No("accelerator", sentence, "resources.accelerator", f"Ask for {card.model} or any")


@functools.lru_cache(maxsize=4096)
def accelerator_fits(asked, card):
    """Return whether a pool's card is what was asked for: a model, a kind, any, or a native name."""
    word = (asked or "any").strip().lower()
    if word in ("any", card.kind, card.model.lower(), card.native.lower()):
        return True
    known = catalogue.model(word)
    return known is not None and known.name == card.model.lower()


def _runtime(component, pool):
    framework = component.framework or "none"
    card = pool.accelerator.model if pool.accelerator else None
    there = [one for one in pool.runtimes if one.framework == framework]
    here = [one for one in there if one.arch in (None, pool.arch)]
    fit = [one for one in here if one.accelerator in (None, card)]
    version = component.framework_version
    if any(_version_fits(one.version, version) for one in fit):
        return
    title = "plain Python" if framework == "none" else framework
    if not there:
        names = sorted({one.framework for one in pool.runtimes})
        sentence = f"{pool.id} has no {title}; it has {', '.join(names) or 'no runtimes'}"
    elif not here:
        archs = ", ".join(sorted({one.arch for one in there}))
        sentence = f"{title} at {pool.id} is for {archs}, the pool is {pool.arch}"
    elif not fit:
        cards = ", ".join(sorted({one.accelerator for one in here}))
        sentence = f"{title} at {pool.id} is for {cards}, the pool has {card or 'no accelerators'}"
    else:
        versions = ", ".join(sorted(one.version for one in fit))
        sentence = f"{pool.id} has {title} {versions}, {version} was asked for"
        yield No("runtime", sentence, "framework_version", "Drop framework_version")
        return
    names = sorted({one.framework for one in pool.runtimes})
    advice = f"Use {' or '.join(names)}" if names else None
    yield No("runtime", sentence, "framework", advice)


def _version_fits(found, asked):
    return not asked or not found or found == asked or found.startswith(f"{asked}.")


def _size(ask, pool):
    asked = ask.node.component.resources
    nodes = score.nodes_of(asked, pool)
    cards, total = asked.accelerators, score.cards_of(pool)
    if cards and pool.accelerator and total is not None and cards > total:
        name = pool.accelerator.model
        sentence = f"{pool.id} has {total} {name} cards, {cards} were asked for"
        yield No("capacity", sentence, "resources.accelerators", f"Ask for at most {total} cards", total)
        return
    several = ask.node.component.kind in STAYS  # one node may hold many machines, or copies
    if not several and pool.capacity.nodes is not None and nodes > pool.capacity.nodes:
        how = "" if asked.nodes else f" to spread {cards} cards evenly"
        sentence = f"{pool.id} has {pool.capacity.nodes} nodes, {nodes} are needed{how}"
        field = "resources.nodes" if asked.nodes else "resources.accelerators"
        yield No("shape", sentence, field, f"Ask for at most {pool.capacity.nodes} nodes")
    each, most = cards // nodes if cards else 0, pool.node.accelerators
    if most is not None and each > most and pool.accelerator:
        sentence = f"a node of {pool.id} has {most} cards, {each} a node were asked for"
        yield No("shape", sentence, "resources.nodes", f"Ask for {-(-cards // most)} nodes or more")
    if pool.node.cpu is not None and asked.cpu > pool.node.cpu:
        sentence = f"a node of {pool.id} has {pool.node.cpu} cores, {asked.cpu} were asked for"
        yield No("cpu", sentence, "resources.cpu", f"Ask for at most {pool.node.cpu} cores")
    yield from _total(asked, pool, nodes)
    memory = asked.memory_gib
    if memory and pool.node.memory_gib is not None and memory > pool.node.memory_gib:
        has = f"{pool.node.memory_gib:g} GiB"
        sentence = f"a node of {pool.id} has {has}, {memory:g} GiB were asked for"
        yield No("memory", sentence, "resources.memory_gib", f"Ask for at most {has}")


def _total(asked, pool, nodes):
    """More than the whole pool has, where a node's share alone would not tell."""
    cores, memory = score.cores_of(pool), score.memory_mib_of(pool)
    if cores is not None and asked.cpu * nodes > cores and asked.cpu <= (pool.node.cpu or cores):
        sentence = f"{pool.id} has {cores} cores, {asked.cpu * nodes} were asked for on {nodes} nodes"
        yield No("cpu", sentence, "resources.cpu", f"Ask for at most {cores // nodes} cores")
    need, each = (asked.memory_gib or 0) * 1024, pool.node.memory_gib
    if memory is not None and need * nodes > memory and need <= (memory if each is None else each * 1024):
        sentence = f"{pool.id} has {memory / 1024:g} GiB, {need * nodes / 1024:g} GiB were asked for on {nodes} nodes"
        yield No("memory", sentence, "resources.memory_gib", f"Ask for at most {memory // nodes / 1024:g} GiB")


def _quota(ask, pool):
    asked = ask.node.component.resources
    nodes = score.nodes_of(asked, pool)
    memory = (asked.memory_gib or 0) * nodes
    wanted = {
        "accelerators": asked.accelerators,
        "cpu": asked.cpu * nodes,
        "memory_gib": memory,
        "nodes": nodes,
        "jobs": 1,
        "instances": nodes if ask.node.component.kind == "provision" else 1,
    }
    for quota in pool.quota:
        need = wanted.get(quota.resource)
        mine = quota.tenant in (None, ask.task.tenant)
        if mine and need and quota.limit is not None and need > quota.limit:
            sentence = f"the quota at {pool.id} is {quota.limit:g} {quota.resource}, {need:g} are needed"
            yield No("quota", sentence, f"resources.{quota.resource}", "Ask the site for more quota")


def _time(ask, pool):
    component = ask.node.component
    run = score.run_time(component, pool, score.nodes_of(component.resources, pool))
    if run.seconds is None:
        yield No("speed", f"at {pool.id} {run.why}", "work", "Give accelerator_hours or duration_s")
        return
    if pool.max_wall_s is not None and run.seconds > pool.max_wall_s:
        sentence = f"{pool.id} ends jobs after {human(pool.max_wall_s)}, this needs {human(run.seconds)}"
        yield No("wall", sentence, "work", "Split the work or ask for more cards")
    if component.max_wall_s is not None and run.seconds > component.max_wall_s:
        sentence = f"at {pool.id} this needs {human(run.seconds)}, max_wall_s is {component.max_wall_s}"
        yield No("wall", sentence, "max_wall_s", "Raise max_wall_s or ask for more cards")
    if ask.deadline is not None and run.seconds > ask.deadline:
        sentence = f"at {pool.id} this needs {human(run.seconds)}, the deadline is in {ask.deadline} s"
        yield No("deadline", sentence, "constraints", "Set a later deadline or ask for more cards")


def _links(ask, pool):
    for wanted, source, target in (
        (ask.home_in, CONTROLLER, pool.site),
        (ask.home_out, pool.site, CONTROLLER),
    ):
        if wanted and ask.network.route(source, target) is None:
            sentence = f"{pool.id} is out of reach: there is no link from {source} to {target}"
            yield No("link", sentence, None, "Add the link to links.yml")

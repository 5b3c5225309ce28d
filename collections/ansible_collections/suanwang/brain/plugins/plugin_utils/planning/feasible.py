# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which component may run on which pool: every broken hard rule, as a sentence.

`matrix` names all the broken rules of a (component, pool), not the first, so that the least relaxation
can be told. Facts that are not known break no rule, except where placing would then be a promise about
safety (network reach, data level, pool state).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...module_utils.said import join
from ...module_utils.said import say
from ...module_utils.said import words
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
        seen = say("last seen {at}", at=pool.seen.at) if pool.seen.at else words("never seen")
        error = f" ({pool.seen.error})" if pool.seen.error else ""
        sentence = say("{pool} is lost: {seen}{error}", pool=pool.id, seen=seen, error=error)
        yield No("state", sentence, None, words("Look at the site again"))
    elif state == "drained":
        sentence = say("{pool} is drained", pool=pool.id)
        if pool.seen.error:
            sentence = say("{pool} is drained: {why}", pool=pool.id, why=pool.seen.error)
        yield No("state", sentence, None, "Wait until the site takes work")
    elif not pool.open:
        yield No("state", say("{pool} is not open for work", pool=pool.id), None, "Wait until it is open")
    for alarm in sorted(pool.alarms, key=lambda one: one.id):
        if alarm.severity == "critical":
            sentence = say("{pool} has a critical alarm: {alarm}", pool=pool.id, alarm=alarm.name)
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
                sentence = say("{pool} is in maintenance until {end}{why}", pool=pool.id, end=window.end, why=why)
                yield No("maintenance", sentence, None, "Ask again when it is over")
                return


def _tenant(task, pool, tenants):
    known = tenants.get(task.tenant)
    if known is None:
        sentence = say("{pool} is not for tenant {tenant}, which is not known", pool=pool.id, tenant=task.tenant)
        yield No("tenant", sentence, "tenant", "Name a known tenant")
    elif pool.site not in known.get("sites", {}):
        sentence = say(
            "{pool} is not for tenant {tenant}, which has no account at {site}",
            pool=pool.id,
            tenant=task.tenant,
            site=pool.site,
        )
        yield No("tenant", sentence, "tenant", say("Add {site} to the tenant's sites", site=pool.site))
    elif pool.endpoint not in known["sites"][pool.site]:
        sentence = say(
            "{pool} is not for tenant {tenant}, which has no account at {site}'s endpoint {endpoint}",
            pool=pool.id,
            tenant=task.tenant,
            site=pool.site,
            endpoint=pool.endpoint,
        )
        yield No(
            "tenant",
            sentence,
            "tenant",
            say("Add {endpoint} to the tenant's {site}", endpoint=pool.endpoint, site=pool.site),
        )


def _component_rules(ask, pool):
    if ask.node.component.kind == "provision":
        if not pool.machines:
            yield No("machines", say("{pool} makes no machines", pool=pool.id), "kind", "Use a pool of a cloud")
            return
    elif not pool.jobs:
        yield No(
            "jobs", say("{pool} gives machines and runs no jobs", pool=pool.id), "kind", "Use a pool that runs jobs"
        )
        return
    if ask.node.component.kind == "serve" and not pool.serves:
        yield No(
            "serve",
            say("{pool} keeps no service that answers", pool=pool.id),
            "kind",
            "Use a platform that serves models",
        )
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
            sentence = say(
                "{pool} is at {site}, and the sites allowed are: {sites}",
                pool=pool.id,
                site=pool.site,
                sites=", ".join(sorted(allowed)),
            )
            yield No("site", sentence, field, say("Add {site} to {field}", site=pool.site, field=field))
    residency = limits.data_residency
    here = {pool.site, f"{pool.site}/{pool.zone}", pool.zone}
    if residency is not None and not here & set(residency):
        sentence = say(
            "data must stay at {places}, and {pool} is elsewhere", places=", ".join(sorted(residency)), pool=pool.id
        )
        yield No("residency", sentence, "constraints.data_residency", "Widen data_residency")
    if limits.intranet_only and pool.via != "intranet":
        how = say("over the {via}", via=words(pool.via)) if pool.via else words("in a way that is not known")
        sentence = say("{pool} is reached {how}, and intranet_only is asked for", pool=pool.id, how=how)
        yield No("intranet", sentence, "constraints.intranet_only", "Drop intranet_only")


def _data(ask, pool):
    if ask.level is not None and (pool.data_levels or ask.stated):
        if ask.level not in pool.data_levels and (pool.data_levels or ask.level != "public"):
            level = words(ask.level)
            yield No(
                "data_level", _levels(ask, pool), "inputs", say("Use a site that may hold {level} data", level=level)
            )
    free = pool.storage.free_gib
    if free is not None and ask.size > free * GIB:
        sentence = say(
            "{pool} has {free:g} GiB of storage free, {size:.1f} GiB are read",
            pool=pool.id,
            free=free,
            size=ask.size / GIB,
        )
        yield No("storage", sentence, "inputs", "Free storage there")


def _levels(ask, pool):
    level, takes = words(ask.level), join(", ", map(words, pool.data_levels))
    if not takes and ask.stated:
        return say("{pool} states no level data, and this is {level}", pool=pool.id, level=level)
    if ask.stated:
        return say("{pool} takes {levels} data, and this is {level}", pool=pool.id, levels=takes, level=level)
    return say(
        "{pool} takes {levels} data, and this is {level} (a level that is not stated counts as internal)",
        pool=pool.id, levels=takes, level=level,
    )  # fmt: skip


def _software(ask, pool):
    component = ask.node.component
    asked = component.resources
    if asked.arch and pool.arch != asked.arch:
        found = pool.arch or words("of an architecture that is not known")
        sentence = say("{pool} is {found}, {arch} was asked for", pool=pool.id, found=found, arch=asked.arch)
        yield No("arch", sentence, "resources.arch", say("Drop arch={arch}", arch=asked.arch))
    if asked.accelerators:
        yield from _accelerator(asked, pool)
    if component.image and component.kind != "provision":
        sentence = say("{pool} runs no images, {image} was asked for", pool=pool.id, image=component.image)
        yield No("image", sentence, "image", "Give code and framework instead of an image")
    elif component.kind != "provision":
        yield from _runtime(component, pool)


def _accelerator(asked, pool):
    card = pool.accelerator
    if card is None:
        sentence = say("{pool} has no accelerators, {cards} were asked for", pool=pool.id, cards=asked.accelerators)
        yield No("accelerator", sentence, "resources.accelerators", "Ask for no accelerators")
    elif not catalogue.fits(asked.accelerator, card):
        sentence = say(
            "{pool} has {card} ({kind}), {asked} was asked for",
            pool=pool.id,
            card=card.model,
            kind=card.kind,
            asked=asked.accelerator,
        )
        yield No("accelerator", sentence, "resources.accelerator", say("Ask for {model} or any", model=card.model))


def _runtime(component, pool):
    framework = component.framework or "none"
    card = pool.accelerator.model if pool.accelerator else None
    there = [one for one in pool.runtimes if one.framework == framework]
    here = [one for one in there if one.arch in (None, pool.arch)]
    fit = [one for one in here if one.accelerator in (None, card)]
    version = component.framework_version
    if any(one.has_version(version) for one in fit):
        return
    title = words("plain Python") if framework == "none" else framework
    if not there:
        names = sorted({one.framework for one in pool.runtimes})
        sentence = say(
            "{pool} has no {title}; it has {names}",
            pool=pool.id,
            title=title,
            names=", ".join(names) or words("no runtimes"),
        )
    elif not here:
        archs = ", ".join(sorted({one.arch for one in there}))
        sentence = say(
            "{title} at {pool} is for {archs}, the pool is {arch}",
            title=title,
            pool=pool.id,
            archs=archs,
            arch=pool.arch,
        )
    elif not fit:
        cards = ", ".join(sorted({one.accelerator for one in here}))
        sentence = say(
            "{title} at {pool} is for {cards}, the pool has {card}",
            title=title,
            pool=pool.id,
            cards=cards,
            card=card or words("no accelerators"),
        )
    else:
        versions = ", ".join(sorted(one.version for one in fit))
        sentence = say(
            "{pool} has {title} {versions}, {version} was asked for",
            pool=pool.id,
            title=title,
            versions=versions,
            version=version,
        )
        yield No("runtime", sentence, "framework_version", "Drop framework_version")
        return
    names = sorted({one.framework for one in pool.runtimes})
    advice = say("Use {names}", names=join(" or ", names)) if names else None
    yield No("runtime", sentence, "framework", advice)


def _size(ask, pool):
    asked = ask.node.component.resources
    nodes = score.nodes_of(asked, pool)
    cards, total = asked.accelerators, score.cards_of(pool)
    if cards and pool.accelerator and total is not None and cards > total:
        name = pool.accelerator.model
        sentence = say(
            "{pool} has {total} {card} cards, {cards} were asked for", pool=pool.id, total=total, card=name, cards=cards
        )
        yield No(
            "capacity", sentence, "resources.accelerators", say("Ask for at most {total} cards", total=total), total
        )
        return
    several = ask.node.component.kind in STAYS  # one node may hold many machines, or copies
    if pool.machines and not several and nodes > 1:
        sentence = say(
            "{pool} runs a job on one machine that is made for it, {nodes} nodes are needed", pool=pool.id, nodes=nodes
        )
        yield No("shape", sentence, "resources.nodes", "Ask for one node, or use a pool of a cluster")
        return
    if not several and pool.capacity.nodes is not None and nodes > pool.capacity.nodes:
        most = pool.capacity.nodes
        sentence = say("{pool} has {nodes} nodes, {needed} are needed", pool=pool.id, nodes=most, needed=nodes)
        if not asked.nodes:
            sentence = say("{sentence} to spread {cards} cards evenly", sentence=sentence, cards=cards)
        field = "resources.nodes" if asked.nodes else "resources.accelerators"
        yield No("shape", sentence, field, say("Ask for at most {nodes} nodes", nodes=most))
    each, most = cards // nodes if cards else 0, pool.node.accelerators
    if most is not None and each > most and pool.accelerator:
        sentence = say(
            "a node of {pool} has {most} cards, {each} a node were asked for", pool=pool.id, most=most, each=each
        )
        yield No("shape", sentence, "resources.nodes", say("Ask for {nodes} nodes or more", nodes=-(-cards // most)))
    if pool.node.cpu is not None and asked.cpu > pool.node.cpu:
        sentence = say(
            "a node of {pool} has {cores} cores, {asked} were asked for",
            pool=pool.id,
            cores=pool.node.cpu,
            asked=asked.cpu,
        )
        yield No("cpu", sentence, "resources.cpu", say("Ask for at most {cores} cores", cores=pool.node.cpu))
    yield from _total(asked, pool, nodes)
    memory = asked.memory_gib
    if memory and pool.node.memory_gib is not None and memory > pool.node.memory_gib:
        has = f"{pool.node.memory_gib:g} GiB"
        sentence = say(
            "a node of {pool} has {has}, {memory:g} GiB were asked for", pool=pool.id, has=has, memory=memory
        )
        yield No("memory", sentence, "resources.memory_gib", say("Ask for at most {has}", has=has))


def _total(asked, pool, nodes):
    """More than the whole pool has, where a node's share alone would not tell."""
    cores, memory = score.cores_of(pool), score.memory_mib_of(pool)
    if cores is not None and asked.cpu * nodes > cores and asked.cpu <= (pool.node.cpu or cores):
        sentence = say(
            "{pool} has {cores} cores, {asked} were asked for on {nodes} nodes",
            pool=pool.id,
            cores=cores,
            asked=asked.cpu * nodes,
            nodes=nodes,
        )
        yield No("cpu", sentence, "resources.cpu", say("Ask for at most {cores} cores", cores=cores // nodes))
    need, each = (asked.memory_gib or 0) * 1024, pool.node.memory_gib
    if memory is not None and need * nodes > memory and need <= (memory if each is None else each * 1024):
        sentence = say(
            "{pool} has {memory:g} GiB, {need:g} GiB were asked for on {nodes} nodes",
            pool=pool.id,
            memory=memory / 1024,
            need=need * nodes / 1024,
            nodes=nodes,
        )
        yield No(
            "memory",
            sentence,
            "resources.memory_gib",
            say("Ask for at most {memory:g} GiB", memory=memory // nodes / 1024),
        )


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
            sentence = say(
                "the quota at {pool} is {limit:g} {resource}, {need:g} are needed",
                pool=pool.id,
                limit=quota.limit,
                resource=words(quota.resource),
                need=need,
            )
            yield No("quota", sentence, f"resources.{quota.resource}", "Ask the site for more quota")


def _time(ask, pool):
    component = ask.node.component
    run = score.run_time(component, pool, score.nodes_of(component.resources, pool))
    if run.seconds is None:
        yield No(
            "speed", say("at {pool} {why}", pool=pool.id, why=run.why), "work", "Give accelerator_hours or duration_s"
        )
        return
    if pool.max_wall_s is not None and run.seconds > pool.max_wall_s:
        sentence = say(
            "{pool} ends jobs after {limit}, this needs {time}",
            pool=pool.id,
            limit=human(pool.max_wall_s),
            time=human(run.seconds),
        )
        yield No("wall", sentence, "work", "Split the work or ask for more cards")
    if component.max_wall_s is not None and run.seconds > component.max_wall_s:
        sentence = say(
            "at {pool} this needs {time}, max_wall_s is {limit}",
            pool=pool.id,
            time=human(run.seconds),
            limit=component.max_wall_s,
        )
        yield No("wall", sentence, "max_wall_s", "Raise max_wall_s or ask for more cards")
    if ask.deadline is not None and run.seconds > ask.deadline:
        sentence = say(
            "at {pool} this needs {time}, the deadline is in {deadline} s",
            pool=pool.id,
            time=human(run.seconds),
            deadline=ask.deadline,
        )
        yield No("deadline", sentence, "constraints", "Set a later deadline or ask for more cards")


def _links(ask, pool):
    for wanted, source, target in (
        (ask.home_in, CONTROLLER, pool.site),
        (ask.home_out, pool.site, CONTROLLER),
    ):
        if wanted and ask.network.route(source, target) is None:
            sentence = say(
                "{pool} is out of reach: there is no link from {source} to {target}",
                pool=pool.id,
                source=source,
                target=target,
            )
            yield No("link", sentence, None, "Add the link to links.yml")

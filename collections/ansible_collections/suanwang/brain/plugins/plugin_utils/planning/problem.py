# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be solved: options of each component, capacities over time, links, limits. All integers.

Times are whole seconds from `now`. A pool's capacity has four dimensions: cards, cores, memory in MiB, and
a gate that maintenance shuts. Pools that share machines count on their shared domains too: for every set
of domains that a pool names, what runs on pools within that set must fit the largest of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from . import score
from .feasible import deadline_s
from .feasible import matrix
from .network import CONTROLLER
from .network import Network
from .network import transfer_fen
from .refuse import refuse_nothing_fits
from .timeline import epoch
from .timeline import Profile

GATE = 1 << 30
# How long foreign work whose end nobody knows is taken to run on, where the pool has no wall limit.
UNKNOWN_END_S = 86400


@dataclass(frozen=True)
class Commitment:
    """What an approved or running plan holds. start, end: RFC 3339.

    Machines: pool, with accelerators, cpu and memory_mib in all. A copy: hops, the directed links it uses.
    """

    run: str
    component: str
    start: str
    end: str
    pool: str | None = None
    accelerators: int = 0
    cpu: int = 0
    memory_mib: int = 0
    hops: tuple[tuple[str, str], ...] = ()


class Option(NamedTuple):
    """One way to run one component. cost_fen, energy_wh: None where a fact is missing."""

    pool: str
    site: str
    nodes: int
    cards: int
    cores: int
    memory_mib: int
    run_s: int
    wait_s: int
    wall_s: int
    cost_fen: int | None
    energy_wh: int | None
    risk: int

    @property
    def need(self):
        """What it takes of its pool, dimension by dimension."""
        return (self.cards, self.cores, self.memory_mib, 1)


@dataclass(frozen=True)
class Limits:
    """Hard limits of the whole task; None: not limited."""

    deadline_s: int | None = None
    budget_fen: int | None = None
    card_s: int | None = None


@dataclass(frozen=True)
class Problem:
    """order: component ids, needs first. units: members that start together, in that order.

    options: id → options by pool id. needs: id → components that must have ended. moves, collects:
    id → nodes. capacity: key → Profile as taken by others. keys: pool id → its keys. held: link → Profile.
    """

    graph: object
    matrix: dict
    order: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    options: dict[str, tuple[Option, ...]]
    needs: dict[str, tuple[str, ...]]
    moves: dict[str, tuple]
    collects: dict[str, tuple]
    capacity: dict[tuple, Profile]
    keys: dict[str, tuple]
    held: dict[tuple, Profile]
    network: Network
    pools: dict
    limits: Limits
    seed: int
    now: str
    risks: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)

    def option(self, component, pool):
        """Return the option of a component at a pool, or None."""
        return next((one for one in self.options[component] if one.pool == pool), None)


def prepare(graph, pools, links, commitments, policy, tenants, now):
    """Return the Problem. Raises Refused, with every sentence, where a component fits no pool."""
    places = {pool.id: pool for pool in sorted(pools, key=lambda one: one.id)}
    found = matrix(graph, places.values(), policy, now, tenants=tenants, links=links)
    refuse_nothing_fits(graph, found)
    deadline = deadline_s(graph.task, now)
    risks = {name: score.risk_of(pool, now) for name, pool in places.items()}
    options = {
        node.id: tuple(
            option_of(node.component, places[name], risks[name][0], deadline)
            for name in sorted(places)
            if not found[node.id][name]
        )
        for node in graph.compute
    }
    compute = set(options)
    moves, collects = {}, {}
    for node in graph.nodes:
        if node.of:
            group = moves if node.kind == "move_data" else collects
            group.setdefault(node.of, []).append(node)
    keys = _keys(places)
    limits = graph.task.constraints
    return Problem(
        graph=graph,
        matrix=found,
        order=tuple(node.id for node in graph.compute),
        units=_units(graph),
        options=options,
        needs={node.id: tuple(need for need in node.needs if need in compute) for node in graph.compute},
        moves={name: tuple(group) for name, group in moves.items()},
        collects={name: tuple(group) for name, group in collects.items()},
        capacity=_capacity(places, keys, commitments, now),
        keys=keys,
        held=_held(commitments, now),
        network=Network(links),
        pools=places,
        limits=Limits(deadline, limits.budget_fen, limits.card_s),
        seed=seed_of(graph.task),
        now=now,
        risks=risks,
    )


def seed_of(task):
    """Return a number from the task's content, whatever the order of its components."""
    plain = repr(task)  # components are sorted, and `index` is no part of repr
    return int.from_bytes(hashlib.sha256(json.dumps(plain).encode()).digest()[:8], "big")


def option_of(component, pool, risk, deadline):
    """Return the Option of a component at a pool on which it is feasible."""
    asked = component.resources
    nodes = score.nodes_of(asked, pool)
    run_s = score.run_time(component, pool, nodes).seconds
    cores = asked.cpu * nodes
    return Option(
        pool=pool.id,
        site=pool.site,
        nodes=nodes,
        cards=asked.accelerators,
        cores=cores,
        memory_mib=int(-(-(asked.memory_gib or 0) * 1024 // 1)) * nodes,
        run_s=run_s,
        wait_s=max(0, int(pool.queue.wait_s or 0)),
        wall_s=score.wall_s(run_s, pool.max_wall_s, component.max_wall_s, deadline),
        cost_fen=score.cost_fen(asked.accelerators, cores, run_s, pool.price),
        energy_wh=score.energy_wh(asked.accelerators, run_s, pool.power),
        risk=risk,
    )


def _units(graph):
    """Members of a gang as one unit, in an order in which each unit stands after what it needs."""
    gang = {node.id: node.component.gang for node in graph.compute}
    compute = {node.id: node for node in graph.compute}
    members = {}
    for name in sorted(compute):
        if gang[name]:
            members.setdefault(gang[name], []).append(name)
    found, placed = [], set()
    waiting = [node.id for node in graph.compute]
    while waiting:
        for name in waiting:
            unit = tuple(members[gang[name]]) if gang[name] else (name,)
            needs = {need for one in unit for need in compute[one].needs if need in compute}
            if needs <= placed:
                break
        found.append(unit)
        placed.update(unit)
        waiting = [name for name in waiting if name not in placed]
    return tuple(found)


def _keys(places):
    """pool → its own key, and one for each set of shared domains that covers its own."""
    sets = {}
    for name, pool in places.items():
        if pool.domains:
            sets.setdefault(frozenset(pool.domains), []).append(name)
    keys = {}
    for name, pool in places.items():
        mine = frozenset(pool.domains)
        wider = sorted(tuple(sorted(one)) for one in sets if mine and mine <= one)
        keys[name] = (("pool", name), *(("domains", one) for one in wider))
    return keys


def size_of(pool):
    """Return the pool's capacity in the four dimensions; None: not known."""
    return (score.cards_of(pool), score.cores_of(pool), score.memory_mib_of(pool), GATE)


def _capacity(places, keys, commitments, now):
    """Every key's Profile with what others take: running jobs, maintenance, commitments."""
    base = epoch(now)
    promised = {(one.run, one.component): one for one in commitments if epoch(one.end, up=True) > base}
    profiles = {("pool", name): _taken(pool, places, promised, now) for name, pool in places.items()}
    for name in sorted(places):
        for key in keys[name]:
            if key[0] == "domains" and tuple(sorted(places[name].domains)) == key[1]:
                profiles[key] = _wider(profiles.get(key), profiles[("pool", name)])
    for one in sorted(commitments, key=lambda item: (item.run, item.component, item.start)):
        need = (one.accelerators, one.cpu, one.memory_mib, 1)
        start, end = epoch(one.start) - base, epoch(one.end, up=True) - base
        for key in keys.get(one.pool, ()):
            profiles[key].add(start, end, need)
    return profiles


def _wider(old, new):
    """Return a copy of the profile with the greater capacity; equal ones report the same machines."""

    def size(profile):
        return tuple(-1 if value is None else value for value in profile.capacity)

    return new.copy() if old is None or size(new) > size(old) else old


def _taken(pool, places, promised, now):
    size = size_of(pool)
    profile = Profile(size)
    base = epoch(now)
    total = (size[0], size[1], size[2])
    free = (pool.free.accelerators, pool.free.cpu, _mib(pool.free.memory_gib))
    ours = _ours(pool, places, promised)
    left = [
        0 if whole is None or unused is None else max(0, min(whole, whole - unused) - mine)
        for whole, unused, mine in zip(total, free, (*ours, 0), strict=True)
    ]
    # Ends are kept from the latest down: where running jobs sum to more than is taken (our own are
    # among them, or the facts are stale), what is dropped is what would come free first.
    for busy in sorted(pool.running_until, key=lambda one: one.until, reverse=True):
        cards, cores = min(left[0], busy.accelerators), min(left[1], busy.cpu)
        if cards or cores:
            profile.add(0, epoch(busy.until, up=True) - base, (cards, cores, 0, 0))
            left[0] -= cards
            left[1] -= cores
    if any(left):
        end = pool.queue.wait_s or pool.max_wall_s or UNKNOWN_END_S
        profile.add(0, int(end), (*left, 0))
    for window in pool.windows:
        start, end = epoch(window.start) - base, epoch(window.end, up=True) - base
        if window.nodes is None or window.nodes >= (pool.capacity.nodes or 0):
            profile.add(start, end, (0, 0, 0, GATE))
        else:
            each = (pool.node.accelerators, pool.node.cpu, _mib(pool.node.memory_gib))
            profile.add(start, end, (*((one or 0) * window.nodes for one in each), 0))
    return profile


def _ours(pool, places, promised):
    """Return (cards, cores) of our promised work that the pool's machines show: it is counted as promised."""
    shown = {}
    mine = frozenset(pool.domains)
    for other in places.values():
        if other.id == pool.id or (mine and frozenset(other.domains) == mine):
            for one in other.ours:
                if (one.run, one.component) in promised and one.state in ("running", "starting"):
                    shown[(one.run, one.component)] = one
    return sum(o.accelerators for o in shown.values()), sum(o.cpu for o in shown.values())


def _mib(gib):
    return None if gib is None else int(gib * 1024)


def _held(commitments, now):
    """link → Profile of one copy at a time, with the promised copies in it."""
    base, found = epoch(now), {}
    for one in sorted(commitments, key=lambda item: (item.run, item.component, item.start)):
        for hop in one.hops:
            profile = found.setdefault(tuple(hop), Profile((1,)))
            profile.add(epoch(one.start) - base, epoch(one.end, up=True) - base, (1,))
    return found


def route_of(problem, move, choice):
    """Return the Route of a move_data or collect node under a choice, or None where there is no way."""
    datum = move.datum
    source = choice[datum.producer].site if datum.producer else CONTROLLER
    target = CONTROLLER if move.kind == "collect" else choice[move.of].site
    return problem.network.route(source, target)


def copies(problem, choice):
    """Return {(datum key, target): (node, Route)}: each copy once a destination; None if there is no way."""
    found = {}
    for name in problem.order:
        for node in (*problem.moves.get(name, ()), *problem.collects.get(name, ())):
            route = route_of(problem, node, choice)
            if route is None:
                return None
            if route.hops:
                found.setdefault((node.datum.key, route.hops[-1][1]), (node, route))
    return found


def copies_fen(found):
    """Return what the copies cost in fen, or None where a price is not known."""
    prices = [transfer_fen(node.datum.size, route) for node, route in found.values()]
    return None if None in prices else sum(prices)

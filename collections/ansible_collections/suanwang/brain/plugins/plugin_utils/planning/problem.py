# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be solved: options of each component, capacities over time, links, limits. All integers.

Times are whole seconds from `now`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import NamedTuple

from ...module_utils.said import say
from ...module_utils.said import words
from . import score
from .capacity import capacity
from .capacity import held
from .delays import Delay
from .delays import delay_of
from .feasible import deadline_s
from .feasible import matrix
from .feasible import No
from .network import CONTROLLER
from .network import Network
from .network import transfer_fen
from .refuse import refuse_nothing_fits
from .refuse import refuse_past_deadline
from .standing import kept_in_place
from .standing import replaced
from .standing import standing
from .timeline import human
from .timeline import Profile
from .window import Window


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
    lease_s: int = 0

    @property
    def held_s(self):
        """How long it takes its share of the pool: to its own end, or to the end of its lease."""
        return max(self.run_s, self.lease_s)

    @property
    def need(self):
        """What it takes of its pool, dimension by dimension."""
        return (self.cards, self.cores, self.memory_mib, 1, self.nodes)


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
    delays: component → pool → what keeps it from starting there at once. stands: component → pool, of what stands.
    window: when the run may start. rates: id of a copy → Mbit/s that it is held to, below its share.
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
    delays: dict[str, dict[str, Delay]] = field(default_factory=dict)
    stands: dict[str, str] = field(default_factory=dict)
    window: Window = Window()
    rates: dict[str, int] = field(default_factory=dict)

    @property
    def opens_s(self):
        """Seconds from now before which nothing starts."""
        return self.window.opens_s(self.now)

    def link(self, hop):
        """Return the Profile of a link's shares as other plans hold them; never to be changed."""
        return self.held.get(hop) or Profile((self.network.shares(hop),))

    def option(self, component, pool):
        """Return the option of a component at a pool, or None."""
        return next((one for one in self.options[component] if one.pool == pool), None)


def prepare(graph, pools, links, commitments, policy, tenants, now, moving=()):
    """Return the Problem. Raises Refused, with every sentence, where a component fits no pool.

    moving: components that somebody wants elsewhere than where they stand.
    """
    refuse_past_deadline(graph.task, now)
    places = {pool.id: pool for pool in sorted(pools, key=lambda one: one.id)}
    found = matrix(graph, places.values(), policy, now, tenants=tenants, links=links)
    where = standing(graph.task, commitments)
    kept_in_place(found, places, where, moving)
    deadline = deadline_s(graph.task, now)
    risks = {name: score.risk_of(pool, now) for name, pool in places.items()}
    able = {
        node.id: [
            option_of(node.component, places[name], risks[name][0], deadline, now)
            for name in sorted(places)
            if not found[node.id][name]
        ]
        for node in graph.compute
    }
    there = capacity(places, commitments, graph.task.tenant, now, replaced(graph.task, commitments))
    late = {name: _delays(options, places, there, now) for name, options in able.items()}
    for name, options in able.items():
        for option in options:
            found[name][option.pool] = _too_late(name, option, late[name].get(option.pool), deadline)
    refuse_nothing_fits(graph, found)
    options = {name: tuple(o for o in options if not found[name][o.pool]) for name, options in able.items()}
    compute = set(options)
    moves, collects = {}, {}
    for node in graph.nodes:
        if node.of:
            group = moves if node.kind == "move_data" else collects
            group.setdefault(node.of, []).append(node)
    limits, network = graph.task.constraints, Network(links)
    return Problem(
        graph=graph,
        matrix=found,
        order=tuple(node.id for node in graph.compute),
        units=_units(graph),
        options=options,
        needs={node.id: tuple(need for need in node.needs if need in compute) for node in graph.compute},
        moves={name: tuple(group) for name, group in moves.items()},
        collects={name: tuple(group) for name, group in collects.items()},
        capacity=there.taken,
        keys=there.keys,
        held=held(commitments, network, now),
        network=network,
        pools=places,
        limits=Limits(deadline, limits.budget_fen, limits.card_s),
        seed=seed_of(graph.task),
        now=now,
        risks=risks,
        delays=late,
        stands=where,
    )


def _delays(options, places, there, now):
    found = {option.pool: delay_of(option, places[option.pool], there, now) for option in options}
    return {name: delay for name, delay in found.items() if delay}


def _too_late(component, option, delay, deadline):
    """Return the broken rule of an option that starts too late to end by the deadline, as a tuple."""
    if delay is None or deadline is None or delay.start_s + option.run_s <= deadline:
        return ()
    ends = human(delay.start_s + option.run_s)
    sentence = say(
        "{why}, so {component} would end in {time} there, and the deadline is in {deadline} s",
        why=delay.sentence, component=component, time=ends, deadline=deadline,
    )  # fmt: skip
    return (No("deadline", sentence, "constraints", words("Set a later deadline")),)


def seed_of(task):
    """Return a number from the task's content, whatever the order of its components."""
    plain = repr(task)  # components are sorted, and `index` is no part of repr
    return int.from_bytes(hashlib.sha256(json.dumps(plain).encode()).digest()[:8], "big")


def option_of(component, pool, risk, deadline, now):
    """Return the Option of a component at a pool on which it is feasible."""
    asked = component.resources
    nodes = score.nodes_of(asked, pool)
    run_s = score.run_time(component, pool, nodes).seconds
    held_s = max(run_s, component.lease_s or 0)
    cores = asked.cpu * nodes
    return Option(
        pool=pool.id,
        site=pool.site,
        nodes=nodes,
        cards=asked.accelerators,
        cores=cores,
        memory_mib=int(-(-(asked.memory_gib or 0) * 1024 // 1)) * nodes,
        run_s=run_s,
        wait_s=_wait_s(pool, now),
        wall_s=score.wall_s(run_s, pool.max_wall_s, component.max_wall_s, deadline),
        cost_fen=score.cost_fen(asked.accelerators, cores, held_s, pool.price),
        energy_wh=score.energy_wh(asked.accelerators, held_s, pool.power),
        risk=risk,
        lease_s=component.lease_s or 0,
    )


def _wait_s(pool, now):
    """Return what a job submitted at `now` waits. Where ends are told, the wait is until the first, and runs down."""
    wait = int(pool.queue.wait_s or 0)
    return max(0, wait - (score.age_s(pool, now) or 0)) if pool.running_until else max(0, wait)


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


def route_of(problem, move, choice):
    """Return the Route of a move_data or collect node under a choice, or None where there is no way."""
    datum = move.datum
    source = choice[datum.producer].site if datum.producer else CONTROLLER
    target = CONTROLLER if move.kind == "collect" else choice[move.of].site
    route = problem.network.route(source, target)
    rate_mbps = problem.rates.get(move.id)
    if rate_mbps is None or route is None or not route.hops:
        return route
    return route._replace(kbps=min(route.kbps, rate_mbps * 1000))


def shares_mbps(problem, choice):
    """Return {id of a copy that goes over a link: Mbit/s that it may take}, whatever it is held to."""
    free = replace(problem, rates={})
    routes = {node.id: route_of(free, node, choice) for node in problem.graph.nodes if node.datum}
    return {name: max(1, route.kbps // 1000) for name, route in routes.items() if route and route.hops}


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

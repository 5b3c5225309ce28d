# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times for a choice of options: a serial list scheduler, and an exact search over its orders.

A choice (component → Option) becomes a network of activities: units of components that start together,
copies (one a datum and destination), each with what it takes over time. Serial scheduling in the order of
the start times of a best schedule gives that schedule back, because no activity of it can move left; so
searching the orders with starts that never go back is exact.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from ...module_utils.said import say
from ...module_utils.said import words
from .network import transfer_s
from .problem import copies
from .problem import copies_fen
from .problem import route_of
from .score import Objectives

# Positions that exact searches of one question may visit in all before they give up their claim.
SEARCH_NODES = 10_000


class Budget:
    """What is left of the positions to visit; counted, never timed, so that answers do not vary."""

    def __init__(self, left=SEARCH_NODES):
        self.left = left


class Activity:
    """lags: predecessor → seconds from its start. takes: (key, offset, length, need). tail: to the end."""

    __slots__ = ("ids", "length", "release", "lags", "takes", "tail")

    def __init__(self, ids, length, release):
        self.ids = ids
        self.length = length
        self.release = release
        self.lags = {}
        self.takes = []
        self.tail = length


@dataclass(frozen=True)
class Schedule:
    """choice: component → Option. times: node id → (start, end) in s. exact: finish proved least."""

    choice: dict
    times: dict[str, tuple[int, int]]
    objectives: Objectives
    bound: int
    exact: bool = False

    @property
    def signature(self):
        """The placement alone: (component, pool) in order of components."""
        return tuple((name, self.choice[name].pool) for name in sorted(self.choice))


class Network:
    """The activities of one choice, in an order in which predecessors stand first."""

    def __init__(self, problem, choice):
        self.problem = problem
        self.choice = choice
        self.opens_s = problem.opens_s
        self.copies = copies(problem, choice)
        self.possible = self.copies is not None
        self.activities = []
        self.at = {}  # component or (datum key, target) → place
        if self.possible:
            self._build()

    def _build(self):
        for unit in self.problem.units:
            before = {}
            for name in unit:
                for node in self.problem.moves.get(name, ()):
                    self._copy(node, before)
                for need in self.problem.needs[name]:
                    _later(before, self.at[need], self.choice[need].run_s)
            self._unit(unit, before)
        for name in self.problem.order:
            for node in self.problem.collects.get(name, ()):
                self._copy(node, {})
        for activity in reversed(self.activities):
            for place, lag in activity.lags.items():
                earlier = self.activities[place]
                earlier.tail = max(earlier.tail, lag + activity.tail)

    def _unit(self, unit, before):
        options = [self.choice[name] for name in unit]
        length = max(option.run_s for option in options)
        activity = Activity(unit, length, self.opens_s + max(option.wait_s for option in options))
        activity.lags = before
        if len(options) == 1:
            keys = self.problem.keys[options[0].pool]
            activity.takes = [(key, 0, options[0].held_s, options[0].need) for key in keys]
        else:
            activity.takes = self._joint(options)
        for name in unit:
            self.at[name] = len(self.activities)
        self.activities.append(activity)

    def _joint(self, options):
        """What members take together: one part for each stretch between two ends."""
        by_key, takes = {}, []
        for option in options:
            for key in self.problem.keys[option.pool]:
                by_key.setdefault(key, []).append(option)
        for key, group in by_key.items():
            start = 0
            for end in sorted({option.run_s for option in group}):
                still = [option.need for option in group if option.run_s >= end]
                takes.append((key, start, end - start, tuple(map(sum, zip(*still, strict=True)))))
                start = end
        return takes

    def _copy(self, node, before):
        """Make the copy of a move or collect unless it is there; `before` gets its lag."""
        route = route_of(self.problem, node, self.choice)
        if not route.hops:
            return
        key = (node.datum.key, route.hops[-1][1])
        if key not in self.at:
            length = transfer_s(node.datum.size, route)
            activity = Activity(key, length, self.opens_s)
            if node.datum.producer:
                producer = node.datum.producer
                activity.lags = {self.at[producer]: self.choice[producer].run_s}
            activity.takes = [(("link", hop), 0, length, (1,)) for hop in route.hops]
            self.at[key] = len(self.activities)
            self.activities.append(activity)
        _later(before, self.at[key], self.activities[self.at[key]].length)

    def floor(self):
        """Return the finish without capacities: a lower bound for this choice."""
        starts, finish = [], 0
        for activity in self.activities:
            start = activity.release
            for place, lag in activity.lags.items():
                start = max(start, starts[place] + lag)
            starts.append(start)
            finish = max(finish, start + activity.length)
        return finish

    def base(self, key):
        """Return the profile of a key as others take it; never to be changed."""
        if key[0] == "link":
            return self.problem.link(key[1])
        return self.problem.capacity[key]


def _later(before, place, lag):
    before[place] = max(before.get(place, 0), lag)


def _fit(activity, ready, profiles, network):
    """Return the least start ≥ ready at which all that it takes fits, or None."""
    start, steady = ready, False
    while not steady:
        steady = True
        for key, offset, length, need in activity.takes:
            profile = profiles.get(key)
            if profile is None:
                profile = profiles[key] = network.base(key).copy()
            found = profile.earliest(start + offset, length, need)
            if found is None:
                return None
            if found - offset > start:
                start, steady = found - offset, False
        if len(activity.takes) == 1:
            break
    return start


def _take(activity, start, profiles):
    for key, offset, length, need in activity.takes:
        profiles[key].add(start + offset, start + offset + length, need)


def decode(problem, choice, priority=None):
    """Return the Schedule of a choice, or None where it cannot be carried out.

    priority: component id → number, the greater the sooner among those that are ready; default: the
    longest way to the end.
    """
    network = Network(problem, choice)
    if not network.possible:
        return None
    starts, profiles = _serial(network, priority)
    return None if starts is None else _schedule(network, starts, profiles)


def _serial(network, priority=None):
    acts = network.activities
    waiting = [len(activity.lags) for activity in acts]
    after = [[] for _activity in acts]
    for place, activity in enumerate(acts):
        for earlier in activity.lags:
            after[earlier].append(place)

    def rank(place):
        activity = acts[place]
        if priority and isinstance(activity.ids, tuple) and activity.ids[0] in priority:
            return (-priority[activity.ids[0]], place)
        return (-activity.tail, place)

    ready = [rank(place) for place, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    starts, profiles = [None] * len(acts), {}
    while ready:
        place = heapq.heappop(ready)[1]
        activity = acts[place]
        soonest = activity.release
        for earlier, lag in activity.lags.items():
            soonest = max(soonest, starts[earlier] + lag)
        start = _fit(activity, soonest, profiles, network)
        if start is None:
            return None, None
        _take(activity, start, profiles)
        starts[place] = start
        for later in after[place]:
            waiting[later] -= 1
            if not waiting[later]:
                heapq.heappush(ready, rank(later))
    return starts, profiles


def tighten(problem, schedule, budget, below=None):
    """Return (schedule of the same choice that ends soonest, whether that is proved).

    below: only what ends before this is looked for; then `proved` says that there is nothing else.
    """
    network = Network(problem, schedule.choice)
    floor = network.floor()
    own = schedule.objectives.finish_s
    best = own if below is None else min(own, below)
    if own <= floor:
        return _as_exact(schedule), True
    if best > floor:
        search = _Search(network, best, floor, budget)
        search.go({}, {}, 0)
        if search.starts is not None:
            starts = [search.starts[place] for place in range(len(network.activities))]
            profiles = {}
            for place, activity in enumerate(network.activities):
                _fit(activity, starts[place], profiles, network)
                _take(activity, starts[place], profiles)
            schedule = _schedule(network, starts, profiles)
    proved = budget.left > 0
    whole = proved and schedule.objectives.finish_s <= best
    return (_as_exact(schedule) if whole else schedule), proved


def _as_exact(schedule):
    finish = schedule.objectives.finish_s
    return Schedule(schedule.choice, schedule.times, schedule.objectives, finish, True)


class _Search:
    """Depth first over orders whose starts never go back, cut by the bound."""

    def __init__(self, network, best, floor, budget):
        self.network = network
        self.best = best
        self.floor = floor
        self.budget = budget
        self.starts = None

    def go(self, starts, profiles, last):
        acts = self.network.activities
        if len(starts) == len(acts):
            finish = max(starts[place] + acts[place].length for place in starts)
            if finish < self.best:
                self.best, self.starts = finish, dict(starts)
            return
        able = []
        for place, activity in enumerate(acts):
            if place in starts or any(earlier not in starts for earlier in activity.lags):
                continue
            soonest = activity.release
            for earlier, lag in activity.lags.items():
                soonest = max(soonest, starts[earlier] + lag)
            start = _fit(activity, soonest, profiles, self.network)
            if start is None or start + activity.tail >= self.best:
                return
            able.append((start, -activity.tail, place))
        for start, _tail, place in sorted(able):
            if start < last or start + acts[place].tail >= self.best:
                continue
            self.budget.left -= 1
            if self.budget.left <= 0 or self.best <= self.floor:
                return
            inner = dict(profiles)
            for key, _offset, _length, _need in acts[place].takes:
                inner[key] = profiles[key].copy()
            _take(acts[place], start, inner)
            starts[place] = start
            self.go(starts, inner, start)
            del starts[place]


def _schedule(network, starts, profiles):
    problem, choice = network.problem, network.choice
    times = {}
    for name in problem.order:
        start = starts[network.at[name]]
        times[name] = (start, start + choice[name].run_s)
    for name in problem.order:
        for node in (*problem.moves.get(name, ()), *problem.collects.get(name, ())):
            times[node.id] = _copy_times(network, node, starts, times)
    return Schedule(choice, times, _objectives(network, times, profiles), network.floor())


def _copy_times(network, node, starts, times):
    """When a copy runs; a second reader at a site, and a reader beside its producer, find it there."""
    route = route_of(network.problem, node, network.choice)
    if not route.hops:
        made = times[node.datum.producer][1]
        return (made, made)
    place = network.at[(node.datum.key, route.hops[-1][1])]
    start, length = starts[place], network.activities[place].length
    first = network.copies[(node.datum.key, route.hops[-1][1])][0]
    return (start, start + length) if first.id == node.id else (start + length, start + length)


def static(problem, choice, found=None):
    """Return (cost_fen, energy_wh, risk) of a choice: what needs no times. None: no way or not known."""
    found = copies(problem, choice) if found is None else found
    if found is None:
        return None
    costs = [choice[name].cost_fen for name in problem.order] + [copies_fen(found)]
    energy = [choice[name].energy_wh for name in problem.order]
    risk = sum(choice[name].risk for name in problem.order)
    risk += sum(THIN_POINTS for _node, route in found.values() if route.thin)
    return (
        None if None in costs else sum(costs),
        None if None in energy else sum(energy),
        risk,
    )


THIN_POINTS = 3


def _objectives(network, times, profiles):
    problem, choice = network.problem, network.choice
    cost, energy, risk = static(problem, choice, network.copies)
    reasons = {reason for name in problem.order for reason in problem.risks[choice[name].pool][1]}
    for _node, route in network.copies.values():
        if route.thin:
            reasons.add(say("the link {link} is thin ({n:g} Gbit/s for us)", link=route.name, n=route.kbps / 1e6))
    unknown = []
    if cost is None:
        unknown.append(words("cost: a price is not known"))
    if energy is None:
        unknown.append(words("energy: the power of a component is not known"))
    return Objectives(
        finish_s=max((end for _start, end in times.values()), default=0),
        cost_fen=cost,
        card_s=sum(choice[name].cards * choice[name].held_s for name in problem.order),
        core_s=sum(choice[name].cores * choice[name].held_s for name in problem.order),
        energy_wh=energy,
        balance=_balance(problem, choice, times, profiles),
        risk=risk,
        risk_reasons=tuple(sorted(reasons)),
        unknown=tuple(unknown),
    )


def _balance(problem, choice, times, profiles):
    """The fullest moment of any pool used, per mille of its cards (its cores where it has none)."""
    worst = 0
    for name in problem.order:
        option = choice[name]
        dimension = 0 if option.cards else 1
        for key in machines(problem, option):
            whole = profiles[key].capacity[dimension]
            if not whole:
                return None
            start, end = times[name]
            worst = max(worst, -(-profiles[key].peak(start, end, dimension) * 1000 // whole))
    return worst


def machines(problem, option):
    """Return the keys of the machines an option runs on: its pool's, and those that pools share."""
    return [key for key in problem.keys[option.pool] if key[0] != "quota"]

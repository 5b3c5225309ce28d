# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices for many components: greedy list scheduling, descent on what adds up, seeded local search.

Budgets are counted in evaluations, never in seconds, and the seed is the task's, so that the same input
gives the same answer on a machine of any speed.
"""

from __future__ import annotations

import heapq
import random

from .decode import decode
from .decode import machines
from .decode import THIN_POINTS
from .network import CONTROLLER
from .network import transfer_fen
from .network import transfer_s
from .timeline import FOREVER

# Activities that local search may place in all: about 100 decodes of 100 components.
WORK = 40_000
# Randomised greedy runs, and by how much they disturb the priorities.
GREEDY_RUNS = 3
NOISE = 0.3


def ranks(problem):
    """Return component → least time from its start to the end of all, without copies and capacity."""
    after = {name: [] for name in problem.order}
    for name, needs in problem.needs.items():
        for need in needs:
            after[need].append(name)
        for move in problem.moves.get(name, ()):
            if move.datum.producer:
                after[move.datum.producer].append(name)
    found = {}
    for name in reversed(problem.order):
        least = min(option.run_s for option in problem.options[name])
        found[name] = least + max((found[one] for one in after[name]), default=0)
    return found


class _Greedy:
    """One pass: units by priority among those whose needs are placed; each takes its best option."""

    def __init__(self, problem, priority, judge):
        self.problem = problem
        self.priority = priority
        self.judge = judge
        self.choice, self.ends, self.profiles, self.arrived = {}, {}, {}, {}

    def run(self):
        """Return the choice, or None where a unit found no option."""
        unit_of = {name: unit for unit in self.problem.units for name in unit}
        waits, after = {}, {}
        for unit in self.problem.units:
            needs = {unit_of[one] for name in unit for one in self._before(name)}
            waits[unit] = len(needs)
            for one in needs:
                after.setdefault(one, []).append(unit)
        ready = [self._rank(unit) for unit, count in waits.items() if not count]
        heapq.heapify(ready)
        while ready:
            unit = heapq.heappop(ready)[1]
            if not self._place(unit):
                return None
            for later in after.get(unit, ()):
                waits[later] -= 1
                if not waits[later]:
                    heapq.heappush(ready, self._rank(later))
        return self.choice

    def _rank(self, unit):
        return (-max(self.priority[name] for name in unit), unit)

    def _before(self, name):
        made = {one.datum.producer for one in self.problem.moves.get(name, ())} - {None}
        return made | set(self.problem.needs[name])

    def _profile(self, key):
        profile = self.profiles.get(key)
        if profile is None:
            if key[0] == "link":
                base = self.problem.link(key[1])
            else:
                base = self.problem.capacity[key]
            profile = self.profiles[key] = base.copy()
        return profile

    def _place(self, unit):
        starts = []
        for name in unit:
            found = self._best(name)
            if found is None:
                return False
            option, start = found
            self.choice[name] = option
            starts.append(start)
            for move in self.problem.moves.get(name, ()):
                self._arrival(move, option.site, take=True)
            for key in self.problem.keys[option.pool]:
                self._profile(key).add(start, start + option.held_s, option.need)
        for name in unit:
            self.ends[name] = max(starts) + self.choice[name].run_s
        return True

    def _best(self, name):
        ready_at, best = {}, None
        for option in self.problem.options[name]:
            site = option.site
            if site not in ready_at:
                ready_at[site] = self._ready(name, site)
            ready = ready_at[site]
            if ready is None:
                continue
            if best and self.judge is by_end and max(ready, option.wait_s) + option.run_s > best[0][0]:
                continue
            start = self._fit(option, max(ready, option.wait_s))
            if start is None:
                continue
            mark = (*self.judge(self, option, start), option.pool)
            if best is None or mark < best[0]:
                best = (mark, option, start)
        return None if best is None else best[1:]

    def _ready(self, name, site):
        ready = max((self.ends[need] for need in self.problem.needs[name]), default=0)
        for move in self.problem.moves.get(name, ()):
            arrival = self._arrival(move, site)
            if arrival is None:
                return None
            ready = max(ready, arrival)
        # An output that must come home needs a way home.
        if self.problem.collects.get(name) and self.problem.network.route(site, CONTROLLER) is None:
            return None
        return ready

    def _arrival(self, move, site, take=False):
        datum = move.datum
        if (datum.key, site) in self.arrived:
            return self.arrived[(datum.key, site)]
        source = self.choice[datum.producer].site if datum.producer else CONTROLLER
        made = self.ends[datum.producer] if datum.producer else 0
        route = self.problem.network.route(source, site)
        if route is None:
            return None
        length, start, steady = transfer_s(datum.size, route), made, False
        while not steady:
            steady = True
            for hop in route.hops:
                found = self._profile(("link", hop)).earliest(start, length, (1,))
                if found > start:
                    start, steady = found, False
        if take:
            for hop in route.hops:
                self._profile(("link", hop)).add(start, start + length, (1,))
            self.arrived[(datum.key, site)] = start + length
        return start + length

    def _fit(self, option, ready):
        start, steady = ready, False
        while not steady:
            steady = True
            for key in self.problem.keys[option.pool]:
                found = self._profile(key).earliest(start, option.held_s, option.need)
                if found is None:
                    return None
                if found > start:
                    start, steady = found, False
        return start

    def fullness(self, option, start):
        """Return how full the machines get with the option at `start`, per mille."""
        dimension, found = 0 if option.cards else 1, []
        for key in machines(self.problem, option):
            profile = self._profile(key)
            peak = profile.peak(start, start + option.held_s, dimension) + option.need[dimension]
            found.append(peak * 1000 // (profile.capacity[dimension] or FOREVER))
        return max(found)


def by_end(state, option, start):
    """The option that ends soonest."""
    return (start + option.run_s, option.cost_fen or 0)


def by_balance(state, option, start):
    """The option that leaves its pool the emptiest."""
    return (state.fullness(option, start), start + option.run_s)


def greedy(problem, judge=by_end, rng=None):
    """Return the Schedule of one greedy pass, or None. rng disturbs the priorities."""
    priority = ranks(problem)
    if rng:
        priority = {name: int(value * (1 + NOISE * rng.random())) for name, value in sorted(priority.items())}
    choice = _Greedy(problem, priority, judge).run()
    return None if choice is None else decode(problem, choice)


# What one option, and what one copy, add to an objective that adds up. None: not known.
WORTH = {
    "cost": (lambda option: option.cost_fen, transfer_fen),
    "energy": (lambda option: option.energy_wh, lambda size, route: 0),
    "risk": (lambda option: option.risk, lambda size, route: THIN_POINTS if route.thin else 0),
}


def descend(problem, name, passes=4):
    """Return the choice of least cost, energy or risk found by coordinate descent; None: not known.

    Each component takes its best option given the others; copies count once a reader here, which is
    an upper estimate where two readers share a site.
    """
    own, copy = WORTH[name]
    choice = {}
    for component in problem.order:
        known = [option for option in problem.options[component] if own(option) is not None]
        if not known:
            return None
        choice[component] = min(known, key=lambda one: (own(one), one.run_s, one.pool))
    after = {}
    for component in problem.order:
        for move in problem.moves.get(component, ()):
            if move.datum.producer:
                after.setdefault(move.datum.producer, []).append(move)

    def total(component, option):
        value, network = own(option), problem.network
        if value is None:
            return (FOREVER, 0)
        links = []
        for move in problem.moves.get(component, ()):
            made = move.datum.producer
            links.append((move, choice[made].site if made else CONTROLLER, option.site))
        links += [(move, option.site, choice[move.of].site) for move in after.get(component, ())]
        links += [(node, option.site, CONTROLLER) for node in problem.collects.get(component, ())]
        for move, source, target in links:
            route = network.route(source, target)
            add = None if route is None else copy(move.datum.size, route) if route.hops else 0
            value += FOREVER if add is None else add
        return (value, option.run_s + option.wait_s)

    for _pass in range(passes):
        changed = False
        for component in problem.order:
            current = choice[component]
            best = min(problem.options[component], key=lambda o, c=component: (*total(c, o), o.pool))
            if total(component, best) < total(component, current):
                choice[component], changed = best, True
        if not changed:
            break
    return choice


def approach(problem, start, choice, allowed):
    """Return the schedule nearest to `choice` that stays `allowed`, going over from `start`.

    Components change one by one, those that gain most time by staying last.
    """
    best = start
    order = sorted(problem.order, key=lambda name: (choice[name].run_s - start.choice[name].run_s, name))
    for name in order:
        if best.choice[name] == choice[name]:
            continue
        found = decode(problem, {**best.choice, name: choice[name]})
        if found is not None and allowed(found):
            best = found
    return best


def local(problem, start, mark):
    """Return the best schedule by `mark` that seeded local search finds from `start`."""
    rng = random.Random(problem.seed)
    movable = [name for name in problem.order if len(problem.options[name]) > 1]
    best, best_mark = start, mark(start)
    per = max(1, len(best.times))
    for _turn in range(max(20, WORK // per) if movable else 0):
        late = _critical(problem, best)
        critical = [name for name in movable if name in late] or movable
        name = rng.choice(critical if rng.random() < 0.8 else movable)
        ordered = sorted(problem.options[name], key=lambda one: (one.wait_s + one.run_s, one.pool))
        # Biased to the quick ones: the square of a uniform number.
        option = ordered[int(len(ordered) * rng.random() ** 2)]
        if option == best.choice[name]:
            continue
        found = decode(problem, {**best.choice, name: option})
        if found is not None and mark(found) <= best_mark:
            best, best_mark = found, mark(found)
        if best.objectives.finish_s <= problem_floor(problem):
            break
    return best


def _critical(problem, schedule):
    """Return the components on a chain that fixes the end: what started when something else ended."""
    times = schedule.times
    ends = {}
    for name, (_start, end) in times.items():
        ends.setdefault(end, []).append(name)
    finish = max(ends)
    todo, seen = list(ends[finish]), set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(one for one in ends.get(times[name][0], ()) if one not in seen)
    return seen


def problem_floor(problem):
    """Return a lower bound of the finish: the longest way, each at its quickest option."""
    soonest, finish = {}, 0
    for name in problem.order:
        made = {one.datum.producer for one in problem.moves.get(name, ())} - {None}
        ready = max((soonest[one] for one in made | set(problem.needs[name])), default=0)
        soonest[name] = min(max(ready, option.wait_s) + option.run_s for option in problem.options[name])
        finish = max(finish, soonest[name])
    return finish

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The best schedule for one objective: exact for small problems, list scheduling and search for others.

Small: the product of options is at most EXACT_LIMIT. Every choice is decoded, and for the finish time the
orders of each choice that could still be better are searched (decode.tighten). Ties go to the other
objectives and then to the ids of pools, so that one answer is the answer.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

from .decode import Budget
from .decode import decode
from .decode import tighten
from .search import approach
from .search import by_balance
from .search import descend
from .search import greedy
from .search import GREEDY_RUNS
from .search import local
from .timeline import FOREVER

OBJECTIVES = ("finish", "cost", "energy", "balance", "risk")
FIGURE = {
    "finish": "finish_s",
    "cost": "cost_fen",
    "energy": "energy_wh",
    "balance": "balance",
    "risk": "risk",
    "card_s": "card_s",
}
EXACT_LIMIT = 2000


def value(schedule, name):
    """Return the schedule's figure for an objective, or None where it is not known."""
    return getattr(schedule.objectives, FIGURE[name])


def excess(problem, schedule):
    """Return by how much a schedule breaks the task's limits; 0: it keeps them all."""
    limits, found = problem.limits, schedule.objectives
    over = 0
    if limits.deadline_s is not None:
        over += max(0, found.finish_s - limits.deadline_s)
    if limits.budget_fen is not None:
        # A cost that is not known keeps no budget.
        cost = found.cost_fen if found.cost_fen is not None else limits.budget_fen + 1
        over += max(0, cost - limits.budget_fen)
    if limits.card_s is not None:
        over += max(0, found.card_s - limits.card_s)
    return over


def mark(problem, schedule, name):
    """Return the key that orders schedules for an objective: limits first, ids of pools last."""
    rest = ("finish", "cost", "energy", "risk", "balance", "card_s")
    figures = [value(schedule, one) for one in (name, *rest)]
    known = [FOREVER if figure is None else figure for figure in figures]
    return (excess(problem, schedule), *known, schedule.signature)


def is_small(problem):
    """Return whether every choice can be looked at."""
    return math.prod(len(options) for options in problem.options.values()) <= EXACT_LIMIT


def every(problem):
    """Return the schedules of all choices that can be carried out."""
    names = sorted(problem.options)
    found = []
    for options in itertools.product(*(problem.options[name] for name in names)):
        schedule = decode(problem, dict(zip(names, options, strict=True)))
        if schedule is not None:
            found.append(schedule)
    return found


def solve(problem, objective, known=None):
    """Return the best Schedule found for an objective, or None: nothing can be placed, or not known.

    objective: finish | cost | energy | balance | risk | card_s. known: schedules found before, which save
    work (for a small problem all of `every`). A schedule that breaks a limit is returned only where none
    was found that keeps all: see `excess`.
    """
    if is_small(problem):
        return _small(problem, objective, every(problem) if known is None else known)
    return _large(problem, objective, known or ())


def _small(problem, objective, known):
    usable = [one for one in known if value(one, objective) is not None]
    if not usable:
        return None
    if objective == "finish":
        return _soonest(problem, usable)
    limit, budget = problem.limits.deadline_s, Budget()
    best = None
    for schedule in sorted(usable, key=lambda one: mark(problem, one, objective)[1:]):
        late = limit is not None and schedule.objectives.finish_s > limit
        found = schedule
        if late and schedule.bound <= limit:
            found, _proved = tighten(problem, schedule, budget)
        if best is None or mark(problem, found, objective) < mark(problem, best, objective):
            best = found
        if not excess(problem, best) and objective != "balance":
            break  # the next ones are no better: these figures do not depend on times
    tight, _proved = tighten(problem, best, budget)
    return min(tight, best, key=lambda one: mark(problem, one, objective))


def _soonest(problem, usable):
    """Branch over choices, least bound first: stop when no bound is below the best finish."""
    best = min(usable, key=lambda one: mark(problem, one, "finish"))
    budget, proved = Budget(), True
    for schedule in sorted(usable, key=lambda one: (one.bound, one.signature)):
        least = best.objectives.finish_s
        if schedule.bound >= least and not excess(problem, best):
            break
        # A plan within the budget may end later than one that is not: then all of its orders count.
        below = None if excess(problem, best) else least
        found, done = tighten(problem, schedule, budget, below)
        proved = proved and done
        if mark(problem, found, "finish") < mark(problem, best, "finish"):
            best = found
    return dataclasses.replace(best, exact=proved)


def _large(problem, objective, known):
    def order(schedule):
        return mark(problem, schedule, objective)

    found = [one for one in known if value(one, objective) is not None]
    if objective == "finish":
        rng = random.Random(problem.seed)
        runs = [greedy(problem)] + [greedy(problem, rng=rng) for _run in range(GREEDY_RUNS)]
        found += [one for one in runs if one is not None]
        return local(problem, min(found, key=order), order) if found else None
    if objective == "balance":
        found.append(greedy(problem, by_balance))
    elif objective in ("cost", "energy", "risk"):
        choice = descend(problem, objective)
        if choice is None:
            return min(found, key=order, default=None)
        straight = decode(problem, choice)
        found.append(straight)
        if known and (straight is None or excess(problem, straight)):
            start = min(known, key=lambda one: mark(problem, one, "finish"))
            found.append(approach(problem, start, choice, lambda one: not excess(problem, one)))
    found = [one for one in found if one is not None and value(one, objective) is not None]
    return min(found, key=order, default=None)

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals: one to five different ways to carry out a task, with labels, reasons and what each loses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ...module_utils.errors import Invalid
from ...module_utils.said import join
from ...module_utils.said import say
from ...module_utils.said import words
from . import solve
from .delays import on_links
from .expand import expand
from .expand import level_of
from .network import ASSUMED_SIZE
from .network import transfer_s
from .problem import prepare
from .problem import route_of
from .refuse import refuse_limits
from .refuse import refuse_together
from .refuse import rejected
from .score import Objectives
from .score import run_time
from .score import wall_s
from .sentences import at_field
from .timeline import human

# label → objective, in the order in which proposals are shown.
LABELS = {
    "fastest": "finish",
    "cheapest": "cost",
    "greenest": "energy",
    "balanced": "balance",
    "safest": "risk",
}
# How much later than the fastest the greenest, the most balanced and the safest may end, per cent of its
# length. The cheapest may take the time it needs, up to the deadline: waiting for money is an old trade.
PATIENCE_PCT = 175
# Two proposals are the same to a person where no figure differs by more than this (per cent) …
NEAR_PCT = 2
# … or by more than this in its own unit: s, fen, Wh, per mille, points.
NEAR = {"finish": 1, "cost": 1, "energy": 1, "balance": 20, "risk": 2}


@dataclass(frozen=True)
class Placement:
    """One component of a proposal in time. Seconds from the start of the run, end exclusive.

    site: where it runs; of a copy, where it arrives. pool: None for a copy. link:
    ``controller->hunan`` or None. rate_mbps: our share, None without a link.
    """

    component: str
    kind: str
    pool: str | None
    site: str
    nodes: int
    accelerators: int
    start_s: int
    end_s: int
    wall_s: int
    link: str | None = None
    rate_mbps: int | None = None


@dataclass(frozen=True)
class Context:
    """What proposals were reckoned from, to reckon edits from the same."""

    task: object
    facts: object
    pools: tuple
    links: tuple
    commitments: tuple
    policy: dict
    tenants: dict | None
    now: str


@dataclass(frozen=True)
class Proposal:
    """placements: in order of start. reasons, loses: sentences against the others.

    schedule, problem: what revise and plan go on from. prefer: the objective that orders fallback pools.
    """

    labels: tuple[str, ...]
    placements: tuple[Placement, ...]
    objectives: Objectives
    reasons: tuple[str, ...]
    loses: tuple[str, ...]
    notes: tuple[str, ...]
    prefer: str
    schedule: object
    problem: object

    @property
    def label(self):
        """The first label, or ``revised``."""
        return self.labels[0] if self.labels else "revised"


@dataclass(frozen=True)
class Proposals:
    """rejected: {component: {pool: (No, ...)}}, with () where all is well. sentences, waits: as rows.

    delays: {component: {pool: Delay}} of the pools that fit, but not at once.
    """

    proposals: tuple[Proposal, ...]
    rejected: dict
    delays: dict
    notes: tuple[str, ...]
    context: Context

    @property
    def sentences(self):
        """Every "no" as a row {component, pool, rule, sentence}."""
        return rejected(self.rejected)

    @property
    def waits(self):
        """Every delay as a row {component, pool, rule, sentence}."""
        return [
            {"component": name, "pool": pool, "rule": one.rule, "sentence": one.sentence}
            for name in sorted(self.delays)
            for pool, one in sorted(self.delays[name].items())
            if not self.rejected[name][pool]
        ]


def propose(task, facts, pools, links, commitments, policy, tenants, now):
    """Return the Proposals of a Task.

    facts: task.Facts. pools, links: records. commitments: problem.Commitment. policy, tenants: the
    mappings of their files (tenants None: not checked). now: RFC 3339. Raises Refused with every
    sentence where nothing can be placed, Invalid or Corrupt for what is wrong with the files.
    """
    context = Context(task, facts, tuple(pools), tuple(links), tuple(commitments), policy, tenants, now)
    problem = prepare(expand(task, facts), pools, links, commitments, policy, tenants, now)
    best = _solve(problem)
    kept = {name: one for name, one in best.items() if one and not solve.excess(problem, one)}
    if not kept:
        _refuse(problem, best)
    chosen = _different(kept)
    holders, notes = _labels(chosen)
    made = [(tuple(label for label, holder in holders.items() if holder is schedule), schedule) for schedule in chosen]
    made = [(labels, schedule) for labels, schedule in made if labels]
    made = sorted(made, key=lambda one: _order(task, made, one))
    proposals = tuple(_proposal(problem, labels, schedule, made) for labels, schedule in made)
    return Proposals(proposals, problem.matrix, problem.delays, notes, context)


def pick(proposals, label):
    """Return the proposal that holds the label, or of that number from 1. Raises Invalid."""
    word = str(label).strip().lower()
    for number, one in enumerate(proposals.proposals, 1):
        if word in one.labels or word == str(number):
            return one
    names = ", ".join(name for one in proposals.proposals for name in one.labels)
    raise Invalid(
        at_field("pick", say("there is no proposal {label}.", label=label)),
        way_out=say("Take one of: {names}.", names=names),
        details={"field": "pick"},
    )


def _solve(problem):
    """Return {objective: Schedule or None}."""
    small = solve.is_small(problem)
    known = solve.every(problem) if small else None
    fastest = solve.solve(problem, "finish", known)
    if fastest is None:
        return {}
    patient = _within(problem, PATIENCE_PCT * fastest.objectives.finish_s // 100)
    found = {"finish": fastest}
    for name in list(LABELS.values())[1:]:
        mine = problem if name == "cost" else patient
        found[name] = solve.solve(mine, name, known if small else _some(found))
    if small:
        return found
    # Each candidate may serve another objective better than the one it was made for.
    for name in found:
        mine = problem if name in ("finish", "cost") else patient
        able = [one for one in _some(found) if solve.value(one, name) is not None]
        found[name] = min(able, key=lambda one, n=name, m=mine: solve.mark(m, one, n), default=None)
    return found


def _some(found):
    return [one for one in found.values() if one]


def _within(problem, finish_s):
    """Return the problem with that deadline where it has no nearer one."""
    limits = problem.limits
    nearer = min(finish_s, finish_s if limits.deadline_s is None else limits.deadline_s)
    return dataclasses.replace(problem, limits=dataclasses.replace(limits, deadline_s=nearer))


def _refuse(problem, best):
    if not best:
        refuse_together(problem)
    figures = {name: one.objectives for name, one in best.items() if one}
    spare = solve.solve(problem, "card_s", _some(best))
    figures.setdefault("cost", figures["finish"])
    figures["card_s"] = spare.objectives if spare else figures["finish"]
    told = [one.sentence for name in sorted(problem.delays) for _pool, one in sorted(problem.delays[name].items())]
    refuse_limits(problem.graph.task, figures, told)


def near(one, other, name):
    """Return whether two figures of an objective are the same to a person; None only equals None."""
    if one is None or other is None:
        return one is other
    gap = abs(one - other)
    return gap <= NEAR[name] or gap * 100 <= NEAR_PCT * max(abs(one), abs(other))


def _different(best):
    """The best of each objective, unless one chosen before is as good to a person, or is the same."""
    chosen = []
    for name in LABELS.values():
        schedule = best.get(name)
        if schedule is None:
            continue
        figure = solve.value(schedule, name)
        if any(near(solve.value(one, name), figure, name) for one in chosen):
            continue
        if any(one.signature == schedule.signature for one in chosen):
            continue
        if any(_same(one, schedule) for one in chosen):
            continue
        chosen.append(schedule)
    return chosen


def _same(one, other):
    return all(near(solve.value(one, name), solve.value(other, name), name) for name in LABELS.values())


def _labels(chosen):
    """Return ({label: its schedule}, notes). A label only where every one's figure is known."""
    holders, notes = {}, []
    for label, name in LABELS.items():
        if any(solve.value(one, name) is None for one in chosen):
            why = sorted({why for one in chosen for why in one.objectives.unknown})
            here = [text for text in why if text.startswith(name)] or [say("{figure}: not known", figure=words(name))]
            notes.append(say("no proposal is called {label}: {why}", label=words(label), why=join("; ", here)))
            continue
        rest = [one for one in LABELS.values() if one != name]
        holders[label] = min(
            chosen,
            key=lambda one, n=name, r=rest: (
                solve.value(one, n),
                *(solve.value(one, other) or 0 for other in r),
                one.signature,
            ),
        )
    return holders, tuple(notes)


def _order(task, made, one):
    """Place among the proposals: by the task's weights where it has any, else by label."""
    labels, schedule = one
    weight = 0
    for name, factor in task.weights.items():
        figures = [solve.value(other, name) for _labels, other in made]
        if factor and None not in figures and min(figures) > 0:
            weight += int(factor * 1000 * solve.value(schedule, name) / min(figures))
    return (weight, list(LABELS).index(labels[0]))


def _proposal(problem, labels, schedule, made):
    others = [(names, other) for names, other in made if other is not schedule]
    return Proposal(
        labels=labels,
        placements=placements(problem, schedule),
        objectives=schedule.objectives,
        reasons=_reasons(problem, labels, schedule, others),
        loses=_loses(schedule, others),
        notes=assumptions(problem, schedule),
        prefer=LABELS[labels[0]],
        schedule=schedule,
        problem=problem,
    )


def placements(problem, schedule):
    """Return the Placements of a schedule, by start, then in the order of the graph."""
    rows = []
    for place, node in enumerate(problem.graph.nodes):
        start, end = schedule.times[node.id]
        if node.component:
            option = schedule.choice[node.id]
            row = Placement(
                node.id, node.kind, option.pool, option.site, option.nodes, option.cards,
                start, end, option.wall_s,
            )  # fmt: skip
        else:
            route = route_of(problem, node, schedule.choice)
            site = "controller" if node.kind == "collect" else schedule.choice[node.of].site
            length = transfer_s(node.datum.size, route)
            share = max(1, route.kbps // 1000) if route.hops else None
            row = Placement(node.id, node.kind, None, site, 0, 0, start, end, wall_s(length), route.name, share)
        rows.append((start, place, row))
    return tuple(row for _start, _place, row in sorted(rows, key=lambda one: one[:2]))


def assumptions(problem, schedule):
    """Return what had to be assumed, as sentences."""
    found = []
    for node in problem.graph.nodes:
        if node.component:
            option = schedule.choice[node.id]
            run = run_time(node.component, problem.pools[option.pool], option.nodes)
            found += [say("{component}: {note}", component=node.id, note=note) for note in run.notes]
            if not level_of(node, problem.graph)[1]:
                found.append(say("{component}: a data level is not stated; it counts as internal", component=node.id))
            continue
        route = route_of(problem, node, schedule.choice)
        if route.hops and node.datum.size is None:
            mib = ASSUMED_SIZE >> 20
            text = say("the size of {datum} is not known; {mib} MiB assumed", datum=node.datum.key, mib=mib)
            found.append(say("{component}: {note}", component=node.id, note=text))
        if route.hops and not route.rate_known:
            found.append(say("the rate of {link} is not known; 100 Mbit/s assumed", link=route.name))
    return tuple(dict.fromkeys(found))


_TOLD = {
    "finish": lambda seconds: say("ends in {time}", time=human(seconds)),
    "cost": lambda fen: say("costs {money}", money=f"¥{fen / 100:.2f}"),
    "energy": lambda wh: say("takes {n} Wh", n=wh),
    "balance": lambda per_mille: say("fills its fullest pool to {n:g} %", n=per_mille / 10),
    "risk": lambda points: say("carries {n} risk points", n=points),
}


def told(name, figure):
    """Return a figure as words: ``costs ¥0.19``."""
    return _TOLD[name](figure)


def _reasons(problem, labels, schedule, others):
    found = []
    for label in labels:
        name = LABELS[label]
        mine = solve.value(schedule, name)
        theirs = [(solve.value(other, name), names[0]) for names, other in others]
        worse = min(((figure, who) for figure, who in theirs if figure > mine), default=None)
        text = say("{label}: {figure}", label=words(label), figure=told(name, mine))
        if worse:
            other, figure = words(worse[1]), told(name, worse[0])
            text = say("{sentence}, the next ({other}) {figure}", sentence=text, other=other, figure=figure)
        elif others:
            text = say("{sentence}, and so do the others", sentence=text)
        found.append(text)
    for name in problem.order:
        option = schedule.choice[name]
        cards = problem.pools[option.pool].accelerator
        known = {
            "name": name,
            "pool": option.pool,
            "time": human(option.run_s),
            "others": _others(problem, name, option),
        }
        if option.cards and cards:
            known |= {"n": option.cards, "card": cards.model}
            found.append(say("{name} runs on {n} {card} at {pool} for {time}; {others}", **known))
        else:
            found.append(say("{name} runs at {pool} for {time}; {others}", **known))
        delay = problem.delays[name].get(option.pool)
        if delay:
            found.append(say("{name} waits: {why}", name=name, why=delay.sentence))
        found += on_links(problem, name, option)
    return tuple(found)


def _others(problem, name, option):
    """Return what the pools that were not taken could do, and what keeps the soonest of the late ones."""
    rest = [pool for pool, nos in problem.matrix[name].items() if not nos and pool != option.pool]
    late = {pool: problem.delays[name][pool] for pool in rest if pool in problem.delays[name]}
    at_once = len(rest) - len(late)
    if not rest:
        return words("no other pool can")
    said = []
    if at_once:
        said.append(say("{n} other pool could", n=1) if at_once == 1 else say("{n} other pools could", n=at_once))
    if late:
        first = min(late.values(), key=lambda one: (one.start_s, one.sentence))
        why = first.sentence
        only = say("{n} other only later: {why}", n=1, why=why)
        said.append(only if len(late) == 1 else say("{n} others only later: {why}", n=len(late), why=why))
    return join(", ", said)


def _loses(schedule, others):
    found = []
    for label, name in LABELS.items():
        mine = solve.value(schedule, name)
        known = [(solve.value(other, name), names[0]) for names, other in others]
        known = [(figure, who) for figure, who in known if figure is not None]
        if mine is None:
            if known:
                found.append(
                    say("its {figure} is not known, that of {other} is", figure=words(name), other=words(known[0][1]))
                )
            continue
        best = min(known, default=None)
        if best and best[0] < mine:
            figure, other, least = told(name, mine), words(best[1]), told(name, best[0])
            found.append(
                say("not {label}: {figure}, {other} {best}", label=words(label), figure=figure, other=other, best=least)
            )
    return tuple(found)

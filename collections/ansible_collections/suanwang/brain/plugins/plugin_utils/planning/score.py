# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a component takes at a pool: run time, cards, cores, money, energy, risk; and a plan's objectives.

The model. `duration_s` holds as it is. `accelerator_hours` on a reference model are divided by the cards,
by the ratio of peak FP16 figures (catalogue.py) and by NODE_EFFICIENCY for every doubling of nodes.
`pflop` is divided by the peak and PFLOP_EFFICIENCY. An unknown speed counts as the reference's, noted as
an assumption; it blocks work given in pflop. Whole seconds, fen and Wh, each rounded up once an option.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

from ...module_utils.said import say
from ...module_utils.said import words
from . import catalogue
from .timeline import epoch

# Assumed, to be corrected by observed runs: what one doubling of nodes leaves of perfect scaling.
NODE_EFFICIENCY = Fraction(95, 100)
# The compute efficiency that Ascend MindStudio Modeling starts from ("to be calibrated").
PFLOP_EFFICIENCY = Fraction(7, 10)
# Where a task says nothing of its work.
ASSUMED_RUN_S = 3600
# What a cloud takes to start a machine, where nobody has measured it.
MACHINE_START_S = 60
# What a service takes until its copies answer, where nobody has measured it.
SERVICE_START_S = 60
ALARM_POINTS = {"critical": 100, "major": 20, "minor": 5, "warning": 2, "info": 0}


@dataclass(frozen=True)
class Run:
    """seconds None: cannot be reckoned, and `why` says so. notes: assumptions, as sentences."""

    seconds: int | None
    notes: tuple[str, ...] = ()
    why: str | None = None


@dataclass(frozen=True)
class Objectives:
    """What a proposal is judged by; less is better. None: a fact is missing, and `unknown` says which.

    balance: the fullest moment of any pool used, per mille. risk: points, with their reasons.
    """

    finish_s: int
    cost_fen: int | None
    card_s: int
    core_s: int
    energy_wh: int | None
    balance: int | None
    risk: int
    risk_reasons: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def plain(self):
        """Return the seven figures as a dict."""
        return {name: getattr(self, name) for name in FIGURES}


FIGURES = ("finish_s", "cost_fen", "card_s", "core_s", "energy_wh", "balance", "risk")


def nodes_of(resources, pool):
    """Return the number of nodes: as asked, else the least over which the cards divide evenly."""
    if resources.nodes:
        return resources.nodes
    cards, each = resources.accelerators, pool.node.accelerators
    if not cards or not each:
        return 1
    return next(count for count in range(-(-cards // each), cards + 1) if cards % count == 0)


def run_time(component, pool, nodes):
    """Return the Run of a component on a pool: of what stays, until it is there."""
    if component.kind == "provision":
        return Run(MACHINE_START_S, (say("a machine is taken to start within {n} s", n=MACHINE_START_S),))
    if component.kind == "serve":
        return Run(SERVICE_START_S, (say("a service is taken to answer within {n} s", n=SERVICE_START_S),))
    return _run_time(
        component.work,
        component.max_wall_s,
        component.resources.accelerators,
        nodes,
        pool.accelerator,
    )


@functools.lru_cache(maxsize=65536)
def _run_time(work, max_wall_s, cards, nodes, accelerator):
    if work is None:
        seconds = max_wall_s or ASSUMED_RUN_S
        return Run(seconds, (say("the task says nothing of its work: {n} s assumed", n=seconds),))
    if work.duration_s is not None:
        return Run(work.duration_s)
    doublings = max(0, nodes - 1).bit_length()
    rate = max(1, cards) * NODE_EFFICIENCY**doublings
    name = accelerator.model if accelerator else None
    if work.pflop is not None:
        peak = _peak(accelerator)
        if peak is None:
            return Run(
                None, why=say("the speed of {card} is not known, and the work is given in pflop", card=name or "CPU")
            )
        operations = Fraction(str(work.pflop)) * 1000
        return Run(_whole(operations / (rate * peak * PFLOP_EFFICIENCY)))
    seconds = Fraction(str(work.accelerator_hours)) * 3600 / rate
    ratio = _ratio(accelerator, work.on)
    if ratio is None:
        note = say("how fast {card} is against {other} is not known: reckoned as equal", card=name, other=work.on)
        return Run(_whole(seconds), (note,))
    return Run(_whole(seconds / ratio))


def _whole(value):
    return max(1, math.ceil(value))


def _peak(accelerator):
    """Return TFLOPS of one card: the pool's own figure, else the catalogue's."""
    if accelerator is None:
        return None
    figure = accelerator.tflops_fp16
    if not figure:
        known = catalogue.model(accelerator.model)
        figure = known.tflops_fp16 if known else None
    return Fraction(str(figure)) if figure else None


def _ratio(accelerator, reference):
    if accelerator is None:
        return None
    if accelerator.model == reference:
        return Fraction(1)
    known = catalogue.model(reference)
    ours = _peak(accelerator)
    if not (ours and known and known.tflops_fp16):
        return catalogue.speed(accelerator.model, reference)
    return ours / Fraction(str(known.tflops_fp16))


def cost_fen(cards, cores, seconds, price):
    """Return fen, rounded up, or None where a price that is needed is not known."""
    total = Fraction(0)
    for amount, each in ((cards, price.accelerator_fen_h), (cores, price.cpu_fen_h)):
        if amount:
            if each is None:
                return None
            total += amount * Fraction(str(each))
    return math.ceil(total * seconds / 3600)


def energy_wh(cards, seconds, power):
    """Return Wh of the cards with the site's PUE, rounded up, or None. Cores have no known figure."""
    if not cards or power.accelerator_w is None or power.pue is None:
        return None
    watts = Fraction(str(power.accelerator_w)) * Fraction(str(power.pue))
    return math.ceil(cards * watts * seconds / 3600)


def age_s(pool, now):
    """Return how old the pool's facts are at `now` (RFC 3339), in seconds, or None if never seen."""
    return None if pool.seen.at is None else max(0, epoch(now) - epoch(pool.seen.at))


def state_of(pool, now):
    """Return the pool's state reckoned anew at `now`: live | partial | stale | lost | drained."""
    age = age_s(pool, now)
    if pool.seen.state == "drained":
        return "drained"
    if age is None or pool.seen.state == "lost" or age > pool.lost_after_s:
        return "lost"
    return pool.seen.state


def risk_of(pool, now):
    """Return (points, reasons) of placing one component on the pool.

    Points: stale 30, partial 10, a minute of age 1 (20 at most), alarms 20/5/2 by severity, a queue
    whose wait is not known 5, unknown size 5.
    """
    found = []
    age = age_s(pool, now) or 0
    state = state_of(pool, now)
    if state in ("stale", "partial"):
        found.append(
            (30 if state == "stale" else 10, say("facts of {pool} are {state}", pool=pool.id, state=words(state)))
        )
    if age >= 60:
        found.append((min(20, age // 60), say("facts of {pool} are {n} min old", pool=pool.id, n=age // 60)))
    for alarm in sorted(pool.alarms, key=lambda one: one.id):
        points = ALARM_POINTS.get(alarm.severity, 2)
        if points:
            kind = words(alarm.severity)
            told = say("{pool} has a {severity} alarm: {alarm}", pool=pool.id, severity=kind, alarm=alarm.name)
            found.append((points, told))
    if pool.queue.pending and pool.queue.wait_s is None:
        waiting = say("{n} jobs wait at {pool}, how long is not known", n=pool.queue.pending, pool=pool.id)
        found.append((5, waiting))
    if cards_of(pool) is None and pool.accelerator:
        found.append((5, say("how many cards {pool} has is not known", pool=pool.id)))
    return sum(points for points, _reason in found), tuple(reason for _points, reason in found)


def cards_of(pool):
    """Return the cards of the whole pool, or None where not known; 0 where it has none."""
    if pool.capacity.accelerators is not None:
        return pool.capacity.accelerators
    return pool.accelerator.count if pool.accelerator else 0


def cores_of(pool):
    """Return the cores of the whole pool, or None."""
    return _whole_pool(pool.capacity.cpu, pool.node.cpu, pool.capacity.nodes)


def memory_mib_of(pool):
    """Return the memory of the whole pool in MiB, or None."""
    gib = _whole_pool(pool.capacity.memory_gib, pool.node.memory_gib, pool.capacity.nodes)
    return None if gib is None else int(gib * 1024)


def _whole_pool(total, each, nodes):
    if total is not None:
        return total
    return None if each is None or nodes is None else each * nodes


def wall_s(run_s, *limits):
    """Return the wall limit asked for: three times the run time and 300 s, within the known limits.

    Three: peak figures are a coarse model of speed; 300 s: start-up and reading data. Never below the run
    time itself.
    """
    known = [limit for limit in limits if limit is not None]
    return max(run_s, min([3 * run_s + 300, *known]))

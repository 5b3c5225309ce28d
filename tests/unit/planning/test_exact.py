# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random cases: an independent judge finds no fault, and the finish time is the brute force's."""

from __future__ import annotations

import dataclasses
import random

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Busy
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Link
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Ours
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Power
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Price
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Queue
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Quota
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Window
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.revise import revise
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.timeline import epoch
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.timeline import stamp
from tests.unit.planning import judge
from tests.unit.planning import world

# kbit/s for us: nine tenths of links of 5, 10 and 20 Mbit/s, so that 1 MiB takes 2, 1 and 1 s.
RATES = (4500, 9000, 18000)
MB = 1 << 20
SMALL = range(300)
#: Cases too large to look at every choice: list scheduling and search, which the judge has to approve of too.
LARGE = range(1000, 1030)


def make(seed):
    """Return (case for the judge, document, pools, links, commitments) of one random case."""
    dice = random.Random(seed)
    sites = ["s1", "s2"]
    places = {}
    large = seed in LARGE
    for number in range(4 if large else dice.choice([2, 3])):
        places[f"p{number}"] = _place(dice, sites[number % 2], f"m{number}")
    if dice.random() < 0.3 and "p2" in places:  # two pools on the same machines
        shared = {key: places["p0"][key] for key in ("cards", "cores", "machines", "busy")}
        places["p2"] |= shared
    pairs = [(a, b) for a in ("controller", *sites) for b in ("controller", *sites) if a != b]
    links = {p: dice.choice(RATES) for p in pairs if "controller" in p or dice.random() < 0.7}
    taken = {}
    if dice.random() < 0.3:
        start = dice.randrange(0, 3)
        taken[("controller", "s1")] = [(start, start + dice.randrange(1, 4))]
    case = {
        "pools": places,
        "components": _components(dice, 8 if large else dice.choice([2, 3, 3, 4])),
        "links": links,
        "fen_gib": {pair: dice.choice([0, 800, 4000]) for pair in links},
        "taken": taken,
        "quota": _quota(dice, places),
        "deadline": dice.randrange(6, 30) if dice.random() < 0.25 else None,
        "budget": None,
    }
    if dice.random() < 0.25:
        case["budget"] = int(judge.least_cost(case) * dice.choice([0.9, 1, 1.2, 1.5])) if not large else None
    return case, *_world(case, dice)


def _place(dice, site, machines):
    cards = dice.choice([1, 2, 3])
    busy = [(0, dice.randrange(1, 7), dice.randrange(1, cards + 1))] if dice.random() < 0.4 else []
    free = cards - sum(one[2] for one in busy)
    held = []
    if free and dice.random() < 0.3:
        start = dice.choice([0, 0, 2])
        held = [(start, start + dice.randrange(1, 6), dice.randrange(1, free + 1))]
    start = dice.randrange(0, 6)
    return {
        "site": site,
        "machines": machines,
        "cards": cards,
        "cores": dice.choice([3, 4, 8]),
        "wait": dice.choice([0, 0, 0, 3]),
        "price": dice.choice([36_000, 50_400, 72_000]),
        "watts": dice.choice([3600, 5400]),
        "busy": busy,
        "held": held,
        "shut": [(start, start + dice.randrange(1, 4))] if dice.random() < 0.25 else [],
    }


def _quota(dice, places):
    """Sometimes a limit of cards at a site, part of it used until the last of the site's running jobs ends."""
    found = {}
    for site in {facts["site"]: None for facts in places.values()}:
        ends = [span[1] for facts in places.values() if facts["site"] == site for span in facts["busy"]]
        if dice.random() < 0.3:
            found[site] = {
                "limit": dice.choice([2, 3]),
                "used": dice.choice([0, 1]) if ends else 0,
                "until": max(ends, default=0),
            }
    return found


def _components(dice, count):
    components = {}
    size = dice.choice([1, 3]) * MB
    for number in range(count):
        name = f"c{number}"
        reads, out = [], f"out_{name}"
        if dice.random() < 0.4:
            reads.append((f"in_{name}", None, size))
        for earlier in [c for c in components if dice.random() < 0.4][:1]:
            reads.append((f"x{number}_{earlier}", earlier, components[earlier]["makes"][f"out_{earlier}"]))
        components[name] = {
            "run_s": dice.randrange(1, 7),
            "cards": dice.choice([1, 1, 2]),
            "cores": dice.choice([1, 1, 2, 3]),
            "reads": reads,
            "makes": {out: dice.choice([1, 2, 4]) * MB},
            "home": [out] if dice.random() < 0.3 else [],
        }
    free = [n for n in components if not any(one[1] for one in components[n]["reads"])]
    read = {one[1] for item in components.values() for one in item["reads"]}
    pair = [name for name in free if name not in read][:2]
    if len(pair) == 2 and dice.random() < 0.5:
        for name in pair:
            components[name]["gang"] = "together"
    return components


def _world(case, dice):
    now = epoch(world.NOW)
    pools, promised = [], []
    for name, facts in case["pools"].items():
        shown = []
        for number, (start, end, cards) in enumerate(facts["held"]):
            one = Commitment("r", f"{name}h{number}", stamp(now + start), stamp(now + end), name, cards, 0)
            promised.append(one)
            if start == 0 and dice.random() < 0.5:  # the platform shows it already: it is not to count twice
                shown.append(Ours("r", one.component, "running", cards))
        used = sum(c for _s, _e, c in facts["busy"]) + sum(one.accelerators for one in shown)
        quota = case["quota"].get(facts["site"])
        pools.append(
            dataclasses.replace(
                world.pool(),
                id=name,
                site=facts["site"],
                domains=(facts["machines"],),
                capacity=Capacity(1, facts["cores"], 64, facts["cards"]),
                free=Capacity(1, facts["cores"], 64, facts["cards"] - used),
                node=Capacity(1, facts["cores"], 64, facts["cards"]),
                queue=Queue(0, 0, facts["wait"]),
                running_until=(
                    *(Busy(stamp(now + end), cards, nodes=1) for _start, end, cards in facts["busy"]),
                    # Ours may run as long as it asked for, which is longer than planned.
                    *(Busy(stamp(now + 50), one.accelerators) for one in shown),
                ),
                ours=tuple(shown),
                windows=tuple(Window(stamp(now + start), stamp(now + end)) for start, end in facts["shut"]),
                quota=(Quota("accelerators", quota["limit"], quota["used"]),) if quota else (),
                price=Price(facts["price"], 0),
                power=Power(facts["watts"], 0, 1),
                seen=Seen(world.NOW, "x", "live"),
            )
        )
    # Machines that two pools share show what runs on them in both, however it came there.
    for place, pool in enumerate(tuple(pools)):
        twins = [one for one in pools if one.domains == pool.domains and one.id != pool.id]
        extra = sum(one.accelerators for twin in twins for one in twin.ours)
        free = dataclasses.replace(pool.free, accelerators=max(0, pool.free.accelerators - extra))
        pools[place] = dataclasses.replace(pool, free=free)
    # The planner takes nine tenths of a rate; the case holds what is left.
    links = tuple(Link(a, b, rate / 900_000, 0, case["fen_gib"][a, b]) for (a, b), rate in case["links"].items())
    promised += [
        Commitment("r", f"k{n}", stamp(now + span[0]), stamp(now + span[1]), hops=(link,))
        for link, spans in case["taken"].items()
        for n, span in enumerate(spans)
    ]
    components = []
    for name, item in case["components"].items():
        inputs = [
            {"name": data, "from": f"{producer}.out_{producer}"}
            if producer
            else {"name": data, "uri": "home.bin", "size": size, "sha256": "d" * 64}
            for data, producer, size in item["reads"]
        ]
        outputs = [
            {"name": out, "path": "o", "size_mib": size / (1 << 20), "collect": out in item["home"]}
            for out, size in item["makes"].items()
        ]
        gang = {"gang": item["gang"]} if "gang" in item else {}
        components.append(
            world.component(
                name,
                resources={"accelerators": item["cards"], "nodes": 1, "cpu": item["cores"]},
                work={"duration_s": item["run_s"]},
                inputs=inputs,
                outputs=outputs,
                **gang,
            )
        )
    limits = {"deadline_s": case["deadline"], "budget_fen": case["budget"]}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    extra = {"constraints": limits} if limits else {}
    return world.document(*components, **extra), pools, links, tuple(promised)


def close(one, other):
    """Whether two costs are the same to a person: one fen or 2 % apart."""
    return abs(one - other) <= max(1, 0.02 * max(one, other))


@pytest.mark.parametrize("seed", SMALL)
def test_small_cases_are_sound_and_exact(seed):
    case, document, pools, links, promised = make(seed)
    least = judge.least_finish(case)
    try:
        found = world.proposals(document, pools, links, promised, tenants=None)
    except Refused:
        assert least > (case["deadline"] or judge.LATEST - 1), "refused, and there is a plan"
        return
    assert 1 <= len(found.proposals) <= 5
    for proposal in found.proposals:
        assert judge.faults(case, proposal) == []
    fastest = next(one for one in found.proposals if "fastest" in one.labels)
    assert fastest.objectives.finish_s == least
    assert fastest.schedule.exact
    if case["deadline"] is None:
        cheapest = next(one for one in found.proposals if "cheapest" in one.labels)
        assert close(cheapest.objectives.cost_fen, judge.least_cost(case))


@pytest.mark.parametrize("seed", LARGE)
def test_large_cases_are_sound(seed):
    case, document, pools, links, promised = make(seed)
    try:
        found = world.proposals(document, pools, links, promised, tenants=None)
    except Refused:
        assert case["deadline"], "only a deadline keeps these from being placed"
        return
    for proposal in found.proposals:
        assert judge.faults(case, proposal) == []


@pytest.mark.parametrize("seed", range(0, 300, 6))
def test_every_edit_is_checked_and_its_change_told(seed):
    """Each component to each other pool: sound again, and the change is new minus old in every figure."""
    case, document, pools, links, promised = make(seed)
    try:
        found = world.proposals(document, pools, links, promised, tenants=None)
    except Refused:
        return
    old = found.proposals[0]
    for name in case["components"]:
        for pool in case["pools"]:
            try:
                new, change = revise(found, old, {"components": {name: {"pool": pool}}})
            except Invalid as error:
                assert error.details["field"].startswith("edits.components") and error.way_out
                continue
            assert judge.faults(case, new) == []
            assert next(row.pool for row in new.placements if row.component == name) == pool
            figures = old.objectives.plain()
            assert set(change) == set(figures)
            assert change == {key: getattr(new.objectives, key) - value for key, value in figures.items()}


def test_the_judge_sees_faults():
    """A judge that never complains proves nothing."""
    seen, kinds = 0, set()
    for seed in range(60):
        case, document, pools, links, promised = make(seed)
        try:
            proposal = world.proposals(document, pools, links, promised, tenants=None).proposals[0]
        except Refused:
            continue
        for spoiled in _spoiled(case, proposal):
            faults = judge.faults(case, spoiled)
            seen += bool(faults)
            kinds |= set(faults)
    assert seen > 200
    text = " ".join(sorted(kinds))
    for word in ("overloaded", "queue", "maintenance", "quota", "cores", "machines", "copies at once", "not there",
                 "together", "length", "cost", "balance", "risk", "budget", "deadline"):  # fmt: skip
        assert word in text, f"{word} was never found"


def _spoiled(case, proposal):
    """Yield the proposal with one thing wrong: a row moved, longer or elsewhere, or a figure."""
    for place, row in enumerate(proposal.placements):
        changes = [
            {"start_s": row.start_s + by, "end_s": row.end_s + by} for by in (-3, -1, 1) if row.start_s + by >= 0
        ]
        changes += [{"end_s": row.end_s + 1}]
        if row.pool:
            changes += [
                {"pool": pool, "site": facts["site"]} for pool, facts in case["pools"].items() if pool != row.pool
            ]
        for change in changes:
            rows = list(proposal.placements)
            rows[place] = dataclasses.replace(row, **change)
            yield dataclasses.replace(proposal, placements=tuple(rows))
    for name in ("cost_fen", "balance", "risk"):
        told = dataclasses.replace(proposal.objectives, **{name: getattr(proposal.objectives, name) + 1})
        yield dataclasses.replace(proposal, objectives=told)
    late = {"finish_s": 10**6, "cost_fen": 10**6}
    yield dataclasses.replace(proposal, objectives=dataclasses.replace(proposal.objectives, **late))

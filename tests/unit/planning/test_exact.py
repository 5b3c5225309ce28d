# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random cases: an independent judge finds no fault, and the finish time is the brute force's."""

from __future__ import annotations

import dataclasses
import random

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Busy
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Link
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.timeline import epoch
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.timeline import stamp
from tests.unit.planning import judge
from tests.unit.planning import world

# kbit/s for us: nine tenths of links of 5, 10 and 20 Mbit/s, so that 1 MiB takes 2, 1 and 1 s.
RATES = (4500, 9000, 18000)
MB = 1 << 20


def make(seed):
    """Return (case for the judge, document, pools, links, commitments) of one random case."""
    dice = random.Random(seed)
    sites = ["s1", "s2"]
    places = {}
    for number in range(dice.choice([2, 3])):
        cards = dice.choice([1, 2, 3])
        spans = [(0, dice.randrange(1, 7), dice.randrange(1, cards + 1))] if dice.random() < 0.4 else []
        places[f"p{number}"] = {"site": sites[number % 2], "cards": cards, "busy": spans}
    pairs = [(a, b) for a in ("controller", *sites) for b in ("controller", *sites) if a != b]
    links = {p: dice.choice(RATES) for p in pairs if "controller" in p or dice.random() < 0.7}
    held = {}
    if dice.random() < 0.3:
        start = dice.randrange(0, 3)
        held[("controller", "s1")] = [(start, start + dice.randrange(1, 4))]
    components = _components(dice)
    case = {"pools": places, "components": components, "links": links, "held": held}
    return case, *_world(case)


def _components(dice):
    components = {}
    size = dice.choice([1, 3]) * MB
    for number in range(dice.choice([2, 3, 3, 4])):
        name = f"c{number}"
        reads, out = [], f"out_{name}"
        if dice.random() < 0.4:
            reads.append((f"in_{name}", None, size))
        for earlier in [c for c in components if dice.random() < 0.4][:1]:
            reads.append((f"x{number}_{earlier}", earlier, components[earlier]["makes"][f"out_{earlier}"]))
        components[name] = {
            "run_s": dice.randrange(1, 7),
            "cards": dice.choice([1, 1, 2]),
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


def _world(case):
    now = epoch(world.NOW)
    pools = [
        dataclasses.replace(
            world.pool(),
            id=name,
            site=facts["site"],
            domains=(name,),
            capacity=Capacity(1, 64, 64, facts["cards"]),
            free=Capacity(1, 64, 64, facts["cards"] - sum(c for _s, _e, c in facts["busy"])),
            node=Capacity(1, 64, 64, facts["cards"]),
            running_until=tuple(Busy(stamp(now + end), cards) for _start, end, cards in facts["busy"]),
        )
        for name, facts in case["pools"].items()
    ]
    # The planner takes nine tenths of a rate; the case holds what is left.
    links = tuple(Link(a, b, rate / 900_000, 0, 0) for (a, b), rate in case["links"].items())
    promised = tuple(
        Commitment("r", f"k{n}", stamp(now + span[0]), stamp(now + span[1]), hops=(link,))
        for link, spans in case["held"].items()
        for n, span in enumerate(spans)
    )
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
                resources={"accelerators": item["cards"], "nodes": 1},
                work={"duration_s": item["run_s"]},
                inputs=inputs,
                outputs=outputs,
                **gang,
            )
        )
    return world.document(*components), pools, links, promised


@pytest.mark.parametrize("seed", range(120))
def test_small_cases_are_sound_and_exact(seed):
    case, document, pools, links, promised = make(seed)
    least = judge.least_finish(case)
    try:
        found = world.proposals(document, pools, links, promised, tenants=None)
    except Refused:
        assert least == judge.LATEST, "refused, and there is a plan"
        return
    for proposal in found.proposals:
        assert judge.faults(case, proposal) == []
    fastest = next(one for one in found.proposals if "fastest" in one.labels)
    assert fastest.objectives.finish_s == least
    assert fastest.schedule.exact


def test_the_judge_sees_faults():
    """A judge that never complains proves nothing."""
    seen = set()
    for seed in range(40):
        case, document, pools, links, promised = make(seed)
        try:
            proposal = world.proposals(document, pools, links, promised, tenants=None).proposals[0]
        except Refused:
            continue
        for place, row in enumerate(proposal.placements):
            for change in ({"start_s": row.start_s - 1, "end_s": row.end_s - 1}, {"end_s": row.end_s + 1}):
                rows = list(proposal.placements)
                rows[place] = dataclasses.replace(row, **change)
                spoiled = dataclasses.replace(proposal, placements=tuple(rows))
                if row.start_s and judge.faults(case, spoiled):
                    seen.add((seed, place, tuple(change)))
    assert len(seen) > 80

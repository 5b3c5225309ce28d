# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals: different, truly labelled, the same for any order of the input; edits and their change."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Busy
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Ours
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Power
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Price
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Queue
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import gantt
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.propose import pick
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.revise import revise
from tests.unit.planning import world
from tests.unit.planning.test_exact import LARGE
from tests.unit.planning.test_exact import make
from tests.unit.planning.test_exact import SMALL
from tests.unit.planning.world import CENTRE
from tests.unit.planning.world import HUNAN


def pool_of(proposal, name="train"):
    return next(row.pool for row in proposal.placements if row.component == name)


def test_the_example_has_a_fast_and_a_cheap_way():
    found = world.proposals()
    fast, cheap = pick(found, "fastest"), pick(found, "cheapest")
    assert (pool_of(fast), pool_of(cheap)) == (CENTRE, HUNAN)
    assert (fast.objectives.finish_s, cheap.objectives.finish_s) == (75, 83)
    assert (fast.objectives.cost_fen, cheap.objectives.cost_fen) == (55, 21)
    assert "greenest" in cheap.labels
    assert "cheapest: costs ¥0.21, the next (fastest) costs ¥0.55" in cheap.reasons
    assert cheap.loses == ("not fastest: ends in 83 s, fastest ends in 75 s",)
    assert fast.schedule.exact


def test_one_way_that_is_best_in_all_is_one_proposal():
    """With the 910B3 bin Hunan is as fast, cheaper and greener: nothing is left to choose."""
    found = world.proposals(places=[world.pool(HUNAN), world.pool(CENTRE)])
    assert [one.labels for one in found.proposals] == [("fastest", "cheapest", "greenest", "balanced", "safest")]


def test_copies_stand_around_the_run():
    rows = world.proposals().proposals[0].placements
    assert [(row.component, row.kind, row.start_s, row.end_s) for row in rows] == [
        ("move_digits", "move_data", 0, 1),
        ("train", "train", 1, 73),
        ("collect_model", "collect", 73, 75),
    ]
    assert (rows[0].link, rows[0].rate_mbps, rows[0].site) == ("controller->centre-a", 450, "centre-a")
    assert (rows[2].link, rows[2].site) == ("centre-a->controller", "controller")


def test_pick_names_what_there_is():
    found = world.proposals()
    assert pick(found, " Fastest ") is found.proposals[0]
    assert pick(found, 2) is found.proposals[1]
    with pytest.raises(Invalid) as error:
        pick(found, "best")
    assert error.value.way_out == "Take one of: fastest, balanced, cheapest, greenest, safest."


def test_no_label_without_its_facts():
    places = [world.slower_hunan(), world.pool(CENTRE, price=Price(), power=Power())]
    found = world.proposals(places=places)
    labels = {label for one in found.proposals for label in one.labels}
    assert labels.isdisjoint({"cheapest", "greenest"})
    assert [note.split(":")[0] for note in found.notes] == [
        "no proposal is called cheapest",
        "no proposal is called greenest",
    ]
    unpriced = next(one for one in found.proposals if pool_of(one) == CENTRE)
    assert unpriced.objectives.cost_fen is None
    assert "its cost is not known, that of safest is" in unpriced.loses


def test_an_unknown_speed_is_an_assumption():
    card = dataclasses.replace(world.pool().accelerator, model="910b1", tflops_fp16=None)
    found = world.proposals(places=[world.pool(HUNAN, accelerator=card)]).proposals[0]
    assert "train: how fast 910b1 is against a800 is not known: reckoned as equal" in found.notes
    assert found.objectives.finish_s == 74


def test_a_busy_pool_and_a_queue_are_waited_for():
    full = Capacity(0, 384, 1024, 0)
    busy = world.pool(HUNAN, free=full, running_until=(Busy("2026-11-25T08:05:00Z", 16),))
    rows = world.proposals(places=[busy]).proposals[0].placements
    assert next(row.start_s for row in rows if row.component == "train") == 300
    waiting = world.pool(HUNAN, queue=Queue(1, 4, 600))
    rows = world.proposals(places=[waiting]).proposals[0].placements
    assert next(row.start_s for row in rows if row.component == "train") == 600


def test_nothing_is_promised_twice_nor_counted_twice():
    promise = Commitment("r1", "train", world.NOW, "2026-11-25T08:10:00Z", HUNAN, 16, 1, 0)
    rows = world.proposals(places=[world.pool(HUNAN)], commitments=[promise]).proposals[0].placements
    assert rows[1].start_s == 600
    # The same work, now seen at the site: its 16 cards are taken once, until the promised end.
    shown = world.pool(HUNAN, free=Capacity(0, 383, 1024, 0), ours=(Ours("r1", "train", "running", 16, 1),))
    rows = world.proposals(places=[shown], commitments=[promise]).proposals[0].placements
    assert rows[1].start_s == 600


def test_pools_on_the_same_machines_share_their_cards():
    twin = world.pool(HUNAN, id="hunan/slurm/long")
    work = [world.component(name, resources={"accelerators": 16, "nodes": 2}) for name in ("a", "b")]
    found = world.proposals(world.document(*work), [world.pool(HUNAN), twin]).proposals[0]
    assert sorted(row.start_s for row in found.placements) == [0, 100]


def test_two_readers_at_a_site_need_one_copy():
    reads = [{"name": "x", "uri": "x", "sha256": "d" * 64, "size": 5 << 30}]
    work = [world.component(name, inputs=reads) for name in ("a", "b")]
    found = world.proposals(world.document(*work), [world.pool(HUNAN)]).proposals[0]
    lengths = sorted(row.end_s - row.start_s for row in found.placements if row.kind == "move_data")
    assert lengths == [0, 5]


def test_limits_that_cannot_be_kept():
    data = world.digits()
    data["constraints"] = {"budget_fen": 20}
    with pytest.raises(Refused) as error:
        world.proposals(data)
    assert "the cheapest costs 21 fen, the budget is 20 fen" in error.value.message
    data["constraints"] = {"deadline_s": 74}
    with pytest.raises(Refused) as error:
        world.proposals(data)
    assert "the deadline is in 74 s" in error.value.message or "ends in 75 s" in error.value.message
    assert error.value.details["field"] in ("constraints", "constraints.deadline_s")


def test_limits_choose():
    data = world.digits()
    data["constraints"] = {"budget_fen": 30}
    assert [pool_of(one) for one in world.proposals(data).proposals] == [HUNAN]
    data["constraints"] = {"deadline_s": 80}
    assert [pool_of(one) for one in world.proposals(data).proposals] == [CENTRE]


def test_weights_order_the_proposals():
    data = world.digits()
    data["weights"] = {"cost": 1}
    assert "cheapest" in world.proposals(data).proposals[0].labels


def shuffled(data, places, links, promised, seed):
    dice = random.Random(seed)
    data = {**data, "components": [dict(item) for item in data["components"]]}
    for item in data["components"]:
        for name in ("inputs", "outputs", "needs"):
            if name in item:
                item[name] = dice.sample(item[name], len(item[name]))
    data["components"] = dice.sample(data["components"], len(data["components"]))
    places = [
        dataclasses.replace(
            pool,
            **{
                name: tuple(dice.sample(getattr(pool, name), len(getattr(pool, name))))
                for name in ("running_until", "ours", "windows", "quota", "runtimes", "alarms")
            },
        )
        for pool in dice.sample(places, len(places))
    ]
    return data, places, tuple(dice.sample(links, len(links))), tuple(dice.sample(promised, len(promised)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=strategies.sampled_from([*SMALL, *LARGE]), seed=strategies.integers(0, 10**6))
def test_the_order_of_the_input_changes_nothing(case, seed):
    _case, data, places, links, promised = make(case)

    def told(*world_of):
        try:
            found = world.proposals(*world_of, tenants=None)
        except Refused as error:
            return str(error).split(": ", 1)[-1], error.details.get("rejected")
        rows = [(one.labels, one.placements, one.objectives, one.reasons, one.loses) for one in found.proposals]
        return rows, found.sentences, found.waits, found.notes

    assert told(data, places, links, promised) == told(*shuffled(data, places, links, promised, seed))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=strategies.sampled_from(SMALL))
def test_labels_are_true_and_proposals_differ(case):
    _case, data, places, links, promised = make(case)
    try:
        found = world.proposals(data, places, links, promised, tenants=None).proposals
    except Refused:
        return
    figures = {"fastest": "finish_s", "cheapest": "cost_fen", "balanced": "balance", "safest": "risk"}
    assert 1 <= len(found) <= 5
    for one in found:
        for label in one.labels:
            if label in figures:
                name = figures[label]
                values = [getattr(other.objectives, name) for other in found]
                assert getattr(one.objectives, name) == min(values)
    placed = [frozenset((row.component, row.pool) for row in one.placements) for one in found]
    assert len(set(placed)) == len(placed)


def test_a_hundred_components_on_many_pools_twice_the_same():
    places = [
        dataclasses.replace(base, id=f"{base.site}/slurm/p{number}", domains=(f"d{number}",))
        for number in range(4)
        for base in world.pools()
    ]
    work = [
        world.component(
            f"c{number}",
            resources={"accelerators": 4},
            work={"accelerator_hours": 1 + number % 3, "on": "a800"},
            needs=[f"c{number - 7}"] if number >= 7 else [],
        )
        for number in range(40)
    ]
    first, second = (world.proposals(world.document(*work), places) for _time in range(2))
    assert [one.placements for one in first.proposals] == [one.placements for one in second.proposals]
    assert len(first.proposals) >= 2


def test_revise_moves_what_is_edited_and_tells_the_change():
    found = world.proposals()
    edits = {"components": {"train": {"pool": HUNAN, "parameters": {"steps": 100}}}}
    new, change = revise(found, pick(found, "fastest"), edits)
    assert pool_of(new) == HUNAN
    assert (change["finish_s"], change["cost_fen"], change["energy_wh"]) == (8, -34, -3)
    assert new.label == "revised"
    plan, _estimate = world.plan(new)
    train = next(entry for entry in plan["components"] if entry["id"] == "train")
    assert train["parameters"] == {"steps": 100, "step_size": "0.5"}


def test_revise_changes_counts():
    found = world.proposals()
    new, change = revise(found.context, pick(found, "cheapest"), {"components": {"train": {"accelerators": 2}}})
    row = next(row for row in new.placements if row.component == "train")
    assert (row.accelerators, row.end_s - row.start_s) == (2, 41)
    assert change["finish_s"] == -40
    same, change = revise(found, pick(found, "cheapest"), {"components": {}})
    assert same.placements == pick(found, "cheapest").placements
    assert set(change.values()) == {0}


@pytest.mark.parametrize(
    "edits, field",
    [
        ([], "edits"),
        ({"components": {}, "pools": {}}, "edits.pools"),
        ({"components": {"other": {}}}, "edits.components.other"),
        ({"components": {"move_digits": {"pool": HUNAN}}}, "edits.components.move_digits.pool"),
        ({"components": {"train": {"cards": 1}}}, "edits.components.train.cards"),
        ({"components": {"train": {"pool": 1}}}, "edits.components.train.pool"),
        ({"components": {"train": {"pool": "hunan/x/y"}}}, "edits.components.train.pool"),
        ({"components": {"train": {"accelerators": 17}}}, "edits.components.train.accelerators"),
        ({"components": {"train": {"accelerators": 0}}}, "edits.components.train.accelerators"),
        ({"components": {"train": {"accelerators": True}}}, "edits.components.train.accelerators"),
        ({"components": {"train": {"nodes": 2}}}, "edits.components.train.nodes"),
        ({"components": {"train": {"parameters": {"1": 1}}}}, "edits.components.train.parameters.1"),
        ({"components": {"train": {"parameters": {"a": []}}}}, "edits.components.train.parameters.a"),
    ],
)
def test_a_bad_edit_names_its_field(edits, field):
    found = world.proposals()
    with pytest.raises(Invalid) as error:
        revise(found, found.proposals[0], edits)
    assert error.value.details["field"] == field
    assert error.value.message.startswith(field)
    assert error.value.way_out


def test_an_edit_that_does_not_fit_says_why():
    data = world.digits()
    data["components"][0]["resources"]["arch"] = "aarch64"
    found = world.proposals(data)
    with pytest.raises(Invalid) as error:
        revise(found, found.proposals[0], {"components": {"train": {"pool": CENTRE}}})
    assert "train does not fit centre-a/slurm/gpu: centre-a/slurm/gpu is x86_64, aarch64 was" in error.value.message
    assert error.value.way_out == "Pools that fit: hunan/slurm/npu."


def test_the_timeline_fits_its_width():
    proposal = world.proposals().proposals[0]
    for width in (60, 72, 120):
        lines = gantt.rows(proposal, width)
        assert len(lines) == 4
        assert all(len(line) <= width for line in lines)
        assert "█" in lines[1] and "centre-a/slurm/gpu 72 s" in lines[1]
    assert all(line.isascii() for line in gantt.rows(proposal, 72, ascii=True))

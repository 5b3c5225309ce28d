# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tuning of when a run may start, and of the rate of its copies."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.commitments import commitments
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.propose import pick
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.revise import revise
from tests.unit.planning import world

HOUR_S = 3600
OPENS = clock.after(world.NOW, HOUR_S)
CLOSES = clock.after(world.NOW, 3 * HOUR_S)
LATER = clock.after(world.NOW, 600)


@pytest.fixture
def found():
    return world.proposals()


def tuned(found, **edits):
    return revise(found, pick(found, "fastest"), edits)


def place(proposal, name):
    return next(row for row in proposal.placements if row.component == name)


def test_nothing_starts_before_its_window_and_the_plan_says_when(found):
    old = pick(found, "fastest")
    new, change = tuned(found, window={"not_before": OPENS})
    assert min(row.start_s for row in new.placements) == HOUR_S
    assert change["finish_s"] == HOUR_S and change["cost_fen"] == 0
    assert [(row.component, row.start_s - HOUR_S) for row in new.placements] == [
        (row.component, row.start_s) for row in old.placements
    ]
    plan, estimate = world.plan(new)
    jsonschema.validate(plan, world.schema("plan"))
    assert plan["window"] == {"not_before": OPENS, "start_by": clock.after(OPENS, 24 * HOUR_S)}
    assert min(row["start"] for row in estimate["components"]) == OPENS
    assert plan["caps"] == world.plan(old)[0]["caps"], "waiting for the window takes nothing of the run's own time"
    tuned_again, _change = revise(found, new, {"components": {"train": {"accelerators": 2}}})
    assert tuned_again.problem.window == new.problem.window, "a window lasts until another takes its place"
    back, change = revise(found, new, {"window": {}})
    assert back.placements == old.placements and change["finish_s"] == -HOUR_S


def test_what_is_promised_is_promised_for_the_window_whenever_the_plan_was_made(found):
    new, _change = tuned(found, window={"not_before": OPENS, "start_by": CLOSES})
    for now in (world.NOW, LATER):
        plan, estimate = world.plan(new, now=now)
        assert plan["window"] == {"not_before": OPENS, "start_by": CLOSES}
        (job,) = [one for one in commitments(plan, estimate) if one.component == "train"]
        row = place(new, "train")
        assert (job.start, job.end) == (clock.after(world.NOW, row.start_s), clock.after(world.NOW, row.end_s))
    begun = clock.after(OPENS, 60)
    (job,) = [one for one in commitments(plan, estimate, since=begun) if one.component == "train"]
    assert job.start == clock.after(begun, row.start_s - HOUR_S)


def test_a_window_that_is_over_when_the_plan_is_made_is_refused(found):
    new, _change = tuned(found, window={"start_by": LATER})
    with pytest.raises(Invalid, match="edits.window.start_by") as error:
        world.plan(new, now=CLOSES)
    assert "is over" in error.value.message


def test_a_lower_rate_makes_a_copy_and_what_waits_for_it_later_and_the_plan_caps_it(found):
    old = pick(found, "fastest")
    share = place(old, "move_digits").rate_mbps
    assert share == 450
    new, change = tuned(found, components={"move_digits": {"rate_mbps": 1}})
    moved, before = place(new, "move_digits"), place(old, "move_digits")
    slower_s = (moved.end_s - moved.start_s) - (before.end_s - before.start_s)
    assert (moved.rate_mbps, slower_s > 0, change["finish_s"]) == (1, True, slower_s)
    assert place(new, "train").start_s == place(old, "train").start_s + slower_s
    plan, estimate = world.plan(new)
    (entry,) = [one for one in plan["components"] if one["id"] == "move_digits"]
    assert entry["shares"] == dict.fromkeys(entry["pools"], 1000)
    assert next(one for one in estimate["components"] if one["id"] == "move_digits")["rate_kbps"] == 1000
    whole, change = revise(found, new, {"components": {"move_digits": {"rate_mbps": share}}})
    assert whole.placements == old.placements and change["finish_s"] == -slower_s


def test_readers_of_one_copy_have_one_rate():
    data = world.digits()
    second = copy.deepcopy(data["components"][0])
    second["id"] = "again"
    data["components"].append(second)
    found = world.proposals(data, places=[world.pool(world.CENTRE)])
    copies = [row for row in found.proposals[0].placements if row.kind == "move_data"]
    assert len(copies) == 2 and sum(row.end_s > row.start_s for row in copies) == 1
    new, _change = revise(found, found.proposals[0], {"components": {copies[1].component: {"rate_mbps": 2}}})
    assert {row.rate_mbps for row in new.placements if row.kind == "move_data"} == {2}


@pytest.mark.parametrize(
    "edits, field",
    [
        ({"window": []}, "edits.window"),
        ({"window": {"opens": OPENS}}, "edits.window.opens"),
        ({"window": {"not_before": 5}}, "edits.window.not_before"),
        ({"window": {"not_before": "2026-11-25 09:00"}}, "edits.window.not_before"),
        ({"window": {"not_before": "2026-13-25T09:00:00Z"}}, "edits.window.not_before"),
        ({"window": {"start_by": world.NOW}}, "edits.window.start_by"),
        ({"window": {"not_before": CLOSES, "start_by": OPENS}}, "edits.window.start_by"),
        ({"components": {"move_digits": {"rate_mbps": 0}}}, "edits.components.move_digits.rate_mbps"),
        ({"components": {"move_digits": {"rate_mbps": True}}}, "edits.components.move_digits.rate_mbps"),
        ({"components": {"move_digits": {"rate_mbps": 451}}}, "edits.components.move_digits.rate_mbps"),
        ({"components": {"train": {"rate_mbps": 1}}}, "edits.components.train.rate_mbps"),
    ],
)
def test_a_window_or_a_rate_that_cannot_be_names_its_field(found, edits, field):
    with pytest.raises(Invalid) as error:
        tuned(found, **edits)
    assert error.value.details["field"] == field and error.value.message.startswith(field)
    assert error.value.way_out


def test_more_than_the_share_is_refused_by_what_a_share_is(found):
    with pytest.raises(Invalid, match="451 Mbit/s are more than the share of this copy, 450 Mbit/s: what one copy may"):
        tuned(found, components={"move_digits": {"rate_mbps": 451}})


def test_a_window_beyond_the_deadline_is_refused():
    found = world.proposals({**world.digits(), "constraints": {"deadline": LATER}})
    with pytest.raises(Invalid, match="breaks constraints.deadline"):
        tuned(found, window={"not_before": OPENS})

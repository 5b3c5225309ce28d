# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan fits its schema, holds integers and text only, and says what may be done and no more."""

from __future__ import annotations

import json

import jsonschema
import pytest
import rfc8785

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Price
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import plan as planning
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.commitments import commitments
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.propose import pick
from tests.unit.planning import world
from tests.unit.planning.world import CENTRE
from tests.unit.planning.world import HUNAN


def leaves(value):
    if isinstance(value, dict):
        for key, one in value.items():
            assert isinstance(key, str)
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def made(label="cheapest", data=None, **options):
    found = world.proposals(data, **options)
    return world.plan(pick(found, label), world.parsed(data))


def entry(plan, name):
    return next(one for one in plan["components"] if one["id"] == name)


def test_the_plan_fits_its_schema_and_is_canonical():
    plan, estimate = made()
    jsonschema.Draft202012Validator(world.schema("plan")).validate(plan)
    assert {type(leaf) for leaf in leaves(plan)} == {int, str}
    text = rfc8785.dumps(plan)
    assert rfc8785.dumps(json.loads(text)) == text
    assert json.loads(json.dumps(estimate)) == estimate


def test_what_the_plan_says():
    plan, _estimate = made()
    assert [one["id"] for one in plan["components"]] == ["move_digits", "train", "collect_model"]
    assert all(one["pools"] == [HUNAN, CENTRE] for one in plan["components"])
    assert plan["sites"] == {"hunan": "a" * 64, "centre-a": "b" * 64}
    assert plan["window"] == {"start_by": "2026-11-26T08:00:00Z"}
    assert (plan["lab"], plan["deletions"], plan["min_forks"]) == ("true", ["scratch"], 8)
    train = entry(plan, "train")
    assert train["wall_s"] == 3 * 81 + 300
    assert train["parameters"] == {"steps": 2000, "step_size": "0.5"}
    assert train["code"] == {"sha256": "c" * 64, "size": 4096, "entry": "train.py", "arguments": []}
    assert train["memory_mib"] == 1024
    assert entry(plan, "move_digits")["shares"] == {HUNAN: 9_000_000, CENTRE: 450_000}


def test_withheld_lines_stay_at_home():
    plan, _estimate = made()
    uploaded = entry(plan, "move_digits")["datum"]["file"]
    assert uploaded == {"sha256": "f" * 64, "size": 210_000}
    evaluate = entry(plan, "collect_model")["evaluate"]
    assert evaluate["file"] == {"sha256": "e" * 64, "size": 52_000}
    assert (evaluate["divide_by"], evaluate["at_least"]) == ("16", "0.94")


def test_caps_cover_every_allowed_attempt_and_no_more_than_the_limits():
    plan, _estimate = made()
    assert plan["caps"]["card_s"] == 543
    # The dear pool is allowed too: 543 s of one card at 24 CNY an hour, and 64 MiB home at 0.8 CNY a GiB.
    assert plan["caps"]["money_fen"] == -(-543 * 2410 // 3600) + 5 + 1
    data = world.digits()
    data["constraints"] = {"budget_fen": 100, "card_s": 200, "deadline_s": 7200}
    caps = made(data=data)[0]["caps"]
    assert (caps["money_fen"], caps["card_s"]) == (100, 200)
    data["components"][0]["retry"] = 2
    data["constraints"] = {}
    assert made(data=data)[0]["caps"]["card_s"] == 3 * 543


def test_no_money_without_every_price():
    places = [world.slower_hunan(), world.pool(CENTRE, price=Price())]
    plan, estimate = made("fastest", places=places)
    assert "money_fen" not in plan["caps"]
    assert estimate["objectives"]["cost_fen"] is None


def test_parameters_become_text():
    data = world.digits()
    data["components"][0]["parameters"] = {"a": 0.1, "b": True, "c": 3, "d": "x", "e": 2**60, "f": 1e-7}
    plan, _estimate = made(data=data)
    assert entry(plan, "train")["parameters"] == {
        "a": "0.1",
        "b": "true",
        "c": 3,
        "d": "x",
        "e": str(2**60),
        "f": "1e-07",
    }


def test_the_fallback_order_is_the_labels():
    found = world.proposals()
    assert entry(world.plan(pick(found, "fastest"))[0], "train")["pools"] == [CENTRE, HUNAN]
    third = world.pool(CENTRE, id="centre-a/slurm/dear", price=Price(9900, 10), domains=("x",))
    plan, _estimate = made("cheapest", places=[*world.pools(), third])
    assert entry(plan, "train")["pools"] == [HUNAN, CENTRE, "centre-a/slurm/dear"]


def test_a_pool_that_ends_jobs_too_soon_is_no_fallback():
    places = [world.slower_hunan(), world.pool(CENTRE, max_wall_s=400)]
    assert entry(made("cheapest", places=places)[0], "train")["pools"] == [HUNAN]


def test_a_made_input_and_its_way_between_sites():
    maker = world.component("a", sites=["hunan"], outputs=[{"name": "o", "path": "d/o.bin", "size_mib": 1}])
    reader = world.component("b", sites=["centre-a"], inputs=[{"name": "x", "from": "a.o"}])
    data = world.document(maker, reader)
    plan, estimate = made("fastest", data)
    jsonschema.Draft202012Validator(world.schema("plan")).validate(plan)
    move = entry(plan, "move_x")
    assert move["datum"] == {"name": "x", "filename": "o.bin", "from": "a.o", "path": "d/o.bin"}
    assert entry(plan, "b")["inputs"] == [{"name": "x", "filename": "o.bin", "from": "a.o"}]
    # No link between the two: streamed through the controller at the slower share.
    assert move["shares"] == {CENTRE: 450_000}
    row = next(one for one in estimate["components"] if one["id"] == "move_x")
    assert row["hops"] == [["hunan", "controller"], ["controller", "centre-a"]]
    order = [one["id"] for one in plan["components"]]
    assert order.index("a") < order.index("move_x") < order.index("b")


def test_a_site_without_a_pin_is_refused():
    found, task = world.proposals(), world.parsed()
    with pytest.raises(Invalid, match="centre-a"):
        planning.build(
            found.proposals[0],
            task,
            world.facts(task),
            run=world.RUN,
            requester="r",
            task_sha256="9" * 64,
            site_pins={"hunan": world.PINS["hunan"]},
            policy=world.POLICY,
            now=world.NOW,
        )


def test_a_plan_becomes_commitments():
    plan, estimate = made()
    found = {one.component: one for one in commitments(plan, estimate)}
    assert set(found) == {"move_digits", "train", "collect_model"}
    assert (found["train"].pool, found["train"].accelerators, found["train"].cpu) == (HUNAN, 1, 1)
    assert found["move_digits"].hops == (("controller", "hunan"),)
    assert (found["train"].start, found["train"].end) == ("2026-11-25T08:00:01Z", "2026-11-25T08:01:22Z")
    later = commitments(plan, estimate, since="2026-11-25T09:00:00Z")
    assert min(one.start for one in later) == "2026-11-25T09:00:00Z"
    assert [one.component for one in commitments(plan, estimate, ended=("move_digits", "train"))] == ["collect_model"]


def test_the_estimate_tells_its_facts():
    _plan, estimate = made()
    assert estimate["facts"]["pools"][HUNAN]["seen_at"] == "2026-11-25T07:59:50Z"
    assert estimate["facts"]["links"][0]["from"] == "controller"
    assert estimate["assumptions"] == ["collect_model: the size of train.model is not known; 64 MiB assumed"]
    assert estimate["versions"]["planner"]

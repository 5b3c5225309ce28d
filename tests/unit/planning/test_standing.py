# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands of a deployment: changed where it is, on a full pool too, moved only by a person's or a rule's word."""

import dataclasses

import jsonschema
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.revise import revise
from tests.unit.planning import world

OLD = "01kaxc2m7q5v9b3z8d4f6g1h0k"


def served(copies=1, **fields):
    resources = {"nodes": copies, "accelerators": copies, "cpu": 1}
    web = world.component("web", kind="serve", resources=resources, lease_s=7200, **fields)
    del web["work"]
    return world.document(web, deployment="digits")


def here(cards=16, pool=world.CENTRE, **changes):
    """Return what an older plan of the deployment keeps since an hour."""
    one = Commitment(OLD, "web", "2026-11-25T07:00:00Z", "2026-11-25T20:00:00Z", pool, cards, 1, 0, 1, (), "demo", True,
                     "digits", True)  # fmt: skip
    return dataclasses.replace(one, **changes)


def keeping(**full):
    """Return both pools as such that keep services; Centre A is full where `full` says what is free."""
    return (world.pool(world.HUNAN, serves=True), world.pool(world.CENTRE, serves=True, **full))


FULL = {"free": Capacity(0, 112, 1024, 0)}


def made(found, label=0):
    chosen = found.proposals[label] if isinstance(label, int) else label
    plan, _estimate = world.plan(chosen, found.context.task)
    jsonschema.validate(plan, world.schema("plan"))
    return plan, plan["components"][0]


def test_it_is_changed_in_place_though_it_fills_its_pool_itself():
    found = world.proposals(served(16), keeping(**FULL), commitments=(here(),))
    (place,) = found.proposals[0].placements
    assert (place.pool, place.start_s) == (world.CENTRE, 0)
    plan, web = made(found)
    assert web["pools"] == [world.CENTRE] and "leaves" not in web and plan["deletions"] == ["scratch"]
    (no,) = [row for row in found.sentences if row["rule"] == "stands"]
    assert no["pool"] == world.HUNAN and "web stands at centre-a/slurm/gpu and is changed there" in no["sentence"]


@pytest.mark.parametrize("whose", [{"tenant": "else"}, {"deployment": "other"}, {"component": "api"}, {"stands": False,
                                   "start": "2026-11-25T09:00:00Z", "deployment": "other"}])  # fmt: skip
def test_what_is_not_of_this_deployment_is_in_the_way_as_before(whose):
    found = world.proposals(served(16), keeping(**FULL), commitments=(here(**whose),))
    assert {one.placements[0].pool for one in found.proposals if one.placements[0].start_s == 0} == {world.HUNAN}


def test_a_task_that_names_another_site_moves_it():
    found = world.proposals(served(sites=["hunan"]), keeping(), commitments=(here(1),))
    plan, web = made(found)
    assert (web["pools"], web["leaves"]) == ([world.HUNAN], [world.CENTRE])
    assert plan["deletions"] == ["scratch", "moved"]


def test_where_it_may_not_stand_any_more_it_moves():
    drained = world.pool(world.CENTRE, serves=True)
    drained = dataclasses.replace(drained, seen=dataclasses.replace(drained.seen, state="drained"))
    found = world.proposals(served(), (keeping()[0], drained), commitments=(here(1),))
    assert made(found)[1]["leaves"] == [world.CENTRE]


def test_an_edit_of_its_pool_moves_it_and_later_edits_leave_it_there():
    found = world.proposals(served(), keeping(), commitments=(here(1),))
    assert found.proposals[0].placements[0].pool == world.CENTRE
    moved, _deltas = revise(found, found.proposals[0], {"components": {"web": {"pool": world.HUNAN}}})
    assert made(found, moved)[1]["leaves"] == [world.CENTRE]
    again, _deltas = revise(found, moved, {"components": {"web": {"parameters": {"a": 1}}}})
    assert again.placements[0].pool == world.HUNAN
    back, _deltas = revise(found, again, {"components": {"web": {"pool": world.CENTRE}}})
    assert made(found, back)[1]["pools"] == [world.CENTRE]


def test_within_its_endpoint_it_does_not_move_and_that_is_said():
    twin = dataclasses.replace(keeping()[1], id="centre-a/slurm/big", name="big", domains=("centre-a/slurm/big",))
    found = world.proposals(served(), (keeping()[1], twin), commitments=(here(1),))
    with pytest.raises(Invalid, match="within its endpoint it cannot move to centre-a/slurm/big"):
        revise(found, found.proposals[0], {"components": {"web": {"pool": twin.id}}})
    full = dataclasses.replace(keeping()[1], open=False)
    with pytest.raises(Refused, match="release the deployment first"):
        world.proposals(served(), (full, twin), commitments=(here(1),))


def test_standing_machines_may_be_replaced_where_the_plan_says_so():
    data = world.document(
        {"id": "front", "kind": "provision", "resources": {"nodes": 2, "cpu": 4}, "ports": [80], "lease_s": 7200},
        deployment="web",
    )
    cloud = world.pool(world.CENTRE, machines=True)
    assert made(world.proposals(data, [cloud]))[0]["deletions"] == ["scratch", "surplus"]
    front = here(0, component="front", deployment="web")
    assert made(world.proposals(data, [cloud], commitments=(front,)))[0]["deletions"] == [
        "scratch",
        "surplus",
        "changed",
    ]

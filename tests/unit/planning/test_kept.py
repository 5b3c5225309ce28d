# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that a deployment keeps: what the task may say, where they fit, what they hold and until when."""

import pathlib

import jsonschema
import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Quota
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.commitments import commitments
from tests.unit.planning import world

EXAMPLE = pathlib.Path(world.ROOT / "examples" / "web-cluster" / "task.yml")


def machines(**fields):
    """Return the document of a deployment of machines without cards."""
    base = {"id": "front", "kind": "provision", "resources": {"nodes": 2, "cpu": 4}, "ports": [80, 22],
            "lease_s": 7200}  # fmt: skip
    return world.document({**base, **fields}, deployment="web")


def cloud(**changes):
    """Return a pool that makes machines, 16 cores in all on one host."""
    size, node = Capacity(1, 16, 64.0, 0), Capacity(1, 8, 32.0, 0)
    base = {"machines": True, "accelerator": None, "capacity": size, "free": size, "node": node, "free_shapes": (),
            "domains": (), "quota": ()}  # fmt: skip
    return world.pool(world.CENTRE, **{**base, **changes})


def test_the_example_is_a_task():
    task = world.parsed(yaml.safe_load(EXAMPLE.read_text()))
    (front,) = task.components
    assert (task.deployment, front.ports, front.lease_s) == ("web", (22, 80), 86400)


@pytest.mark.parametrize(("change", "words"), [
    ({"lease_s": None}, "how long front stays"),
    ({"work": {"duration_s": 5}}, "runs nothing on them"),
    ({"code": {"path": "code", "entry": "main.py"}}, "runs nothing on them"),
    ({"gang": "g"}, "runs nothing on them"),
    ({"kind": "run", "code": {"path": "code", "entry": "main.py"}}, "a run component has no lease_s"),
    ({"ports": [0]}, "ports"),
    ({"ports": [70000]}, "ports"),
    ({"ports": [22, 22]}, "ports"),
])  # fmt: skip
def test_what_makes_no_sense_is_said(change, words):
    data = machines(**change)
    (component,) = data["components"]
    data["components"] = [{key: value for key, value in component.items() if value is not None}]
    with pytest.raises(Invalid) as caught:
        world.parsed(data)
    assert words in str([problem["message"] + problem["field"] for problem in caught.value.details["problems"]])


def test_machines_that_stay_have_an_owner():
    data = machines()
    del data["deployment"]
    with pytest.raises(Invalid, match="no deployment is named"):
        world.parsed(data)


def test_only_a_pool_that_makes_machines_takes_them():
    assert world.nos(machines(), cloud()) == {}
    assert set(world.nos(machines(), cloud(machines=False))) == {"machines"}
    assert world.nos(machines(image="web-1"), cloud()) == {}


def test_several_machines_stand_on_one_host_but_not_more_than_it_holds():
    assert "shape" not in world.nos(machines(resources={"nodes": 4, "cpu": 4}), cloud())
    assert "cpu" in world.nos(machines(resources={"nodes": 5, "cpu": 4}), cloud())
    quota = cloud(quota=(Quota("instances", 3, 0, "demo"),))
    assert "quota" in world.nos(machines(resources={"nodes": 4, "cpu": 1}), quota)


def test_a_job_on_a_cloud_has_one_machine():
    job = world.component(resources={"nodes": 2, "cpu": 1})
    assert "shape" in world.nos(world.document(job), cloud()) and "shape" not in world.nos(
        world.document(world.component(resources={"cpu": 1})), cloud()
    )


def test_the_plan_says_what_is_made_and_how_long_it_holds():
    data = machines(image="web-1", resources={"nodes": 2, "cpu": 4, "memory_gib": 8})
    made, estimate = world.plan(world.proposals(data, [cloud()]).proposals[0], world.parsed(data))
    jsonschema.validate(made, world.schema("plan"))
    (front,) = made["components"]
    assert (front["nodes"], front["cpu"], front["memory_mib"]) == (2, 4, 8192)
    assert (front["ports"], front["lease_s"], front["image"]) == ([22, 80], 7200, "web-1")
    assert made["deletions"] == ["scratch", "surplus"] and made["deployment"] == "web"
    # Its price is that of the whole lease; the run itself ends when the machines are there.
    (entry,) = estimate["components"]
    assert entry["end_s"] - entry["start_s"] < 7200 and estimate["objectives"]["core_s"] == 8 * 7200
    assert entry["cost_fen"] == 8 * 10 * 2


def test_what_is_promised_to_a_lease_is_promised_until_its_end():
    data = machines(resources={"nodes": 2, "cpu": 8})
    made, estimate = world.plan(world.proposals(data, [cloud()]).proposals[0], world.parsed(data))
    (held,) = commitments(made, estimate, since=world.NOW)
    assert (held.start, held.end, held.cpu) == ("2026-11-25T08:00:00Z", "2026-11-25T10:00:00Z", 16)
    other = {**machines(resources={"nodes": 1, "cpu": 8}), "deployment": "other"}
    later = world.proposals(other, [cloud()], commitments=(held,)).proposals[0]
    assert later.placements[0].start_s == 7200
    with pytest.raises(Refused, match="deadline"):
        world.proposals({**other, "constraints": {"deadline_s": 3600}}, [cloud()], commitments=(held,))


# -- a model that is served ------------------------------------------------------------------------------
def served(copies=1, **fields):
    resources = {"nodes": copies, "accelerators": copies, "cpu": 1}
    web = world.component("web", kind="serve", resources=resources, lease_s=7200, **fields)
    del web["work"]
    return world.document(web, deployment="digits")


def keeping(**fields):
    """Return the lab's pool at Centre A as one of a platform that keeps services."""
    return world.pool(world.CENTRE, serves=True, **fields)


def test_only_a_pool_that_keeps_services_takes_a_model():
    assert world.nos(served(), keeping()) == {}
    assert set(world.nos(served(), world.pool(world.CENTRE))) == {"serve"}


def test_a_service_has_an_owner_an_end_of_its_lease_and_no_outputs():
    for missing in ("deployment",):
        data = served()
        del data[missing]
        with pytest.raises(Invalid, match="no deployment is named"):
            world.parsed(data)
    data = served()
    del data["components"][0]["lease_s"]
    with pytest.raises(Invalid, match="how long web stays"):
        world.parsed(data)
    with pytest.raises(Invalid, match="answers until it is ended"):
        world.parsed(served(outputs=[{"name": "o", "path": "o"}]))
    with pytest.raises(Invalid, match="serve has nothing to run"):
        data = served()
        del data["components"][0]["code"]
        world.parsed(data)


def test_a_service_holds_its_cards_until_its_lease_ends_and_is_counted_once():
    made, estimate = world.plan(world.proposals(served(16), [keeping()]).proposals[0], world.parsed(served(16)))
    jsonschema.validate(made, world.schema("plan"))
    assert made["components"][0]["lease_s"] == 7200 and "surplus" not in made["deletions"]
    assert estimate["objectives"]["finish_s"] < 7200 and estimate["objectives"]["card_s"] == 16 * 7200
    (held,) = commitments(made, estimate, ended={"web"}, since="2026-11-25T07:00:00Z")
    assert held.leased and held.end == "2026-11-25T09:00:00Z", "its run is over, and its lease is not"
    busy = keeping(free=Capacity(0, 112, 1024, 0))
    (later,) = world.proposals(
        world.document(world.component(resources={"accelerators": 8})), [busy], commitments=(held,)
    ).proposals[:1]
    assert later.placements[0].start_s == 3600

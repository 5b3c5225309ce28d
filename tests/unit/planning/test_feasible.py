# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule has its sentence, and only its own."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Alarm
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Quota
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Storage
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Window
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import catalogue
from tests.unit.planning import world
from tests.unit.planning.world import CENTRE
from tests.unit.planning.world import HUNAN


def asked(resources=None, limits=None, **fields):
    item = world.component(resources=resources or {"accelerators": 1}, **fields)
    return world.document(item, **({"constraints": limits} if limits else {}))


def test_the_example_fits_both():
    assert world.nos(world.digits(), world.pool(HUNAN)) == {}
    assert world.nos(world.digits(), world.pool(CENTRE)) == {}


READS = [{"name": "x", "uri": "x", "data_level": "confidential", "size": 5 << 30}]
RULES = [
    ("jobs", asked(), {"jobs": False}, "hunan/slurm/npu gives machines and runs no jobs"),
    ("capacity", asked({"accelerators": 17}), {}, "has 16 910b3 cards, 17 were asked for"),
    ("shape", asked({"accelerators": 9, "nodes": 1}), {}, "a node of hunan/slurm/npu has 8 cards, 9 a node"),
    ("shape", asked({"nodes": 3}), {}, "has 2 nodes, 3 are needed"),
    ("shape", asked({"accelerators": 11}), {}, "has 2 nodes, 11 are needed to spread 11 cards evenly"),
    ("cpu", asked({"cpu": 8, "nodes": 2}), {"capacity": Capacity(2, 12), "node": Capacity()}, "has 12 cores, 16 were"),
    (
        "memory",
        asked({"memory_gib": 8, "nodes": 2}),
        {"capacity": Capacity(2, 64, 12), "node": Capacity()},
        "has 12 GiB",
    ),
    ("cpu", asked({"cpu": 193}), {}, "a node of hunan/slurm/npu has 192 cores, 193 were asked for"),
    ("memory", asked({"memory_gib": 513}), {}, "has 512 GiB, 513 GiB were asked for"),
    ("accelerator", asked({"accelerators": 1, "accelerator": "gpu"}), {}, "has 910b3 (npu), gpu was asked"),
    ("accelerator", asked({"accelerators": 1, "accelerator": "910b2"}), {}, "910b2 was asked for"),
    ("accelerator", asked(), {"accelerator": None, "capacity": Capacity()}, "has no accelerators"),
    ("arch", asked({"arch": "x86_64"}), {}, "is aarch64, x86_64 was asked for"),
    ("runtime", asked(framework="pytorch"), {}, "has no pytorch; it has mindspore, none"),
    ("runtime", asked(framework="mindspore", framework_version="2.5"), {}, "has mindspore 2.4, 2.5 was asked"),
    ("image", asked(image="a/b:1"), {}, "runs no images"),
    ("site", asked(sites=["centre-a"]), {}, "hunan/slurm/npu is at hunan, and the sites allowed are: centre-a"),
    ("site", asked(limits={"sites": ["centre-a"]}), {}, "and the sites allowed are: centre-a"),
    ("residency", asked(limits={"data_residency": ["centre-a"]}), {}, "data must stay at centre-a"),
    ("intranet", asked(limits={"intranet_only": True}), {"via": "internet"}, "over the internet"),
    ("intranet", asked(limits={"intranet_only": True}), {"via": None}, "not known"),
    ("data_level", asked(inputs=READS), {"data_levels": ("public",)}, "takes public data, and this is confid"),
    ("data_level", asked(inputs=READS), {"data_levels": ()}, "states no level data"),
    ("storage", asked(inputs=READS), {"storage": Storage(free_gib=4)}, "has 4 GiB of storage free, 5.0 GiB"),
    ("wall", asked(work={"duration_s": 90000}), {}, "ends jobs after 24 h, this needs 25 h"),
    ("wall", asked(max_wall_s=50), {}, "needs 100 s, max_wall_s is 50"),
    ("deadline", asked(limits={"deadline_s": 60}), {}, "needs 100 s, the deadline is in 60 s"),
    ("deadline", asked(limits={"deadline": "2026-11-25T08:00:10Z"}), {}, "the deadline is in 10 s"),
    ("quota", asked(), {"quota": (Quota("accelerators", 0),)}, "the quota at hunan/slurm/npu is 0 acc"),
    ("quota", asked({"memory_gib": 9}), {"quota": (Quota("memory_gib", 8),)}, "is 8 memory_gib, 9 are needed"),
    ("state", asked(), {"seen": Seen("2026-11-25T07:40:00Z", "x", "stale")}, "is lost: last seen 2026"),
    ("state", asked(), {"seen": Seen()}, "is lost: never seen"),
    ("state", asked(), {"seen": Seen("2026-11-25T07:59:50Z", "x", "drained")}, "is drained"),
    ("state", asked(), {"open": False}, "is not open for work"),
    ("alarm", asked(), {"alarms": (Alarm("1", "cooling failed", "critical"),)}, "critical alarm: cooling"),
    (
        "maintenance",
        asked(),
        {"windows": (Window("2026-11-25T07:00:00Z", "2026-11-27T07:00:00Z", "power"),)},
        "is in maintenance until 2026-11-27T07:00:00Z (power)",
    ),
]


@pytest.mark.parametrize("rule, data, changes, words", RULES)
def test_each_rule_has_its_sentence(rule, data, changes, words):
    found = world.nos(data, world.pool(HUNAN, **changes))
    assert list(found) == [rule]
    assert words in found[rule]
    assert HUNAN in found[rule], "a sentence names its pool"


def test_speed_blocks_only_work_in_pflop():
    card = dataclasses.replace(world.pool().accelerator, model="910b1", tflops_fp16=None)
    place = world.pool(HUNAN, accelerator=card)
    assert "the speed of 910b1 is not known" in world.nos(asked(work={"pflop": 3}), place)["speed"]
    assert world.nos(asked(work={"accelerator_hours": 1, "on": "a800"}), place) == {}


def test_tenants_and_links():
    nowhere = {"tenants": {"demo": {"sites": {"centre-a": {"slurm": {}}}}}}
    assert world.nos(asked(), world.pool(HUNAN), tenants=nowhere) == {
        "tenant": "hunan/slurm/npu is not for tenant demo, which has no account at hunan"
    }
    other = {"demo": {"sites": {"hunan": {"login": {}}}}}
    assert "endpoint slurm" in world.nos(asked(), world.pool(HUNAN), tenants=other)["tenant"]
    assert "is not known" in world.nos(asked(), world.pool(HUNAN), tenants={})["tenant"]
    data = world.digits()
    assert world.nos(data, world.pool(HUNAN), links=world.LINKS[1:]) == {
        "link": "hunan/slurm/npu is out of reach: there is no link from controller to hunan"
    }
    assert "from hunan to controller" in world.nos(data, world.pool(HUNAN), links=world.LINKS[:1])["link"]


def test_a_stale_pool_is_a_risk_and_no_rule():
    place = world.pool(HUNAN, seen=Seen("2026-11-25T07:50:00Z", "x", "stale"))
    assert world.nos(asked(), place) == {}
    found = world.proposals(asked(), [place]).proposals[0].objectives
    assert found.risk == 40
    assert found.risk_reasons == (
        "facts of hunan/slurm/npu are 10 min old",
        "facts of hunan/slurm/npu are stale",
    )


def test_a_maintenance_that_ends_in_time_only_delays():
    window = Window("2026-11-25T07:00:00Z", "2026-11-25T08:10:00Z")
    place = world.pool(HUNAN, windows=(window,))
    assert world.nos(asked(), place) == {}
    assert world.proposals(asked(), [place]).proposals[0].placements[0].start_s == 600


def test_all_broken_rules_are_named_not_the_first():
    found = world.nos(asked({"accelerators": 17, "arch": "x86_64"}, framework="caffe"), world.pool(HUNAN))
    assert set(found) == {"capacity", "arch", "runtime"}


def test_more_cards_than_any_pool_has():
    data = world.digits()
    data["components"][0]["resources"]["accelerators"] = 17
    with pytest.raises(Refused) as error:
        world.proposals(data)
    assert error.value.message == (
        "components[0].resources.accelerators: train fits no pool: "
        "centre-a/slurm/gpu has 16 a800 cards, 17 were asked for; "
        "hunan/slurm/npu has 16 910b4 cards, 17 were asked for."
    )
    assert error.value.way_out == (
        "The least change: ask for at most 16 cards (for centre-a/slurm/gpu, hunan/slurm/npu)."
    )
    rows = error.value.details["rejected"]
    assert {(row["component"], row["pool"], row["rule"]) for row in rows} == {
        ("train", HUNAN, "capacity"),
        ("train", CENTRE, "capacity"),
    }


def test_no_pool_at_all():
    with pytest.raises(Refused, match="no pool is known"):
        world.proposals(places=[])


def test_the_least_relaxation_is_the_pool_with_the_fewest_rules():
    data = asked({"accelerators": 1, "arch": "x86_64"}, framework="mindspore")
    with pytest.raises(Refused) as error:
        world.proposals(data)
    assert "drop arch=x86_64 (for hunan/slurm/npu)" in error.value.way_out
    assert "use none or pytorch (for centre-a/slurm/gpu)" in error.value.way_out


def test_the_catalogue_knows_names_and_speeds():
    assert catalogue.model("Ascend910B3").name == "910b3"
    assert catalogue.model("npu:ascend910b").name == "910b?"
    assert catalogue.model("Ascend910_9382").name == "910c-die"
    assert catalogue.model("NVIDIA A100-SXM4-80GB").name == "a100-80"
    assert catalogue.model("something") is None
    assert catalogue.speed("910b3", "a800") == catalogue.Fraction(313, 312)
    assert catalogue.speed("910b1", "a800") is None
    assert catalogue.speed("910b1", "910b1") == 1
    for model in catalogue.MODELS.values():
        known = model.tflops_fp16 is not None or model.memory_gib is not None
        assert model.sources or not known, f"{model.name} has figures and no source"
    assert set(catalogue.ALIASES.values()) <= set(catalogue.MODELS)

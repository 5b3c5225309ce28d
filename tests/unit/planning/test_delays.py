# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool that fits but cannot start at once says why, and until when; so does one that is too late for the deadline."""

from __future__ import annotations

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Busy
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Ours
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Queue
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Quota
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Window
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from tests.unit.planning import world
from tests.unit.planning.world import CENTRE
from tests.unit.planning.world import HUNAN

FULL = Capacity(0, 384, 1024, 0)
IN_5_MIN, IN_10_MIN = "2026-11-25T08:05:00Z", "2026-11-25T08:10:00Z"
PROMISE = Commitment("r1", "train", world.NOW, IN_10_MIN, HUNAN, 16, 1, 0, tenant="demo")
ONE_CARD = {"resources": {"accelerators": 1}}

CASES = {
    "busy": (
        {"free": FULL, "running_until": (Busy(IN_5_MIN, 16),)},
        (),
        300,
        f"{HUNAN} has 0 of 16 910b3 cards free until {IN_5_MIN}, 5 min from now; 1 is needed",
    ),
    "busy, and some do not say until when": (
        {"free": FULL, "running_until": (Busy(IN_5_MIN, 8),), "max_wall_s": 600},
        (),
        300,
        f"{HUNAN} has 0 of 16 910b3 cards free until {IN_5_MIN}, 5 min from now; 1 is needed;"
        " not all jobs there say when they end",
    ),
    "cores": (
        {"free": Capacity(0, 0, 1024, 16), "running_until": (Busy(IN_5_MIN, 0, 384),)},
        (),
        300,
        f"{HUNAN} has 0 of 384 cores free until {IN_5_MIN}, 5 min from now; 1 is needed",
    ),
    "promised": (
        {},
        (PROMISE,),
        600,
        f"{HUNAN} has 0 of 16 910b3 cards free until {IN_10_MIN}, 10 min from now; 1 is needed;"
        " approved plans hold 16",
    ),
    "promised, and shown by the platform": (
        {"free": FULL, "ours": (Ours("r1", "train", "running", 16, 1),), "running_until": (Busy(IN_5_MIN, 16, 1),)},
        (PROMISE,),
        600,
        f"{HUNAN} has 0 of 16 910b3 cards free until {IN_10_MIN}, 10 min from now; 1 is needed;"
        " approved plans hold 16",
    ),
    "queue": (
        {"queue": Queue(1, 4, 600)},
        (),
        600,
        f"{HUNAN} expects a new job to wait 10 min (1 run and 4 wait there)",
    ),
    "maintenance": (
        {"windows": (Window("2026-11-25T07:00:00Z", IN_10_MIN, "power"),)},
        (),
        600,
        f"{HUNAN} is in maintenance (power) until {IN_10_MIN}, 10 min from now",
    ),
    "maintenance that begins too soon": (
        {"windows": (Window("2026-11-25T08:01:00Z", IN_10_MIN),)},
        (),
        600,
        f"{HUNAN} is in maintenance until {IN_10_MIN}, 10 min from now",
    ),
    "reserved by others": (
        {"windows": (Window("2026-11-25T08:01:00Z", IN_10_MIN, nodes=1),), "free": Capacity(0, 384, 1024, 0),
         "running_until": (Busy(IN_5_MIN, 16),)},
        (),
        300,
        f"{HUNAN} has 0 of 16 910b3 cards free until {IN_5_MIN}, 5 min from now; 1 is needed",
    ),
    "quota": (
        {"quota": (Quota("accelerators", 4, 4, "demo"),), "free": Capacity(1, 384, 1024, 12),
         "running_until": (Busy(IN_5_MIN, 4),)},
        (),
        300,
        f"the quota of accelerators at {HUNAN} leaves 0 of 4 910b3 cards free until {IN_5_MIN}, 5 min from now;"
        " 1 is needed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_delay_names_pool_cause_and_time(name):
    changes, promised, start, sentence = CASES[name]
    document = world.document(world.component(**ONE_CARD))
    found = world.proposals(document, [world.pool(HUNAN, **changes)], commitments=promised)
    row = found.proposals[0].placements[0]
    assert row.start_s == start
    rule = name.partition(",")[0].split(" that ")[0]
    rule = {"cores": "busy", "reserved by others": "busy"}.get(rule, rule)
    assert found.waits == [{"component": "train", "pool": HUNAN, "rule": rule, "sentence": sentence}]
    assert f"train waits: {sentence}" in found.proposals[0].reasons


def test_a_wait_for_the_first_end_runs_down_while_nobody_looks():
    """The platform said 310 s at 07:59:50; the job still ends at 08:05."""
    busy = world.pool(HUNAN, free=FULL, running_until=(Busy(IN_5_MIN, 16),), queue=Queue(1, 0, 310))
    found = world.proposals(world.document(world.component(**ONE_CARD)), [busy])
    assert found.proposals[0].placements[0].start_s == 300
    assert [row["rule"] for row in found.waits] == ["busy"]


def test_a_pool_that_is_free_waits_for_nothing():
    found = world.proposals()
    assert found.waits == []
    assert any("1 other pool could" in reason for reason in found.proposals[0].reasons)


def test_the_reason_tells_why_the_other_pool_was_not_taken():
    busy = world.pool(HUNAN, free=FULL, running_until=(Busy("2026-11-25T12:00:00Z", 16),))
    document = world.document(world.component(resources={"accelerators": 8}))
    found = world.proposals(document, [busy, world.pool(CENTRE)])
    fastest = next(one for one in found.proposals if "fastest" in one.labels)
    reason = next(one for one in fastest.reasons if one.startswith("train runs"))
    assert reason == (
        f"train runs on 8 a800 at {CENTRE} for 100 s; 1 other only later: {HUNAN} has 0 of 16 910b3 cards free"
        " until 2026-11-25T12:00:00Z, 4 h from now; 8 are needed"
    )


def test_a_busy_pool_is_rejected_where_the_deadline_is_nearer():
    document = world.document(world.component(**ONE_CARD), constraints={"deadline_s": 200})
    busy = world.pool(HUNAN, free=FULL, running_until=(Busy(IN_5_MIN, 16),))
    found = world.proposals(document, [busy, world.pool(CENTRE)])
    assert [one.placements[0].pool for one in found.proposals] == [CENTRE]
    assert found.waits == []
    assert found.sentences == [
        {
            "component": "train",
            "pool": HUNAN,
            "rule": "deadline",
            "sentence": f"{HUNAN} has 0 of 16 910b3 cards free until {IN_5_MIN}, 5 min from now; 1 is needed,"
            " so train would end in 7 min there, and the deadline is in 200 s",
        }
    ]
    with pytest.raises(Refused) as error:
        world.proposals(document, [busy])
    assert found.sentences[0]["sentence"] in error.value.message
    assert error.value.way_out == f"The least change: set a later deadline (for {HUNAN})."


def test_a_deadline_of_the_whole_task_names_what_makes_it_late():
    work = [world.component("a", **ONE_CARD), world.component("b", **ONE_CARD, needs=["a"])]
    document = world.document(*work, constraints={"deadline_s": 450})
    busy = world.pool(HUNAN, free=FULL, running_until=(Busy(IN_5_MIN, 16),))
    with pytest.raises(Refused) as error:
        world.proposals(document, [busy])
    assert "the fastest plan found ends in 9 min" in error.value.message
    assert f"{HUNAN} has 0 of 16 910b3 cards free until {IN_5_MIN}" in error.value.message


def test_a_deadline_that_has_passed_is_said_once_and_names_its_field():
    document = world.document(world.component(**ONE_CARD), constraints={"deadline": "2026-11-25T07:59:00Z"})
    with pytest.raises(Refused) as error:
        world.proposals(document, [world.pool(HUNAN), world.pool(HUNAN, id="hunan/slurm/long")])
    assert error.value.message == "constraints.deadline: the deadline, 2026-11-25T07:59:00Z, has passed."
    assert error.value.details["field"] == "constraints.deadline" and error.value.way_out == "Set a later deadline."


def test_a_quota_counts_over_all_components_pools_and_plans():
    """Two components of 3 cards under a quota of 4: one after the other, on whichever pools of the endpoint."""
    limit = (Quota("accelerators", 4, 0, "demo"),)
    twin = world.pool(HUNAN, id="hunan/slurm/long", domains=("other",), quota=limit)
    work = [world.component(name, resources={"accelerators": 3}) for name in ("a", "b")]
    places = [world.pool(HUNAN, quota=limit), twin]
    found = world.proposals(world.document(*work), places).proposals[0]
    assert sorted(row.start_s for row in found.placements) == [0, 100]
    promise = Commitment("r1", "x", world.NOW, IN_5_MIN, HUNAN, 4, 1, 0, tenant="demo")
    later = world.proposals(world.document(*work), places, commitments=[promise]).proposals[0]
    assert sorted(row.start_s for row in later.placements) == [300, 400]
    # A plan of another tenant takes cards, and nothing of our quota.
    others = Commitment("r1", "x", world.NOW, IN_5_MIN, HUNAN, 4, 1, 0, tenant="other")
    free = world.proposals(world.document(*work), places, commitments=[others]).proposals[0]
    assert sorted(row.start_s for row in free.placements) == [0, 100]


@pytest.mark.parametrize(
    "resource, limit, starts",
    [
        ("jobs", 1, [0, 100]),
        ("nodes", 1, [0, 100]),
        ("cpu", 5, [0, 100]),
        ("memory_gib", 12, [0, 100]),
        ("cpu", 8, [0, 0]),
    ],
)
def test_every_kind_of_quota_counts(resource, limit, starts):
    work = [world.component(name, resources={"cpu": 4, "memory_gib": 8}) for name in ("a", "b")]
    place = world.pool(HUNAN, quota=(Quota(resource, limit, 0),))
    found = world.proposals(world.document(*work), [place]).proposals[0]
    assert sorted(row.start_s for row in found.placements) == starts

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gangs, and what is promised or runs already: on pools, on the machines behind several, on links."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Alarm
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Busy
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Ours
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from tests.unit.planning import world
from tests.unit.planning.world import CENTRE
from tests.unit.planning.world import HUNAN

IN_5_MIN, IN_10_MIN = "2026-11-25T08:05:00Z", "2026-11-25T08:10:00Z"
TWIN = "hunan/slurm/long"


def gang(*cards, **fields):
    """Return a document of members that start together, of so many cards each."""
    return world.document(
        *(
            world.component(f"m{number}", gang="both", resources={"accelerators": count}, **fields)
            for number, count in enumerate(cards)
        )
    )


def starts(proposal):
    return {row.component: (row.pool, row.start_s) for row in proposal.placements}


def test_a_gang_that_fits_one_fabric_starts_there_together():
    found = world.proposals(gang(8, 8), [world.pool(HUNAN)]).proposals[0]
    assert starts(found) == {"m0": (HUNAN, 0), "m1": (HUNAN, 0)}


def test_a_gang_too_large_for_one_fabric_starts_together_across_sites():
    found = world.proposals(gang(16, 16), [world.pool(HUNAN), world.pool(CENTRE)])
    for proposal in found.proposals:
        assert sorted(starts(proposal).values()) == [(CENTRE, 0), (HUNAN, 0)]


def test_a_gang_waits_for_the_slower_of_its_sites():
    busy = world.pool(CENTRE, free=Capacity(0, 128, 1024, 0), running_until=(Busy(IN_5_MIN, 16),))
    found = world.proposals(gang(16, 16), [world.pool(HUNAN), busy]).proposals[0]
    assert sorted(starts(found).values()) == [(CENTRE, 300), (HUNAN, 300)]


def test_a_gang_that_no_set_of_pools_can_hold_says_so():
    with pytest.raises(Refused) as error:
        world.proposals(gang(16, 16), [world.pool(HUNAN)])
    assert error.value.message.endswith(
        f"not together: gang both (m0, m1) needs 16 + 16 cards at once, {HUNAN} has 16."
    )


def test_data_without_any_way_between_the_pools_say_so():
    make = world.component("a", sites=["hunan"], outputs=[{"name": "x", "path": "x", "collect": False}])
    read = world.component("b", sites=["centre-a"], inputs=[{"name": "y", "from": "a.x"}])
    # Code needs no link of the task's own; the datum has none from hunan, and none home to go through.
    links = tuple(link for link in world.LINKS if link.source == "controller")
    with pytest.raises(Refused) as error:
        world.proposals(world.document(make, read), links=links)
    assert "y: there is no link from hunan (pools of a) to centre-a (pools of b)" in error.value.message


def test_a_promise_on_one_pool_counts_on_the_machines_of_all():
    """A partition of the same machines: what a plan holds on it is not free on the other."""
    twin = world.pool(HUNAN, id=TWIN)
    promise = Commitment("r1", "train", world.NOW, IN_10_MIN, TWIN, 12, 1, 0)
    job = world.document(world.component(resources={"accelerators": 8}))
    found = world.proposals(job, [world.pool(HUNAN), twin], commitments=[promise])
    assert found.proposals[0].placements[0].start_s == 600
    assert {row["rule"] for row in found.waits} == {"promised"}
    other = dataclasses.replace(twin, domains=("elsewhere",))
    assert (
        world.proposals(job, [world.pool(HUNAN), other], commitments=[promise]).proposals[0].placements[0].start_s == 0
    )


def test_our_own_job_ends_when_it_is_planned_to_and_not_at_its_wall_limit():
    """16 cards: 8 ours, asked for until noon and planned for 10 minutes; 8 of somebody else for 5 minutes."""
    place = world.pool(
        HUNAN,
        free=Capacity(0, 382, 1024, 0),
        running_until=(Busy("2026-11-25T12:00:00Z", 8, 1, 1), Busy(IN_5_MIN, 8, 4, 1)),
        ours=(Ours("r1", "train", "running", 8, 1, 1),),
    )
    promise = Commitment("r1", "train", world.NOW, IN_10_MIN, HUNAN, 8, 1, 0)
    for cards, start in ((8, 300), (9, 600)):
        job = world.document(world.component(resources={"accelerators": cards, "nodes": 1 if cards == 8 else 3}))
        wide = dataclasses.replace(place, capacity=dataclasses.replace(place.capacity, nodes=3))
        found = world.proposals(job, [wide], commitments=[promise]).proposals[0]
        assert found.placements[0].start_s == start
    # Without the plan it is a job like any other.
    job = world.document(world.component(resources={"accelerators": 16}))
    found = world.proposals(job, [place]).proposals[0]
    assert found.placements[0].start_s == 4 * 3600


def test_jobs_of_every_partition_of_the_same_machines_count():
    """A job stands in one partition, its cards are gone from both: it ends once, at its own end."""
    full = Capacity(0, 384, 1024, 0)
    places = [
        world.pool(HUNAN, free=full, running_until=(Busy(IN_5_MIN, 8),)),
        world.pool(HUNAN, id=TWIN, free=full, running_until=(Busy(IN_10_MIN, 8),)),
    ]
    for cards, start in ((8, 300), (16, 600)):
        job = world.document(world.component(resources={"accelerators": cards}))
        assert world.proposals(job, places).proposals[0].placements[0].start_s == start


def test_a_promised_copy_holds_its_link():
    hop = ("controller", "hunan")
    promise = Commitment("r1", "move", world.NOW, IN_5_MIN, hops=(hop,))
    found = world.proposals(places=[world.pool(HUNAN)], commitments=[promise]).proposals[0]
    move = next(row for row in found.placements if row.kind == "move_data")
    assert move.start_s == 300
    assert move.link == "->".join(hop)


OLD, OLDER = "2026-11-25T07:50:00Z", "2026-11-25T07:40:00Z"


@pytest.mark.parametrize(
    "changes, rule, words",
    [
        ({"seen": Seen(OLDER, "x", "stale", "no answer")}, "state", f"is lost: last seen {OLDER} (no answer)"),
        ({"seen": Seen(OLDER, "x", "live")}, "state", "is lost"),
        ({"seen": Seen("2026-11-25T07:59:50Z", "x", "drained")}, "state", "is drained"),
        ({"alarms": (Alarm("1", "cooling failed", "critical"),)}, "alarm", "has a critical alarm: cooling failed"),
    ],
    ids=["stale too long", "read back an hour later", "drained", "critical alarm"],
)
def test_a_pool_that_cannot_be_relied_on_is_left_out_and_named(changes, rule, words):
    found = world.proposals(places=[world.slower_hunan(), world.pool(CENTRE, **changes)])
    assert {row.pool for one in found.proposals for row in one.placements if row.pool} == {HUNAN}
    (row,) = found.sentences
    assert (row["pool"], row["rule"]) == (CENTRE, rule)
    assert words in row["sentence"]


def test_a_stale_pool_may_be_taken_and_is_never_the_safest():
    stale = world.pool(CENTRE, seen=Seen(OLD, "x", "stale"))
    found = world.proposals(places=[world.slower_hunan(), stale])
    at = {label: one for one in found.proposals for label in one.labels}
    assert {row.pool for row in at["fastest"].placements if row.pool} == {CENTRE}
    assert {row.pool for row in at["safest"].placements if row.pool} == {HUNAN}
    assert f"facts of {CENTRE} are stale" in at["fastest"].objectives.risk_reasons

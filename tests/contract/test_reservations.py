# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are held: made, found and given back by name, on every platform that can."""

import calendar
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JOB_ENDED
from ansible_collections.suanwang.brain.plugins.module_utils.resources import ReservationSpec
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import VERBS

pytestmark = pytest.mark.needs("reserve")
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def later(seconds):
    return time.strftime(FORMAT, time.gmtime(time.time() + seconds))


def epoch(text):
    return calendar.timegm(time.strptime(text, FORMAT))


@pytest.fixture
def held(name):
    """Return the name of a reservation of the same run."""
    return names.name(names.parse(name).run, "work")


@pytest.fixture
def spec(bench, held):
    def make(**more):
        return ReservationSpec(**{"name": held, "pool": bench.expected["pool"], "duration_s": 1800, **more})

    return make


# -- the platform ------------------------------------------------------------------------------------
def test_one_is_made_found_and_given_back(bench, platform, held, spec):
    assert platform.reservation(held) is None
    start = later(7200)
    made = platform.reserve(spec(start=start))
    found = bench.platform().reservation(held)
    assert found == made
    assert (found.name, found.state, found.nodes) == (held, "pending", 1)
    assert found.pool == f"{platform.site.id}/{platform.endpoint.id}/{bench.expected['pool']}"
    assert (found.start, epoch(found.end) - epoch(found.start)) == (start, 1800)
    assert found.cpu == bench.expected["cpu"] // bench.expected["nodes"] and found.hosts
    assert found.users == (platform.account.user,)
    platform.release(held)
    assert platform.reservation(held) is None and bench.reservations() == []
    platform.release(held)


def test_without_a_start_it_begins_now(platform, spec):
    made = platform.reserve(spec(nodes=2))
    assert made.state == "active" and made.nodes == 2
    assert abs(epoch(made.start) - time.time()) < 60


def test_a_name_is_taken_once(bench, platform, held, spec):
    platform.reserve(spec(start=later(7200)))
    with pytest.raises(Conflict) as caught:
        platform.reserve(spec(start=later(72000)))
    assert caught.value.site == platform.site.id
    assert bench.reservations() == [held]


def test_nodes_that_are_taken_are_refused(bench, platform, spec, held):
    platform.reserve(spec(nodes=bench.expected["nodes"], start=later(3600)))
    other = names.name(names.parse(held).run, "other")
    with pytest.raises(Refused) as caught:
        platform.reserve(spec(name=other, start=later(4000)))
    assert caught.value.site == platform.site.id and caught.value.way_out
    assert bench.reservations() == [held]


def test_more_nodes_than_there_are_leave_nothing_behind(bench, platform, spec):
    with pytest.raises(Refused) as caught:
        platform.reserve(spec(nodes=bench.expected["nodes"] + 1, start=later(3600)))
    # 22.05 gives what it has, and we give it back with the count; 24.11 refuses by itself.
    assert str(bench.expected["nodes"]) in str(caught.value) or "nodes are busy" in str(caught.value)
    assert bench.reservations() == []


def test_nodes_where_somebody_computes_are_refused(bench, platform, name, until, spec):
    nodes = bench.expected["nodes"]
    platform.submit(bench.spec(platform, name, "sleep 60", nodes=nodes, wall_s=600))
    job = until(platform, name, "running")
    with pytest.raises(Refused):
        platform.reserve(spec())
    assert platform.reserve(spec(start=later(1200))).state == "pending"
    platform.cancel(job)
    until(platform, name, *JOB_ENDED)


def test_its_job_runs_on_its_nodes_others_wait_and_it_is_kept_until_then(bench, platform, name, held, until, spec):
    made = platform.reserve(spec(nodes=bench.expected["nodes"]))
    stranger = names.name(names.new_run(time.time() * 1000), "stranger", 1)
    platform.submit(bench.spec(platform, stranger, "true"))
    platform.submit(bench.spec(platform, name, "sleep 60", nodes=made.nodes, reservation=held))
    job = until(platform, name, "running")
    assert job.nodes == made.hosts
    assert platform.job(stranger).state == "queued"
    with pytest.raises(Refused) as caught:
        platform.release(held)
    assert caught.value.details["in_use"] is True and caught.value.way_out
    platform.cancel(job)
    until(platform, name, *JOB_ENDED)
    platform.release(held)
    assert until(platform, stranger, *JOB_ENDED).ended_well


# -- the verb ----------------------------------------------------------------------------------------
@pytest.fixture
def act(platform, bench, name):
    """Return a function: parameters → the verb's result; what it reported is in act.told."""
    told = []

    def call(check=False, **more):
        params = {
            "state": "present", "run": names.parse(name).run, "component": "work", "pool": bench.expected["pool"],
            "nodes": 1, "duration_s": 1790, "start": None, "least_s": None, "planned": False, **more,
        }  # fmt: skip
        return VERBS["reservation"].run(platform, params, check, lambda event, **fields: told.append(event))

    call.told = told
    return call


def test_the_verb_is_idempotent(bench, act, held):
    start = later(3600)
    bench.reset()
    dry = act(check=True, start=start)
    assert dry["changed"] and dry["reservation"] is None and held in dry["diff"]["after"]
    assert bench.counters()["writes"] == 0
    first = act(start=start)
    assert first["changed"] and first["diff"] == dry["diff"] and act.told == ["intent", "reserved"]
    writes = bench.counters()["writes"]
    again = act(start=start)
    assert not again["changed"] and again["reservation"] == first["reservation"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert act(check=True, state="absent")["changed"]
    assert bench.counters()["writes"] == writes and bench.reservations() == [held]
    assert act(state="absent")["changed"] and bench.reservations() == []
    assert not act(state="absent")["changed"]


@pytest.mark.parametrize("other", [{"nodes": 2}, {"duration_s": 3600}, {"start": "2030-01-01T00:00:00Z"}])
def test_what_differs_under_our_name_is_a_conflict(bench, act, held, other):
    start = later(3600)
    act(start=start)
    for check in (True, False):
        with pytest.raises(Conflict) as caught:
            act(check=check, **{"start": start, **other})
        assert held in str(caught.value)
    assert bench.reservations() == [held]


def test_a_lost_answer_makes_no_second_one(bench, act, held):
    bench.fault("lost_reservation")
    made = act(start=later(3600))
    assert made["changed"] and made["reservation"]["name"] == held
    assert act.told == ["intent", "doubt", "reserved"] and bench.reservations() == [held]


@pytest.mark.parametrize("wrong", [{"nodes": 0}, {"duration_s": 0}, {"start": "noon"}, {"pool": None}])
def test_bad_input_is_told_before_anything_is_asked(bench, act, wrong):
    bench.reset()
    with pytest.raises(Invalid):
        act(**wrong)
    assert bench.counters()["reads"] + bench.counters()["writes"] == 0

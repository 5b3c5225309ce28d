# SPDX-License-Identifier: GPL-3.0-or-later
"""What scontrol needs, and how its refusals are told."""

import dataclasses

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unsupported
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import slurm_text as text
from ansible_collections.suanwang.brain.plugins.module_utils.resources import ReservationSpec
from ansible_collections.suanwang.brain.plugins.module_utils.shell import Done

PLATFORM = "slurm"


@pytest.fixture
def spec(name):
    return ReservationSpec(names.name(names.parse(name).run, "work"), "npu")


@pytest.mark.parametrize(("said", "kind"), [
    ("Error creating the reservation: Duplicate reservation name", Conflict),
    ("Error creating the reservation: Requested nodes are busy", Refused),
    ("Error creating the reservation: Requested reservation overlaps with another reservation", Refused),
    ("Error creating the reservation: Invalid user id", Unauthorized),
    ("Error creating the reservation: Invalid time specified", Refused),
    ("Error creating the reservation: Unexpected message received", Unreachable),
    ("delete_reservation ReservationName=a: Requested reservation is invalid", NotFound),
    ("delete_reservation ReservationName=a: Unable to contact slurm controller (connect failure)", Unreachable),
    ("something new", Refused), ("", Refused),
])  # fmt: skip
def test_its_sentences_are_told_apart(said, kind):
    error = text.refusal(Done(1, "Note, unless …\n", f"{said}\n"))
    assert type(error) is kind and (said in error.message if said else "Note" in error.message)
    assert (kind is Refused and said in ("something new", "")) or error.way_out or kind is NotFound


def test_without_a_login_node_it_says_so_and_asks_nothing(bench, platform, spec):
    platform.connection.endpoint = dataclasses.replace(platform.endpoint, shell=None)
    bench.reset()
    for act in (lambda: platform.reserve(spec), lambda: platform.release(spec.name)):
        with pytest.raises(Unsupported) as caught:
            act()
        assert "shell: <endpoint>" in str(caught.value) and caught.value.site == "hunan"
    assert bench.counters()["reads"] + bench.counters()["writes"] == 0
    assert platform.reservation(spec.name) is None


def test_who_may_not_reserve_is_told_what_it_takes(bench, platform, spec):
    platform.files.user = "alice"
    with pytest.raises(Unauthorized) as caught:
        platform.reserve(spec)
    assert "Operator" in caught.value.way_out and bench.reservations() == []


def test_a_dead_controller_leaves_a_doubt(bench, platform, spec):
    bench.fault("live_list_down")
    for act in (lambda: platform.reserve(spec), lambda: platform.release(spec.name)):
        with pytest.raises(Unreachable):
            act()
    bench.heal()
    assert platform.reservation(spec.name) is None

# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ids and our names on a platform."""

import re

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def decoded(run):
    number = 0
    for letter in run:
        number = number * 32 + CROCKFORD.index(letter)
    return number


def test_a_run_id_is_a_ulid_in_lower_case():
    run = names.new_run(1764041218000)
    assert len(run) == 26
    assert set(run) <= set(CROCKFORD)
    assert names.check_run(run) == run
    assert decoded(run) >> 80 == 1764041218000


def test_the_known_time_part_of_the_ulid_specification():
    """The example of https://github.com/ulid/spec: 1469918176385 ms is 01ARYZ6S41."""
    assert names.new_run(1469918176385)[:10] == "01aryz6s41"


def test_run_ids_sort_by_time():
    times = [0, 1, 31, 32, 1469918176385, 1764041218000, 1764041218001, 2**48 - 1]
    made = [names.new_run(at) for at in times]
    assert made == sorted(made)
    assert all(names.check_run(run) for run in made)


def test_run_ids_of_one_moment_differ():
    assert len({names.new_run(1764041218000) for _ in range(1000)}) == 1000


def test_a_time_with_a_fraction_is_taken_as_whole_milliseconds():
    assert decoded(names.new_run(1764041218000.9)) >> 80 == 1764041218000


@pytest.mark.parametrize(
    "run",
    [
        "",
        RUN[:-1],
        RUN + "0",
        RUN.upper(),
        "8" + RUN[1:],
        RUN[:-1] + "u",
        RUN[:-1] + "i",
        RUN + "\n",
        "../" + RUN[3:],
        None,
    ],
)
def test_what_is_no_run_id(run):
    with pytest.raises(Invalid, match="is not a run id"):
        names.check_run(run)


@pytest.mark.parametrize("component", ["train", "localhost", "a", "a1_b", "z" * 20])
@pytest.mark.parametrize("attempt", [0, 1, 12, 9999])
@pytest.mark.parametrize("dot", [True, False])
def test_a_name_reads_back(component, attempt, dot):
    text = names.name(RUN, component, attempt, dot=dot)
    assert names.parse(text) == names.Mark(RUN, component, attempt)
    assert re.fullmatch(r"[a-z0-9_.-]+", text)
    assert dot or "." not in text


def test_both_forms_as_they_stand_on_a_platform():
    assert names.name(RUN, "train") == f"swb-{RUN}-train"
    assert names.name(RUN, "train", 2) == f"swb-{RUN}-train.a2"
    assert names.name(RUN, "train", 2, dot=False) == f"swb-{RUN}-train--a2"


def test_the_longest_name_fits_in_63_characters():
    """63 is the shortest limit known (a DNS label); a name that is cut would be no mark."""
    assert len(names.name(RUN, "z" * 20, 9999)) == 57
    assert len(names.name(RUN, "z" * 20, 9999, dot=False)) == 58


@pytest.mark.parametrize(
    "component",
    ["Train-1", "", "z" * 21, "训练", "1train", "_train", "tr ain", "train-1", "train.a1", "train\n"],
)
def test_a_component_that_breaks_the_rule_is_refused(component):
    with pytest.raises(Invalid) as caught:
        names.name(RUN, component)
    assert repr(component) in str(caught.value)
    assert "[a-z][a-z0-9_]{0,19}" in str(caught.value)
    assert caught.value.way_out


def test_a_name_for_no_run_is_refused():
    with pytest.raises(Invalid, match="is not a run id"):
        names.name("../../etc", "train")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "train",
        "interactive",
        f"swb-{RUN}",
        f"swb-{RUN}-",
        f"swb-{RUN}-Train",
        f"swb-{RUN}-train.a0",
        f"swb-{RUN}-train.a01",
        f"swb-{RUN}-train.a",
        f"swb-{RUN}-train-a1",
        f"swb-{RUN}-train.a1.a2",
        f"swb-{RUN}-train.a1 ",
        f"swb-{RUN}-train\n",
        f" swb-{RUN}-train",
        f"x-swb-{RUN}-train",
        f"SWB-{RUN}-train",
        f"swb-{RUN.upper()}-train",
        f"swb-{RUN[:-1]}-train",
        f"swb-{RUN}-{'z' * 21}",
    ],
)
def test_a_foreign_name_is_not_ours(text):
    assert names.parse(text) is None


def test_a_name_that_a_platform_cut_never_passes_as_another_run():
    whole = names.name(RUN, "train", 12)
    for length in range(len(whole)):
        found = names.parse(whole[:length])
        assert found is None or found.run == RUN

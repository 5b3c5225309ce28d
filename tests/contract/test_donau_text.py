# SPDX-License-Identifier: GPL-3.0-or-later
"""What Donau's commands write, read from files beside this one. Where a file comes from is said in `donau.py`."""

import doctest
from pathlib import Path

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import donau_text as text
from ansible_collections.suanwang.brain.plugins.module_utils.resources import JobSpec
from ansible_collections.suanwang.brain.plugins.module_utils.shell import Done


def golden(name):
    return (Path(__file__).parent / "donau" / f"{name}.txt").read_text()


def test_the_examples_in_the_text_module_hold():
    assert doctest.testmod(text).failed == 0


def test_a_list_of_jobs():
    rows = text.jobs(golden("djob"))
    assert [(row.id, row.state, row.queue) for row in rows] == [
        ("37238961", "RUNNING", "root.npu"), ("37238970", "PENDING", "root.npu"), ("37238971", "SSTOPPED", "root.npu"),
        ("37238999", "FAILED", "root.cpu"),
    ]  # fmt: skip
    assert rows[0].name == "swb-01kaz4m6q3h8v0c9t2x5r7n1de-train.a1" and rows[0].user == "brain"


@pytest.mark.parametrize("name", ["no_matches", "token_expired", "dsub_plain"])
def test_what_is_no_table_is_no_list(name):
    assert text.jobs(golden(name)) is None


def test_the_tasks_of_a_job_are_told_together():
    found = text.details(golden("djob_custom"))
    running = found["37238961"]
    assert (running.nodes, running.cpu, running.run_s) == (("agent-ARM-01", "agent-ARM-02"), 8, 61)
    assert running.timeout_s == 7200 and running.exit_code is None and not running.terminated
    assert (found["37238970"].reason, found["37238970"].run_s, found["37238970"].nodes) == ("20615", None, ())
    assert found["37239002"].timeout_s is None


@pytest.mark.parametrize(("number", "code", "terminated"), [
    ("37238999", 3, False), ("37239000", None, True), ("37239001", 137, False), ("37239002", 0, False),
    ("37239003", None, False),
])  # fmt: skip
def test_ends(number, code, terminated):
    found = text.details(golden("djob_custom"))[number]
    assert (found.exit_code, found.terminated) == (code, terminated)


def test_nodes_have_the_numbers_of_their_place_in_the_list():
    first, second = text.nodes(golden("dnode"), golden("dnode_long"), {"npu": "910b4"}, {"agent-ARM-01": "aarch64"})
    assert (first.name, first.cpu, first.idle_cpu, first.arch) == ("agent-ARM-01", 192, 188, "aarch64")
    assert (first.memory_mib, first.free_memory_mib) == (786432, 500000)
    assert (first.cards, first.used, first.free_cards("npu"), first.works) == ({"npu": 8}, {"npu": 2}, 6, True)
    assert not second.works and second.arch is None and second.free_cards("npu") == 0


def test_a_list_that_is_shorter_than_what_is_described_is_none():
    with pytest.raises(Unreachable, match="shows 1 nodes, and describes 2"):
        text.nodes("NODE\n----\na\n", golden("dnode_long"), {}, {})


def test_queues_and_labels():
    assert text.queues(golden("dqueue")) == {"root.npu": "OPEN,ACTIVE", "root.old": "CLOSED,INACTIVE"}
    found = text.arches(golden("labels"))
    assert found["agent-ARM-03"] == "aarch64" and found["login-x86"] == found["agent-X86-2"] == "x86_64"
    assert len(found) == 6


@pytest.mark.parametrize(("name", "number"), [
    ("dsub_plain", "37238961"), ("dsub_digits", "12345"), ("dsub_json", "37322154"), ("dsub_json_refused", None),
    ("token_expired", None), ("no_matches", None),
])  # fmt: skip
def test_what_was_submitted(name, number):
    assert text.submitted(golden(name)) == number


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize(("name", "kind", "words"), [
    ("token_missing", Unauthorized, "dlogin"), ("token_expired", Unauthorized, "credential"),
    ("token_unauthorized", Unauthorized, "user group"), ("root", Unauthorized, "ordinary user"),
    ("unknown_id", NotFound, "99"), ("not_yours", Unauthorized, "another user"), ("no_matches", NotFound, "no matches"),
    ("dsub_json_refused", NotFound, "pool_info"),
])  # fmt: skip
def test_refusals_are_told_apart_whatever_the_exit_status(name, kind, words, code):
    error = text.failure(Done(code, golden(name), ""), "brain")
    assert type(error) is kind and words in str(error)
    if kind is NotFound:
        assert text.failure(Done(code, golden(name), ""), "brain", nothing=True) is None


def test_the_three_states_of_a_token_are_three_sentences():
    said = {str(text.failure(Done(0, golden(f"token_{one}"), ""), "brain")) for one in ("missing", "expired",
            "unauthorized")}  # fmt: skip
    assert len(said) == 3


@pytest.mark.parametrize("name", ["djob", "djob_custom", "dnode", "dnode_long", "dqueue", "labels", "dsub_plain",
                                  "dsub_digits", "dsub_json"])  # fmt: skip
def test_facts_are_no_refusal_whatever_users_call_their_jobs(name):
    assert text.failure(Done(0, golden(name), ""), "brain") is None


@pytest.mark.parametrize(("out", "err", "kind"), [
    ("", "", Refused), ("something new", "", Refused), ("", "error: failed to connect to the scheduler", Unreachable),
    ("error: unknown option -tpn\nusage: dsub", "", Invalid),
])  # fmt: skip
def test_an_exit_status_is_a_refusal_too(out, err, kind):
    assert type(text.failure(Done(1, out, err), "brain")) is kind


SPEC = JobSpec(
    name="swb-x-train.a1", label="", pool="hangzhou-c/donau/root.npu", script="#!/bin/sh\necho $A\n", workdir="/d/a b",
    log="/d/a b/log", environment={"A": "it's; x", "B": ""}, nodes=2, accelerators=4, cpu=8, memory_gib=1.5, wall_s=90,
)  # fmt: skip


@pytest.mark.parametrize(("generation", "words"), [
    ("hpc22", "dsub --name swb-x-train.a1 -q root.npu -A root.p -R cpu=8;mem=1536MB;npu=2 -N 2 -tpn 1 -T 90 -o LOG"
              " -e LOG -s X"),
    ("kit24", "dsub --name swb-x-train.a1 --queue root.npu --account root.p --resource cpu=8;mem=2G;npu=2 --replica 2"
              " --replica-per-node 1 -T 90 -o LOG -e LOG --json --script X"),
])  # fmt: skip
def test_both_generations_of_options(generation, words):
    found = text.submission(SPEC, generation, "root.npu", "root.p", "npu", "X")
    assert [word.replace(SPEC.log, "LOG") for word in found] == words.split()
    bare = text.submission(JobSpec("n", "", "q", "", "/d", "/d/log", {}), generation, "q", None, None, "X")
    assert "cpu=1" in bare and not {"-A", "--account", "-N", "--replica"} & set(bare)


def test_variables_and_folder_go_into_the_script():
    written = text.script(SPEC, {"cpu": 8})
    assert written.startswith("#!/bin/sh\n# swb-request ")
    assert written.endswith("export A='it'\"'\"'s; x'\nexport B=''\ncd '/d/a b' || exit 96\necho $A\n")
    assert text.request(written) == {"cpu": 8} and text.request("#!/bin/sh\n") == {} == text.request(None)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Donau's commands at the lab's login node, typed as a person would."""

import re
import time

import pytest

from tests.lab.lab import Lab
from tests.unit.test_lab_commands import typed as at_login

FAST = {"pending_s": [0.02, 0.05], "kill_wait": 0.4, "ctld_block_s": 0}
SCRIPT = "printf '#!/bin/sh\\necho hello from $CCS_JOB_ID; sleep 30\\n' > job.sh; chmod 700 job.sh; "


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), sites=["hangzhou-c"], more=True, settings=FAST) as lab:
        yield lab


@pytest.fixture
def site(lab):
    yield lab.site("hangzhou-c/donau")
    lab.site("hangzhou-c/donau").set(token="good", generation="hpc22", banner=False)
    lab.site("hangzhou-c/donau").heal()


@pytest.fixture
def typed(lab, site):
    return lambda *lines, **who: at_login(lab, *lines, name="hangzhou-c/donau", credential="hangzhou-c-donau", **who)


def number(answer):
    return re.search(r"JOBID (\d+)", answer[1])[1]


def test_a_job_lives_and_is_ended_by_its_owner_alone(site, typed):
    (made,) = typed(SCRIPT + 'dsub --name one -q root.npu -R "cpu=2;mem=200;npu=3" -oo out.%J -s job.sh')
    job = number(made)
    end = time.monotonic() + 10
    while " RUNNING " not in (shown := typed(f"djob {job}")[0])[1]:
        assert time.monotonic() < end, shown
    assert shown[1].splitlines()[0].split()[:5] == ["JOB_ID", "JOB_NAME", "USER", "STATE", "QUEUE"]
    (row,) = [one for one in site.jobs() if str(one["job_id"]) == job]
    assert (row["gres"], row["cpus_per_task"], row["memory_per_node"]) == ("npu:ascend910b:3", 2, 200)
    assert re.search(r"loadResources\.npuFree +5\n", typed("dnode -L")[0][1])
    foreign = typed(f"djob -T {job}", f"djob {job}", user="alice")
    assert "access to job" in foreign[0][1] and f"{job} does not exist" in foreign[1][1]
    assert typed(f"djob -T {job}") == [(0, f"{job} terminate job successfully\n", "")]
    end = time.monotonic() + 10
    while " 10003 " not in (told := typed(f'djob -x -CO "JOB_ID EXIT_CODE EXIT_MESSAGE" {job}')[0])[1]:
        assert time.monotonic() < end, told
    assert typed("djob -n one")[0][1] == "no matches\n"  # what has ended is shown where it is asked for
    assert f"{job} " in typed("djob -n one -s 'SUCCEEDED FAILED'")[0][1]


@pytest.mark.parametrize(("generation", "line", "words"), [
    ("hpc22", "dsub --nnodes 1 -s job.sh", "unknown option --nnodes"),
    ("kit24", "dsub -tpn 1 -s job.sh", "unknown option -tpn"), ("kit24", "djob -T 1", "unknown option -T"),
    ("hpc22", "dsub -q root.gold -s job.sh", "queue root.gold does not exist"),
    ("hpc22", "dsub -q root.npu -R tpu=1 -s job.sh", "resource tpu=1 is invalid"),
    ("hpc22", "dsub -q root.npu -R cpu=200 -s job.sh", "no node can ever satisfy"),
    ("hpc22", "dsub -q root.npu -s nothing.sh", "does not exist or is not executable"),
    ("hpc22", "dsub -q root.npu", "does not exist or is not executable"),
    ("hpc22", "dsub -q root.npu -A root.physics -s job.sh", "the permission of account root.physics"),
])  # fmt: skip
def test_what_dsub_refuses_makes_no_job(site, typed, generation, line, words):
    site.set(generation=generation)
    before = len(site.jobs())
    typed(SCRIPT.rstrip("; "))
    ((code, out, err),) = typed(line)
    assert code == 1 and words in out + err and len(site.jobs()) == before


def test_a_token_is_asked_for_by_all_but_the_version(site, typed):
    site.set(token="expired")
    refused = typed("dqueue", "dnode", "djob", "dadmin label show", "dversion")
    assert [code for code, _out, _err in refused] == [1, 1, 1, 1, 0]
    assert all("token expired!" in out for _code, out, _err in refused[:4])


def test_json_is_answered_where_it_is_asked_for(site, typed):
    site.set(banner=True)
    good, bad = typed(SCRIPT + "dsub -q root.npu --json -s job.sh", "dsub -q root.gold --json -s job.sh")
    assert good[1].startswith("Authorized users only.") and '"code": "success"' in good[1]
    assert bad[0] == 1 and '"data": null' in bad[1]
    for job in [one for one in site.jobs() if one["state"] in ("PENDING", "RUNNING")]:
        typed(f"djob -T {job['job_id']}")

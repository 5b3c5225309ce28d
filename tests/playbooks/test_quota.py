"""`quota.yml`: a tenant's limits at several endpoints, shown first, set once."""

import json

import pytest

from tests.lab.lab import Lab
from tests.playbooks.project import Project

PLACES = ["hunan/slurm", "centre-a/slurm"]


@pytest.fixture
def put(project, lab):
    def run(limits, *arguments, at=PLACES):
        asked = {"tenant": "demo", "at": at, "limits": limits, "config": str(project.config)}
        return project.play("quota", "-e", json.dumps(asked), *arguments)

    yield run
    for name, kind in (("hunan", "npu"), ("centre-a", "gpu")):
        lab.site(name).set(limits={"demo": {"grp_tres": {f"gres/{kind}": 16}}})


def writes(lab):
    return [lab.site(place.split("/")[0]).counters()["writes"] for place in PLACES]


def test_limits_are_shown_then_set_at_both_sites_then_left_alone(put, lab):
    shown = put({"accelerators": 8, "jobs": 20}, "--check", "--diff").good()
    for line in ("-accelerators: 16", "+accelerators: 8", "-jobs: no limit", "+jobs: 20"):
        assert shown.text.count(line) == 2, shown.text
    assert writes(lab) == [0, 0], "check mode wrote"
    done = put({"accelerators": 8, "jobs": 20}, "--diff").good()
    assert done.text.count("+accelerators: 8") == 2 and done.changed["localhost"] == 1
    assert writes(lab) == [1, 1], "one command a cluster"
    assert put({"accelerators": 8, "jobs": 20}).good().changed["localhost"] == 0 and writes(lab) == [1, 1]


def test_one_site_that_refuses_does_not_keep_the_other_from_it(put, lab):
    lab.site("hunan").fault("dbd_down")
    done = put({"accelerators": 4})
    assert done.code == 2 and "accounting" in done.flat
    assert writes(lab) == [0, 1]
    lab.site("hunan").heal()
    assert put({"accelerators": 4}).good().changed["localhost"] == 1 and writes(lab) == [1, 1]


def test_a_platform_without_the_verb_says_so_and_is_no_failure(tmp_path):
    with Lab(tmp_path / "lab", sites=["hangzhou-b"], more=True) as lab:
        user = Project(lab, tmp_path)
        asked = {"tenant": "demo", "at": "hangzhou-b/aofei,hangzhou-b/cloud", "limits": "cpu=64"}
        for arguments in (("--check", "--diff"), ()):
            done = user.play("quota", "-e", json.dumps(asked), *arguments, ANSIBLE_SHOW_CUSTOM_STATS="1").good()
            assert "cannot set_quota" in done.flat
            stats = json.loads(done.text.partition("RUN: ")[2].partition("\n\n")[0])
            held, changed = stats["brain_quota"]
            assert (held["at"], held["state"]) == ("hangzhou-b/aofei", "held") and "set_quota" in held["message"]
            assert (changed["at"], changed["state"], changed["message"]) == ("hangzhou-b/cloud", "changed", None)

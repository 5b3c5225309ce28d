"""Somebody else takes a whole site: the next refresh shows it, other ways are proposed, and each sentence says why."""

import json

import pytest

from tests.lab.lab import Lab
from tests.playbooks.project import Project
from tests.playbooks.project import write_task

HUNAN, CENTRE = "hunan/slurm/npu", "centre-a/slurm/gpu"
CARDS = {"hunan": "npu:ascend910b:8", "centre-a": "gpu:a800:8"}


@pytest.fixture
def lab(tmp_path):
    with Lab(tmp_path / "lab") as started:
        yield started


def pools(project):
    """Return {pool id: host variables} of the inventory as it is now."""
    done = project.run("ansible-inventory", "-i", project.inventory, "--list").good()
    found = json.loads(done.text[done.text.index("{") :], object_hook=lambda one: one.get("__ansible_unsafe", one))
    return {one["brain_pool_id"]: one for one in found["_meta"]["hostvars"].values()}


def taken(lab, site, seconds):
    """Have somebody else's job take every accelerator of a site, in the platform's own way."""
    return lab.site(site).foreign(gres=CARDS[site], nodes=2, seconds=seconds)


def test_a_foreign_job_takes_all_accelerators_of_a_site(lab, tmp_path):
    project = Project(lab, tmp_path / "project")
    task = write_task(project.folder / "t", work={"duration_s": 30})
    before, first = pools(project), project.propose(task, pick=None).good()
    assert (before[HUNAN]["brain_free"]["accelerators"], before[HUNAN]["brain_running_until"]) == (16, [])
    assert "Possible, but not at once" not in first.flat
    assert "1 other pool could" in first.flat

    taken(lab, "hunan", 1800)
    after = pools(project)
    assert after[HUNAN]["brain_free"]["accelerators"] == 0
    (busy,) = after[HUNAN]["brain_running_until"]
    assert busy["accelerators"] == 16
    assert after[CENTRE]["brain_free"]["accelerators"] == 16

    second = project.propose(task, pick=None).good()
    why = f"{HUNAN} has 0 of 16 910b4 cards free until {busy['until']}"
    assert f"Possible, but not at once: train at {HUNAN} (busy): {why}" in second.flat
    # Each card is as wide as it is; what it says stands in the plan's estimate in one piece.
    run = project.planned(task, pick="fastest")
    assert project.plan(run)["components"][0]["pools"][0] == CENTRE
    folder = project.store.find_plan(run)
    reasons = json.loads((folder / "estimate-1.json").read_text())["reasons"]
    assert any(f"1 other only later: {why}" in reason for reason in reasons), reasons
    cheap = project.planned(task, pick="cheapest")
    estimate = json.loads((project.store.find_plan(cheap) / "estimate-1.json").read_text())
    (row,) = estimate["components"]
    assert row["pool"] == HUNAN
    assert row["start"] == busy["until"], "the cheap site is waited for, until that job ends"


def test_a_site_that_comes_free_too_late_is_rejected_with_that_reason(lab, tmp_path):
    project = Project(lab, tmp_path / "project")
    task = write_task(project.folder / "t", work={"duration_s": 30})
    document = json.loads(task.read_text())
    task.write_text(json.dumps({**document, "constraints": {"deadline_s": 900}}))
    taken(lab, "hunan", 3600)
    shown = project.propose(task, pick=None).good()
    assert f"Not possible: train at {HUNAN} (deadline): {HUNAN} has 0 of 16 910b4 cards free until" in shown.flat
    assert "and the deadline is in 900 s" in shown.flat
    taken(lab, "centre-a", 3600)
    refused = project.propose(task)
    assert refused.code != 0
    for pool in (HUNAN, CENTRE):
        assert f"{pool} has 0 of 16" in refused.flat
    assert "The least change: set a later deadline" in refused.flat
    assert project.store.runs() == []

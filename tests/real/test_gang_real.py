"""Nodes of two real clusters held at once by scontrol, and the jobs of a gang started together in them."""

import pytest

from tests.faults import bench
from tests.playbooks.test_gang import joint_task
from tests.real import packages

packages.need_slurm()  # else the whole module is skipped, with one line

PARTS = {"hunan": "half_h", "centre-a": "half_c"}


@pytest.fixture
def run(project, tmp_path):
    return project.approved(joint_task(tmp_path / "task", seconds=8))


def reservations(slurm):
    said = [site.tool("scontrol", "-o", "show", "reservation") for site in slurm.sites]
    return [line for text in said for line in text.splitlines() if "ReservationName=swb-" in line]


def test_both_clusters_hold_and_start_together(project, slurm, run):
    process = bench.begin(project, run)
    (event,) = bench.wait_for(lambda: project.events(run, "gang"), process)
    # Asked while they run: a job forgets its reservation once that is given back.
    for site, part in PARTS.items():
        said = slurm.site(site).tool("squeue", "-h", "-n", f"swb-{run}-{part}.a1", "-o", "%T|%v")
        assert said.strip() == f"RUNNING|swb-{run}-{part}"
    assert process.wait(timeout=120) == 0
    assert {event["component"] for event in project.events(run, "reserved")} == set(PARTS.values())
    assert event["skew_s"] <= event["allowed_s"]
    for site, part in PARTS.items():
        assert len(slurm.site(site).copies(f"swb-{run}-{part}.a1")) == 1
    assert reservations(slurm) == []


def test_the_second_cluster_refuses_and_the_first_is_given_back(project, slurm, run):
    number = slurm.site("centre-a").take_all()
    try:
        done = project.apply(run)
        assert done.code != 0 and "Requested nodes are busy" in done.flat, done.text[-3000:]
        assert reservations(slurm) == []
        assert [slurm.site(site).copies(f"swb-{run}-{part}.a1") for site, part in PARTS.items()] == [[], []]
    finally:
        slurm.site("centre-a").scancel(number)
    project.apply(run).good()
    assert reservations(slurm) == []

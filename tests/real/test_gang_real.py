"""Nodes of two real clusters held at once by scontrol, and the jobs of a gang started together in them."""

import pytest

from tests.playbooks.test_gang import joint_task
from tests.real import packages

packages.need_slurm()  # else the whole module is skipped, with one line


@pytest.fixture
def run(project, tmp_path):
    return project.approved(joint_task(tmp_path / "task"))


def reservations(slurm):
    said = [site.tool("scontrol", "-o", "show", "reservation") for site in slurm.sites]
    return [line for text in said for line in text.splitlines() if "ReservationName=swb-" in line]


def test_both_clusters_hold_and_start_together(project, slurm, run):
    project.apply(run).good()
    assert {event["component"] for event in project.events(run, "reserved")} == {"half_h", "half_c"}
    (event,) = project.events(run, "gang")
    assert event["skew_s"] <= event["allowed_s"]
    for site, part in (("hunan", "half_h"), ("centre-a", "half_c")):
        (number,) = slurm.site(site).copies(f"swb-{run}-{part}.a1")
        said = slurm.site(site).tool("sacct", "-n", "-X", "-P", "-j", number, "-o", "State,Reservation")
        assert said.strip() == f"COMPLETED|swb-{run}-{part}"
    assert reservations(slurm) == []


def test_the_second_cluster_refuses_and_the_first_is_given_back(project, slurm, run):
    number = slurm.site("centre-a").take_all()
    try:
        done = project.apply(run)
        assert done.code != 0 and "Requested nodes are busy" in done.flat, done.text[-3000:]
        assert reservations(slurm) == []
        assert [slurm.site(site).copies(f"swb-{run}-{part}.a1") for site, part in
                (("hunan", "half_h"), ("centre-a", "half_c"))] == [[], []]  # fmt: skip
    finally:
        slurm.site("centre-a").scancel(number)
    project.apply(run).good()
    assert reservations(slurm) == []

"""A framework that users know, really trained by slurmd, through the same playbooks."""

import pytest
import yaml

from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project
from tests.real import frameworks
from tests.real import packages

packages.need_slurm()  # else the whole module is skipped, with one line


@pytest.fixture
def with_pytorch(slurm, tmp_path):
    """A user whose centre-a has PyTorch where its site file says so."""
    python = frameworks.pytorch()
    project = Project(slurm, tmp_path)
    path = project.own_config() / "sites" / "centre-a.yml"
    site = yaml.safe_load(path.read_text())
    for runtime in site["runtimes"]:
        if runtime["framework"] == "pytorch":
            runtime |= {"version": frameworks.VERSIONS["pytorch"], "launch": [str(python)]}
    path.write_text(yaml.safe_dump(site, allow_unicode=True, sort_keys=False))
    return project


def test_digits_by_pytorch(with_pytorch, slurm):
    project = with_pytorch
    run = project.approved(CHECKOUT / "examples" / "digits" / "task-pytorch.yml")
    project.apply(run).good()
    (measured,) = project.events(run, "evaluated")
    assert float(measured["accuracy"]) >= 0.94
    component = next(c for c in project.plan(run)["components"] if c["id"] == "train")
    assert component["framework"] == "pytorch"
    assert {pool.split("/")[0] for pool in component["pools"]} == {"centre-a"}, "only there is PyTorch"
    (number,) = slurm.site("centre-a").copies(f"swb-{run}-train.a1")
    assert slurm.site("centre-a").tool("sacct", "-n", "-X", "-P", "-j", number, "-o", "State").strip() == "COMPLETED"

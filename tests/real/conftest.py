"""The real clusters with accounting, once a test module, and a fresh user for each test."""

import pytest

from tests.playbooks.project import Project
from tests.real import packages
from tests.real.slurm import RealSlurm


@pytest.fixture(scope="module")
def slurm():
    """Two clusters with history and quota."""
    with RealSlurm(tree=packages.need_slurm()) as started:
        yield started


@pytest.fixture
def project(slurm, tmp_path):
    """A user with an empty HOME and an empty store, and clusters that are well."""
    for site in slurm.sites:
        site.heal()
        site.reset_counters()
    return Project(slurm, tmp_path)

"""One lab for all playbook tests, and a fresh user for each."""

import pytest

from tests.lab.lab import Lab
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture
def project(lab, tmp_path):
    """A user with an empty HOME and an empty store, and sites whose counters are at zero."""
    for name in ("hunan", "centre-a"):
        lab.site(name).heal()
        lab.site(name).reset_counters()
    return Project(lab, tmp_path)


@pytest.fixture(scope="session")
def digits():
    return CHECKOUT / "examples" / "digits" / "task.yml"

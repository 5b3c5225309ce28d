"""One lab for each file of faults, another clone, and a plan to mint runs from."""

import pytest

from tests.faults.bench import another_checkout
from tests.faults.bench import SETTINGS
from tests.faults.bench import Template
from tests.lab.lab import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), settings=SETTINGS) as started:
        yield started


@pytest.fixture(autouse=True)
def healthy(lab):
    yield
    for site in lab.sites:
        site.heal()


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return another_checkout(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def template(lab, tmp_path_factory):
    return Template(lab, tmp_path_factory.mktemp("template"))

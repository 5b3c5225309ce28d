"""A lab and a service for the tests that need them; an application without either for the others."""

import os

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.lab import render
from tests.lab.lab import CONFIG
from tests.lab.lab import Lab
from tests.lab.service import Service
from tests.webhook import postgres as postgresql
from webhook import config
from webhook.app import build
from webhook.database import Database
from webhook.desk.desk import Desk


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="module")
def service(lab, tmp_path_factory):
    """The whole service over the lab, with a store of the module's own."""
    with Service(lab, tmp_path_factory.mktemp("service") / "state") as started:
        yield started


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """A config folder with secrets, and no site behind it."""
    folder = tmp_path_factory.mktemp("rendered")
    target = folder / "config"
    render.copy_with_free_ports(CONFIG, target, {})
    (folder / "secrets").mkdir(mode=0o700)
    render.secrets_into(target, folder / "secrets", render.site_files(target))
    return target


@pytest.fixture
def settings(rendered, tmp_path):
    return config.load({"SUANWANG_CONFIG": str(rendered), "SUANWANG_STATE": str(tmp_path / "state")})


@pytest.fixture
def desk(settings):
    database = Database(settings.database)
    database.migrate()
    made = Desk(settings, database)
    yield made
    made.planner.close()
    database.close()


@pytest.fixture
def app(settings, desk):
    return build(settings, desk)


@pytest.fixture
def store(settings):
    return Store(settings.state)


@pytest.fixture
def postgres():
    """The address of a PostgreSQL database of the test's own."""
    if postgresql.binaries() is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs PostgreSQL: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgresql.server() as address:
        yield address

"""One bench a platform of the registry, started once; a platform without one fails every test."""

import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from tests.contract.benches import BENCHES


@pytest.fixture(scope="session", params=sorted(PLATFORMS))
def server(request, tmp_path_factory):
    factory = BENCHES.get(request.param)
    if factory is None:
        pytest.fail(f"platform {request.param} has no bench: add one to tests/contract/benches.py")
    bench = factory(tmp_path_factory.mktemp(request.param))
    yield bench
    bench.stop()


@pytest.fixture
def bench(server):
    server.reset()
    yield server
    server.heal()


@pytest.fixture
def platform(bench):
    made = bench.platform()
    yield made
    made.files.close()
    made.connection.http.close()


@pytest.fixture
def name():
    """Return the name of a component of a fresh run."""
    return names.name(names.new_run(time.time() * 1000), "work", 1)


@pytest.fixture
def until():
    """Return a function that polls a job by name until its state is one of those given."""

    def poll(platform, name, *states, seconds=15):
        end = time.monotonic() + seconds
        while True:
            job = platform.job(name)
            if job and job.state in states:
                return job
            assert time.monotonic() < end, job
            time.sleep(0.05)

    return poll

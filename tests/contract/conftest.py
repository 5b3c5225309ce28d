# SPDX-License-Identifier: GPL-3.0-or-later
"""One bench a platform of the registry, started once; a platform without one fails every test."""

import os
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from tests.contract.benches import BENCHES
from tests.contract.benches import FURTHER
from tests.contract.benches import REAL
from tests.real import packages


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """Return a function: platform name → its bench, started at the first call."""
    started = {}
    kinds = dict(BENCHES)
    for further in (*FURTHER.values(), *REAL.values()):
        kinds |= further

    def bench_of(name):
        if name not in kinds:
            pytest.fail(f"platform {name} has no bench: add one to tests/contract/benches.py")
        if name not in started:
            started[name] = kinds[name](tmp_path_factory.mktemp("bench"))
        return started[name]

    yield bench_of
    for bench in started.values():
        bench.stop()


def needed(metafunc):
    """Return the verbs that a test is about: those of its mark `needs`, and `submit` where it takes a job's name."""
    verbs = {verb for mark in metafunc.definition.iter_markers("needs") for verb in mark.args}
    return verbs | {"submit" for name in ("name", "until") if name in metafunc.fixturenames}


def pytest_generate_tests(metafunc):
    """A module that names its PLATFORM is tried on that one, every other on all of the registry, and the real ones.

    A platform that says no to a verb is not tried on it: that its no has a sentence is a test of its own.
    """
    if "bench" in metafunc.fixturenames:
        only = getattr(metafunc.module, "PLATFORM", ())
        only = (only,) if isinstance(only, str) else only
        # Where the real ones are missing, tests/real says so, once. In CI they must not be missing.
        real = REAL if os.environ.get("CI") or not packages.missing() else {}
        able = [name for name, kind in sorted(PLATFORMS.items()) if all(kind.can(v) is None for v in needed(metafunc))]
        if any(metafunc.definition.iter_markers("scheduler")):
            able = [name for name in able if PLATFORMS[name].RESERVES != "standing"]
        every = [name for platform in able for name in (platform, *FURTHER.get(platform, ()), *real.get(platform, ()))]
        metafunc.parametrize("bench", only or every, indirect=True)


@pytest.fixture
def bench(request, servers):
    server = servers(request.param)
    server.reset()
    yield server
    server.heal()


@pytest.fixture
def platform(bench):
    made = bench.platform()
    yield made
    if made.endpoint.data:
        made.files.close()
    for machine in getattr(made, "_machines_of", {}).values():
        machine.files.close()
    made.connection.http.close()


@pytest.fixture
def fresh(platform):
    """Return a function: component → its name in a fresh run, as the platform allows names."""
    return lambda component: names.name(names.new_run(time.time() * 1000), component, 1, platform.NAME_RULE.dot)


@pytest.fixture
def name(bench, fresh):
    """Return the name of a component of a fresh run, for which a job can be submitted."""
    made, other = fresh("work"), bench.platform()
    bench.prepare(other, made)
    other.connection.http.close()
    return made


@pytest.fixture
def files(platform, name):
    """Return the files that the job of that name works on."""
    return platform.files_of(names.parse(name).run, "work")


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

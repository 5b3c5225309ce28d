"""Where the real OpenStack's packages are: a virtual environment of their own in the cache, made once."""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import packages

CONSTRAINTS = Path(__file__).with_name("openstack-constraints.txt")
WANTED = ("keystone", "nova", "openstack-placement", "glance", "neutron", "waitress")
MAKE_S = 900


def _how(why):
    return f"no real OpenStack here: {why}; pip has to reach a package index once, for {', '.join(WANTED)}"


@functools.cache
def python():
    """Return the Python that has the services; raise packages.Missing with how to enable it."""
    mark = hashlib.sha256(CONSTRAINTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = packages.cache()
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / f"openstack-{mark}"
    with open(folder / "openstack.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            _make(home)
    return home / "bin" / "python"


def _make(home):
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", home], [*pip, "-c", CONSTRAINTS, "setuptools", *WANTED]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MAKE_S, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise packages.Missing(_how(error)) from error
        if done.returncode:
            raise packages.Missing(_how((done.stderr.strip().splitlines() or ["pip failed"])[-1]))
    (home / "complete").touch()


def need_openstack():
    """Return the services' Python; skip the module where there is none. In CI nothing is skipped: there it fails."""
    why = None if os.environ.get("SUANWANG_REAL") else "real OpenStack is tried where SUANWANG_REAL=1 is set"
    try:
        if why is None:
            return python()
    except packages.Missing as missing:
        why = str(missing)
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why, allow_module_level=True)

"""Where the real OpenStack's packages are: a virtual environment of their own in the cache."""

import functools
import hashlib
import sys
from pathlib import Path

from tests.real import packages
from tests.real import venvs

CONSTRAINTS = Path(__file__).with_name("openstack-constraints.txt")
WANTED = ("keystone", "nova", "openstack-placement", "glance", "neutron", "waitress")


def _how(why):
    return f"no real OpenStack here: {why}; pip has to reach a package index once, for {', '.join(WANTED)}"


@functools.cache
def python():
    """Return the Python that has the services; raise packages.Missing with how to enable it."""
    mark = hashlib.sha256(CONSTRAINTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return venvs.python(f"openstack-{mark}", ["-c", CONSTRAINTS, "setuptools", *WANTED], _how)


def need_openstack():
    return packages.needed("OpenStack", python)

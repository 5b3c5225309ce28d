"""Real clients of a controller, in a virtual environment of the cache: awx.awx, awxkit, ansible-builder."""

import functools
import sys

from tests.real import packages
from tests.real import venvs

#: `ansible` carries the collection awx.awx 24.6.1.
WANTED = ("ansible==12.3.0", "awxkit==24.6.1", "ansible-builder==3.2.0", "setuptools<81")


def _how(why):
    return f"no clients of a controller here: {why}; pip has to reach a package index once, for {', '.join(WANTED)}"


@functools.cache
def python():
    """Return the Python that has the clients; raise packages.Missing with how to enable it."""
    return venvs.python(f"awx-24.6.1-{sys.implementation.cache_tag}", ["--no-compile", *WANTED], _how)


def need_clients():
    return packages.needed("clients of a controller", python)

"""Real frameworks for real jobs: builds for processors, in virtual environments of the cache folder.

What is installed stands in ``requirements/<framework>.txt``, the framework's own package first. Whether there is a
wheel is pip's word, by asking it, never a list kept here.
"""

import hashlib
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

from tests.real import packages
from tests.real import venvs

REQUIREMENTS = Path(__file__).with_name("requirements")
FRAMEWORKS = ("tensorflow", "pytorch", "paddlepaddle", "mindspore")
PYTHONS = ("3.11", "3.12", "3.13")
ARCHS = ("x86_64", "aarch64")
#: The newest C library that a wheel may ask for: Debian 13's.
GLIBC_MINOR = 41
ASK_S = 180
# Not quicker by more tries: what does not answer within these is told as such.
QUICKLY = ("--retries=1", "--timeout=20", "--only-binary=:all:")


class NoWheel(packages.Missing):
    """A package index answered, and has no wheel of the pinned version for this Python and machine."""


def package(framework, arch=None):
    """Return the Requirement of a framework's own package, as it is pinned for an architecture (None: this one)."""
    machine = {"platform_machine": arch or platform.machine()}
    for line in (REQUIREMENTS / f"{framework}.txt").read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "-")):
            found = Requirement(line)
            if not found.marker or found.marker.evaluate(machine):
                return found
    raise LookupError(f"{framework}.txt names no package for {arch}")


def version(framework, arch=None):
    """Return the pinned version, e.g. ``2.21.0``."""
    (one,) = package(framework, arch).specifier
    return one.version


def python(framework):
    """Return the Python that has the framework; raise NoWheel, or packages.Missing with how to get it."""
    wanted = REQUIREMENTS / f"{framework}.txt"
    mark = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    if not venvs.there(name := f"{framework}-{mark}"):
        wheel(framework)
    how = f"pip has to reach a package index once, for {wanted.name}"
    return venvs.python(
        name, [*QUICKLY, "--no-compile", "-r", wanted], lambda why: f"no {framework} here: pip says {str(why)!r}; {how}"
    )


def wheel(framework, python=None, arch=None):
    """Return the name of the wheel that pip would take; raise NoWheel, or packages.Missing where no index answers.

    python, arch: e.g. ``3.12`` and ``aarch64``; without them, those of this process.
    """
    wanted = package(framework, arch)
    asked = f"{wanted.name}{wanted.specifier}"
    options = [*QUICKLY, "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report=-", *_index(framework)]
    if python:
        options += ["--target=nowhere", f"--python-version={python}", "--implementation=cp"]
        options += [f"--platform={tag}" for tag in _tags(arch)]
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options, asked]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise packages.Missing(f"{asked}: no package index answered within {ASK_S} s") from error
    if not done.returncode:
        (one,) = json.loads(done.stdout)["install"]
        return one["download_info"]["url"].rpartition("/")[2]
    said = (re.findall(r"ERROR: (.*)", done.stderr) or ["pip failed"])[0]
    # Where nothing answers pip says the same sentence, after it has tried again.
    if "No matching distribution" not in done.stderr or "Retrying (" in done.stderr:
        raise packages.Missing(f"{asked}: pip says {said!r}; it has to reach a package index")
    raise NoWheel(f"{asked}: pip says {said!r}")


def _index(framework):
    """Return the lines of options of a requirements file, as words."""
    lines = (REQUIREMENTS / f"{framework}.txt").read_text("utf-8").splitlines()
    return [word for line in lines if line.startswith("-") for word in line.split()]


def _tags(arch):
    """Return pip's names for a machine with a C library of GLIBC_MINOR or older."""
    old = [f"manylinux{year}_{arch}" for year in ("2014", "2010", "1")]
    return [*(f"manylinux_2_{minor}_{arch}" for minor in range(GLIBC_MINOR, 4, -1)), *old, f"linux_{arch}"]

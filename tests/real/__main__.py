"""``python -m tests.real``: the digits in every framework on real Slurm; what came of it is kept for the READMEs.

Kept is what ran, what failed, and what has no wheel. Where no package index answers, what was kept before stays.
"""

import datetime
import platform
import sys
import tempfile

from tests import frameworks_table
from tests.real import frameworks
from tests.real import packages
from tests.real import trained
from tests.real.slurm import RealSlurm


def outcome(framework, slurm):
    """Return a framework's record; raise packages.Missing where it cannot be told."""
    record = {
        "framework": framework,
        "package": frameworks.package(framework).name,
        "version": frameworks.version(framework),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "arch": platform.machine(),
        "slurm": slurm.tree.slurm_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    try:
        frameworks.python(framework)
        with tempfile.TemporaryDirectory() as folder:
            return {**record, "result": "ran", **trained.digits(framework, slurm, folder)}
    except frameworks.NoWheel as why:
        return {**record, "result": "no wheel", "why": str(why)}
    except AssertionError as error:
        print(error, file=sys.stderr)
        return {**record, "result": "failed", "why": str(error).strip()[-300:]}


def wheels(framework):
    """Return architecture → the Pythons that have a wheel of the pinned version."""
    found = {arch: [] for arch in frameworks.ARCHS}
    for arch in frameworks.ARCHS:
        for python in frameworks.PYTHONS:
            try:
                frameworks.wheel(framework, python, arch)
            except frameworks.NoWheel:
                continue
            found[arch].append(python)
    return found


def main():
    try:
        tree = packages.slurm()
    except packages.Missing as why:
        sys.exit(f"frameworks: {why}")
    untold = []
    with RealSlurm(tree=tree) as slurm:
        for framework in frameworks.FRAMEWORKS:
            print(f"frameworks: {framework}", flush=True)
            try:
                record = outcome(framework, slurm)
                print(f"frameworks: {record}", flush=True)
                frameworks_table.keep(record)
                frameworks_table.keep_wheels(framework, wheels(framework))
            except packages.Missing as why:
                untold.append(str(why))
    frameworks_table.main()
    bad = [one["framework"] for one in frameworks_table.kept()["runs"] if one["result"] == "failed"]
    if bad or untold:
        sys.exit("\n".join(["frameworks:", *(f"{name} failed" for name in bad), *untold]))


if __name__ == "__main__":
    main()

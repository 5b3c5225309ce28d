"""What the stand-in's commands are modelled on: the same lines, typed at a real cluster."""

import subprocess

from tests.real import packages
from tests.real.slurm import USER
from tests.unit.test_lab_commands import differences

packages.need_slurm()  # else the whole module is skipped, with one line


def test_the_real_commands_say_it(slurm):
    site = slurm.site("hunan")

    def run(line):
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=site.environment, cwd=site.home, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    found = differences(run, USER)
    assert found == [], "\n".join(map(str, found))

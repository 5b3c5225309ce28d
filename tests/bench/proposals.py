"""Proposals of a large generated task against those of the example, and against what was set as the goal."""

import sys

from tests.bench.measure import Row

#: components × pools × sites
LARGE, SMALL = (100, 64, 16), (8, 4, 2)
GOAL_CPU_S = 3.0
GOAL_GAP = 1.05


def measure(bench):
    size = SMALL if bench.small else LARGE
    child = (sys.executable, "-m", "tests.bench.proposing")
    kept = bench.folder / "figures"
    commands = {
        "start": ([*child, "start"], {}),
        "digits": ([*child, "digits"], {}),
        "large": ([*child, "large", *map(str, size), kept], {}),
    }
    found = bench.alternately(**commands)
    start = found["start"]
    large, digits = found["large"].over(start), found["digits"].over(start)
    finish, bound, many = map(int, kept.read_text().split())
    what = " x ".join(map(str, size))
    note = f"{many} proposals; start and imports of {start.cpu:.2f} s are subtracted"
    yield Row("proposals", what, large.cpu, "examples/digits", digits.cpu, note=note)
    yield Row("proposals", what, large.cpu, "the goal", GOAL_CPU_S, target=1.0)
    note = "the bound is the longest way, each step at its quickest: it may be out of reach"
    yield Row("proposals", f"{what}: fastest", finish, "lower bound", bound, "plan s", GOAL_GAP, note)

"""Run a command and say what its whole process tree cost; rows of a table of ratios; facts of the machine."""

import datetime
import importlib.metadata
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path

from tests.bench import CHECKOUT
from tests.bench import COLLECTIONS


@dataclass(frozen=True)
class Cost:
    """Seconds of a command: CPU of the process and of every descendant it waited for, and wall."""

    cpu: float
    wall: float

    def over(self, start):
        """Return the cost without that of a start that did nothing; never below a millisecond."""
        return Cost(max(self.cpu - start.cpu, 0.001), max(self.wall - start.wall, 0.001))


@dataclass(frozen=True)
class Row:
    """One ratio. ours, peer: seconds (`unit` says of what). target: what the ratio shall be at most, None: not set."""

    bench: str
    what: str
    ours: float
    against: str
    peer: float
    unit: str = "CPU s"
    target: float | None = None
    note: str = ""

    @property
    def ratio(self):
        return self.ours / self.peer

    @property
    def verdict(self):
        if self.target is None:
            return ""
        return f"<= {self.target:g}: {'met' if self.ratio <= self.target else 'MISSED'}"

    def plain(self):
        return {**asdict(self), "ratio": round(self.ratio, 4), "verdict": self.verdict}


@dataclass(frozen=True)
class Skipped:
    """What was not measured here, and how to have it measured."""

    bench: str
    sentence: str


class CommandFailed(Exception):
    """A command of a bench failed; the message holds the end of what it printed."""


class Bench:
    """What every bench is given: a folder of its own, how often to run, and whether tiny numbers are wanted."""

    def __init__(self, folder, runs=3, small=False):
        self.folder, self.runs, self.small = Path(folder), runs, small
        self.home = self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)

    def environment(self, **more):
        """Return an environment in which nothing of the caller's but the path to this Python counts."""
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{COLLECTIONS}:{CHECKOUT}",
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "SUANWANG_STATE": str(self.folder / "state"),
            **{name: str(value) for name, value in more.items()},
        }

    def cost(self, *command, prepare=None, **environment):
        """Run a command `runs` times and return the median Cost. prepare: called before each run, unmeasured."""
        found = []
        for number in range(self.runs):
            given = prepare(number) if prepare else ()
            found.append(once([*command, *(given or ())], self.environment(**environment)))
        return Cost(statistics.median(one.cpu for one in found), statistics.median(one.wall for one in found))

    def alternately(self, **commands):
        """Return {name: median Cost}; the commands take turns, so that a busy minute hits all of them."""
        found = {name: [] for name in commands}
        for _number in range(self.runs):
            for name, (command, environment) in commands.items():
                found[name].append(once(command, self.environment(**environment)))
        return {
            name: Cost(statistics.median(one.cpu for one in costs), statistics.median(one.wall for one in costs))
            for name, costs in found.items()
        }


def once(command, environment):
    """Run a command to its end and return its Cost; raise CommandFailed where it fails."""
    words = [str(word) for word in command]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        words, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    if done.returncode:
        raise CommandFailed(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, ended - began)


def machine():
    """Return the facts that a figure is worth nothing without."""
    return {
        "cpu": _cpu_model(),
        "arch": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ansible_core": importlib.metadata.version("ansible-core"),
        "load": [round(one, 2) for one in os.getloadavg()],
        "at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model Name", "CPU part")):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def table(rows):
    """Return the rows as text lines, columns as wide as they need be."""
    head = ("bench", "what", "costs", "against", "costs", "unit", "ratio", "target")
    cells = [head] + [
        (r.bench, r.what, f"{r.ours:.3f}", r.against, f"{r.peer:.3f}", r.unit, f"{r.ratio:.3g}", r.verdict)
        for r in rows
    ]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = {2, 4, 6}
    lines = []
    for row, line in zip([None, *rows], cells, strict=True):
        padded = [c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(line, wide, strict=True))]
        lines.append("  ".join(padded).rstrip())
        if row and row.note:
            lines.append(f"{' ' * (wide[0] + 4)}{row.note}")
    return lines

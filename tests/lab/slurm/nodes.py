"""The machines of a cluster and what is taken of them."""

import re
import time
from dataclasses import dataclass
from dataclasses import field

from tests.lab.slurm.job import Job
from tests.lab.slurm.job import parse_gres

RANGE = re.compile(r"^(.*)\[(\d+)-(\d+)\]$")


def expand(names: str) -> list[str]:
    """Return the names of a Slurm host list of one range: ``hn-asc[01-02]``."""
    match = RANGE.match(names)
    if not match:
        return [names]
    width = len(match[2])
    return [f"{match[1]}{n:0{width}d}" for n in range(int(match[2]), int(match[3]) + 1)]


def compress(names: list[str]) -> str:
    """Return the names as Slurm writes them: a lone name as it is, neighbours as a range."""
    if len(names) < 2:
        return "".join(names)
    parts = sorted(re.match(r"^(.*?)(\d+)$", name).groups() for name in names)
    stem, width = parts[0][0], len(parts[0][1])
    numbers = [int(number) for _, number in parts]
    pieces, first = [], numbers[0]
    for n, following in zip(numbers, [*numbers[1:], None], strict=True):
        if following != n + 1:
            pieces.append(f"{first:0{width}d}" + (f"-{n:0{width}d}" if n > first else ""))
            first = following
    return f"{stem}[{','.join(pieces)}]"


@dataclass
class Node:
    name: str
    cpus: int
    memory: int  # MiB
    sockets: int
    features: str
    gres: str
    indexed: bool
    partitions: list[str]
    state: str = "up"  # up or down
    flags: set = field(default_factory=set)  # DRAIN, NOT_RESPONDING
    reason: str = ""
    reason_at: int = 0
    reason_by: str | None = None
    boot_time: int = 0
    last_busy: int = field(default_factory=lambda: int(time.time()))
    used: dict = field(default_factory=dict)  # job id → {cpus, memory, gres}

    @property
    def devices(self) -> dict[str, int]:
        return parse_gres(self.gres)

    @property
    def usable(self) -> bool:
        return self.state == "up" and not self.flags & {"DRAIN", "NOT_RESPONDING"}

    @property
    def used_cpus(self) -> int:
        return sum(part["cpus"] for part in self.used.values())

    @property
    def used_memory(self) -> int:
        return sum(part["memory"] for part in self.used.values())

    def used_indices(self, kind: str) -> list[int]:
        return sorted(i for part in self.used.values() for i in part["gres"].get(kind, []))

    def kinds(self, wanted: str) -> list[str]:
        """Return our device kinds that `wanted` ("npu" or "npu:ascend910b") may be taken from."""
        return [kind for kind in self.devices if kind == wanted or kind.split(":")[0] == wanted]

    def capable(self, job: Job, memory: int) -> bool:
        """Could this node ever hold one node's share of the job?"""
        if job.constraints and job.constraints not in self.features.split(","):
            return False
        fits = job.cpus_per_node <= self.cpus and memory <= self.memory
        return fits and all(
            sum(self.devices[kind] for kind in self.kinds(name)) >= count for name, count in job.gres_per_node().items()
        )

    def offer(self, job: Job, memory: int, without: frozenset = frozenset()) -> dict | None:
        """Return what this node can give now (jobs in `without` thought away), None if not enough."""
        used = [part for job_id, part in self.used.items() if job_id not in without]
        if self.cpus - sum(part["cpus"] for part in used) < job.cpus_per_node:
            return None
        if self.memory - sum(part["memory"] for part in used) < memory:
            return None
        given: dict[str, list[int]] = {}
        for name, count in job.gres_per_node().items():
            left = count
            for kind in self.kinds(name):
                busy = {i for part in used for i in part["gres"].get(kind, [])}
                free = [i for i in range(self.devices[kind]) if i not in busy][:left]
                if free:
                    given[kind] = free
                left -= len(free)
            if left > 0:
                return None
        return {"cpus": job.cpus_per_node, "memory": memory, "gres": given}

    @property
    def base_state(self) -> str:
        if self.state == "down":
            return "down"
        taken = self.used_cpus
        return "idle" if not taken else "allocated" if taken >= self.cpus else "mixed"


def build(hardware: dict) -> dict[str, Node]:
    """Make the nodes of a row of the lab's hardware table."""
    partition_of = {
        name: [part for part, row in hardware["partitions"].items() if name in expand(row["nodes"])]
        for row in hardware["nodes"]
        for name in expand(row["names"])
    }
    now, found = int(time.time()), {}
    for row in hardware["nodes"]:
        for name in expand(row["names"]):
            found[name] = Node(
                name, row["cpus"], row["memory_mib"], row["sockets"], row["features"], row["gres"],
                row["idx"], partition_of[name], boot_time=now - 86400,
            )  # fmt: skip
    return found

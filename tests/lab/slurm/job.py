"""A job as slurmctld keeps it."""

import dataclasses
import re
from dataclasses import dataclass
from dataclasses import field

FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "DEADLINE",
         "OUT_OF_MEMORY"}  # fmt: skip
GRES = re.compile(r"^(?:gres[:/])?([A-Za-z_]\w*)(?::([A-Za-z_]\w*))?(?::(\d+))?$")


@dataclass
class Job:
    job_id: int
    user: str
    account: str
    name: str = "sbatch"
    partition: str = ""
    qos: str = "normal"
    script: str = ""
    environment: dict = field(default_factory=dict)
    cwd: str = ""
    standard_output: str = ""
    standard_error: str = ""
    standard_input: str = ""
    comment: str = ""
    nodes: int = 1  # wanted
    tasks: int = 1
    cpus_per_task: int = 1
    memory_per_node: int = 0  # MiB, 0: not given
    memory_per_cpu: int = 0
    gres: str = ""  # as sent, a node
    gpus: str = ""  # as sent, the whole job
    time_limit: int = 60  # minutes
    begin_time: int = 0
    deadline: int = 0
    dependency: str = ""
    constraints: str = ""
    reservation: str = ""
    held: bool = False
    submit_time: int = 0
    eligible_time: int = 0
    start_time: int = 0
    end_time: int = 0
    state: str = "PENDING"
    flags: list = field(default_factory=list)  # COMPLETING wins in job_state
    reason: str = "None"
    exit_code: int = 0  # raw wait status
    allocation: dict = field(default_factory=dict)  # node → {cpus, memory, gres: {"npu:910b": [0, 1]}}
    restart_count: int = 0
    priority: int = 0
    killer: str = ""
    force_exit: int | None = None  # an injected failure
    stepd: dict = field(default_factory=dict)  # pid, ticks of its supervisor
    ready_at: float = 0.0  # when the scheduler looks at it: what real PENDING lasts at least
    hosts: list = field(default_factory=list)  # where it ran, kept after the end
    tres_allocated: dict = field(default_factory=dict)  # kept after the end

    @property
    def final(self) -> bool:
        return self.state in FINAL and "COMPLETING" not in self.flags

    @property
    def cpus(self) -> int:
        return max(1, self.tasks * self.cpus_per_task)

    @property
    def cpus_per_node(self) -> int:
        return -(-self.cpus // max(1, self.nodes))

    def gres_per_node(self) -> dict[str, int]:
        """Return {"npu:ascend910b": 2} or {"npu": 2}: what one node must give."""
        wanted = parse_gres(self.gres)
        for kind, count in parse_gres(self.gpus, default="gpu").items():
            wanted[kind] = wanted.get(kind, 0) + -(-count // max(1, self.nodes))
        return wanted

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)


def parse_gres(text: str, default: str = "") -> dict[str, int]:
    """Read ``name[:type][:count]``, comma separated; `default` names what ``gpus`` leaves out.

    >>> parse_gres("npu:ascend910b:2"), parse_gres("a800:2", default="gpu")
    ({'npu:ascend910b': 2}, {'gpu:a800': 2})
    """
    wanted: dict[str, int] = {}
    for part in filter(None, (text or "").split(",")):
        if default:
            part = f"{default}:{part}"
        match = GRES.match(part.strip())
        if not match:
            raise ValueError(part)
        name, kind, count = match[1], match[2], int(match[3] or 1)
        key = f"{name}:{kind}" if kind else name
        wanted[key] = wanted.get(key, 0) + count
    return {key: count for key, count in wanted.items() if count}

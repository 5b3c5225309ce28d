"""The machines of one stand-in, in plain words: what they have, who uses them, submit and cancel."""

import time

from tests.lab.slurm import launch
from tests.lab.slurm import scheduler
from tests.lab.slurm import submit
from tests.lab.slurm.answers import SlurmError
from tests.lab.slurm.answers import TEXT

OWNER = "brain"


class Refusal(Exception):
    """The platform will not: kind is one of the words that each face has a code for."""

    def __init__(self, kind: str, words: str = ""):
        super().__init__(words or kind)
        self.kind, self.words = kind, words or kind


class House:
    def __init__(self, cluster):
        self.cluster = cluster
        self.row = cluster.hardware
        cluster.dress = self._dress

    def _dress(self, job, found: dict) -> dict:
        """Return a job's environment: what was sent, and the lab's marks, by which a restart knows its processes."""
        kept = ("SLURM_CONF", "SLURM_JOB_ID", "LAB_SITE_NONCE", "TMPDIR")
        return {**job.environment, **{key: found[key] for key in kept}}

    # -- what there is -----------------------------------------------------------------------
    def nodes(self) -> list[dict]:
        found = []
        for node in self.cluster.nodes.values():
            kind = next(iter(node.devices), None)
            found.append({
                "name": node.name, "pools": list(node.partitions), "up": node.usable, "idle": not node.used,
                "cpu": node.cpus, "used_cpu": node.used_cpus, "memory": node.memory, "used_memory": node.used_memory,
                "cards": node.devices.get(kind, 0), "used_cards": len(node.used_indices(kind)) if kind else 0,
                "reason": node.reason, "since": node.reason_at, "down": node.state == "down",
            })  # fmt: skip
        return found

    def pools(self) -> list[dict]:
        found = []
        for name, row in self.cluster.partitions.items():
            members = [node for node in self.nodes() if name in node["pools"]]
            jobs = [job for job in self.cluster.jobs.values() if job.partition == name and not job.final]
            found.append({
                "name": name, "up": row["state"] == "UP", "nodes": len(members), "max_min": row["max_time_min"],
                "cpu": sum(n["cpu"] for n in members), "memory": sum(n["memory"] for n in members),
                "cards": sum(n["cards"] for n in members),
                "running": sum(job.state != "PENDING" for job in jobs),
                "pending": sum(job.state == "PENDING" for job in jobs),
            })  # fmt: skip
        return found

    def longest(self, pool: str) -> int:
        """Return how many minutes a job of a pool may run."""
        if pool not in self.cluster.partitions:
            raise Refusal("no_pool", f"there is no pool {pool}")
        return self.cluster.partitions[pool]["max_time_min"]

    def alarms(self) -> list[dict]:
        """Nodes that do not work, and partitions that are closed."""
        found = [
            {"id": f"node-{n['name']}", "place": n["name"], "grave": n["down"], "since": n["since"],
             "words": n["reason"] or "out of service"}
            for n in self.nodes() if not n["up"]
        ]  # fmt: skip
        closed = [p["name"] for p in self.pools() if not p["up"]]
        return found + [
            {"id": f"pool-{name}", "place": name, "grave": True, "since": int(time.time()), "words": "closed"}
            for name in closed
        ]

    def limit(self, user: str = OWNER) -> tuple[int, int]:
        """Return (limit, used) of cards of the user's account."""
        account = self.row["users"][user]["account"]
        limits = self.cluster.limits.get(account, {}).get("grp_tres", {})
        name = self.row["tres"][0]
        return limits.get(name, -1), self.cluster.used_by(account).get(name, 0)

    # -- jobs --------------------------------------------------------------------------------
    def live(self, user: str = OWNER, name: str | None = None) -> list:
        """Return the jobs of a user that the scheduler still remembers, the oldest first."""
        if "ctld" in self.cluster.down:
            raise Refusal("down", "the scheduler does not answer")
        jobs = sorted(filter(_is_job, self.cluster.jobs.values()), key=lambda job: job.job_id)
        return [job for job in jobs if job.user == user and name in (None, job.name)]

    def past(self, user: str = OWNER, since: float = 0, name: str | None = None) -> list:
        """Return what the accounting knows of a user since a time, ended or not, the newest first."""
        if "dbd" in self.cluster.down:
            raise Refusal("down", "the accounting does not answer")
        jobs = [job for job in filter(_is_job, self.cluster.history) if job.user == user and name in (None, job.name)]
        return [job for job in reversed(jobs) if not job.end_time or job.end_time >= since]

    def find(self, number) -> object:
        found = next((job for job in self.live() if str(job.job_id) == str(number)), None)
        if found is None:
            raise Refusal("no_job", f"there is no job {number}")
        return found

    def submit(self, script: str, *, user: str = OWNER, name: str, pool: str, cards: int = 0, cpu: int = 1,
               nodes: int = 1, memory_mib: int = 0, limit_min: int = 60, workdir: str = "", log: str = "",
               environment: dict | None = None, label: str = "", unique: bool = False):  # fmt: skip
        """Submit a job: cards, cpu and memory of each node; log "" where the script keeps its own."""
        if "ctld" in self.cluster.down:
            raise Refusal("down", "the scheduler does not answer")
        if pool not in self.cluster.partitions:
            raise Refusal("no_pool", f"there is no pool {pool}")
        if unique and any(job.name == name for job in filter(_is_job, self.cluster.history)):
            raise Refusal("exists", f"there is a job {name} already")
        able = [n for n in self.nodes() if n["cpu"] >= cpu and n["cards"] >= cards and n["memory"] >= memory_mib]
        if len(able) < nodes:
            raise Refusal("too_much", "no node can ever give that")
        kind = next(iter(next(iter(self.cluster.nodes.values())).devices))
        wanted = {
            "name": name, "partition": pool, "nodes": nodes, "tasks": nodes, "cpus_per_task": cpu,
            "memory_per_node": memory_mib, "time_limit": limit_min, "comment": label,
            "environment": environment or {"PATH": "/usr/bin:/bin"},
            "current_working_directory": workdir or str(self.cluster.home), "standard_output": log or "/dev/null",
        }  # fmt: skip
        if cards:
            wanted["gres"] = f"{kind}:{cards}"
        try:
            return submit.make(self.cluster, user, script, wanted)[0]
        except SlurmError as refusal:
            kinds = {2014: "too_much", 2050: "quota"}
            raise Refusal(kinds.get(refusal.number, "refused"), TEXT[refusal.number]) from None

    def cancel(self, job) -> None:
        if job.final or job.flags:
            raise Refusal("ended", f"job {job.job_id} has ended")
        job.killer = job.user
        if job.state == "PENDING":
            scheduler.finish_unstarted(self.cluster, job, "CANCELLED")
        else:
            launch.stop(self.cluster, job, "CANCELLED")


def _is_job(job) -> bool:
    return job.comment != "lab-service"  # a copy of a service is none


def exit_code(job) -> int | None:
    """Return an ended job's exit code as a shell writes it, None where it has none."""
    if not job.final or job.state in ("CANCELLED", "NODE_FAIL"):
        return None
    return 128 + (job.exit_code & 0x7F) if job.exit_code & 0x7F else job.exit_code >> 8


def cards(job) -> int:
    return sum(job.gres_per_node().values()) * job.nodes

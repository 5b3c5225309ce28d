"""One cluster: jobs, nodes, limits, reservations, and what is kept on disk.

Everything below is done under `lock`; `wake` tells the scheduler that something changed. State is saved half a
second after a change, not at once: a controller killed right after a submit has forgotten the job and gives its
number to the next one, as the real one was seen to do.
"""

import copy
import dataclasses
import json
import os
import threading
import time
from pathlib import Path

from tests.lab.slurm import nodes as machines
from tests.lab.slurm import tres
from tests.lab.slurm.job import Job

SAVE_AFTER_S = 0.5
DEFAULTS = {
    "min_job_age": 300,  # MinJobAge: seconds a finished job stays in slurmctld
    "kill_wait": 5.0,  # KillWait: seconds between TERM and KILL
    "pending_s": [0.2, 0.8],  # what a job waits at least
    "minute_s": 60.0,  # tests shorten a minute of time_limit
    "ctld_block_s": 9.0,  # a call to a dead controller blocks this long before it fails
    "utf8_database": True,  # False: a database of another character set turns names into ??
    "release": "22.05",  # of slurmrestd: 22.05 or 24.11
    "job_comment": False,  # AccountingStoreFlags=job_comment
}


class Cluster:
    def __init__(self, hardware: dict, folder: Path, home: Path, nonce: str):
        self.hardware, self.folder, self.home, self.nonce = hardware, folder, home, nonce
        self.name = hardware["cluster"]
        self.conf = folder / "etc" / "slurm.conf"
        self.spool = folder / "spool"
        self.settings = {**DEFAULTS, "release": hardware.get("release", DEFAULTS["release"])}
        self.lock = threading.RLock()
        self.wake = threading.Condition(self.lock)
        self.nodes = machines.build(hardware)
        self.partitions = {name: {"state": "UP", **row} for name, row in hardware["partitions"].items()}
        self.limits = self.given_limits()
        self.reservations: dict[str, dict] = {}
        self.jobs: dict[int, Job] = {}  # what slurmctld remembers
        self.history: list[Job] = []  # what slurmdbd remembers: for ever, also ended and purged
        self.next_id = 1
        self.changed = {"jobs": int(time.time()), "nodes": int(time.time())}
        self.down: set[str] = set()  # injected: "ctld", "dbd"
        self.next_exit: list[int] = []  # injected failures
        self.saving = True
        self.stopping = False
        self._dirty_since: float | None = None
        self.dress = lambda job, found: found  # another platform's jobs see another environment
        for path in (self.spool, self.conf.parent):
            path.mkdir(parents=True, exist_ok=True)
        self.conf.write_text(f"ClusterName={self.name}\n")

    def given_limits(self) -> dict:
        """Return account → limits as the hardware file has them."""
        return {name: copy.deepcopy(row.get("limits", {})) for name, row in self.hardware["accounts"].items()}

    # -- who may -----------------------------------------------------------------------------
    def is_admin(self, user: str) -> bool:
        return user in ("root", "slurm") or self.hardware["users"].get(user, {}).get("admin") == "Administrator"

    def is_operator(self, user: str) -> bool:
        """May he reserve, and set limits? What else that level may do (other people's jobs) is not played here."""
        return self.is_admin(user) or self.hardware["users"].get(user, {}).get("admin") == "Operator"

    def account_for(self, user: str, wanted: str) -> str | None:
        """Return the account a job of `user` runs in, None where Slurm says 2045."""
        row = self.hardware["users"].get(user)
        if row is None or (wanted and wanted != row["account"]):
            return None
        return row["account"]

    # -- changes -----------------------------------------------------------------------------
    def touch(self, *what: str) -> None:
        """Note a change of jobs or nodes: for update_time, for the disk, for the scheduler."""
        for name in what or ("jobs",):
            self.changed[name] = int(time.time())
        if self._dirty_since is None:
            self._dirty_since = time.monotonic()
        self.wake.notify_all()

    def new_job(self, job: Job) -> Job:
        self.jobs[job.job_id] = job
        self.history.append(job)
        self.next_id = max(self.next_id, job.job_id + 1)
        self.touch("jobs")
        return job

    def release(self, job: Job) -> None:
        """Give a job's share of its nodes back."""
        for name in list(job.allocation):
            node = self.nodes.get(name)
            if node and node.used.pop(job.job_id, None):
                node.last_busy = int(time.time())
        self.touch("jobs", "nodes")

    def purge(self) -> None:
        """Forget what ended more than MinJobAge ago; slurmdbd keeps it."""
        limit = time.time() - self.settings["min_job_age"]
        for job_id in [i for i, j in self.jobs.items() if j.final and j.end_time < limit]:
            del self.jobs[job_id]

    def folder_of(self, job: Job) -> Path:
        return self.spool / f"job{job.job_id:05d}"

    def used_by(self, account: str) -> dict[str, int]:
        """Return what running jobs of an account hold, as TRES name → count."""
        total: dict[str, int] = {}
        for job in self.jobs.values():
            if job.account == account and job.allocation:
                for name, count in tres.allocated(self, job).items():
                    total[name] = total.get(name, 0) + count
        return total

    # -- disk --------------------------------------------------------------------------------
    def save_due(self) -> bool:
        return self._dirty_since is not None and (time.monotonic() - self._dirty_since >= SAVE_AFTER_S)

    def save(self) -> None:
        """Write the state by rename; a kill in between leaves the older one."""
        if not self.saving:
            return
        self._dirty_since = None
        live = {id(job): job.job_id for job in self.jobs.values()}
        state = {
            "next_id": self.next_id,
            "jobs": [
                {"live": id(job) in live, **job.as_dict()} for job in self.history[-5000:]
            ],
            "nodes": {
                n.name: {"state": n.state, "flags": sorted(n.flags), "reason": n.reason,
                         "reason_at": n.reason_at, "reason_by": n.reason_by}
                for n in self.nodes.values()
            },
            "reservations": self.reservations,
            "limits": self.limits,
        }  # fmt: skip
        path = self.folder / "state.json"
        part = path.with_name("state.json.part")
        part.write_text(json.dumps(state))
        os.replace(part, path)

    def load(self) -> None:
        """Take up the state of an earlier process, if there is one."""
        path = self.folder / "state.json"
        if not path.exists():
            return
        state = json.loads(path.read_text())
        names = {f.name for f in dataclasses.fields(Job)}
        self.next_id = state["next_id"]
        self.reservations = state["reservations"]
        self.limits = state.get("limits", self.limits)
        for row in state["jobs"]:
            job = Job(**{key: value for key, value in row.items() if key in names})
            self.history.append(job)
            if row["live"]:
                self.jobs[job.job_id] = job
                for name, part in job.allocation.items():
                    if not job.final:
                        self.nodes[name].used[job.job_id] = part
        for name, row in state["nodes"].items():
            if node := self.nodes.get(name):
                node.state, node.flags = row["state"], set(row["flags"])
                node.reason, node.reason_at = row["reason"], row["reason_at"]
                node.reason_by = row["reason_by"]

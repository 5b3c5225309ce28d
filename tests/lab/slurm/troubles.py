"""What can happen to a cluster: nodes, daemons, jobs. Asked for over the lab's control API.

kinds: ``node_down`` {node}, ``drain`` {node, reason}, ``job_fail`` {exit_code}, ``ctld_down``, ``dbd_down``,
``partition`` {name, state}, ``no_save`` (a kill now forgets what was submitted since).
"""

import signal
import time

from tests.lab.slurm import launch
from tests.lab.slurm import nodes as machines
from tests.lab.slurm import scheduler
from tests.lab.slurm.job import Job

KINDS = {"node_down", "drain", "job_fail", "ctld_down", "dbd_down", "partition", "no_save"}


def apply(cluster, kind: str, **options) -> None:
    """Make one trouble; KeyError or ValueError for what is not there."""
    with cluster.lock:
        if kind == "node_down":
            _node_down(cluster, cluster.nodes[options["node"]])
        elif kind == "drain":
            node = cluster.nodes[options["node"]]
            node.flags.add("DRAIN")
            _because(node, options.get("reason", "lab"))
        elif kind == "job_fail":
            cluster.next_exit += [int(options.get("exit_code", 1))] * int(options.get("n", 1))
        elif kind in ("ctld_down", "dbd_down"):
            cluster.down.add(kind.removesuffix("_down"))
        elif kind == "partition":
            cluster.partitions[options["name"]]["state"] = options["state"]
        elif kind == "no_save":
            cluster.saving = False
        else:
            raise ValueError(kind)
        cluster.touch("jobs", "nodes")


def _because(node, reason: str) -> None:
    node.reason, node.reason_at, node.reason_by = reason, int(time.time()), "slurm"


def _node_down(cluster, node) -> None:
    """slurmd is gone: its jobs are NODE_FAIL for the controller, and *run on* on the node."""
    node.state = "down"
    node.flags.add("NOT_RESPONDING")
    _because(node, "Not responding")
    for job in cluster.jobs.values():
        if node.name in job.allocation:
            job.state, job.reason, job.exit_code = "NODE_FAIL", "NodeDown", 0
            job.end_time = int(time.time())
            cluster.release(job)
            job.allocation = {}


def clear(cluster) -> None:
    """End the jobs of everybody, and give accounts the limits they began with."""
    with cluster.lock:
        cluster.limits = cluster.given_limits()
        for job in cluster.jobs.values():
            if job.state == "PENDING":
                scheduler.finish_unstarted(cluster, job, "CANCELLED")
            elif not job.final and not job.flags:
                launch.stop(cluster, job, "CANCELLED")


def heal(cluster) -> None:
    with cluster.lock:
        for node in cluster.nodes.values():
            node.state, node.reason, node.reason_at, node.reason_by = "up", "", 0, None
            node.flags.clear()
        for job in cluster.jobs.values():
            if job.state == "NODE_FAIL":  # slurmd is back and ends what it no longer should run
                launch.send(job, signal.SIGTERM)
        for row in cluster.partitions.values():
            row["state"] = "UP"
        cluster.down.clear()
        cluster.next_exit.clear()
        cluster.saving = True
        cluster.touch("jobs", "nodes")


def foreign(cluster, gres: str = "", nodes: int = 1, seconds: float = 60, user: str = "alice", cpus: int = 1,
            name: str = "somebody-elses") -> int:  # fmt: skip
    """Submit a job of somebody else that occupies resources and sleeps; started at once if there is room."""
    with cluster.lock:
        job = Job(
            job_id=cluster.next_id, user=user, account=cluster.account_for(user, "") or "root", name=name,
            partition=next(iter(cluster.partitions)), script=f"#!/bin/sh\nexec sleep {float(seconds)}\n",
            environment={"PATH": "/usr/bin:/bin"}, cwd="/tmp", standard_output="/dev/null", gres=gres,
            nodes=int(nodes), tasks=int(nodes), cpus_per_task=int(cpus), submit_time=int(time.time()),
            time_limit=max(1, int(-(-float(seconds) // 60)) + 1),
        )  # fmt: skip
        job.priority = 4294901760 - job.job_id
        job.eligible_time = job.submit_time
        cluster.new_job(job)
        return job.job_id


def reserve(cluster, name: str, start_in_s: float = 0, seconds: float = 60, nodes=None, users=("brain",)) -> None:
    """Make a reservation, which 22.05 does by scontrol only; `nodes` None means all of the partition."""
    with cluster.lock:
        partition = next(iter(cluster.partitions))
        start = int(time.time() + float(start_in_s))
        cluster.reservations[name] = {
            "start_time": start, "end_time": start + int(seconds), "partition": partition,
            "nodes": list(nodes or machines.expand(cluster.partitions[partition]["nodes"])),
            "users": list(users),
        }  # fmt: skip
        cluster.touch("jobs", "nodes")

"""Reservations as slurmctld makes and ends them: whole nodes, by an Operator, never over what runs.

The order of the checks and the texts are those of 22.05.8, seen. Two oddities are here on purpose: a start may lie
ten minutes in the past, and a count of nodes above what is free is cut to what is, unless nothing is.
"""

import time

from tests.lab.slurm import nodes as machines
from tests.lab.slurm.answers import SlurmError
from tests.lab.slurm.job import FINAL

GRACE_S = 600  # MAX_RESV_DELAY


def make(cluster, user: str, name: str, start: int, minutes: int, users: list[str], partition: str, count: int = 0,
         wanted: str = "") -> None:  # fmt: skip
    """Reserve `count` nodes, or those named in `wanted`; SlurmError by number."""
    if not cluster.is_operator(user) or any(one not in cluster.hardware["users"] for one in users):
        raise SlurmError(2010)
    if start < time.time() - GRACE_S:
        raise SlurmError(2054)
    if partition not in cluster.partitions:
        raise SlurmError(2000)
    if name in cluster.reservations:
        raise SlurmError(2101)
    end = start + 60 * minutes
    members = machines.expand(cluster.partitions[partition]["nodes"])
    if wanted:
        chosen = [node for part in wanted.split(",") for node in machines.expand(part)]
        if any(node not in cluster.nodes for node in chosen):
            raise SlurmError(2018)
        if any(_reserved(cluster, node, start, end) for node in chosen):
            raise SlurmError(2103)
    else:
        free = [node for node in members if not _reserved(cluster, node, start, end) and _idle(cluster, node, start)]
        if not free:
            raise SlurmError(2102)
        chosen = free[:count]
    cluster.reservations[name] = {
        "start_time": start, "end_time": end, "partition": partition, "nodes": chosen, "users": users,
    }  # fmt: skip
    cluster.touch("jobs", "nodes")


def _reserved(cluster, node: str, start: int, end: int) -> bool:
    return any(
        node in row["nodes"] and row["start_time"] < end and start < row["end_time"]
        for row in cluster.reservations.values()
    )


def _idle(cluster, node: str, start: int) -> bool:
    """Is everything that runs on this node over at `start`, by its limits?"""
    minute = cluster.settings["minute_s"]
    there = [job for job in cluster.jobs.values() if node in job.allocation and job.state not in FINAL]
    usable = cluster.nodes[node].usable
    return usable and all(job.start_time + job.time_limit * minute <= start for job in there)


def drop(cluster, user: str, name: str) -> None:
    """Delete; a job that runs in it or waits for it keeps it, one that is completing does not."""
    if name not in cluster.reservations:
        raise SlurmError(2053)
    if not cluster.is_operator(user):
        raise SlurmError(2010)
    if any(job.reservation == name and job.state not in FINAL for job in cluster.jobs.values()):
        raise SlurmError(2104)
    del cluster.reservations[name]
    cluster.touch("jobs", "nodes")

"""Trackable resources: the strings ``cpu=1,mem=100M,node=1,billing=1,gres/npu=8``.

A gres is in them only if AccountingStorageTRES lists it (the row ``tres`` of the hardware table), untyped and
typed apart; so a client also reads ``gres`` and ``gres_used``. `used` of a node is null when idle.
"""


def size(mib: int) -> str:
    """Write mebibytes as Slurm does: 100M, 768G, 1.50T.

    >>> size(100), size(786432), size(1572864)
    ('100M', '768G', '1.50T')
    """
    value, units = float(mib), "MGTP"
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f}{units[0]}" if value == int(value) else f"{value:.2f}{units[0]}"


def gres_counts(cluster, devices: dict[str, int]) -> dict[str, int]:
    """Return {"gres/npu": n, "gres/npu:ascend910b": n} for device kinds, as far as they are counted."""
    found: dict[str, int] = {}
    for kind, count in devices.items():
        for name in dict.fromkeys((f"gres/{kind.split(':')[0]}", f"gres/{kind}")):
            if name in cluster.hardware["tres"]:
                found[name] = found.get(name, 0) + count
    return dict(sorted(found.items()))


def text(counts: dict[str, int]) -> str:
    return ",".join(f"{name}={size(count) if name == 'mem' else count}" for name, count in counts.items())


def of(cluster, cpus: int, memory: int, nodes: int | None, devices: dict[str, int]) -> dict:
    counts = {"cpu": cpus, "mem": memory}
    if nodes is not None:
        counts["node"] = nodes
    return {**counts, "billing": cpus, **gres_counts(cluster, devices)}


def requested(cluster, job) -> dict[str, int]:
    devices = {kind: count * job.nodes for kind, count in job.gres_per_node().items()}
    return of(cluster, job.cpus, memory_per_node(cluster, job) * job.nodes, job.nodes, devices)


def allocated(cluster, job) -> dict[str, int]:
    devices: dict[str, int] = {}
    for part in job.allocation.values():
        for kind, indices in part["gres"].items():
            devices[kind] = devices.get(kind, 0) + len(indices)
    cpus = sum(part["cpus"] for part in job.allocation.values())
    memory = sum(part["memory"] for part in job.allocation.values())
    return of(cluster, cpus, memory, len(job.allocation), devices)


def memory_per_node(cluster, job) -> int:
    """Return what a job takes of one node in MiB; nothing asked for is DefMemPerCPU."""
    if job.memory_per_node:
        return job.memory_per_node
    return (job.memory_per_cpu or cluster.hardware["def_mem_per_cpu_mib"]) * job.cpus_per_node

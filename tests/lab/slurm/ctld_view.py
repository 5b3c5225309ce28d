"""How slurmctld's records look in v0.0.38: the field names and oddities of its dump functions.

Unset numbers are null, 0 or 4294967294; strings that are not set are "". The view of a job never expands
file name patterns and shows "" where no output file was named.
"""

import os
import time

from tests.lab.slurm import nodes as machines
from tests.lab.slurm import tres
from tests.lab.slurm.answers import NO_VAL
from tests.lab.slurm.answers import RELEASE

#: fields of a job that the stand-in never sets, as an ordinary batch job shows them
JOB_DEFAULTS = {
    "accrue_time": 0, "admin_comment": "", "array_job_id": 0, "array_task_id": None,
    "array_max_tasks": 0, "array_task_string": "", "association_id": 2, "batch_features": "",
    "batch_flag": True, "flags": [], "burst_buffer": "", "burst_buffer_state": "",
    "cluster_features": "", "command": "", "container": "", "contiguous": False, "core_spec": None,
    "thread_spec": None, "cores_per_socket": None, "billable_tres": None,
    "cpu_frequency_minimum": None, "cpu_frequency_maximum": None, "cpu_frequency_governor": None,
    "cpus_per_tres": "", "delay_boot": 0, "derived_exit_code": 0, "excluded_nodes": "",
    "federation_origin": "", "federation_siblings_active": "", "federation_siblings_viable": "",
    "licenses": "", "max_cpus": 0, "max_nodes": 0, "mcs_label": "", "memory_per_tres": "",
    "nice": None, "tasks_per_core": None, "tasks_per_node": 0, "tasks_per_socket": None,
    "tasks_per_board": 0, "het_job_id": 0, "het_job_id_set": "", "het_job_offset": 0, "prefer": "",
    "minimum_tmp_disk_per_node": 0, "preempt_time": 0, "pre_sus_time": 0, "profile": None,
    "reboot": False, "required_nodes": "", "requeue": True, "resize_time": 0, "shared": None,
    "show_flags": ["SHOW_ALL", "SHOW_DETAIL", "SHOW_LOCAL"], "sockets_per_board": 0,
    "sockets_per_node": None, "state_description": "", "suspend_time": 0, "system_comment": "",
    "time_minimum": 0, "threads_per_core": None, "tres_bind": "", "tres_freq": "",
    "tres_per_socket": "", "tres_per_task": "", "wckey": "",
}  # fmt: skip


def job_state(job) -> str:
    """One word, and a flag wins over the state: what ends is COMPLETING, which is not final."""
    return job.flags[0] if job.flags else job.state


def job(cluster, found) -> dict:
    minute = cluster.settings["minute_s"]
    end = found.end_time or int(found.start_time + found.time_limit * minute)
    detail = [
        f"{kind}:{len(ids)}({_indices(ids)})" if cluster.nodes[name].indexed
        else f"{kind}:{len(ids)}(CNT:{len(ids)})"
        for name, part in found.allocation.items() for kind, ids in part["gres"].items()
    ]  # fmt: skip
    memory = tres.memory_per_node(cluster, found)
    requested = tres.text(tres.requested(cluster, found))
    return {
        **JOB_DEFAULTS,
        "account": found.account, "batch_host": found.hosts[0] if found.hosts else "", "cluster": cluster.name,
        "comment": found.comment, "cpus": found.cpus, "cpus_per_task": found.cpus_per_task,
        "current_working_directory": found.cwd, "deadline": found.deadline,
        "dependency": found.dependency, "eligible_time": found.eligible_time,
        "end_time": end if found.start_time or found.end_time else 0,
        "exit_code": found.exit_code, "features": found.constraints, "gres_detail": detail,
        "group_id": os.getgid(), "group_name": found.user, "job_id": found.job_id,
        "job_resources": _resources(cluster, found), "job_state": job_state(found),
        "last_sched_evaluation": found.submit_time, "memory_per_cpu": found.memory_per_cpu or None,
        "memory_per_node": None if found.memory_per_cpu else memory,
        "minimum_cpus_per_node": found.cpus_per_task, "name": found.name,
        "node_count": found.nodes, "nodes": machines.compress(found.hosts),
        "partition": found.partition, "priority": found.priority, "qos": found.qos,
        "restart_cnt": found.restart_count, "resv_name": found.reservation,
        "standard_error": found.standard_error, "standard_input": found.standard_input or "/dev/null",
        "standard_output": found.standard_output, "start_time": found.start_time or found.begin_time,
        "state_reason": found.reason, "submit_time": found.submit_time, "tasks": found.tasks,
        "time_limit": found.time_limit, "tres_alloc_str": tres.text(found.tres_allocated),
        "tres_per_job": f"gres:gpu:{found.gpus}" if found.gpus else "",
        "tres_per_node": ",".join(f"gres:{part}" for part in found.gres.split(",") if part),
        "tres_req_str": requested, "user_id": os.getuid(), "user_name": found.user,
    }  # fmt: skip


def _resources(cluster, found) -> dict:
    if not found.allocation:
        return {}
    rows = [
        {"sockets": {}, "nodename": name, "cpus_used": 0, "memory_used": 0,
         "memory_allocated": part["memory"]}
        for name, part in found.allocation.items()
    ]  # fmt: skip
    return {
        "nodes": machines.compress(list(found.allocation)),
        "allocated_cores": sum(part["cpus"] for part in found.allocation.values()),
        "allocated_hosts": len(found.allocation),
        "allocated_nodes": rows,
    }


def _indices(ids: list[int]) -> str:
    """Write device numbers as ``IDX:0-1,5``, ``IDX:N/A`` for none."""
    if not ids:
        return "IDX:N/A"
    pieces, first = [], ids[0]
    for n, following in zip(ids, [*ids[1:], None], strict=True):
        if following != n + 1:
            pieces.append(str(first) if first == n else f"{first}-{n}")
            first = following
    return "IDX:" + ",".join(pieces)


def node(cluster, found) -> dict:
    devices = {kind: len(found.used_indices(kind)) for kind in found.devices}
    used = []
    for name in ("gpu", "npu"):  # every GresTypes name is there, what a node lacks as name:0
        mine = [kind for kind in devices if kind.split(":")[0] == name]
        used += [
            f"{k}:{devices[k]}" + (f"({_indices(found.used_indices(k))})" if found.indexed else "") for k in mine
        ] or [f"{name}:0"]
    row = next(r for r in cluster.hardware["nodes"] if found.name in machines.expand(r["names"]))
    flags = set(found.flags)
    now = time.time()
    if any(found.name in r["nodes"] and r["start_time"] <= now < r["end_time"] for r in cluster.reservations.values()):
        flags.add("RESERVED")
    total = tres.of(cluster, found.cpus, found.memory, None, found.devices)
    taken = {"cpu": found.used_cpus, "mem": found.used_memory, **tres.gres_counts(cluster, devices)}
    taken = {name: count for name, count in taken.items() if count}
    return {
        "architecture": cluster.hardware["architecture"], "burstbuffer_network_address": "",
        "boards": 1, "boot_time": found.boot_time, "comment": "",
        "cores": row["cpus"] // row["sockets"], "cpu_binding": 0,
        "cpu_load": int(os.getloadavg()[0] * 100), "extra": "", "free_memory": _host_free_mib(),
        "cpus": found.cpus, "last_busy": found.last_busy, "features": found.features,
        "active_features": found.features, "gres": found.gres, "gres_drained": "N/A",
        "gres_used": ",".join(used), "mcs_label": "", "name": found.name,
        "next_state_after_reboot": "invalid", "address": "127.0.0.1", "hostname": found.name,
        "state": found.base_state, "state_flags": sorted(flags),
        "next_state_after_reboot_flags": [], "operating_system": cluster.hardware["operating_system"],
        "owner": None, "partitions": found.partitions, "port": 6818, "real_memory": found.memory,
        "reason": found.reason, "reason_changed_at": found.reason_at,
        "reason_set_by_user": found.reason_by, "slurmd_start_time": found.boot_time + 60,
        "sockets": row["sockets"], "threads": 1, "temporary_disk": 0, "weight": 1,
        "tres": tres.text(total), "slurmd_version": RELEASE, "alloc_memory": found.used_memory,
        "alloc_cpus": found.used_cpus, "idle_cpus": found.cpus - found.used_cpus,
        "tres_used": tres.text(taken) or None, "tres_weighted": float(found.used_cpus),
    }  # fmt: skip


def _host_free_mib() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


def partition(cluster, name: str) -> dict:
    row = cluster.partitions[name]
    members = [cluster.nodes[n] for n in machines.expand(row["nodes"])]
    devices: dict[str, int] = {}
    for member in members:
        for kind, count in member.devices.items():
            devices[kind] = devices.get(kind, 0) + count
    cpus = sum(m.cpus for m in members)
    total = tres.of(cluster, cpus, sum(m.memory for m in members), len(members), devices)
    return {
        "flags": ["default"] if name == next(iter(cluster.partitions)) else [],
        "preemption_mode": ["disabled"], "allowed_allocation_nodes": "ALL", "allowed_accounts": "",
        "allowed_groups": "", "allowed_qos": "", "alternative": "", "billing_weights": "",
        "default_memory_per_cpu": cluster.hardware["def_mem_per_cpu_mib"],
        "default_time_limit": row["default_time_min"], "denied_accounts": "", "denied_qos": "",
        "preemption_grace_time": 0, "maximum_cpus_per_node": -1, "maximum_memory_per_node": None,
        "maximum_nodes_per_job": -1, "max_time_limit": row["max_time_min"],
        "min nodes per job": 1,  # spelled with spaces in 0.0.37 and 0.0.38
        "name": name, "nodes": row["nodes"], "over_time_limit": None, "priority_job_factor": 1,
        "priority_tier": 1, "qos": "", "state": row["state"], "total_cpus": cpus,
        "total_nodes": len(members), "tres": tres.text(total),
    }  # fmt: skip


def reservation(cluster, name: str) -> dict:
    row = cluster.reservations[name]
    cores = sum(cluster.nodes[n].cpus for n in row["nodes"])
    return {
        "flags": ["SPEC_NODES"], "accounts": "", "burst_buffer": "", "core_count": cores,
        "core_spec_cnt": 0, "end_time": row["end_time"], "features": "", "groups": "",
        "licenses": "", "max_start_delay": 0, "name": name, "node_count": len(row["nodes"]),
        "node_list": machines.compress(row["nodes"]), "partition": row["partition"],
        "start_time": row["start_time"], "watts": NO_VAL, "tres": f"cpu={cores}",
        "users": ",".join(row["users"]),
    }  # fmt: skip

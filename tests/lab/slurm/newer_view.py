"""Records in v0.0.40 to 42 of 24.11.5: those of 22.05 put into the shapes that the real one was seen to say.

Numbers that may be unset are {set, infinite, number}, words of states are lists, a partition is nested, and an exit
code is its parts. What 24.11 has beside that and nobody here asks for is left out.
"""

import os
import signal

from tests.lab.slurm import ctld_view
from tests.lab.slurm.answers import NEWER
from tests.lab.slurm.answers import NO_VAL

JOB_NUMBERS = """
accrue_time array_job_id array_task_id array_max_tasks billable_tres cores_per_socket cpu_frequency_minimum
cpu_frequency_maximum cpu_frequency_governor cpus cpus_per_task deadline delay_boot eligible_time end_time het_job_id
het_job_offset last_sched_evaluation max_cpus max_nodes memory_per_cpu memory_per_node minimum_cpus_per_node
minimum_tmp_disk_per_node node_count pre_sus_time preempt_time priority resize_time sockets_per_node start_time
submit_time suspend_time tasks tasks_per_board tasks_per_core tasks_per_node tasks_per_socket threads_per_core
time_limit time_minimum
""".split()
NODE_TIMES = ("boot_time", "last_busy", "reason_changed_at", "slurmd_start_time")
#: what is in v0.0.40 and 41 and not in 42
BEFORE_42 = {"exclusive": [], "minimum_switches": 0, "show_flags": [], "oversubscribe": True}
SINCE_42 = {"priority_by_partition": [], "required_switches": 0}


def number(value, infinite=False) -> dict:
    """Return a number that may be unset.

    >>> number(5), number(None)["set"], number(None, infinite=True)["infinite"]
    ({'set': True, 'infinite': False, 'number': 5}, False, True)
    """
    unset = value is None or value == NO_VAL
    return {"set": not unset, "infinite": bool(unset and infinite), "number": 0 if unset else value}


def exit_code(raw: int) -> dict:
    """Return a wait status by its parts.

    >>> exit_code(3 << 8)["status"], exit_code(9)["signal"]["name"], exit_code(0)["return_code"]["number"]
    (['ERROR'], 'KILL', 0)
    """
    ended_by = raw & 0x7F
    name = signal.Signals(ended_by).name.removeprefix("SIG") if ended_by else ""
    status = "SIGNALED" if ended_by else "ERROR" if raw >> 8 else "SUCCESS"
    return {
        "status": [status],
        "return_code": number(None if ended_by else raw >> 8),
        "signal": {"id": number(ended_by or None), "name": name},
    }


# -- slurmctld --------------------------------------------------------------------------------------
def job(cluster, found, version: int) -> dict:
    row = ctld_view.job(cluster, found)
    for name in ("core_spec", "thread_spec", "shared", "profile", "show_flags"):
        row.pop(name)
    nodes = row["job_resources"]
    if version >= 42 and nodes:
        places = [
            {"index": index, "name": part["nodename"], "cpus": {"count": found.cpus, "used": 0},
             "memory": {"used": 0, "allocated": part["memory_allocated"]}, "sockets": []}
            for index, part in enumerate(nodes["allocated_nodes"])
        ]  # fmt: skip
        nodes = {"select_type": ["CORE"], "cpus": found.cpus, "nodes": {
            "count": len(places), "list": nodes["nodes"], "whole": False, "allocation": places}}  # fmt: skip
    return {
        **row,
        **{name: number(row[name]) for name in JOB_NUMBERS},
        **(SINCE_42 if version >= 42 else BEFORE_42),
        "job_state": [found.state, *found.flags],
        "exit_code": exit_code(found.exit_code),
        "derived_exit_code": exit_code(0),
        "job_resources": nodes,
        "gres_detail": [] if found.final else row["gres_detail"],
        "nice": 0,
        "hold": found.held,
        "failed_node": "",
        "scheduled_nodes": "",
        "profile": ["NOT_SET"],
        "shared": [],
        "tres_per_node": ",".join(f"gres/{part}" for part in found.gres.split(",") if part),
    }


def node(cluster, found) -> dict:
    row = ctld_view.node(cluster, found)
    flags = row.pop("state_flags")
    for name in ("next_state_after_reboot_flags", "idle_cpus", "free_memory", "slurmd_version"):
        row.pop(name)
    held = [name for name, other in cluster.reservations.items() if found.name in other["nodes"]]
    return {
        **row,
        **{name: number(row[name] or 0) for name in NODE_TIMES},
        "state": [found.base_state.upper(), *flags],
        "next_state_after_reboot": ["INVALID"],
        "alloc_idle_cpus": found.cpus - found.used_cpus,
        "effective_cpus": found.cpus,
        "free_mem": number(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20),
        "features": [word for word in found.features.split(",") if word],
        "active_features": [word for word in found.features.split(",") if word],
        "owner": "",
        "tres_used": row["tres_used"] or "",
        "reservation": held[0] if "RESERVED" in flags else "",
        "version": NEWER,
    }


def partition(cluster, name: str) -> dict:
    row = ctld_view.partition(cluster, name)
    return {
        "name": name, "cluster": "", "alternate": "", "node_sets": "", "grace_time": 0, "select_type": [],
        "nodes": {"allowed_allocation": "", "configured": row["nodes"], "total": row["total_nodes"]},
        "accounts": {"allowed": "", "deny": ""}, "groups": {"allowed": ""},
        "qos": {"allowed": "", "deny": "", "assigned": ""},
        "tres": {"billing_weights": "", "configured": row["tres"]},
        "cpus": {"task_binding": 0, "total": row["total_cpus"]},
        "defaults": {"time": number(row["default_time_limit"]), "memory_per_cpu": row["default_memory_per_cpu"],
                     "job": ""},
        "maximums": {"time": number(row["max_time_limit"], infinite=True), "nodes": number(None, infinite=True),
                     "cpus_per_node": number(None, infinite=True), "shares": 1, "over_time_limit": number(None)},
        "minimums": {"nodes": 0}, "priority": {"job_factor": 1, "tier": 1},
        "partition": {"state": [row["state"]]}, "suspend_time": number(None),
    }  # fmt: skip


def reservation(cluster, name: str) -> dict:
    row = ctld_view.reservation(cluster, name)
    row.pop("core_spec_cnt")
    more = {"core_specializations": [], "purge_completed": {"time": number(300)}, "watts": {}}
    return {**row, **more, "start_time": number(row["start_time"]), "end_time": number(row["end_time"])}


# -- slurmdbd ---------------------------------------------------------------------------------------
def past(row: dict, found) -> dict:
    """Return a row of the history: the exit code is the real one, as it is not in 22.05."""
    row["comment"] = {name: said or "" for name, said in row["comment"].items()}
    row["state"]["current"] = [row["state"]["current"]]
    row["exit_code"], row["derived_exit_code"] = exit_code(found.exit_code), exit_code(0)
    row["time"] = {**row["time"], "limit": number(found.time_limit), "planned": number(0)}
    row["array"]["task_id"], row["array"]["task"] = number(None), ""
    row["het"]["job_offset"], row["priority"] = number(None), number(found.priority)
    memory = row["required"].pop("memory")
    row["required"] |= {"memory_per_cpu": number(found.memory_per_cpu or None),
                        "memory_per_node": number(None if found.memory_per_cpu else memory)}  # fmt: skip
    row["steps"] = [_step(step, found) for step in row["steps"]]
    return {**row, "container": "", "kill_request_user": row["kill_request_user"] or "", "hold": found.held}


def _step(step: dict, found) -> dict:
    return {**step, "exit_code": exit_code(found.exit_code), "state": [step["state"]]}


def association(row: dict) -> dict:
    """Return an association: what is no limit is infinite."""
    jobs, per = row["max"]["jobs"], row["max"]["jobs"]["per"]
    row["max"]["jobs"] = {
        **{name: number(value, infinite=True) for name, value in jobs.items() if name != "per"},
        "per": {name: number(value, infinite=True) for name, value in per.items()},
    }
    row["max"]["per"]["account"]["wall_clock"] = number(None, infinite=True)
    row["min"]["priority_threshold"] = row["priority"] = number(None, infinite=True)
    whole = {"accounting": [], "comment": "", "id": 0, "lineage": f"/{row['account']}/"}
    known = {name: row[name] or "" for name in ("parent_account", "partition")}
    row.pop("usage")
    return {**row, **whole, **known, "is_default": bool(row["is_default"]), "default": {"qos": ""}}


def cluster(row: dict) -> dict:
    return {**row, "select_plugin": "", "rpc_version": 10752}


def jobs_of(cluster, rows: list[dict]) -> list[dict]:
    """Return rows of the history by their jobs: the newest of a number, for numbers are given again after a crash."""
    known = {(job.job_id, job.submit_time): job for job in cluster.history}
    return [past(row, known[row["job_id"], row["time"]["submission"]]) for row in rows]

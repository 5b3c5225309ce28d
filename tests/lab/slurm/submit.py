"""What slurmctld does with a submission: refuse by number, accept with a note, or just accept.

Accepted means ``job_id`` in the answer, even with 2015, 2042, 2056 or 2068 beside it. 2014 refuses *and* leaves a
FAILED record with the name. Quota is accepted and waits.
"""

import random
import time

from tests.lab.slurm import scheduler
from tests.lab.slurm import tres
from tests.lab.slurm.answers import SlurmError
from tests.lab.slurm.job import Job

SCRIPT_LIMIT = 4 << 20
SLURMRESTD_CWD = "/proc"  # stands for "/" of a system service: no job can write there, whoever runs the lab


def make(cluster, user: str, script: str, wanted: dict, lenient: bool = True) -> tuple[Job, int]:
    """Return the new job and the number of a note (0: none); SlurmError if it is refused.

    lenient: more than the whole partition has waits for ever, as 22.05 lets it; else it is 2014.
    """
    if len(script.encode()) > SCRIPT_LIMIT:
        raise SlurmError(2012)
    partition = wanted.get("partition") or next(iter(cluster.partitions))
    if partition not in cluster.partitions:
        raise SlurmError(2000)
    account = cluster.account_for(user, wanted.get("account", ""))
    if account is None:
        raise SlurmError(2045)
    row = cluster.partitions[partition]
    job = Job(
        job_id=cluster.next_id, user=user, account=account, partition=partition, script=script,
        name=wanted.get("name", "sbatch"), qos=wanted.get("qos", "normal"),
        environment=wanted["environment"], comment=wanted.get("comment", ""),
        cwd=wanted.get("current_working_directory", SLURMRESTD_CWD),
        standard_output=wanted.get("standard_output", ""),
        standard_error=wanted.get("standard_error", ""),
        standard_input=wanted.get("standard_input", ""),
        nodes=wanted.get("nodes", 1),
        tasks=wanted.get("tasks", wanted.get("tasks_per_node", 1) * wanted.get("nodes", 1)),
        cpus_per_task=wanted.get("cpus_per_task", 1),
        memory_per_node=wanted.get("memory_per_node", 0),
        memory_per_cpu=wanted.get("memory_per_cpu", 0), gpus=wanted.get("gpus", ""),
        gres=wanted.get("gres") or _per_node(wanted.get("gpus_per_node", "")),
        time_limit=wanted.get("time_limit", row["default_time_min"]),
        begin_time=wanted.get("begin_time", 0), deadline=wanted.get("deadline", 0),
        dependency=wanted.get("dependency", ""), constraints=wanted.get("constraints", ""),
        reservation=wanted.get("reservation", ""), held=wanted.get("hold", False),
        submit_time=int(time.time()),
    )  # fmt: skip
    job.priority = 0 if job.held else 4294901760 - job.job_id
    job.ready_at = time.time() + random.uniform(*cluster.settings["pending_s"])
    number = _refusal(cluster, job, row)
    if not number and not lenient and not job.held and scheduler.too_large(cluster, job):
        number = 2014
    if number == 2014:
        _keep_failed(cluster, job)
    if number:
        raise SlurmError(number)
    note, reason = _note(cluster, job, row)
    job.reason = reason
    if not note and not job.begin_time and not job.dependency:
        job.eligible_time = job.submit_time
    if cluster.next_exit:
        job.force_exit = cluster.next_exit.pop(0)
    return cluster.new_job(job), note


def _per_node(text: str) -> str:
    return ",".join(f"gpu:{part}" for part in text.split(",") if part)


def _refusal(cluster, job: Job, row: dict) -> int:
    qos = cluster.hardware["qos"].get(job.qos)
    if qos is None:
        return 2066
    if job.reservation:
        window = cluster.reservations.get(job.reservation)
        if window is None:
            return 2053
        if job.user not in window["users"] and not cluster.is_admin(job.user):
            return 2052
    if job.deadline and job.deadline <= time.time():
        return 2051
    if row["state"] == "DRAIN":
        return 2070
    if job.constraints and not any(job.constraints in node.features.split(",") for node in cluster.nodes.values()):
        return 2029
    if "DENY_LIMIT" in qos.get("flags", []) and _over_qos(cluster, job, qos):
        return 2050
    most = cluster.limits.get(job.account, {}).get("grp_submit_jobs")
    waiting = sum(1 for j in cluster.jobs.values() if j.account == job.account and not j.final)
    if most is not None and waiting >= most:
        return 2050
    if job.held or scheduler.too_large(cluster, job):
        return 0  # not tried against the nodes yet: an unknown GRES type is accepted when held
    memory = tres.memory_per_node(cluster, job)
    able = [n for n in cluster.nodes.values()
            if job.partition in n.partitions and n.capable(job, memory)]  # fmt: skip
    return 0 if len(able) >= job.nodes else 2014


def _over_qos(cluster, job: Job, qos: dict) -> bool:
    wants = tres.requested(cluster, job)
    for name, most in qos.get("max_tres_per_user", {}).items():
        held = sum(
            tres.allocated(cluster, other).get(name, 0)
            for other in cluster.jobs.values()
            if other.user == job.user and other.qos == job.qos and other.allocation
        )
        if wants.get(name, 0) + held > most:
            return True
    return False


def _keep_failed(cluster, job: Job) -> None:
    job.state, job.reason, job.exit_code = "FAILED", "BadConstraints", 1 << 8
    job.eligible_time = job.end_time = job.submit_time
    cluster.new_job(job)


def _note(cluster, job: Job, row: dict) -> tuple[int, str]:
    """Return (error number beside the job_id, pending reason) of an accepted job."""
    now = time.time()
    if job.held:
        return 2042, "JobHeldUser"
    if job.time_limit > row["max_time_min"]:
        return 2015, "PartitionTimeLimit"
    if scheduler.too_large(cluster, job):
        return 2015, "PartitionConfig"
    if job.reservation and cluster.reservations[job.reservation]["start_time"] > now:
        return 2056, "Reservation"
    if row["state"] == "DOWN":
        return 2068, "PartitionDown"
    if job.begin_time > now:
        return 0, "BeginTime"
    usable = [n for n in scheduler.candidates(cluster, job, now) if n.usable]
    if len(usable) < job.nodes:
        return 2068, "ReqNodeNotAvail"
    return 0, "None"


def update(cluster, user: str, job: Job, wanted: dict) -> None:
    """Change a job: its owner may lower the time limit, hold and release; only an admin may raise it."""
    admin = cluster.is_admin(user)
    if user != job.user and not admin:
        raise SlurmError(2010)
    if job.final:
        raise SlurmError(2021)
    if "time_limit" in wanted and wanted["time_limit"] > job.time_limit and not admin:
        raise SlurmError(2002)
    job.time_limit = wanted.get("time_limit", job.time_limit)
    for name in ("comment", "name", "begin_time", "deadline", "constraints", "dependency"):
        if name in wanted:
            setattr(job, name, wanted[name])
    if "hold" in wanted and job.state == "PENDING":
        job.held = wanted["hold"]
        job.priority = 0 if job.held else 4294901760 - job.job_id
        job.reason = "JobHeldUser" if job.held else "None"
        job.eligible_time = 0 if job.held else int(time.time())
    cluster.touch("jobs")

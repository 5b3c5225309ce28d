"""First in, first out, with backfill: who may start, on which nodes, and why not yet.

Quota is a pending reason here, not an error, as on a real cluster: such a job waits for ever.
"""

import re
import threading
import time
import traceback

from tests.lab.slurm import launch
from tests.lab.slurm import nodes as machines
from tests.lab.slurm import tres
from tests.lab.slurm.job import FINAL
from tests.lab.slurm.job import Job

TICK_S = 0.05
#: TRES of a group limit → the reason of a job that waits for it; any other is a GRES
GROUP_LIMITS = {"cpu": "AssocGrpCpuLimit", "mem": "AssocGrpMemLimit", "node": "AssocGrpNodeLimit"}
DEPENDENCY = re.compile(r"^(after\w*):(\d+(?::\d+)*)$")


def run(cluster) -> None:
    """The scheduler's thread: sleeps while nothing is pending, running or unsaved."""
    with cluster.lock:
        while not cluster.stopping:
            busy = cluster._dirty_since is not None or any(not job.final for job in cluster.jobs.values())
            cluster.wake.wait(TICK_S if busy or cluster.reservations else 5.0)
            try:
                step(cluster)
            except Exception:  # into the site's log; a scheduler that has died would only show as waiting
                traceback.print_exc()
            if cluster.save_due():
                cluster.save()


def start_thread(cluster) -> threading.Thread:
    thread = threading.Thread(target=run, args=(cluster,), daemon=True)
    thread.start()
    return thread


def step(cluster) -> None:
    """One pass; the caller holds the lock."""
    now = time.time()
    cluster.purge()
    _end_overdue(cluster, now)
    if "ctld" in cluster.down:
        return
    waiting: dict[str, list[Job]] = {}
    for job in sorted(cluster.jobs.values(), key=lambda j: (-j.priority, j.job_id)):
        if job.state != "PENDING" or job.final:
            continue
        reason = why_not(cluster, job, now)
        if job.state != "PENDING":
            continue
        if not reason and not job.eligible_time:
            job.eligible_time = int(now)
        if not reason and now < job.ready_at:
            continue
        if not reason:
            ahead = waiting.setdefault(job.partition, [])
            allocation = fit(cluster, job, now)
            if allocation and (not ahead or _harmless(cluster, job, ahead[0], allocation, now)):
                launch.start(cluster, job, allocation)
                continue
            reason = "Priority" if ahead else "Resources"
            ahead.append(job)
        if job.reason != reason:
            job.reason = reason
            cluster.touch("jobs")


def _end_overdue(cluster, now: float) -> None:
    minute = cluster.settings["minute_s"]
    for job in list(cluster.jobs.values()):
        if job.state == "RUNNING":
            window = cluster.reservations.get(job.reservation)
            over = now >= job.start_time + job.time_limit * minute
            if over or (window and now >= window["end_time"]):
                launch.stop(cluster, job, "TIMEOUT", "TimeLimit")
        elif job.state == "PENDING" and job.deadline and now >= job.deadline:
            finish_unstarted(cluster, job, "DEADLINE", "DeadLine", 1)
    for name, row in list(cluster.reservations.items()):
        if now >= row["end_time"] and not any(
            job.reservation == name and job.allocation for job in cluster.jobs.values()
        ):
            del cluster.reservations[name]


def finish_unstarted(cluster, job: Job, state: str, reason: str = "None", exit_code: int = 0) -> None:
    job.state, job.reason, job.exit_code = state, reason, exit_code
    job.end_time = int(time.time())
    job.start_time = job.end_time if state != "CANCELLED" else 0
    cluster.touch("jobs")


def why_not(cluster, job: Job, now: float) -> str:
    """Return the pending reason that does not depend on who else is there, "" if it may run."""
    partition = cluster.partitions[job.partition]
    if job.held:
        return "JobHeldUser"
    if job.begin_time > now:
        return "BeginTime"
    if job.dependency and (reason := _dependency(cluster, job)):
        return reason
    if partition["state"] == "DOWN":
        return "PartitionDown"
    if job.time_limit > partition["max_time_min"]:
        return "PartitionTimeLimit"
    if too_large(cluster, job):
        # Too many nodes are called so once the scheduler has looked (seen on 22.05); the submit says PartitionConfig.
        return "PartitionNodeLimit" if job.nodes > len(machines.expand(partition["nodes"])) else "PartitionConfig"
    if job.reservation:
        window = cluster.reservations.get(job.reservation)
        if window is None:
            return "ReservationDeleted"
        if window["start_time"] > now:
            return "Reservation"
    if reason := over_quota(cluster, job):
        return reason
    usable = [n for n in candidates(cluster, job, now) if n.usable]
    if len(usable) < job.nodes:
        return "ReqNodeNotAvail"
    return ""


def too_large(cluster, job: Job) -> bool:
    """Return whether a job asks for more nodes or cores than its whole partition has: accepted, and never started.

    More than one node has, but not the partition, is refused at once instead.
    """
    members = machines.expand(cluster.partitions[job.partition]["nodes"])
    cores = sum(cluster.nodes[name].cpus for name in members)
    return job.nodes > len(members) or job.nodes * job.cpus_per_node > cores


def _dependency(cluster, job: Job) -> str:
    for part in job.dependency.split(","):
        match = DEPENDENCY.match(part)
        for number in match[2].split(":") if match else []:
            other = cluster.jobs.get(int(number))
            kind = match[1]
            if other is None:
                continue  # purged: real Slurm lets it pass
            started = other.state != "PENDING"
            if kind == "after" and started:
                continue
            if kind == "after" or not other.final:
                return "Dependency"
            good = other.state == "COMPLETED"
            if (kind == "afterok" and not good) or (kind == "afternotok" and good):
                return "DependencyNeverSatisfied"
    return ""


def over_quota(cluster, job: Job) -> str:
    """Return Assoc…/QOS… for a job that would break a limit of its account or quality of service."""
    limits = cluster.limits.get(job.account, {})
    wants = tres.requested(cluster, job)
    per_job = limits.get("max_tres_per_job", {})
    for name, limit in per_job.items():
        if wants.get(name, 0) > limit:
            return "AssocMaxGRESPerJob" if name.startswith("gres") else "AssocMaxCpuPerJobLimit"
    wall = limits.get("max_wall_min")
    if wall and job.time_limit > wall:
        return "AssocMaxWallDurationPerJobLimit"
    used = cluster.used_by(job.account)
    for name, limit in limits.get("grp_tres", {}).items():
        if wants.get(name, 0) + used.get(name, 0) > limit:
            return GROUP_LIMITS.get(name, "AssocGrpGRES")
    minutes = limits.get("grp_cpu_minutes")
    if minutes is not None and wants["cpu"] * job.time_limit > minutes:
        return "AssocGrpCPUMinutesLimit"
    active = cluster.hardware["qos"].get(job.qos, {}).get("max_jobs_per_user")
    running = [j for j in cluster.jobs.values() if j.user == job.user and j.qos == job.qos and j.allocation]
    return "QOSMaxJobsPerUserLimit" if active is not None and len(running) >= active else ""


def candidates(cluster, job: Job, now: float) -> list:
    """Return the nodes the job may ever use: its partition's, less what others have reserved."""
    memory = tres.memory_per_node(cluster, job)
    found = []
    for node in cluster.nodes.values():
        if job.partition not in node.partitions or not node.capable(job, memory):
            continue
        holder = reserved_by(cluster, node.name, now, now + job.time_limit * 60)
        if holder == job.reservation or (holder is None and not job.reservation):
            found.append(node)
    return found


def reserved_by(cluster, node: str, start: float, end: float) -> str | None:
    """Return the reservation that holds `node` at some time between `start` and `end`."""
    for name, row in cluster.reservations.items():
        if node in row["nodes"] and row["start_time"] < end and start < row["end_time"]:
            return name
    return None


def fit(cluster, job: Job, now: float, without: frozenset = frozenset()) -> dict | None:
    """Return node → share if enough nodes have room, the fullest first so that whole nodes stay free."""
    memory = tres.memory_per_node(cluster, job)
    found = {}
    for node in sorted(candidates(cluster, job, now), key=lambda n: (-n.used_cpus, n.name)):
        if len(found) == job.nodes:
            break
        if node.usable and (offer := node.offer(job, memory, without)):
            found[node.name] = offer
    return dict(sorted(found.items())) if len(found) == job.nodes else None


def _harmless(cluster, job: Job, first: Job, allocation: dict, now: float) -> bool:
    """Backfill: may `job` go ahead of `first` without delaying it, by the limits of all that runs?"""
    minute = cluster.settings["minute_s"]
    running = sorted(
        (j.start_time + j.time_limit * minute, j.job_id)
        for j in cluster.jobs.values()
        if j.allocation and j.state not in FINAL
    )
    gone: set[int] = set()
    for end, job_id in running:
        gone.add(job_id)
        if fit(cluster, first, now, frozenset(gone)):
            if now + job.time_limit * minute <= end:
                return True
            for name, part in allocation.items():  # and if it stays longer: is there room for both?
                cluster.nodes[name].used[job.job_id] = part
            both = fit(cluster, first, now, frozenset(gone))
            for name in allocation:
                del cluster.nodes[name].used[job.job_id]
            return both is not None
    return True

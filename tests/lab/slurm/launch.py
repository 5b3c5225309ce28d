"""Starts a job as a real process under its supervisor (`stepd`), and books its end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.lab import procs
from tests.lab.slurm import nodes as machines
from tests.lab.slurm import tres
from tests.lab.slurm.job import Job

STEPD = Path(__file__).with_name("stepd.py")
COMPLETING_S = 0.1  # how long a job that ended by itself is shown as COMPLETING
NON_STARTABLE = 256  # a job lost in a controller's crash ends FAILED 1:0


def environment(cluster, job: Job) -> dict[str, str]:
    """Return exactly what was sent, and SLURM_*. No HOME, no login shell, nothing for counted-only NPUs."""
    hosts = list(job.allocation)
    first = job.allocation[hosts[0]]
    names = machines.compress(hosts)
    found = {str(key): str(value) for key, value in job.environment.items()}
    found |= {
        "SLURM_CLUSTER_NAME": cluster.name, "SLURM_CONF": str(cluster.conf),
        "SLURM_JOB_ID": str(job.job_id), "SLURM_JOBID": str(job.job_id),
        "SLURM_JOB_NAME": job.name, "SLURM_JOB_ACCOUNT": job.account, "SLURM_JOB_QOS": job.qos,
        "SLURM_JOB_PARTITION": job.partition, "SLURM_JOB_USER": job.user,
        "SLURM_JOB_NODELIST": names, "SLURM_NODELIST": names,
        "SLURM_JOB_NUM_NODES": str(len(hosts)), "SLURM_NNODES": str(len(hosts)),
        "SLURM_JOB_CPUS_PER_NODE": str(first["cpus"]) + (f"(x{len(hosts)})" if len(hosts) > 1 else ""),
        "SLURM_CPUS_ON_NODE": str(first["cpus"]), "SLURM_NTASKS": str(job.tasks),
        "SLURM_SUBMIT_DIR": job.cwd, "SLURM_SUBMIT_HOST": f"{cluster.name}-mgmt",
        "SLURMD_NODENAME": hosts[0], "SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
        "TMPDIR": "/tmp", "LAB_SITE_NONCE": cluster.nonce,
    }  # fmt: skip
    if job.restart_count:
        found["SLURM_RESTART_COUNT"] = str(job.restart_count)
    gpus = [str(i) for kind, ids in first["gres"].items() if kind.split(":")[0] == "gpu" for i in ids]
    if gpus and cluster.nodes[hosts[0]].indexed:
        for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL",
                     "SLURM_JOB_GPUS"):  # fmt: skip
            found[name] = ",".join(gpus)
    return cluster.dress(job, found)


def start(cluster, job: Job, allocation: dict[str, dict]) -> None:
    """Book the nodes and launch; the caller holds the lock."""
    job.allocation = allocation
    job.tres_allocated = tres.allocated(cluster, job)
    for name, part in allocation.items():
        cluster.nodes[name].used[job.job_id] = part
    job.start_time = int(time.time())
    job.state, job.reason = "RUNNING", "None"
    job.hosts = list(allocation)
    folder = cluster.folder_of(job)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("rc.json", "pid"):
        (folder / name).unlink(missing_ok=True)
    script = job.script
    if job.force_exit is not None:
        script = f"#!/bin/sh\necho 'lab: this job was made to fail' >&2\nexit {job.force_exit}\n"
    spec = {
        "script": script, "cwd": job.cwd, "stdout": job.standard_output, "append": False,
        "stderr": job.standard_error, "stdin": job.standard_input,
        "environment": environment(cluster, job), "kill_wait": cluster.settings["kill_wait"],
        "patterns": {"j": job.job_id, "A": job.job_id, "x": job.name, "u": job.user, "%": "%",
                     "N": job.hosts[0], "n": 0, "t": 0, "s": "batch", "J": job.job_id},
    }  # fmt: skip
    (folder / "spec.json").write_text(json.dumps(spec))
    with open(folder / "stepd.log", "w") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(STEPD), str(folder)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env={"SLURM_CONF": str(cluster.conf), "SLURM_JOB_ID": str(job.job_id)},
        )  # fmt: skip
    job.stepd = {"pid": child.pid, "ticks": procs.start_ticks(child.pid)}
    cluster.touch("jobs", "nodes")
    threading.Thread(target=_watch, args=(cluster, job, child), daemon=True).start()


def adopt(cluster, job: Job) -> None:
    """After a restart of the controller: wait for a job that another process of it started."""
    threading.Thread(target=_watch, args=(cluster, job, None), daemon=True).start()


def _watch(cluster, job: Job, child) -> None:
    if child is not None:
        child.wait()
    else:
        while job.stepd and procs.alive(job.stepd["pid"], job.stepd["ticks"]):
            time.sleep(0.05)
    path = cluster.folder_of(job) / "rc.json"
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        # A supervisor that was itself cancelled before it had started the job, or lost in a crash.
        status = -child.returncode if child is not None and child.returncode < 0 else NON_STARTABLE
        found = {"status": status, "launched": True, "end": time.time()}
    with cluster.lock:
        ended(cluster, job, found)
        quiet = bool(job.killer) or cluster.stopping
    if not quiet:
        time.sleep(COMPLETING_S)
    with cluster.lock:
        job.flags = []
        cluster.release(job)
        job.allocation = {}


def ended(cluster, job: Job, found: dict) -> None:
    """Book state, reason and raw exit code from what the supervisor left."""
    if job.state == "NODE_FAIL":
        return  # ended for the controller when the node did, though its process ran on
    status = found["status"]
    job.flags = ["COMPLETING"]
    if job.state in ("CANCELLED", "TIMEOUT", "PREEMPTED"):
        job.exit_code = status  # 15, or 0 where the script traps TERM and exits 0
    elif not found["launched"]:
        job.state, job.reason, job.exit_code = "FAILED", "JobLaunchFailure", status
    elif status & 0x7F:
        job.state, job.reason, job.exit_code = "FAILED", "JobLaunchFailure", status
    elif status:
        job.state, job.reason, job.exit_code = "FAILED", "NonZeroExitCode", status
    else:
        job.state, job.reason, job.exit_code = "COMPLETED", "None", 0
    job.end_time = max(int(found["end"]), job.start_time)
    cluster.touch("jobs")


def stop(cluster, job: Job, state: str, reason: str = "None") -> None:
    """End a running job: TERM, KillWait, KILL, all by its supervisor. The caller holds the lock."""
    job.state, job.reason, job.flags = state, reason, ["COMPLETING"]
    job.end_time = int(time.time())
    send(job, signal.SIGTERM)
    cluster.touch("jobs")


def send(job: Job, number: int) -> None:
    """Signal the supervisor, which passes it on to the job's group."""
    if job.stepd and procs.alive(job.stepd["pid"], job.stepd["ticks"]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(job.stepd["pid"], number)

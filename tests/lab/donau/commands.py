"""dsub, djob, dkill, dpeek, dnode, dqueue, dversion and dadmin over the lab's machines.

Made up, because nobody has published it: the columns of djob after the fifth, EXIT_CODE of what ended by itself, the
names of accelerator resources, what dversion prints. A refusal ends with 1 where dsub refuses, and with 0 where djob
does: its words count.
"""

import json
import os
import random
import re
import time

from tests.lab.donau.options import parse
from tests.lab.donau.options import Refused
from tests.lab.donau.options import usage
from tests.lab.slurm import launch
from tests.lab.slurm import scheduler
from tests.lab.slurm import submit
from tests.lab.slurm.answers import SlurmError

TOKENS = {
    "missing": "error: access token does not exist, please execute command dconfig to get token",
    "expired": "error: token expired! refresh token does not exist, please execute command dconfig to get token",
    "unauthorized": "token unauthorized",
}
BANNER = "Authorized users only. All activities may be monitored and reported.\n"
DOWN = "error: failed to connect to the scheduler, please try again later"
#: settings of this stand-in: state of the token, generation of the options, whether a banner comes first
SETTINGS = {"token": "good", "generation": "hpc22", "banner": False}
TERMINATED, TIMED_OUT, LOST = "10003", "10004", "10005"


class Request:
    """One call of a command: who, which words, from where."""

    def __init__(self, argv, user, offset_s, cwd, environment, input):
        self.program, self.words, self.user = argv[0], argv[1:], user
        self.offset_s, self.cwd, self.environment = offset_s, cwd, environment


def answer(cluster, request: Request) -> dict:
    """Return {code, out, err} of one command."""
    with cluster.lock:
        cluster.purge()
        try:
            _admit(cluster, request)
            out = COMMANDS[request.program](cluster, request)
            banner = BANNER if cluster.settings["banner"] and request.program == "dsub" else ""
            return {"code": 0, "out": banner + out, "err": ""}
        except Refused as refusal:
            return {"code": refusal.code, "out": f"{refusal.text}\n", "err": ""}


def _admit(cluster, request) -> None:
    if request.user == "root":
        raise Refused("Permission denied. The root user is not allowed to operate.")
    if request.program == "dversion" or "--help" in request.words:
        return
    if cluster.settings["token"] != "good":
        raise Refused(TOKENS[cluster.settings["token"]])
    if request.user not in cluster.hardware["users"]:
        raise Refused(TOKENS["unauthorized"])
    if "ctld" in cluster.down:
        raise Refused(DOWN)


def _table(columns: list[str], rows: list[list]) -> str:
    """Write columns as wide as their widest word: header, dashes, rows."""
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(len(line[at]) for line in [columns, *texts]) for at in range(len(columns))]
    lines = [columns, ["-" * width for width in widths], *texts]
    return "".join(
        " ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _message(text: str) -> str:
    return f"-------\nmessage\n-------\n{text}\n"


# -- jobs ------------------------------------------------------------------------------------
def _state(job) -> str:
    if job.state == "PENDING":
        return "WAITING" if time.time() < job.ready_at else "PENDING"
    if job.state == "RUNNING" or job.flags:
        return "RUNNING"
    return "SUCCEEDED" if job.state == "COMPLETED" else "FAILED"


def _end(job) -> tuple[str, str]:
    """Return (EXIT_CODE, EXIT_MESSAGE) of a job."""
    if not job.final or job.state == "COMPLETED":
        return ("0", "-") if job.final else ("-", "-")
    if job.state == "CANCELLED":
        return TERMINATED, f"terminated by user {job.killer}"
    if job.state == "TIMEOUT":
        return TIMED_OUT, "task run time exceeds the limit"
    if job.state == "NODE_FAIL":
        return LOST, "the agent of the node is lost"
    code = 128 + (job.exit_code & 0x7F) if job.exit_code & 0x7F else job.exit_code >> 8
    return str(code), f"task exits abnormally, errCode: {code}"


def _find(cluster, request, given: dict, left: list[str]) -> list:
    """Return the jobs that djob speaks of, the oldest first."""
    if given.get("user") and given["user"] != request.user and not cluster.is_admin(request.user):
        raise Refused(_message("only permitted to query the jobs of the current user").rstrip(), 0)
    past = given.get("past") or "from" in given
    if past and "dbd" in cluster.down:
        raise Refused("error: query of history timed out", 0)
    if "queue" in given and given["queue"] not in cluster.partitions:
        raise Refused(_message(f"Job query queue {given['queue']} is invalid").rstrip(), 0)
    found = cluster.history if past else cluster.jobs.values()
    admin = cluster.is_admin(request.user)
    found = [job for job in found if admin or job.user == request.user]
    if left:
        numbers = {str(job.job_id): job for job in found}
        unknown = [number for number in left if number not in numbers]
        if unknown:
            raise Refused(_message("\n".join(f"{number} does not exist" for number in unknown)).rstrip(), 0)
        found = [numbers[number] for number in left]
    if "name" in given:
        found = [job for job in found if job.name == given["name"]]
    if "state" in given:
        found = [job for job in found if _state(job) in given["state"].split()]
    elif not (past or left):
        found = [job for job in found if _state(job) in ("WAITING", "PENDING", "RUNNING")]
    return found


def djob(cluster, request) -> str:
    given, left = parse("djob", cluster.settings["generation"], request.words)
    for act in ("kill", "suspend", "resume"):
        if act in given:
            if act != "kill":
                raise Refused("error: not played by the lab")
            return _kill(cluster, request, [given["kill"], *left])
    found = _find(cluster, request, given, left)
    if not found:
        return "no matches\n"
    if "columns" in given:
        columns = given["columns"].split()
        rows = [[_column(cluster, job, node, name) for name in columns] for job in found for node in job.hosts or ["-"]]
        return _table(columns, rows)
    if "shown" in given:
        rows = [[{"jobid": job.job_id, "state": _state(job)}[name] for name in given["shown"].split()] for job in found]
        return "".join(" ".join(map(str, row)) + "\n" for row in rows)
    return _table(
        ["JOB_ID", "JOB_NAME", "USER", "STATE", "QUEUE", "PRIORITY", "ACCOUNT", "TASKS"],
        [[job.job_id, job.name, job.user, _state(job), job.partition, 4999, f"root.{job.account}", job.nodes]
         for job in found],
    )  # fmt: skip


def _column(cluster, job, node: str, name: str) -> str:
    code, message = _end(job)
    ran = max(0, int((job.end_time or time.time()) - job.start_time)) if job.start_time else None
    waits = {"Resources": "20615", "Priority": "20615", "ReqNodeNotAvail": "10101"}.get(job.reason, "10101")
    known = {
        "JOB_ID": job.job_id, "TASK_INDEX": 0, "TASK_STATE": _state(job), "JOB_TIMEOUT": job.time_limit * 60,
        "EXEC_NODE": node, "MAIN_STATE_REASON_CODE": waits if job.state == "PENDING" else "-",
        "MRUN_TIME": "-" if ran is None else ran, "ALLOC_CPU": job.cpus_per_node if job.hosts else "-",
        "EXIT_CODE": code, "EXIT_MESSAGE": message,
    }  # fmt: skip
    if name not in known:
        raise Refused(f"error: invalid column {name}", 0)
    return str(known[name])


def dkill(cluster, request) -> str:
    _given, left = parse("dkill", cluster.settings["generation"], request.words)
    return _kill(cluster, request, left)


def _kill(cluster, request, numbers: list[str]) -> str:
    said = []
    for number in numbers:
        job = next((job for job in cluster.jobs.values() if str(job.job_id) == number), None)
        if job is None:
            said.append(f"{number} does not exist")
        elif job.user != request.user and not cluster.is_admin(request.user):
            said.append(f"{number} access to job {number} is denied")
        elif job.final or job.flags:
            said.append(f"{number} job has ended")
        else:
            job.killer = request.user
            if job.state == "PENDING":
                scheduler.finish_unstarted(cluster, job, "CANCELLED")
            else:
                launch.stop(cluster, job, "CANCELLED")
            said.append(f"{number} terminate job successfully")
    return _message("\n".join(said)) if any("success" not in line for line in said) else "\n".join(said) + "\n"


def dsub(cluster, request) -> str:
    generation = cluster.settings["generation"]
    given, arguments = parse("dsub", generation, request.words)
    if given.get("help"):
        return usage("dsub", generation)
    path = os.path.join(request.cwd, given.get("script", ""))
    if "script" not in given or not os.access(path, os.X_OK) or os.path.isdir(path):
        raise Refused(_refusal(given, f"the script {given.get('script')} does not exist or is not executable"))
    asked = _resources(cluster, given, given.get("resource", "cpu=1;mem=128MB"))
    with open(path) as stream:
        script = stream.read()
    wanted = {
        "name": given.get("name", os.path.basename(path)), "partition": given.get("queue", "root.default"),
        "nodes": int(given.get("replicas", 1)), "tasks": int(given.get("replicas", 1)),
        "cpus_per_task": asked["cpu"], "memory_per_node": asked["mem"], "gres": asked["gres"],
        "time_limit": max(1, -(-int(given.get("wall", 0)) // 60)) if given.get("wall") else 1440,
        "current_working_directory": given.get("workdir", request.cwd),
        "standard_output": given.get("out_over") or given.get("out") or "/dev/null",
        "standard_error": given.get("err_over") or given.get("err") or "",
        "environment": {key: value for key, value in request.environment.items() if key in ("PATH", "HOME", "USER")},
        "comment": given.get("text", ""),
    }  # fmt: skip
    if arguments:
        raise Refused(_refusal(given, "the lab takes a script without words of its own"))
    if "account" in given:
        wanted["account"] = given["account"].removeprefix("root.")
    try:
        job, _note = submit.make(cluster, request.user, script, wanted)
    except SlurmError as refusal:
        if refusal.number == 2014:  # Slurm keeps a record of these
            cluster.jobs.pop(cluster.history.pop().job_id, None)
        said = {
            2000: f"queue {wanted['partition']} does not exist", 2014: "no node can ever satisfy the resource request",
            2045: f"the permission of account {given.get('account')} is not granted",
            2050: "the number of jobs exceeds the limit",
        }.get(refusal.number, str(refusal))  # fmt: skip
        raise Refused(_refusal(given, said)) from None
    if given.get("json"):
        number = {"jobId": str(job.job_id)}
        return _json(number, "Submit job successfully.", "success")
    return f"JOBID {job.job_id}\nSubmit job successfully.\n"


def _json(data, message: str, code: str) -> str:
    request_id = f"req-{random.getrandbits(64):016x}"
    return json.dumps({"data": data, "message": message, "code": code, "requestId": request_id}) + "\n"


def _refusal(given: dict, text: str) -> str:
    return _json(None, text, "SCHEDULER.0400").strip() if given.get("json") else f"error: {text}"


def _resources(cluster, given: dict, text: str) -> dict:
    found = {"cpu": 1, "mem": 128, "gres": ""}
    native = cluster.hardware["native"]
    for part in text.split(";"):
        key, equals, value = part.strip().partition("=")
        if key == "mem" and (match := re.fullmatch(r"(\d+)(MB|M|GB|G)?", value)):
            found["mem"] = int(match[1]) * (1024 if (match[2] or "M").startswith("G") else 1)
        elif key == "cpu" and value.isdigit():
            found["cpu"] = int(value)
        elif key == native and value.isdigit():
            found["gres"] = f"{cluster.hardware['gres']}:{value}"
        elif equals:
            raise Refused(_refusal(given, f"the resource {part} is invalid"))
    return found


def dpeek(cluster, request) -> str:
    _given, left = parse("dpeek", cluster.settings["generation"], request.words)
    (job,) = _find(cluster, request, {}, left[:1] or ["0"])
    try:
        with open(os.path.join(job.cwd, job.standard_output), errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


# -- what there is ---------------------------------------------------------------------------
def dqueue(cluster, request) -> str:
    words = {"UP": "OPEN,ACTIVE", "DOWN": "CLOSED,INACTIVE", "DRAIN": "CLOSED,ACTIVE"}
    rows = [[name, words[row["state"]], 4999] for name, row in cluster.partitions.items()]
    if "-L" in request.words:
        return "".join(f"{_table(['QUEUE', 'STATE', 'PRIORITY'], [row])}userGroups:\n*\n\n" for row in rows)
    return _table(["QUEUE", "STATE", "PRIORITY"], rows)


def dnode(cluster, request) -> str:
    nodes = [node for node in cluster.nodes.values() if node.usable]
    if "-L" not in request.words:
        return _table(["NODE", "TYPE"], [[node.name, "EXEC"] for node in nodes])
    native, found = cluster.hardware["native"], ""
    for node in nodes:
        kind = next(iter(node.devices))
        facts = {
            "name": node.name, "loadResources.cpuFree": node.cpus - node.used_cpus,
            "loadResources.memFree": node.memory - node.used_memory, "loadResources.tmpTotal": 102400,
            f"loadResources.{native}Free": node.devices[kind] - len(node.used_indices(kind)),
            "nativeResources.mCpu": node.cpus, "nativeResources.mem": node.memory,
            f"nativeResources.{native}": node.devices[kind],
        }  # fmt: skip
        found += _table(["KEY", "VALUE"], [[key, value] for key, value in facts.items()]).split("\n", 1)[1]
    return found


def dadmin(cluster, request) -> str:
    if request.words[:2] != ["label", "show"]:
        raise Refused("error: the permission is not granted")
    arch = {"aarch64": "ARM", "x86_64": "X86"}[cluster.hardware["architecture"]]
    return _table(["NAME", "TYPE", "NODES"], [[arch, "shared", cluster.hardware["nodes"][0]["names"]]])


COMMANDS = {
    "dsub": dsub, "djob": djob, "dkill": dkill, "dpeek": dpeek, "dnode": dnode, "dqueue": dqueue, "dadmin": dadmin,
    "dversion": lambda cluster, request: "Donau Scheduler (stand-in of the lab)\n",
}  # fmt: skip


def dress(cluster, job, found: dict) -> dict:
    """Return a job's environment: what the submitter had, CCS_JOB_ID, and the lab's marks."""
    kept = {key: found[key] for key in ("SLURM_CONF", "LAB_SITE_NONCE", "TMPDIR")}
    return {**job.environment, "CCS_JOB_ID": str(job.job_id), **kept}

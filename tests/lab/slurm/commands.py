"""Slurm's commands on the login node: squeue, sinfo, sacct, sbatch, scancel, scontrol, sacctmgr.

Each works on the same cluster as REST does. Words, texts and exit statuses are those of 22.05.8, seen, as far as the
options below go; `--json` of squeue and sinfo ignores every filter, as there.
"""

import json
import os
import time

from tests.lab.slurm import answers
from tests.lab.slurm import ctld_api
from tests.lab.slurm import ctld_view
from tests.lab.slurm import dbd_api
from tests.lab.slurm import options as submit_options
from tests.lab.slurm import sacctmgr
from tests.lab.slurm import scontrol
from tests.lab.slurm import submit
from tests.lab.slurm import tres
from tests.lab.slurm.answers import SlurmError
from tests.lab.slurm.answers import TEXT
from tests.lab.slurm.words import local
from tests.lab.slurm.words import options
from tests.lab.slurm.words import short_span
from tests.lab.slurm.words import Told

SHORT = {"PENDING": "PD", "RUNNING": "R", "COMPLETING": "CG", "COMPLETED": "CD", "FAILED": "F", "CANCELLED": "CA",
         "TIMEOUT": "TO", "NODE_FAIL": "NF", "PREEMPTED": "PR", "DEADLINE": "DL", "OUT_OF_MEMORY": "OOM"}  # fmt: skip
SQUEUE = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
SBATCH = {
    "job-name": "J", "account": "A", "partition": "p", "qos": "q", "time": "t", "chdir": "D", "output": "o",
    "error": "e", "gres": "", "nodes": "N", "ntasks": "n", "cpus-per-task": "c", "mem": "", "reservation": "",
    "comment": "", "constraint": "C", "dependency": "d", "export": "", "begin": "b", "wrap": "",
}  # fmt: skip
#: option of sbatch → key of a submission
FIELDS = {
    "job-name": "name", "time": "time_limit", "chdir": "current_working_directory", "output": "standard_output",
    "error": "standard_error", "ntasks": "tasks", "cpus-per-task": "cpus_per_task", "mem": "memory_per_node",
    "constraint": "constraints", "begin": "begin_time",
}  # fmt: skip
NO_SCRIPT = """\
sbatch: error: This does not look like a batch script.  The first
sbatch: error: line must start with #! followed by the path to an interpreter.
sbatch: error: For instance: #!/bin/sh
"""


class Request:
    """One call of a command: who, which words, from where."""

    def __init__(self, argv, user, offset_s, cwd, environment, input):
        self.program, self.words, self.user = argv[0], argv[1:], user
        self.offset_s, self.cwd, self.environment, self.input = offset_s, cwd, environment, input


def answer(cluster, request: Request) -> dict:
    """Return {code, out, err} of one command; code None where it wants to read its input first."""
    with cluster.lock:
        try:
            cluster.purge()
            _wait_for_the_dead(cluster, request)
            return {"code": 0, "out": COMMANDS[request.program](cluster, request), "err": ""}
        except Told as told:
            return {"code": told.code, "out": told.out, "err": told.err}


def _wait_for_the_dead(cluster, request) -> None:
    if "ctld" in cluster.down and request.program != "sacct" and request.words[:1] not in (["ping"], ["version"]):
        cluster.lock.release()  # others must not wait with us
        try:
            time.sleep(cluster.settings["ctld_block_s"])
        finally:
            cluster.lock.acquire()


def _up(cluster, failed: str, code: int = 1) -> None:
    if "ctld" in cluster.down:
        raise Told(f"{failed}: {TEXT[1800]}\n", code)


def _json(cluster, request, handler) -> str:
    body = handler(cluster, ctld_api.Request("GET", 38, {}, b"", request.user)).body
    return json.dumps(body, indent=2) + "\n"


def _table(format: str, rows: list[dict], header: bool) -> str:
    """Fill ``%.18i|%T`` from rows of letter → text; the row before the first names the columns."""

    def line(row):
        text, rest = "", format
        while rest:
            before, percent, rest = rest.partition("%")
            text += before
            if percent:
                width = rest[: len(rest) - len(rest.lstrip(".0123456789"))]
                letter, rest = rest[len(width)], rest[len(width) + 1 :]
                value, size = str(row.get(letter, "")), int(width.lstrip(".") or 0)
                value = value[:size] if size else value
                text += value.rjust(size) if width.startswith(".") else value.ljust(size)
        return f"{text}\n"

    return "".join(map(line, rows if header else rows[1:]))


def squeue(cluster, request) -> str:
    given, _left = options("squeue", request.words, {"format": "o", "states": "t", "name": "n", "user": "u",
                           "jobs": "j"}, {"noheader": "h", "json": "", "all": "a"})  # fmt: skip
    _up(cluster, "slurm_load_jobs error")
    if given.get("json"):
        return _json(cluster, request, ctld_api.jobs)
    if "jobs" in given and not any(str(number) in given["jobs"].split(",") for number in cluster.jobs):
        raise Told(f"slurm_load_jobs error: {TEXT[2017]}\n")
    long = {short: word for word, short in SHORT.items()}
    states = given.get("states", "PENDING,RUNNING,COMPLETING").upper().split(",")
    states = {long.get(word, word) for word in states}
    found = [{"i": "JOBID", "P": "PARTITION", "j": "NAME", "u": "USER", "t": "ST", "T": "STATE", "M": "TIME",
              "D": "NODES", "R": "NODELIST(REASON)", "r": "REASON", "N": "NODELIST", "a": "ACCOUNT",
              "l": "TIME_LIMIT", "v": "RESERVATION"}]  # fmt: skip
    for row in (ctld_view.job(cluster, job) for job in sorted(cluster.jobs.values(), key=lambda j: -j.job_id)):
        matches = ("name", "name"), ("user", "user_name"), ("jobs", "job_id")
        if any(key in given and str(row[field]) not in given[key].split(",") for key, field in matches):
            continue
        if "ALL" not in states and row["job_state"] not in states:
            continue
        started = row["start_time"] if row["job_state"] != "PENDING" else 0
        ended = row["end_time"] if row["job_state"] not in ("RUNNING", "COMPLETING") else time.time()
        found.append({
            "i": row["job_id"], "P": row["partition"], "j": row["name"], "u": row["user_name"],
            "t": SHORT.get(row["job_state"], row["job_state"]), "T": row["job_state"],
            "M": short_span(max(0, ended - started) if started else 0), "D": row["node_count"],
            "R": row["nodes"] or f"({row['state_reason']})", "r": row["state_reason"], "N": row["nodes"],
            "a": row["account"], "l": short_span(row["time_limit"] * 60), "v": row["resv_name"] or "(null)",
        })  # fmt: skip
    return _table(given.get("format", SQUEUE), found, not given.get("noheader"))


def sinfo(cluster, request) -> str:
    given, _left = options("sinfo", request.words, {"format": "o"}, {"noheader": "h", "Node": "N", "json": ""})
    _up(cluster, "slurm_load_partitions")
    if given.get("json"):
        return _json(cluster, request, ctld_api.nodes)
    found = [{"P": "PARTITION", "a": "AVAIL", "l": "TIMELIMIT", "D": "NODES", "T": "STATE", "t": "STATE",
              "N": "NODELIST", "G": "GRES", "c": "CPUS", "m": "MEMORY"}]  # fmt: skip
    for number, name in enumerate(cluster.partitions):
        part = ctld_view.partition(cluster, name)
        for node in (ctld_view.node(cluster, one) for one in cluster.nodes.values() if name in one.partitions):
            drained = "DRAIN" in node["state_flags"]
            state = ("drained" if node["state"] == "idle" else "draining") if drained else node["state"]
            state = "reserved" if state == "idle" and "RESERVED" in node["state_flags"] else state
            found.append({
                "P": name + ("*" if number == 0 else ""), "a": part["state"].lower(),
                "l": short_span(part["max_time_limit"] * 60), "D": 1, "T": state, "t": state[:4], "N": node["name"],
                "G": node["gres"], "c": node["cpus"], "m": node["real_memory"],
            })  # fmt: skip
    format = "%N %.6D %.9P %t" if given.get("Node") else "%9P %.5a %.10l %.6D %.6t %N"
    return _table(given.get("format", format), found, not given.get("noheader"))


def sacct(cluster, request) -> str:
    """Only what ``-X -P`` prints, one line a job; codes are right here, unlike in slurmdbd's REST."""
    given, _left = options("sacct", request.words, {"jobs": "j", "name": "", "starttime": "S", "format": "o",
                           "user": "u"}, {"noheader": "n", "parsable2": "P", "allocations": "X"})  # fmt: skip
    if "dbd" in cluster.down:
        raise Told(f"sacct: error: Problem talking to the database: {TEXT[7000]}\n")
    columns = given.get("format", "JobID,JobName,Partition,Account,AllocCPUS,State,ExitCode").split(",")
    now, lines = time.time(), [] if given.get("noheader") else ["|".join(columns)]
    for job in cluster.history:
        if not dbd_api.known(cluster, job, now):
            continue
        if "jobs" in given and str(job.job_id) not in given["jobs"].split(","):
            continue
        if "name" in given and job.name not in given["name"].split(","):
            continue
        ended = job.end_time if job.final else 0
        row = {
            "jobid": job.job_id, "jobname": job.name, "state": ctld_view.job_state(job), "partition": job.partition,
            "account": job.account, "user": job.user, "alloccpus": job.cpus,
            "exitcode": f"{job.exit_code >> 8}:{job.exit_code & 0x7F}", "alloctres": tres.text(job.tres_allocated),
            "submit": local(job.submit_time, request.offset_s), "start": local(job.start_time, request.offset_s),
            "end": local(ended, request.offset_s), "nodelist": ",".join(job.hosts) or "None assigned",
        }  # fmt: skip
        if unknown := next((name for name in columns if name.lower() not in row), None):
            raise Told(f'sacct: fatal: Invalid field requested: "{unknown}"\n')
        lines.append("|".join(str(row[name.lower()]) for name in columns))
    return "".join(f"{line}\n" for line in lines)


def sbatch(cluster, request) -> str:
    flags = {"parsable": "", "hold": "H", "no-requeue": ""}
    given, left = options("sbatch", request.words, SBATCH, flags)
    if "wrap" in given:
        script = f"#!/bin/sh\n{given['wrap']}\n"
    elif left:
        try:
            with open(os.path.join(request.cwd, left[0])) as stream:
                script = stream.read()
        except OSError:
            raise Told(f"sbatch: error: Unable to open file {left[0]}\n") from None
    elif request.input is None:
        raise Told("", None)
    else:
        script = request.input
    if not script.startswith("#!"):
        raise Told(NO_SCRIPT)
    lines = [line for line in script.splitlines() if line.startswith("#SBATCH ")]
    written, _left = options("sbatch", [word for line in lines for word in line.split()[1:]], SBATCH, flags)
    given = {**written, **given}
    own = {} if given.get("export") == "NONE" else request.environment
    wanted = {"environment": {"PATH": "/usr/bin:/bin", **own}, "current_working_directory": request.cwd}
    wanted |= {FIELDS.get(name, name): value for name, value in given.items() if name not in ("export", "wrap")}
    failed = "sbatch: error: Batch job submission failed"
    try:
        _up(cluster, failed)
        fields = {key: value for key, value in wanted.items() if key not in ("parsable", "no-requeue")}
        read, problems = submit_options.read(fields)
        if problems:
            raise Told(f"sbatch: error: {problems[0].get('error') or problems[0].get('description')}\n")
        job, _note = submit.make(cluster, request.user, script, read)
    except SlurmError as refusal:
        raise Told(f"{failed}: {TEXT[refusal.number]}\n") from None
    return f"{job.job_id}\n" if given.get("parsable") else f"Submitted batch job {job.job_id}\n"


def scancel(cluster, request) -> str:
    """A job that is not there, or has ended, is no error."""
    given, left = options("scancel", request.words, {"name": "n", "user": "u", "signal": "s"}, {"full": "f"})
    if not left and not given.keys() & {"name", "user"}:
        raise Told("scancel: error: No job identification provided\n")
    if bad := next((word for word in left if not word.isdigit()), None):
        raise Told(f"scancel: error: Invalid job id {bad}\n")
    named = [str(job.job_id) for job in cluster.jobs.values() if given.keys() & {"name", "user"}
             and given.get("name", job.name) == job.name and given.get("user", job.user) == job.user]  # fmt: skip
    for number in left + named:
        _up(cluster, f"scancel: error: Kill job error on job id {number}", 8)
        query = {"signal": given["signal"]} if "signal" in given else {}
        asked = ctld_api.Request("DELETE", 38, query, b"", request.user, number)
        (said,) = ctld_api.job(cluster, asked).body["errors"] or [None]
        if said and said["error_number"] != 2017:
            text = answers.TEXT[said["error_number"]]
            raise Told(f"scancel: error: Kill job error on job id {number}: {text}\n")
    return ""


COMMANDS = {
    "scontrol": lambda cluster, request: scontrol.run(cluster, request, request.words),
    "sacctmgr": sacctmgr.run,
    "squeue": squeue, "sinfo": sinfo, "sacct": sacct, "sbatch": sbatch, "scancel": scancel,
}  # fmt: skip

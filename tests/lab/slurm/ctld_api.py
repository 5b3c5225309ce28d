"""The endpoints under ``/slurm/v0.0.NN/``: what reaches slurmctld."""

import json
import signal
import time

from tests.lab.slurm import answers
from tests.lab.slurm import ctld_view
from tests.lab.slurm import launch
from tests.lab.slurm import options
from tests.lab.slurm import scheduler
from tests.lab.slurm import submit
from tests.lab.slurm.answers import Answer
from tests.lab.slurm.answers import SlurmError


class Request:
    """One call as it reaches a handler: user is None where the token is no good."""

    def __init__(self, method, version, query, body, user, argument=""):
        self.method, self.version, self.query = method, version, query
        self.body, self.user, self.argument = body, user, argument
        self.over = False  # a DELETE of what had ended already


def wrap(request: Request, errors: list, status: int, **content) -> Answer:
    body = answers.envelope(f"v0.0.{request.version}", **content)
    body["errors"] = errors
    return Answer(status, body)


def reachable(cluster, request: Request) -> int:
    """Return 0, or −1: a bad token (at once) and a dead controller (after 9 s) look the same."""
    if request.user is None:
        return -1
    if "ctld" in cluster.down:
        cluster.lock.release()  # others must not wait with us
        try:
            time.sleep(cluster.settings["ctld_block_s"])
        finally:
            cluster.lock.acquire()
        return -1
    return 0


def _unchanged(cluster, request: Request, what: str) -> bool:
    since = request.query.get("update_time", "")
    return since.isdigit() and int(since) - 1 >= cluster.changed[what]


def ping(cluster, request: Request) -> Answer:
    if reachable(cluster, request):
        said = answers.error(-1, "slurmctld config is unable to load", "slurm_load_ctl_conf")
        return wrap(request, [said], 500)
    up = {"hostname": f"{cluster.name}-mgmt", "ping": "UP", "status": 0, "mode": "primary"}
    return wrap(request, [], 200, pings=[up])


def diag(cluster, request: Request) -> Answer:
    if reachable(cluster, request):
        said = answers.error(-1, "request failed", "slurm_get_statistics")
        return wrap(request, [said], 500, statistics={})
    count = {
        state: sum(1 for j in cluster.jobs.values() if j.state == state)
        for state in ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
    }
    now = int(time.time())
    statistics = {
        "parts_packed": 1, "req_time": now, "req_time_start": now - now % 86400,
        "server_thread_count": 3, "agent_queue_size": 0, "agent_count": 0, "agent_thread_count": 0,
        "dbd_agent_queue_size": len(cluster.history) if "dbd" in cluster.down else 0,
        "gettimeofday_latency": 20, "schedule_cycle_max": 900, "schedule_cycle_last": 90,
        "schedule_cycle_total": 10, "schedule_cycle_mean": 100, "schedule_cycle_mean_depth": 0,
        "schedule_cycle_per_minute": 1, "schedule_queue_length": count["PENDING"],
        "jobs_submitted": len(cluster.history), "jobs_started": len(cluster.history),
        "jobs_completed": count["COMPLETED"], "jobs_canceled": count["CANCELLED"],
        "jobs_failed": count["FAILED"], "jobs_pending": count["PENDING"],
        "jobs_running": count["RUNNING"], "job_states_ts": now, "bf_active": False,
    }  # fmt: skip
    return wrap(request, [], 200, statistics=statistics)


def _many(cluster, request: Request, key: str, what: str, rows) -> Answer:
    if number := reachable(cluster, request):
        return wrap(request, [answers.single_error(number)], 500, **{key: []})
    if _unchanged(cluster, request, what):
        return Answer(304, None)
    return wrap(request, [], 200, **{key: rows()})


def partitions(cluster, request: Request) -> Answer:
    names = [n for n in cluster.partitions if request.argument.lower() in ("", n.lower())]
    if not names and request.user is not None:
        return wrap(request, [answers.single_error(2000)], 500, partitions=[])
    rows = lambda: [ctld_view.partition(cluster, name) for name in names]  # noqa: E731
    return _many(cluster, request, "partitions", "nodes", rows)


def nodes(cluster, request: Request) -> Answer:
    found = [n for n in cluster.nodes.values() if request.argument in ("", n.name)]
    if not found and request.user is not None:
        return wrap(request, [answers.single_error(2018)], 500, nodes=[])
    rows = lambda: [ctld_view.node(cluster, node) for node in found]  # noqa: E731
    return _many(cluster, request, "nodes", "nodes", rows)


def reservations(cluster, request: Request) -> Answer:
    names = [n for n in cluster.reservations if request.argument.lower() in ("", n.lower())]
    if request.argument and not names and request.user is not None:
        return wrap(request, [answers.single_error(2053)], 500, reservations=[])
    rows = lambda: [ctld_view.reservation(cluster, name) for name in names]  # noqa: E731
    return _many(cluster, request, "reservations", "nodes", rows)


def licenses(cluster, request: Request) -> Answer:
    if reachable(cluster, request):
        text = "slurmctld unable to load licenses"
        return wrap(request, [answers.error(-1, text, "slurm_load_licenses")], 500)
    return wrap(request, [], 200, licenses=[])


def jobs(cluster, request: Request) -> Answer:
    if reachable(cluster, request):
        said = answers.error(-1, "Failed while looking for jobs", "slurm_load_jobs")
        return wrap(request, [said], 500, jobs=[])
    cluster.purge()
    if _unchanged(cluster, request, "jobs"):
        return Answer(304, None)
    rows = [ctld_view.job(cluster, cluster.jobs[job_id]) for job_id in sorted(cluster.jobs)]
    return wrap(request, [], 200, jobs=rows)


def _find(cluster, text: str):
    """Return the job; SlurmError 9002 for what is no number or 0, 2017 for one that is not there."""
    if not text.isdigit() or int(text) == 0:
        raise SlurmError(9002, f"Unable to find JobId={text}")
    cluster.purge()
    if int(text) not in cluster.jobs:
        raise SlurmError(2017, f"Unable to find JobId={text}")
    return cluster.jobs[int(text)]


def job(cluster, request: Request) -> Answer:
    if number := reachable(cluster, request):
        if number and request.user is not None and request.method == "GET":
            reachable(cluster, request)  # this one call tries twice: 18 s
        said = answers.error(number, f"Unable to find JobId={request.argument}", "slurm_load_job")
        return wrap(request, [said], 500, jobs=[])
    handler = {"GET": _job_get, "POST": _job_post, "DELETE": _job_delete}[request.method]
    return handler(cluster, request)


def _job_get(cluster, request: Request) -> Answer:
    try:
        found = _find(cluster, request.argument)
    except SlurmError as refusal:
        source = "_handle_job_get" if refusal.number == 9002 else "slurm_load_job"
        said = answers.error(refusal.number, refusal.description, source)
        content = {} if refusal.number == 9002 else {"jobs": []}
        return wrap(request, [said], answers.status_of(refusal.number), **content)
    return wrap(request, [], 200, jobs=[ctld_view.job(cluster, found)])


def _job_delete(cluster, request: Request) -> Answer:
    name = request.query.get("signal", "")
    number = _signal(name)
    if not number:
        said = answers.error(9000, "invalid signal: 0", "HTTP request: signal")
        return wrap(request, [said], 500)
    try:
        found = _find(cluster, request.argument)
        if request.user != found.user and not cluster.is_admin(request.user):
            raise SlurmError(2002)
    except SlurmError as refusal:
        number = 2017 if refusal.number == 9002 else refusal.number
        text = (f"unable to kill JobId={request.argument} with signal {_signal(name)}: "
                f"{answers.TEXT[number]}")  # fmt: skip
        return wrap(request, [answers.error(number, text, "slurm_kill_job")], 500)
    if found.final or found.flags:
        request.over = True
        return wrap(request, [], 200)
    if name and number not in (signal.SIGKILL, signal.SIGTERM):
        launch.send(found, number)
    elif found.state == "PENDING":
        found.killer = request.user
        scheduler.finish_unstarted(cluster, found, "CANCELLED")
    else:
        found.killer = request.user
        launch.stop(cluster, found, "CANCELLED")
    return wrap(request, [], 200)


def _signal(name: str) -> int:
    if not name:
        return signal.SIGKILL
    if name.isdigit():
        return int(name)
    return getattr(signal, "SIG" + name.upper().removeprefix("SIG"), 0)


def _job_post(cluster, request: Request) -> Answer:
    """An update that cannot be parsed is HTTP 200 with 9001 and nothing changed."""
    source = "_parse_job_list"
    try:
        fields = json.loads(request.body)
    except ValueError:
        return answers.text(400, "Unable to parse request body")
    if not isinstance(fields, dict):
        said = answers.error(9002, "job parsing failed", source)
        return wrap(request, [said], 200)
    try:
        wanted, problems = options.read(fields)
        if problems:
            return wrap(request, [*problems, answers.error(9001, "job parsing failed", source)], 200)
        submit.update(cluster, request.user, _find(cluster, request.argument), wanted)
    except SlurmError as refusal:
        said = answers.error(refusal.number, "job update failed", source)
        return wrap(request, [said], 500)
    return wrap(request, [], 200)


def job_submit(cluster, request: Request) -> Answer:
    try:
        body = json.loads(request.body)
    except ValueError:
        return answers.text(400, "Unable to parse request body")
    if not isinstance(body, dict):
        body = {}
    if not body.get("script"):
        return _refused(request, 2009)
    fields = body.get("job", body.get("jobs"))
    if not isinstance(fields, dict):
        return _refused(request, 9002)
    try:
        wanted, problems = options.read(fields)
    except SlurmError as refusal:
        return wrap(request, [answers.submit_error(refusal.number), answers.submit_error(9001)], 400)
    if not problems and not wanted.get("environment") and _read_all(wanted, fields):
        problems = [answers.submit_error(2127)]
    elif not problems and not _read_all(wanted, fields):
        return _refused(request, 9001)
    if problems:
        return wrap(request, [*problems, answers.submit_error(9001)], 400)
    if request.user is None:
        return _refused(request, 5005)
    if reachable(cluster, request):
        return _refused(request, 1800)
    try:
        made, note = submit.make(cluster, request.user, body["script"], wanted)
    except SlurmError as refusal:
        return _refused(request, refusal.number)
    errors = [answers.submit_error(note)] if note else []
    return wrap(request, errors, 200, job_id=made.job_id, step_id="BATCH", job_submit_user_msg="")


def _read_all(wanted: dict, fields: dict) -> bool:
    """Did every readable key arrive? A GRES of an unknown name stops the reading without a word."""
    names = (options.ALIASES.get(key.lower(), key.lower()) for key in fields)
    return all(name in wanted for name in names if name in options.READERS)


def _refused(request: Request, number: int) -> Answer:
    return wrap(request, [answers.submit_error(number)], answers.status_of(number))

"""The endpoints under ``/slurmdb/v0.0.NN/``: what reaches slurmdbd.

``jobs`` alone answers HTTP 200 with an empty list where slurmdbd refuses (1007, 7000): an empty list counts only
without errors, or with 9003. Unknown query keys are 9000 here, and ignored under ``/slurm/``.
"""

import time
from datetime import datetime

from tests.lab.slurm import answers
from tests.lab.slurm import dbd_view
from tests.lab.slurm.answers import Answer
from tests.lab.slurm.ctld_api import Request

VISIBLE_AFTER_S = 1.0
JOB_KEYS = {"account", "association", "cluster", "constraints", "cpus_max", "cpus_min", "format",
            "disable_wait_for_result", "end_time", "exit_code", "groups", "job_name", "node",
            "nodes_max", "nodes_min", "partition", "qos", "reason", "reservation", "skip_steps",
            "start_time", "state", "step", "submit_time", "wckey"}  # fmt: skip


def wrap(request: Request, errors: list, status: int, **content) -> Answer:
    body = answers.envelope(f"dbv0.0.{request.version}", **content)
    body["errors"] = errors
    return Answer(status, body)


def _trouble(cluster, request: Request) -> int:
    return 1007 if request.user is None else 7000 if "dbd" in cluster.down else 0


def _said(number: int, source: str) -> dict:
    return answers.error(number, "", source)


def moment(text: str) -> int:
    """Read local ISO time, a date, or ``uts<epoch>``; 0 for what parse_time does not read."""
    if text.startswith("uts") and text[3:].isdigit():
        return int(text[3:])
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return int(datetime.strptime(text, form).timestamp())
        except ValueError:
            continue
    return 0


def known(cluster, found, now: float) -> bool:
    """Is the job in the database? Held, not begun and never eligible ones are not, not even cancelled."""
    if not found.eligible_time or found.eligible_time > now:
        return False
    seen = max(found.submit_time, found.eligible_time) + VISIBLE_AFTER_S
    return now >= seen or found.state == "FAILED"


def jobs(cluster, request: Request) -> Answer:
    query = {key.lower(): value for key, value in request.query.items()}
    if set(query) - JOB_KEYS:
        said = {"description": "Unknown Query field", "error_number": 9000,
                "error": answers.TEXT[9000]}  # fmt: skip
        return wrap(request, [said], 500)
    times = {}
    for key in ("start_time", "end_time", "submit_time"):
        if key in query and not (times.setdefault(key, moment(query[key]))):
            said = answers.error(9000, "Unable to parse time format", key)
            return wrap(request, [said], 500)
    if number := _trouble(cluster, request):
        return wrap(request, [_said(number, "slurmdb_jobs_get")], 200, jobs=[])
    now = time.time()
    # Without a start the search begins at the controller's last midnight, local time.
    midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    start = times.get("start_time") or times.get("submit_time") or midnight
    end = times.get("end_time") or now + 1
    rows = []
    for found in cluster.history:
        if not known(cluster, found, now) or not _matches(found, query):
            continue
        if (found.end_time and found.end_time < start) or found.eligible_time > end:
            continue
        rows.append(dbd_view.job(cluster, found, now, "skip_steps" not in query))
    if "state" in query and not set(times):
        rows = []  # seen: a state filter alone finds nothing
    errors = [] if rows else [_said(9003, "slurmdb_jobs_get")]
    return wrap(request, errors, 200, jobs=rows)


def _matches(found, query: dict) -> bool:
    fields = {"job_name": found.name, "account": found.account, "partition": found.partition,
              "qos": found.qos, "state": found.state, "reservation": found.reservation}  # fmt: skip
    if "step" in query and str(found.job_id) not in query["step"].split(","):
        return False
    return all(value in query[key].split(",") for key, value in fields.items() if query.get(key))


def job(cluster, request: Request) -> Answer:
    if number := _trouble(cluster, request):
        return wrap(request, [_said(number, "slurmdb_jobs_get")], 200, jobs=[])
    now = time.time()
    rows = [
        dbd_view.job(cluster, found, now)
        for found in cluster.history
        if str(found.job_id) == request.argument and known(cluster, found, now)
    ]
    errors = [] if rows else [_said(9003, "slurmdb_jobs_get")]
    return wrap(request, errors, 200, jobs=rows)


def _listing(cluster, request: Request, key: str, source: str, rows) -> Answer:
    if number := _trouble(cluster, request):
        return wrap(request, [_said(number, source)], 500)
    found = rows()
    return wrap(request, [] if found else [_said(9003, source)], 200, **{key: found})


def associations(cluster, request: Request) -> Answer:
    wanted = request.query
    pairs = [(name, "") for name in ["root", *cluster.hardware["accounts"]]]
    pairs += [(row["account"], user) for user, row in cluster.hardware["users"].items()]
    rows = lambda: [  # noqa: E731
        dbd_view.association(cluster, account, user)
        for account, user in pairs
        if account in wanted.get("account", account).split(",") and user in wanted.get("user", user).split(",")
    ]
    return _listing(cluster, request, "associations", "slurmdb_associations_get", rows)


def qos(cluster, request: Request) -> Answer:
    rows = lambda: [  # noqa: E731
        dbd_view.qos(cluster, name, number)
        for number, name in enumerate(cluster.hardware["qos"], start=1)
        if request.argument in ("", name)
    ]
    return _listing(cluster, request, "QOS", "slurmdb_qos_get", rows)


def accounts(cluster, request: Request) -> Answer:
    if request.method == "POST":
        return _admin_only(cluster, request, "slurmdb_accounts_add", {})
    rows = lambda: [  # noqa: E731
        {"associations": [{"account": name, "cluster": cluster.name, "partition": None, "user": ""}],
         "coordinators": [], "description": row["description"], "name": name,
         "organization": row["organisation"], "flags": []}
        for name, row in cluster.hardware["accounts"].items() if request.argument in ("", name)
    ]  # fmt: skip
    return _listing(cluster, request, "accounts", "slurmdb_accounts_get", rows)


def users(cluster, request: Request) -> Answer:
    rows = lambda: [  # noqa: E731
        {"administrator_level": row.get("admin", "None"), "name": name, "coordinators": [],
         "associations": [{"account": row["account"], "cluster": cluster.name, "partition": None,
                           "user": name}],
         "default": {"account": row["account"], "wckey": ""}, "flags": []}
        for name, row in cluster.hardware["users"].items() if request.argument in ("", name)
    ]  # fmt: skip
    return _listing(cluster, request, "users", "slurmdb_users_get", rows)


def tres(cluster, request: Request) -> Answer:
    rows = lambda: dbd_view.all_tres(cluster)  # noqa: E731
    return _listing(cluster, request, "TRES", "slurmdb_tres_get", rows)


def clusters(cluster, request: Request) -> Answer:
    rows = lambda: [  # noqa: E731
        {"controller": {"host": "127.0.0.1", "port": 6817}, "flags": ["MULTIPLE_SLURMD"],
         "name": cluster.name, "nodes": ",".join(cluster.nodes), "select_plugin": "cons_tres",
         "associations": {"root": {"account": "root", "cluster": cluster.name, "partition": None,
                                   "user": "root"}}, "rpc_version": 9728, "tres": []}
    ]  # fmt: skip
    return _listing(cluster, request, "clusters", "slurmdb_clusters_get", rows)


def _admin_only(cluster, request: Request, source: str, content: dict) -> Answer:
    number = _trouble(cluster, request)
    if not number and not cluster.is_admin(request.user):
        number = 2002
    if number:
        return wrap(request, [_said(number, source)], 500, **content)
    return wrap(request, [], 200, **content)


def diag(cluster, request: Request) -> Answer:
    if request.user is None:
        return wrap(request, [_said(-1, "slurmdb_get_stats")], 500)
    statistics = {"time_start": int(time.time()), "rollups": [], "RPCs": [], "users": []}
    return _admin_only(cluster, request, "slurmdb_get_stats", {"statistics": statistics})


def config(cluster, request: Request) -> Answer:
    """To anybody but an administrator: partly filled, with 2002 beside it."""
    content = {"clusters": clusters(cluster, request).body.get("clusters", []), "qos": [],
               "tres": dbd_view.all_tres(cluster)}  # fmt: skip
    return _admin_only(cluster, request, "slurmdb_config", content)

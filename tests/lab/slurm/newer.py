"""What slurmrestd 24.11.5 (v0.0.40 to 42) says, where it differs from 22.05: over the same cluster, as it was seen to.

A bad token is 511 and 1007 of the controller, 502 and 7000 of slurmdbd; a dead controller is 502 and 1800 at once; to
a ping both are nothing but a controller that is DOWN. An unknown key of a submit is a warning, an unknown job is 404,
and a DELETE says 200 and its trouble in `status`. Not seen: the words of a history that finds nothing.
"""

import json

from tests.lab.slurm import answers
from tests.lab.slurm import newer_view as view
from tests.lab.slurm import options
from tests.lab.slurm import submit
from tests.lab.slurm.answers import Answer
from tests.lab.slurm.answers import NEWER
from tests.lab.slurm.answers import SlurmError
from tests.lab.slurm.dbd_api import moment

VERSIONS = (40, 41, 42)
SUBMIT = "Batch job submission failed", "slurm_submit_batch_job()"
#: noun → (description, source) of a controller that says no; partitions say no word
WORDS = {
    "nodes": ("Failure to query nodes", "_dump_nodes"),
    "jobs": ("Unable to query jobs", "slurm_load_jobs()"),
    "job": ("Unable to query JobId", "_handle_job_get"),
    "job/submit": SUBMIT,
    "reservations": ("Unable to query reservations", "slurm_load_reservations()"),
}
#: what its keys are here
RENAMED = {"tres_per_node": "gres"}


def envelope(cluster, request, code: int, /, errors=(), warnings=(), **content) -> Answer:
    version = {"major": "24", "micro": "5", "minor": "11"}
    meta = {
        "plugin": {"type": "openapi/slurmctld", "name": "Slurm OpenAPI slurmctld",
                   "data_parser": f"data_parser/v0.0.{request.version}"},
        "client": {}, "command": [], "slurm": {"version": version, "release": NEWER, "cluster": cluster.name},
    }  # fmt: skip
    return Answer(code, {**content, "meta": meta, "errors": list(errors), "warnings": list(warnings)})


def said(number: int, description: str, source: str) -> dict:
    return {"description": description, "error_number": number, "error": answers.TEXT[number], "source": source}


def warned(description: str, source: str) -> dict:
    return {"description": description, "source": source}


def answer(cluster, plugin: str, noun: str, handler, request) -> Answer:
    """Answer one request to a handler of 22.05 as 24.11 does. noun: the path without its argument."""
    if plugin == "slurmdb":
        return _history(cluster, noun, handler, request)
    if noun == "ping":
        return _ping(cluster, request)
    if trouble := _trouble(cluster, noun, request):
        return trouble
    if noun == "job/submit":
        return _submit(cluster, request)
    if noun == "job":
        return _job(cluster, handler, request)
    return _list(cluster, noun, handler, request)


def _ping(cluster, request) -> Answer:
    up = request.user is not None and "ctld" not in cluster.down
    ping = {"hostname": f"{cluster.name}-mgmt", "pinged": "UP" if up else "DOWN", "responding": up, "latency": 100,
            "mode": "primary", "primary": True}  # fmt: skip
    return envelope(cluster, request, 200, pings=[ping])


def _trouble(cluster, noun: str, request) -> Answer | None:
    """Return what a bad token or a dead controller is answered with."""
    if request.user is not None and "ctld" not in cluster.down:
        return None
    status, number = (511, 1007) if request.user is None else (502, 1800)
    if noun == "job" and request.method == "DELETE":
        status, number = (status, number) if request.user is None else (500, 1)
        return envelope(cluster, request, status, [said(number, "Signal request failed", "slurm_kill_jobs()")],
                        status=[])  # fmt: skip
    if noun == "job":
        status, number = (status, number) if request.user is None else (500, -1)
    words = WORDS.get(noun)
    content = {"jobs": []} if noun in ("job", "jobs") else {}
    return envelope(cluster, request, status, [said(number, *words)] if words else [], **content)


def _list(cluster, noun: str, handler, request) -> Answer:
    request.query = {key: value for key, value in request.query.items() if key != "update_time"}
    found = handler(cluster, request)
    key = noun if noun in found.body else f"{noun}s"
    shapes = {
        "partitions": lambda row: view.partition(cluster, row["name"]),
        "nodes": lambda row: view.node(cluster, cluster.nodes[row["name"]]),
        "reservations": lambda row: view.reservation(cluster, row["name"]),
        "jobs": lambda row: view.job(cluster, cluster.jobs[row["job_id"]], request.version),
    }
    rows = [shapes.get(key, lambda row: row)(row) for row in found.body.get(key, ())]
    return envelope(cluster, request, 200, **{key: rows})


# -- one job ----------------------------------------------------------------------------------------
def _job(cluster, handler, request) -> Answer:
    if not request.argument.isdigit():
        words = "Rejecting request. Failure parsing parameters"
        return envelope(cluster, request, 422, [said(9000, words, "op_handler_job")])
    found = handler(cluster, request)
    numbers = [error["error_number"] for error in found.body["errors"]]
    if request.method == "DELETE":
        job = cluster.jobs.get(int(request.argument))
        if not numbers and job and request.over:
            numbers = [2021]
        return envelope(cluster, request, 200, status=[_status(request.argument, job, n) for n in numbers])
    if numbers:
        words = f"Unable to query JobId={request.argument}"
        return envelope(cluster, request, 404, [said(2017, words, "_handle_job_get")], jobs=[])
    row = view.job(cluster, cluster.jobs[int(request.argument)], request.version)
    return envelope(cluster, request, 200, jobs=[row])


def _status(argument: str, job, number: int) -> dict:
    text = answers.TEXT[number]
    return {"error": {"string": text, "code": number, "message": text}, "step_id": argument,
            "job_id": view.number(job.job_id if job else None), "federation": {"sibling": ""}}  # fmt: skip


# -- a submit ---------------------------------------------------------------------------------------
def _submit(cluster, request) -> Answer:
    try:
        body = json.loads(request.body)
    except ValueError:
        return answers.text(400, "Unable to parse request body")
    if not body.get("script"):
        words = 'Populated "script" field is required for job submission'
        return envelope(cluster, request, 422, [said(9000, words, "_job_post")])
    try:
        wanted, warnings = read(body["job"])
        if not wanted.get("environment"):
            raise SlurmError(2019)
        made, note = submit.make(cluster, request.user, body["script"], wanted, lenient=False)
    except options.Unreadable as unreadable:
        return envelope(cluster, request, 500, [said(9202, str(unreadable), "#/job/")])
    except SlurmError as refusal:
        return envelope(cluster, request, 500, [said(refusal.number, *SUBMIT)])
    if note == 2042:
        words = f"{answers.TEXT[note]}, pending scheduler release"
        warnings.append(warned(words, SUBMIT[1]))
    told = {"job_id": made.job_id, "step_id": "batch", "job_submit_user_msg": ""}
    older = {"result": {**told, "error_code": 0, "error": "No error"}} if request.version < 42 else {}
    return envelope(cluster, request, 200, warnings=warnings, **older, **told)


def read(fields: dict) -> tuple[dict, list[dict]]:
    """Return (values as 22.05's reader gives them, warnings about keys that nobody knows)."""
    wanted, warnings = {}, []
    for key, value in fields.items():
        if key == "gres" or (key not in RENAMED and key not in options.KEYS):
            kind = type(value).__name__.replace("str", "string").replace("dict", "dictionary")
            text = f'Ignoring unknown field "{key}" of type {kind} in DATA_PARSER_JOB_DESC_MSG'
            warnings.append(warned(text, f"#/job/{key}/"))
            continue
        if isinstance(value, dict) and "number" in value:
            if not value.get("set", True) or value.get("infinite"):
                continue
            value = value["number"]
        if key == "environment":
            value, told = _environment(value)
            warnings += told
        name = RENAMED.get(key, options.ALIASES.get(key, key))
        if name == "gres":
            value = _gres(value)
        if name in options.READERS:
            wanted[name] = options.READERS[name](value)
    return wanted, warnings


def _environment(value) -> tuple[dict, list[dict]]:
    if isinstance(value, list):
        return dict(line.partition("=")[::2] for line in value), []
    text = "Expected OpenAPI type=array (Slurm type=list) but got OpenAPI type=object (Slurm type=dictionary)"
    return value, [warned(f"{text}: {json.dumps(value)}", "#/job/environment/")]


def _gres(value: str) -> str:
    """Read ``gres/npu:x:2``; a name that is none of GresTypes is 2072."""
    parts = [part.removeprefix("gres/").removeprefix("gres:") for part in value.split(",") if part]
    if any(part.split(":")[0] not in options.KNOWN_GRES for part in parts):
        raise SlurmError(2072)
    return ",".join(parts)


# -- the history ------------------------------------------------------------------------------------
def _history(cluster, noun: str, handler, request) -> Answer:
    if request.user is None or "dbd" in cluster.down:
        words = "Failed to open slurmdbd connection" + (", authentication error" if request.user is None else "")
        return envelope(cluster, request, 502, [said(7000, words, "openapi_get_db_conn")])
    for key in ("start_time", "end_time", "submit_time"):
        if key in request.query and not moment(request.query[key]):
            words = f"Parsing of {request.query[key]} for timestamp failed"
            refusal = "Rejecting request. Failure parsing query parameters"
            told = [said(9202, words, f"#/{key}/"), said(9000, refusal, f"op_handler_{noun}")]
            return envelope(cluster, request, 422, told)
    found = handler(cluster, request)
    key = next((name for name in found.body if name not in ("meta", "errors")), noun)
    rows = found.body.get(key, [])
    if key == "jobs":
        rows = view.jobs_of(cluster, rows)
    if key in ("associations", "clusters"):
        rows = [{"associations": view.association, "clusters": view.cluster}[key](row) for row in rows]
    refused = [said(error["error_number"], error.get("description", ""), error.get("source", ""))
               for error in found.body["errors"] if error["error_number"] != 9003]  # fmt: skip
    nothing = [] if rows or refused else [warned("nothing found", noun)]
    return envelope(cluster, request, 500 if refused else 200, refused, nothing, **{key: rows})

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""job, job_info: a job of ours on a platform, found by its name before anything is submitted.

A result file beats the platform's word. An end that nobody can vouch for is never success.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ..errors import BrainError
from ..errors import Conflict
from ..errors import Corrupt
from ..errors import Invalid
from ..errors import JobFailed
from ..errors import Refused
from ..errors import Unreachable
from ..jobfile import JobInput
from ..jobfile import progress
from ..jobfile import script
from ..names import name as name_of
from ..plain import to_plain
from ..resources import JobSpec
from .dataset import put
from .look import files_of
from .look import layout_of
from .look import Look
from .look import look
from .look import look_at_all
from .patience import GONE_S
from .patience import looked_for
from .patience import of_a_run
from .patience import PATIENCE_S
from .patience import patiently
from .patience import SETTLE_S
from .verb import diff
from .verb import PLANNED
from .verb import Verb

LOG_LINES = 20

FILE = {
    "type": "dict",
    "options": {
        "source": {"type": "path", "required": True},
        "sha256": {"type": "str", "required": True},
    },
}
INPUTS = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str", "required": True},
        "path": {"type": "str", "required": True},
        "sha256": {"type": "str", "required": True},
        "folder": {"type": "bool", "default": False},
    },
}
_MARK = {
    "run": {"type": "str"},
    "component": {"type": "str"},
    "attempts": {"type": "int", "default": 1},
}
_OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_MARK,
    "pool": {"type": "str"},
    "code": FILE,
    "command": {"type": "list", "elements": "str"},
    "environment": {"type": "dict", "default": {}},
    "inputs": INPUTS,
    "outputs": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
        },
    },
    "nodes": {"type": "int", "default": 1},
    "accelerators": {"type": "int", "default": 0},
    "accelerator": {"type": "str"},
    "cpu": {"type": "int", "default": 1},
    "memory_mib": {"type": "int"},
    "wall_s": {"type": "int", "default": 3600},
    "image": {"type": "str"},
    "reservation": {"type": "str"},
    "wait": {"type": "bool", "default": True},
    "poll_s": {"type": "float", "default": 2.0},
    "start": {"type": "bool", "default": True},
    "expected": {"type": "bool", "default": False},
    **PLANNED,
}


def _present(platform, params, check, report):
    dot = platform.NAME_RULE.dot
    platform.NAME_RULE.check(name_of(params["run"], params["component"], params["attempts"], dot))
    seen = patiently(lambda: look_at_all(platform, params), report, patience_s=of_a_run(params, check))
    if seen.there and not seen.credible and not check:
        seen = _look_again(platform, params, seen.attempt, report)
    if seen.there and seen.ended and seen.state != "succeeded" and seen.attempt < params["attempts"]:
        seen = Look(seen.attempt + 1, None, None)
    _check_label(platform, params, seen.job)
    changed = not seen.there
    if changed and params["expected"]:
        raise Conflict(
            f"{params['component']} was there at the preflight, and is not shown now; nothing is submitted.",
            site=platform.site.id,
            way_out="Run the same again; if it stays so, ask the site about its jobs.",
        )
    header = f"{platform.site.id}: {params['pool']}"
    if changed and check:
        return {
            "changed": True,
            "job": None,
            "attempt": seen.attempt,
            "diff": diff(header, [], _described(platform, params, seen.attempt)),
        }
    if changed:
        if not params["start"]:
            raise Refused(
                f"{params['component']} was not started before the approval expired.",
                site=platform.site.id,
                way_out="Approve the plan again.",
            )
        seen = replace(seen, job=_submit(platform, params, seen.attempt, report))
        if seen.ended:  # found after a lost answer, so late that its result file has to be read
            seen = _look_again(platform, params, seen.attempt, report)
    elif not check:
        report("found", native_id=seen.job.id if seen.job else None, state=seen.state)
    if params["wait"] and not check:
        seen = _wait(platform, params, seen, report)
    return {
        **_shown(platform, params, seen),
        "changed": changed,
        "diff": diff(header, [], _described(platform, params, seen.attempt) if changed else []),
    }


def _label(params):
    code = (params["code"] or {}).get("sha256", "")
    return f"run={params['run']} component={params['component']} code={code[:16]}"


def _check_label(platform, params, job):
    # A missing label is no conflict: some platforms drop it from their history.
    if job and job.label and job.label != _label(params):
        raise Conflict(
            f"there is a job {job.name} ({job.id}) with the label {job.label!r}, which is not this plan's.",
            site=platform.site.id,
            way_out="Look at that job; it is not touched.",
        )


def _described(platform, params, attempt):
    name = name_of(params["run"], params["component"], attempt, platform.NAME_RULE.dot)
    what = f"{params['nodes']} node(s), {params['cpu']} core(s) each"
    if params["accelerators"]:
        what += f", {params['accelerators']} {params['accelerator']}"
    if params["reservation"]:
        what += f", in reservation {params['reservation']}"
    code = params["code"] or {}
    return [
        f"job {name}",
        f"  resources: {what}, at most {params['wall_s']} s",
        f"  code: sha256 {code.get('sha256')}",
        f"  command: {' '.join(params['command'] or [])}",
        *[f"  input {item['name']}: sha256 {item['sha256']}" for item in params["inputs"]],
    ]


def inputs_at(root, params):
    """Return the JobInputs of a verb's parameters."""
    return [JobInput(i["name"], f"{root}/{i['path']}", i["sha256"], i["folder"]) for i in params["inputs"]]


def _submit(platform, params, attempt, report):
    files = files_of(platform, params)
    layout = layout_of(platform, params, attempt)
    name = name_of(params["run"], params["component"], attempt, platform.NAME_RULE.dot)
    code = params["code"]
    if not code or not params["command"]:
        raise Invalid("a job needs `code` and `command`.", request=name)
    patiently(
        lambda: put(files, code["source"], layout.archive, sha256=code["sha256"]),
        report,
        patience_s=of_a_run(params, False),
    )
    root = files.root()
    spec = JobSpec(
        name=name,
        label=_label(params),
        pool=params["pool"],
        script=script(
            layout,
            name,
            code_sha256=code["sha256"],
            command=[word.replace("{root}", root) for word in params["command"]],
            inputs=inputs_at(root, params),
            outputs=[(item["name"], item["path"]) for item in params["outputs"]],
        ),
        workdir=layout.workdir,
        log=layout.log,
        environment={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **{key: str(value) for key, value in params["environment"].items()},
            "SWB_RUN": params["run"],
            "SWB_COMPONENT": params["component"],
        },
        nodes=params["nodes"],
        accelerators=params["accelerators"],
        accelerator=params["accelerator"],
        cpu=params["cpu"],
        memory_gib=params["memory_mib"] / 1024 if params["memory_mib"] else None,
        wall_s=params["wall_s"],
        image=params["image"],
        account=platform.account.account,
        reservation=params["reservation"],
    )
    job = _submit_once(
        platform, spec, report, lambda: report("intent", message=f"submit {name} to {spec.pool}", attempt=attempt)
    )
    report("submitted", native_id=job.id, attempt=attempt, state=job.state)
    return job


def _submit_once(platform, spec, report, intent):
    """Submit. Where no answer came, the job is looked for, and only then, if it is not there, submitted again."""
    until, pause = time.monotonic() + PATIENCE_S, 1.0
    while True:
        intent()
        try:
            return platform.submit(spec)
        except Unreachable as error:
            report("doubt", message=f"{error} Looking for {spec.name} before anything else.")
            settle = SETTLE_S if error.details.get("doubt", True) else 0
            found = looked_for(lambda why=error: patiently(lambda: platform.job(spec.name), report, why), bool, settle)
            if found:
                return found
            if time.monotonic() > until:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 15.0)


def _wait(platform, params, seen, report):
    pause = min(0.3, params["poll_s"])
    while not seen.ended:
        time.sleep(pause)
        pause = min(pause * 1.5, params["poll_s"])
        before = seen
        seen = _look_again(platform, params, before.attempt, report)
        if not seen.there:
            raise JobFailed(
                f"the job {before.job.name} ({before.job.id}) is gone, and left no result file.",
                site=platform.site.id,
                way_out=f"Ask the site about its job {before.job.id}, then run again with `retry`.",
            )
        told = _told(platform, params, seen)
        report("progress", state=seen.state, reason=seen.job.reason if seen.job else None, **told)
    _account(seen, report)
    if seen.state != "succeeded":
        raise _failure(platform, params, seen)
    return seen


def _account(seen, report):
    """Tell from when to when a job had its nodes: by its own result file, else as the platform says."""
    said = seen.result or {}
    report(
        "used",
        attempt=seen.attempt,
        started=said.get("started") or (seen.job.started if seen.job else None),
        ended=said.get("ended") or (seen.job.ended if seen.job else None),
    )


def _look_again(platform, params, attempt, report):
    """Look at a job that was there. A list cut short, or a file that comes late, is not believed at once."""
    return looked_for(lambda: patiently(lambda: look(platform, params, attempt), report), lambda s: s.credible, GONE_S)


def _told(platform, params, seen):
    if seen.state != "running":
        return {}
    try:
        lines = files_of(platform, params).tail(layout_of(platform, params, seen.attempt).log, LOG_LINES)
    except BrainError:
        return {}  # a log that cannot be read now is no reason to stop watching the job
    said = [found for found in map(progress, lines) if found]
    return {"percent": said[-1].get("percent")} if said else {}


def _failure(platform, params, seen):
    try:
        layout = layout_of(platform, params, seen.attempt)
        log = files_of(platform, params).tail(layout.log, LOG_LINES)
    except BrainError:
        log = []  # that the job failed is the news, whatever keeps its log from us
    code = seen.result["exit_code"] if seen.result else seen.job.exit_code
    reason = (seen.result or {}).get("reason") or (seen.job.reason if seen.job else None)
    native = seen.job.native_state if seen.job else None
    name = seen.job.name if seen.job else f"{params['component']}, attempt {seen.attempt},"
    if seen.result is None and seen.job.state == "succeeded":
        said = f"{native}, but it left no result file"
    else:
        said = f"exit code {code}" if code is not None else f"state {native or seen.state}"
    text = f"the job {name} ended with {said}"
    text += f" ({reason})" if reason and reason != "None" else ""
    text += ". Its last lines: " + " | ".join(log[-5:]) if log else ". There is no log of it"
    return JobFailed(
        f"{text}.",
        site=platform.site.id,
        way_out="Correct the task and propose again, or give the component `retry`.",
        details={"state": seen.state, "native_state": native, "exit_code": code, "log": log},
    )


def _shown(platform, params, seen):
    return {
        "job": to_plain(seen.job) if seen.job else None,
        "state": seen.state,
        "attempt": seen.attempt,
        "result": seen.result,
    }


def _absent(platform, params, check, report):
    seen = look_at_all(platform, params)
    running = seen.there and not seen.ended
    if running and not check:
        report("intent", message=f"cancel {seen.job.name}")
        platform.cancel(seen.job)
        _account(seen, report)
    before = [f"job {seen.job.name}: {seen.job.state}"] if running else []
    return {
        **_shown(platform, params, seen),
        "changed": running,
        "diff": diff(platform.site.id, before, []),
    }


def _run(platform, params, check, report):
    act = _absent if params["state"] == "absent" else _present
    return act(platform, params, check, report)


def _info(platform, params, check, report):
    try:
        seen = look_at_all(platform, params)
    except (Corrupt, Conflict) as error:
        raise error.at(platform.site.id) from error
    return {**_shown(platform, params, seen), "changed": False}


JOB = Verb(
    _run,
    _OPTIONS,
    {"required_if": [("planned", False, ["site", "run", "component"])]},
    writes=True,
)
JOB_INFO = Verb(
    _info,
    {
        "run": {"type": "str", "required": True},
        "component": {"type": "str", "required": True},
        "attempts": _MARK["attempts"],
    },
)

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""inference_service, inference_service_info: a model of ours that is served, found by its name before it is made.

Named ``swb-<deployment>-<component>``: it has an owner and no run, so a second task of the same deployment changes it.
Its label holds a hash of what it is made of; a name that carries another deployment's label is not ours.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time

from ..errors import BrainError
from ..errors import Conflict
from ..errors import Invalid
from ..errors import JobFailed
from ..errors import Refused
from ..errors import Timeout
from ..errors import Unreachable
from ..jobfile import Layout
from ..jobfile import service_script
from ..names import deployed
from ..plain import to_plain
from ..services import ServiceSpec
from .dataset import put
from .job import FILE
from .job import INPUTS
from .job import inputs_at
from .job import LOG_LINES
from .patience import looked_for
from .patience import of_a_run
from .patience import patiently
from .patience import SETTLE_S
from .verb import diff
from .verb import PLANNED
from .verb import Verb

POLL_S = 1.0
#: So many requests are made of a service that answers; their median is its latency.
REQUESTS = 5
_MARK = {"deployment": {"type": "str"}, "component": {"type": "str"}}
_OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_MARK,
    "pool": {"type": "str"},
    "code": FILE,
    "command": {"type": "list", "elements": "str"},
    "environment": {"type": "dict", "default": {}},
    "inputs": INPUTS,
    "replicas": {"type": "int", "default": 1},
    "port": {"type": "int", "default": 8000},
    "accelerators": {"type": "int", "default": 0},
    "accelerator": {"type": "str"},
    "cpu": {"type": "int", "default": 1},
    "memory_mib": {"type": "int"},
    "image": {"type": "str"},
    "wait": {"type": "bool", "default": True},
    "wait_s": {"type": "int", "default": 300},
    "start": {"type": "bool", "default": True},
    **PLANNED,
}
_CONTENT = "pool command environment inputs port accelerators accelerator cpu memory_mib image".split()


def name_of(params):
    """Return the name on the platform; raise Invalid where one of its parts breaks the rule."""
    return deployed(params["deployment"], params["component"])


def _owner(params):
    tenant = f"tenant={params['tenant']} " if params.get("tenant") else ""
    return f"{tenant}deployment={params['deployment']} component={params['component']}"


def _label(params):
    made_of = [params["code"]["sha256"], *(params[key] for key in _CONTENT)]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return f"{_owner(params)} content={digest[:16]}"


def _present(platform, params, check, report):
    name = platform.NAME_RULE.check(name_of(params))
    if not params["code"] or not params["command"] or not params["pool"]:
        raise Invalid("a service needs `pool`, `code` and `command`.", request=name)
    label, there = (
        _label(params),
        patiently(lambda: _ours(platform, params, name), report, None, of_a_run(params, check)),
    )
    same = there is not None and there.label in (None, label) and there.replicas == params["replicas"]
    changed = not same or there.state == "failed"
    found = there
    if there is None and not params["start"]:
        raise Refused(
            f"{params['component']} was not started before the approval expired.",
            site=platform.site.id,
            way_out="Approve the plan again.",
        )
    if changed and not check:
        report("intent", message=f"serve {name} in {params['pool']}")
        found = _serve(platform, _spec(platform, params, name, label), report)
        report("served", native_id=found.id, state=found.state)
    if params["wait"] and not check:
        found = _wait(platform, params, name, report)
    return {
        "changed": changed,
        "service": to_plain(found) if found else None,
        "latency": _latency(platform, found, report) if params["wait"] and not check else None,
        "diff": diff(f"{platform.site.id}: {params['pool']}", _described(there), _wanted(params, name, label))
        if changed
        else diff(platform.site.id, [], []),
    }


def _ours(platform, params, name):
    there = platform.inference_service(name)
    if there and there.label and not there.label.startswith(f"{_owner(params)} "):
        raise Conflict(
            f"there is a service {name} ({there.id}) with the label {there.label!r}, which is not this deployment's.",
            site=platform.site.id,
            way_out="Look at that service; it is not touched.",
        )
    return there


def _described(service):
    if service is None:
        return []
    return [f"service {service.name}", f"  {service.replicas} copies: {service.state}", f"  {service.label}"]


def _wanted(params, name, label):
    return [f"service {name}", f"  {params['replicas']} copies: running", f"  {label}"]


def _spec(platform, params, name, label):
    files = platform.files
    # By content: copies of the older one still read theirs while the new ones start.
    layout = Layout(files.root(), params["deployment"], f"{params['component']}/{label[-16:]}")
    put(files, params["code"]["source"], layout.archive, sha256=params["code"]["sha256"])
    root = files.root()
    return ServiceSpec(
        name=name,
        label=label,
        pool=params["pool"],
        script=service_script(
            layout,
            name,
            code_sha256=params["code"]["sha256"],
            command=[word.replace("{root}", root) for word in params["command"]],
            inputs=inputs_at(root, params),
        ),
        workdir=layout.workdir,
        log=layout.log,
        environment={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **{key: str(value) for key, value in params["environment"].items()},
            "SWB_PORT": str(params["port"]),
            "SWB_COMPONENT": params["component"],
        },
        replicas=params["replicas"],
        port=params["port"],
        accelerators=params["accelerators"],
        accelerator=params["accelerator"],
        cpu=params["cpu"],
        memory_gib=params["memory_mib"] / 1024 if params["memory_mib"] else None,
        image=params["image"],
    )


def _serve(platform, spec, report):
    """Make or change it, once. Where no answer came it is looked for, and that is what holds."""
    try:
        return platform.serve(spec)
    except Unreachable as error:
        report("doubt", message=f"{error} Looking for {spec.name} before anything else.")
        settle = SETTLE_S if error.details.get("doubt", True) else 0
        found = looked_for(lambda: platform.inference_service(spec.name), bool, settle)
        if found is None or found.label not in (None, spec.label):
            raise
        return found


def _wait(platform, params, name, report):
    until = time.monotonic() + params["wait_s"]
    while True:
        found = platform.inference_service(name)
        if found and found.state == "running" and found.ready == params["replicas"]:
            return found
        if found is None or found.state == "failed":
            raise JobFailed(
                f"the service {name} is {found.state if found else 'gone'}{_last_lines(platform, params)}.",
                site=platform.site.id,
                way_out="Correct it and run the same again, or end it with `state: absent`.",
            )
        report("progress", state=found.state, ready=found.ready)
        if time.monotonic() > until:
            raise Timeout(
                f"{found.ready} of {params['replicas']} copies of {name} answer after {params['wait_s']} s.",
                site=platform.site.id,
                way_out="It goes on starting; run the same again to wait on.",
            )
        time.sleep(POLL_S)


def _latency(platform, service, report):
    """Return {requests, median_ms, worst_ms, status} of real requests, or None where it has no address."""
    if not service.url:
        return None
    times = []
    for _request in range(REQUESTS):
        begun = time.perf_counter()
        answer = platform.connection.http.request("GET", service.url)
        times.append((time.perf_counter() - begun) * 1000)
    found = {
        "requests": REQUESTS,
        "median_ms": round(statistics.median(times), 1),
        "worst_ms": round(max(times), 1),
        "status": answer.status,
    }
    report("answers", url=service.url, replicas=service.ready, **found)
    return found


def _last_lines(platform, params):
    layout = Layout(platform.files.root(), params["deployment"], f"{params['component']}/{_label(params)[-16:]}")
    try:
        lines = platform.files.tail(layout.log, LOG_LINES)
    except BrainError:
        lines = []
    return f"; its last lines: {' | '.join(lines[-5:])}" if lines else ""


def _absent(platform, params, check, report):
    name = name_of(params)
    # A platform that keeps no service keeps none of ours either.
    there = _ours(platform, params, name) if platform.can("inference_service") is None else None
    if there and not check:
        report("intent", message=f"end the service {name}")
        platform.unserve(name)
    return {
        "changed": there is not None,
        "service": None,
        "latency": None,
        "diff": diff(platform.site.id, _described(there), []),
    }


def _run(platform, params, check, report):
    act = _absent if params["state"] == "absent" else _present
    return act(platform, params, check, report)


def _info(platform, params, check, report):
    found = platform.inference_service(name_of(params))
    return {"changed": False, "service": to_plain(found) if found else None}


INFERENCE_SERVICE = Verb(
    _run,
    _OPTIONS,
    {"required_if": [("planned", False, ["site", "deployment", "component"])]},
    writes=True,
)
INFERENCE_SERVICE_INFO = Verb(_info, {name: {**option, "required": True} for name, option in _MARK.items()})

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""instance, instance_info: a machine of ours, found by its name before any is asked for.

Names are not unique on a cloud, so a lost answer is followed by a look, and never by a second request at once.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ..errors import Conflict
from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..errors import Timeout
from ..errors import Unreachable
from ..names import deployed
from ..names import name as name_of
from ..plain import to_plain
from ..resources import InstanceSpec
from .patience import looked_for
from .patience import of_a_run
from .patience import PATIENCE_S
from .patience import patiently
from .patience import SETTLE_S
from .verb import diff
from .verb import Verb

_MARK = {
    "run": {"type": "str"},
    "deployment": {"type": "str"},
    "component": {"type": "str", "required": True},
}
_OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_MARK,
    "pool": {"type": "str"},
    "image": {"type": "str"},
    "native_type": {"type": "str"},
    "cpu": {"type": "int", "default": 1},
    "memory_mib": {"type": "int"},
    "accelerators": {"type": "int", "default": 0},
    "networks": {"type": "list", "elements": "str", "default": []},
    "user_data": {"type": "str"},
    "wait": {"type": "bool", "default": True},
    "timeout_s": {"type": "int", "default": 600},
    "poll_s": {"type": "float", "default": 2.0},
}
_RULES = {"mutually_exclusive": [("run", "deployment")], "required_one_of": [("run", "deployment")]}
_WELL = ("running", "stopped", "suspended")


def _name(platform, params):
    named = deployed if params["deployment"] else name_of
    return platform.NAME_RULE.check(named(params["deployment"] or params["run"], params["component"]))


def _label(platform, params):
    label = {
        "swb_run": params["run"],
        "swb_deployment": params["deployment"],
        "swb_component": params["component"],
        "swb_tenant": platform.connection.tenant,
    }
    return {key: value for key, value in label.items() if value}


def _present(platform, params, check, report):
    spec = _spec(platform, params)
    found = patiently(lambda: platform.instance(spec.name), report, patience_s=of_a_run(params, check))
    if found:
        _check_label(platform, spec, found)
    changed = found is None
    header = f"{platform.site.id}: {spec.pool}"
    if changed and not check:
        found = _create_once(platform, spec, report)
        report("submitted", native_id=found.id, state=found.state)
    if found and params["wait"] and not check:
        found = _wait(platform, params, found, report)
    if found and not found.pool:
        found = replace(found, pool=spec.pool)
    return {
        "changed": changed,
        "instance": to_plain(found) if found else None,
        "diff": diff(header, [], _described(spec) if changed else []),
    }


def _spec(platform, params):
    for needed in ("pool", "image"):
        if not params[needed]:
            raise Invalid(f"an instance needs `{needed}`.", site=platform.site.id)
    return InstanceSpec(
        name=_name(platform, params),
        label=_label(platform, params),
        pool=params["pool"],
        image=params["image"],
        native_type=params["native_type"],
        cpu=params["cpu"],
        memory_gib=params["memory_mib"] / 1024 if params["memory_mib"] else None,
        accelerators=params["accelerators"],
        networks=tuple(params["networks"]),
        user_data=params["user_data"],
    )


def _described(spec):
    size = spec.native_type or f"{spec.cpu} vCPU, {spec.memory_gib or 0:g} GiB, {spec.accelerators} card(s)"
    networks = ", ".join(spec.networks) or "the project's own"
    return [f"instance {spec.name}", f"  size: {size}", f"  image: {spec.image}", f"  networks: {networks}"]


def _check_label(platform, spec, found):
    theirs = {key: value for key, value in found.label.items() if key.startswith("swb_")}
    if platform.KEEPS_LABEL and theirs != spec.label:
        raise Conflict(
            f"there is a machine {found.name} ({found.id}) with the marks {theirs or 'of nobody'}, which is not ours.",
            site=platform.site.id,
            way_out="Look at that machine; it is not touched.",
        )


def _create_once(platform, spec, report):
    """Ask for it. Where no answer came, it is looked for, and only then, if it is not there, asked for again."""
    until, pause = time.monotonic() + PATIENCE_S, 1.0
    while True:
        report("intent", message=f"create {spec.name} in {spec.pool}")
        try:
            return platform.create_instance(spec)
        except Unreachable as error:
            report("doubt", message=f"{error} Looking for {spec.name} before anything else.")
            settle = SETTLE_S if error.details.get("doubt", True) else 0
            found = looked_for(
                lambda why=error: patiently(lambda: platform.instance(spec.name), report, why), bool, settle
            )
            if found:
                return found
            if time.monotonic() > until:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 15.0)


def _wait(platform, params, found, report):
    until, pause = time.monotonic() + params["timeout_s"], min(0.3, params["poll_s"])
    while found.state not in _WELL:
        if found.state == "failed":
            raise Refused(
                f"the machine {found.name} ({found.id}) ended in {found.native_state}: {found.reason or 'no reason'}.",
                site=platform.site.id,
                way_out="Remove it with state: absent, for it still holds quota; then ask for less or another pool.",
            )
        if time.monotonic() > until:
            raise Timeout(
                f"the machine {found.name} ({found.id}) is still {found.native_state} after {params['timeout_s']} s.",
                site=platform.site.id,
                way_out="Remove it with state: absent; a service that died meanwhile never picks it up again.",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, params["poll_s"])
        name, last = found.name, found
        found = patiently(lambda name=name: platform.instance(name), report)
        if found is None:
            raise NotFound(
                f"the machine {last.name} ({last.id}) is gone.", site=platform.site.id, way_out="Run the same again."
            )
        report("progress", state=found.state, reason=found.reason)
    return found


def _absent(platform, params, check, report):
    name = _name(platform, params)
    found = patiently(lambda: platform.instance(name), report, patience_s=of_a_run(params, check))
    if found:
        _check_label(platform, InstanceSpec(name, _label(platform, params), "", ""), found)
    if found and not check:
        report("intent", message=f"delete {name}")
        platform.delete_instance(found)
        if params["wait"]:
            _wait_gone(platform, params, found, report)
    before = [f"instance {name} ({found.id}): {found.state}"] if found else []
    return {"changed": bool(found), "instance": None, "diff": diff(platform.site.id, before, [])}


def _wait_gone(platform, params, found, report):
    left = looked_for(
        lambda: patiently(lambda: platform.instance(found.name), report), lambda one: one is None, params["timeout_s"]
    )
    if left:
        raise Timeout(
            f"the machine {found.name} ({found.id}) is still there, as {left.native_state}.",
            site=platform.site.id,
            way_out="Run the same again; if it stays, ask the site.",
        )


def _run(platform, params, check, report):
    act = _absent if params["state"] == "absent" else _present
    return act(platform, params, check, report)


def _info(platform, params, check, report):
    found = platform.instance(_name(platform, params))
    return {"changed": False, "instance": to_plain(found) if found else None}


INSTANCE = Verb(_run, _OPTIONS, _RULES, writes=True)
INSTANCE_INFO = Verb(_info, _MARK, _RULES)

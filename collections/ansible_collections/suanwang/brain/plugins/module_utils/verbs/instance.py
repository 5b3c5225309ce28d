# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""instance, instance_info: a machine of ours, found by its name before any is asked for.

Names are not unique on a cloud, so a lost answer is followed by a look, and never by a second request at once.
What lets others reach it is made before it and brought up to date in place; it is removed with it.
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
from ..machines.login import Access
from ..machines.login import reach
from ..names import deployed
from ..names import name as name_of
from ..plain import to_plain
from ..resources import InstanceSpec
from .patience import FIRST_PAUSE_S
from .patience import looked_for
from .patience import of_a_run
from .patience import PATIENCE_S
from .patience import patiently
from .patience import SETTLE_S
from .verb import diff
from .verb import PLANNED
from .verb import Verb

_MARK = {
    "run": {"type": "str"},
    "deployment": {"type": "str"},
    "component": {"type": "str"},
    "number": {"type": "int", "default": 1},
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
    "ports": {"type": "list", "elements": "int"},
    "login": {"type": "bool", "default": False},
    "beyond": {"type": "bool", "default": False},
    "replace": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "timeout_s": {"type": "int", "default": 600},
    "poll_s": {"type": "float", "default": 2.0},
    **PLANNED,
}
_RULES = {
    "mutually_exclusive": [("run", "deployment"), ("user_data", "login")],
    "required_if": [
        ("planned", False, ("site", "component")),
        ("planned", False, ("run", "deployment"), True),
        ("beyond", True, ("deployment",)),
    ],
}
_INFO_RULES = {"mutually_exclusive": [("run", "deployment")], "required_one_of": [("run", "deployment")]}
_WELL = ("running", "stopped", "suspended")


def _group(platform, params):
    """Return the name of what machines of one component share, which is that of the first."""
    named = deployed if params["deployment"] else name_of
    return platform.NAME_RULE.check(named(params["deployment"] or params["run"], params["component"]))


def _name(platform, params):
    group = _group(platform, params)
    if params["number"] < 1:
        raise Invalid(f"`number` is {params['number']}, and has to be 1 at least.", details={"field": "number"})
    return group if params["number"] == 1 else platform.NAME_RULE.check(f"{group}-{params['number']}")


#: Marks of a machine that say what it is made of; all others say whose it is.
_MADE_OF = ("swb_size", "swb_image")


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
    patience_s = of_a_run(params, check)
    there = patiently(lambda: platform.instance(spec.name), report, patience_s=patience_s)
    gone = []
    if there:
        _check_label(platform, spec, there)
        there, gone = _make_way(platform, params, spec, there, check, report)
    now = (
        patiently(lambda: platform.access(spec.name, spec.group), report, patience_s=patience_s) if spec.group else None
    )
    opens = spec.group is not None and (now is None or bool(now.missing) or now.ports != spec.ports)
    found = there
    if opens and not check:
        _open(platform, spec, report)
    if there is None and not check:
        found = _create_once(platform, spec, report)
        report("made", native_id=found.id, state=found.state)
    if found and params["wait"] and not check:
        found = _wait(platform, params, found, report)
    if found and not found.pool:
        found = replace(found, pool=spec.pool)
    before = _described(platform, spec, now.ports if now else ()) if there else gone
    return {
        "changed": there is None or opens,
        "instance": to_plain(found) if found else None,
        "endpoints": _endpoints(found, spec.ports),
        "diff": diff(f"{platform.site.id}: {spec.pool}", before, _described(platform, spec, spec.ports)),
    }


def _spec(platform, params):
    for needed in ("pool", "image"):
        if not params[needed]:
            raise Invalid(f"an instance needs `{needed}`.", site=platform.site.id)
    for number in params["ports"] or ():
        if not 1 <= number <= 65535:
            raise Invalid(f"there is no TCP port {number}.", way_out="Take 1 to 65535.", details={"field": "ports"})
    name = _name(platform, params)
    user_data = params["user_data"]
    if params["login"]:
        user_data = Access(platform.connection).user_data(name, rights=bool(params["deployment"]))
    return InstanceSpec(
        name=name,
        label={**_label(platform, params), "swb_size": _size(params), "swb_image": params["image"][:255]},
        pool=params["pool"],
        image=params["image"],
        native_type=params["native_type"],
        cpu=params["cpu"],
        memory_gib=params["memory_mib"] / 1024 if params["memory_mib"] else None,
        accelerators=params["accelerators"],
        networks=tuple(params["networks"]),
        user_data=user_data,
        ports=tuple(sorted(set(params["ports"] or ()))),
        group=None if params["ports"] is None else _group(platform, params),
    )


def _size(params):
    memory_gib = (params["memory_mib"] or 0) / 1024
    return params["native_type"] or f"{params['cpu']} vCPU, {memory_gib:g} GiB, {params['accelerators']} card(s)"


def _described(platform, spec, ports):
    size = spec.label["swb_size"]
    networks = ", ".join(spec.networks) or "the project's own"
    lines = [f"instance {spec.name}", f"  size: {size}", f"  image: {spec.image}", f"  networks: {networks}"]
    if spec.group:
        external = platform.endpoint.machines.get("external")
        lines.append(f"  floating address: {f'one of {external}' if external else 'none'}")
        lines += [f"  open to all: TCP {number}, by rule of security group {spec.group}" for number in ports]
    return lines


def _endpoints(found, ports):
    """Return where each open port of a machine is, inside its network and from here; nothing of what is not known."""
    rows = []
    for number in ports if found and found.addresses else ():
        outside = reach(found, number)
        if outside:
            inside = {"address": found.addresses[0].private, "port": number}
            rows.append(
                {"port": number, "private": inside, "public": dict(zip(("address", "port"), outside, strict=True))}
            )
    return rows


def _check_label(platform, spec, found):
    theirs = _owner(found.label)
    if platform.KEEPS_LABEL and theirs != _owner(spec.label):
        raise Conflict(
            f"there is a machine {found.name} ({found.id}) with the marks {theirs or 'of nobody'}, which is not ours.",
            site=platform.site.id,
            way_out="Look at that machine; it is not touched.",
        )


def _owner(label):
    return {key: value for key, value in label.items() if key.startswith("swb_") and key not in _MADE_OF}


def _differs(spec, found):
    """Return lines of what a machine has otherwise than it is asked for; of what it does not say, nothing."""
    names = [name for name in _MADE_OF if found.label.get(name) not in (None, spec.label[name])]
    return [f"  {name.removeprefix('swb_')}: {found.label[name]}" for name in names]


def _make_way(platform, params, spec, there, check, report):
    """Remove a machine of another size or image, so that it is made anew: nothing of either changes in place."""
    other = _differs(spec, there)
    if not other:
        return there, []
    if not params["replace"]:
        raise Conflict(
            f"the machine {there.name} ({there.id}) is of another make than asked for:"
            f" {', '.join(line.strip() for line in other)}.",
            site=platform.site.id,
            way_out="Set `replace`, in a plan the deletion `changed`; or release it first.",
        )
    lines = _remove(platform, params, check, report)
    return None, [*lines, *other]


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


def _open(platform, spec, report):
    """Bring what reaches it up to date. Where no answer came, what is there is looked for before more is made."""
    until = time.monotonic() + PATIENCE_S
    while True:
        report("intent", message=f"open TCP {', '.join(map(str, spec.ports)) or 'nothing'} to {spec.name}")
        try:
            return platform.set_access(spec)
        except Unreachable as error:
            if time.monotonic() > until:
                raise
            report("doubt", message=f"{error} Looking for what was made before anything else.")
            time.sleep(SETTLE_S if error.details.get("doubt", True) else FIRST_PAUSE_S)


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
    changed, before = False, []
    for number in reversed(_numbers(platform, params, check, report)):
        one = {**params, "number": number}
        lines = _remove(platform, one, check, report)
        changed, before = changed or bool(lines), [*lines, *before]
    return {"changed": changed, "instance": None, "endpoints": [], "diff": diff(platform.site.id, before, [])}


def _numbers(platform, params, check, report):
    """Return which of a component's machines are meant: they are numbered without a gap, and removed from the end."""
    numbers = [params["number"]]
    while params["beyond"] and any(_there({**params, "number": numbers[-1]}, platform, check, report)):
        numbers.append(numbers[-1] + 1)
    return numbers


def _there(params, platform, check, report):
    """Return (Instance or None, Access or None): what carries the name, and what of it is not only others'."""
    name, group, patience_s = _name(platform, params), _group(platform, params), of_a_run(params, check)
    found = patiently(lambda: platform.instance(name), report, patience_s=patience_s)
    access = patiently(lambda: platform.access(name, group), report, patience_s=patience_s)
    shared = access and "the port" in access.missing and params["number"] > 1
    return found, None if shared else access


def _remove(platform, params, check, report):
    """Remove one machine and what reaches it; return what was there, as lines."""
    name, group = _name(platform, params), _group(platform, params)
    found, access = _there(params, platform, check, report)
    if found:
        _check_label(platform, InstanceSpec(name, _label(platform, params), "", ""), found)
    if not check and (found or access):
        report("intent", message=f"delete {name}")
    if found and not check:
        platform.delete_instance(found)
        if params["wait"]:
            _wait_gone(platform, params, found, report)
    if access and not check:
        patiently(lambda: platform.remove_access(name, group), report, patience_s=of_a_run(params, check))
    lines = [f"instance {name} ({found.id}): {found.state}"] if found else []
    if access:
        floating = [f"  floating address {access.floating}"] if access.floating else []
        lines += [f"  reached at TCP {', '.join(map(str, access.ports)) or 'nothing'}", *floating]
    return lines


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
INSTANCE_INFO = Verb(_info, {**_MARK, "component": {"type": "str", "required": True}}, _INFO_RULES)

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""reservation, reservation_info: whole nodes held for a component of ours, found by name before any are asked for.

The name is the mark, and a platform keeps it once, so a repeated request makes no second one.
"""

from __future__ import annotations

from datetime import datetime
from datetime import UTC

from ..errors import Conflict
from ..errors import Invalid
from ..errors import Refused
from ..errors import Unreachable
from ..errors import Unsupported
from ..names import name as name_of
from ..plain import to_plain
from ..resources import ReservationSpec
from .patience import looked_for
from .patience import of_a_run
from .patience import patiently
from .verb import diff
from .verb import PLANNED
from .verb import Verb

#: How long a reservation that is still in use is asked back: its jobs take a while to end once they are cancelled.
IN_USE_S = 45
#: A platform that counts minutes rounds a duration up.
ROUNDED_S = 60

_MARK = {"run": {"type": "str"}, "component": {"type": "str"}}
_OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_MARK,
    "pool": {"type": "str"},
    "nodes": {"type": "int", "default": 1},
    "duration_s": {"type": "int", "default": 3600},
    "start": {"type": "str"},
    "least_s": {"type": "int"},
    **PLANNED,
}


def _present(platform, params, check, report):
    spec = _spec(params)
    try:
        found = _look(platform, spec.name, report, of_a_run(params, check))
    except Unsupported as error:
        if not params["planned"]:
            raise
        # What cannot be held is started together all the same, and ended if it does not start.
        report("unheld", message=str(error))
        return {"changed": False, "reservation": None, "diff": diff(platform.site.id, [], [])}
    if found is not None and params["least_s"] and _left_s(found) < params["least_s"]:
        found = _spent(platform, found, check, report)
    changed = found is None
    if changed and not check:
        report("intent", message=f"reserve {spec.nodes} node(s) of {spec.pool} as {spec.name}")
        found = _reserve(platform, spec, report)
        report("reserved", native_id=spec.name, start=found.start, end=found.end, nodes=found.hosts)
    if found is not None:
        _check(platform, spec, found)
    return {
        "changed": changed,
        "reservation": to_plain(found) if found else None,
        "diff": diff(f"{platform.site.id}: {spec.pool}", [], _described(spec) if changed else []),
    }


def _left_s(found):
    return (_time(found.end) - datetime.now(UTC).replace(tzinfo=None)).total_seconds()


def _spent(platform, found, check, report):
    """Give back a reservation that would end before its job does. Return None: there is none any more."""
    if not check:
        report("intent", message=f"give the reservation {found.name} back: it ends at {found.end}, too early")
        if refused := _release(platform, found.name):
            raise refused
    return None


def _spec(params):
    if not params["pool"]:
        raise Invalid("a reservation needs `pool`.")
    for number in ("nodes", "duration_s"):
        if params[number] < 1:
            raise Invalid(f"`{number}` is {params[number]}, and has to be 1 at least.", details={"field": number})
    try:
        if params["start"] is not None:
            datetime.strptime(params["start"], "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        said = f"`start` is {params['start']!r}, and has to be a time in UTC like 2026-11-25T03:26:58Z."
        raise Invalid(said, details={"field": "start"}) from None
    return ReservationSpec(
        name=name_of(params["run"], params["component"]),
        pool=params["pool"],
        nodes=params["nodes"],
        duration_s=params["duration_s"],
        start=params["start"],
        label=f"run={params['run']} component={params['component']}",
    )


def _described(spec):
    when = f"from {spec.start or 'now'} for {spec.duration_s} s"
    return [f"reservation {spec.name}", f"  {spec.nodes} whole node(s), {when}"]


def _look(platform, name, report, patience_s):
    return patiently(lambda: platform.reservation(name), report, patience_s=patience_s)


def _reserve(platform, spec, report):
    """Reserve. Where it may have been made already it is read back, and asked for again only if it is not there."""
    try:
        return platform.reserve(spec)
    except (Conflict, Unreachable) as error:
        report("doubt", message=f"{error} Looking for {spec.name} before anything else.")
        found = _look(platform, spec.name, report, None)
        if found is None and isinstance(error, Conflict):
            raise
    return found or platform.reserve(spec)


def _check(platform, spec, found):
    """Raise where what is there under our name is not what is asked for."""
    length = (_time(found.end) - _time(found.start)).total_seconds()
    differs = [
        f"{what} {there}, not {asked}"
        for what, there, asked, same in (
            ("pool", found.pool, spec.pool, (found.pool or "").rpartition("/")[2] == spec.pool.rpartition("/")[2]),
            ("nodes", found.nodes, spec.nodes, found.nodes == spec.nodes),
            ("seconds", int(length), spec.duration_s, 0 <= length - spec.duration_s < ROUNDED_S),
            ("start", found.start, spec.start, spec.start in (None, found.start)),
            ("label", found.label, spec.label, found.label in (None, spec.label)),
            ("user", ", ".join(found.users), platform.account.user, platform.account.user in found.users),
        )
        if not same
    ]
    if differs:
        raise Conflict(
            f"there is a reservation {spec.name} with other facts than asked for: {'; '.join(differs)}.",
            site=platform.site.id,
            way_out="Look at it, and give it back with state: absent if it is yours.",
        )
    if found.state == "ended":
        raise Refused(
            f"the reservation {spec.name} ended at {found.end}.",
            site=platform.site.id,
            way_out="Propose again: a new run has a new reservation.",
        )


def _time(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def _absent(platform, params, check, report):
    name = name_of(params["run"], params["component"])
    patience_s = of_a_run(params, check)
    # A platform that holds nothing for anybody holds nothing of ours either.
    found = _look(platform, name, report, patience_s) if platform.can("reservation") is None else None
    if found and not check:
        report("intent", message=f"give the reservation {name} back")
        refused = looked_for(
            lambda: patiently(lambda: _release(platform, name), report, patience_s=patience_s),
            lambda why: why is None,
            IN_USE_S if params["planned"] else 0,
        )
        if refused:
            raise refused
    before = [f"reservation {name}: {found.hosts or found.nodes}, {found.state}"] if found else []
    return {"changed": bool(found), "reservation": None, "diff": diff(platform.site.id, before, [])}


def _release(platform, name):
    """Return None, or the refusal of one that is still in use."""
    try:
        platform.release(name)
    except Refused as error:
        if not error.details.get("in_use"):
            raise
        return error
    return None


def _run(platform, params, check, report):
    act = _absent if params["state"] == "absent" else _present
    return act(platform, params, check, report)


def _info(platform, params, check, report):
    found = platform.reservation(name_of(params["run"], params["component"]))
    return {"changed": False, "reservation": to_plain(found) if found else None}


RESERVATION = Verb(
    _run,
    _OPTIONS,
    {"required_if": [("planned", False, ["site", "run", "component"])]},
    writes=True,
)
RESERVATION_INFO = Verb(
    _info, {"run": {"type": "str", "required": True}, "component": {"type": "str", "required": True}}
)

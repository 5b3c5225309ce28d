# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a platform, as its profile's fields read them → our records; a job of ours → the words of a submit."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from datetime import datetime
from datetime import timedelta
from datetime import UTC

from .. import names
from .. import nodefacts
from ..nodefacts import utc
from ..resources import Accelerator
from ..resources import Alarm
from ..resources import Job
from ..resources import JOB_ENDED
from ..resources import JobSpec
from ..resources import Quota
from ..resources import Seen
from ..services import Service
from .language import epoch
from .language import number

ARCH = {"arm64": "aarch64", "aarch64": "aarch64", "amd64": "x86_64", "x86_64": "x86_64", "x86": "x86_64"}


class Reader:
    """Reads rows by one profile. site, endpoint: records of sites.py; platform: the name of the platform."""

    def __init__(self, profile, site, endpoint, platform):
        self.profile = profile
        self.site = site
        self.place = f"{site.id}/{endpoint.id}"
        self.platform = platform

    def pool_id(self, name):
        return f"{self.place}/{name}"

    def at(self, value):
        return epoch(value, self.profile["time"])

    def newest(self, rows):
        return max(rows, key=lambda row: self.at(row.get("submitted")) or 0, default=None)

    def job(self, row):
        native = None if row["state"] is None else str(row["state"])
        state, code = self.profile["states"].get(native, "unknown"), number(row.get("exit_code"))
        if state == "ended":
            # A word for the end that does not say how: without an exit code nobody vouches for it.
            state = "succeeded" if code == 0 else "failed"
        return Job(
            id=str(row["id"]),
            name=row["name"],
            state=state,
            native_state=native,
            reason=row.get("reason") or None,
            exit_code=code if state in ("succeeded", "failed") else None,
            pool=self.pool_id(row["pool"]) if row.get("pool") else None,
            label=row.get("label") or None,
            submitted=utc(self.at(row.get("submitted"))),
            started=None if state == "queued" else utc(self.at(row.get("started"))),
            ended=utc(self.at(row.get("ended"))) if state in JOB_ENDED else None,
            nodes=row.get("hosts") or None,
        )

    def service(self, row, foreign_url):
        """Return a Service. foreign_url: makes an address out of an answer one that we may open."""
        native = None if row["state"] is None else str(row["state"])
        return Service(
            id=str(row["id"]),
            name=row["name"],
            state=self.profile.get("service_states", {}).get(native, "unknown"),
            native_state=native,
            reason=row.get("reason") or None,
            replicas=number(row.get("replicas")),
            ready=number(row.get("ready")),
            url=foreign_url(row["url"]) if row.get("url") else None,
            pool=self.pool_id(row["pool"]) if row.get("pool") else None,
            label=row.get("label") or None,
        )

    def load(self, row):
        started, limit = self.at(row.get("started")), seconds(row, "limit")
        size = [number(row.get(what), default) for what, default in (("accelerators", 0), ("cpu", 0), ("nodes", 1))]
        return nodefacts.Load(self.job(row), *size, end=started + limit if started and limit else None)

    def node(self, row):
        """Return (Node, names of its pools)."""
        native, cards = row.get("accelerator"), number(row.get("accelerators"), 0)
        cpu, memory = number(row["cpu"]), mib(row, "memory")
        left = _left(cards, row.get("free_accelerators"), row.get("used_accelerators"))
        carries = native and cards
        node = nodefacts.Node(
            name=row["name"],
            works=row["works"] is True,
            arch=ARCH.get(str(row.get("arch")).lower(), row.get("arch")),
            cpu=cpu,
            idle_cpu=_left(cpu, row.get("free_cpu"), row.get("used_cpu")),
            memory_mib=memory,
            free_memory_mib=_left(memory, mib(row, "free_memory"), mib(row, "used_memory")),
            cards={native: cards} if carries else {},
            used={native: cards - left} if carries else {},
        )
        return node, row["pools"] if isinstance(row["pools"], list) else [row["pools"]]

    def alarm(self, row):
        """Return (Alarm, name of the node or pool that it is about, or None)."""
        place, words = row.get("place"), str(row["name"])
        alarm = Alarm(
            id=f"{self.place}/{row['id']}",
            name=f"{place}: {words}" if place else words,
            severity=self.profile.get("severities", {}).get(str(row["severity"]), "warning"),
            since=utc(self.at(row.get("since"))),
            source=self.platform,
        )
        return alarm, place or None

    def quota(self, row, tenant):
        """Return a Quota. A negative limit is how platforms write "none"."""
        limit = number(row["limit"])
        resource = self.profile.get("resources", {}).get(row["resource"], row["resource"])
        if resource.startswith(tuple(self.profile.get("accelerator_kinds", ()))):
            resource = "accelerators"
        limit = None if limit is not None and limit < 0 else limit
        return Quota(resource, limit, number(row.get("used")), tenant, row.get("user"))

    def seen(self, row, count, missed, now):
        announced, missed = number(row.get("nodes")), list(missed)
        if announced is not None and announced != count:
            missed.append(f"{count} of {announced} nodes were listed")
        why = "; ".join(missed) or None
        return Seen(at=utc(now), source=self.platform, state="partial" if why else "live", error=why)

    def model(self, native):
        return self.site.accelerators.get(native) or native.rpartition("/")[2].lower()

    def accelerator(self, native, count):
        if native is None:
            return None
        kinds = self.profile.get("accelerator_kinds", {})
        kind = next((kind for start, kind in kinds.items() if native.startswith(start)), "unknown")
        return Accelerator(kind, self.model(native), native, count=count)


def queue(row, facts):
    """Lay the platform's own counts over those of the jobs that we may see: its own are of everybody."""
    running, pending, found = number(row.get("running")), number(row.get("pending")), facts["queue"]
    found = replace(
        found,
        running=found.running if running is None else running,
        pending=found.pending if pending is None else pending,
    )
    return {**facts, "queue": replace(found, wait_s=None) if found.pending else found}


def seconds(row, what):
    """Return a length of theirs in seconds: the field with _s or with _min."""
    whole, minutes = number(row.get(f"{what}_s")), number(row.get(f"{what}_min"))
    return whole if whole is not None else minutes * 60 if minutes is not None else None


def mib(row, what):
    """Return a size of theirs in MiB: the field with _mib or with _gib."""
    small, big = number(row.get(f"{what}_mib")), number(row.get(f"{what}_gib"))
    return int(small) if small is not None else int(big * 1024) if big is not None else None


def _left(whole, free, used):
    """Return what is free of a whole, from whichever of the two numbers a platform gives; none known: nothing."""
    free, used = number(free), number(used)
    left = free if free is not None else whole - used if used is not None else 0
    return max(0, min(whole, left))


def since(name):
    """Return where to begin in a history, in epoch seconds: when the run in the name was minted, less a day."""
    mark = names.parse(name)
    at = names.minted(mark.run) - timedelta(days=1) if mark else datetime.now(UTC) - timedelta(days=30)
    return at.timestamp()


def words_of(spec, pool, native):
    """Return the words that a submit may hold. memory is per node, wall_min and memory_gib are rounded up."""
    # A service has no end, and its copies lie on one node each.
    nodes, wall_s = (spec.nodes, spec.wall_s) if isinstance(spec, JobSpec) else (1, 0)
    hours, rest = divmod(wall_s, 3600)
    return {
        "name": spec.name,
        "label": spec.label,
        "pool": pool,
        "script": spec.script,
        "whole_script": whole_script(spec, ">" if isinstance(spec, JobSpec) else ">>"),
        "workdir": spec.workdir,
        "log": spec.log,
        "environment": dict(spec.environment),
        "environment_list": [{"name": key, "value": value} for key, value in spec.environment.items()],
        "nodes": nodes,
        "cpu": spec.cpu,
        "cpu_total": spec.cpu * nodes,
        "accelerators": spec.accelerators or None,
        "node_accelerators": math.ceil(spec.accelerators / nodes) or None,
        "accelerator": native,
        "memory_mib": math.ceil(spec.memory_gib * 1024) if spec.memory_gib else None,
        "memory_gib": math.ceil(spec.memory_gib) if spec.memory_gib else None,
        "wall_s": wall_s,
        "wall_min": math.ceil(wall_s / 60),
        "image": spec.image,
        "wall_clock": f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}",
    }


def whole_script(spec, onto=">"):
    """Return a script that sets its environment and writes its log itself, for platforms that take neither.

    onto: how it writes the log; copies of a service share one.
    """
    first, _break, rest = spec.script.partition("\n")
    lines = [f"export {key}={shlex.quote(value)}" for key, value in spec.environment.items()]
    start = [f"exec {onto} {shlex.quote(spec.log)} 2>&1", f"cd {shlex.quote(spec.workdir)} || exit 96"]
    return "\n".join([first, *lines, *start, rest])

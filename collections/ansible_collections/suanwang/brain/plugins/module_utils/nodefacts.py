# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic that is the same for every scheduler: what a pool has, and what of it is free."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from datetime import datetime
from datetime import UTC

from . import names
from .resources import Busy
from .resources import Capacity
from .resources import Job
from .resources import JOB_ENDED
from .resources import Ours
from .resources import Queue
from .resources import Shape
from .resources import Usage
from .resources import Window

NAMES_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class Node:
    """A machine as its scheduler sees it. cards, used: native accelerator name → count.

    idle_cpu, used and free_memory_mib are what the scheduler has not given away, not what is
    measured.
    """

    name: str
    works: bool
    arch: str | None
    cpu: int
    idle_cpu: int
    memory_mib: int
    free_memory_mib: int
    cards: dict[str, int]
    used: dict[str, int]

    def free_cards(self, native):
        return max(0, self.cards.get(native, 0) - self.used.get(native, 0))


@dataclasses.dataclass(frozen=True)
class Load:
    """A Job with what it takes: accelerators, cpu, nodes. end: expected, in epoch seconds."""

    job: Job
    accelerators: int
    cpu: int
    nodes: int
    end: int | None = None

    @property
    def size(self):
        return self.accelerators, self.cpu, self.nodes


def utc(epoch):
    """Return an epoch second as RFC 3339 text; None and 0 are unknown."""
    if not epoch or epoch < 0:
        return None
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def accelerator(nodes):
    """Return the native name of the accelerator that most cards of the nodes are, or None."""
    counts = Counter()
    for node in nodes:
        counts.update(node.cards)
    return counts.most_common(1)[0][0] if counts else None


def capacity_facts(nodes, native, reserved=frozenset()):
    """Return Pool's fields arch, capacity, free, node, free_shapes and usage, as a dict.

    Nodes that do not work are capacity but not free; so are those that others have reserved now.
    """
    free = [node for node in nodes if node.works and node.name not in reserved]
    shapes = Counter((node.free_cards(native), node.idle_cpu) for node in free if node.idle_cpu > 0)
    biggest = max(nodes, key=lambda n: (n.cards.get(native, 0), n.cpu, n.memory_mib), default=None)
    arches = {node.arch for node in nodes}
    whole = _sum(nodes, "cpu", "memory_mib", lambda n: n.cards.get(native, 0))
    return {
        "arch": arches.pop() if len(arches) == 1 else None,
        "capacity": Capacity(len(nodes), *whole),
        "free": Capacity(
            sum(node.idle_cpu == node.cpu for node in free),
            *_sum(free, "idle_cpu", "free_memory_mib", lambda n: n.free_cards(native)),
        ),
        "node": _sole(biggest, native) if biggest else Capacity(),
        "free_shapes": tuple(
            Shape(accelerators=cards, nodes=count, cpu=cpu)
            for (cards, cpu), count in sorted(shapes.items(), reverse=True)
        ),
        "usage": Usage(
            _percent(sum(n.used.get(native, 0) for n in nodes), whole[2]),
            _percent(sum(n.cpu - n.idle_cpu for n in nodes), whole[0]),
            _percent(sum(n.memory_mib - n.free_memory_mib for n in nodes) / 1024, whole[1]),
            basis="allocated",
        ),
    }


def queue_facts(loads, facts, now):
    """Return Pool's fields queue, running_until and ours, as a dict.

    loads: of the pool, of everybody. facts: what capacity_facts returned. What one more job waits
    is 0 where something is free and nobody waits, else the first expected end; None where others
    wait.
    """
    pending = sum(load.job.state == "queued" for load in loads)
    running = [load for load in loads if load.job.state != "queued" and load.job.state not in JOB_ENDED]
    ends = sorted((load for load in running if load.end and load.end > now), key=lambda load: load.end)
    without_cards = not facts["capacity"].accelerators
    room = any(shape.accelerators or without_cards for shape in facts["free_shapes"])
    wait_s = None if pending else 0 if room else int(ends[0].end - now) if ends else None
    return {
        "queue": Queue(len(running), pending, wait_s),
        "running_until": tuple(Busy(utc(load.end), *load.size) for load in ends),
        "ours": tuple(
            Ours(mark.run, mark.component, load.job.state, *load.size)
            for load in loads
            if load.job.state not in JOB_ENDED and (mark := names.parse(load.job.name))
        ),
    }


def windows(reservations, hosts):
    """Return Windows of the reservations that are not ours, over some hosts.

    reservations: (name, start, end, host names), times in epoch seconds.
    """
    mine = set(hosts)
    return tuple(
        Window(utc(start), utc(end), f"reservation {name}", len(mine & set(there)))
        for name, start, end, there in reservations
        if mine & set(there) and not name.startswith(names.PREFIX)
    )


def domains(members, place):
    """Return name → capacity domain of sets of hosts; sets that share a host share a domain.

    members: name → host names. place: what a domain's id begins with.
    """
    groups = []
    for name, hosts in members.items():
        hosts, joined = set(hosts), {name}
        for group in [one for one in groups if one[0] & hosts]:
            groups.remove(group)
            hosts, joined = hosts | group[0], joined | group[1]
        groups.append((hosts, joined))
    found = {}
    for hosts, joined in groups:
        text = "+".join(sorted(hosts))
        if len(text) > NAMES_SHOWN:
            text = hashlib.sha256(text.encode()).hexdigest()[:16]
        found.update(dict.fromkeys(joined, f"{place}/{text}"))
    return found


def _sum(nodes, cpu, memory, cards):
    mib = sum(getattr(node, memory) for node in nodes)
    return sum(getattr(node, cpu) for node in nodes), round(mib / 1024, 1), sum(map(cards, nodes))


def _sole(node, native):
    return Capacity(1, node.cpu, round(node.memory_mib / 1024, 1), node.cards.get(native, 0))


def _percent(part, whole):
    return round(100 * part / whole, 1) if whole else None

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic over machines that is the same for every scheduler: what a pool has, and what of it is free."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from datetime import datetime
from datetime import timezone

from .resources import Capacity
from .resources import Shape
from .resources import Usage

NAMES_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class Node:
    """A machine as its scheduler sees it. cards, used: native accelerator name → count.

    idle_cpu, used and free_memory_mib are what the scheduler has not given away, not what is measured.
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


def utc(epoch):
    """Return an epoch second as RFC 3339 text; None and 0 are unknown."""
    if not epoch or epoch < 0:
        return None
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


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
        ),
    }


def expected_wait_s(facts, native, pending, ends, now):
    """Return what one more job waits: 0 where something is free and nobody waits, else the first end.

    ends: sorted epoch seconds of running jobs. None where others wait, or no end is known.
    """
    if pending:
        return None
    if any(shape.accelerators or native is None for shape in facts["free_shapes"]):
        return 0
    return max(0, int(ends[0] - now)) if ends else None


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

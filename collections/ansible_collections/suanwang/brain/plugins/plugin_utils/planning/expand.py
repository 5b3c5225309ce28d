# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task split into what is carried out: its components, one move_data a (datum, reader), one collect.

Pure and deterministic: the order of the input changes nothing.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import posixpath
from dataclasses import dataclass

from ...module_utils.errors import Corrupt
from ...module_utils.errors import Invalid
from ...module_utils.said import say
from .rules import measured_on
from .rules import producers
from .sentences import at_field
from .sentences import differs
from .task import Component
from .task import Evaluate
from .task import FileFact
from .task import LEVELS
from .task import Task
from .task import UNSTATED_LEVEL

MIB = 1 << 20


@dataclass(frozen=True)
class Datum:
    """What is moved. key names the bytes: two readers of one key at one site need one copy.

    producer: the component that makes it, None: it lies at the controller. output, path: of the producer.
    sha256: of the moved bytes where known before. size in bytes, None: not known. source: absolute path
    at the controller, None: the store holds it. level: see task.LEVELS, None: not stated. folder: an archive that the
    reader gets unpacked.
    """

    key: str
    name: str
    filename: str
    producer: str | None = None
    output: str | None = None
    path: str | None = None
    sha256: str | None = None
    size: int | None = None
    source: str | None = None
    level: str | None = None
    folder: bool = False


@dataclass(frozen=True)
class Node:
    """A component of the expanded task. of: move_data: its reader; collect: its producer.

    component: None for move_data and collect. held: the withheld file of an evaluated collect.
    """

    id: str
    kind: str
    needs: tuple[str, ...] = ()
    component: Component | None = None
    of: str | None = None
    datum: Datum | None = None
    evaluate: Evaluate | None = None
    held: FileFact | None = None


@dataclass(frozen=True)
class Graph:
    """nodes in an order in which everything stands after what it needs; ties by id."""

    task: Task
    nodes: tuple[Node, ...]

    def node(self, name):
        """Return the node of that id, or None."""
        return next((node for node in self.nodes if node.id == name), None)

    @property
    def compute(self):
        """The nodes that users wrote."""
        return tuple(node for node in self.nodes if node.component)


def expand(task, facts):
    """Return the Graph of a task.

    Raises Invalid where a fact of a file is missing, Corrupt where a file differs from the task's word.
    """
    taken = {item.id for item in task.components}
    levels = _levels(task)
    moves, collects = {}, []
    for item in sorted(task.components, key=lambda one: one.id):
        for entry in sorted(item.inputs, key=lambda one: one.name):
            datum = _datum(task, item, entry, facts, levels)
            needs = (datum.producer,) if datum.producer else ()
            name = _fresh(f"move_{entry.name}", taken)
            move = Node(name, "move_data", needs, of=item.id, datum=datum)
            moves.setdefault(item.id, []).append(move)
    for item in sorted(task.components, key=lambda one: one.id):
        for made in sorted(item.outputs, key=lambda one: one.name):
            if made.collect:
                collects.append(_collect(item, made, facts, taken, levels))
    nodes = [
        Node(
            item.id,
            item.kind,
            tuple(sorted(set(producers(item)) | {move.id for move in moves.get(item.id, ())})),
            component=item,
        )
        for item in task.components
    ]
    nodes += [move for group in moves.values() for move in group] + collects
    return Graph(task, _topological(nodes))


def with_component(graph, component):
    """Return the graph with that component in place of the one of its id."""
    task = graph.task
    components = tuple(component if c.id == component.id else c for c in task.components)
    nodes = tuple(
        dataclasses.replace(node, component=component) if node.id == component.id else node for node in graph.nodes
    )
    return Graph(dataclasses.replace(task, components=components), nodes)


def _fresh(name, taken):
    """Return name cut to 20 characters, numbered until it is new; and take it."""
    found, number = name[:20], 1
    while found in taken:
        number += 1
        tail = f"_{number}"
        found = name[: 20 - len(tail)] + tail
    taken.add(found)
    return found


def _levels(task):
    """Return component id → the most sensitive level it reads, by way of its sources too."""
    found = {}

    def level(name):
        if name not in found:
            item = task.component(name)
            read = [_input_level(entry, level) for entry in item.inputs]
            found[name] = max((one for one in read if one), key=LEVELS.index, default=None)
        return found[name]

    for item in task.components:
        level(item.id)
    return found


def _input_level(entry, level):
    if entry.data_level:
        return entry.data_level
    return level(entry.source.split(".")[0]) if entry.source else None


def level_of(node, graph):
    """Return (level, stated) of what a compute node reads; unstated counts as UNSTATED_LEVEL."""
    read = [move.datum.level for move in graph.nodes if move.kind == "move_data" and move.of == node.id]
    if not read:
        return None, True
    known = [one for one in read if one]
    stated = len(known) == len(read)
    if not stated:
        known.append(UNSTATED_LEVEL)
    return max(known, key=LEVELS.index), stated


def _datum(task, item, entry, facts, levels):
    if entry.source:
        producer, output = entry.source.split(".")
        made = next(one for one in task.component(producer).outputs if one.name == output)
        return Datum(
            key=entry.source,
            name=entry.name,
            filename=posixpath.basename(made.path),
            producer=producer,
            output=output,
            path=made.path,
            size=_expected(made),
            level=entry.data_level or levels[producer],
        )
    fact = facts.inputs.get((item.id, entry.name))
    place = next(n for n, one in enumerate(item.inputs) if one.name == entry.name)
    field = f"{item.field}.inputs[{place}]"
    if fact is None:
        raise Invalid(
            at_field(f"{field}.uri", say("nothing is known of {uri}.", uri=entry.uri)),
            way_out="Check that the file is there; paths are relative to the task file.",
            details={"field": f"{field}.uri"},
        )
    _compare(entry, fact, field)
    digest, size = (fact.sha256, fact.size)
    if entry.holdout:
        if not (fact.kept and fact.held):
            raise Invalid(
                at_field(
                    f"{field}.holdout",
                    say("{uri} was not split into what is kept and what is withheld.", uri=entry.uri),
                ),
                way_out="Read the file again.",
                details={"field": f"{field}.holdout"},
            )
        digest, size = fact.kept
    return Datum(
        key=digest,
        name=entry.name,
        filename=fact.filename,
        sha256=digest,
        size=size,
        # The kept lines are a file of ours, which lies in the store.
        source=None if entry.holdout else fact.source,
        level=entry.data_level,
        folder=fact.folder,
    )


def _compare(entry, fact, field):
    for name, wanted, found in (
        ("sha256", entry.sha256, fact.sha256),
        ("size", entry.size, fact.size),
    ):
        if wanted is not None and wanted != found:
            raise Corrupt(
                differs(f"{field}.{name}", entry.uri, name, found, wanted),
                way_out="Put the right file there, or correct the task.",
                details={"field": f"{field}.{name}"},
            )


def _expected(made):
    return None if made.size_mib is None else math.ceil(made.size_mib * MIB)


def _collect(item, made, facts, taken, levels):
    held = None
    if made.evaluate:
        held = facts.inputs.get(measured_on(item, made.evaluate))
    datum = Datum(
        key=f"{item.id}.{made.name}",
        name=made.name,
        filename=posixpath.basename(made.path),
        producer=item.id,
        output=made.name,
        path=made.path,
        size=_expected(made),
        level=levels[item.id],
    )
    name = _fresh(f"collect_{made.name}", taken)
    return Node(name, "collect", (item.id,), of=item.id, datum=datum, evaluate=made.evaluate, held=held)


def _topological(nodes):
    """Kahn's order with a heap: among those that are ready, the least id goes first."""
    by_id = {node.id: node for node in nodes}
    waiting = {node.id: len(node.needs) for node in nodes}
    readers = {}
    for node in nodes:
        for need in node.needs:
            readers.setdefault(need, []).append(node.id)
    ready = sorted(name for name, count in waiting.items() if not count)
    order = []
    while ready:
        name = heapq.heappop(ready)
        order.append(by_id[name])
        for reader in readers.get(name, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    return tuple(order)

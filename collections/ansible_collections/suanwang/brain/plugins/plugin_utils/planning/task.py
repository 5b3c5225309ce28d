# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task as records: parsed, checked, sorted by id. The schema is `module_utils/schemas/task.json`."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import pathlib
from dataclasses import dataclass
from dataclasses import field

from ...module_utils.errors import Invalid
from ...module_utils.said import say
from ...module_utils.said import words
from .rules import problems_of
from .sentences import plain_problems
from .sentences import problem_of
from .sentences import schema_problems

SCHEMA = pathlib.Path(__file__).parents[2] / "module_utils" / "schemas" / "task.json"
# Least to most sensitive; an output is as sensitive as the most sensitive thing its component read.
LEVELS = ("public", "internal", "confidential", "secret")
# An input that states no level is treated like this, and the estimate says so.
UNSTATED_LEVEL = "internal"


@dataclass(frozen=True)
class Code:
    """A folder relative to the task file, the file in it that runs, and its arguments."""

    path: str
    entry: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resources:
    """nodes None: the brain chooses. accelerators: cards in all. cpu, memory_gib: a node."""

    nodes: int | None = None
    accelerators: int = 0
    accelerator: str | None = None
    cpu: int = 1
    memory_gib: float | None = None
    arch: str | None = None


@dataclass(frozen=True)
class Work:
    """One of: seconds as they are; card-hours on a reference model; 10^15 FP16 operations."""

    duration_s: int | None = None
    accelerator_hours: float | None = None
    on: str | None = None
    pflop: float | None = None


@dataclass(frozen=True)
class Holdout:
    """What of a file never leaves: lines whose index mod `modulo` is `remainder`, or a column of every line."""

    modulo: int | None = None
    remainder: int | None = None
    column: str | None = None


@dataclass(frozen=True)
class Input:
    """A file at the controller (uri) or `component.output` of this task (source)."""

    name: str
    uri: str | None = None
    source: str | None = None
    sha256: str | None = None
    size: int | None = None
    data_level: str | None = None
    holdout: Holdout | None = None


@dataclass(frozen=True)
class Evaluate:
    """What is measured at home on what is withheld of `input`, or of `component.input`.

    linear_argmax: a model, by its arrays weights and bias. labels: a prediction a line, against the withheld column.
    """

    method: str
    input: str
    at_least: float
    weights: str | None = None
    bias: str | None = None
    divide_by: float = 1


@dataclass(frozen=True)
class Output:
    """A file a component leaves. collect: bring it home."""

    name: str
    path: str
    collect: bool = True
    size_mib: float | None = None
    evaluate: Evaluate | None = None


@dataclass(frozen=True)
class Component:
    """One step. index is its place in the task file, for field paths; it is no part of the value."""

    id: str
    kind: str
    framework: str | None = None
    framework_version: str | None = None
    image: str | None = None
    code: Code | None = None
    parameters: dict[str, str | int | float | bool] = field(default_factory=dict)
    resources: Resources = Resources()
    work: Work | None = None
    max_wall_s: int | None = None
    lease_s: int | None = None
    ports: tuple[int, ...] = ()
    retry: int = 0
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    needs: tuple[str, ...] = ()
    gang: str | None = None
    sites: tuple[str, ...] | None = None
    index: int = field(default=0, compare=False, repr=False)

    @property
    def field(self):
        """The component's path in the task file, e.g. ``components[0]``."""
        return f"components[{self.index}]"


@dataclass(frozen=True)
class Constraints:
    """Limits of the whole task. deadline: RFC 3339; deadline_s: from now. None: not limited."""

    deadline: str | None = None
    deadline_s: int | None = None
    budget_fen: int | None = None
    card_s: int | None = None
    sites: tuple[str, ...] | None = None
    intranet_only: bool = False
    data_residency: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Task:
    """What a user asks for. components are sorted by id. priority: 0 to 9, 9 first; of launches that wait."""

    name: str
    tenant: str
    components: tuple[Component, ...]
    deployment: str | None = None
    constraints: Constraints = Constraints()
    weights: dict[str, float] = field(default_factory=dict)
    priority: int = 5

    def component(self, name):
        """Return the component of that id, or None."""
        return next((item for item in self.components if item.id == name), None)


@dataclass(frozen=True)
class FileFact:
    """What is known of an input file. source: absolute path, None: the store holds it.

    kept, held: (sha256, size in bytes) of what is uploaded and what is withheld, where there is a holdout.
    folder: it is the archive of a folder.
    """

    uri: str
    filename: str
    source: str | None
    sha256: str
    size: int
    kept: tuple[str, int] | None = None
    held: tuple[str, int] | None = None
    folder: bool = False


@dataclass(frozen=True)
class CodeFact:
    """The archive of a component's code. size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Facts:
    """inputs: (component id, input name) → FileFact; codes: component id → CodeFact."""

    inputs: dict[tuple[str, str], FileFact] = field(default_factory=dict)
    codes: dict[str, CodeFact] = field(default_factory=dict)


def parse(data: object) -> Task:
    """Return the Task in a document (JSON types).

    Raises Invalid for the first broken rule in the order of the document; details: `field`, its path, and
    `problems`, all of them as {field, message, way_out}.
    """
    data = _with_on(_whole(data))
    problems = _type_problem(data) or plain_problems(data) or schema_problems(data, _schema())
    if not problems:
        task = _build(data)
        problems = problems_of(task)
        if not problems:
            return _sorted(task)
    first = problems[0]
    raise Invalid(
        first["message"],
        way_out=first["way_out"],
        details={"field": first["field"], "problems": problems},
    )


@functools.cache
def _schema():
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def _whole(data):
    """Return the document with 2.0 as 2, but for parameters, whose values are the user's own."""
    if isinstance(data, dict):
        return {key: value if key == "parameters" else _whole(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_whole(value) for value in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data


def _with_on(data):
    """YAML 1.1 reads a bare `on` as true; in `work`, the one place with that word, it is put right."""
    components = data.get("components") if isinstance(data, dict) else None
    if not isinstance(components, list):
        return data
    fixed = []
    for item in components:
        work = item.get("work") if isinstance(item, dict) else None
        if isinstance(work, dict) and True in work and "on" not in work:
            work = {"on" if key is True else key: value for key, value in work.items()}
            item = {**item, "work": work}
        fixed.append(item)
    return {**data, "components": fixed}


def _type_problem(data):
    if isinstance(data, dict):
        deadline = data.get("constraints")
        deadline = deadline.get("deadline") if isinstance(deadline, dict) else None
        if isinstance(deadline, datetime.date):  # YAML reads an unquoted time as a time
            return [problem_of("constraints.deadline", "is a YAML time, not text.", "Put it in quotes.")]
        return []
    kind = words("nothing") if data is None else {list: words("a list"), str: words("text")}.get(type(data))
    return [
        problem_of(
            "",
            say("A task is a mapping with name, tenant and components; this is {kind}.", kind=kind or words("a value")),
            "Start from examples/digits/task.yml.",
        )
    ]


def _build(data):
    def tupled(value):
        return None if value is None else tuple(value)

    components = []
    for index, item in enumerate(data["components"]):
        item = dict(item)
        code = item.pop("code", None)
        item["code"] = code and Code(code["path"], code["entry"], tuple(code.get("arguments", ())))
        item["resources"] = Resources(**item.get("resources", {}))
        item["work"] = Work(**item["work"]) if "work" in item else None
        item["inputs"] = tuple(_input(entry) for entry in item.get("inputs", ()))
        item["outputs"] = tuple(_output(entry) for entry in item.get("outputs", ()))
        item["needs"] = tuple(item.get("needs", ()))
        item["sites"] = tupled(item.get("sites"))
        item["ports"] = tuple(sorted(item.get("ports", ())))
        components.append(Component(**item, index=index))
    limits = dict(data.get("constraints", {}))
    for name in ("sites", "data_residency"):
        limits[name] = tupled(limits.get(name))
    return Task(
        name=data["name"],
        tenant=data["tenant"],
        deployment=data.get("deployment"),
        components=tuple(components),
        constraints=Constraints(**limits),
        weights=dict(sorted(data.get("weights", {}).items())),
        priority=data.get("priority", Task.priority),
    )


def _input(entry):
    entry = dict(entry)
    entry["source"] = entry.pop("from", None)
    holdout = entry.pop("holdout", None)
    return Input(**entry, holdout=Holdout(**holdout) if holdout else None)


def _output(entry):
    entry = dict(entry)
    evaluate = entry.pop("evaluate", None)
    return Output(**entry, evaluate=evaluate and Evaluate(**evaluate))


def _sorted(task):
    components = [
        dataclasses.replace(
            item,
            parameters=dict(sorted(item.parameters.items())),
            inputs=tuple(sorted(item.inputs, key=lambda entry: entry.name)),
            outputs=tuple(sorted(item.outputs, key=lambda entry: entry.name)),
            needs=tuple(sorted(item.needs)),
        )
        for item in task.components
    ]
    return dataclasses.replace(task, components=tuple(sorted(components, key=lambda c: c.id)))

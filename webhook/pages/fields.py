"""The form of a catalogue entry, made of the task's own schema: every leaf of it is a field, whatever the entry is.

A field's name is the path that the planner's errors name, `components[0].resources.cpu`, so an error finds its field.
"""

from __future__ import annotations

import dataclasses
import decimal

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.plugin_utils import governance
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.task import LEVELS

from .. import problems as problems_
from ..desk.files import wrong
from . import forms
from . import showing
from .words import mark as _

#: What people fill in, and what the entry itself says; everything else of the schema is folded away. Paths within a
#: task or a component.
SHOWN = {
    "name", "tenant", "deployment", "constraints.deadline_s", "constraints.budget_fen", "framework", "parameters",
    "resources.accelerators", "resources.accelerator", "resources.nodes", "resources.cpu", "resources.memory_gib",
    "inputs.uri", "inputs.data_level", "work.accelerator_hours", "work.on", "work.duration_s",
}  # fmt: skip
#: A service has a lease and no work to do, and nothing runs on machines that are made to stay: nobody is asked for it.
NOT_OF = {"serve": {"work.accelerator_hours", "work.on", "work.duration_s"}}
NOT_OF["provision"] = NOT_OF["serve"] | {"framework", "parameters"}
#: What a task is made of rather than asked for: it is changed as YAML.
FIXED = {"id", "kind", "code", "outputs", "needs", "gang", "inputs.name", "inputs.from", "inputs.holdout"}
LABELS = {
    "name": _("Name"), "tenant": _("Tenant"), "deployment": _("Deployment (what is kept up to date)"),
    "deadline_s": _("To be done within, seconds"), "deadline": _("To be done before (China time, UTC+8)"),
    "budget_fen": _("Budget, yuan"), "card_s": _("Card-seconds at most"), "sites": _("Only these sites"),
    "intranet_only": _("Intranet only"), "data_residency": _("Data stay at"), "framework": _("Framework"),
    "framework_version": _("Version of the framework"), "image": _("Image"),
    "parameters": _("Parameters, one name=value a line"), "accelerators": _("Cards"),
    "accelerator": _("Accelerator (model, kind or any)"), "nodes": _("Nodes"), "cpu": _("Cores a node"),
    "memory_gib": _("Memory a node, GiB"), "arch": _("Architecture"),
    "accelerator_hours": _("Work, accelerator hours"), "on": _("… on this model"), "pflop": _("Work, PFLOP"),
    "duration_s": _("Work, seconds"), "max_wall_s": _("Ends after, seconds"), "retry": _("Attempts more"),
    "uri": _("Data"), "data_level": _("Level of the data"), "sha256": "SHA-256", "size": _("Size, bytes"),
    "priority": _("Priority, 0 to 9"), "lease_s": _("Kept for, seconds"), "ports": _("Ports reached from outside"),
    "finish": _("Weight of the finish"), "cost": _("Weight of the cost"), "energy": _("Weight of the energy"),
    "balance": _("Weight of the balance"), "risk": _("Weight of the risk"),
}  # fmt: skip
#: Where the form offers what is known.
OFFERED = {"accelerator": "accelerators", "on": "models"}


@dataclasses.dataclass(frozen=True)
class Field:
    """One field. path: where it stands, as in errors; keys: the same as keys of the document.

    kind: text | time | whole | number | money | choice | truth | list | numbers | mapping. value: what the entry says.
    """

    path: str
    keys: tuple
    label: str
    kind: str
    value: str
    shown: bool
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    length: int | None = None
    required: bool = False
    offered: str | None = None
    file: bool = False

    @property
    def id(self):
        """The path as an id of HTML."""
        return "f-" + "".join(letter if letter.isalnum() else "-" for letter in self.path)


@dataclasses.dataclass(frozen=True)
class Group:
    """Fields that belong together: those of the task, or of one component."""

    title: str
    kind: str | None
    fields: tuple[Field, ...]
    made_by: tuple[str, ...] = ()


def groups(document):
    """Return the Groups of a task document: the task's own, then one a component."""
    schema = governance.schema("task")
    own = {name: part for name, part in schema["properties"].items() if name != "components"}
    found = [Group("", None, tuple(_walk(schema, own, document, (), (), schema["required"])))]
    component = schema["$defs"]["component"]
    for place, item in enumerate(document["components"]):
        fields = tuple(
            _walk(schema, component["properties"], item, ("components", place), (), component["required"])
        )  # fmt: skip
        made_by = tuple(one["from"] for one in item.get("inputs", ()) if "from" in one)
        unasked = NOT_OF.get(item["kind"], ())
        fields = tuple(
            dataclasses.replace(one, shown=False)
            if one.shown and not one.value and one.path.partition("].")[2] in unasked
            else one
            for one in fields
        )
        found.append(Group(item["id"], item["kind"], fields, made_by))
    return found


def _walk(schema, properties, have, keys, way, required):
    """Yield the Fields of a mapping. have: what the entry says; way: the path within task or component."""
    for name, part in properties.items():
        rule, here = _resolved(schema, part), ".".join((*way, name))
        if here in FIXED:
            continue
        value = have.get(name) if isinstance(have, dict) else None
        if rule.get("type") == "object" and "properties" in rule:
            yield from _walk(
                schema, rule["properties"], value or {}, (*keys, name), (*way, name), rule.get("required", ())
            )
        elif rule.get("type") == "array" and _resolved(schema, rule["items"]).get("type") == "object":
            inner = _resolved(schema, rule["items"])
            for place, item in enumerate(value or ()):
                if "uri" in inner["properties"] and "uri" not in item:
                    continue  # made by another component: nothing to fill in
                yield from _walk(
                    schema, inner["properties"], item, (*keys, name, place), (*way, name), inner.get("required", ())
                )
        else:
            yield _field(name, rule, value, (*keys, name), here, name in required)


def _resolved(schema, part):
    return schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _field(name, rule, value, keys, here, required):
    kind = _kind(name, rule)
    return Field(
        path=path_of(keys),
        keys=keys,
        label=LABELS.get(name, name.replace("_", " ")),
        kind=kind,
        value=_text(kind, value),
        shown=value is not None or here in SHOWN,
        choices=tuple(LEVELS if name == "data_level" else map(str, rule.get("enum", ()))),
        minimum=rule.get("minimum"),
        length=rule.get("maxLength"),
        required=required,
        offered=OFFERED.get(name),
        file=name == "uri",
    )


def _kind(name, rule):
    if name.endswith("_fen"):
        return "money"
    if "enum" in rule:
        return "choice"
    if rule.get("type") == "array" and rule["items"].get("type") == "integer":
        return "numbers"
    if rule.get("format") == "date-time":
        return "time"
    kinds = {"integer": "whole", "number": "number", "boolean": "truth", "array": "list", "object": "mapping"}
    return kinds.get(rule.get("type"), "text")


def path_of(keys):
    """Return ``components[0].resources.cpu`` for its keys, as the planner's errors write it."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def _text(kind, value):
    if value is None:
        return ""
    if kind == "money":
        return f"{decimal.Decimal(value) / 100}"
    if kind in ("list", "numbers"):
        return ", ".join(map(str, value))
    if kind == "mapping":
        return forms.lines(value)
    if kind == "time":
        return showing.field(str(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def filled(form, document):
    """Return a document with the fields of a form put in; raise Invalid naming the field.

    A field that the form does not send keeps what the entry says; one that is empty is taken out.
    """
    made = _copy(document)
    for group in groups(document):
        for field in group.fields:
            text = form.get(field.path, field.value).replace("\r\n", "\n").strip()
            if text != field.value:
                _put(made, field, _parsed(field, text))
    return made


def _copy(value):
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _put(made, field, value):
    trail, where = [], made
    for key in field.keys[:-1]:
        trail.append((where, key))
        where = where.setdefault(key, {}) if isinstance(where, dict) else where[key]
    if value is None:
        where.pop(field.keys[-1], None)
    else:
        where[field.keys[-1]] = value
    for outer, key in reversed(trail):  # a mapping that came to be empty is no mapping
        if outer[key] == {}:
            del outer[key]


def _parsed(field, text):
    if not text:
        return None
    if field.kind == "list":
        return [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]
    if field.kind == "numbers":
        return [_number(field, part, int) for part in text.replace("，", ",").split(",") if part.strip()]
    if field.kind == "mapping":
        return forms.parameters(field.path, text)
    if field.kind == "truth":
        return {"true": True, "false": False}.get(text, text)
    if field.kind == "money":
        return int(_number(field, text, decimal.Decimal) * 100)
    if field.kind == "time":
        return showing.utc(text)
    if field.kind == "whole":
        return _number(field, text, int)
    return _number(field, text, float) if field.kind == "number" else text


def _number(field, text, kind):
    try:
        return kind(text)
    except (ValueError, ArithmeticError) as error:
        raise wrong(field.path, say("{text!r} is no number.", text=text[:40]), "Write digits.") from error


def problems(error):
    """Return what is wrong with which field, one mapping a problem: {field, message, way_out}."""
    if isinstance(error, BrainError) and error.details.get("problems"):
        return error.details["problems"]
    _status, detail, more = problems_.read(error)
    return [{"field": more.get("field") or "", "message": detail, "way_out": more.get("way_out")}]

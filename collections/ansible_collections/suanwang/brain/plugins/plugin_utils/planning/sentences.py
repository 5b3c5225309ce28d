# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken rules of a JSON Schema as sentences for people: the field's path, what is wrong, what to do."""

from __future__ import annotations

import difflib
import math


def problem_of(field, message, way_out):
    """Return {field, message, way_out}; the message starts with the field unless that is empty."""
    return {
        "field": field,
        "message": f"{field}: {message}" if field else message,
        "way_out": way_out,
    }


def schema_problems(data, schema):
    """Return the problems of a document, first in the document first. Needs jsonschema."""
    # Inside the function: the collection's files import without third-party packages.
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(data), key=lambda error: [_rank(p) for p in error.path])
    # What is no mapping at all breaks `type` as well, and that says it better.
    errors = [error for error in errors if error.validator != "oneOf" or isinstance(error.instance, dict)]
    found = [_problem(error) for error in errors]
    return [one for place, one in enumerate(found) if one not in found[:place]]


def plain_problems(data, path=()):
    """Return the problems that a schema cannot name: keys that are not text, numbers without a value."""
    found = []
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(key, str):
                found.extend(plain_problems(value, (*path, key)))
            else:
                way_out = "Put it in quotes: YAML reads on, off, yes, no and numbers as values."
                found.append(problem_of(path_of((*path, key)), "is a key, not text.", way_out))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            found.extend(plain_problems(value, (*path, place)))
    elif isinstance(data, float) and not math.isfinite(data):
        found.append(problem_of(path_of(path), f"{data} is not a number to reckon with.", "Write a number."))
    return found


def path_of(parts):
    """Return ``components[0].framework`` for ("components", 0, "framework")."""
    text = ""
    for part in parts:
        if isinstance(part, int) and not isinstance(part, bool):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text


def _rank(part):
    return (0, part, "") if isinstance(part, int) else (1, 0, str(part))


def _problem(error):
    field = path_of(error.path)
    rule = _RULES.get(error.validator)
    if rule is None:
        return problem_of(field, f"{error.message}.", "See schemas/task.json.")
    field_more, message, way_out = rule(error, error.instance, error.validator_value)
    if field_more:
        field = f"{field}.{field_more}" if field else field_more
    return problem_of(field, message, way_out)


def _shown(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _required(error, value, wanted):
    missing = [name for name in wanted if name not in value]
    return missing[0], "is missing.", f"Add {', '.join(missing)}."


def _unknown(error, value, wanted):
    known = sorted(error.schema.get("properties", {}))
    name = sorted(key for key in value if key not in known)[0]
    return str(name), "is not a field here.", f"{_near(name, known)}The fields are: {', '.join(known)}."


def _enum(error, value, wanted):
    allowed = [str(item) for item in wanted]
    return "", f"{_shown(value)} is not known.", f"{_near(value, allowed)}Write one of: {', '.join(allowed)}."


def _near(word, known):
    near = difflib.get_close_matches(str(word), known, 1)
    return f"Did you mean {near[0]}? " if near else ""


# What a pattern of the schema means, so that nobody has to read a regular expression.
_PATTERNS = {
    "^[a-z][a-z0-9_]{0,19}$": "1 to 20 of a-z, 0-9 and _, starting with a letter",
    "^[a-z][a-z0-9_]{0,29}$": "1 to 30 of a-z, 0-9 and _, starting with a letter",
    "^[a-z][a-z0-9_-]{0,39}$": "1 to 40 of a-z, 0-9, _ and -, starting with a letter",
    "^[a-z][a-z0-9_-]{0,29}$": "1 to 30 of a-z, 0-9, _ and -, starting with a letter",
    "^([a-z][a-z0-9_]{0,19}\\.)?[a-z][a-z0-9_]{0,29}$": "an input, or component.input, e.g. train.digits",
    "^[0-9a-f]{64}$": "64 hexadecimal digits in lower case",
    "^[A-Za-z][A-Za-z0-9_.-]{0,59}$": "1 to 60 of letters, digits, _ . and -, a letter first",
}


def _pattern(error, value, wanted):
    rule = _PATTERNS.get(wanted)
    if rule is None and "\\." in wanted and "{0,29}$" in wanted:
        rule = "component.output, e.g. train.model"
    elif rule is None and "(?!/)" in wanted:
        rule = "a relative path without .., backslashes and control characters"
    elif rule is None and "\\d{4}" in wanted:
        rule = "a time in UTC like 2026-11-25T08:00:00Z"
    rule = rule or f"text that matches {wanted}"
    return "", f"{_shown(value)} breaks the rule ({rule}).", f"Write {rule}."


_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def _type(error, value, wanted):
    kinds = [wanted] if isinstance(wanted, str) else wanted
    allowed = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
    extra = " (put it in quotes)" if "string" in kinds else ""
    return "", f"{_shown(value)} is not {allowed}.", f"Write {allowed}{extra}."


def _bound(word):
    def rule(error, value, wanted):
        return "", f"{_shown(value)} is out of range.", f"Write {word} {wanted}."

    return rule


def _one_of(error, value, wanted):
    names = [entry["required"][0] for entry in wanted if "required" in entry]
    here = [name for name in names if name in value]
    both = " and ".join(names)
    said = f"has {both}" if len(here) > 1 else f"has neither {' nor '.join(names)}"
    return "", f"{said}.", f"Give exactly one of: {', '.join(names)}."


def _dependent(error, value, wanted):
    for name, needed in sorted(wanted.items()):
        missing = [one for one in needed if name in value and one not in value]
        if missing:
            return missing[0], f"is missing; {name} needs it.", f"Add {missing[0]}."
    return "", f"{error.message}.", "See schemas/task.json."


def _size(word):
    def rule(error, value, wanted):
        unit = "characters" if isinstance(value, str) else "entries"
        return "", f"has {len(value)} {unit}.", f"{word} {wanted} are allowed."

    return rule


_RULES = {
    "required": _required,
    "additionalProperties": _unknown,
    "enum": _enum,
    "pattern": _pattern,
    "type": _type,
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("more than"),
    "oneOf": _one_of,
    "dependentRequired": _dependent,
    "minLength": _size("At least"),
    "maxLength": _size("At most"),
    "minItems": _size("At least"),
    "maxItems": _size("At most"),
    "minProperties": _size("At least"),
    "maxProperties": _size("At most"),
    "uniqueItems": lambda error, value, wanted: ("", "an entry is there twice.", "Drop one."),
}

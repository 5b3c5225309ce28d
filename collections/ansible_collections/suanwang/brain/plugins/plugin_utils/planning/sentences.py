# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken rules of a JSON Schema as sentences for people: the field's path, what is wrong, what to do."""

from __future__ import annotations

import difflib
import math

from ...module_utils.said import join
from ...module_utils.said import say
from ...module_utils.said import words


def problem_of(field, message, way_out):
    """Return {field, message, way_out}; the message starts with the field unless that is empty."""
    return {
        "field": field,
        "message": at_field(field, message) if field else words(message),
        "way_out": words(way_out),
    }


def at_field(field, message):
    """Return a sentence about a field."""
    return say("{field}: {message}", field=field, message=words(message))


def differs(field, path, name, found, stated):
    """Return the sentence of a file that is not what the task says of it."""
    text = say("{path} has {name} {found}, the task says {stated}.", path=path, name=name, found=found, stated=stated)
    return at_field(field, text)


def without_field(message):
    """Return what `at_field` was given, or the sentence as it is."""
    return getattr(message, "values", {}).get("message", message)


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
                way_out = words("Put it in quotes: YAML reads on, off, yes, no and numbers as values.")
                found.append(problem_of(path_of((*path, key)), "is a key, not text.", way_out))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            found.extend(plain_problems(value, (*path, place)))
    elif isinstance(data, float) and not math.isfinite(data):
        found.append(
            problem_of(path_of(path), say("{value} is not a number to reckon with.", value=data), "Write a number.")
        )
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
    return missing[0], words("is missing."), say("Add {names}.", names=", ".join(missing))


def _unknown(error, value, wanted):
    known = sorted(error.schema.get("properties", {}))
    name = sorted(key for key in value if key not in known)[0]
    return (
        str(name),
        words("is not a field here."),
        _near(name, known, say("The fields are: {names}.", names=", ".join(known))),
    )


def _enum(error, value, wanted):
    allowed = [str(item) for item in wanted]
    way_out = _near(value, allowed, say("Write one of: {names}.", names=", ".join(allowed)))
    return "", say("{value} is not known.", value=_shown(value)), way_out


def _near(word, known, otherwise):
    near = difflib.get_close_matches(str(word), known, 1)
    return say("Did you mean {name}? {otherwise}", name=near[0], otherwise=otherwise) if near else otherwise


# What a pattern of the schema means, so that nobody has to read a regular expression.
_PATTERNS = {
    "^[a-z][a-z0-9_]{0,19}$": words("1 to 20 of a-z, 0-9 and _, starting with a letter"),
    "^[a-z][a-z0-9_]{0,29}$": words("1 to 30 of a-z, 0-9 and _, starting with a letter"),
    "^[a-z][a-z0-9_-]{0,39}$": words("1 to 40 of a-z, 0-9, _ and -, starting with a letter"),
    "^[a-z][a-z0-9_-]{0,29}$": words("1 to 30 of a-z, 0-9, _ and -, starting with a letter"),
    "^([a-z][a-z0-9_]{0,19}\\.)?[a-z][a-z0-9_]{0,29}$": words("an input, or component.input, e.g. train.digits"),
    "^[0-9a-f]{64}$": words("64 hexadecimal digits in lower case"),
    "^[A-Za-z][A-Za-z0-9_.-]{0,59}$": words("1 to 60 of letters, digits, _ . and -, a letter first"),
}


def _pattern(error, value, wanted):
    rule = _PATTERNS.get(wanted)
    if rule is None and "\\." in wanted and "{0,29}$" in wanted:
        rule = words("component.output, e.g. train.model")
    elif rule is None and "(?!/)" in wanted:
        rule = words("a relative path without .., backslashes and control characters")
    elif rule is None and "\\d{4}" in wanted:
        rule = words("a time in UTC like 2026-11-25T08:00:00Z")
    rule = rule or say("text that matches {pattern}", pattern=wanted)
    return "", say("{value} breaks the rule ({rule}).", value=_shown(value), rule=rule), say("Write {rule}.", rule=rule)


_KINDS = {
    "object": words("a mapping"),
    "array": words("a list"),
    "string": words("text"),
    "integer": words("a whole number"),
    "number": words("a number"),
    "boolean": words("true or false"),
}


def _type(error, value, wanted):
    kinds = [wanted] if isinstance(wanted, str) else wanted
    allowed = join(" or ", (_KINDS.get(kind, kind) for kind in kinds))
    way_out = say("Write {allowed}.", allowed=allowed)
    if "string" in kinds:
        way_out = say("Write {allowed} (put it in quotes).", allowed=allowed)
    return "", say("{value} is not {allowed}.", value=_shown(value), allowed=allowed), way_out


def _bound(way_out):
    def rule(error, value, wanted):
        return "", say("{value} is out of range.", value=_shown(value)), say(way_out, limit=wanted)

    return rule


def _one_of(error, value, wanted):
    names = [entry["required"][0] for entry in wanted if "required" in entry]
    here = [name for name in names if name in value]
    said = say("has neither {names}.", names=join(" nor ", names))
    if len(here) > 1:
        said = say("has {names}.", names=join(" and ", names))
    return "", said, say("Give exactly one of: {names}.", names=", ".join(names))


def _dependent(error, value, wanted):
    for name, needed in sorted(wanted.items()):
        missing = [one for one in needed if name in value and one not in value]
        if missing:
            return missing[0], say("is missing; {name} needs it.", name=name), say("Add {names}.", names=missing[0])
    return "", f"{error.message}.", "See schemas/task.json."


def _size(way_out):
    def rule(error, value, wanted):
        said = say("has {n} entries.", n=len(value))
        if isinstance(value, str):
            said = say("has {n} characters.", n=len(value))
        return "", said, say(way_out, limit=wanted)

    return rule


_RULES = {
    "required": _required,
    "additionalProperties": _unknown,
    "enum": _enum,
    "pattern": _pattern,
    "type": _type,
    "minimum": _bound(words("Write at least {limit}.")),
    "maximum": _bound(words("Write at most {limit}.")),
    "exclusiveMinimum": _bound(words("Write more than {limit}.")),
    "oneOf": _one_of,
    "dependentRequired": _dependent,
    "minLength": _size(words("At least {limit} are allowed.")),
    "maxLength": _size(words("At most {limit} are allowed.")),
    "minItems": _size(words("At least {limit} are allowed.")),
    "maxItems": _size(words("At most {limit} are allowed.")),
    "minProperties": _size(words("At least {limit} are allowed.")),
    "maxProperties": _size(words("At most {limit} are allowed.")),
    "uniqueItems": lambda error, value, wanted: ("", words("an entry is there twice."), words("Drop one.")),
}

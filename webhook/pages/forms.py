"""From the fields of a form to a task's document. What is not filled in keeps what the catalogue says."""

from __future__ import annotations

import base64
import copy
import decimal

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..desk.files import wrong

FRAMEWORKS = ("none", "pytorch", "tensorflow", "mindspore", "paddlepaddle", "caffe")
_WHOLE = ("accelerators", "nodes", "cpu")


def lines(parameters):
    """Return parameters as text, one name=value a line."""
    words = {True: "true", False: "false"}
    return "\n".join(
        f"{name}={words[value] if isinstance(value, bool) else value}" for name, value in parameters.items()
    )


def document(form, base):
    """Return the document of a catalogue entry with the fields of a form put in; raise Invalid naming the field."""
    made = copy.deepcopy(base)
    for name in ("name", "tenant"):
        if form.get(name):
            made[name] = form[name]
    limits = made.setdefault("constraints", {})
    _number(form, "deadline_s", limits, "deadline_s", int)
    if form.get("budget", "").strip():
        limits["budget_fen"] = int(_parsed("budget", form["budget"], decimal.Decimal) * 100)
    if not limits:
        del made["constraints"]
    for component in made["components"]:
        _component(form, f"c.{component['id']}", component)
    return made


def _component(form, prefix, component):
    wanted = component.setdefault("resources", {})
    if form.get(f"{prefix}.framework"):
        component["framework"] = form[f"{prefix}.framework"]
    if form.get(f"{prefix}.accelerator"):
        wanted["accelerator"] = form[f"{prefix}.accelerator"]
    for name in _WHOLE:
        _number(form, f"{prefix}.{name}", wanted, name, int)
    _number(form, f"{prefix}.memory_gib", wanted, "memory_gib", float)
    if f"{prefix}.parameters" in form:
        component["parameters"] = _parameters(f"{prefix}.parameters", form[f"{prefix}.parameters"])


def _number(form, field, target, name, kind):
    text = form.get(field, "").strip()
    if text:
        target[name] = _parsed(field, text, kind)


def _parsed(field, text, kind):
    try:
        return kind(text)
    except (ValueError, decimal.InvalidOperation) as error:
        raise wrong(field, say("{text!r} is no number.", text=text[:40]), "Write digits.") from error


def _parameters(field, text):
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, mark, value = line.partition("=")
        if not mark:
            raise wrong(field, say("{line!r} has no =.", line=line[:60]), "Write name=value.")
        found[name.strip()] = scalar(value.strip())
    return found


def scalar(text):
    """Return a whole number or a truth as such; everything else, decimals too, stays the text it is."""
    if text in ("true", "false"):
        return text == "true"
    digits = text.removeprefix("-")
    whole = digits.isascii() and digits.isdigit() and len(digits) < 16
    return int(text) if whole and str(int(text)) == text else text


def files(uploads, folder):
    """Return the files of a form, as the API takes them."""
    folder = folder.strip().strip("/")
    return [
        {
            "path": f"{folder}/{one.filename}" if folder else one.filename,
            "base64": base64.b64encode(one.read()).decode(),
        }
        for one in uploads
        if one.filename
    ]

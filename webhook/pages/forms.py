"""Values of forms: parameters as lines, numbers as numbers, files as the API takes them."""

from __future__ import annotations

import base64
import pathlib
import re

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..desk.files import wrong


def lines(parameters):
    """Return parameters as text, one name=value a line."""
    words = {True: "true", False: "false"}
    return "\n".join(
        f"{name}={words[value] if isinstance(value, bool) else value}" for name, value in parameters.items()
    )


def parameters(field, text):
    """Return what `lines` was given; raise Invalid naming the field."""
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
    return [_file(f"{folder}/{one.filename}" if folder else one.filename, one) for one in uploads if one.filename]


def data(uploads, document):
    """Return the files given for inputs, and put their names into the document, where what was stated no longer holds.

    uploads: path of the field → file. A name of ours: what people call their files breaks our rule too often.
    """
    found = []
    for place, component in enumerate(document["components"]):
        for number, item in enumerate(component.get("inputs", ())):
            one = uploads.get(f"components[{place}].inputs[{number}].file")
            if one is None or not one.filename:
                continue
            suffix = pathlib.PurePosixPath(one.filename).suffix
            kept = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", suffix) else ""
            item["uri"] = f"data/{component['id']}-{item['name']}{kept}"
            for stated in ("sha256", "size"):
                item.pop(stated, None)
            found.append(_file(item["uri"], one))
    return found


def _file(path, upload):
    return {"path": path, "base64": base64.b64encode(upload.read()).decode()}

"""A task's own folder: its file, and the files that came with it or from the catalogue."""

from __future__ import annotations

import base64
import binascii
import json
import pathlib
import shutil

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.said import join
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import words
from ansible_collections.suanwang.brain.plugins.plugin_utils import governance
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.sentences import at_field

MAX_DEPTH = 40


def wrong(field, said, way_out):
    return Invalid(at_field(field, said), way_out=words(way_out), details={"field": field})


def lay(desk, run, asked, name_rule):
    """Write a task's folder from what was asked for; return the task's text. Nothing is left where it fails."""
    folder = desk.folder(run) / "files"
    given = [name for name in ("document", "yaml", "catalogue") if getattr(asked, name) is not None]
    if not given or (len(given) > 1 and given != ["yaml", "catalogue"] and given != ["document", "catalogue"]):
        raise wrong("document", "one of document, yaml and catalogue is needed.", "Give one of them.")
    folder.mkdir(parents=True, mode=0o700)
    try:
        if asked.catalogue is not None:
            _copy(desk, asked.catalogue, folder)
        for number, item in enumerate(asked.files):
            _write(folder, number, item, name_rule)
        text = _text(asked, folder)
        document = governance.text_document(text)
        check_depth(document)
        check_places(document, desk.settings.file.data_roots)
        (folder / "task.yml").write_text(text, encoding="utf-8")
        return text
    except BaseException:
        shutil.rmtree(desk.folder(run), ignore_errors=True)
        raise


def forget(desk, run):
    shutil.rmtree(desk.folder(run), ignore_errors=True)


def _copy(desk, name, folder):
    source = desk.settings.catalogue().get(name)
    if source is None:
        raise wrong("catalogue", say("there is no entry {name}.", name=name), "Take one of GET /api/v1/catalogue.")
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))


def _write(folder, number, item, name_rule):
    field = f"files[{number}]"
    if not name_rule.fullmatch(item.path) or item.path == "task.yml":
        raise wrong(f"{field}.path", "is no name below the task's folder.", "Write a/b.txt: letters, digits, _ . -")
    if (item.text is None) == (item.base64 is None):
        raise wrong(field, "needs text or base64.", "Give one of them.")
    try:
        data = item.text.encode() if item.text is not None else base64.b64decode(item.base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong(
            f"{field}.base64", say("does not decode: {error}.", error=str(error)), "Encode the bytes in base 64."
        ) from error
    path = folder / item.path
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.is_symlink():
        path.unlink()
    path.write_bytes(data)


def _text(asked, folder):
    if asked.yaml is not None:
        return asked.yaml
    if asked.document is not None:
        return json.dumps(asked.document, ensure_ascii=False, indent=1)
    return (folder / "task.yml").read_text(encoding="utf-8")


def check_depth(value, depth=0):
    """Refuse what nests deeper than any task does, before anything walks it."""
    if depth > MAX_DEPTH:
        raise wrong("document", say("nests deeper than {n} levels.", n=MAX_DEPTH), "Write a task as in the schema.")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_depth(item, depth + 1)


def check_places(document, roots):
    """Refuse inputs outside the task's folder and the data roots: a task names no other file of this machine."""
    if not isinstance(document, dict):
        return
    components = document.get("components")
    for number, component in enumerate(components if isinstance(components, list) else ()):
        inputs = component.get("inputs") if isinstance(component, dict) else None
        for place, item in enumerate(inputs if isinstance(inputs, list) else ()):
            uri = item.get("uri") if isinstance(item, dict) else None
            if isinstance(uri, str) and not _allowed(uri, roots):
                field = f"components[{number}].inputs[{place}].uri"
                raise wrong(
                    field,
                    say("{uri} is neither beside the task nor below a data root of this service.", uri=uri),
                    say(
                        "Send the file along, or put it below {roots}.",
                        roots=join(" or ", roots) or words("a folder of data_roots"),
                    ),
                )


def _allowed(uri, roots):
    path = pathlib.PurePosixPath(uri.removeprefix("file://"))
    if "://" in str(uri).removeprefix("file://") or str(path).startswith("~") or "\0" in uri:
        return False
    if not path.is_absolute():
        return ".." not in path.parts
    real = pathlib.Path(path).resolve()
    return any(real.is_relative_to(pathlib.Path(root).resolve()) for root in roots)

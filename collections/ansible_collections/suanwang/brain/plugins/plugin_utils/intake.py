# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task names on disk → facts for the planner: sizes, checksums, and the archive of the code.

Big inputs stay where they are and are named by path and checksum. Code, folders of data as one archive each, and the
parts of an input that has a holdout, are kept in the store, under their checksum.
"""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import tarfile

from ..module_utils import configfile
from ..module_utils.errors import Corrupt
from ..module_utils.errors import Invalid
from ..module_utils.said import say
from .planning.sentences import at_field
from .planning.sentences import differs
from .planning.task import CodeFact
from .planning.task import Facts
from .planning.task import FileFact
from .planning.task import parse

MAX_CODE_MIB = 64
_LEFT_OUT = {"__pycache__", ".git", ".ipynb_checkpoints"}


def read_task(path):
    """Return (Task, its folder, SHA-256 of the file)."""
    path = pathlib.Path(path).expanduser().absolute()
    document = configfile.parse(path)
    try:
        task = parse(document)
    except Invalid as error:
        field = error.details.get("field") or ""
        where = configfile.place(path, _keys(field))
        raise Invalid(at_field(where, error.message), way_out=error.way_out, details=error.details) from error
    return task, path.parent, hashlib.sha256(path.read_bytes()).hexdigest()


def _keys(field):
    keys = []
    for part in field.replace("[", ".[").split("."):
        if part:
            keys.append(int(part[1:-1]) if part.startswith("[") else part)
    return tuple(keys)


def facts(task, folder, store):
    """Return the Facts about every input file and every code folder of a task."""
    inputs, codes = {}, {}
    for component in task.components:
        for number, item in enumerate(component.inputs):
            if item.uri is not None:
                field = f"components[{component.index}].inputs[{number}]"
                inputs[component.id, item.name] = _file(item, folder, store, field)
        if component.code is not None:
            codes[component.id] = _code(component, folder, store)
    return Facts(inputs, codes)


def _local(uri, folder, field):
    text = uri.removeprefix("file://") if uri.startswith("file://") else uri
    if "://" in text:
        raise Invalid(
            at_field(
                f"{field}.uri",
                say("{uri} is not a file here; this version moves files of the controller only.", uri=uri),
            ),
            way_out="Fetch it first and name the file.",
            details={"field": f"{field}.uri"},
        )
    return (folder / pathlib.Path(text).expanduser()).absolute()


def _file(item, folder, store, field):
    path = _local(item.uri, folder, field)
    if path.is_dir():
        return _folder(item, path, store, field)
    if not path.is_file():
        raise Invalid(
            at_field(f"{field}.uri", say("the dataset {path} is not there.", path=str(path))),
            way_out="Correct `uri`; it is relative to the task file.",
            details={"field": f"{field}.uri"},
        )
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    _compare(item, path, found, path.stat().st_size, field)
    kept = held = None
    if item.holdout:
        kept, held = _split(path, item.holdout, store)
    return FileFact(
        uri=item.uri,
        filename=path.name,
        source=str(path),
        sha256=found,
        size=path.stat().st_size,
        kept=kept,
        held=held,
    )


def _folder(item, path, store, field):
    """A folder travels as one archive: thousands of small files would take a round trip each."""
    if item.holdout:
        raise Invalid(
            at_field(
                f"{field}.holdout", say("{path} is a folder, and a holdout takes parts of a file.", path=str(path))
            ),
            way_out="Name the file.",
            details={"field": f"{field}.holdout"},
        )
    with store.new_object() as made:
        pack(path, made, f"{field}.uri", tarfile.GNU_FORMAT)
    _compare(item, path, made.sha256, made.size, field)
    return FileFact(item.uri, f"{path.name}.tar", None, made.sha256, made.size, folder=True)


def _compare(item, path, sha256, size, field):
    for key, stated, real in (("sha256", item.sha256, sha256), ("size", item.size, size)):
        if stated is not None and stated != real:
            raise Corrupt(
                differs(f"{field}.{key}", str(path), key, real, stated),
                way_out="Get the right file, or correct the task.",
                details={"field": f"{field}.{key}"},
            )


def _split(path, holdout, store):
    """Return ((sha256, size) of what may leave, the same of what is withheld)."""
    parts = ([], [])
    with open(path, "rb") as stream:
        for index, line in enumerate(stream):
            if holdout.column:
                left, _comma, column = line.rstrip(b"\r\n").rpartition(b",")
                parts[0].append(left + b"\n")
                parts[1].append(column + b"\n")
            else:
                parts[index % holdout.modulo == holdout.remainder].append(line)
    kept, held = (b"".join(lines) for lines in parts)
    return (store.save_object(kept), len(kept)), (store.save_object(held), len(held))


def _code(component, folder, store):
    root = folder / component.code.path
    field = f"components[{component.index}].code"
    if not (root / component.code.entry).is_file():
        raise Invalid(
            at_field(field, say("{path} is not there.", path=str(root / component.code.entry))),
            way_out="Correct `path` and `entry`; `path` is relative to the task file.",
            details={"field": field},
        )
    data = archive(root, field)
    return CodeFact(str(root), store.save_object(data), len(data))


def archive(root, field="code"):
    """Return the bytes of the archive of a code folder."""
    buffer = io.BytesIO()
    pack(root, buffer, field, tarfile.USTAR_FORMAT, MAX_CODE_MIB, _LEFT_OUT)
    return buffer.getvalue()


def pack(root, stream, field, form, most_mib=None, left_out=frozenset()):
    """Write the archive of a folder: sorted, times 0, no owner, so that equal files are equal bytes."""
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for path in sorted(_files(root, left_out)):
            if path.is_symlink():
                raise Invalid(
                    at_field(field, say("{path} is a symbolic link, which does not travel.", path=str(path))),
                    way_out="Put the file itself into the folder.",
                )
            entry = tarfile.TarInfo(str(path.relative_to(root)))
            entry.size = path.stat().st_size
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            if most_mib and tar.offset + entry.size > most_mib * 2**20:
                raise Invalid(
                    at_field(field, say("the folder {path} holds more than {n} MiB.", path=str(root), n=most_mib)),
                    way_out="Name big files as inputs.",
                )
            with open(path, "rb") as content:
                tar.addfile(entry, content)


def _files(root, left_out):
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        if not left_out.intersection(inside) and (path.is_file() or path.is_symlink()):
            yield path

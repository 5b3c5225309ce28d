# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records ⇄ plain data (JSON types), by converters that are found once a class."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing

from . import resources


def to_plain(record):
    """Return a record as JSON types: dict, list, str, int, float, bool, None."""
    if dataclasses.is_dataclass(record):
        found = {}
        for name, write in _writers(type(record)):
            value = getattr(record, name)
            found[name] = value if write is None or value is None else write(value)
        return found
    if isinstance(record, (list, tuple)):
        return [to_plain(item) for item in record]
    if isinstance(record, dict):
        return {key: to_plain(value) for key, value in record.items()}
    return record


def from_plain(cls, data):
    """Build record class `cls` from JSON types. Unknown keys are ignored: a newer snapshot stays readable."""
    readers, found = _readers(cls), {}
    for name, value in data.items():
        if name in readers:
            read = readers[name]
            found[name] = value if read is None or value is None else read(value)
    return cls(**found)


def prepare():
    """Find the converters of every record class, for processes that are forked from this one."""
    for cls in list(vars(resources).values()):
        if isinstance(cls, type) and dataclasses.is_dataclass(cls):
            _writers(cls)
            _readers(cls)


# What a field's type asks for is found once a class: a fleet has many records of few classes. None: as it is.
_SCALARS = (str, int, float, bool)


@functools.cache
def _writers(cls):
    hints = typing.get_type_hints(cls)
    return tuple((f.name, None if _kind(hints[f.name]) in _SCALARS else to_plain) for f in dataclasses.fields(cls))


@functools.cache
def _readers(cls):
    hints = typing.get_type_hints(cls)
    return {f.name: _reader(_kind(hints[f.name])) for f in dataclasses.fields(cls)}


def _reader(kind):
    if typing.get_origin(kind) is tuple:
        inner = _reader(_kind(typing.get_args(kind)[0]))
        return tuple if inner is None else lambda value: tuple(None if item is None else inner(item) for item in value)
    if dataclasses.is_dataclass(kind):
        return functools.partial(from_plain, kind)
    return None


def _kind(hint):
    """Return a type without `None`; a choice of several stays as it is."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not types.NoneType]
        return options[0] if len(options) == 1 else hint
    return hint

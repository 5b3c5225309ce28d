# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML files checked against our JSON Schemas; errors name file, line and field."""

from __future__ import annotations

import copy
import functools
import json
import pathlib
import pickle
import re
import traceback

from .errors import Invalid

try:
    import yaml
except ImportError:
    yaml = None
    YAML_IMPORT_ERROR = traceback.format_exc()
else:
    YAML_IMPORT_ERROR = None

_BOOL = "tag:yaml.org,2002:bool"
_SCHEMAS = pathlib.Path(__file__).parent / "schemas"

jsonschema = None
if _SCHEMAS.is_dir():  # on a controller: imported here, so that a playbook's forked workers find it done
    try:
        import jsonschema
    except ImportError:
        pass


def parse(path):
    """Return the document in a YAML or JSON file; raise Invalid where it is neither."""
    path = pathlib.Path(path)
    return _parsed(path, _text(path))


def parse_text(text, name):
    """Return the document in YAML or JSON text that came under a name; raise Invalid where it is neither."""
    return _parsed(pathlib.PurePath(name), text)


def schema(name):
    """Return schemas/<name>.json as plain data."""
    return copy.deepcopy(_schema(_SCHEMAS / f"{name}.json"))


def _text(path):
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", way_out="Check the path.") from error
    except UnicodeDecodeError as error:
        raise _no_yaml(path, error) from error


def _parsed(path, text):
    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise _no_yaml(path, error) from error


def _no_yaml(path, error):
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    said = getattr(error, "problem", None) or "the bytes are not UTF-8 text"
    return Invalid(f"{where}: this is not YAML: {said}.", way_out="Correct that line.")


@functools.cache
def _loader():
    """Return a safe loader of YAML 1.2's types: a time stays text, `on` is a word, a key stands once."""

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        def construct_mapping(self, node, deep=False):
            seen = set()
            for key, _value in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    kept = {}
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items():
        kept[first] = [rule for rule in rules if rule[0] not in (_BOOL, "tag:yaml.org,2002:timestamp")]
    Loader.yaml_implicit_resolvers = kept
    Loader.add_implicit_resolver(_BOOL, re.compile("true|True|TRUE|false|False|FALSE"), list("tTfF"))
    return Loader


def read(path, schema):
    """Return a checked document; raise Invalid for the first thing that is wrong.

    The file is read at every call. Only what follows from the same text is kept, and workers inherit it.
    """
    path = pathlib.Path(path)
    return pickle.loads(_checked(path, _text(path), schema))


@functools.lru_cache(maxsize=256)
def _checked(path, text, schema):
    document = _parsed(path, text)
    check(document, schema, path)
    # As bytes: whoever reads it gets one of his own, a fifth of what a deep copy costs.
    return pickle.dumps(document)


def check(document, schema, path):
    """Check a document against schemas/<schema>.json; raise Invalid naming line and field."""
    file = _SCHEMAS / f"{schema}.json"
    if not file.is_file():  # shipped to a gateway, where the controller's check stands
        return
    if jsonschema is None:
        raise Invalid(
            "the Python library jsonschema is missing, so no file can be checked.", way_out="pip install jsonschema"
        )
    validator = _validator()(_schema(file))
    errors = sorted(validator.iter_errors(document), key=lambda e: (list(map(str, e.path)), e.message))
    if errors:
        error = jsonschema.exceptions.best_match(errors)
        field = field_name(error.absolute_path)
        raise Invalid(
            f"{place(path, tuple(error.absolute_path))}: {field or 'the document'}: {sentence(error)}.",
            way_out="Correct that field.",
            details={"field": field},
        )


@functools.cache
def _schema(file):
    return json.loads(file.read_text(encoding="utf-8"))


@functools.cache
def _validator():
    """Return a validator whose `pattern` does not let a line break at the end through, as `$` does in Python."""
    base = jsonschema.Draft202012Validator

    def pattern(validator, wanted, instance, schema):
        if isinstance(instance, str) and instance.endswith("\n") and wanted.endswith("$"):
            yield jsonschema.ValidationError(f"{instance!r} ends with a line break")
        yield from base.VALIDATORS["pattern"](validator, wanted, instance, schema)

    return jsonschema.validators.extend(base, {"pattern": pattern})


def sentence(error):
    """Return a jsonschema error as a readable clause."""
    value, kind = error.instance, error.validator
    if kind == "enum":
        return f"{value!r} is not one of {', '.join(map(str, error.validator_value))}"
    if kind in ("minimum", "maximum", "exclusiveMinimum"):
        word = "at most" if kind == "maximum" else "more than" if kind == "exclusiveMinimum" else "at least"
        return f"{value!r} must be {word} {error.validator_value}"
    if kind == "pattern":
        return f"{value!r} does not match {error.validator_value}"
    return error.message


def field_name(path):
    """Return a path of keys and numbers as ``components[0].framework``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def place(path, keys):
    """Return ``file:line`` of a field, as near as the file tells."""
    try:
        node = yaml.compose(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return str(path)
    line = node.start_mark.line if node else 0
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(key)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            found = [(node.value[key], node.value[key])]
        else:
            break
        if not found:
            break
        line = found[0][0].start_mark.line
        node = found[0][1]
    return f"{path}:{line + 1}"

"""The tree as the structure tests read it: text and syntax only, nothing is imported."""

import ast
import functools
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "collections/ansible_collections/suanwang/brain"
MODULE_UTILS = f"{COLLECTION}/plugins/module_utils"
UNTRACKED = {"__pycache__", "node_modules", ".venv", ".cache", ".git", ".ansible", ".hypothesis", "output"}


def files(root, folder="", *suffixes):
    """The files below a folder, relative to the root, without what tools leave behind."""
    for place, folders, names in os.walk(Path(root, folder)):
        folders[:] = sorted(set(folders) - UNTRACKED)
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and (not suffixes or path.suffix in suffixes):
                yield path.relative_to(root)


def stems(root, folder):
    """The names of the Python files of a folder, without `__init__`."""
    return {path.stem for path in Path(root, folder).glob("*.py")} - {"__init__"}


def syntax(root, path):
    return _parsed(Path(root, path).read_text(encoding="utf-8"))


# Each planted line is looked for in a copy of the tree, in which all other files are the same.
@functools.cache
def _parsed(text):
    return ast.parse(text)


def imports(root, path):
    """Return (line, dots, dotted name) of every import, `from x import y` as `x.y`."""
    return _imports(Path(root, path).read_text(encoding="utf-8"))


@functools.cache
def _imports(text):
    found = []
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, 0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.append((node.lineno, node.level, ".".join(filter(None, [node.module, alias.name]))))
    return found


def words(root, path):
    """Yields (line, word) of identifiers and strings, without docstrings and documentation."""
    tree = syntax(root, path)
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
            "DOCUMENTATION",
            "EXAMPLES",
            "RETURN",
        ):
            silent.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr

"""The tree as the structure tests read it: text and syntax only, nothing is imported."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "collections/ansible_collections/suanwang/brain"
MODULE_UTILS = f"{COLLECTION}/plugins/module_utils"
UNTRACKED = {"__pycache__", "node_modules", ".venv", ".cache", ".git", ".ansible", ".hypothesis", "output"}


def files(root, folder="", *suffixes):
    """The files below a folder, relative to the root, without what tools leave behind."""
    for path in sorted(Path(root, folder).rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not UNTRACKED & set(relative.parts):
            if not suffixes or path.suffix in suffixes:
                yield relative


def stems(root, folder):
    """The names of the Python files of a folder, without `__init__`."""
    return {path.stem for path in Path(root, folder).glob("*.py")} - {"__init__"}


def syntax(root, path):
    return ast.parse(Path(root, path).read_text(encoding="utf-8"), str(path))


def imports(root, path):
    """Yields (line, dots, dotted name) of every import, `from x import y` as `x.y`."""
    for node in ast.walk(syntax(root, path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, node.level, ".".join(filter(None, [node.module, alias.name]))


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

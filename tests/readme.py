"""Parts of both READMEs that a program writes, each between two comments."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = ("README.md", "README.zh-CN.md")


def text(name):
    return (ROOT / name).read_text("utf-8")


def with_part(whole, part, body):
    """Return a README's text with `body` as its part, e.g. ``verbs``, which ``python -m tests.verbs_table`` writes."""
    begin, end = f"<!-- {part}: python -m tests.{part}_table -->", f"<!-- /{part} -->"
    before, rest = whole.split(begin)
    _old, after = rest.split(end)
    return f"{before}{begin}\n{body}\n{end}{after}"


def write(part, bodies):
    """Write a part of every README. bodies: README → text."""
    for name, body in bodies.items():
        whole = with_part(text(name), part, body)
        (ROOT / name).write_text(whole, "utf-8")

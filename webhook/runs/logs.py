"""What a launch said, for people: its log, from any place on, and never more than a page takes."""

from __future__ import annotations

from . import folder

MOST = 400_000


def text(settings, launch_id, most=MOST):
    """Return the end of a launch's log; a sentence stands for what is left out."""
    path = folder.of(settings, launch_id) / "log.txt"
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - most))
            found = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return f"[{size - most} bytes before this are left out]\n{found}" if size > most else found

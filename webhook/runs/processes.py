"""Processes by what the kernel says of them. Linux only, as the rest of the project."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import signal
import time

MARK = "SUANWANG_LAUNCH"
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """Orphans below us become our children, so that we can end them."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents():
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                found[int(path.parent.name)] = int(fields[1])
    return found


def children(pid):
    return [child for child, parent in _parents().items() if parent == pid]


def descendants(pid):
    """Return every living process below pid, the nearest first."""
    parents, found, ring = _parents(), [], [pid]
    while ring:
        ring = [child for child, parent in parents.items() if parent in ring]
        found += ring
    return found


def marked(launch_id):
    """Return the processes of this user that carry a launch's mark in their environment."""
    wanted, found = f"{MARK}={launch_id}".encode(), []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


def kill_marked(launch_id, seconds=10.0):
    """Kill what is left of a launch; return how many processes there were. Forks made meanwhile are found again."""
    until, count = time.monotonic() + seconds, 0
    while (left := marked(launch_id)) and time.monotonic() < until:
        count = max(count, len(left))
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return count

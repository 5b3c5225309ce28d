# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A claim is a lease on a run: one playbook process drives it at a time.

{holder, host, boot_id, pid, start_ticks, until}. It is replaced under a short lock when that process is dead or,
on another host, when `until` has passed; every write and every poll renews it.
"""

from __future__ import annotations

import getpass
import json
import os
import pathlib
import socket

from ..module_utils.errors import Conflict
from .clock import after
from .clock import now

LEASE_S = 300
_IDENTITY = ("host", "boot_id", "pid", "start_ticks")


def boot_id():
    """Return what names this boot of the kernel."""
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid):
    """Return a process's start time in clock ticks since boot, or None where there is no living process."""
    try:
        # The command name may hold spaces and brackets: count from the last one.
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def holder():
    """Return who runs this process, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's uid may have no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def identity(pid):
    """Return {host, boot_id, pid, start_ticks}: a process, and no later one with the same number."""
    return {"host": socket.gethostname(), "boot_id": boot_id(), "pid": pid, "start_ticks": start_ticks(pid)}


def _mine(pid):
    return {
        "holder": holder(),
        **identity(pid),
        "until": after(now(), LEASE_S),
    }


def _is(held, mine):
    # A process id alone says nothing: it comes back on the same host, and is small in every container.
    return held is not None and all(held.get(key) == mine[key] for key in _IDENTITY)


def _alive(claim):
    if claim["host"] == socket.gethostname() and claim["boot_id"] == boot_id():
        return claim["start_ticks"] is not None and start_ticks(claim["pid"]) == claim["start_ticks"]
    return claim["until"] > now()


def _read(path):
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def living(store, run):
    """Return the claim of a process that drives a run now, or None."""
    held = _read(store.run_dir(run) / "claim")
    return held if held and _alive(held) else None


def take(store, run, pid):
    """Claim a run for the playbook process `pid`; raise Conflict where a live one holds it."""
    path, mine = store.run_dir(run) / "claim", _mine(pid)
    with store.lock(run):
        held = _read(path)
        if held and not _is(held, mine) and _alive(held):
            raise Conflict(
                f"run {run} is being applied by {held['holder']}, process {held['pid']} on {held['host']}.",
                way_out="Wait for it, or read its journal.",
            )
        store.write(path, json.dumps(mine).encode())


def renew(store, run, pid):
    """Move `until` on; raise Conflict where somebody else has taken the run meanwhile."""
    path, mine = store.run_dir(run) / "claim", _mine(pid)
    held = _read(path)
    if _is(held, mine) and held["until"] >= after(now(), LEASE_S // 2):
        return
    with store.lock(run):
        if not _is(_read(path), mine):
            raise Conflict(f"run {run} was taken over; this process stops.")
        store.write(path, json.dumps(mine).encode())


def release(store, run, pid):
    """Give a claim of ours back; somebody else's is left alone."""
    path = store.run_dir(run) / "claim"
    with store.lock(run):
        if _is(_read(path), _mine(pid)):
            path.unlink()

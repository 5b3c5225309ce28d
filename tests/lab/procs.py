"""Processes remembered by pid *and* start ticks, so that a reused pid is never taken for ours.

Linux only: everything is read from /proc (proc_pid_stat(5), field 22 is the start time in ticks).
"""

import json
import os
import signal
import time
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Return the start time of `pid` in clock ticks since boot, None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended: only its parent has not asked yet.
    return None if fields[0] in "ZX" else int(fields[19])


def remember(path: Path, pid: int) -> None:
    """Write the identity of a child to `path`, by rename.

    Never one's own: an emulator (qemu-user) answers /proc/self/stat itself, with other ticks than everybody else sees.
    """
    note(path, pid=pid, ticks=start_ticks(pid))


def note(path: Path, **facts) -> None:
    """Write `facts` as JSON in one step."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(facts))
    part.replace(path)


def recall(path: Path) -> dict | None:
    """Return what `remember` wrote if that very process still lives, else None."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if start_ticks(found["pid"]) == found["ticks"] else None


def alive(pid: int, ticks: int) -> bool:
    return start_ticks(pid) == ticks


def wait_gone(pid: int, ticks: int, seconds: float) -> bool:
    """Wait until that process has ended; False if it has not within `seconds`."""
    until = time.monotonic() + seconds
    while alive(pid, ticks):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def marked(mark: str) -> list[int]:
    """Return the pids whose environment holds the entry `mark` ("NAME=value"), not our own."""
    wanted, found = b"\0" + os.fsencode(mark) + b"\0", []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            environment = Path(f"/proc/{entry}/environ").read_bytes()
        except OSError:  # another user's, or just gone
            continue
        if wanted in b"\0" + environment + b"\0" and start_ticks(int(entry)) is not None:
            found.append(int(entry))
    return found


def kill_marked(mark: str, seconds: float = 5.0) -> list[int]:
    """SIGKILL everything that carries `mark` until nothing is left; return the pids that were there.

    A job may start children and leave its session; its environment is what it cannot easily shed
    (the same rule as the clean-up of real Slurm's slurmstepd).
    """
    seen: list[int] = []
    until = time.monotonic() + seconds
    while pids := marked(mark):
        seen += [pid for pid in pids if pid not in seen]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if time.monotonic() > until:
            raise RuntimeError(f"processes {pids} do not end")
        time.sleep(0.01)
    return seen

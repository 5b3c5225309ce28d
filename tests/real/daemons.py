"""Daemons of one folder: started in the foreground, remembered by pid and start ticks, all stopped at the end.

A daemon dies with the test process that started it (``setpriv --pdeathsig``, which means the *thread* that did:
start them from one that lives as long as they shall). What a killed test run left is swept at the next start.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.lab import procs

READY_S = 60
STOP_S = 15
PREFIX = "swb-real-"


class DaemonError(Exception):
    """A daemon did not come up; the message holds the end of its log."""


def make_folder():
    """Return a fresh folder with a short name (sockets), after sweeping those whose owner is dead."""
    root = Path(tempfile.gettempdir())
    for path in root.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid == os.geteuid() and (path / "owner.json").exists():
                if procs.recall(path / "owner.json") is None:
                    sweep(path)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    procs.remember(folder / "owner.json", os.getpid())
    return folder


def sweep(folder):
    """Kill every process that carries a configuration of `folder` in its environment, and remove the folder."""
    for conf in folder.glob("*/etc/slurm.conf"):
        procs.kill_marked(f"SLURM_CONF={conf}")
    procs.kill_marked(f"SWB_REAL={folder}")
    shutil.rmtree(folder, ignore_errors=True)


def wait(what, question, seconds=READY_S, tail=lambda: ""):
    """Ask until the answer is true, and return it; DaemonError after `seconds`."""
    until = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > until:
            raise DaemonError(f"{what}: not in {seconds} s\n{tail()}")
        time.sleep(0.05)
    return answer


def listens(port):
    """Does something listen at this port of loopback?"""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


class Daemons:
    """The daemons of one folder, by name."""

    def __init__(self, folder, environment):
        self.folder, self.environment = Path(folder), environment
        self._running: dict[str, tuple[subprocess.Popen, int]] = {}
        self._commands: dict[str, tuple] = {}

    def log(self, name):
        return self.folder / f"{name}.log"

    def tail(self, name, lines=15):
        with contextlib.suppress(OSError):
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def start(self, name, *command, **environment):
        """Start a daemon in the foreground; without a command, as it was started before."""
        if command:
            self._commands[name] = ([str(word) for word in command], environment)
        words, extra = self._commands[name]
        with open(self.log(name), "ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *words], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**self.environment, **extra}, start_new_session=True,
            )  # fmt: skip
        self._running[name] = process, procs.start_ticks(process.pid)

    def wait(self, name, question, seconds=READY_S):
        """Wait until `question` is answered yes; DaemonError with the log where it is late or the daemon ended."""

        def asked():
            process, _ticks = self._running[name]
            if process.poll() is not None:
                raise DaemonError(f"{name} ended with {process.returncode}:\n{self.tail(name)}")
            return question()

        return wait(name, asked, seconds, lambda: self.tail(name))

    def runs(self, name):
        return name in self._running and self._running[name][0].poll() is None

    def signal(self, name, number):
        """Send a signal to a daemon, if it is still the one that was started."""
        process, ticks = self._running[name]
        if process.poll() is None and procs.alive(process.pid, ticks):
            os.kill(process.pid, number)

    def stop(self, *names, seconds=STOP_S):
        """SIGTERM to all of those, wait, SIGKILL what is left."""
        names = [name for name in names if name in self._running]
        for name in names:
            self.signal(name, signal.SIGTERM)
        until = time.monotonic() + seconds
        for name in names:
            process, _ticks = self._running[name]
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.signal(name, signal.SIGKILL)
                process.wait(10)
            del self._running[name]

    def names(self):
        return list(self._running)

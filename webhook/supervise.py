"""Keeps the web process and the launcher running, and starts again whichever dies. For one machine without systemd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

PARTS = ("serve", "launcher")
STOP_S = 15


class Supervisor:
    """Both processes as children of this one."""

    def __init__(self):
        self._over = threading.Event()
        self._running = {}

    def run(self):
        """Work until SIGTERM or SIGINT; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_unused: self._over.set())
        born = {}
        while not self._over.is_set():
            for part in PARTS:
                child = self._running.get(part)
                if child is not None and child.poll() is None:
                    continue
                if child is not None:
                    print(f"webhook: {part} ended with {child.returncode}, starting it again", file=sys.stderr)
                    if time.monotonic() - born[part] < 2:
                        self._over.wait(1)
                born[part] = time.monotonic()
                command = [sys.executable, "-m", "webhook", part, "--with-parent", str(os.getpid())]
                self._running[part] = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            self._over.wait(0.1)
        self._stop()
        return 0

    def _stop(self):
        for child in self._running.values():
            child.terminate()
        until = time.monotonic() + STOP_S
        for child in self._running.values():
            try:
                child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

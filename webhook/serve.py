"""gunicorn with threads, in one process: a watcher of a run holds a thread for its life, so there are many."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from gunicorn.app.base import BaseApplication

SPARE_THREADS = 24
_PR_SET_PDEATHSIG = 1


class Server(BaseApplication):
    """The web process."""

    def __init__(self, settings, make):
        self._settings, self._make = settings, make
        super().__init__()

    def load_config(self):
        here = self._settings
        host = f"[{here.host}]" if ":" in here.host else here.host
        for name, value in {
            "bind": f"{host}:{here.port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": here.file.limits.watchers + SPARE_THREADS,
            "graceful_timeout": 3,
            "timeout": 60,
            "keepalive": 5,
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,
            "proc_name": "suanwang-webhook",
            "loglevel": "warning",
            "control_socket_disable": True,
        }.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self):
        return self._make(self._settings)


def end_with(parent):
    """Ask the kernel for a SIGTERM when the process that started us dies; parent: its id, as it says itself."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that started this one is gone")

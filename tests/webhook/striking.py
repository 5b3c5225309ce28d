"""Kills processes of a service, at random: by what the kernel says they are, and only those of one store."""

import contextlib
import os
import random
import signal
import subprocess
import threading
from pathlib import Path

from tests.lab.service import ServiceError

PARTS = {
    "web": b"webhook\0serve",
    "launcher": b"webhook\0launcher",
    "run process": b"webhook.runs.",
    "playbook": b"ansible-playbook",
    "planner": b"webhook.planner.worker",
    "supervisor": b"webhook\0up",
}


def processes(state):
    """Return part → living process ids of the service over a store."""
    mark, found = f"SUANWANG_STATE={state}".encode(), {part: [] for part in PARTS}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (path / "cmdline").read_bytes()
            part = next((part for part, word in PARTS.items() if word in line), None)
            if part is None:
                continue
            if mark in (path / "environ").read_bytes().split(b"\0") or str(state).encode() in line:
                found[part].append(int(path.name))
    return found


class Striker(threading.Thread):
    """Kills one process every so often until it is stopped; a dead supervisor is started again, as an init would.

    longest_s: the longest pause. About what one approval takes undisturbed: shorter, and a slow machine only restarts.
    """

    def __init__(self, services, seed, longest_s):
        super().__init__(daemon=True)
        self.services, self.dice, self.longest_s = services, random.Random(seed), longest_s
        self.over, self.kills = threading.Event(), {part: 0 for part in PARTS}

    def run(self):
        while not self.over.wait(self.dice.uniform(0.05, self.longest_s)):
            self.strike()
            self.revive()

    def strike(self):
        part = self.dice.choice(list(PARTS))
        victims = sorted(processes(self.services[0].state)[part])
        if victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.dice.choice(victims), signal.SIGKILL)
                self.kills[part] += 1

    def revive(self):
        """Start again what died, and wait until it answers: a slow machine never got to the moments that matter."""
        for service in self.services:
            for _again in range(5):
                try:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        service.process.wait(0.2)
                        service.launch()
                    service.wait_ready()
                    break
                except ServiceError:
                    continue

    def stop(self):
        self.over.set()
        self.join()
        self.revive()

"""Who is connected to whom, as the kernel says: sampled, since connections are short."""

import contextlib
import os
import threading
import time
from pathlib import Path

from tests.webhook.striking import processes


def connections(pids):
    """Return the remote (address, port) of every TCP connection of these processes."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    name = os.readlink(entry)
                    if name.startswith("socket:["):
                        inodes.add(name[8:-1])
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            address, port = fields[2].split(":")
            found.add((".".join(str(byte) for byte in bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


class Watch(threading.Thread):
    """Notes the peers of each part of a service until it is stopped: part → {(address, port)}."""

    def __init__(self, state):
        super().__init__(daemon=True)
        self.state, self.over, self.seen, self.samples = state, threading.Event(), {}, 0

    def run(self):
        found, known_at = {}, 0.0
        while not self.over.wait(0.005):
            if time.monotonic() - known_at > 0.2:
                found, known_at = processes(self.state), time.monotonic()
            for part, pids in found.items():
                if pids:
                    self.seen.setdefault(part, set()).update(connections(pids))
            self.samples += 1

    def stop(self):
        self.over.set()
        self.join()

"""The folder of a launch: what launcher and run process tell each other, and nothing secret.

``spec.json`` what to run; ``lock`` held by the living run process; ``started`` one line an attempt; ``cancel`` asks it
to end; ``events.jsonl`` and ``log.txt`` what it said; ``result.json`` written last, by rename.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import tempfile
import time

from ansible_collections.suanwang.brain.plugins.module_utils import names


class Folder:
    """One launch on disk."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def __truediv__(self, name):
        return self.path / name

    def make(self, spec):
        """Lay the folder out; harmless when it is there."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.write("spec.json", spec)

    def write(self, name, value):
        """Write a JSON file by rename."""
        handle, part = tempfile.mkstemp(dir=self.path, prefix=".part-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, self.path / name)

    def read(self, name):
        """Return a JSON file, or None where it is not there."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def take_lock(self):
        """Return the open lock, held until this process dies, or None where another process holds it."""
        stream = open(self.path / "lock", "ab")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.close()
            return None
        return stream

    @property
    def alive(self):
        """Whether a run process holds the lock now."""
        if not (self.path / "lock").exists():
            return False
        stream = self.take_lock()
        if stream is None:
            return True
        stream.close()
        return False

    def cancel(self):
        with contextlib.suppress(FileNotFoundError):
            (self.path / "cancel").touch()

    @property
    def attempts(self):
        with contextlib.suppress(FileNotFoundError):
            return len((self.path / "started").read_text().splitlines())
        return 0


def of(settings, launch_id):
    return Folder(settings.folder / "launches" / launch_id)


def new_id():
    """Return a ULID in lower case."""
    return names.new_run(time.time() * 1000)

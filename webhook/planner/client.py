"""The planner as the service sees it: a process of its own, started at first use, killed when it is late."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time

from ansible_collections.suanwang.brain.plugins.module_utils import errors
from ansible_collections.suanwang.brain.plugins.module_utils import said
from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from ..config import CHECKOUT

CLASSES = {
    one.code: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.BrainError)
}


def _error(plain):
    """Return the error that the worker sent, with sentences that a page can translate."""
    made = CLASSES.get(plain["code"], errors.BrainError)
    return made(
        said.from_plain(plain["message"]), site=plain["site"], way_out=said.from_plain(plain["way_out"]),
        details={**plain["details"], "problems": [
            {"field": one["field"], **{name: said.from_plain(one[name]) for name in ("message", "way_out")}}
            for one in plain["details"].get("problems", ())
        ]},
    )  # fmt: skip


class Planner:
    """One planning process, one request at a time; whoever comes meanwhile waits."""

    def __init__(self, settings):
        self._settings = settings
        self._lock = threading.Lock()
        self._process = None
        self._owner = None

    def ask(self, verb, **request):
        """Return the worker's result; raise the BrainError that it said, Timeout where it said nothing in time."""
        with self._lock:
            line = json.dumps({"verb": verb, **request}, ensure_ascii=False)
            answer = self._exchange(line.encode() + b"\n")
        if answer["ok"]:
            return answer["result"]
        raise _error(answer["error"])

    def close(self):
        with self._lock:
            self._stop()

    def _exchange(self, line):
        until = time.monotonic() + self._settings.file.limits.plan_s
        for attempt in (1, 2):
            process = self._started()
            try:
                process.stdin.write(line)
                process.stdin.flush()
                return json.loads(self._line(process, until))
            except (BrokenPipeError, EOFError) as error:
                self._stop()
                if attempt == 2:
                    raise errors.BrainError("the planning process died twice.", way_out="Read its log.") from error
            except TimeoutError as error:
                self._stop()
                raise errors.Timeout(
                    say("planning took longer than {n} s.", n=self._settings.file.limits.plan_s),
                    way_out="Ask for less at once, or raise limits.plan_s in webhook.yml.",
                ) from error
        raise AssertionError("unreachable")

    def _line(self, process, until):
        parts = []
        while not parts or not parts[-1].endswith(b"\n"):
            ready, _w, _x = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(process.stdout.fileno(), 1 << 20)
            if not part:
                raise EOFError
            parts.append(part)
        return b"".join(parts)

    def _started(self):
        if self._process is not None and (self._process.poll() is not None or self._owner != os.getpid()):
            self._stop()
        if self._process is None:
            self._owner = os.getpid()
            environment = {
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": os.environ.get("HOME", "/"),
                "LANG": "C.UTF-8",
                "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "collections")]),
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "webhook.planner.worker", self._settings.state, self._settings.config],
                cwd=CHECKOUT, env=environment, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        return self._process

    def _stop(self):
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            stream.close()
        if self._owner == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()

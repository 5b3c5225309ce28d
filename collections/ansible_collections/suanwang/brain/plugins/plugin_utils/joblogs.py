# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of a run's jobs, read at their sites while they run."""

from __future__ import annotations

import queue
import threading

from ..module_utils.errors import BrainError
from ..module_utils.jobfile import Layout
from ..module_utils.verbs.look import files_of
from .console import printable

POLL_S = 2.0
FIRST_LINES = 20
#: How long the rest of a log is waited for at the end.
LAST_S = 5.0


class JobLogs:
    """Follows the journal's events, and reads the log of each job that they show as under way.

    A thread a job: a site that does not answer keeps nobody else waiting. `lines` is a queue of text.
    """

    def __init__(self, config, plan):
        self.lines = queue.SimpleQueue()
        self._config, self._plan = config, plan
        self._jobs = {}
        self._threads = []

    def take(self, event):
        """Take one event of the journal."""
        job = self._jobs.setdefault(event.get("component"), {"site": None, "attempt": 1, "running": False})
        kind = event["event"]
        if kind == "placed" and not event.get("error"):
            job |= {"site": event["site"], "endpoint": event["endpoint"]}
            job["running"] = event.get("found", False) and event.get("state") not in (None, "succeeded", "failed")
        elif kind == "submitted":
            job |= {"attempt": event["attempt"], "running": True}
        elif kind == "end":
            job["running"] = False

    def running(self):
        """Return the ids of the components whose jobs are under way."""
        return [name for name, job in self._jobs.items() if job["running"] and job["site"]]

    def finish(self):
        """Let every reader read the rest, and end; where there never was one, read each running job's log once."""
        if not self._threads:
            for name in self.running():
                _Reader(self, name).read()
        for job in self._jobs.values():
            if "over" in job:
                job.pop("over").set()
        for thread in self._threads:
            thread.join(timeout=LAST_S)

    def follow(self):
        """See that each running job has a reader, and that readers of ended jobs read the rest and end."""
        for name, job in self._jobs.items():
            if job["running"] and job["site"] and "over" not in job:
                job["over"] = threading.Event()
                self._threads.append(
                    threading.Thread(target=_Reader(self, name).follow, args=(job["over"],), daemon=True)
                )
                self._threads[-1].start()
            elif not job["running"] and "over" in job:
                job.pop("over").set()

    def open_file(self, name):
        """Return (ssh.Files, path) of a component's log."""
        job = self._jobs[name]
        platform = self._config.platform(job["site"], job["endpoint"], self._plan["tenant"])
        files = files_of(platform, {"run": self._plan["run"], "component": name})
        return files, Layout(files.root(), self._plan["run"], name, job["attempt"]).log


class _Reader:
    def __init__(self, logs, name):
        self._logs, self._name = logs, name
        self._file, self._position, self._error = None, None, None

    def read(self):
        """Put what is new into the queue; what keeps us from it is said once."""
        try:
            self._file = self._file or self._logs.open_file(self._name)
            files, path = self._file
            first = self._position is None
            text, self._position = files.more(path, self._position)
        except BrainError as error:
            if str(error) != self._error:
                self._error = str(error)
                self._logs.lines.put(f"{self._name}: its log cannot be read now: {error}")
            return
        self._error = None
        lines = text.splitlines()
        for line in lines[-FIRST_LINES:] if first else lines:
            self._logs.lines.put(f"{self._name} | {printable(line)}")

    def follow(self, over):
        while not over.wait(POLL_S if self._file else 0):
            self.read()
        self.read()

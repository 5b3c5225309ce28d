"""What a playbook says, as two files of the launch: its log for people, its events for programs; and what it leaves."""

from __future__ import annotations

import json
import re

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_KEPT = ("playbook_on_task_start", "runner_on_ok", "runner_on_failed", "runner_on_unreachable", "verbose")


class Follower:
    """Appends events as ansible-runner makes them. It must be quick: a slow handler slows the playbook.

    ended: whether the playbook came to its own end, good or bad. stats: what set_stats left then.
    """

    def __init__(self, folder):
        self._log = open(folder / "log.txt", "a", encoding="utf-8")
        self._events = open(folder / "events.jsonl", "a", encoding="utf-8")
        self.ended, self.stats = False, {}

    def event(self, event):
        if event.get("stdout"):
            self.say(_ANSI.sub("", event["stdout"]).replace("\r", ""))
        data = event.get("event_data") or {}
        if event["event"] == "playbook_on_stats":
            self.ended, self.stats = True, data.get("artifact_data") or {}
        if event["event"] in _KEPT:
            line = {"event": event["event"], "at": event.get("created"), "host": data.get("host")}
            line["task"] = (data.get("task") or "")[:200]
            self._events.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._events.flush()
        return False  # no file an event

    def say(self, text):
        self._log.write(text + "\n")
        self._log.flush()

    def close(self):
        self._log.close()
        self._events.close()

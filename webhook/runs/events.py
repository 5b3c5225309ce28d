"""The journal of a run as a stream of server-sent events. The id of an event is where it ends in the journal."""

from __future__ import annotations

import json
import threading
import time

BEAT_S = 15.0
POLL_S = 0.25
#: How often the task's state is asked for: it is a query, and there may be a hundred watchers.
STATE_S = 1.0
MOST = 1 << 20


class Watchers:
    """How many streams there are: each holds a thread of ours for its life."""

    def __init__(self, most):
        self._free = threading.BoundedSemaphore(most)

    def enter(self):
        """Return whether one more may watch."""
        return self._free.acquire(blocking=False)

    def leave(self):
        self._free.release()


def read(path, position):
    """Return ([(end, event)], position) of the whole lines from a place on."""
    try:
        with open(path, "rb") as stream:
            stream.seek(position)
            data = stream.read(MOST)
    except FileNotFoundError:
        return [], position
    found = []
    whole = data[: data.rfind(b"\n") + 1]
    for line in whole.splitlines(keepends=True):
        position += len(line)
        try:
            event = json.loads(line)
        except ValueError:
            continue  # cut by a crash
        if isinstance(event, dict):
            found.append((position, event))
    return found, position


def stream(path, state, position=0, seconds=3600.0):
    """Yield text of server-sent events: `journal` for each line, `state` when the task's state changes.

    state: a function that returns the task's state and whether it is an end. Ends with event `end`, or after a time:
    the browser comes back with Last-Event-ID.
    """
    yield "retry: 2000\n\n"
    until, beat, asked, known, ended = time.monotonic() + seconds, time.monotonic(), 0.0, None, False
    while time.monotonic() < until:
        moment = time.monotonic()
        if moment - asked >= STATE_S:  # before the journal is read: what was written before the end is not missed
            asked, (now, ended) = moment, state()
        found, position = read(path, position)
        for end, event in found:
            yield f"id: {end}\nevent: journal\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
        if now != known:
            known = now
            yield f"event: state\ndata: {json.dumps({'state': now})}\n\n"
        if ended and not found:
            yield f"event: end\ndata: {json.dumps({'state': now})}\n\n"
            return
        if found:
            beat = moment
        elif moment - beat > BEAT_S:
            beat = moment
            yield ": beat\n\n"
        time.sleep(POLL_S)

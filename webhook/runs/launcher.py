"""The launcher: claims rows, starts run processes, adopts what others left, and writes down how each ended.

Everything it needs to know is in the database and in the launch folders, so that it can die at any moment: the next
one finds a row that is claimed or running, and from the folder's lock and result what became of it.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from .. import database
from ..config import CHECKOUT
from ..models import Launch
from ..states import LAUNCH_ENDS
from . import folder
from . import processes
from . import specs
from . import turns
from .ends import broke_off
from .ends import finish

log = logging.getLogger(__name__)
TICK_S = 0.2
#: A watch that ended is begun again at once; one that ends at once, not oftener than this.
WATCH_AGAIN_S = 30
LEASE_S = 60
#: How often a launch is begun before it is given up; running again is the resume.
ATTEMPTS = 5
#: A playbook mostly waits, and needs a core while it begins.
CONCURRENT = 4 * (os.cpu_count() or 1)


class Launcher:
    """One process. often, seldom: chores, functions of no argument, called between steps; slow: in their own thread.

    concurrent: how many launches it runs at once.
    """

    def __init__(self, settings, db, often=(), seldom=(), slow=(), concurrent=CONCURRENT):
        self.settings = settings
        self.db = db
        self.often, self.seldom, self.slow = often, seldom, slow
        self.concurrent = concurrent
        self.holder = claim.identity(os.getpid())
        self._started = {}
        self._over = threading.Event()
        self._seldom_at = self._reading_at = 0.0

    # -- life --------------------------------------------------------------------------------------------
    def serve(self):
        """Work until SIGTERM or SIGINT. Run processes go on without us."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_unused: self._over.set())
        log.info("the launcher begins", extra={"pid": os.getpid()})
        threading.Thread(target=self._do_slow, daemon=True).start()
        while not self._over.is_set():
            busy = self._guarded(self.step)
            for chore in self.often:
                self._guarded(chore)
            if time.monotonic() - self._reading_at > 1:
                self._reading_at = time.monotonic()
                self._guarded(self._read_in_time)
            if time.monotonic() - self._seldom_at > 5:
                self._seldom_at = time.monotonic()
                for chore in self.seldom:
                    self._guarded(chore)
            self._over.wait(0 if busy else TICK_S)
        self._guarded(self._stop_watching)

    def _do_slow(self):
        while not self._over.wait(1):
            for chore in self.slow:
                self._guarded(chore)

    def _guarded(self, work):
        try:
            return work()
        except Exception:  # one bad row, or a database that is away, must not end the launcher
            log.exception("a step of the launcher failed")
            self._over.wait(1)
            return None

    def step(self):
        """Look at every open launch once, then claim at most one; return whether one was claimed."""
        with self.db.read() as session:
            query = select(Launch).where(Launch.state.in_(("claimed", "running")))
            rows = list(session.scalars(query))
        for row in rows:
            if self._is_mine(row):
                self._look(row)
        if sum(row.kind not in specs.READING for row in rows) >= self.concurrent:
            return False
        return self._claim()

    # -- claiming ----------------------------------------------------------------------------------------
    def _claim(self):
        now = clock.now()
        with self.db.write() as session:
            kinds = ("release", "retire", *specs.CHECKS, *specs.READING) if _paused(session) else specs.KINDS
            waiting = database.queued(session, kinds)
            mine = {tenant for _id, kind, _priority, tenant in waiting if kind == turns.TAKES}
            shares = turns.shares(session, mine, now) if len(waiting) > 1 else {}
            row = database.first_free(session, turns.order(waiting, shares))
            if row is None:
                return False
            database.move(
                session, row, "claim", now, holder=self.holder, lease_until=clock.after(now, LEASE_S),
                attempts=row.attempts + 1,
            )  # fmt: skip
        self._begin(row)
        return True

    def _begin(self, row):
        place = folder.of(self.settings, row.id)
        place.make(specs.spec(self.settings, row))
        with open(place / "process.log", "ab") as log_:
            self._started[row.id] = subprocess.Popen(
                [sys.executable, "-m", specs.program(self.settings), str(place.path)],
                cwd=CHECKOUT, env=specs.environment(self.settings, row), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log_, stderr=log_,
            )  # fmt: skip

    # -- following ---------------------------------------------------------------------------------------
    def _is_mine(self, row):
        """Whether this row is ours to look after: our own, of a dead launcher of this host, or its lease is over."""
        held = row.holder or {}
        if held == self.holder:
            return True
        if (held.get("host"), held.get("boot_id")) == (self.holder["host"], self.holder["boot_id"]):
            return claim.start_ticks(held["pid"]) != held["start_ticks"]
        return (row.lease_until or "") < clock.now()

    def _look(self, row):
        place, child = folder.of(self.settings, row.id), self._started.get(row.id)
        running = child is not None and child.poll() is None
        if child is not None and not running:
            del self._started[row.id]
        if place.alive or running:
            self._is_alive(row, place)
            return
        result = place.read("result.json")  # after the lock was seen free: written before it was let go
        if row.state == "claimed" and place.attempts:
            self._move(row, "start", started_at=row.started_at or clock.now())
        if result is not None and not _was_killed(result) and not broke_off(self.settings, row, result):
            finish(self.settings, self.db, row, result)
            return
        self._died(row, place)

    def _is_alive(self, row, place):
        now = clock.now()
        if row.state == "claimed" and place.attempts:
            self._move(row, "start", started_at=row.started_at or now)
        if row.cancel_at:
            place.cancel()
        if row.holder != self.holder or (row.lease_until or "") < clock.after(now, LEASE_S // 2):
            with self.db.write() as session:
                fresh = database.locked(session, Launch, row.id)
                fresh.holder, fresh.lease_until = self.holder, clock.after(now, LEASE_S)

    def _died(self, row, place):
        """Nobody holds the lock and there is no result: clear away what is left, and begin again or give up."""
        killed = processes.kill_marked(row.id)
        self._over.wait(min(5, row.attempts - 1))  # what dies at once is not begun again at once
        log.warning("launch %s died in state %s, %d processes were left of it", row.id, row.state, killed)
        if (place / "result.json").exists():
            (place / "result.json").rename(place / f"killed-{row.attempts}.json")
        if row.cancel_at or row.attempts >= ATTEMPTS:
            result = {"exit_code": None, "cancelled": bool(row.cancel_at), "lost": not row.cancel_at}
            finish(self.settings, self.db, row, result)
            return
        self._move(row, "requeue", holder=None, lease_until=None)

    def _move(self, row, event, **changes):
        with self.db.write() as session:
            fresh = database.locked(session, Launch, row.id)
            if fresh.state != row.state:
                raise database.Stale(f"launch {row.id} was moved by somebody else")
            database.move(session, fresh, event, clock.now(), **changes)
            if event == "start" and fresh.kind == "apply":
                _task_started(session, fresh)
        row.state = fresh.state

    # -- time --------------------------------------------------------------------------------------------
    def _read_in_time(self):
        """Keep one watch of all sites going, or have them read from time to time where there is to be no watch."""
        file = self.settings.file
        if file.watch_s:
            self._in_time("watch", WATCH_AGAIN_S)
        elif file.perceive_every_s:
            self._in_time("perceive", file.perceive_every_s)

    def _in_time(self, kind, every_s):
        now = clock.now()
        with self.db.read() as session:
            if _is_current(session, kind, clock.after(now, -every_s)):
                return
        with self.db.write() as session:
            if _is_current(session, kind, clock.after(now, -every_s)):
                return
            slot = int(clock.moment(now).timestamp()) // every_s
            database.add_launch(
                session, id=folder.new_id(), kind=kind, once=f"{kind}:{slot}", asked_by="service", created_at=now
            )  # fmt: skip

    def _stop_watching(self):
        """A run goes on without us; a watch has nothing to carry to its end."""
        with self.db.read() as session:
            query = select(Launch).where(Launch.kind == "watch", Launch.state.in_(("claimed", "running")))
            rows = [row for row in session.scalars(query) if row.holder == self.holder]
        for row in rows:
            folder.of(self.settings, row.id).cancel()


def _is_current(session, kind, since):
    """Whether a launch of this kind is open, or was made since a time."""
    row = session.scalars(select(Launch).where(Launch.kind == kind).order_by(Launch.id.desc()).limit(1)).first()
    return row is not None and (row.state not in LAUNCH_ENDS or row.created_at > since)


def _was_killed(result):
    """A playbook that was killed from outside has no exit code of its own; one that we cancelled is no such case."""
    code = result["exit_code"]
    return not result["cancelled"] and (code is None or code < 0 or code > 250)


def _paused(session):
    row = session.get(database.models.Switch, "pause")
    return row is not None and row.value["on"]


def _task_started(session, launch):
    task = database.locked(session, database.models.Task, launch.task)
    if task.state == "approved":
        database.move(session, task, "start", clock.now())

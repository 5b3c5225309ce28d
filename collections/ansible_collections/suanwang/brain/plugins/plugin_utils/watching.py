# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the picture fresh: every endpoint at its site's own interval, alarms oftener, a row a pool for the record.

A thread an endpoint: a site that hangs keeps no other waiting. What the snapshot shows is younger than the interval,
as long as the site answers: the time that a read takes is part of it.
"""

from __future__ import annotations

import queue
import threading
import time

from ..module_utils.errors import BrainError
from . import clock
from . import observing
from .perception import glimpse
from .perception import refresh_alarms
from .perception import with_use
from .usage import Recorder

#: Alarms are read so many times in one interval.
ALARMS_AN_INTERVAL = 3
#: The part of an interval that is planned: the rest is for waking up and writing.
PLANNED = 0.8
SHORTEST_S = 1.0


class Watch:
    """rounds: how often each endpoint is read before it ends; for_s: so long at most; both None: for ever.

    lines: a queue of text, for a person.
    """

    def __init__(self, config, store, rounds=None, for_s=None):
        self.config, self.store, self.rounds, self.for_s = config, store, rounds, for_s
        self.lines = queue.SimpleQueue()
        self.reads = {}
        self._over = threading.Event()
        self._recorder = Recorder(store)
        self._lock = threading.Lock()
        self._error = None

    def run(self, show):
        """Watch until every endpoint had its rounds, or time is over. show: called with each line, in this thread."""
        until = None if self.for_s is None else time.monotonic() + self.for_s
        targets = [(site, endpoint) for site in self.config.sites.values() for endpoint in site.platforms]
        threads = [threading.Thread(target=self._guarded, args=target, daemon=True) for target in targets]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) or not self.lines.empty():
            if until is not None and time.monotonic() >= until:
                self._over.set()
            try:
                show(self.lines.get(timeout=0.5))
            except queue.Empty:
                continue
        if self._error:
            raise self._error

    def _guarded(self, site, endpoint):
        try:
            self._endpoint(site, endpoint)
        except BrainError as error:
            # A site never raises here: this is the store, which is everybody's.
            self._error = error
            self._over.set()

    def _endpoint(self, site, endpoint):
        name, said, alarms = f"{site.id}/{endpoint.id}", None, None
        next_read = next_alarms = time.monotonic()
        while not self._over.is_set():
            began = time.monotonic()
            if began >= next_read:
                found = glimpse(self.config, self.store, site, endpoint)
                found = with_use(found, observing.of_store(self.store, site, clock.now()))
                took = time.monotonic() - began
                next_read = began + max(SHORTEST_S, PLANNED * site.poll_interval_s - took)
                self._recorder.record(found)
                alarms = self._tell_alarms(name, alarms, found.every_alarm)
                said = self._tell(name, said, _summary(found))
                with self._lock:
                    self.reads[name] = self.reads.get(name, 0) + 1
                if self.rounds is not None and self.reads[name] >= self.rounds:
                    return
            else:
                try:
                    alarms = self._tell_alarms(name, alarms, refresh_alarms(self.config, self.store, site, endpoint))
                except BrainError as error:
                    said = self._tell(name, said, str(error.at(site.id)))
                took = time.monotonic() - began
            step = PLANNED * site.poll_interval_s / ALARMS_AN_INTERVAL
            next_alarms = began + max(SHORTEST_S, step - took)
            self._over.wait(max(0.0, min(next_read, next_alarms) - time.monotonic()))

    # -- what a person is told: changes only ---------------------------------------------------------------
    def _tell(self, name, before, text):
        if text != before:
            self.lines.put(f"{time.strftime('%H:%M:%S')} {name}: {text}")
        return text

    def _tell_alarms(self, name, before, alarms):
        if alarms is None:
            return before
        now = {alarm.id: alarm for alarm in alarms}
        for key in sorted(now.keys() - (before or {}).keys()):
            self.lines.put(f"{time.strftime('%H:%M:%S')} {name}: alarm, {now[key].severity}: {now[key].name}")
        for key in sorted((before or {}).keys() - now.keys()):
            self.lines.put(f"{time.strftime('%H:%M:%S')} {name}: no longer: {before[key].name}")
        return now


def _summary(found):
    if found.error:
        return f"{found.state}: {found.error}"
    cards = [(pool.free.accelerators, pool.capacity.accelerators) for pool in found.pools]
    free = sum(free or 0 for free, total in cards if total)
    total = sum(total or 0 for _free, total in cards)
    jobs = sum(pool.queue.running or 0 for pool in found.pools), sum(pool.queue.pending or 0 for pool in found.pools)
    return f"{found.state}, {len(found.pools)} pool(s), {free}/{total} cards free, {jobs[0]}+{jobs[1]} jobs"

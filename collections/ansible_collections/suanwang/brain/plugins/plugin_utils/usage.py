# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of use: a row a pool once in ten minutes, and what the rows say over hours and days."""

from __future__ import annotations

import json
import threading

from ..module_utils.plain import to_plain
from . import clock

SLOT_S = 600


class Recorder:
    """Keeps a row of each pool once in every slot. For several threads of one process."""

    def __init__(self, store):
        self._store = store
        self._last = store.last_usage()
        self._lock = threading.Lock()

    def record(self, found):
        """Keep the rows of a Glimpse; a site that did not answer leaves a gap, not a number."""
        if found.error or found.at is None:
            return
        with self._lock:
            due = [pool for pool in found.pools if self._is_due(pool.id, found.at)]
            self._last.update(dict.fromkeys((pool.id for pool in due), found.at))
        if due:
            self._store.append_usage(found.at, *(row_of(pool, found.at) for pool in due))

    def _is_due(self, pool, at):
        return pool not in self._last or _slot(self._last[pool]) != _slot(at)


def row_of(pool, at):
    """Return what is kept of a pool at a time: what there is, what is free, who waits, measured use."""
    plain = to_plain(pool)
    return {"at": at, "pool": pool.id, **{key: plain[key] for key in ("capacity", "free", "queue", "usage")}}


def _slot(at):
    return int(clock.moment(at).timestamp()) // SLOT_S


class Record:
    """The rows as figures, read once: what was appended since is read on when it is asked for."""

    def __init__(self, store):
        self._store = store
        self._places = {}
        self._points = {}

    def over(self, pools, since_s, until_s, step_s):
        """Return pool id → one mapping a step {at_s, used_pct, measured_pct, pending}, oldest first.

        used_pct: what is given away of the cards, or of the cores where there are no cards. measured_pct: what the
        exporters said. Means of the step's rows; a step without a row is None everywhere: nobody looked.
        """
        self._read_on()
        steps = -(-(until_s - since_s) // step_s)
        found = {}
        for pool in pools:
            rows = [[] for _step in range(steps)]
            for at_s, *figures in self._points.get(pool, ()):
                if since_s <= at_s < until_s:
                    rows[(at_s - since_s) // step_s].append(figures)
            found[pool] = [
                dict(
                    zip(("used_pct", "measured_pct", "pending"), map(_mean, zip(*step, strict=True)), strict=True),
                    at_s=since_s + number * step_s,
                )
                if step
                else {"at_s": since_s + number * step_s, "used_pct": None, "measured_pct": None, "pending": None}
                for number, step in enumerate(rows)
            ]
        return found

    def _read_on(self):
        for path in self._store.usage_paths():
            try:
                stream = open(path, "rb")
            except FileNotFoundError:
                continue  # its month is over for good
            with stream:
                self._read(stream, path.name)

    def _read(self, stream, name):
        stream.seek(self._places.get(name, 0))
        for line in stream:
            if not line.endswith(b"\n"):
                break  # somebody is writing it
            self._places[name] = self._places.get(name, 0) + len(line)
            point = _point(line)
            if point:
                self._points.setdefault(point[0], []).append(point[1:])


def _point(line):
    try:
        row = json.loads(line)
        whole, free, use = row["capacity"], row["free"], row["usage"]
        name = "accelerators" if whole["accelerators"] else "cpu"
        measured = use["accelerator_pct" if whole["accelerators"] else "cpu_pct"]
        at_s = int(clock.moment(row["at"]).timestamp())
        return row["pool"], at_s, _used_pct(whole[name], free[name]), measured, row["queue"]["pending"]
    except (ValueError, KeyError, TypeError):
        return None  # a row that was cut when a machine died


def _used_pct(whole, free):
    return None if not whole or free is None else 100 * (whole - free) / whole


def _mean(figures):
    known = [one for one in figures if one is not None]
    return round(sum(known) / len(known), 1) if known else None

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time as whole seconds, and what is taken of a capacity over time as a step profile."""

from __future__ import annotations

import bisect
import datetime
import math

from ...module_utils.said import say

FOREVER = 1 << 40


def epoch(text, up=False):
    """Return RFC 3339 text as whole seconds since 1970, rounded down, or up."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    value = moment.timestamp()
    return math.ceil(value) if up else math.floor(value)


def stamp(seconds):
    """Return seconds since 1970 as RFC 3339 text in UTC."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def human(seconds):
    """Return a length of time for people: ``74 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    seconds = int(seconds)
    if seconds < 120:
        return say("{n} s", n=seconds)
    minutes = -(-seconds // 60)
    if minutes < 120:
        return say("{n} min", n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return say("{h} h {m} min", h=hours, m=minutes) if minutes else say("{h} h", h=hours)
    days, hours = divmod(hours, 24)
    return say("{d} d {h} h", d=days, h=hours) if hours else say("{d} d", d=days)


class Profile:
    """What is taken, dimension by dimension, from time 0 to for ever, against a fixed capacity.

    capacity: one number a dimension, None: not known, so not limited. Times are seconds from now.
    """

    __slots__ = ("capacity", "times", "used")

    def __init__(self, capacity):
        self.capacity = tuple(capacity)
        self.times = [0]
        self.used = [(0,) * len(self.capacity)]

    def copy(self):
        """Return an independent profile of the same content."""
        other = Profile.__new__(Profile)
        other.capacity = self.capacity
        other.times = self.times[:]
        other.used = self.used[:]
        return other

    def _cut(self, time):
        place = bisect.bisect_left(self.times, time)
        if place == len(self.times) or self.times[place] != time:
            self.times.insert(place, time)
            self.used.insert(place, self.used[place - 1])
        return place

    def add(self, start, end, need):
        """Take `need` in [start, end). What lies before 0 is left out."""
        start = max(0, start)
        if end <= start:
            return
        first = self._cut(start)
        last = self._cut(end)
        for place in range(first, last):
            self.used[place] = tuple(map(int.__add__, self.used[place], need))

    def earliest(self, ready, length, need):
        """Return the least time ≥ ready from which `need` fits for `length`, or None if never."""
        limits = [
            (place, self.capacity[place] - amount)
            for place, amount in enumerate(need)
            if amount and self.capacity[place] is not None
        ]
        if not limits or length <= 0:
            return ready
        times, used = self.times, self.used
        place = bisect.bisect_right(times, ready) - 1
        start, last = ready, len(times) - 1
        while True:
            level = used[place]
            for dimension, limit in limits:
                if level[dimension] > limit:
                    if place == last:
                        return None
                    start = times[place + 1]
                    break
            else:
                if place == last or times[place + 1] >= start + length:
                    return start
            place += 1

    def level(self, time):
        """Return what is taken at a time, dimension by dimension."""
        return self.used[bisect.bisect_right(self.times, time) - 1]

    def peak(self, start, end, dimension):
        """Return the most that is taken of a dimension in [start, end)."""
        first = max(0, bisect.bisect_right(self.times, start) - 1)
        last = bisect.bisect_left(self.times, end)
        return max((level[dimension] for level in self.used[first : max(last, first + 1)]), default=0)

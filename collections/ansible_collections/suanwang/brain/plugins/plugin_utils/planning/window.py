# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run may start: not before a time, and by another. Both as RFC 3339 text in UTC, both optional."""

from __future__ import annotations

import re
from dataclasses import asdict
from dataclasses import dataclass

from ...module_utils.errors import Invalid
from ...module_utils.said import say
from ...module_utils.said import words
from .sentences import at_field
from .timeline import epoch
from .timeline import stamp

FIELDS = ("not_before", "start_by")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Window:
    """What somebody asked for; None: nothing, so at once, and within the hours of policy.yml."""

    not_before: str | None = None
    start_by: str | None = None

    def plain(self):
        """Return {field: time} of what is asked for."""
        return {name: at for name, at in asdict(self).items() if at}

    def opens(self, now):
        """Return from when on something may start, RFC 3339, never before now."""
        return max(now, self.not_before or now)

    def opens_s(self, now):
        """Return seconds from now until something may start."""
        return epoch(self.opens(now)) - epoch(now)

    def closes(self, now, within_s):
        """Return by when the run must have started: as asked, else so long after it may. Raises Invalid if over."""
        if self.start_by is None:
            return stamp(epoch(self.opens(now)) + within_s)
        self.check(now)
        return self.start_by

    def check(self, now):
        """Raise Invalid, naming the field, where nothing can start in the window."""
        if self.start_by is None:
            return
        if self.start_by <= now:
            raise _bad("edits.window.start_by", say("{at} is over.", at=self.start_by), "Take a later time.")
        if self.not_before and self.start_by < self.not_before:
            told = say("{at} is before not_before, {opens}.", at=self.start_by, opens=self.not_before)
            raise _bad("edits.window.start_by", told, "Take a later time.")


def read(plain, now):
    """Return the Window of {not_before, start_by}; raise Invalid naming the field."""
    if not isinstance(plain, dict):
        raise _bad("edits.window", "is not a mapping.", say("Its fields are: {names}.", names=", ".join(FIELDS)))
    for name, at in sorted(plain.items(), key=lambda one: str(one[0])):
        where = f"edits.window.{name}"
        if name not in FIELDS:
            raise _bad(where, "is not a field here.", say("The fields are: {names}.", names=", ".join(FIELDS)))
        if not _is_time(at):
            raise _bad(
                where, say("{value!r} is no time in UTC.", value=at), "Write it like 2026-11-25T08:00:00Z."
            )  # fmt: skip
    found = Window(**plain)
    found.check(now)
    return found


def _is_time(value):
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        epoch(value)
    except ValueError:
        return False
    return True


def _bad(field, message, way_out):
    return Invalid(at_field(field, message), way_out=words(way_out), details={"field": field})

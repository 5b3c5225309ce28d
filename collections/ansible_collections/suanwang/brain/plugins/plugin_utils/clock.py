# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time as RFC 3339 text in UTC, whole seconds: ``2026-11-25T03:26:58Z``. Such texts compare like times."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta
from datetime import UTC

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def text(moment):
    return moment.astimezone(UTC).strftime(_FORM)


def moment(value):
    return datetime.strptime(value, _FORM).replace(tzinfo=UTC)


def now():
    return text(datetime.now(UTC))


def local(value):
    """Return a time as a person at this machine reads it."""
    return moment(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def after(value, seconds):
    """Return the text of a time `seconds` after `value`."""
    return text(moment(value) + timedelta(seconds=seconds))


def epoch(value=None):
    """Return whole seconds since 1970 of a time, or of now."""
    return int((moment(value) if value else datetime.now(UTC)).timestamp())


def seconds_between(start, end):
    return (moment(end) - moment(start)).total_seconds()

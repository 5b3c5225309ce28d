# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""alarm_info: what an endpoint reports as wrong."""

from __future__ import annotations

from ..plain import to_plain
from .verb import Verb


def _run(platform, params, check, report):
    return {"changed": False, "alarms": [to_plain(alarm) for alarm in platform.alarms()]}


ALARM_INFO = Verb(_run, {})

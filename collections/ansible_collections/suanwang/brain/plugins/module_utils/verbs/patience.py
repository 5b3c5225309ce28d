# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a site that does not answer, and for what it does not show yet."""

from __future__ import annotations

import time

from ..errors import Unreachable

#: How long an unreachable site is waited for while a run is under way.
PATIENCE_S = 300
#: How long a write whose answer is missing may still be taken: a gateway waits 9 s for a dead controller (seen).
SETTLE_S = 12
#: How long something that was there a moment ago is looked for before it counts as gone.
GONE_S = 10
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0


def patiently(call, report, last=None, patience_s=None):
    """Call until it answers; an unreachable site is waited for, PATIENCE_S at most. last: what to raise then."""
    patience_s = PATIENCE_S if patience_s is None else patience_s
    until, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
    while True:
        try:
            return call()
        except Unreachable as error:
            if time.monotonic() + pause > until:
                raise (last or error) from error
            report("unreachable", message=str(error))
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


def looked_for(call, good, seconds):
    """Call until the answer is `good`, `seconds` at most; return the last answer."""
    until, pause = time.monotonic() + seconds, 0.5
    while True:
        found = call()
        if good(found) or time.monotonic() >= until:
            return found
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(pause * 2, 4.0)


def of_a_run(params, check):
    """Return the patience of a verb: a run waits, a task of somebody's own playbook is told at once."""
    return PATIENCE_S if params.get("planned") and not check else 0

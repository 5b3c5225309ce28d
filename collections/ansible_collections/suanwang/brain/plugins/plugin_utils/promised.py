# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store's approved and running plans hold: cards and link shares that are promised already."""

from __future__ import annotations

from ..module_utils.errors import BrainError
from .planning.commitments import commitments


def promised(store, now):
    """Return the Commitments of every plan that is approved and not over."""
    found = []
    for run in store.runs():
        try:
            folder = store.find_plan(run)
            plan, digest = store.read_plan(folder)
        except (BrainError, OSError):
            continue  # a damaged plan can never be applied, so it holds nothing
        ended = _ended(store.journal(run))
        begun = ended is not None
        if ended == "over" or not (begun or store.approvals(folder)):
            continue
        if not begun and plan["window"]["start_by"] < now:
            continue
        found.extend(commitments(plan, store.estimate(digest), ended or ()))
    return tuple(found)


def _ended(journal):
    """Return the components that have ended, None where nothing has begun, "over" where the run is closed."""
    ended, begun = set(), False
    for event in journal:
        if event["event"] == "loaded":
            begun, ended = True, set()
        elif event["event"] == "end" and event["state"] == "succeeded":
            ended.add(event["component"])
        elif event["event"] == "closed" and event["state"] in ("succeeded", "released"):
            return "over"
    return ended if begun else None

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
        begun, ended = _progress(store.journal(run))
        approved = bool(store.approvals(folder)) and now <= plan["window"]["start_by"]
        if ended is None or not (begun or approved):
            continue
        found.extend(commitments(plan, store.estimate(digest), ended, since=begun or now))
    return tuple(found)


def _progress(journal):
    """Return (when the run began or None, components that have ended; None for a run that is over)."""
    begun, ended = None, set()
    for event in journal:
        if event["event"] == "loaded":
            begun, ended = begun or event["at"], set()
        elif event["event"] == "end" and event["state"] == "succeeded":
            ended.add(event["component"])
        elif event["event"] == "closed" and event["state"] in ("succeeded", "released"):
            return begun, None
    return begun, ended

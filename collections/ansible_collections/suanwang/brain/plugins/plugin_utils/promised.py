# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store's plans hold: cards and link shares that are promised already, and what stays until its lease ends."""

from __future__ import annotations

from ..module_utils.errors import BrainError
from .planning.commitments import commitments


def promised(store, now):
    """Return the Commitments of every plan that is approved and not over, and of what stays after its run.

    Of a deployment the newest plan that was applied says what stays: it changed what the older ones made.
    """
    found, stays = [], set()
    for run in store.runs():
        try:
            folder = store.find_plan(run)
            plan, digest = store.read_plan(folder)
        except (BrainError, OSError):
            continue  # a damaged plan can never be applied, so it holds nothing
        begun, ended = _progress(store.journal(run), plan)
        approved = bool(store.approvals(folder)) and now <= plan["window"]["start_by"]
        if ended is None or not (begun or approved):
            continue
        for one in commitments(plan, store.estimate(digest), ended, since=begun or now):
            kept = (plan["tenant"], plan.get("deployment"), one.component)
            if not (one.leased and kept in stays):
                found.append(one)
        if begun:
            stays.update((plan["tenant"], plan.get("deployment"), name) for name in _leased(plan))
    return tuple(found)


def _leased(plan):
    return [item["id"] for item in plan["components"] if "lease_s" in item]


def _progress(journal, plan):
    """Return (when the run began or None, components that have ended; None where nothing of it is left)."""
    begun, ended, kept_goes = None, set(), False
    for event in journal:
        if event["event"] == "loaded":
            begun, ended = begun or event["at"], set()
            # Of a release: the deployment's own has parts, namely what it kept; a run's leaves that as it is.
            kept_goes = event.get("purpose") == "release" and event.get("only")
        elif ended is not None and event["event"] == "end" and event["state"] == "succeeded":
            ended.add(event["component"])
        elif event["event"] == "closed" and event["state"] in ("succeeded", "released"):
            over = kept_goes or not _leased(plan)
            ended = None if over else {item["id"] for item in plan["components"]}
    return begun, ended

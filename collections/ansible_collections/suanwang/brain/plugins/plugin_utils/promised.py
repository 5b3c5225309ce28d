# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store's plans hold: cards and link shares that are promised already, and what stands for deployments."""

from __future__ import annotations

import dataclasses

from ..module_utils.errors import BrainError
from . import clock
from . import leases
from .planning.commitments import commitments

#: What is still there after its lease goes on holding its share: so long from each look on.
OVERDUE_S = 3600


def promised(store, now):
    """Return the Commitments of every plan that is approved and not over, and of what stands for a deployment.

    What stands holds its share from when it stood to the end of its lease, put off or not, and while it is overdue.
    """
    found, there, newer = [], leases.stays(store), set()
    stood = {(one.run, one.component): one for one in there}  # the last of each
    for run in store.runs():
        try:
            folder = store.find_plan(run)
            plan, digest = store.read_plan(folder)
        except (BrainError, OSError):
            continue  # a damaged plan can never be applied, so it holds nothing
        begun, ended = _progress(store.journal(run))
        approved = bool(store.approvals(folder)) and now <= plan["window"]["start_by"]
        waits = ended is not None and (begun or approved)
        opens = max(now, plan["window"].get("not_before", now))
        for one in commitments(plan, store.estimate(digest), ended or (), since=begun or opens):
            key = plan["tenant"], plan.get("deployment"), one.component
            stay = stood.get((run, one.component)) if one.leased else None
            if stay is not None and stay.ended is None:
                found.append(_standing(one, stay, now))
            elif waits and stay is None and not (one.leased and key in newer):
                found.append(one)
            if one.leased and begun:
                newer.add(key)
    return tuple(found)


def _standing(one, stay, now):
    until = max(stay.until, clock.after(now, OVERDUE_S))
    return dataclasses.replace(one, pool=stay.pool or one.pool, start=stay.since, end=until, stands=True)


def _progress(journal):
    """Return (when the run began or None, components that have ended; None where it is over)."""
    begun, ended = None, set()
    for event in journal:
        if event["event"] == "loaded":
            begun, ended = begun or event["at"], set()
        elif ended is not None and event["event"] == "end" and event["state"] == "succeeded":
            ended.add(event["component"])
        elif event["event"] == "closed" and event["state"] in ("succeeded", "released"):
            ended = None
    return begun, ended

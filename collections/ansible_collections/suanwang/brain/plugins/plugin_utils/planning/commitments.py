# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stored plans hold, as commitments: a plan and its estimate in, records out."""

from __future__ import annotations

from .capacity import Commitment
from .timeline import epoch
from .timeline import stamp


def commitments(plan, estimate, ended=(), since=None):
    """Return the Commitments of a plan. ended: ids of its components that have ended; a lease goes on after that.

    since: RFC 3339, when the run started, or now for a run that has not started, so that an approved plan
    keeps its hold while it waits; None: when the estimate was made. A run that waits for its window starts with it.
    """
    if not estimate:
        return ()  # nobody reckoned what it takes
    base = epoch(since or max(estimate["made_at"], plan["window"].get("not_before", "")))
    found = []
    for entry in estimate.get("components", ()):
        if (entry["id"] in ended and "lease_s" not in entry) or entry["end_s"] <= entry["start_s"]:
            continue
        found.append(
            Commitment(
                run=plan["run"],
                component=entry["id"],
                start=stamp(base + entry["start_s"]),
                end=stamp(base + max(entry["end_s"], entry["start_s"] + entry.get("lease_s", 0))),
                pool=entry.get("pool"),
                accelerators=entry.get("accelerators", 0),
                cpu=entry.get("cpu", 0),
                memory_mib=entry.get("memory_mib", 0),
                nodes=entry.get("nodes", 1),
                tenant=plan["tenant"],
                leased=bool(entry.get("lease_s")),
                deployment=plan.get("deployment"),
                hops=tuple(tuple(hop) for hop in entry.get("hops", ())),
            )
        )
    return tuple(found)

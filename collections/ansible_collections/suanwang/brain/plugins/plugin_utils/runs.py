# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store knows of its runs: plan, journal and claim, as one record a run. Nothing is asked of a site."""

from __future__ import annotations

from ..module_utils.errors import BrainError
from ..module_utils.errors import Corrupt
from . import claim
from . import statement
from .history import History


def records(store, config, now):
    """Return a record a run, newest first; a plan that does not read is a record too, with the reason.

    {run, state, task, tenant, requester, digest, started, ended, components, done, holder, message}. state: proposed |
    approved | expired | running | interrupted | partial | succeeded | failed | released | damaged. started, ended:
    of the first pass, of the last close. holder: who drives it now.
    """
    return [_record(store, config, run, now) for run in store.runs()]


def _record(store, config, run, now):
    record = dict.fromkeys(
        ("task", "tenant", "requester", "digest", "started", "ended", "components", "holder", "message")
    )
    record |= {"run": run, "state": "damaged", "done": 0}
    try:
        folder = store.find_plan(run)
        plan, digest = store.read_plan(folder)
        record |= {
            "task": plan["task"]["name"],
            "tenant": plan["tenant"],
            "requester": plan["requester"],
            "digest": digest,
            "components": len(plan["components"]),
        }
    except (BrainError, KeyError, TypeError) as error:
        known = error if isinstance(error, BrainError) else Corrupt(f"the plan lacks {error}.")
        return record | {"message": str(known)}
    events = store.journal(run)
    past, held = History(events), claim.living(store, run)
    begun = [event["at"] for event in events if event["event"] == "loaded"]
    closed = [event["at"] for event in events if event["event"] == "closed"]
    return record | {
        "state": _state(store, config, folder, plan, digest, past, held, now),
        "started": begun[0] if begun else None,
        "ended": closed[-1] if closed and not past.open else None,
        "done": len(past.done),
        "holder": f"{held['holder']}, process {held['pid']} on {held['host']}" if held else None,
    }


def _state(store, config, folder, plan, digest, past, held, now):
    if held:
        return "running"
    if past.open:
        return "interrupted"
    if past.closed:
        return past.closed
    if config.policy["require_approval"]:
        verdict = statement.judge(store.approvals(folder), plan, digest, config.policy, config.allowed_signers, now)
        if not verdict.enough:
            return "proposed"
        late = verdict.expired
    else:
        late = False
    return "expired" if late or now > plan["window"]["start_by"] else "approved"

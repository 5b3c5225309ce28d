# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that policy.yml approves by itself, because they stay below its limits.

Four eyes hold: whoever may write policy.yml has judged in advance every plan that fits, and nobody can fit a plan of
his own to it but by asking for little. The service only finds that a plan fits and signs that, as ``policy``; this file
says it again from the plan's own caps whenever the signature is judged, so neither the service's word nor a row of its
database makes a bigger plan pass. The statement holds the hash of the rules: changed rules void what they approved.
"""

from __future__ import annotations

#: The approver that a statement names where no person approved. No person can be called so.
APPROVER = "policy"
#: What ends by itself. A served model or a machine goes on, so no cap of the plan bounds it.
BOUNDED = ("train", "infer", "run", "move_data", "collect")


def refusals(plan, policy):
    """Return the sentences why policy.yml does not approve a plan by itself; () where it does.

    plan: as in plan.json. policy: the mapping of policy.yml.
    """
    rules = policy.get("auto_approve")
    if rules is None:
        return ("policy.yml approves nothing by itself",)
    return (*_who_and_where(plan, rules), *_how_much(plan, rules))


def _who_and_where(plan, rules):
    if plan["tenant"] not in rules["tenants"]:
        yield f"tenant {plan['tenant']} is not among those of auto_approve"
    if "requesters" in rules and plan["requester"] not in rules["requesters"]:
        yield f"{plan['requester']} is not among the requesters of auto_approve"
    for site in sorted(set(plan["sites"]) - set(rules["sites"])):
        yield f"site {site} is not among those of auto_approve"
    for kind in sorted({one["kind"] for one in plan["components"]} - set(BOUNDED)):
        yield f"{kind} has no end of its own, so a person has to approve it"
    for what in sorted(set(plan["deletions"]) - {"scratch"}):
        yield f"it may delete {what}"


def _how_much(plan, rules):
    caps = plan["caps"]
    core_s = sum(
        one["cpu"] * one["nodes"] * one["wall_s"] * (1 + one["retry"]) for one in plan["components"] if "wall_s" in one
    )
    for figure, limit, what in (
        (caps["card_s"], rules["max_card_hours"], "card-hours"),
        (core_s, rules["max_core_hours"], "core-hours"),
    ):
        if figure > 3600 * limit:
            yield f"up to {figure / 3600:.2f} {what} are more than {limit:g}"
    if "max_cost_fen" in rules and caps.get("money_fen") is None:
        yield "its cost is not known, and auto_approve has a limit on it"
    elif "max_cost_fen" in rules and caps["money_fen"] > rules["max_cost_fen"]:
        yield f"up to {caps['money_fen']} fen are more than {rules['max_cost_fen']}"

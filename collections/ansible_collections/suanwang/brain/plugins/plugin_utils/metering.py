# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run used, from its plan and its journal: cards, cores and bytes moved. Pure: records in, facts out.

What a deployment keeps is used for as long as it stands, whether or not anybody asks it anything. A job's time is what
its result file says, else what the platform says of the job, else unknown; and unknown is None, never 0: a statement
shows it as such, and a quota keeps the whole that was held for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import clock
from .planning.plan import longest_s

MOVES = ("move_data", "collect")


@dataclass(frozen=True)
class Used:
    """What one attempt of a component used at a pool, or what one copy moved.

    started, ended: RFC 3339, UTC. card_s, core_s: cards and cores times seconds, None: the times are not known.
    money_fen: at the prices of the estimate, None: not known. bytes: moved, 0 for work.
    """

    component: str
    kind: str
    attempt: int
    pool: str | None
    started: str | None
    ended: str
    card_s: int | None
    core_s: int | None
    money_fen: int | None
    bytes: int = 0


def used(plan, estimate, events):
    """Return the Used of a run in the order in which they ended; one attempt counts once, however often it was seen.

    What it keeps for a deployment is not among them: see `stood`.
    """
    components = {item["id"]: item for item in plan["components"]}
    prices = _prices(estimate)
    places, found, moved = {}, {}, {}
    for event in events:
        item = components.get(event.get("component"))
        if item is None:
            continue
        if event["event"] == "placed":
            places[item["id"]] = event["pool"]
        elif event["event"] == "used":
            key = item["id"], event["attempt"]
            # The last word counts: what was seen running at a cancel may have been asked for again.
            found.pop(key, None)
            found[key] = _worked(item, event, places.get(item["id"]), prices)
        elif item["kind"] in MOVES and event["event"] == "progress" and "bytes" in event:
            moved.setdefault(item["id"], {}).setdefault(event["pass"], []).append(event)
    copies = [_moved(components[name], passes, places) for name, passes in moved.items()]
    return sorted([*found.values(), *filter(None, copies)], key=lambda one: (one.ended, one.component, one.attempt))


def stood(plan, estimate, stay, number, started, ended):
    """Return the Used of a Stay between two times. number: which of its component's stays it is, from 1."""
    item = next(one for one in plan["components"] if one["id"] == stay.component)
    return _held(item, number, stay.pool, started, ended, _prices(estimate))


def _prices(estimate):
    return {name: facts.get("price") or {} for name, facts in estimate.get("facts", {}).get("pools", {}).items()}


def _worked(item, event, pool, prices):
    return _held(item, event["attempt"], pool, event.get("started"), event.get("ended") or event["at"], prices)


def _held(item, attempt, pool, started, ended, prices):
    # A plan counts cards in all, and cores a node.
    cards, cores = item.get("accelerators", 0), item.get("nodes", 1) * item.get("cpu", 0)
    seconds = max(0, clock.seconds_between(started, ended)) if started else None
    card_s = None if seconds is None else round(cards * seconds)
    core_s = None if seconds is None else round(cores * seconds)
    money = _money(card_s, core_s, prices.get(pool, {}))
    return Used(item["id"], item["kind"], attempt, pool, started, ended, card_s, core_s, money)


def _money(card_s, core_s, price):
    parts = [(card_s, price.get("accelerator_fen_h")), (core_s, price.get("cpu_fen_h"))]
    # What was not used costs nothing, whether or not it has a price.
    if any(amount is None or (amount and fen_h is None) for amount, fen_h in parts):
        return None
    return round(sum(amount * fen_h for amount, fen_h in parts if amount) / 3600)


def _moved(item, passes, places):
    """A copy that goes on in a later pass begins where the last one stopped: the most that one of them told counts."""
    told = [event for events in passes.values() for event in events]
    most = max(event["bytes"] for event in told)
    if not most:
        return None
    place = places.get(item["id"]) or places.get(item.get("of"))
    return Used(item["id"], item["kind"], 0, place, told[0]["at"], told[-1]["at"], 0, 0, 0, most)


def held(plan):
    """Return what a plan may use at most: {card_s, core_s, money_fen}; money_fen None where prices are not known."""
    caps = plan["caps"]
    cores = sum(item["nodes"] * item["cpu"] * longest_s(item) for item in plan["components"] if "wall_s" in item)
    return {"card_s": caps["card_s"], "core_s": cores, "money_fen": caps.get("money_fen")}


def held_longer(plan, estimate, seconds):
    """Return what a plan may use more, like `held`, if what it keeps stays so much longer."""
    kept = [item for item in plan["components"] if "lease_s" in item]
    prices, pools = _prices(estimate), {one["id"]: one.get("pool") for one in estimate.get("components", ())}
    found = []
    for item in kept:
        cards, cores = item["accelerators"] * seconds, item["nodes"] * item["cpu"] * seconds
        found.append((cards, cores, _money(cards, cores, prices.get(pools.get(item["id"]), {}))))
    card_s, core_s, money = zip(*found, strict=True)
    return {"card_s": sum(card_s), "core_s": sum(core_s), "money_fen": None if None in money else sum(money)}

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent judge of proposals, and a brute force for the finish time. Shares no code with the planner.

A case is plain data, times in seconds from now, spans as (from, to):
`pools` {id: {site, cards, cores, machines, wait, price, watts, busy: [(from, to, cards)], held: the same for what plans
hold, shut: [span]}}; pools with the same `machines` share them. `quota` {site: {limit, used, until}} in cards.
`components` {id: {run_s, cards, cores, gang, reads: [(name, producer or None, bytes)], makes: {output: bytes},
home: [output]}}. `links` {(from, to): kbit/s for us}, `fen_gib` {(from, to): price}, `taken` {(from, to): [span]}.
`deadline`, `budget`: None or a limit. A copy takes its bits over the rate, up to a whole second.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

HOME = "controller"
LATEST = 400


def seconds(size, rate):
    """Whole seconds of a copy, rounded up, at least one."""
    return max(1, -(-size * 8 // (rate * 1000)))


def faults(case, proposal):
    """Return what is wrong with a proposal, as sentences; [] where all is well."""
    found = []
    rows = {row.component: row for row in proposal.placements}
    where = {name: case["pools"][rows[name].pool]["site"] for name in case["components"]}
    for name, item in case["components"].items():
        row = rows[name]
        if row.end_s - row.start_s != item["run_s"]:
            found.append(f"{name} has the wrong length")
        if row.site != where[name]:
            found.append(f"{name} is at the wrong site")
        for data, producer, _size in item["reads"]:
            move = rows[f"move_{data}"]
            ready = rows[producer].end_s if producer else 0
            if move.start_s < ready or row.start_s < move.end_s:
                found.append(f"{data} is not there when {name} starts")
    for gang in {item.get("gang") for item in case["components"].values()} - {None}:
        starts = {rows[n].start_s for n, item in case["components"].items() if item.get("gang") == gang}
        if len(starts) != 1:
            found.append(f"{gang} does not start together")
    found += _overloads(case, rows) + _copies(case, rows, where)
    return found + _figures(case, rows, where, proposal.objectives) + _limits(case, proposal.objectives)


def _overloads(case, rows):
    """Look at every second of every pool, of machines that several share, and of every quota."""
    found = []
    sites = {pool: facts["site"] for pool, facts in case["pools"].items()}
    for name, item in case["components"].items():
        facts, row = case["pools"][rows[name].pool], rows[name]
        if row.start_s < facts["wait"]:
            found.append(f"{name} does not wait in the queue")
        if any(row.start_s < end and start < row.end_s for start, end in facts["shut"]):
            found.append(f"{name} runs during a maintenance")
        if row.accelerators != item["cards"]:
            found.append(f"{name} has the wrong number of cards")
    for moment in range(max(row.end_s for row in rows.values())):
        ours = {n: item for n, item in case["components"].items() if rows[n].start_s <= moment < rows[n].end_s}
        for resource, room in _rooms(case).items():
            kind, which = resource
            if kind == "quota":
                mine = [item for n, item in ours.items() if sites[rows[n].pool] == which]
            elif kind == "pool":
                mine = [item for n, item in ours.items() if rows[n].pool == which]
            else:
                mine = [item for n, item in ours.items() if case["pools"][rows[n].pool]["machines"] == which]
            need = sum(item["cores" if kind == "cores" else "cards"] for item in mine)
            if need and need + _others(case, resource, moment) > room:
                found.append(f"{kind} {which} is overloaded at {moment}")
    return found


def _rooms(case):
    """Return {resource: room} of everything that is counted in cards or cores."""
    rooms = {}
    for name, facts in case["pools"].items():
        rooms["pool", name] = rooms["machines", facts["machines"]] = facts["cards"]
        rooms["cores", facts["machines"]] = facts["cores"]
    return rooms | {("quota", site): quota["limit"] for site, quota in case["quota"].items()}


def _others(case, resource, moment):
    """Return what others take of a resource at a moment."""
    kind, which = resource
    if kind == "cores":
        return 0
    if kind == "quota":
        quota = case["quota"][which]
        there = [facts["held"] for facts in case["pools"].values() if facts["site"] == which]
        used = quota["used"] if moment < quota["until"] else 0
        return used + sum(c for spans in there for start, end, c in spans if start <= moment < end)
    on = {name: f for name, f in case["pools"].items() if which == (name if kind == "pool" else f["machines"])}
    # Every pool on the same machines reports the same running jobs; what plans hold is each plan's own.
    busy = next(iter(on.values()))["busy"]
    spans = busy + [span for facts in on.values() for span in facts["held"]]
    return sum(cards for start, end, cards in spans if start <= moment < end)


def ways(case, where):
    """Return {(data, destination): (hops, bytes)} of the copies of a placement {component: site}; None: no way."""
    found = {}
    for name, item in case["components"].items():
        todo = [(data_key(item, data), where[maker] if maker else HOME, where[name], size)
                for data, maker, size in item["reads"]]  # fmt: skip
        todo += [(f"{name}.{output}", where[name], HOME, item["makes"][output]) for output in item["home"]]
        for key, source, target, size in todo:
            hops = way(case, source, target)
            if hops is None:
                return None
            if hops:
                found[key, target] = hops, size
    return found


def cost(case, choice):
    """Return what a choice {component: pool} costs in fen, each job and each copy rounded up; None: there is no way."""
    copies = ways(case, {name: case["pools"][pool]["site"] for name, pool in choice.items()})
    if copies is None:
        return None
    total = 0
    for name, item in case["components"].items():
        total += -(-item["cards"] * item["run_s"] * case["pools"][choice[name]]["price"] // 3600)
    for hops, size in copies.values():
        total -= -sum(Fraction(case["fen_gib"][hop]) for hop in hops) * size // (1 << 30)
    return total


def least_cost(case):
    """Return the least cost of all choices that can be carried out, 0 where there is none."""
    case, found = {**case, "rooms": _rooms(case)}, []
    for choice in _choices(case):
        things = _things(case, choice)
        if things is not None and _possible(case, things):
            found.append(cost(case, choice))
    return min(found, default=0)


def _possible(case, things):
    """Whether everything fits some time: in any order, since whatever others hold ends."""
    placed = {}
    while len(placed) < len(things):
        key = next(k for k, thing in things.items() if k not in placed and all(one in placed for one in thing[0]))
        placed[key] = next((at for at in range(LATEST) if _fits(case, things, {}, key, at)), None)
        if placed[key] is None:
            return False
    return True


def _figures(case, rows, where, told):
    """Compare what a proposal says of itself with what its rows say."""
    items = case["components"].items()
    copies = ways(case, where)
    if copies is None:
        return ["there is no way"]
    fullest = 0
    for name, _item in items:
        pool = rows[name].pool
        for moment in range(rows[name].start_s, rows[name].end_s):
            with_us = [n for n in case["components"] if rows[n].start_s <= moment < rows[n].end_s]
            for kind, which in (("pool", pool), ("machines", case["pools"][pool]["machines"])):
                mine = [n for n in with_us if which in (rows[n].pool, case["pools"][rows[n].pool]["machines"])]
                taken = sum(case["components"][n]["cards"] for n in mine) + _others(case, (kind, which), moment)
                fullest = max(fullest, -(-taken * 1000 // case["pools"][pool]["cards"]))
    real = {
        "finish_s": max(row.end_s for row in rows.values()),
        "cost_fen": cost(case, {name: rows[name].pool for name, _item in items}),
        "card_s": sum(item["cards"] * item["run_s"] for _name, item in items),
        "core_s": sum(item["cores"] * item["run_s"] for _name, item in items),
        "energy_wh": sum(
            -(-item["cards"] * item["run_s"] * case["pools"][rows[name].pool]["watts"] // 3600) for name, item in items
        ),
        "balance": fullest,
        "risk": 3 * len(copies),  # every link of a case is thin
    }
    return [f"{name} is {getattr(told, name)}, not {real[name]}" for name in real if getattr(told, name) != real[name]]


def _limits(case, told):
    found = []
    if case["deadline"] is not None and told.finish_s > case["deadline"]:
        found.append("the deadline is broken")
    if case["budget"] is not None and told.cost_fen > case["budget"]:
        found.append("the budget is broken")
    return found


def _copies(case, rows, where):
    found, on_link, arrived, todo = [], {}, {}, []
    for name, item in case["components"].items():
        for data, producer, size in item["reads"]:
            ends = (where[producer] if producer else HOME, where[name])
            todo.append((rows[f"move_{data}"], ends, size, data_key(item, data)))
        for output in item["home"]:
            row = rows[f"collect_{output}"]
            if row.start_s < rows[name].end_s:
                found.append(f"{output} comes home before it is made")
            todo.append((row, (where[name], HOME), item["makes"][output], f"{name}.{output}"))
    # Real copies first: a second reader finds what one of them brought.
    todo.sort(key=lambda one: one[0].start_s == one[0].end_s)
    for row, ends, size, key in todo:
        _check(found, case, row, ends, size, on_link, arrived, key)
    for link, spans in on_link.items():
        spans = sorted([*spans, *case["taken"].get(link, ())])
        if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
            found.append(f"two copies at once on {link}")
    return found


def data_key(item, data):
    """What bytes a reader reads: the producer's output, or the one file at home."""
    producer = next(one[1] for one in item["reads"] if one[0] == data)
    return f"{producer}.out_{producer}" if producer else "home"


def way(case, source, target):
    """The links a copy goes over: one, or two by way of home; None where there is no way."""
    if source == target:
        return []
    if (source, target) in case["links"]:
        return [(source, target)]
    hops = [(source, HOME), (HOME, target)]
    if HOME in (source, target) or not all(hop in case["links"] for hop in hops):
        return None
    return hops


def _check(found, case, row, ends, size, on_link, arrived, key):
    hops = way(case, *ends)
    length = row.end_s - row.start_s
    if hops is None:
        found.append(f"{row.component} has no way")
    elif not hops:
        if length:
            found.append(f"{row.component} moves within a site and takes time")
    elif length == 0:
        if row.start_s < arrived.get((key, ends[1]), LATEST):
            found.append(f"{row.component} is a copy that nobody made")
    else:
        if length != seconds(size, min(case["links"][hop] for hop in hops)):
            found.append(f"{row.component} has the wrong length")
        if (key, ends[1]) in arrived:
            found.append(f"{row.component} is copied twice")
        arrived[(key, ends[1])] = row.end_s
        for hop in hops:
            on_link.setdefault(hop, []).append((row.start_s, row.end_s))


def least_finish(case):
    """Return the least finish time: every choice of pools, every order, each thing as early as it can.

    Exact: take a best plan in which nothing can start earlier alone; placed in the order of its starts, each
    thing lands where it is in that plan.
    """
    best, case = [LATEST], {**case, "rooms": _rooms(case)}
    for choice in _choices(case):
        if case["budget"] is not None and (cost(case, choice) or 0) > case["budget"]:
            continue
        things = _things(case, choice)
        if things is not None:
            _try(case, things, {}, best)
    return best[0]


def _choices(case):
    names = sorted(case["components"])
    able = [[p for p in sorted(case["pools"]) if _able(case, n, p)] for n in names]
    for pools in itertools.product(*able):
        yield dict(zip(names, pools, strict=True))


def _able(case, name, pool):
    item, facts = case["components"][name], case["pools"][pool]
    limit = case["quota"].get(facts["site"], {"limit": LATEST})["limit"]
    return item["cards"] <= min(facts["cards"], limit) and item["cores"] <= facts["cores"]


def _things(case, choice):
    """Activities {key: (after {key: seconds from its start}, length, {resource: [(length, amount)]})}."""
    things, units = {}, {}
    for name, item in case["components"].items():
        units.setdefault(item.get("gang") or name, []).append(name)
    unit_of = {name: unit for unit, members in units.items() for name in members}
    site = {name: case["pools"][pool]["site"] for name, pool in choice.items()}
    for unit, members in units.items():
        after, takes, length, wait = {}, {}, 0, 0
        for name in members:
            item = case["components"][name]
            length = max(length, item["run_s"])
            pool, facts = choice[name], case["pools"][choice[name]]
            wait = max(wait, facts["wait"])
            amounts = {("pool", pool): "cards", ("machines", facts["machines"]): "cards"}
            amounts |= {("cores", facts["machines"]): "cores", ("shut", pool): "cards", ("quota", site[name]): "cards"}
            for resource, amount in amounts.items():
                takes.setdefault(resource, []).append((item["run_s"], item[amount]))
            for data, producer, size in item["reads"]:
                hops = way(case, site[producer] if producer else HOME, site[name])
                if hops is None:
                    return None
                made = {} if producer is None else {unit_of[producer]: case["components"][producer]["run_s"]}
                if not hops:
                    after.update({k: max(v, after.get(k, 0)) for k, v in made.items()})
                    continue
                key = (data_key(item, data), site[name])
                took = seconds(size, min(case["links"][hop] for hop in hops))
                things[key] = (made, took, {("link", hop): [(took, 1)] for hop in hops}, 0)
                after[key] = took
        things[unit] = (after, length, takes, wait)
    for name, item in case["components"].items():
        for output in item["home"]:
            hops = way(case, site[name], HOME)
            if hops is None:
                return None
            took = seconds(item["makes"][output], min(case["links"][hop] for hop in hops))
            things[(f"{name}.{output}", HOME)] = (
                {unit_of[name]: item["run_s"]},
                took,
                {("link", hop): [(took, 1)] for hop in hops},
                0,
            )
    return things


def _load(case, resource, moment, placed, things):
    """Return what is left of a resource at a moment."""
    kind, name = resource
    if kind == "shut":
        return 0 if any(start <= moment < end for start, end in case["pools"][name]["shut"]) else LATEST
    if kind == "link":
        left = 1 - sum(1 for start, end in case["taken"].get(name, ()) if start <= moment < end)
    elif resource not in case["rooms"]:
        return LATEST
    else:
        left = case["rooms"][resource] - _others(case, resource, moment)
    for key, start in placed.items():
        for length, amount in things[key][2].get(resource, ()):
            left -= amount if start <= moment < start + length else 0
    return left


def _fits(case, things, placed, key, start):
    for resource, parts in things[key][2].items():
        for moment in range(start, start + max(length for length, _amount in parts)):
            need = sum(amount for length, amount in parts if moment < start + length)
            if need > _load(case, resource, moment, placed, things):
                return False
    return True


def _try(case, things, placed, best):
    if len(placed) == len(things):
        best[0] = min(best[0], max(start + things[key][1] for key, start in placed.items()))
        return
    for key, (after, length, _takes, wait) in things.items():
        if key in placed or any(one not in placed for one in after):
            continue
        start = max([wait, *(placed[one] + lag for one, lag in after.items())])
        while start + length < best[0] and not _fits(case, things, placed, key, start):
            start += 1
        if start + length < best[0]:
            placed[key] = start
            _try(case, things, placed, best)
            del placed[key]

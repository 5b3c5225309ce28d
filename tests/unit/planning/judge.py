# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent judge of proposals, and a brute force for the finish time. Shares no code with the planner.

A case is plain data: `pools` {id: {site, cards, busy: [(from, to, cards)]}}, `components` {id: {run_s, cards,
gang, reads: [(name, producer or None, bytes)], makes: {output: bytes}, home: [output]}}, `links` {(from, to):
kbit/s for us}, `held` {(from, to): [(from, to)]}. A copy takes its bits over the rate, up to a whole second.
"""

from __future__ import annotations

import itertools

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
    return found + _overloads(case, rows) + _copies(case, rows, where)


def _overloads(case, rows):
    found = []
    for pool, facts in case["pools"].items():
        for moment in range(LATEST):
            taken = sum(cards for start, end, cards in facts["busy"] if start <= moment < end)
            ours = [n for n in case["components"] if rows[n].pool == pool]
            ours = [n for n in ours if rows[n].start_s <= moment < rows[n].end_s]
            need = sum(case["components"][n]["cards"] for n in ours)
            if need and taken + need > facts["cards"]:
                found.append(f"{pool} is overloaded at {moment}")
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
        spans = sorted([*spans, *case["held"].get(link, ())])
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
    names = sorted(case["components"])
    able = [[p for p in sorted(case["pools"]) if _able(case, n, p)] for n in names]
    best = [LATEST]
    for pools in itertools.product(*able):
        things = _things(case, dict(zip(names, pools, strict=True)))
        if things is not None:
            _try(case, things, {}, best)
    return best[0]


def _able(case, name, pool):
    return case["components"][name]["cards"] <= case["pools"][pool]["cards"]


def _things(case, choice):
    """Activities {key: (after {key: seconds from its start}, length, {resource: [(length, amount)]})}."""
    things, units = {}, {}
    for name, item in case["components"].items():
        units.setdefault(item.get("gang") or name, []).append(name)
    unit_of = {name: unit for unit, members in units.items() for name in members}
    site = {name: case["pools"][pool]["site"] for name, pool in choice.items()}
    for unit, members in units.items():
        after, takes, length = {}, {}, 0
        for name in members:
            item = case["components"][name]
            length = max(length, item["run_s"])
            takes.setdefault(("pool", choice[name]), []).append((item["run_s"], item["cards"]))
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
                things[key] = (made, took, {("link", hop): [(took, 1)] for hop in hops})
                after[key] = took
        things[unit] = (after, length, takes)
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
            )
    return things


def _load(case, resource, moment, placed, things):
    kind, name = resource
    if kind == "pool":
        room = case["pools"][name]["cards"]
        others = sum(c for start, end, c in case["pools"][name]["busy"] if start <= moment < end)
    else:
        room = 1
        others = sum(1 for start, end in case["held"].get(name, ()) if start <= moment < end)
    for key, start in placed.items():
        for length, amount in things[key][2].get(resource, ()):
            others += amount if start <= moment < start + length else 0
    return room - others


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
    for key, (after, length, _takes) in things.items():
        if key in placed or any(one not in placed for one in after):
            continue
        start = max((placed[one] + lag for one, lag in after.items()), default=0)
        while start + length < best[0] and not _fits(case, things, placed, key, start):
            start += 1
        if start + length < best[0]:
            placed[key] = start
            _try(case, things, placed, best)
            del placed[key]

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan, which people approve and plays read, and the estimate, which it was reckoned from.

Margins. A component's wall limit: score.wall_s. caps.wall_s: the longest chain of waits, copies (each three
times its length and 300 s) and wall limits, no more than the deadline. caps.card_s and caps.money_fen: every
attempt that the plan allows, to its wall limit, at the dearest allowed pool; no more than the task's own
card_s and budget. money_fen stands only where every price is known.
"""

from __future__ import annotations

import math

from ...module_utils.errors import Invalid
from ...module_utils.said import say
from . import score
from .network import transfer_fen
from .network import transfer_s
from .problem import route_of
from .sentences import at_field
from .timeline import epoch
from .timeline import stamp

SCHEMA = "urn:suanwang:brain:plan:1"
PLANNER = "1"
# Waiting components hold a fork; ansible.cfg has 60.
FORKS_LEAST, FORKS_MOST = 8, 60
# RFC 8785 numbers are IEEE doubles: larger integers travel as text.
EXACT_INTEGER = 2**53 - 1
GANG_TOLERANCE_S = 60
ORDER_BY = {
    "finish": lambda option: option.wait_s + option.run_s,
    "cost": lambda option: option.cost_fen,
    "energy": lambda option: option.energy_wh,
    "balance": lambda option: option.risk,
    "risk": lambda option: option.risk,
}


def build(proposal, task, facts, *, run, requester, task_sha256, site_pins, policy, now):
    """Return (plan, estimate), plain data.

    run: ULID. requester: a principal. task_sha256: of the task file. site_pins: site → (sha256, lab).
    policy: its file's mapping. now: RFC 3339. The plan holds integers and strings only and fits
    schemas/plan.json. Raises Invalid where a pin or the facts of a file are missing.
    """
    problem = proposal.problem
    pools = {name: _pools(proposal, name) for name in problem.order}
    components = [_component(proposal, place, pools, facts) for place in proposal.placements]
    sites = sorted({problem.pools[pool].site for names in pools.values() for pool in names})
    for site in sites:
        if site not in site_pins:
            raise Invalid(
                say("the site {site} of the plan has no pin.", site=site),
                site=site,
                way_out="Give the config folder that holds its site file.",
            )
    by_id = {entry["id"]: entry for entry in components}
    reach = _reach(proposal, pools, by_id)
    last = max(place.start_s for place in proposal.placements) - problem.opens_s
    # Whole hours of the planned length are added: what starts late by plan is not late.
    start_within = 3600 * int(policy.get("start_within_h", 24)) + last // 3600 * 3600
    plan = {
        "schema": SCHEMA,
        "run": run,
        "task": {"name": task.name, "sha256": task_sha256},
        "requester": requester,
        "tenant": task.tenant,
        "sites": {site: site_pins[site][0] for site in sites},
        "window": {**problem.window.plain(), "start_by": problem.window.closes(now, start_within)},
        "caps": _caps(proposal, pools, by_id, reach),
        "deletions": _deletions(components, problem),
        "lab": "true" if all(site_pins[site][1] for site in sites) else "false",
        "min_forks": max(FORKS_LEAST, min(FORKS_MOST, len(components))),
        "components": components,
    }
    gangs = {entry["gang"] for entry in components if "gang" in entry}
    if gangs:
        tolerance_s = int(policy.get("gang_tolerance_s", GANG_TOLERANCE_S))
        plan["gangs"] = {name: {"tolerance_s": tolerance_s} for name in sorted(gangs)}
        _hold(components, reach)
    if task.deployment:
        plan["deployment"] = task.deployment
    return plan, _estimate(proposal, plan, task, now)


def _deletions(components, problem):
    """scratch always; of machines what is beyond the number, and of standing ones what has another size or image."""
    machines = [entry["id"] for entry in components if entry["kind"] == "provision"]
    asked = {
        "scratch": True,
        "surplus": bool(machines),
        "changed": any(name in problem.stands for name in machines),
        "moved": any("leaves" in entry for entry in components),
    }
    return [what for what, may in asked.items() if may]


def _pools(proposal, name):
    """The chosen pool, then those that take the same shape within its wall limit, best first."""
    problem, chosen = proposal.problem, proposal.schedule.choice[name]

    def fits(option):
        limit = problem.pools[option.pool].max_wall_s
        if option.pool == problem.stands.get(name):
            return False  # it is to leave there
        same = option.nodes == chosen.nodes and option.run_s <= chosen.wall_s
        return same and (limit is None or limit >= chosen.wall_s)

    def order(option):
        figure = ORDER_BY[proposal.prefer](option)
        return (figure is None, figure or 0, option.wait_s + option.run_s, option.pool)

    others = [one for one in problem.options[name] if one.pool != chosen.pool and fits(one)]
    others = [one for one in others if _reachable(proposal, name, one)]
    return [chosen.pool, *(one.pool for one in sorted(others, key=order))]


def _reachable(proposal, name, option):
    """Whether the links exist with this component there and all others as planned."""
    problem = proposal.problem
    choice = {**proposal.schedule.choice, name: option}
    touched = [node for node in problem.graph.nodes if node.datum and (node.of == name or node.datum.producer == name)]
    return all(route_of(problem, node, choice) is not None for node in touched)


def _component(proposal, place, pools, facts):
    node = proposal.problem.graph.node(place.component)
    entry = {"id": node.id, "kind": node.kind, "needs": list(node.needs)}
    if node.component:
        entry["pools"] = pools[node.id]
        here = proposal.problem.stands.get(node.id)
        if here and here not in entry["pools"]:
            entry["leaves"] = [here]
        entry.update(_work(node.component, place, facts, proposal))
        return entry
    entry["pools"] = pools[node.of]
    entry["of"] = node.of
    entry["datum"] = _datum(node)
    shares = _shares(proposal, node, pools[node.of])
    if shares:
        entry["shares"] = shares
    if node.evaluate:
        asked, held = node.evaluate, node.held
        entry["evaluate"] = {
            "method": asked.method,
            "at_least": str(_scalar(asked.at_least)),
            "file": {"sha256": held.held[0], "size": held.held[1]},
        }
        if asked.method == "linear_argmax":
            divide_by = str(_scalar(asked.divide_by))
            entry["evaluate"].update(weights=asked.weights, bias=asked.bias, divide_by=divide_by)
    return entry


def _work(component, place, facts, proposal):
    asked = component.resources
    if component.kind == "provision":
        return _machines(component, place)
    entry = {
        "nodes": place.nodes,
        "accelerators": place.accelerators,
        "cpu": asked.cpu,
        "wall_s": place.wall_s,
        "retry": component.retry,
        "framework": component.framework or "none",
        "parameters": {name: _scalar(value) for name, value in component.parameters.items()},
    }
    if asked.memory_gib:
        entry["memory_mib"] = math.ceil(asked.memory_gib * 1024)
    if component.framework_version:
        entry["framework_version"] = component.framework_version
    if component.gang:
        entry["gang"] = component.gang
    if component.code:
        fact = facts.codes.get(component.id)
        if fact is None:
            raise Invalid(
                at_field(f"{component.field}.code.path", say("nothing is known of {uri}.", uri=component.code.path)),
                way_out="Check that the folder is there; paths are relative to the task file.",
                details={"field": f"{component.field}.code.path"},
            )
        entry["code"] = {
            "sha256": fact.sha256,
            "size": fact.size,
            "entry": component.code.entry,
            "arguments": list(component.code.arguments),
        }
    if component.lease_s:
        entry["lease_s"] = component.lease_s
    moves = proposal.problem.moves.get(component.id, ())
    entry["inputs"] = [_input(move.datum) for move in moves]
    entry["outputs"] = [{"name": made.name, "path": made.path} for made in component.outputs]
    return entry


def _machines(component, place):
    asked = component.resources
    entry = {
        "nodes": place.nodes,
        "accelerators": place.accelerators,
        "cpu": asked.cpu,
        "wall_s": place.wall_s,
        "lease_s": component.lease_s,
        "ports": list(component.ports),
    }
    if asked.memory_gib:
        entry["memory_mib"] = math.ceil(asked.memory_gib * 1024)
    if component.image:
        entry["image"] = component.image
    return entry


def _scalar(value):
    """Return an integer or text: floats by their shortest decimal, booleans as words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and abs(value) > EXACT_INTEGER:
        return str(value)
    return value


def _input(datum):
    entry = {"name": datum.name, "filename": datum.filename}
    if datum.producer:
        entry["from"] = f"{datum.producer}.{datum.output}"
    else:
        entry["file"] = _file(datum)
    if datum.folder:
        entry["folder"] = "true"
    return entry


def _file(datum):
    entry = {"sha256": datum.sha256, "size": datum.size}
    if datum.source is not None:
        entry["source"] = datum.source
    return entry


def _datum(node):
    datum = node.datum
    entry = {"name": datum.name, "filename": datum.filename}
    if datum.producer:
        entry["from"] = f"{datum.producer}.{datum.output}"
        entry["path"] = datum.path
    else:
        entry["file"] = _file(datum)
    return entry


def _shares(proposal, node, pools):
    """pool → our share of the way there (or home) in kbit/s, the other end as planned."""
    problem, found = proposal.problem, {}
    for pool in pools:
        choice = {**proposal.schedule.choice, node.of: problem.option(node.of, pool)}
        route = route_of(problem, node, choice)
        if route is not None and route.hops:
            found[pool] = route.kbps
    return found


def _caps(proposal, pools, by_id, reach):
    problem = proposal.problem
    limits = problem.limits
    wall = max(end for _start, end in reach.values())
    # What waits for room starts late by plan: its start counts like a wait.
    wall += max(0, proposal.objectives.finish_s - proposal.schedule.bound)
    cards, money = _card_s(by_id, problem), _money(proposal, pools, by_id)
    caps = {"wall_s": _least(wall, limits.deadline_s), "card_s": _least(cards, limits.card_s)}
    if money is not None:
        caps["money_fen"] = _least(money, limits.budget_fen)
    return caps


def _reach(proposal, pools, by_id):
    """node id → (start, end), the latest that the margins allow, in s from the start of the run."""
    problem, reach = proposal.problem, {}
    for node in problem.graph.nodes:
        before = max((reach[need][1] for need in node.needs), default=0)
        if node.component:
            options = [problem.option(node.id, pool) for pool in pools[node.id]]
            start = max(before, max(option.wait_s for option in options))
            end = start + (1 + node.component.retry) * by_id[node.id]["wall_s"]
        else:
            route = route_of(problem, node, proposal.schedule.choice)
            start, end = before, before + score.wall_s(transfer_s(node.datum.size, route))
        reach[node.id] = start, end
    return reach


def _hold(components, reach):
    """Give members of gangs `hold_s`: until the last of the gang may have started, and then as long as it may run."""
    for entry in components:
        if "gang" in entry:
            mates = [one["id"] for one in components if one.get("gang") == entry["gang"]]
            entry["hold_s"] = max(reach[name][0] for name in mates) + entry["wall_s"]


def _least(figure, limit):
    return figure if limit is None else min(figure, limit)


def _card_s(by_id, problem):
    total = 0
    for node in problem.graph.compute:
        entry = by_id[node.id]
        total += entry["accelerators"] * longest_s(entry)
    return total


def longest_s(entry):
    """Return how long a component may hold its share: every attempt to its wall limit, or to the lease's end."""
    return entry.get("lease_s") or entry["wall_s"] * (1 + entry.get("retry", 0))


def _money(proposal, pools, by_id):
    problem, total = proposal.problem, 0
    for node in problem.graph.nodes:
        if node.component:
            option, entry = proposal.schedule.choice[node.id], by_id[node.id]
            seconds = longest_s(entry)
            prices = [
                score.cost_fen(option.cards, option.cores, seconds, problem.pools[pool].price)
                for pool in pools[node.id]
            ]
        else:
            prices = []
            for pool in pools[node.of]:
                choice = {**proposal.schedule.choice, node.of: problem.option(node.of, pool)}
                route = route_of(problem, node, choice)
                if route is not None:
                    prices.append(transfer_fen(node.datum.size, route))
        if None in prices:
            return None
        total += max(prices)
    return total


def _estimate(proposal, plan, task, now):
    problem, schedule = proposal.problem, proposal.schedule
    names = {pool for entry in plan["components"] for pool in entry["pools"]}
    return {
        "schema": "urn:suanwang:brain:estimate:1",
        "run": plan["run"],
        "made_at": now,
        "window": problem.window.plain(),
        "labels": list(proposal.labels),
        "objectives": proposal.objectives.plain(),
        "unknown": list(proposal.objectives.unknown),
        "finish_bound_s": schedule.bound,
        "finish_proved_least_for_choice": schedule.exact,
        "components": [
            _estimated(problem, schedule, place, epoch(problem.window.opens(now))) for place in proposal.placements
        ],
        "reasons": list(proposal.reasons),
        "loses": list(proposal.loses),
        "risks": list(proposal.objectives.risk_reasons),
        "assumptions": list(proposal.notes),
        "facts": {
            "pools": {name: _fact(problem.pools[name], now) for name in sorted(names)},
            "links": _links(problem, proposal),
        },
        "versions": {"planner": PLANNER, "plan": SCHEMA},
        "task": {"name": task.name},
    }


def _estimated(problem, schedule, place, base):
    """Return one component of the estimate. base: when the run starts, seconds since 1970."""
    start_s, end_s = (at - problem.opens_s for at in (place.start_s, place.end_s))
    entry = {
        "id": place.component,
        "kind": place.kind,
        "pool": place.pool,
        "site": place.site,
        "start_s": start_s,
        "end_s": end_s,
        "start": stamp(base + start_s),
        "end": stamp(base + end_s),
    }
    if place.pool:
        option = schedule.choice[place.component]
        entry.update(
            accelerators=option.cards,
            cpu=option.cores,
            memory_mib=option.memory_mib,
            nodes=option.nodes,
            cost_fen=option.cost_fen,
            energy_wh=option.energy_wh,
            **({"lease_s": option.lease_s} if option.lease_s else {}),
        )
    else:
        node = problem.graph.node(place.component)
        route = route_of(problem, node, schedule.choice)
        entry.update(
            size=node.datum.size,
            link=route.name,
            hops=[list(hop) for hop in route.hops] if place.end_s > place.start_s else [],
            rate_kbps=route.kbps,
            cost_fen=transfer_fen(node.datum.size, route),
        )
    return entry


def _fact(pool, now):
    return {
        "seen_at": pool.seen.at,
        "source": pool.seen.source,
        "state": score.state_of(pool, now),
        "age_s": score.age_s(pool, now),
        "free_accelerators": pool.free.accelerators,
        "accelerators": score.cards_of(pool),
        "wait_s": pool.queue.wait_s,
        "price": {"accelerator_fen_h": pool.price.accelerator_fen_h, "cpu_fen_h": pool.price.cpu_fen_h},
        "power": {"accelerator_w": pool.power.accelerator_w, "pue": pool.power.pue},
    }


def _links(problem, proposal):
    used = set()
    for place in proposal.placements:
        if place.link:
            stops = place.link.split("->")
            used.update(zip(stops[:-1], stops[1:], strict=True))
    return [
        {
            "from": source,
            "to": target,
            "rate_gbps": problem.network.links[(source, target)].rate_gbps,
            "rtt_ms": problem.network.links[(source, target)].rtt_ms,
            "fen_gib": problem.network.links[(source, target)].fen_gib,
            "measured_at": problem.network.links[(source, target)].measured_at,
            "shares": problem.network.links[(source, target)].shares,
        }
        for source, target in sorted(used)
    ]

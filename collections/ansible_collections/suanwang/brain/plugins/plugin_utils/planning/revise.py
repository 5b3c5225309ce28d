# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tuning: an edit of a proposal, checked again, with the change in every figure."""

from __future__ import annotations

import dataclasses
import re

from ...module_utils.errors import Invalid
from ...module_utils.errors import Refused
from ...module_utils.said import join
from ...module_utils.said import say
from ...module_utils.said import words
from .decode import decode
from .expand import with_component
from .problem import prepare
from .problem import route_of
from .problem import shares_mbps
from .propose import assumptions
from .propose import placements
from .propose import Proposal
from .score import FIGURES
from .sentences import at_field
from .sentences import without_field
from .window import read

FIELDS = ("accelerators", "nodes", "parameters", "pool")
RATE = "rate_mbps"
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")


def revise(proposals, proposal, edits):
    """Return (Proposal, {figure: new minus old, None where one is not known}).

    proposals: Proposals, or their Context. edits: {"components": {id: {"pool": …, "accelerators": …,
    "nodes": …, "parameters": {...}}, id of a copy: {"rate_mbps": …}}, "window": {"not_before": …, "start_by": …}}.
    A window takes the place of the one before, {} takes it back. Only what is edited changes place; the order of the
    proposal is kept. Raises Invalid naming the field.
    """
    context = getattr(proposals, "context", proposals)
    wanted = _checked(proposal.problem.graph, edits)
    window = read(edits["window"], context.now) if "window" in edits else proposal.problem.window
    graph = proposal.problem.graph
    for name, edit in wanted.items():
        if graph.node(name).component:
            graph = with_component(graph, _edited(graph.node(name).component, edit))
    pools = {name: wanted.get(name, {}).get("pool", old.pool) for name, old in proposal.schedule.choice.items()}
    stands = proposal.problem.stands
    problem = _prepared(
        graph, context, wanted, {name for name, pool in pools.items() if stands.get(name, pool) != pool}
    )
    choice = {}
    for name in problem.order:
        choice[name] = problem.option(name, pools[name])
        if choice[name] is None:
            raise _unfit(problem, name, pools[name], wanted)
    rates = {**proposal.problem.rates, **_rates(problem, choice, wanted)}
    problem = dataclasses.replace(problem, window=window, rates=rates)
    # The order is kept: what started first goes first.
    order = {name: -proposal.schedule.times[name][0] for name in problem.order}
    schedule = decode(problem, choice, order)
    if schedule is None:
        raise Invalid(
            at_field("edits.components", "the edited components cannot start together or reach each other."),
            way_out="Choose pools with a link between them and room for all.",
            details={"field": "edits.components"},
        )
    _limits(problem, schedule)
    new = _proposal(
        proposal, problem, schedule, {**wanted, **({"window": window.plain()} if "window" in edits else {})}
    )
    return new, _deltas(proposal.objectives, new.objectives)


def _checked(graph, edits):
    if not isinstance(edits, dict) or not isinstance(edits.get("components", {}), dict):
        raise _bad("edits", "is not a mapping with components.", "Write components: {id: {...}}.")
    for name in sorted(set(edits) - {"components", "window"}, key=str):
        names = "components, window"
        raise _bad(f"edits.{name}", "is not a field here.", say("The fields are: {names}.", names=names))
    components = edits.get("components", {})
    copies = {node.id for node in graph.nodes if not node.component}
    ids = sorted(node.id for node in graph.nodes)
    for name, edit in sorted(components.items(), key=lambda one: str(one[0])):
        where = f"edits.components.{name}"
        if name not in ids:
            raise _bad(where, "there is no such component.", say("Take one of: {names}.", names=", ".join(ids)))
        fields = (RATE,) if name in copies else FIELDS
        if not isinstance(edit, dict):
            raise _bad(where, "is not a mapping.", say("Its fields are: {names}.", names=", ".join(fields)))
        for field, value in sorted(edit.items(), key=lambda one: str(one[0])):
            if field not in fields:
                told = say("The fields are: {names}.", names=", ".join(fields))
                raise _bad(f"{where}.{field}", "is not a field here.", told)
            _check_field(f"{where}.{field}", field, value)
    return {name: dict(edit) for name, edit in sorted(components.items())}


def _check_field(where, field, value):
    whole = isinstance(value, int) and not isinstance(value, bool)
    if field == RATE and not (whole and value >= 1):
        raise _bad(where, say("{value!r} is no rate.", value=value), "Write whole Mbit/s from 1.")
    if field == "pool" and not isinstance(value, str):
        raise _bad(where, "is not the id of a pool.", "Write text, like the inventory's brain_pool_id.")
    if field == "accelerators" and not (whole and value >= 0):
        raise _bad(where, say("{value!r} is no number of cards.", value=value), "Write a whole number from 0.")
    if field == "nodes" and not (whole and value >= 1):
        raise _bad(where, say("{value!r} is no number of nodes.", value=value), "Write a whole number from 1.")
    if field == "parameters":
        if not isinstance(value, dict):
            raise _bad(where, "is not a mapping.", "Write name: value.")
        for name, one in value.items():
            if not isinstance(name, str) or not _PARAMETER.fullmatch(name):
                rule = words("letters, digits, _ . and -, a letter first")
                raise _bad(f"{where}.{name}", "breaks the rule of names.", say("Use {rule}.", rule=rule))
            if not isinstance(one, str | int | float | bool):
                raise _bad(f"{where}.{name}", "is no text or number.", "Write text or a number.")


def _edited(component, edit):
    resources = component.resources
    if "accelerators" in edit:
        resources = dataclasses.replace(resources, accelerators=edit["accelerators"])
        if "nodes" not in edit and resources.nodes and edit["accelerators"] % resources.nodes:
            resources = dataclasses.replace(resources, nodes=None)
    if "nodes" in edit:
        resources = dataclasses.replace(resources, nodes=edit["nodes"])
    where = f"edits.components.{component.id}"
    cards = resources.accelerators
    if resources.nodes and cards % resources.nodes:
        raise _bad(
            f"{where}.{'nodes' if 'nodes' in edit else 'accelerators'}",
            say("{cards} cards do not divide evenly over {nodes} nodes.", cards=cards, nodes=resources.nodes),
            "Take a multiple.",
        )
    work = component.work
    if not resources.accelerators and work and work.duration_s is None:
        raise _bad(
            f"{where}.accelerators",
            "the work is given in accelerator hours or pflop, so it needs cards.",
            "Take 1 or more.",
        )
    parameters = dict(sorted({**component.parameters, **edit.get("parameters", {})}.items()))
    return dataclasses.replace(component, resources=resources, parameters=parameters)


def _rates(problem, choice, wanted):
    """Return {id of a copy: Mbit/s}. Who reads the same bytes at the same place has the same copy, so the same rate."""
    found, shares = {}, shares_mbps(problem, choice)
    for name, edit in wanted.items():
        if RATE not in edit:
            continue
        node, where = problem.graph.node(name), f"edits.components.{name}.{RATE}"
        route = route_of(problem, node, choice)
        if name not in shares:
            raise _bad(where, "this copy goes over no link.", "Leave the field out.")
        if edit[RATE] > shares[name]:
            told = say(
                "{n} Mbit/s are more than the share of this copy, {share} Mbit/s: what one copy may take of"
                " {link} beside others.",
                n=edit[RATE], share=shares[name], link=route.name,
            )  # fmt: skip
            raise _bad(where, told, "Take that or less.")
        for other in problem.graph.nodes:
            if other.datum and other.datum.key == node.datum.key and route_of(problem, other, choice) == route:
                found[other.id] = edit[RATE]
    return found


def _prepared(graph, context, wanted, moving):
    try:
        return prepare(
            graph,
            context.pools,
            context.links,
            context.commitments,
            context.policy,
            context.tenants,
            context.now,
            moving=moving,
        )
    except Refused as error:
        name = error.details.get("component")
        edit = wanted.get(name, {})
        field = next((one for one in ("accelerators", "nodes", "pool") if one in edit), None)
        where = f"edits.components.{name}" + (f".{field}" if field else "")
        raise _bad(where, without_field(error.message), error.way_out) from error


def _unfit(problem, name, pool, wanted):
    edit = wanted.get(name, {})
    field = next((one for one in ("pool", "accelerators", "nodes") if one in edit), "pool")
    where = f"edits.components.{name}.{field}"
    able = ", ".join(option.pool for option in problem.options[name])
    if pool not in problem.matrix[name]:
        return _bad(where, say("there is no pool {pool}.", pool=pool), say("Pools that fit: {pools}.", pools=able))
    why = join("; ", (no.sentence for no in problem.matrix[name][pool]))
    said = say("{name} does not fit {pool}: {why}.", name=name, pool=pool, why=why)
    return _bad(where, said, say("Pools that fit: {pools}.", pools=able))


def _limits(problem, schedule):
    limits, found = problem.limits, schedule.objectives
    for field, limit, figure in (
        ("deadline", limits.deadline_s, found.finish_s),
        ("budget_fen", limits.budget_fen, found.cost_fen),
        ("card_s", limits.card_s, found.card_s),
    ):
        if limit is not None and (figure is None or figure > limit):
            told = words("not known") if figure is None else figure
            raise _bad(
                "edits.components",
                say(
                    "the edited plan breaks constraints.{field}: {n}, the limit is {limit}.",
                    field=field,
                    n=told,
                    limit=limit,
                ),  # fmt: skip
                "Take back the edit or loosen the constraint.",
            )


def _proposal(old, problem, schedule, wanted):
    changed = [f"{name}: {field} = {value}" for name, edit in wanted.items() for field, value in sorted(edit.items())]
    changes = "; ".join(changed) or words("nothing changed")
    return Proposal(
        labels=(),
        placements=placements(problem, schedule),
        objectives=schedule.objectives,
        reasons=(say("revised from {label}: {changes}", label=words(old.label), changes=changes),),
        loses=(),
        notes=assumptions(problem, schedule),
        prefer=old.prefer,
        schedule=schedule,
        problem=problem,
    )


def _deltas(old, new):
    found = {}
    for name in FIGURES:
        before, after = getattr(old, name), getattr(new, name)
        found[name] = None if None in (before, after) else after - before
    return found


def _bad(field, message, way_out):
    return Invalid(at_field(field, message), way_out=words(way_out), details={"field": field})

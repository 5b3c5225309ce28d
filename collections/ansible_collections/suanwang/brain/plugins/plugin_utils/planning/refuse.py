# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences of "it cannot be done": all of them, and the least that would have to give."""

from __future__ import annotations

from ...module_utils.errors import Refused
from ...module_utils.said import join
from ...module_utils.said import lowered
from ...module_utils.said import say
from ...module_utils.said import words
from .sentences import at_field
from .timeline import human

# Sentences and names that stand in a message; all of them are in its details.
SHOWN = 8
NAMED = 3


def refuse_past_deadline(task, now):
    """Raise Refused where the deadline has passed: every pool would say no, and for no reason of its own."""
    at = task.constraints.deadline
    if at is not None and at <= now:
        raise Refused(
            at_field("constraints.deadline", say("the deadline, {at}, has passed.", at=at)),
            way_out="Set a later deadline.",
            details={"field": "constraints.deadline"},
        )


def refuse_nothing_fits(graph, matrix):
    """Raise Refused for the first component that fits no pool; details.rejected holds all sentences."""
    if not any(matrix.values()):
        raise Refused(
            "no pool is known, so nothing can be placed.",
            way_out="Give an inventory of pools, e.g. -i inventories/lab/fleet.brain.yml.",
        )
    for node in graph.compute:
        row = matrix[node.id]
        if all(row.values()):
            field, advice = _least(node.component, row)
            told = list(dict.fromkeys(no.sentence for name in sorted(row) for no in row[name]))
            text = _listed(told, SHOWN, "; ")
            raise Refused(
                at_field(field, say("{component} fits no pool: {why}.", component=node.id, why=text)),
                way_out=advice,
                details={"field": field, "component": node.id, "rejected": rejected(matrix)},
            )


def rejected(matrix):
    """Return the matrix as rows {component, pool, rule, sentence}."""
    return [
        {"component": name, "pool": pool, "rule": no.rule, "sentence": no.sentence}
        for name in sorted(matrix)
        for pool in sorted(matrix[name])
        for no in matrix[name][pool]
    ]


def _listed(texts, most, between=", "):
    more = len(texts) - most
    shown = [*texts[:most], say("and {n} more", n=more)] if more > 0 else texts
    return join(between, shown)


def _least(component, row):
    """Return (field path, advice) of the pools that break the fewest rules, the most generous first."""
    fewest = min(len(nos) for nos in row.values())
    near = [name for name in sorted(row) if len(row[name]) == fewest]
    advice, limit = {}, {}
    for name in near:
        told = tuple(no.advice for no in row[name] if no.advice)
        advice.setdefault(told, []).append(name)
        limit[told] = min((no.limit for no in row[name] if no.limit is not None), default=0)
    texts = [
        say(
            "{change} (for {pools})",
            change=join(" and ", map(lowered, map(words, dict.fromkeys(told)))),
            pools=_listed(names, NAMED),
        )
        for told, names in sorted(advice.items(), key=lambda item: (-limit[item[0]], item[1]))
        if told
    ]
    fields = [no.field for name in near for no in row[name] if no.field]
    path = _path(component, fields[0]) if fields else component.field
    way_out = (
        say("The least change: {changes}.", changes=_listed(texts, NAMED, "; or "))
        if texts
        else words("Look at the sites.")
    )
    return path, way_out


def _path(component, field):
    whole = field.split(".")[0] in ("constraints", "tenant")
    return field if whole else f"{component.field}.{field}"


def refuse_together(problem):
    """Raise Refused: each component fits a pool, and no choice for all of them can be carried out."""
    said = [*_gangs(problem), *_routes(problem)]
    why = (
        join("; ", said) if said else words("no way was found to start what belongs together and to move what it reads")
    )
    raise Refused(
        say("no placement was found: the components fit singly, but not together: {why}.", why=why),
        way_out="Loosen a gang, ask for fewer cards, or add the missing links.",
    )


def _gangs(problem):
    """Say which gangs want more cards at once than all the pools that fit them have."""
    for unit in problem.units:
        if len(unit) == 1:
            continue
        pools = sorted({option.pool for name in unit for option in problem.options[name]})
        sizes = [problem.capacity["pool", pool].capacity[0] for pool in pools]
        wanted = [problem.options[name][0].cards for name in unit]
        cards = join(", ", (say("{pool} has {n}", pool=pool, n=size) for pool, size in zip(pools, sizes, strict=True)))
        gang = problem.graph.node(unit[0]).component.gang
        if None not in sizes and not _pack(sorted(wanted, reverse=True), sizes):
            told = " + ".join(map(str, wanted))
            yield say(
                "gang {gang} ({names}) needs {n} cards at once, {cards}",
                gang=gang, names=", ".join(unit), n=told, cards=cards,
            )  # fmt: skip


def _pack(wanted, sizes):
    """Whether parts, the greatest first, fit into bins together."""
    if not wanted:
        return True
    for place, size in enumerate(sizes):
        if wanted[0] <= size and _pack(wanted[1:], [*sizes[:place], size - wanted[0], *sizes[place + 1 :]]):
            return True
    return False


def _routes(problem):
    """Say which data have no way from any pool of their producer to any pool of their reader."""
    for name in problem.order:
        for move in problem.moves.get(name, ()):
            maker = move.datum.producer
            if maker is None:
                continue
            sources = sorted({option.site for option in problem.options[maker]})
            targets = sorted({option.site for option in problem.options[name]})
            if not any(problem.network.route(a, b) for a in sources for b in targets):
                yield say(
                    "{datum}: there is no link from {sources} (pools of {maker}) to {targets} (pools of {name}),"
                    " nor through the controller",
                    datum=move.datum.name, maker=maker, name=name, sources=", ".join(sources),
                    targets=", ".join(targets),
                )  # fmt: skip


def refuse_limits(task, best, delays=()):
    """Raise Refused: every placement breaks a limit.

    best: objective → the best Objectives found. delays: sentences that say what makes a plan late.
    """
    limits, parts, fields = task.constraints, [], []
    finish, cost, cards = best["finish"].finish_s, best["cost"].cost_fen, best["card_s"].card_s
    if limits.deadline is not None or limits.deadline_s is not None:
        parts.append(say("the fastest plan found ends in {time}", time=human(finish)))
        parts += list(dict.fromkeys(delays))[:NAMED]
        fields.append("constraints.deadline" if limits.deadline else "constraints.deadline_s")
    if limits.budget_fen is not None:
        told = words("has no known price") if cost is None else say("costs {n} fen", n=cost)
        parts.append(say("the cheapest {costs}, the budget is {n} fen", costs=told, n=limits.budget_fen))
        fields.append("constraints.budget_fen")
    if limits.card_s is not None:
        parts.append(say("the least is {n} card-seconds, card_s is {limit}", n=cards, limit=limits.card_s))
        fields.append("constraints.card_s")
    raise Refused(
        at_field(fields[0], say("no placement keeps the limits: {why}.", why=join("; ", parts))),
        way_out="Loosen a limit, or ask for more cards.",
        details={"field": fields[0], "fields": fields},
    )

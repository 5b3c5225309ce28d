# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a task that a schema cannot say: each yields its problems, see sentences.problem_of."""

from __future__ import annotations

from ...module_utils.said import join
from ...module_utils.said import say
from ...module_utils.said import words
from .sentences import problem_of

#: What a deployment keeps.
STAYS = ("provision", "serve")


def problems_of(task):
    """Return the broken rules of a built task, in the order of the rules; cycles only where all else holds."""
    found = []
    for rule in (_ids, _files, _resources, _kept, _needs, _evaluations, _gangs):
        found.extend(rule(task))
    return found or list(_cycles(task))


def producers(component):
    """Return the ids a component waits for: its needs and the sources of its inputs, sorted."""
    sources = {entry.source.split(".")[0] for entry in component.inputs if entry.source}
    return tuple(sorted(sources | set(component.needs)))


def _ids(task):
    seen = {}
    for item in task.components:
        if item.id in seen:
            yield problem_of(
                f"{item.field}.id",
                say("{component} is the id of {other} too.", component=item.id, other=seen[item.id]),
                "Give every component its own id.",
            )
        seen.setdefault(item.id, item.field)


def _files(task):
    for item in task.components:
        for what, entries in (("inputs", item.inputs), ("outputs", item.outputs)):
            names = [entry.name for entry in entries]
            for place, name in enumerate(names):
                if name in names[:place]:
                    yield problem_of(
                        f"{item.field}.{what}[{place}].name",
                        say("{name} is there twice.", name=name),
                        say("Names of {what} are unique within a component.", what=what),
                    )
        paths = [entry.path for entry in item.outputs]
        for place, path in enumerate(paths):
            if path in paths[:place]:
                yield problem_of(
                    f"{item.field}.outputs[{place}].path",
                    say("{path} is the path of two outputs.", path=path),
                    "Give each output its own file.",
                )
        yield from _holdouts(item)


def _holdouts(item):
    for place, entry in enumerate(item.inputs):
        where = f"{item.field}.inputs[{place}].holdout"
        modulo, remainder = (entry.holdout.modulo, entry.holdout.remainder) if entry.holdout else (None, None)
        if modulo and entry.holdout.column:
            yield problem_of(
                where, "either lines or a column can be withheld.", "Drop modulo and remainder, or column."
            )
        elif modulo and remainder >= modulo:
            yield problem_of(
                f"{where}.remainder",
                say("{n} is never the remainder of a division by {by}.", n=remainder, by=modulo),
                say("Take 0 to {n}.", n=modulo - 1),
            )
        if entry.holdout and not entry.uri:
            yield problem_of(
                where,
                say(
                    "only parts of a file at the controller can be withheld; this input is made by {source}.",
                    source=entry.source,
                ),
                "Give the input a uri, or drop holdout.",
            )


def _resources(task):
    for item in task.components:
        asked = item.resources
        if asked.accelerator and not asked.accelerators:
            yield problem_of(
                f"{item.field}.resources.accelerators",
                say("{card} is named, and no card is asked for.", card=asked.accelerator),
                "Say how many cards, or drop accelerator.",
            )
        if asked.nodes and asked.accelerators % asked.nodes:
            yield problem_of(
                f"{item.field}.resources.accelerators",
                say(
                    "{cards} cards do not divide evenly over {nodes} nodes.",
                    cards=asked.accelerators,
                    nodes=asked.nodes,
                ),
                "Cards are spread evenly: take a multiple of nodes, or leave nodes out.",
            )
        if item.work and item.work.duration_s is None and not asked.accelerators:
            yield problem_of(
                f"{item.field}.work",
                "work in accelerator hours or pflop needs cards, and none is asked for.",
                "Set resources.accelerators, or give duration_s.",
            )
        if item.kind in ("train", "infer", "run", "serve") and not (item.code or item.image):
            yield problem_of(
                f"{item.field}.code",
                say("{kind} has nothing to run.", kind=item.kind),
                "Give code: {path: <folder>, entry: <file>}.",
            )


def _kept(task):
    """What is made to stay has an owner, the deployment, and an end; machines run nothing, and a service never ends."""
    for item in task.components:
        if item.kind == "serve" and item.ports:
            yield problem_of(f"{item.field}.ports", "a serve component has no ports.", "It answers at SWB_PORT.")
        if item.kind not in STAYS:
            for name in ("lease_s", "ports"):
                if getattr(item, name):
                    yield problem_of(
                        f"{item.field}.{name}",
                        say("a {kind} component has no {name}.", kind=item.kind, name=name),
                        "Leave it out.",
                    )
            continue
        if not task.deployment:
            yield problem_of(
                "deployment",
                say("{component} serves a model, and no deployment is named that owns it.", component=item.id)
                if item.kind == "serve"
                else say(
                    "{component} makes machines that stay, and no deployment is named that owns them.",
                    component=item.id,
                ),
                "Name one: a later task of it changes them, and release.yml -e deployment=NAME removes them.",
            )
        if not item.lease_s:
            yield problem_of(
                f"{item.field}.lease_s",
                say("nothing says how long {component} stays.", component=item.id),
                "Give seconds.",
            )
        for name in ("code", "inputs", "outputs", "work", "gang"):
            if getattr(item, name) and not (item.kind == "serve" and name in ("code", "inputs")):
                yield problem_of(
                    f"{item.field}.{name}",
                    say("{component} answers until it is ended.", component=item.id)
                    if item.kind == "serve"
                    else say("{component} makes machines, and runs nothing on them.", component=item.id),
                    "Leave it out, or run work with kind: run.",
                )


def _needs(task):
    known = {item.id: item for item in task.components}
    for item in task.components:
        for place, need in enumerate(item.needs):
            if need not in known:
                yield problem_of(
                    f"{item.field}.needs[{place}]",
                    say("there is no component {component}.", component=need),
                    _others(known, item),
                )
        for place, entry in enumerate(item.inputs):
            if not entry.source:
                continue
            producer, output = entry.source.split(".")
            where = f"{item.field}.inputs[{place}].from"
            if producer not in known:
                yield problem_of(
                    where,
                    say("there is no component {component}.", component=producer),
                    _others(known, item),
                )
            elif output not in {made.name for made in known[producer].outputs}:
                made = ", ".join(sorted(made.name for made in known[producer].outputs)) or words("nothing")
                yield problem_of(
                    where,
                    say(
                        "{producer} makes no output {output}; it makes {made}.",
                        producer=producer,
                        output=output,
                        made=made,
                    ),
                    "Name one of its outputs, or add it there.",
                )


def _others(known, item):
    names = ", ".join(sorted(set(known) - {item.id}))
    return say("Name one of: {names}.", names=names or words("(none)"))


def measured_on(item, evaluate):
    """Return (component id, input name) of what an output of a component is measured on."""
    owner, dot, name = evaluate.input.rpartition(".")
    return (owner if dot else item.id), name


def _evaluations(task):
    withheld = {(item.id, entry.name): entry.holdout for item in task.components for entry in item.inputs}
    for item in task.components:
        for place, made in enumerate(item.outputs):
            where = f"{item.field}.outputs[{place}]"
            if not made.evaluate:
                continue
            owner, name = measured_on(item, made.evaluate)
            holdout = withheld.get((owner, name))
            if not holdout:
                able = sorted(one for (whose, one), there in withheld.items() if there and whose == owner)
                yield problem_of(
                    f"{where}.evaluate.input",
                    say("{input} is no input of {component} with a holdout.", input=name, component=owner),
                    say("Inputs with one: {names}.", names=", ".join(able) or words("none; add holdout to one")),
                )
            else:
                yield from _method(where, made.evaluate, holdout)
            if not made.collect:
                yield problem_of(
                    f"{where}.collect",
                    say("{output} is measured at home, so it must come home.", output=made.name),
                    "Drop collect: false.",
                )


def _method(where, evaluate, holdout):
    """What a method needs beside the figure that is asked for."""
    missing = [name for name in ("weights", "bias") if getattr(evaluate, name) is None]
    if evaluate.method == "linear_argmax" and missing:
        yield problem_of(
            f"{where}.evaluate.{missing[0]}",
            "is missing.",
            say("Name the array of {names}.", names=join(" and ", missing)),
        )
    wanted = "modulo and remainder" if evaluate.method == "linear_argmax" else "column"
    if bool(holdout.column) == (evaluate.method == "linear_argmax"):
        said = say(
            "{method} is measured on a holdout of {wanted}, and {input} has another.",
            method=evaluate.method, wanted=wanted, input=evaluate.input,
        )  # fmt: skip
        yield problem_of(f"{where}.evaluate.method", said, say("Give that input a holdout of {wanted}.", wanted=wanted))


def _reach(task):
    """Return id → every id it waits for, directly or not; a cycle includes the id itself."""
    direct = {item.id: set(producers(item)) for item in task.components}
    reach = {}
    for name in sorted(direct):
        found, todo = set(), list(direct[name])
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo.extend(direct.get(one, ()))
        reach[name] = found
    return direct, reach


def _gangs(task):
    _direct, reach = _reach(task)
    gangs = {}
    for item in task.components:
        if item.gang:
            gangs.setdefault(item.gang, []).append(item)
    for gang, members in sorted(gangs.items()):
        ids = {item.id for item in members}
        for item in members:
            # Waiting for a member by way of an outsider is a cycle as well: members start together.
            waits = sorted((reach[item.id] & ids) - {item.id})
            if waits and item.id not in reach[item.id]:
                yield problem_of(
                    f"{item.field}.gang",
                    say(
                        "{component} waits for {other}, and both start together in gang {gang}.",
                        component=item.id,
                        other=waits[0],
                        gang=gang,
                    ),  # fmt: skip
                    "Take one of them out of the gang, or drop the need.",
                )


def _cycles(task):
    """Cycles of needs, and cycles that appear once the members of a gang count as one."""
    direct, reach = _reach(task)
    ring = sorted(name for name in reach if name in reach[name])
    if ring:
        start = ring[0]
        path, current = [start], start
        while True:
            step = min(one for one in direct[current] if one in reach and start in reach[one] | {one})
            if step in path:
                path = path[path.index(step) :] + [step]
                break
            path.append(step)
            current = step
        yield problem_of(
            f"{task.component(path[0]).field}.needs",
            say("the needs go round in a circle: {path}.", path=" → ".join(path)),
            "Drop one of these needs.",
        )
        return
    yield from _gang_cycles(task, direct)


def _gang_cycles(task, direct):
    unit = {item.id: f"gang {item.gang}" if item.gang else item.id for item in task.components}
    merged = {}
    for name, needs in direct.items():
        merged.setdefault(unit[name], set()).update(unit[one] for one in needs)
    done = set()
    while True:
        ready = [name for name in merged if name not in done and merged[name] <= done]
        if not ready:
            break
        done.update(ready)
    left = sorted(name for name in merged if name not in done and name.startswith("gang "))
    if left:
        first = [item for item in task.components if unit[item.id] == left[0]][0]
        yield problem_of(
            f"{first.field}.gang",
            say("{names} wait for each other's members.", names=join(" and ", left)),
            "Members of a gang start together: split it.",
        )

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pool that fits cannot take a component at once: one sentence that names the pool, the cause and the time."""

from __future__ import annotations

from dataclasses import dataclass

from ...module_utils.said import join
from ...module_utils.said import say
from ...module_utils.said import words
from .capacity import GATE
from .capacity import QUOTAS
from .network import CONTROLLER
from .network import transfer_s
from .timeline import epoch
from .timeline import human
from .timeline import stamp

_UNITS = (words("cards"), words("cores"), words("GiB of memory"), words("jobs"), words("nodes"))
_MEMORY, _JOBS = 2, 3


@dataclass(frozen=True)
class Delay:
    """rule: busy | promised | maintenance | quota | queue | link. start_s: the soonest start, seconds from now."""

    rule: str
    sentence: str
    start_s: int


def delay_of(option, pool, capacity, now):
    """Return the Delay of an option, were it alone, or None where it can start at once. now: RFC 3339."""
    start, last = 0, None
    steady = False
    while not steady:
        steady = True
        for key in capacity.keys[pool.id]:
            found = capacity.taken[key].earliest(start, option.held_s, option.need)
            if found is None:
                return None  # never: the solver finds that out
            if found > start:
                start, last, steady = found, key, False
    if option.wait_s > start:
        return Delay("queue", _queue(option, pool), option.wait_s)
    return Delay(*_why(option, pool, capacity, last, start, now), start) if start else None


def on_links(problem, name, chosen):
    """Return what keeps the inputs of a component on their way, at its site and at those that were not taken."""
    found = []
    for move in problem.moves.get(name, ()):
        if move.datum.producer:
            continue  # when it is ready is a matter of the plan itself
        for site in sorted({option.site for option in problem.options[name]}):
            route = problem.network.route(CONTROLLER, site)
            delay = link_delay(problem, route, move.datum.size, problem.now) if route else None
            if delay and site == chosen.site:
                found.append(say("{name} waits: {why}", name=move.id, why=delay.sentence))
            elif delay:
                found.append(say("{name} to {site} would wait: {why}", name=move.id, site=site, why=delay.sentence))
    return found


def link_delay(problem, route, size, now):
    """Return the Delay of a copy that could leave at once, by what other plans hold of its links; None where it can."""
    start, last, steady, length = 0, None, False, transfer_s(size, route)
    while not steady:
        steady = True
        for hop in route.hops:
            found = problem.link(hop).earliest(start, length, (1,))
            if found > start:
                start, last, steady = found, hop, False
    if last is None:
        return None
    profile = problem.link(last)
    at, _place = _shortage(profile, (1,), start)
    whole, taken = profile.capacity[0], profile.level(at)[0]
    sentence = say(
        "the link {link} has {free} of {whole} shares free {until}; approved plans hold {n}",
        link="->".join(last),
        free=max(0, whole - taken),
        whole=whole,
        until=say("until {at}, {time} from now", at=stamp(epoch(now) + start), time=human(start)),
        n=taken,
    )
    return Delay("link", sentence, start)


def _queue(option, pool):
    queue = pool.queue
    said = say("{pool} expects a new job to wait {time}", pool=pool.id, time=human(option.wait_s))
    there = [say("{n} run", n=queue.running)] if queue.running else []
    there += [say("{n} wait", n=queue.pending)] if queue.pending else []
    return say("{sentence} ({jobs} there)", sentence=said, jobs=join(" and ", there)) if there else said


def _why(option, pool, capacity, key, start, now):
    """Return (rule, sentence) of the key that holds an option up until `start`."""
    profile, until = (
        capacity.taken[key],
        say("until {at}, {time} from now", at=stamp(epoch(now) + start), time=human(start)),
    )
    at, place = _shortage(profile, option.need, start)
    used, held = profile.level(at)[place], capacity.promised[key].level(at)[place]
    if place == _JOBS and key[0] != "quota" and used >= GATE:
        return "maintenance", say(
            "{pool} is in maintenance{why} {until}", pool=pool.id, why=_reason(pool, at, now), until=until
        )
    whole, need = profile.capacity[place], option.need[place]
    free, unit = max(0, whole - used), _unit(pool, place)
    if at:
        until = say("from {at} {until}", at=stamp(epoch(now) + at), until=until)
    told = say(
        "{free} of {whole} {unit} free {until}",
        free=_amount(free, place), whole=_amount(whole, place), unit=unit, until=until,
    )  # fmt: skip
    amount = _amount(need, place)
    wanted = say("{n} is needed", n=amount) if need == 1 else say("{n} are needed", n=amount)
    if key[0] == "quota":
        resource = next(name for name, (other, _each) in QUOTAS.items() if other == place)
        return "quota", say(
            "the quota of {resource} at {pool} leaves {told}; {wanted}",
            resource=words(resource), pool=pool.id, told=told, wanted=wanted,
        )  # fmt: skip
    notes = [wanted]
    if held:
        notes.append(say("approved plans hold {n}", n=_amount(held, place)))
    if used > held and _vague(pool, place):
        notes.append(words("not all jobs there say when they end"))
    rule = "promised" if held and whole - (used - held) >= need else "busy"
    return rule, say("{pool} has {told}; {notes}", pool=pool.id, told=told, notes=join("; ", notes))


def _shortage(profile, need, start):
    """Return (time, dimension) of the last step before `start` at which the need does not fit."""
    for at in reversed([time for time in profile.times if time < start]):
        for place, amount in enumerate(need):
            limit = profile.capacity[place]
            if amount and limit is not None and profile.level(at)[place] + amount > limit:
                first = at
                # Back over the steps that lack the same, to where it began.
                for earlier in reversed([time for time in profile.times if time < at]):
                    if profile.level(earlier)[place] + amount <= limit:
                        break
                    first = earlier
                return first, place
    raise ValueError("a delay without a shortage")


def _reason(pool, at, now):
    moment = epoch(now) + at
    reasons = [one.reason for one in pool.windows if epoch(one.start) <= moment < epoch(one.end, up=True)]
    return f" ({', '.join(filter(None, reasons))})" if any(reasons) else ""


def _vague(pool, place):
    """Whether more is taken than the running jobs with a known end take."""
    if place > 1:
        return True  # nobody tells the memory of a job
    name = ("accelerators", "cpu")[place]
    whole, free = getattr(pool.capacity, name), getattr(pool.free, name)
    told = sum(getattr(busy, name) for busy in pool.running_until)
    return None not in (whole, free) and whole - free > told


def _unit(pool, place):
    if place == 0 and pool.accelerator:
        return say("{card} cards", card=pool.accelerator.model)
    return _UNITS[place]


def _amount(value, place):
    return f"{value / 1024:g}" if place == _MEMORY else f"{value}"

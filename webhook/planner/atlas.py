"""The map as plain data: each site with its zones, endpoints and sums, and each link with what is promised of it."""

from __future__ import annotations

from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.network import SHARE_PM

#: The worse of two states of a site's endpoints is what the site shows.
BADNESS = ("live", "partial", "drained", "stale", "lost")


def sites(remembered, now):
    """Return a mapping a site, in the order of their names. remembered: proposing.Remembered, one an endpoint."""
    found = {}
    for one in remembered:
        found.setdefault(one.site.id, []).append(one)
    return [_site(group, now) for _name, group in sorted(found.items())]


def _site(group, now):
    site = group[0].site
    machines = _machines([pool for one in group for pool in one.pools])
    alarms = {}
    for alarm in _alarms(group):
        alarms[alarm.severity] = alarms.get(alarm.severity, 0) + 1
    ages = [clock.seconds_between(one.at, now) for one in group if one.at]
    return {
        "id": site.id,
        "name": site.name,
        "lab": site.lab,
        "state": max((one.state for one in group), key=_badness),
        "age_s": int(max(ages)) if len(ages) == len(group) else None,
        "endpoints": [_endpoint(one) for one in group],
        "accelerators": _sum(machines, "capacity", "accelerators"),
        "free_accelerators": _sum(machines, "free", "accelerators"),
        "cpu": _sum(machines, "capacity", "cpu"),
        "free_cpu": _sum(machines, "free", "cpu"),
        "alarms": dict(sorted(alarms.items())),
    }


def _badness(state):
    return BADNESS.index(state) if state in BADNESS else len(BADNESS)


def _machines(pools):
    """Return one pool for each set of the same machines: partitions over them are no more machines."""
    found = {}
    for pool in pools:
        key = tuple(sorted(pool.domains)) or (pool.id,)
        if key not in found or (pool.capacity.cpu or 0) > (found[key].capacity.cpu or 0):
            found[key] = pool
    return list(found.values())


def _alarms(group):
    found = {}
    for one in group:
        for alarm in (*one.alarms, *(alarm for pool in one.pools for alarm in pool.alarms)):
            found[alarm.id or (alarm.name, alarm.since)] = alarm
    return found.values()


def _endpoint(one):
    end = one.endpoint
    return {
        "id": end.id,
        "platform": end.platform,
        "zone": end.zone,
        "via": end.via,
        "protocol": end.protocol,
        "address": end.address,
        "port": end.port,
        "behind": [{"address": side["address"], "port": side["port"]} for side in end.behind],
        "state": one.state,
    }


def _sum(pools, part, name):
    """Return a sum over pools, None where no pool knows its figure."""
    known = [value for pool in pools if (value := getattr(getattr(pool, part), name)) is not None]
    return sum(known) if known else None


def links(known, promised, now):
    """Return links with the per cent of each that approved and running plans hold now."""
    held = {}
    for one in promised:
        if one.start <= now < one.end:
            for hop in one.hops:
                held[tuple(hop)] = held.get(tuple(hop), 0) + SHARE_PM
    return [
        {
            **to_plain(link),
            "committed_pct": min(100, held.get((link.source, link.target), 0) // 10 // link.shares),
            "age_s": int(clock.seconds_between(link.measured_at, now)) if link.measured_at else None,
        }
        for link in known
    ]

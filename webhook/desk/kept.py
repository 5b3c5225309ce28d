"""What stays after a run: services that answer and machines, where they are reached on both sides of a NAT, until when.

From the journal's newest word of each since everything was last given back, the plan, and the site files. `stays`:
component → leases.Stay, what the leases of the store say of it.
"""

from __future__ import annotations

import urllib.parse

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError

_MEASURED = ("component", "url", "replicas", "requests", "median_ms", "worst_ms", "status")


def services(config, plan, events, stays):
    """Return one mapping a service that answered.

    component, pool, url (as we reach it), inside (the same behind the site's NAT, one a machine of its balancer),
    replicas that answer of `asked`, requests made, median_ms and worst_ms of them, status of the last; lease_until,
    and ended, when it was given back or taken over by a newer plan.
    """
    asked = {item["id"]: item["nodes"] for item in plan["components"] if item["kind"] == "serve"}
    pools = _pools(events)
    found = []
    for event in newest(events, "answers", "component"):
        name = event["component"]
        more = {
            "pool": pools.get(name),
            "inside": _inside(config, pools.get(name), event["url"]),
            "asked": asked.get(name),
            **_lease(stays.get(name)),
        }
        found.append({**{key: event[key] for key in _MEASURED}, **more})
    return found


def machines(events, stays):
    """Return where machines that stay are reached: component, machine, port, private, public, lease_until, ended."""
    rows = [
        {key: event[key] for key in ("component", "machine", "port", "private", "public")}
        for event in newest(events, "reachable", "machine", "port")
    ]
    return [{**row, **_lease(stays.get(row["component"]))} for row in rows]


def newest(events, kind, *keys):
    """Return the newest event of a kind for each value of the keys, since everything was last given back."""
    found = {}
    for event in events:
        if event["event"] == "loaded" and event.get("purpose") == "release":
            found = {}
        elif event["event"] == kind:
            found[tuple(event[key] for key in keys)] = event
    return list(found.values())


def _lease(stay):
    return {"lease_until": stay.until if stay else None, "ended": stay.ended if stay else None}


def _pools(events):
    return {event["component"]: event["pool"] for event in newest(events, "placed", "component")}


def _inside(config, pool, url):
    """Return what a URL of a site's public side is called behind its NAT; nothing where there is none."""
    parts = urllib.parse.urlsplit(url)
    try:
        site = config.site(pool.split("/")[0]) if pool else None
    except BrainError:
        site = None  # its file is gone, and with it what was behind
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    rows = site.address_map if site else ()
    there = [row["private"] for row in rows if row["public"] == {"address": parts.hostname, "port": port}]
    return [parts._replace(netloc=f"{one['address']}:{one['port']}").geturl() for one in there]

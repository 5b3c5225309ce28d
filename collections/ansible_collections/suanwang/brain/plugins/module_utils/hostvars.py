# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pool ⇄ host variables. The only file that knows that shape.

Every variable carries the prefix ``brain_``. ``brain_pool_id`` is the identity; host names are never parsed.
``brain_seen.state`` and ``brain_schedulable`` are as of the refresh; whoever decides reckons them anew from
``brain_seen.at`` (`state_at`), so that a frozen copy does not lie.
"""

from __future__ import annotations

import re
from datetime import datetime

from .errors import Invalid
from .plain import from_plain
from .plain import to_plain
from .resources import Pool

PREFIX = "brain_"
_RENAMED = {"id": "pool_id", "name": "pool"}
_IN_ENDPOINT = ("endpoint", "via")


def host_name(pool):
    """Return ``<site>-<platform>-<pool>``, with what a host name must not hold replaced."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"{pool.site}-{pool.platform}-{pool.name}")


def to_hostvars(pool, endpoint=None):
    """Return the host variables of a Pool. endpoint: {address, port, protocol} for display."""
    plain = to_plain(pool)
    place = {"id": plain.pop("endpoint"), "via": plain.pop("via"), **(endpoint or {})}
    found = {PREFIX + _RENAMED.get(key, key): value for key, value in plain.items()}
    return {**found, "brain_endpoint": place, "brain_schedulable": schedulable(pool)}


def from_hostvars(variables):
    """Return the Pool in a host's variables; raise Invalid where there is none."""
    plain = {}
    back = {new: old for old, new in _RENAMED.items()}
    for key, value in variables.items():
        if key.startswith(PREFIX):
            short = key.removeprefix(PREFIX)
            plain[back.get(short, short)] = value
    place = plain.get("endpoint") or {}
    plain["endpoint"], plain["via"] = place.get("id"), place.get("via")
    try:
        return from_plain(Pool, plain)
    except (TypeError, AttributeError) as error:
        raise Invalid(
            f"host {variables.get('inventory_hostname', '?')} is no pool: {error}.",
            way_out="Take pools from a fleet.brain.yml inventory only.",
        ) from error


def state_at(pool, now):
    """Return the state of a pool's facts at a time: live | partial | stale | lost | drained."""
    if pool.seen.state == "drained" or pool.seen.at is None:
        return pool.seen.state
    age_s = (_moment(now) - _moment(pool.seen.at)).total_seconds()
    if age_s > pool.lost_after_s:
        return "lost"
    return pool.seen.state


def schedulable(pool):
    """Return whether work may be placed on the pool, as of its refresh."""
    return pool.open and pool.seen.state in ("live", "partial", "stale")


def groups(pool):
    """Return the groups of a pool. Valid names, without any template."""
    names = ["brain_pools", f"site_{pool.site}", f"platform_{pool.platform}"]
    names.append(f"state_{pool.seen.state}")
    if pool.arch:
        names.append(f"arch_{pool.arch}")
    if pool.accelerator:
        names.append(f"accelerator_{pool.accelerator.model}")
    return [re.sub(r"[^A-Za-z0-9_]", "_", name) for name in names]


def _moment(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")

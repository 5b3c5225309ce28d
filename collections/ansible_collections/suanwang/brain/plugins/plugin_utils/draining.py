# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drains: sites, endpoints and pools to which people send no new work. One file of the store, ``drains.json``.

It maps a scope (``<site>``, ``<site>/<endpoint>`` or ``<site>/<endpoint>/<pool>``) to {reason, by, at}. It is laid over
what the platforms say wherever pools are read, and is in no snapshot: lifting it counts at once. What runs goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json

from ..module_utils.errors import Corrupt
from ..module_utils.errors import Invalid
from ..module_utils.said import say
from ..module_utils.said import words

MAX_REASON = 500


def path(store):
    return store.root / "drains.json"


def read(store):
    """Return scope → {reason, by, at}; raise Corrupt where the file does not read: nothing is placed then."""
    try:
        found = json.loads(path(store).read_bytes())
        if not all(isinstance(one["reason"], str) for one in found.values()):
            raise ValueError("a reason is no text")
        return found
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise Corrupt(
            say("{path} does not read: {error}.", path=str(path(store)), error=str(error)),
            way_out=words("Mend it, or remove it: then nothing is drained."),
        ) from error


def drain(store, config, scope, reason, by, now):
    """Send no new work to a scope; return (before, after), the entry or None. Raise Invalid, NotFound."""
    check_reason(reason)
    check_scope(config, scope)
    with _locked(store):
        found = read(store)
        before = found.get(scope)
        found[scope] = entry(before, reason, by, now)
        if found[scope] != before:
            _write(store, found)
        return before, found[scope]


def lift(store, scope):
    """Let new work go to a scope again; return the entry that was there, or None."""
    with _locked(store):
        found = read(store)
        before = found.pop(scope, None)
        if before is not None:
            _write(store, found)
        return before


def entry(before, reason, by, now):
    """Return the entry after a drain: the one before where its reason is the same."""
    reason = " ".join(reason.split())
    return before if before is not None and before["reason"] == reason else {"reason": reason, "by": by, "at": now}


def check_reason(reason):
    if not 3 <= len(" ".join((reason or "").split())) <= MAX_REASON:
        raise Invalid(
            words("a drain needs a reason of 3 to 500 characters."), way_out=words("Say why, for those who wait.")
        )


def check_scope(config, scope):
    """Raise Invalid or NotFound where a scope names no site, or no endpoint of it that has pools."""
    parts = str(scope).split("/", 2)
    if not all(parts):
        raise Invalid(
            say("{scope!r} is no site, endpoint or pool.", scope=scope),
            way_out=words("Write <site>, <site>/<endpoint> or <site>/<endpoint>/<pool>."),
        )
    site = config.site(parts[0])
    if len(parts) > 1 and parts[1] not in [endpoint.id for endpoint in site.with_pools]:
        raise Invalid(
            say("site {site} has no endpoint {endpoint!r} with pools.", site=site.id, endpoint=parts[1]),
            site=site.id,
            way_out=say("It has: {names}.", names=", ".join(endpoint.id for endpoint in site.with_pools)),
        )


def over(pool_id, found):
    """Return (scope, entry) of the widest drain that holds for a pool, or None."""
    parts = pool_id.split("/", 2)
    scopes = ("/".join(parts[:count]) for count in (1, 2, 3))
    return next(((scope, found[scope]) for scope in scopes if scope in found), None)


def applied(pools, found):
    """Return pools, those that a drain holds for with the state `drained` and the reason. What is lost stays so."""
    return tuple(_applied(pool, over(pool.id, found)) for pool in pools)


def _applied(pool, drained):
    if drained is None or pool.seen.state == "lost":
        return pool
    return dataclasses.replace(pool, seen=dataclasses.replace(pool.seen, state="drained", error=said(*drained)))


def planned(plan, found):
    """Return one mapping a component whose first pool is drained: {component, pool, why, others}, for who approves.

    others: the allowed pools that are not; the preflight takes one of these, and refuses where there is none.
    """
    rows = []
    for item in plan["components"]:
        drained = over(item["pools"][0], found) if item.get("pools") and "of" not in item else None
        if drained:
            others = [pool for pool in item["pools"][1:] if over(pool, found) is None]
            rows.append({"component": item["id"], "pool": item["pools"][0], "why": said(*drained), "others": others})
    return rows


def said(scope, entry):
    """Return why, by whom and since when, for people."""
    return f"{entry['reason']} ({scope}, by {entry.get('by')} since {entry.get('at')})"


@contextlib.contextmanager
def _locked(store):
    store.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(store.root / "drains.lock", "ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _write(store, found):
    store.write(path(store), json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n")

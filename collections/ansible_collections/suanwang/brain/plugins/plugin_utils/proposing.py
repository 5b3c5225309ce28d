# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task file to proposals, and from a chosen one to the plan on disk. For playbooks and for the service alike."""

from __future__ import annotations

import dataclasses

from ..module_utils.plain import from_plain
from ..module_utils.resources import Alarm
from ..module_utils.resources import Pool
from . import clock
from . import draining
from . import intake
from . import observing
from .planning.network import measured
from .planning.plan import build
from .planning.propose import propose
from .promised import promised

#: Facts are called stale when they are older than so many of their site's own intervals.
INTERVALS = 3


@dataclasses.dataclass(frozen=True)
class Reading:
    """A task as it was read: the record, facts about its files, and the checksum of the file."""

    task: object
    facts: object
    sha256: str


def read(path, store):
    """Return the Reading of a task file; raise Invalid naming the field, Corrupt for a wrong input."""
    task, folder, sha256 = intake.read_task(path)
    return Reading(task, intake.facts(task, folder, store), sha256)


def proposals(reading, pools, config, commitments, now):
    """Return the Proposals of a Reading over pools, with the links, policy and tenants of a config folder."""
    return propose(
        reading.task, reading.facts, pools, links(config, pools, now), commitments, config.policy, config.tenants, now
    )  # fmt: skip


def links(config, pools, now):
    """Return the declared Links of a config folder with what perception measured of them, where that is fresh."""
    return measured(config.links, [(pool.site, pool.path, pool.lost_after_s) for pool in pools], now)


def commitments(store, now):
    """Return what the store's approved and running plans hold."""
    return promised(store, now)


def planned(reading, chosen, config, run, requester, now):
    """Return (plan, estimate) of a proposal, with the pins of the config folder's sites."""
    return build(
        chosen,
        reading.task,
        reading.facts,
        run=run,
        requester=requester,
        task_sha256=reading.sha256,
        site_pins={name: (site.pin, site.lab) for name, site in config.sites.items()},
        policy=config.policy,
        now=now,
    )


@dataclasses.dataclass(frozen=True)
class Remembered:
    """What the store remembers of one platform endpoint; at is None where it was never read.

    alarms: those of a monitoring system that belong to no pool.
    """

    site: object
    endpoint: object
    pools: tuple[Pool, ...]
    state: str
    at: str | None
    alarms: tuple = ()


def remembered(config, store, now):
    """Return a Remembered for each platform endpoint, from the snapshots alone: no network is touched."""
    found, drains = [], draining.read(store)
    for _name, site in sorted(config.sites.items()):
        measured = observing.of_store(store, site, now)
        for endpoint in site.platforms:
            snapshot = store.snapshot(site.id, endpoint.id)
            if snapshot is None:
                found.append(Remembered(site, endpoint, (), "lost", None))
                continue
            pools = tuple(from_plain(Pool, plain) for plain in snapshot.get("pools", ()))
            pools = tuple(observing.observed(pool, measured) for pool in pools)
            state = _state(site, pools, clock.seconds_between(snapshot["at"], now))
            if state in ("stale", "lost"):
                pools = tuple(
                    dataclasses.replace(pool, seen=dataclasses.replace(pool.seen, state=state)) for pool in pools
                )
            pools = draining.applied(pools, drains)
            left = snapshot.get("observation", {}).get("alarms", ())
            alarms = tuple(from_plain(Alarm, plain) for plain in left)
            found.append(Remembered(site, endpoint, pools, state, snapshot["at"], alarms))
    return found


def _state(site, pools, age_s):
    if site.policy.get("drained"):
        return "drained"
    if age_s > site.lost_after_s:
        return "lost"
    if age_s > INTERVALS * site.poll_interval_s:
        return "stale"
    return "partial" if any(pool.seen.state == "partial" for pool in pools) else "live"

# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's monitoring says, laid over the pools that other platforms told of.

Where a rule covers a pool, the pool's usage is what was measured and nothing else: what the scheduler has given away
is no substitute for a figure that is missing. An alarm that is gone while its exporter is silent is kept.
"""

from __future__ import annotations

import dataclasses
import fnmatch

from ..module_utils import sites
from ..module_utils.plain import from_plain
from ..module_utils.resources import Alarm
from ..module_utils.resources import Observation
from ..module_utils.resources import Reading
from ..module_utils.resources import Usage
from . import clock

KEPT = " (no longer reported, but its exporter is silent)"


def remembered(seen, before):
    """Return an Observation with the alarms that went away only because nobody watches any more.

    before: the last Observation of the same endpoint, or None.
    """
    if before is None:
        return seen
    there = {alarm.id for reading in seen.readings for alarm in reading.alarms}
    old = {reading.rule: reading for reading in before.readings}
    readings = []
    for reading in seen.readings:
        kept = [
            _kept(alarm)
            for alarm in (old[reading.rule].alarms if reading.rule in old else ())
            if alarm.id not in there and "/silent/" not in alarm.id and _unwatched(alarm, reading)
        ]
        readings.append(dataclasses.replace(reading, alarms=(*reading.alarms, *kept)))
    return dataclasses.replace(seen, readings=tuple(readings))


def _unwatched(alarm, reading):
    return reading.blind is not None or alarm.source in reading.silent or (reading.silent and alarm.source is None)


def _kept(alarm):
    return alarm if alarm.name.endswith(KEPT) else dataclasses.replace(alarm, name=alarm.name + KEPT)


def unanswered(endpoint, site, error, since, before):
    """Return the Observation of a monitoring system that does not answer: no figures, the old alarms, and one more."""
    said = f"the monitoring {endpoint.id} of {site.id} does not answer"
    said += f" since {since}" if since else ""
    alarm = Alarm(f"{site.id}/{endpoint.id}/silent/self", f"{said}.", "minor", since, endpoint.id)
    readings = tuple(
        Reading(number, tuple(rule["pools"]), Usage(measured_at=since, basis="measured"), alarms=(alarm,), blind=error)
        for number, rule in enumerate(endpoint.observes)
    )
    left = before.alarms if before else ()
    return remembered(Observation(readings, left), before)


def of_store(store, site, now):
    """Return the Observations in the snapshots of a site. One that is too old is that of a system that is silent."""
    found = []
    for endpoint in filter(sites.observes, site.platforms):
        snapshot = store.snapshot(site.id, endpoint.id)
        if snapshot is None:
            continue
        seen = from_plain(Observation, snapshot["observation"])
        if clock.seconds_between(snapshot["at"], now) > site.lost_after_s:
            seen = unanswered(endpoint, site, "its snapshot is too old", snapshot["at"], seen)
        found.append(seen)
    return tuple(found)


def every_alarm(seen):
    """Return all alarms of an Observation, those of pools and those of the site, each once."""
    alarms = [alarm for reading in seen.readings for alarm in reading.alarms]
    return list({alarm.id: alarm for alarm in (*alarms, *seen.alarms)}.values())


def observed(pool, observations):
    """Return a Pool with the usage and the alarms that Observations of its site have for it."""
    readings = [
        reading
        for seen in observations
        for reading in seen.readings
        if any(fnmatch.fnmatchcase(f"{pool.endpoint}/{pool.name}", pattern) for pattern in reading.pools)
    ]
    if not readings:
        return pool
    alarms = {alarm.id: alarm for alarm in (*pool.alarms, *(one for reading in readings for one in reading.alarms))}
    measured = [reading for reading in readings if reading.usage.basis]
    usage = _usage(pool, measured) if measured else pool.usage
    return dataclasses.replace(pool, usage=usage, alarms=tuple(alarms.values()))


def _usage(pool, readings):
    found, covered = {}, []
    for reading in readings:
        figures = dataclasses.asdict(reading.usage)
        share = _share(reading, pool)
        if share is not None:
            covered.append(share)
        if share is not None and share < 100:
            figures["power_w"] = None  # the sum over some is not the pool's
        found |= {name: value for name, value in figures.items() if value is not None}
    return Usage(**{**found, "covered_pct": min(covered, default=None), "basis": "measured"})


def _share(reading, pool):
    """Return the per cent of a pool's cards, or of its nodes, that a reading stands on."""
    cards, nodes = pool.capacity.accelerators, pool.capacity.nodes
    pairs = [(reading.cards, cards), (reading.nodes, nodes)]
    shares = [min(100.0, round(100 * have / whole, 1)) for have, whole in pairs if have is not None and whole]
    if not shares and reading.blind:
        return 0.0
    return min(shares, default=None)

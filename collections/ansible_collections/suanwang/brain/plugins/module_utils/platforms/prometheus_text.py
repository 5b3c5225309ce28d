# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Prometheus writes things: labels, values as text, samples that outlive their exporter, alerts."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from datetime import UTC

from ..resources import Alarm

#: labels by which one card is several series: an exporter repeats it for every container that uses it
CONTAINER = {"namespace", "pod_name", "container_name", "pod", "container", "exported_namespace", "exported_pod"}
#: figures of a pool that are no mean of its series
WHOLE = {"power_w": sum, "temperature_c": max}


# -- labels ------------------------------------------------------------------------------------------
def selector(labels):
    """Return the labels of a rule as they stand between the braces of PromQL.

    >>> selector({"job": "npu", "instance": "~hn-.*"})
    'instance=~"hn-.*",job="npu"'
    """
    found = []
    for name, value in sorted(labels.items()):
        sign, plain = ("=~", value[1:]) if value.startswith("~") else ("=", value)
        found.append(f"{name}{sign}{json.dumps(plain, ensure_ascii=False)}")
    return ",".join(found)


def matches(labels, wanted):
    """Return whether labels are those of a rule: the same text, or by the regular expression after a ~."""

    def fits(have, want):
        return re.fullmatch(want[1:], have) is not None if want.startswith("~") else have == want

    return bool(wanted) and all(fits(labels.get(name, ""), want) for name, want in wanted.items())


def mark(labels):
    """Return what tells one set of labels from another, short enough for an id."""
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]


# -- samples -----------------------------------------------------------------------------------------
def number(value):
    """Return a sample's text as a number; None for NaN and the infinities."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def key(row):
    """Return what a sample is about: its labels without the metric's name and the container's."""
    return frozenset(
        (name, value) for name, value in row["labels"].items() if name != "__name__" and name not in CONTAINER
    )


def one_a_card(rows):
    """Return one row for each card, the highest where a card is there once for every container."""
    best = {}
    for row in rows:
        have = best.get(key(row))
        if have is None or (number(row["value"]) or 0) > (number(have["value"]) or 0):
            best[key(row)] = row
    return list(best.values())


def summed_up(name, values):
    """Return the figure of a pool out of those of its cards or nodes; None where there are none."""
    if not values:
        return None
    whole = WHOLE.get(name)
    return round(whole(values) if whole else sum(values) / len(values), 1)


class Fresh:
    """Which samples say something of now.

    targets: rows of `up`; witnesses: rows whose value is the time of a sample that every card or node has.
    """

    def __init__(self, targets, witnesses, fresh_s):
        self.targets = {row["labels"].get("instance", ""): number(row["value"]) == 1 for row in targets}
        self._ages = {key(row): row["at"] - (number(row["value"]) or 0) for row in witnesses}
        self._limit = fresh_s
        self._youngest = defaultdict(lambda: math.inf)
        for row in witnesses:
            name = row["labels"].get("instance", "")
            self._youngest[name] = min(self._youngest[name], self._ages[key(row)])

    def counts(self, row):
        name = row["labels"].get("instance", "")
        age = self._ages.get(key(row), self._youngest[name])
        return self.targets.get(name, False) and age <= self._limit

    @property
    def troubles(self):
        """Return target → why nothing fresh is known of it, or of some of its cards."""
        found = {}
        for name, up in sorted(self.targets.items()):
            youngest = self._youngest.get(name)
            old = [age for one, age in self._ages.items() if ("instance", name) in one and age > self._limit]
            if not up:
                found[name] = f"the exporter {name} does not answer"
            elif youngest is None:
                found[name] = f"the exporter {name} answers, and what it should measure is not there"
            elif youngest > self._limit:
                found[name] = f"the exporter {name} is frozen: its newest sample is {youngest:.0f} s old"
            elif old:
                found[name] = f"{len(old)} of the samples of {name} are frozen, the oldest for {max(old):.0f} s"
        return found

    @property
    def silent(self):
        return tuple(self.troubles)

    def blind(self, exporter):
        """Return why nothing at all is known, None where something is."""
        if not self.targets:
            return f"no {exporter} is scraped"
        bad = [n for n in self.targets if not self.targets[n] or self._youngest[n] > self._limit]
        return f"none of {len(bad)} {exporter}(s) says anything fresh" if len(bad) == len(self.targets) else None


# -- alarms ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Alert:
    """An alert as an Alarm, with the labels by which rules find it."""

    labels: dict
    alarm: Alarm


def alert(row, place, severities):
    """Return the Alert of a row of FIELDS of prometheus.py."""
    labels, notes = row["labels"], row["notes"] or {}
    name = labels.get("alertname", "alert without a name")
    told = notes.get("summary") or notes.get("message") or notes.get("description")
    return Alert(
        labels,
        Alarm(
            id=f"{place}/{mark(labels)}",
            name=f"{name}: {told}" if told else name,
            severity=severities.get(labels.get("severity", "").lower(), "warning"),
            since=moment(row["since"]),
            source=labels.get("instance"),
        ),
    )


def silent_alarm(place, what, said, source, severity="major"):
    return Alarm(f"{place}/silent/{what}", said, severity, source=source)


def health_alarm(row, place, severity, sentence):
    """Return the Alarm of a series that an expression left. sentence: with {label} and {value}."""
    words = defaultdict(lambda: "?", row["labels"], value=row["value"])
    said = sentence.format_map(words)
    return Alarm(f"{place}/health/{mark(sorted(key(row)))}", said, severity, source=row["labels"].get("instance"))


def moment(text):
    """Return a time with fractions and any zone as ours; None for the year 1, which is no date.

    >>> moment("2026-11-25T11:26:58.123456789+08:00"), moment("0001-01-01T00:00:00Z")
    ('2026-11-25T03:26:58Z', None)
    """
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", text or "")
    if not found or text.startswith("0001"):
        return None
    at = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

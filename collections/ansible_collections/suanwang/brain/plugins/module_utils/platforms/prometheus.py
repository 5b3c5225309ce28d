# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus and Alertmanager: what the machines behind other platforms' pools are doing, and what is wrong there.

It has no pools of its own: label rules of the site file (`observes`) say which targets stand for which pools.

Sources: Prometheus 2.42 and Alertmanager 0.25 (Debian 12), seen; metric names and units of Ascend npu-exporter 5 and 6,
node-exporter and dcgm-exporter as their documents and other readers of them have them. Never verified: federation,
Thanos, VictoriaMetrics, several Alertmanagers without a balancer before them, cards with vNPUs.

A metric that does not exist is an empty success. A sample that carries its own time outlives its exporter for minutes.
So a figure counts only if its target is up and its sample fresh; nothing is ever filled in with 0.
"""

from __future__ import annotations

import base64
import functools

from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..nodefacts import utc
from ..resources import Observation
from ..resources import Reading
from ..resources import Usage
from . import prometheus_text as text
from .base import compiled
from .base import Platform
from .base import VERBS

# -- LOGIN: none, or the credential as a bearer token; with native_user, as that user's password ------

# -- PATHS -----------------------------------------------------------------------------------------
BUILD, QUERY, FIRING = "/api/v1/status/buildinfo", "/api/v1/query", "/api/v1/alerts"
MANAGER, ALERTS = "/api/v2/status", "/api/v2/alerts"
ACTIVE = {"active": "true", "silenced": "false", "inhibited": "false", "unprocessed": "true"}

# -- FIELDS: the exporters' metrics → ours; $ stands for a rule's labels ---------------------------
#: witness: what every card, or node, always reports. figures: of which each series is one card, or node.
#: health: (expression, severity, sentence) of what is wrong where a series is left.
EXPORTERS = {
    "npu-exporter": {  # AI Core use in %, HBM in MB, W, °C; health_status 1 is healthy
        "witness": "npu_chip_info_utilization{$}",
        "figures": {
            "accelerator_pct": "npu_chip_info_utilization{$}",
            "accelerator_memory_pct": "100 * npu_chip_info_hbm_used_memory{$} / npu_chip_info_hbm_total_memory{$}",
            "power_w": "npu_chip_info_power{$}",
            "temperature_c": "npu_chip_info_temperature{$}",
        },
        "health": [("npu_chip_info_health_status{$} == 0", "major", "NPU {id} of {instance} is not healthy")],
    },
    "dcgm-exporter": {  # %, MiB, W, °C; XID is the number of the last error
        "witness": "DCGM_FI_DEV_GPU_UTIL{$}",
        "figures": {
            "accelerator_pct": "DCGM_FI_DEV_GPU_UTIL{$}",
            "accelerator_memory_pct": (
                "100 * DCGM_FI_DEV_FB_USED{$} / (DCGM_FI_DEV_FB_USED{$} + DCGM_FI_DEV_FB_FREE{$})"
            ),
            "power_w": "DCGM_FI_DEV_POWER_USAGE{$}",
            "temperature_c": "DCGM_FI_DEV_GPU_TEMP{$}",
        },
        "health": [("DCGM_FI_DEV_XID_ERRORS{$} != 0", "major", "GPU {gpu} of {instance} reported XID {value}")],
    },
    "node-exporter": {  # seconds of each core and mode; bytes
        "witness": "node_memory_MemTotal_bytes{$}",
        "figures": {
            # A ratio of rates: right after its start an exporter's rate over two minutes is far too small.
            "cpu_pct": (
                '100 * (1 - sum by (instance) (rate(node_cpu_seconds_total{mode="idle",$}[2m]))'
                " / sum by (instance) (rate(node_cpu_seconds_total{$}[2m])))"
            ),
            "memory_pct": "100 * (1 - node_memory_MemAvailable_bytes{$} / node_memory_MemTotal_bytes{$})",
        },
        "health": [],
    },
}
FIELDS = {
    "sample": "data.result[].{labels: metric, value: value[1], at: value[0]}",
    "alert": "[].{labels: labels, notes: annotations, since: startsAt}",
    "firing": "data.alerts[?state=='firing'].{labels: labels, notes: annotations, since: activeAt}",
}

# -- STATES: words of the label `severity` → ours; one that is not here is a warning -----------------
_WORDS = {
    "critical": "critical emergency fatal disaster p0 紧急",
    "major": "major error high page p1 重要",
    "minor": "minor average p2 次要",
    "warning": "warning warn low p3 提示",
    "info": "info information notice none",
}
SEVERITIES = {word: severity for severity, listed in _WORDS.items() for word in listed.split()}

# -- ERRORS: HTTP status → our class ----------------------------------------------------------------
ERRORS = {400: Invalid, 401: Unauthorized, 403: Unauthorized, 404: NotFound, 422: Refused}

#: seconds after which a sample says nothing of now, where the rule names none
FRESH_S = 180


class Prometheus(Platform):
    """One Prometheus, and the Alertmanager that the site file names beside it."""

    NAME = "prometheus"
    OBSERVES = True
    CAPABILITIES = dict.fromkeys(
        set(VERBS) - {"ping", "alarms", "usage"}, "it watches the machines of other platforms and runs nothing."
    )

    # -- perception --------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api, alertmanager}: None for the last where the site file names none."""
        manager = None
        if self.endpoint.alerts:
            manager = self._checked(self._manager, MANAGER)["versionInfo"]["version"]
        return {
            "version": self._checked(self.connection, BUILD)["data"]["version"],
            "api": "v1",
            "alertmanager": manager,
        }

    def usage(self):
        """Return the Observation: a Reading for each rule of the site file, and the alerts that no rule takes."""
        rules = self.endpoint.observes
        alerts, mine = self._alerts(), []
        taken = [[one for one in alerts if text.matches(one.labels, _about(rule))] for rule in rules]
        for number, (rule, found) in enumerate(zip(rules, taken, strict=True)):
            mine.append(self._reading(number, rule, [one.alarm for one in found]))
        left = [one.alarm for one in alerts if not any(one in found for found in taken)]
        return Observation(tuple(mine), tuple(left))

    def alarms(self):
        """Return every alarm once: what fires, what the exporters say, and exporters that say nothing."""
        seen = self.usage()
        found = [alarm for reading in seen.readings for alarm in reading.alarms]
        return list({alarm.id: alarm for alarm in [*found, *seen.alarms]}.values())

    # -- one rule ----------------------------------------------------------------------------------
    def _reading(self, number, rule, alarms):
        pools = tuple(rule["pools"])
        if "exporter" not in rule:
            return Reading(number, pools, alarms=tuple(alarms))
        table = EXPORTERS[rule["exporter"]]
        labels = text.selector(rule["labels"])
        targets = self._samples("up{$}", labels)
        witnesses = text.one_a_card(self._samples(f"timestamp({table['witness']})", labels))
        fresh = text.Fresh(targets, witnesses, rule.get("fresh_s", FRESH_S))
        figures, now = {}, None
        for name, expression in {**table["figures"], **rule.get("metrics", {})}.items():
            rows = text.one_a_card(self._samples(expression, labels))
            figures[name] = [
                value for row in rows if fresh.counts(row) and (value := text.number(row["value"])) is not None
            ]
            now = max((row["at"] for row in rows), default=now)
        alarms += self._silence(fresh, rule)
        for expression, severity, sentence in table["health"]:
            rows = [row for row in text.one_a_card(self._samples(expression, labels)) if fresh.counts(row)]
            alarms += [text.health_alarm(row, self._place, severity, sentence) for row in rows]
        return Reading(
            number,
            pools,
            Usage(
                **{name: text.summed_up(name, values) for name, values in figures.items()},
                measured_at=utc(now),
                basis="measured",
            ),
            cards=len(figures["accelerator_pct"]) if "accelerator_pct" in figures else None,
            nodes=len(figures["cpu_pct"]) if "cpu_pct" in figures else None,
            alarms=tuple(alarms),
            silent=fresh.silent,
            blind=fresh.blind(rule["exporter"]),
        )

    def _silence(self, fresh, rule):
        """Return an Alarm for each target of which nothing fresh is known, or for the rule that has none at all."""
        if not fresh.targets:
            said = f"no target with {text.selector(rule['labels'])} is scraped at {self.site.id}"
            return [text.silent_alarm(self._place, f"rule-{text.mark(rule['labels'])}", said, None)]
        return [text.silent_alarm(self._place, name, said, name) for name, said in fresh.troubles.items()]

    # -- asking ------------------------------------------------------------------------------------
    @property
    def _place(self):
        return f"{self.site.id}/{self.endpoint.id}"

    @functools.cached_property
    def _manager(self):
        return self.connection.beside(self.endpoint.alerts)

    def _headers(self, connection):
        account = connection.account
        if not account.credential:
            return {}
        secret = connection.secret()
        if account.user:
            pair = base64.b64encode(f"{account.user}:{secret}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {"Authorization": f"Bearer {secret}"}

    def _checked(self, connection, path, params=None):
        """Return the JSON of an answer that is one; raise what it says otherwise."""
        request = f"GET {path}"
        answer = connection.http.request("GET", path, params=params, headers=self._headers(connection))
        said = answer.body.get("error") if isinstance(answer.body, dict) else None
        if answer.status != 200 or said:
            kind = ERRORS.get(answer.status, Unreachable)
            way_out = "Correct `observes` in the site file." if kind is Invalid else None
            raise kind(said or f"HTTP {answer.status}.", site=self.site.id, request=request, way_out=way_out)
        if answer.body is None:
            raise Unreachable("it answered something that is no JSON.", site=self.site.id, request=request)
        return answer.body

    def _samples(self, expression, labels):
        """Return the rows of an instant query; [] where there is nothing of that name."""
        body = self._checked(self.connection, QUERY, {"query": expression.replace("$", labels)})
        if body.get("data", {}).get("resultType") != "vector":
            raise Invalid(
                f"{expression} gives no vector.",
                site=self.site.id,
                way_out="Correct `metrics` in the site file.",
            )
        return compiled(FIELDS["sample"]).search(body)

    def _alerts(self):
        """Return the text.Alerts that fire. Where the Alertmanager is silent, Prometheus' own, and that as an alarm."""
        silent = []
        if self.endpoint.alerts:
            try:
                return self._read(compiled(FIELDS["alert"]).search(self._checked(self._manager, ALERTS, ACTIVE)))
            except Unreachable:
                said = f"the Alertmanager of {self.site.id} does not answer; these alarms are Prometheus' own."
                alarm = text.silent_alarm(self._place, "alertmanager", said, self.endpoint.alerts, "minor")
                silent = [text.Alert({}, alarm)]
        return silent + self._read(compiled(FIELDS["firing"]).search(self._checked(self.connection, FIRING)))

    def _read(self, rows):
        if rows is None:
            raise Unreachable("the list of alerts is missing.", site=self.site.id)
        return [text.alert(row, self._place, SEVERITIES) for row in rows]


def _about(rule):
    return rule.get("alerts", rule["labels"])

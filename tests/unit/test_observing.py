"""Laying what was measured over pools, and the words of Prometheus, without a server."""

import json
from pathlib import Path

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import configfile
from ansible_collections.suanwang.brain.plugins.module_utils import resources as r
from ansible_collections.suanwang.brain.plugins.module_utils.plain import from_plain
from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import prometheus_text as text
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.prometheus import EXPORTERS
from ansible_collections.suanwang.brain.plugins.plugin_utils import observing

SCHEMAS = Path(configfile.__file__).parent / "schemas"
POOL = r.Pool("hunan/slurm/npu", "npu", "hunan", "slurm", "slurm", capacity=r.Capacity(2, 384, 1536, 16))


def seen(*readings, alarms=()):
    return r.Observation(readings, alarms)


def reading(rule=0, pools=("slurm/*",), alarms=(), **more):
    return r.Reading(rule, pools, alarms=alarms, **more)


def alarm(name, source=None):
    return r.Alarm(f"hunan/metrics/{name}", name, "critical", source=source)


def measured(**figures):
    return r.Usage(**figures, measured_at="2026-11-25T03:00:00Z", basis="measured")


def test_the_schema_knows_the_exporters_of_the_table():
    observed = json.loads((SCHEMAS / "site.json").read_text())["$defs"]["observed"]["properties"]
    assert observed["exporter"]["enum"] == sorted(EXPORTERS)
    figures = {name for table in EXPORTERS.values() for name in table["figures"]}
    assert set(observed["metrics"]["propertyNames"]["enum"]) == figures


def test_two_rules_make_one_usage():
    cards = reading(usage=measured(accelerator_pct=50.0, power_w=100.0), cards=16)
    nodes = reading(1, usage=measured(cpu_pct=10.0), nodes=2)
    usage = observing.observed(POOL, [seen(cards, nodes)]).usage
    assert (usage.accelerator_pct, usage.power_w, usage.cpu_pct, usage.covered_pct) == (50.0, 100.0, 10.0, 100.0)


def test_a_part_is_said_to_be_one():
    usage = observing.observed(
        POOL, [seen(reading(usage=measured(accelerator_pct=50.0, power_w=90.0), cards=12))]
    ).usage
    assert (usage.accelerator_pct, usage.power_w, usage.covered_pct) == (50.0, None, 75.0)


def test_nothing_measured_hides_what_the_scheduler_has_given_away():
    pool = r.Pool(**{**POOL.__dict__, "usage": r.Usage(accelerator_pct=100.0, basis="allocated")})
    blind = reading(usage=measured(), cards=0, blind="none answers")
    assert observing.observed(pool, [seen(blind)]).usage.accelerator_pct is None
    assert observing.observed(pool, [seen(reading(alarms=(alarm("x"),)))]).usage.accelerator_pct == 100.0


def test_a_rule_is_for_the_pools_it_names():
    assert observing.observed(POOL, [seen(reading(pools=("slurm/gpu", "other/*"), alarms=(alarm("x"),)))]) == POOL


@pytest.mark.parametrize(("silent", "blind", "kept"), [
    ((), None, []), (("a:1",), None, ["of a", "of nobody"]), (("a:1", "b:1"), "all", ["of a", "of b", "of nobody"]),
])  # fmt: skip
def test_an_alarm_that_nobody_watches_any_more_is_kept(silent, blind, kept):
    before = seen(reading(alarms=(alarm("of a", "a:1"), alarm("of b", "b:1"), alarm("of nobody"))))
    after = observing.remembered(seen(reading(silent=silent, blind=blind)), before)
    assert [one.name for one in after.readings[0].alarms] == [f"{name}{observing.KEPT}" for name in kept]
    again = observing.remembered(seen(reading(silent=silent, blind=blind)), after)
    assert again == after


def test_an_observation_survives_the_store():
    whole = seen(reading(usage=measured(cpu_pct=1.5), silent=("a",), alarms=(alarm("x"),)), alarms=(alarm("y"),))
    assert from_plain(r.Observation, to_plain(whole)) == whole


@pytest.mark.parametrize(("value", "number"), [
    ("37", 37.0), ("NaN", None), ("+Inf", None), ("-Inf", None), ("", None), (None, None), ("1e3", 1000.0),
])  # fmt: skip
def test_values_are_text(value, number):
    assert text.number(value) == number


def test_labels_are_quoted_for_promql():
    assert text.selector({"job": 'a"b\\', "x": "~h.*"}) == 'job="a\\"b\\\\",x=~"h.*"'


def test_labels_match_as_a_whole():
    assert text.matches({"job": "npu"}, {"job": "~n.*"}) and not text.matches({"job": "npu-old"}, {"job": "~npu"})
    assert not text.matches({}, {"job": "npu"}) and not text.matches({"job": "npu"}, {})


def test_one_card_used_by_two_containers_is_one_card():
    rows = [
        {"labels": {"id": "0", "pod_name": pod}, "value": value, "at": 1.0} for pod, value in (("a", "3"), ("b", "9"))
    ]
    (row,) = text.one_a_card(rows)
    assert row["value"] == "9"

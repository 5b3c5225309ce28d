# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' own traps, on the lab's stand-in; tests/real tries the same platform file on the real servers."""

import json

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import proposing
from ansible_collections.suanwang.brain.plugins.plugin_utils import watching
from ansible_collections.suanwang.brain.plugins.plugin_utils.observing import KEPT
from ansible_collections.suanwang.brain.plugins.plugin_utils.perception import perceive
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

PLATFORM = "prometheus"


def test_the_page_and_the_watch_see_the_same_from_the_store(bench, tmp_path):
    """Neither asks the monitoring anew for each pool: what it said last is laid over the pools."""
    store, lines = Store(tmp_path), []
    bench.site.alert("FanFailed", severity="critical", labels={"instance": "hn-asc01:8082"})
    bench.site.alert("Elsewhere", severity="minor", labels={"site": "another"})
    watching.Watch(bench.config, store, rounds=1).run(lines.append)
    now = clock.now()

    def remembered(at):
        found = proposing.remembered(bench.config, store, at)
        return {one.endpoint.id: one for one in found if one.site.id == "hunan"}

    seen = remembered(now)
    (pool,) = seen["slurm"].pools
    assert [alarm.name for alarm in pool.alarms] == ["FanFailed"] and pool.usage.basis == "measured"
    assert [alarm.name for alarm in seen["metrics"].alarms] == ["Elsewhere"] and seen["metrics"].state == "live"
    assert any("hunan/metrics: alarm, critical: FanFailed" in line for line in lines)
    (row,) = [json.loads(line) for line in store.usage_paths()[0].read_text().splitlines()]
    assert row["usage"]["basis"] in ("measured", "allocated")  # whichever endpoint was read first
    late = clock.after(now, bench.config.site("hunan").lost_after_s + 1)
    (old,) = remembered(late)["slurm"].pools
    assert old.usage.accelerator_pct is None
    assert any("does not answer since" in alarm.name for alarm in old.alarms)


@pytest.fixture
def seen(bench, tmp_path):
    """Return a function: the pool npu of hunan as perception shows it now, and the site's Glimpse of its monitoring."""
    store = Store(tmp_path)

    def look():
        found = {glimpse.endpoint.id: glimpse for glimpse in perceive(bench.config, store)}
        (pool,) = found["slurm"].pools
        return pool, found["metrics"]

    return look


def test_it_says_the_versions_of_both(platform):
    assert platform.ping() == {"version": "2.42.0", "api": "v1", "alertmanager": "0.25.0"}


def test_a_working_card_shows_in_the_pool(bench, seen):
    idle, _glimpse = seen()
    assert idle.usage.accelerator_pct == 0.0 and idle.usage.covered_pct == 100.0 and idle.usage.basis == "measured"
    bench.site.foreign(gres="npu:ascend910b:8", seconds=60, cpus=96)
    try:
        pool, _glimpse = next(found for found in iter(seen, None) if found[0].queue.running)
        assert pool.usage.accelerator_pct > 40 and pool.usage.cpu_pct == 25.0
        assert pool.usage.power_w > idle.usage.power_w and pool.usage.temperature_c > idle.usage.temperature_c
    finally:
        bench.site.clear()


def test_an_alert_of_the_pool_is_its_alarm(bench, seen):
    bench.site.alert("风扇故障", severity="critical", labels={"instance": "hn-asc01:8082"}, summary="一号机")
    pool, glimpse = seen()
    (alarm,) = pool.alarms
    assert (alarm.name, alarm.severity, alarm.source) == ("风扇故障: 一号机", "critical", "hn-asc01:8082")
    assert glimpse.alarms == ()
    bench.site.calm("风扇故障")
    assert seen()[0].alarms == ()


def test_a_severity_nobody_knows_is_a_warning(bench, platform):
    bench.site.alert("Odd", severity="whatever")
    assert [alarm.severity for alarm in platform.alarms()] == ["warning"]


def test_what_is_not_measured_is_unknown(bench, seen):
    bench.site.exporter("node-exporter", "down")
    pool, _glimpse = seen()
    assert pool.usage.cpu_pct is None and pool.usage.accelerator_pct == 0.0
    assert [a.name for a in pool.alarms] == [f"the exporter hn-asc0{n}:9100 does not answer" for n in (1, 2)]


def test_one_silent_node_is_half_the_pool(bench, seen):
    bench.site.exporter("hn-asc02", "down")
    pool, _glimpse = seen()
    assert pool.usage.covered_pct == 50.0 and pool.usage.power_w is None and pool.usage.accelerator_pct == 0.0


def test_resolved_is_not_healthy(bench, seen):
    bench.site.alert("NpuLost", severity="critical", labels={"instance": "hn-asc01:8082"})
    assert seen()[0].alarms[0].severity == "critical"
    bench.site.exporter("hn-asc01", "down")
    bench.site.calm("NpuLost")
    for _again in (1, 2):
        assert [a.name for a in seen()[0].alarms if a.severity == "critical"] == [f"NpuLost{KEPT}"]
    bench.site.heal()
    assert seen()[0].alarms == ()


@pytest.mark.parametrize("fault", [{"kind": "cut"}, {"kind": "status", "code": 503}])
def test_trouble_on_the_way_is_unreachable(bench, platform, fault):
    bench.fault(**fault, path="/api/v1/query")
    with pytest.raises(Unreachable):
        platform.usage()


def test_without_its_alertmanager_prometheus_tells_its_own(bench, platform):
    bench.site.alert("Lonely", severity="major")
    bench.fault("cut", path="/api/v2")
    said = "the Alertmanager of hunan does not answer; these alarms are Prometheus' own."
    assert [alarm.name for alarm in platform.alarms()] == ["Lonely", said]


def test_a_refused_password_is_said_and_never_shown(bench, platform):
    secret = platform.connection.secret()
    with bench.expired(), pytest.raises(Unauthorized) as caught:
        platform.usage()
    assert secret not in f"{caught.value.failure()}"


def test_a_dead_monitoring_leaves_the_pools(bench, seen):
    seen()
    bench.fault("status", code=503, path="/api/v")
    pool, glimpse = seen()
    assert glimpse.state == "stale" and pool.seen.state == "live" and pool.free.accelerators == 16
    assert pool.usage.accelerator_pct is None
    assert any("metrics of hunan does not answer since" in alarm.name for alarm in pool.alarms)

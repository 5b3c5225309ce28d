"""Measured use and alarms from a real Prometheus and Alertmanager, with every way in which an exporter falls silent."""

import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Usage
from ansible_collections.suanwang.brain.plugins.plugin_utils import observing
from ansible_collections.suanwang.brain.plugins.plugin_utils.perception import perceive
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.real import exporter
from tests.real import packages
from tests.real.prometheus import RealPrometheus

TREE = packages.need_prometheus()  # else the whole module is skipped, with one line


@pytest.fixture(scope="module")
def real():
    with RealPrometheus(TREE) as started:
        yield started


@pytest.fixture(autouse=True)
def healthy(real):
    yield
    for name, one in real.exporters.items():
        one.set("ok")
        if name.startswith("npu"):
            one.rows = exporter.npu(2)
    real.write_site()
    real.ask_until("sum(up)", str(len(real.exporters)))
    real.ask_until("count(npu_chip_info_utilization) or vector(0)", "4")


@pytest.fixture
def platform(real):
    made = sites.load(str(real.config)).platform("hunan", "metrics")
    yield made
    made.connection.http.close()


def pool(name="npu", cards=4, nodes=2):
    return Pool("hunan/slurm/" + name, name, "hunan", "slurm", "slurm", capacity=Capacity(nodes, 4, 128, cards),
                usage=Usage(accelerator_pct=100.0, basis="allocated"))  # fmt: skip


def until(question, seconds=30):
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return answer


def names(alarms):
    return {alarm.name for alarm in alarms}


def test_it_says_what_it_is(platform):
    said = platform.ping()
    assert said["version"].startswith("2.") and said["api"] == "v1" and said["alertmanager"].startswith("0.")


def test_figures_are_joined_onto_the_pools_by_the_site_files_rules(real, platform):
    real.ask_until("count(rate(node_cpu_seconds_total[2m]))", "8")
    seen = platform.usage()
    usage = observing.observed(pool(), [seen]).usage
    assert (usage.accelerator_pct, usage.accelerator_memory_pct) == (50.0, 25.0)
    assert (usage.power_w, usage.temperature_c) == (402.0, 41.0)
    assert usage.memory_pct == 75.0 and abs(usage.cpu_pct - 25) < 2
    assert (usage.covered_pct, usage.basis) == (100.0, "measured") and usage.measured_at
    gpu = observing.observed(pool("gpu", 4, 1), [seen]).usage
    assert (gpu.accelerator_pct, gpu.accelerator_memory_pct, gpu.power_w) == (80.0, 25.0, 1001.0)
    other = pool("cpu")
    assert observing.observed(other, [seen]) == other


def test_a_lost_card_is_told_and_the_sum_over_the_rest_is_not_the_pools(real, platform):
    real.exporters["npu-0"].rows = exporter.npu(1)
    real.ask_until("count(npu_chip_info_power)", "4")  # its own stamps keep it alive in Prometheus
    found = until(lambda: (p := observing.observed(pool(), [platform.usage()])).usage.covered_pct == 75.0 and p)
    assert found.usage.power_w is None and found.usage.accelerator_pct == 50.0
    assert any("1 of the samples" in name and "frozen" in name for name in names(found.alarms))


@pytest.mark.parametrize("back_s", [30, 400])
def test_a_frozen_exporter_is_not_a_quiet_one(real, platform, back_s):
    for name in ("npu-0", "npu-1"):
        real.exporters[name].set("frozen", back_s)
    real.ask_until("sum(up{job='npu'})", "2")
    reading = until(lambda: (found := platform.usage().readings[0]).blind and found)
    usage = observing.observed(pool(), [platform.usage()]).usage
    assert usage.accelerator_pct is None and usage.covered_pct == 0.0
    assert len(reading.silent) == 2
    assert any("frozen" in name or "is not there" in name for name in names(reading.alarms))


def test_a_dead_exporter_is_unknown_and_never_0_or_its_last_value(real, platform):
    real.exporters["npu-0"].set("dead")
    real.exporters["npu-1"].set("dead")
    real.ask_until("sum(up{job='npu'})", "0")
    assert len(real.query("npu_chip_info_utilization")) == 4  # Prometheus still tells the last values
    found = observing.observed(pool(), [platform.usage()])
    assert found.usage.accelerator_pct is None and found.usage.power_w is None
    assert found.usage.memory_pct == 75.0  # the nodes answer
    assert {a.name for a in found.alarms if a.severity == "major"} == {
        f"the exporter {real.exporters[name].instance} does not answer" for name in ("npu-0", "npu-1")
    }


def test_an_alert_is_an_alarm_of_the_pool_and_the_others_are_the_sites(real, platform):
    real.exporters["npu-0"].rows = exporter.npu(1)
    critical = until(lambda: [a for a in platform.usage().readings[0].alarms if a.severity == "critical"])
    assert critical[0].name == "NpuLost: 卡丢失 NpuLost" and critical[0].source == real.exporters["npu-0"].instance
    assert critical[0].since.endswith("Z")
    seen = platform.usage()
    assert names(seen.alarms) == {"Rehearsal: 卡丢失 Rehearsal"}
    assert len({alarm.id for alarm in platform.alarms()}) == len(platform.alarms())


def test_resolved_is_not_healthy(real, platform, tmp_path):
    """The card is lost, then its exporter dies: the alert resolves, and nothing is mended."""
    config, store = sites.load(str(real.config)), Store(tmp_path)

    def alarms():
        (glimpse,) = perceive(config, store)
        return glimpse.observation.readings[0].alarms

    real.exporters["npu-0"].rows = exporter.npu(1)
    until(lambda: any(alarm.severity == "critical" for alarm in alarms()))
    real.exporters["npu-0"].set("dead")
    real.ask_until("sum(up{job='npu'})", "1")
    until(lambda: not any(a.severity == "critical" for a in platform.usage().readings[0].alarms), 400)
    kept = [alarm for alarm in alarms() if alarm.severity == "critical"]
    assert [alarm.name for alarm in kept] == [f"NpuLost: 卡丢失 NpuLost{observing.KEPT}"]
    assert kept == [alarm for alarm in alarms() if alarm.severity == "critical"]  # however often one looks
    real.exporters["npu-0"].rows = exporter.npu(2)
    real.exporters["npu-0"].set("ok")
    until(lambda: not any(alarm.severity == "critical" for alarm in alarms()))


def test_an_unhealthy_card_is_an_alarm_of_ours(real, platform):
    rows = real.exporters["npu-1"].rows
    real.exporters["npu-1"].rows = {k: 0 if "health" in k and 'id="1"' in k else v for k, v in rows.items()}
    want = f"NPU 1 of {real.exporters['npu-1'].instance} is not healthy"
    until(lambda: want in names(platform.alarms()))


def test_without_its_alertmanager_prometheus_own_alerts_are_told(real, platform):
    real.daemons.stop("alertmanager")
    try:
        told = names(platform.alarms())
        assert "Rehearsal: 卡丢失 Rehearsal" in told
        assert any("Alertmanager of hunan does not answer" in name for name in told)
    finally:
        real.start_manager()


def test_labels_that_no_target_has_are_blindness_and_no_quiet(real):
    real.write_site(observes=[{"pools": ["slurm/*"], "exporter": "npu-exporter", "labels": {"job": "nobody"}}])
    found = sites.load(str(real.config)).platform("hunan", "metrics").usage()
    assert found.readings[0].blind == "no npu-exporter is scraped"
    assert any("no target" in name for name in names(found.readings[0].alarms))


def test_a_private_exporter_is_a_table_in_the_site_file(real):
    metrics = {"accelerator_pct": "2 * npu_chip_info_utilization{$}"}
    real.write_site(observes=[
        {"pools": ["slurm/*"], "exporter": "npu-exporter", "labels": {"job": "npu"}, "metrics": metrics}
    ])  # fmt: skip
    found = sites.load(str(real.config)).platform("hunan", "metrics").usage()
    assert found.readings[0].usage.accelerator_pct == 100.0


def test_promql_that_does_not_parse_names_the_site_file(real):
    real.write_site(observes=[
        {"pools": ["a/b"], "exporter": "npu-exporter", "labels": {"job": "npu"}, "metrics": {"power_w": "sum((("}}
    ])  # fmt: skip
    with pytest.raises(Invalid, match="site file"):
        sites.load(str(real.config)).platform("hunan", "metrics").usage()


def test_a_dead_prometheus_is_stale_without_figures_and_keeps_its_alarms(real, tmp_path):
    config, store = sites.load(str(real.config)), Store(tmp_path)
    real.exporters["npu-0"].rows = exporter.npu(1)
    until(lambda: any(a.severity == "critical" for a in perceive(config, store)[0].observation.readings[0].alarms))
    real.daemons.stop("prometheus")
    try:
        (glimpse,) = perceive(config, store)
        with pytest.raises(Unreachable):
            config.platform("hunan", "metrics").ping()
    finally:
        real.start_server()
        real.ask_until("count(up)", str(len(real.exporters)))
    assert glimpse.state == "stale" and "hunan" in glimpse.error
    found = observing.observed(pool(), [glimpse.observation])
    assert found.usage.accelerator_pct is None and found.usage.measured_at == glimpse.at
    assert any(alarm.severity == "critical" for alarm in found.alarms)
    assert any("metrics of hunan does not answer since" in alarm.name for alarm in found.alarms)

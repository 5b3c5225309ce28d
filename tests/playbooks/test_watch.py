"""watch.yml: what happens at a site is in the snapshot within its interval, and one row a pool is kept."""

import json
import re
import signal
import time

import pytest

from tests.playbooks.test_runs import start
from tests.playbooks.test_runs import wait_until

INTERVAL_S = {"hunan": 8, "centre-a": 600}


@pytest.fixture
def watched(project):
    """A project whose sites have intervals of their own, and its snapshots."""
    for name, seconds in INTERVAL_S.items():
        path = (
            project.own_config() / "sites" / f"{name}.yml" if name == "hunan" else project.config / f"sites/{name}.yml"
        )
        path.write_text(re.sub(r"poll_interval_s: \d+", f"poll_interval_s: {seconds}", path.read_text()))
    return project


def pool(project, site):
    snapshot = project.store.snapshot(site, "slurm")
    return snapshot["pools"][0] if snapshot else None


def usage(project):
    return [json.loads(line) for line in project.store.usage_paths()[0].read_text().splitlines()]


def test_it_ends_after_its_rounds_and_keeps_one_row_a_pool(watched):
    done = watched.play("watch", "-e", "rounds=1").good()
    assert "hunan/slurm: live, 1 pool(s), 16/16 cards free" in done.text
    rows = usage(watched)
    assert sorted(row["pool"] for row in rows) == ["centre-a/slurm/gpu", "hunan/slurm/npu"]
    assert rows[0]["free"]["accelerators"] == rows[0]["capacity"]["accelerators"] == 16
    assert set(rows[0]) == {"at", "pool", "capacity", "free", "queue", "usage"}
    watched.play("watch", "-e", "rounds=1").good()
    slots = [(row["pool"], row["at"][:15]) for row in usage(watched)]
    assert len(slots) == len(set(slots)), "once in ten minutes, after a restart too"


def test_a_foreign_job_and_an_alarm_are_seen_within_the_interval(watched, lab):
    site = lab.site("hunan")
    process = start(watched, "watch")
    try:
        wait_until(lambda: pool(watched, "hunan") and pool(watched, "centre-a"), process)
        assert pool(watched, "hunan")["free"]["accelerators"] == 16
        site.foreign(gres="npu:ascend910b:8", nodes=2, seconds=10)
        at = time.monotonic()
        wait_until(lambda: pool(watched, "hunan")["free"]["accelerators"] == 0, process)
        assert time.monotonic() - at <= INTERVAL_S["hunan"]
        wait_until(lambda: not [job for job in site.jobs() if job["job_state"] == "RUNNING"], process)
        at = time.monotonic()
        wait_until(lambda: pool(watched, "hunan")["free"]["accelerators"] == 16, process)
        assert time.monotonic() - at <= INTERVAL_S["hunan"]
        before = watched.store.snapshot("hunan", "slurm")["at"]
        wait_until(lambda: watched.store.snapshot("hunan", "slurm")["at"] != before, process)
        site.fault("drain", node="hn-asc01", reason="fan")
        at = time.monotonic()
        wait_until(lambda: pool(watched, "hunan")["alarms"], process)
        took = time.monotonic() - at
        assert took <= INTERVAL_S["hunan"] / 2, "alarms are read oftener"
        assert watched.store.snapshot("hunan", "slurm")["alarms_at"]
        assert "fan" in pool(watched, "hunan")["alarms"][0]["name"]
        # The picture of one site is its own: nobody has asked the other one again.
        counters = lab.site("centre-a").counters()["calls"]
        assert sum(number for call, number in counters.items() if "nodes" in call or "jobs" in call) <= 2, counters
        lab.site("hunan").fault("dead")
        time.sleep(1)
        again = watched.play("watch", "-e", "rounds=1")
        assert again.code != 0 and "watch is at work on" in again.flat
    finally:
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=30)[0]
    assert process.returncode == 99
    assert "hunan/slurm: alarm, minor: node hn-asc01 is drained: fan" in text
    assert "0/16 cards free, 1+0 jobs" in text


def test_a_dead_site_keeps_its_last_picture_and_no_other_waiting(watched, lab):
    watched.play("watch", "-e", "rounds=1").good()
    kept = watched.store.snapshot("hunan", "slurm")
    lab.site("hunan").fault("dead")
    done = watched.play("watch", "-e", "rounds=1").good()
    assert "hunan/slurm: stale: hunan: nothing answers" in done.flat and "centre-a/slurm: live" in done.text
    assert watched.store.snapshot("hunan", "slurm") == kept


def test_check_mode_writes_nothing(watched):
    watched.play("watch", "--check").good()
    assert not watched.store.root.exists()

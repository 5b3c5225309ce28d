"""What is kept of pools over time, and alarms read alone."""

import json
import types

from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Alarm
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.plugin_utils import perception
from ansible_collections.suanwang.brain.plugins.plugin_utils import usage
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

POOLS = tuple(
    Pool(id=f"hunan/slurm/{name}", name=name, site="hunan", platform="slurm", endpoint="slurm", domains=(f"d-{name}",))
    for name in ("npu", "cpu")
)


def rows(store):
    return [(row["pool"], row["at"]) for row in map(json.loads, store.usage_paths()[0].read_text().splitlines())]


def seen(at, error=None):
    return perception.Glimpse(None, None, POOLS, "stale" if error else "live", at, error)


def test_one_row_a_pool_in_ten_minutes_and_a_gap_for_silence(tmp_path):
    store = Store(tmp_path)
    watch = usage.Recorder(store)
    for at in ("03:00:00", "03:09:59", "03:10:01"):
        watch.record(seen(f"2026-11-25T{at}Z"))
    watch.record(seen("2026-11-25T03:20:00Z", "nothing answers"))
    # Another process goes on where this one ended, behind a line that was cut.
    with open(store.usage_paths()[0], "a") as stream:
        stream.write('{"at": "2026-11-25T03:')
    again = usage.Recorder(store)
    for at in ("03:19:00", "03:30:00"):
        again.record(seen(f"2026-11-25T{at}Z"))
    lines = [line for line in store.usage_paths()[0].read_text().splitlines() if line.endswith("}")]
    store.usage_paths()[0].write_text("\n".join(lines))
    assert [at[11:16] for pool, at in rows(store) if pool.endswith("npu")] == ["03:00", "03:10", "03:30"]
    assert len(rows(store)) == 6


def test_what_is_not_known_is_null():
    row = usage.row_of(POOLS[0], "2026-11-25T03:00:00Z")
    assert row["free"]["accelerators"] is None and row["usage"]["accelerator_pct"] is None
    assert row["queue"]["wait_s"] is None


def test_alarms_alone_leave_the_other_facts_as_old_as_they_are(tmp_path):
    store = Store(tmp_path)
    site, endpoint = types.SimpleNamespace(id="hunan"), types.SimpleNamespace(id="slurm", platform="slurm")
    here = Alarm("1", "node down", "major", domain="d-npu")
    everywhere = Alarm("2", "the link is slow", "minor")
    found = types.SimpleNamespace(alarms=lambda: [here, everywhere])
    config = types.SimpleNamespace(platform=lambda site, endpoint: found)
    assert perception.refresh_alarms(config, store, site, endpoint) is None
    store.save_snapshot("hunan", "slurm", {"at": "2026-11-25T03:00:00Z", "pools": [to_plain(pool) for pool in POOLS]})
    perception.refresh_alarms(config, store, site, endpoint)
    snapshot = store.snapshot("hunan", "slurm")
    assert snapshot["at"] == "2026-11-25T03:00:00Z" < snapshot["alarms_at"]
    assert [[alarm["id"] for alarm in pool["alarms"]] for pool in snapshot["pools"]] == [["1", "2"], ["2"]]
    found.alarms = list
    perception.refresh_alarms(config, store, site, endpoint)
    assert [pool["alarms"] for pool in store.snapshot("hunan", "slurm")["pools"]] == [[], []]

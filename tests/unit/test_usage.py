"""The record of use read as figures over time."""

import json

from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Queue
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Usage
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import usage
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

NAME = "hunan/slurm/npu"
BEGUN = int(clock.moment("2026-11-25T00:00:00Z").timestamp())


def row(at, free, measured=None, pending=0):
    pool = Pool(
        id=NAME, name="npu", site="hunan", platform="slurm", endpoint="slurm", domains=("d",),
        capacity=Capacity(accelerators=8), free=Capacity(accelerators=free), queue=Queue(pending=pending),
        usage=Usage(accelerator_pct=measured),
    )  # fmt: skip
    return json.dumps(usage.row_of(pool, f"2026-11-25T{at}Z")) + "\n"


def test_steps_are_means_and_a_step_without_a_row_is_not_known(tmp_path):
    store = Store(tmp_path)
    path = tmp_path / "usage" / "2026-11.jsonl"
    path.parent.mkdir()
    path.write_text(row("00:00:00", 8) + row("00:10:00", 4, 25.0, 2) + '{"at": "2026\n' + row("02:00:00", None))
    record = usage.Record(store)
    found = record.over([NAME, "nobody"], BEGUN, BEGUN + 4 * 3600, 3600)
    assert [one["used_pct"] for one in found[NAME]] == [25.0, None, None, None]
    assert found[NAME][0] == {"used_pct": 25.0, "measured_pct": 25.0, "pending": 1.0, "at_s": BEGUN}
    assert found[NAME][2]["pending"] == 0 and found[NAME][1]["pending"] is None
    assert {one["used_pct"] for one in found["nobody"]} == {None}
    with open(path, "a") as stream:
        stream.write(row("03:59:59", 0) + row("03:59:59", 0)[:20])
    assert record.over([NAME], BEGUN, BEGUN + 4 * 3600, 3600)[NAME][3]["used_pct"] == 100.0
    assert usage.Record(Store(tmp_path / "none")).over([NAME], BEGUN, BEGUN + 1, 3600)[NAME][0]["used_pct"] is None


def test_a_new_month_drops_the_months_that_no_page_asks_for(tmp_path):
    store = Store(tmp_path)
    for month in ("2026-07", "2026-08", "2026-09", "2026-10", "2026-11"):
        store.append_usage(f"{month}-01T00:00:00Z", {"pool": NAME, "at": f"{month}-01T00:00:00Z"})
    assert [path.name for path in store.usage_paths()] == ["2026-09.jsonl", "2026-10.jsonl", "2026-11.jsonl"]
    assert store.last_usage() == {NAME: "2026-11-01T00:00:00Z"}

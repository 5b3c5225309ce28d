# SPDX-License-Identifier: GPL-3.0-or-later
"""Records travel as JSON and come back the same."""

import dataclasses
import json

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import resources as r
from ansible_collections.suanwang.brain.plugins.module_utils.plain import from_plain
from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain

POOL = r.Pool(
    id="hunan/slurm/npu",
    name="npu",
    site="hunan",
    platform="slurm",
    endpoint="slurm",
    zone="ai",
    via="intranet",
    domains=("hunan/slurm/npu", "hunan/rack-1"),
    arch="aarch64",
    accelerator=r.Accelerator("npu", "910b3", "npu:ascend910b", "huawei", 16, 64, 313.5),
    capacity=r.Capacity(2, 384, 1024, 16),
    free=r.Capacity(1, 200, 512.5, 9),
    node=r.Capacity(1, 192, 512, 8),
    free_shapes=(r.Shape(8, 1, 192), r.Shape(1, 1, None)),
    fabric=r.Fabric("hccs", "hunan/hccs-0"),
    queue=r.Queue(3, 2, 600),
    running_until=(r.Busy("2026-11-25T04:00:00Z", 7, 8, 1),),
    ours=(r.Ours("01kaxc2m7q5v9b3z8d4f6g1h0j", "train", "running", 1, 1, 1),),
    max_wall_s=86400,
    windows=(r.Window("2026-12-01T00:00:00Z", "2026-12-01T06:00:00Z", "停机检修", 2),),
    usage=r.Usage(43.75, 47.9, None),
    quota=(r.Quota("accelerators", 8, 1, "demo", None), r.Quota("jobs", None)),
    storage=r.Storage(900.5, 1000),
    price=r.Price(900, 6),
    power=r.Power(310, 90, 1.25),
    images=("mindspore:2.4",),
    runtimes=(r.Runtime("mindspore", "2.4", "aarch64", "910b3", ("{root}/python3", "-u")),),
    data_levels=("public", "internal"),
    alarms=(r.Alarm("a-1", "node down", "critical", "2026-11-25T03:00:00Z", "hunan", None),),
    path=r.Path(True, 0.5, 10, 0.0, "2026-11-25T03:26:58Z"),
    lost_after_s=600,
    open=False,
    jobs=False,
    machines=True,
    serves=True,
    seen=r.Seen("2026-11-25T03:26:58Z", "hunan/slurm", "live", None),
)


def test_the_pool_of_this_test_fills_every_field():
    """A field that this file forgets would be tested with its default only."""
    least = r.Pool(id="", name="", site="", platform="", endpoint="")
    for field in dataclasses.fields(r.Pool):
        assert getattr(POOL, field.name) != getattr(least, field.name), field.name


def test_a_pool_comes_back_the_same_through_json():
    plain = json.loads(json.dumps(to_plain(POOL)))
    assert from_plain(r.Pool, plain) == POOL


def test_nested_records_come_back_as_records_and_tuples():
    back = from_plain(r.Pool, json.loads(json.dumps(to_plain(POOL))))
    assert type(back.quota) is tuple
    assert type(back.quota[0]) is r.Quota
    assert type(back.accelerator) is r.Accelerator
    assert back.runtimes[0].launch == ("{root}/python3", "-u")
    hash(back)  # frozen all the way down: usable as a key


def test_unknown_keys_are_ignored_at_every_depth():
    plain = to_plain(POOL)
    plain["colour"] = "red"
    plain["accelerator"]["cooling"] = "water"
    plain["quota"][0]["since"] = "yesterday"
    assert from_plain(r.Pool, plain) == POOL


def test_missing_keys_take_their_defaults():
    five = {name: "x" for name in ("id", "name", "site", "platform", "endpoint")}
    pool = from_plain(r.Pool, five)
    assert pool == r.Pool("x", "x", "x", "x", "x")
    assert pool.seen.state == "lost"


@pytest.mark.parametrize("cls", [r.Capacity, r.Queue, r.Usage, r.Storage, r.Price, r.Power, r.Path])
def test_unknown_is_none_and_never_zero(cls):
    empty = cls()
    assert all(value is None for value in to_plain(empty).values())
    assert from_plain(cls, to_plain(empty)) == empty


def test_none_stays_none_beside_zero():
    pool = dataclasses.replace(POOL, accelerator=None, max_wall_s=None, free=r.Capacity(0, 0, None, 0))
    plain = to_plain(pool)
    assert plain["accelerator"] is None
    assert plain["free"] == {"nodes": 0, "cpu": 0, "memory_gib": None, "accelerators": 0}
    assert from_plain(r.Pool, plain) == pool


@pytest.mark.parametrize(
    "record",
    [
        r.Link("controller", "hunan", 10, 0.5, 0, None, None),
        r.Job("77", "swb-x", "succeeded", exit_code=0),
        r.Dataset("digits", "/data/digits.csv", 5, "a" * 64),
        r.Domain("d", r.Capacity(1), r.Capacity(0)),
        r.JobSpec("n", "l", "p", "#!/bin/sh\n", "/w", "/w/log", {"SWB_RUN": "1", "X": "é 中"}),
    ],
    ids=lambda record: type(record).__name__,
)
def test_other_records_come_back_too(record):
    assert from_plain(type(record), json.loads(json.dumps(to_plain(record)))) == record


def test_records_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        POOL.site = "elsewhere"


@pytest.mark.parametrize("state", r.JOB_STATES)
def test_only_succeeded_ended_well(state):
    assert r.Job("1", "n", state).ended_well is (state == "succeeded")


def test_unknown_is_a_state_that_is_not_an_end():
    assert "unknown" in r.JOB_STATES
    assert set(r.JOB_STATES) > r.JOB_ENDED
    assert "unknown" not in r.JOB_ENDED

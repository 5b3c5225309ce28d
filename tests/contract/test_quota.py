# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant's quota, set on every platform that can, the real ones too."""

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.verbs.quota import QUOTA

pytestmark = pytest.mark.needs("set_quota", "quota")
#: More than any bench has: what is left behind limits nothing.
PLENTY = 100_000


def put(platform, limits, check=False):
    return QUOTA.run(platform, {"limits": limits}, check, lambda *_a, **_k: None)


def limit(platform):
    return {quota.resource: quota.limit for quota in platform.quota() if quota.user is None}.get("cpu")


def test_a_quota_is_shown_set_and_read_back(bench):
    demo = bench.platform("demo")
    put(demo, {"cpu": PLENTY})
    bench.reset()
    shown = put(demo, {"cpu": 4096}, check=True)
    assert shown["changed"] and shown["diff"]["before"] == f"cpu: {PLENTY}\n"
    assert shown["diff"]["after"] == "cpu: 4096\n" and limit(demo) == PLENTY
    assert bench.counters()["writes"] == 0, "check mode wrote"
    try:
        done = put(demo, {"cpu": 4096})
        assert done["changed"] and done["diff"] == shown["diff"] and limit(demo) == 4096
        bench.reset()
        assert put(demo, {"cpu": 4096})["changed"] is False and bench.counters()["writes"] == 0
    finally:
        put(demo, {"cpu": PLENTY})

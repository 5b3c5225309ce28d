"""Drains of the store: who is drained, why, and what the planner and the preflight make of it."""

import types

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Alarm
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.plugin_utils import draining
from ansible_collections.suanwang.brain.plugins.plugin_utils import placing
from ansible_collections.suanwang.brain.plugins.plugin_utils import proposing
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

NOW = "2026-11-25T03:00:00Z"
WORK = {"id": "train", "kind": "train", "nodes": 1, "accelerators": 1, "wall_s": 60}


class Config:
    """One site of two endpoints, of which one has pools."""

    def site(self, name):
        if name != "hunan":
            raise NotFound(f"no site {name!r}.")
        return types.SimpleNamespace(id="hunan", with_pools=(types.SimpleNamespace(id="slurm"),))


def pool(name="npu", endpoint="slurm", site="hunan", state="live", **more):
    return Pool(
        f"{site}/{endpoint}/{name}", name, site, "slurm", endpoint, seen=Seen(NOW, "x", state), **more
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def test_a_drain_holds_for_everything_below_it(store):
    draining.drain(store, Config(), "hunan/slurm", "电力 检修", "li@example.org", NOW)
    found = draining.applied(
        (pool(), pool("cpu", "tianyin"), pool(site="centre-a"), pool("old", state="lost")), draining.read(store)
    )
    assert [one.seen.state for one in found] == ["drained", "live", "live", "lost"]
    assert found[0].seen.error == f"电力 检修 (hunan/slurm, by li@example.org since {NOW})"
    draining.drain(store, Config(), "hunan", "all of it", "li@example.org", NOW)
    assert draining.over("hunan/slurm/npu", draining.read(store))[0] == "hunan", "the widest is told"
    draining.lift(store, "hunan")
    assert draining.over("hunan/slurm/npu", draining.read(store))[0] == "hunan/slurm"
    assert draining.lift(store, "hunan/slurm") and draining.lift(store, "hunan/slurm") is None
    assert draining.read(store) == {}


def test_the_same_words_again_change_nothing(store):
    first = draining.drain(store, Config(), "hunan", "fans  break", "a", NOW)
    again = draining.drain(store, Config(), "hunan", "fans break", "b", "2026-11-25T04:00:00Z")
    assert first[0] is None and again == (first[1], first[1]) and first[1]["by"] == "a"


@pytest.mark.parametrize(
    ("scope", "reason", "kind"),
    [
        ("hunan", "", Invalid),
        ("hunan", "x" * 501, Invalid),
        ("elsewhere", "fans", NotFound),
        ("hunan/login", "fans", Invalid),
        ("hunan//npu", "fans", Invalid),
        ("", "fans", Invalid),
    ],
)
def test_what_cannot_be_drained_is_said(store, scope, reason, kind):
    with pytest.raises(kind) as caught:
        draining.drain(store, Config(), scope, reason, "a", NOW)
    assert isinstance(caught.value, BrainError) and not draining.path(store).exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"hunan": 1}', '{"hunan": {"reason": 3}}'])
def test_a_file_that_does_not_read_drains_nothing_silently(store, text):
    store.write(draining.path(store), text.encode())
    with pytest.raises(Corrupt, match="does not read"):
        draining.read(store)


def test_the_preflight_starts_nothing_on_what_is_drained_or_alarmed(store):
    draining.drain(store, Config(), "hunan", "the fans break", "li", NOW)
    (drained,) = draining.applied((pool(),), draining.read(store))
    assert "it is drained: the fans break" in placing.unfit(WORK, drained, NOW)
    minor, critical = Alarm("1", "a door is open", "minor"), Alarm("2", "cooling failed", "critical")
    assert placing.unfit(WORK, pool(alarms=(minor,)), NOW) is None
    assert placing.unfit(WORK, pool(alarms=(minor, critical)), NOW) == "it has a critical alarm: cooling failed."


def test_what_is_remembered_is_drained_at_once_and_free_again_at_once(store):
    from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain

    site = types.SimpleNamespace(
        id="hunan", policy={}, lost_after_s=900, poll_interval_s=60,
        platforms=(types.SimpleNamespace(id="slurm", platform="slurm"),),
    )  # fmt: skip
    config = types.SimpleNamespace(sites={"hunan": site})
    store.save_snapshot("hunan", "slurm", {"at": NOW, "pools": [to_plain(pool())]})

    def states():
        return [one.seen.state for seen in proposing.remembered(config, store, NOW) for one in seen.pools]

    assert states() == ["live"]
    draining.drain(store, Config(), "hunan", "the fans break", "li", NOW)
    assert states() == ["drained"]
    draining.lift(store, "hunan")
    assert states() == ["live"]

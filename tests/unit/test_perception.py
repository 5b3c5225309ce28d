"""From live to stale to lost, the cache, and copies that are read back later: all by `seen.at`."""

import dataclasses
import json
import threading
import types

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import hostvars
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import perception
from ansible_collections.suanwang.brain.plugins.plugin_utils import placing
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import score
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

T0 = "2026-11-25T03:00:00Z"
SITE = types.SimpleNamespace(id="hunan", lost_after_s=900, platforms=())
ENDPOINT = types.SimpleNamespace(id="slurm", platform="slurm")


def pool_at(at, state="live"):
    seen = Seen(at=at, source="slurm://127.0.0.1:1", state=state)
    return Pool(id="hunan/slurm/npu", name="npu", site="hunan", platform="slurm", endpoint="slurm", seen=seen)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A site that answers or not, at a time that the test sets."""

    class World:
        store, answers, now, reads = Store(tmp_path), True, T0, 0

        def look(self, max_age_s=0):
            return perception.glimpse(None, self.store, SITE, ENDPOINT, max_age_s)

        def after(self, seconds):
            self.now = clock.after(T0, seconds)
            return self

    world = World()

    def read(config, site, endpoint, now, before):
        world.reads += 1
        if world.answers is not True:
            raise world.answers
        return (pool_at(now),)

    monkeypatch.setattr(perception, "read_endpoint", read)
    monkeypatch.setattr(clock, "now", lambda: world.now)
    return world


def test_never_seen_is_lost_and_not_empty(world):
    world.answers = Unreachable("nothing answers.")
    found = world.look()
    assert (found.state, found.at, found.pools) == ("lost", None, ()) and "hunan" in found.error


@pytest.mark.parametrize("trouble", [Unreachable("nothing answers."), KeyError("nodes"), AttributeError("get")])
@pytest.mark.parametrize(("age_s", "state"), [(0, "stale"), (900, "stale"), (901, "lost"), (86_400, "lost")])
def test_a_silent_site_is_stale_then_lost_with_the_time_it_was_seen(world, trouble, age_s, state):
    assert world.look().state == "live"
    world.answers = trouble
    found = world.after(age_s).look()
    assert (found.state, found.at) == (state, T0) and found.error
    (pool,) = found.pools
    assert (pool.seen.state, pool.seen.at) == (state, T0)
    assert hostvars.schedulable(pool) is (state == "stale")
    assert f"state_{state}" in hostvars.groups(pool)
    # What it shows in the end is never written over what was seen.
    assert world.store.snapshot("hunan", "slurm")["pools"][0]["seen"]["state"] == "live"
    world.answers = True
    assert world.look().state == "live"


def test_the_cache_is_used_while_it_is_young_enough(world):
    world.look(60)
    assert world.after(59).look(60).at == T0 and world.reads == 1
    assert world.look(0).at == world.now and world.reads == 2
    assert world.after(59 + 60).look(60).at == world.now and world.reads == 3
    world.answers = Unreachable("nothing answers.")
    found = world.after(59 + 60 + 30).look(60)
    assert found.state == "live" and world.reads == 3, "nobody has asked, so nobody knows better"
    assert world.look(0).state == "stale"


def test_every_site_is_read_at_once_and_a_dead_one_holds_up_none(world, monkeypatch):
    """No reading goes on until all have begun, so a reading in turn would never end; nothing here is about time."""
    names = ["dead", *(f"site-{number}" for number in range(5))]
    places = {name: types.SimpleNamespace(id=name, lost_after_s=900, platforms=(ENDPOINT,)) for name in names}
    config = types.SimpleNamespace(sites=places)
    together = threading.Barrier(len(names))

    def read(config, site, endpoint, now, before):
        together.wait(30)
        if site.id == "dead" and now != T0:
            raise Unreachable("nothing answers.")
        return (dataclasses.replace(pool_at(now), id=f"{site.id}/slurm/npu", site=site.id),)

    monkeypatch.setattr(perception, "read_endpoint", read)
    seen = []
    for age_s in (0, 60, 901):
        world.after(age_s)
        seen.append({one.site.id: one.state for one in perception.perceive(config, world.store)})
    assert [states.pop("dead") for states in seen] == ["live", "stale", "lost"]
    assert all(set(states.values()) == {"live"} and len(states) == 5 for states in seen)


def test_a_snapshot_from_the_future_is_not_young(world):
    world.after(3600).look()
    assert world.after(0).look(60).at == T0


@pytest.mark.parametrize("state", ["live", "partial", "stale"])
def test_a_frozen_copy_is_judged_by_when_it_was_seen(state):
    frozen = json.loads(json.dumps(hostvars.to_hostvars(pool_at(T0, state))))
    pool = hostvars.from_hostvars({"inventory_hostname": "hunan-slurm-npu", **frozen})
    assert frozen["brain_schedulable"] is True
    soon, later = clock.after(T0, 900), clock.after(T0, 3600)
    assert hostvars.state_at(pool, soon) == score.state_of(pool, soon) == state
    assert hostvars.state_at(pool, later) == score.state_of(pool, later) == "lost"
    component = {"kind": "run", "wall_s": 60}
    assert placing.unfit(component, pool, soon) is None
    assert "lost" in placing.unfit(component, pool, later)


def test_drained_stays_drained_however_old():
    pool = pool_at(T0, "drained")
    assert hostvars.state_at(pool, clock.after(T0, 86_400)) == "drained"
    assert not hostvars.schedulable(dataclasses.replace(pool, open=True))

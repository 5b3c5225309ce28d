"""What stays after its run is promised until its lease ends, or its deployment is given back."""

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.names import new_run
from ansible_collections.suanwang.brain.plugins.plugin_utils.promised import promised
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

NOW = "2026-11-25T08:30:00Z"


@pytest.fixture
def applied(tmp_path):
    """Return a function that leaves a run that serves in the store, with the passes of its journal."""
    store = Store(tmp_path)

    def make(minted_s, *passes):
        run = new_run(minted_s * 1000)
        components = [{"id": "train"}, {"id": "web", "kind": "serve", "lease_s": 7200}]
        window = {"start_by": "2026-11-25T07:00:00Z"}
        plan = {"run": run, "tenant": "demo", "deployment": "digits", "window": window, "components": components}
        times = {"start_s": 0, "end_s": 60, "pool": "b/aofei/h800", "accelerators": 1}
        entries = [{"id": "train", **times}, {"id": "web", **times, "lease_s": 7200}]
        store.save_plan(plan, {"made_at": "2026-11-25T08:00:00Z", "components": entries})
        for loaded, state in passes:
            store.note(run, {"at": "2026-11-25T08:00:00Z", "component": None, "event": "loaded", **loaded})
            store.note(run, {"at": "2026-11-25T08:05:00Z", "component": None, "event": "closed", "state": state})
        return run

    make.store = store
    return make


APPLIED = ({"purpose": "apply"}, "succeeded")
RUN_RELEASED = ({"purpose": "release"}, "released")
DEPLOYMENT_RELEASED = ({"purpose": "release", "only": ["web"]}, "released")


@pytest.mark.parametrize(
    ("passes", "names"),
    [((APPLIED,), ["web"]), ((APPLIED, RUN_RELEASED), ["web"]), ((APPLIED, DEPLOYMENT_RELEASED), [])],
)
def test_a_lease_outlives_its_run_until_the_deployment_is_given_back(applied, passes, names):
    applied(1, *passes)
    found = promised(applied.store, NOW)
    assert [one.component for one in found if one.leased] == names
    assert {one.end for one in found if one.leased} <= {"2026-11-25T10:05:00Z"}, "two hours from when it stood"


def test_the_newest_plan_that_was_applied_says_what_stays(applied):
    applied(1, APPLIED)
    newest = applied(2, APPLIED)
    applied(3)
    assert [one.run for one in promised(applied.store, NOW) if one.leased] == [newest]


def test_what_a_deployments_release_ended_is_promised_by_no_older_plan(applied):
    applied(1, APPLIED)
    applied(2, APPLIED, DEPLOYMENT_RELEASED)
    assert not [one for one in promised(applied.store, NOW) if one.leased]


def test_what_is_overdue_and_stands_holds_its_share(applied):
    applied(1, APPLIED)
    (held,) = [one for one in promised(applied.store, "2026-11-25T12:00:00Z") if one.leased]
    assert held.stands and held.end > "2026-11-25T12:00:00Z"

"""What was drained after proposals were made: told when one is tuned, confirmed and approved; no policy passes it."""

import dataclasses

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.plugin_utils import draining
from tests.unit.planning import world
from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from webhook.desk import approvals
from webhook.desk import chores
from webhook.models import Launch


@pytest.fixture
def seen(desk, store):
    """Let both sites have been read just now."""
    for pool in (world.pool(world.HUNAN), world.pool(world.CENTRE)):
        fresh = dataclasses.replace(pool, seen=dataclasses.replace(pool.seen, at=desk.now()))
        store.save_snapshot(pool.site, pool.endpoint, {"at": desk.now(), "pools": [to_plain(fresh)]})


@pytest.fixture
def proposed(app, seen):
    """Return (requester, task, its proposal at Hunan)."""
    document, files = tiny_task()
    who = browser(app)
    task = said(who.post("/api/v1/tasks", {"document": document, "files": files}))
    items = said(who.get(f"/api/v1/tasks/{task['id']}/proposals"))["items"]
    (chosen,) = [one for one in items if one["placements"][0]["pool"] == world.HUNAN][:1] or items[:1]
    return who, task["id"], chosen


def drain(app, scope="hunan"):
    operator = browser(app, "operator@lab.invalid", ("operator",))
    assert operator.post("/api/v1/sites/drain", {"scope": scope, "reason": "power maintenance"}).status_code == 200


def test_a_new_round_places_nothing_there_and_says_why(app, proposed):
    who, task, _chosen = proposed
    drain(app)
    items = said(who.post(f"/api/v1/tasks/{task}/proposals"))
    assert {place["pool"] for one in items["items"] for place in one["placements"] if place["pool"]} == {world.CENTRE}
    (no,) = [one for one in items["rejected"] if one["pool"] == world.HUNAN]
    assert "is drained: power maintenance" in no["sentence"]


def test_an_edit_and_a_confirmation_are_refused_by_the_sentence_and_another_pool_is_fine(app, proposed):
    who, task, chosen = proposed
    where = chosen["placements"][0]["pool"]
    other = ({world.HUNAN, world.CENTRE} - {where}).pop()
    drain(app, where.partition("/")[0])
    path, edit = f"/api/v1/tasks/{task}/revise", {"train": {"parameters": {"a": 1}}}
    refused = who.post(path, {"proposal": chosen["id"], "components": edit})
    assert refused.status_code == 422 and f"{where} is drained: power maintenance" in said(refused)["detail"]
    confirmed = who.post(f"/api/v1/tasks/{task}/confirm", {"proposal": chosen["id"]})
    assert confirmed.status_code == 422 and "drained: power maintenance" in said(confirmed)["detail"]
    assert "propose again" in said(confirmed)["way_out"]
    moved = said(who.post(path, {"proposal": chosen["id"], "components": {"train": {"pool": other}}}))
    answer = who.post(f"/api/v1/tasks/{task}/confirm", {"proposal": moved["id"]})
    assert answer.status_code == 200, said(answer)


def test_an_approver_is_told_before_he_signs_and_no_policy_signs_it(app, desk, proposed, monkeypatch):
    who, task, chosen = proposed
    assert who.post(f"/api/v1/tasks/{task}/confirm", {"proposal": chosen["id"]}).status_code == 200
    approver = browser(app, "approver@lab.invalid", ("approver",))
    assert said(approver.get(f"/api/v1/tasks/{task}/plan"))["drained"] == []
    where = chosen["placements"][0]["pool"]
    drain(app, where)
    (told,) = said(approver.get(f"/api/v1/tasks/{task}/plan"))["drained"]
    assert (told["component"], told["pool"]) == ("train", where) and "power maintenance" in told["why"]
    page = approver.get(f"/tasks/{task}/plan", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "which is drained: power maintenance" in page
    config = desk.config()
    rules = {"max_card_hours": 100, "max_core_hours": 100, "tenants": ["demo"], "sites": ["hunan", "centre-a"]}
    policy = {**config.policy, "auto_approve": rules}
    monkeypatch.setattr(type(desk), "config", lambda self: dataclasses.replace(config, policy=policy))
    chores.approve_by_policy(desk)
    draining.lift(desk.store, where)
    with desk.database.read() as session:
        assert [one.kind for one in session.query(Launch).filter(Launch.task == task)] == ["check"]
    assert approvals.approve_by_policy(desk, task), "what held it back was the drain"

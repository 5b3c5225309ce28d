"""What policy.yml approves by itself: signed as the policy, told in the audit, and judged again from the plan."""

import dataclasses

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import autoapproval
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from webhook import database
from webhook.desk import approvals
from webhook.desk import chores
from webhook.models import Decision
from webhook.models import Entry
from webhook.models import Launch
from webhook.models import Task

RULES = {"max_card_hours": 1, "max_core_hours": 8, "tenants": ["demo"], "sites": ["hunan"]}


@pytest.fixture
def confirmed(desk, monkeypatch):
    """Return a function that confirms a plan of so many card-seconds under a policy; it returns (run, digest)."""

    def make(card_s=3600, rules=RULES, requester="requester@lab.invalid"):
        policy = {**desk_policy, **({"auto_approve": rules} if rules else {})}
        monkeypatch.setattr(type(desk), "config", lambda self: dataclasses.replace(config, policy=policy))
        run, now = desk.new_id(), desk.now()
        work = {"id": "train", "kind": "train", "cpu": 1, "nodes": 1, "wall_s": 3600, "retry": 0}
        plan = {
            "run": run, "requester": requester, "tenant": "demo", "sites": {"hunan": "pin"}, "lab": "true",
            "caps": {"wall_s": 3600, "card_s": card_s}, "deletions": ["scratch"], "components": [work],
            "window": {"start_by": clock.after(now, 3600)},
        }  # fmt: skip
        digest, _path = desk.store.save_plan(plan, {})
        with desk.database.write() as session:
            task = database.add_task(
                session, id=run, name="n", tenant="demo", requester=requester, source="api", document="{}",
                created_at=now, updated_at=now,
            )  # fmt: skip
            for event in ("propose", "confirm"):
                database.move(session, task, event, now, digest=digest)
        return run, digest

    config = desk.config()
    desk_policy = config.policy
    return make


def state(desk, run):
    with desk.database.read() as session:
        launches = list(session.query(Launch).filter_by(task=run))
        people = [row.person for row in session.query(Decision).filter_by(task=run)]
        return session.get(Task, run).state, people, [row.kind for row in launches]


def test_a_small_plan_is_approved_once_in_the_policys_name(desk, confirmed):
    run, digest = confirmed()
    for _again in range(3):
        chores.approve_by_policy(desk)
    assert state(desk, run) == ("approved", [autoapproval.APPROVER], ["apply"])
    (approval,) = desk.store.approvals(desk.store.find_plan(digest))
    claims = approval.claims
    assert (claims["approver"], claims["service"]) == ("policy", "webhook@lab.invalid")
    assert claims["rules"] == statement.rules_hash(desk.config().policy)
    with desk.database.read() as session:
        (row,) = session.query(Entry).filter_by(action="task.approve")
    assert (row.actor, row.object, row.details["service"]) == ("policy", run, "webhook@lab.invalid")


@pytest.mark.parametrize(
    "asked",
    [
        {"card_s": 3601},
        {"rules": None},
        {"rules": {**RULES, "tenants": ["chemistry"]}},
        {"rules": {**RULES, "sites": ["centre-a"]}},
        {"rules": {**RULES, "requesters": ["ci@lab.invalid"]}},
    ],
)
def test_another_plan_waits_for_a_person(desk, confirmed, asked):
    run, digest = confirmed(**asked)
    chores.approve_by_policy(desk)
    assert state(desk, run) == ("confirmed", [], [])
    assert desk.store.approvals(desk.store.find_plan(digest)) == ()


def test_a_service_that_signs_what_it_should_not_is_refused_from_the_plan(desk, confirmed):
    """Its key and its database are not enough: apply.yml judges the caps of the plan itself."""
    run, digest = confirmed(card_s=3601)
    config = desk.config()
    folder, plan = desk.plan(digest)
    key = statement.read_key(desk.settings.secret_path("webhook-signer"))
    now = desk.now()
    forged = statement.sign(
        key, digest, run, autoapproval.APPROVER, now, clock.after(now, 3600), "webhook@lab.invalid",
        statement.rules_hash(config.policy),
    )  # fmt: skip
    desk.store.save_approval(folder, "forged", forged)
    verdict = statement.judge(
        desk.store.approvals(folder), plan, digest, config.policy, config.allowed_signers, desk.now()
    )  # fmt: skip
    assert not verdict.enough and "card-hours are more than 1" in verdict.refusals[0]
    approvals.take_up(desk, run)
    assert state(desk, run) == ("confirmed", [], [])


def test_rules_made_stricter_before_the_launch_void_the_approval(desk, confirmed, monkeypatch):
    run, digest = confirmed()
    chores.approve_by_policy(desk)
    config = desk.config()
    policy = {**config.policy, "auto_approve": {**RULES, "max_card_hours": 0}}
    folder, plan = desk.plan(digest)
    verdict = statement.judge(desk.store.approvals(folder), plan, digest, policy, config.allowed_signers, desk.now())
    assert not verdict.enough and "is not what it was" in verdict.refusals[0]

"""What policy.yml approves by itself: below its limits, and not a second above. The service's word is not enough."""

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import autoapproval
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement

RUN, DIGEST = "01kaxc2m7q5v9b3z8d4f6g1h0j", "d" * 64
AT, EXPIRES, NOW = "2026-11-25T03:00:00Z", "2026-11-26T03:00:00Z", "2026-11-25T12:00:00Z"
SERVICE, KEY = "brain@example.org", asyncssh.generate_private_key("ssh-ed25519")
LI = asyncssh.generate_private_key("ssh-ed25519")
SIGNERS = "".join(
    f"{name} {key.export_public_key().decode().strip()}\n" for name, key in ((SERVICE, KEY), ("li@example.org", LI))
)
RULES = {
    "max_card_hours": 2,
    "max_core_hours": 4,
    "max_cost_fen": 500,
    "tenants": ["demo"],
    "sites": ["hunan", "centre-a"],
    "requesters": ["wang@example.org", "ci@example.org"],
}
POLICY = {
    "require_approval": True,
    "approvals": 2,
    "approvers": ["li@example.org", "zhao@example.org"],
    "services": [SERVICE],
    "auto_approve": RULES,
}


def plan(kind="train", **changes):
    train = {"id": "train", "kind": kind, "cpu": 2, "nodes": 1, "wall_s": 3600, "retry": 1}
    caps = {"wall_s": 9000, "card_s": 7200, "money_fen": 500}
    return {
        "run": RUN,
        "requester": "wang@example.org",
        "tenant": "demo",
        "sites": {"hunan": "pin"},
        "caps": caps,
        "deletions": ["scratch"],
        "components": [{"id": "train_data", "kind": "move_data"}, train],
        **changes,
    }


def caps(**changes):
    return {"caps": {**plan()["caps"], **changes}}


def cores(**changes):
    return {"components": [{**plan()["components"][1], **changes}]}


def signed(key=KEY, service=SERVICE, policy=POLICY, rules=True):
    return statement.sign(
        key, DIGEST, RUN, autoapproval.APPROVER, AT, EXPIRES, service, statement.rules_hash(policy) if rules else None
    )


def verdict(*approvals, asked=None, policy=POLICY, now=NOW):
    return statement.judge(approvals, asked or plan(), DIGEST, policy, SIGNERS, now)


def test_at_the_limits_it_stands_for_all_that_the_policy_asks_for():
    assert autoapproval.refusals(plan(), POLICY) == ()
    found = verdict(signed())
    assert found.enough and not found.expired and found.approvers == ("policy",) and found.refusals == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (caps(card_s=7201), "2.00 card-hours are more than 2"),
        (caps(money_fen=501), "501 fen are more than 500"),
        ({"caps": {"wall_s": 1, "card_s": 0}}, "cost is not known"),
        (cores(wall_s=3601), "core-hours are more than 4"),
        (cores(nodes=2), "8.00 core-hours"),
        ({"tenant": "astronomy"}, "tenant astronomy"),
        ({"requester": "chen@example.org"}, "chen@example.org is not among the requesters"),
        ({"sites": {"hunan": "p", "hangzhou-b": "p"}}, "site hangzhou-b"),
        ({"deletions": ["scratch", "results"]}, "may delete results"),
        ({"components": plan("serve")["components"]}, "serve has no end"),
        ({"components": plan("provision")["components"]}, "provision has no end"),
    ],
)
def test_just_above_a_limit_a_person_has_to_approve(changes, words):
    asked = plan(**changes)
    assert [said for said in autoapproval.refusals(asked, POLICY) if words in said]
    found = verdict(signed(), asked=asked)
    assert not found.enough and words in found.refusals[0] and "2 of: li@example.org" in found.refusals[0]


def test_rules_that_changed_void_what_they_approved():
    stricter = {**POLICY, "auto_approve": {**RULES, "max_cost_fen": 400}}
    for policy in (stricter, {**POLICY, "auto_approve": {**RULES, "max_cost_fen": 600}}):
        found = verdict(signed(), policy=policy)
        assert not found.enough and "is not what it was" in found.refusals[0]
    without = {name: value for name, value in POLICY.items() if name != "auto_approve"}
    assert "approves nothing by itself" in verdict(signed(policy=without), policy=without).refusals[0]


@pytest.mark.parametrize(
    ("approval", "words"),
    [
        (lambda: signed(rules=False), "is not what it was"),
        (lambda: signed(key=LI, service=None), "does not know"),
        (lambda: signed(key=LI, service="li@example.org"), "is no service"),
        (lambda: signed(key=LI), "does not know"),
    ],
)
def test_only_a_service_says_that_the_policy_approved(approval, words):
    found = verdict(approval())
    assert not found.enough and words in found.refusals[0]


def test_a_service_cannot_have_its_own_plan_approved():
    rules = {**RULES, "requesters": [SERVICE]}
    policy = {**POLICY, "auto_approve": rules}
    found = verdict(signed(policy=policy), asked=plan(requester=SERVICE), policy=policy)
    assert not found.enough and "cannot approve it" in found.refusals[0]


def test_the_policy_is_no_person_beside_another():
    """Over the limit, one person and the policy are not two people."""
    asked = plan(**caps(card_s=7201))
    person = statement.sign(LI, DIGEST, RUN, "li@example.org", AT, EXPIRES)
    assert verdict(signed(), person, asked=asked).approvers == ("li@example.org",)
    assert not verdict(signed(), person, asked=asked).enough


def test_it_expires_as_any_approval():
    late = verdict(signed(), now=EXPIRES)
    assert late.enough and late.expired

"""Whose turn it is: priority, then the share used, then age; what gives back goes first."""

import itertools

import pytest

from tests.webhook.people import browser
from tests.webhook.people import said
from tests.webhook.people import tiny_task
from webhook import database
from webhook.models import Holding
from webhook.models import Quota
from webhook.runs import ledger
from webhook.runs import turns

WAITING = [
    ("old", "apply", 5, "much"),
    ("newer", "apply", 5, "little"),
    ("newest", "apply", 5, "little"),
    ("urgent", "apply", 9, "much"),
    ("release", "release", 0, "much"),
    ("perceive", "perceive", 0, None),
]
SHARES = {"much": 0.7, "little": 0.2}


def test_priority_then_share_then_age():
    assert turns.order(WAITING, SHARES) == ["release", "perceive", "urgent", "newer", "newest", "old"]
    assert turns.order([], {}) == []


def test_only_age_depends_on_the_order_of_the_input():
    wanted = turns.order(WAITING, SHARES)
    for mixed in itertools.permutations(WAITING):
        found = turns.order(list(mixed), SHARES)
        ages = [row[0] for row in mixed]
        assert [one for one in found if one not in ("newer", "newest", "release", "perceive")] == ["urgent", "old"]
        assert set(found) == set(wanted)
        assert (found.index("newer") < found.index("newest")) == (ages.index("newer") < ages.index("newest"))


def queue(desk, tenant, priority=5):
    run, now = desk.new_id(), desk.now()
    with desk.database.write() as session:
        database.add_task(
            session, id=run, name="n", tenant=tenant, requester="r", source="api", document="{}", priority=priority,
            created_at=now, updated_at=now,
        )  # fmt: skip
        database.add_launch(
            session, id=desk.new_id(), kind="apply", once=f"apply:{run}", task=run, asked_by="r", created_at=now
        )  # fmt: skip
    return run


def test_shares_are_of_the_quota_where_there_is_one_else_of_all_use(desk):
    month = ledger.month_of(desk.now())
    runs = {tenant: queue(desk, tenant) for tenant in ("a", "b")}
    with desk.database.write() as session:
        for tenant, card_s in (("a", 300), ("b", 100)):
            session.add(
                Holding(task=runs[tenant], tenant=tenant, person="r", month=month, card_s=card_s, core_s=0)
            )  # fmt: skip
        session.add(Quota(tenant="a", person="", resource="card_s", amount=3000, by="o", at=desk.now()))
    with desk.database.read() as session:
        assert turns.shares(session, {"a", "b", "c"}, desk.now()) == {"a": 0.1, "b": 0.25, "c": 0.0}


@pytest.mark.parametrize("asked", [0, 5, 6, 9])
def test_a_tenant_asks_for_no_more_priority_than_it_may(app, asked):
    document, files = tiny_task()
    answer = browser(app).post("/api/v1/tasks", {"document": {**document, "priority": asked}, "files": files})
    if asked <= 5:
        assert answer.status_code == 201, said(answer)
    else:
        assert answer.status_code == 422 and said(answer)["field"] == "priority"

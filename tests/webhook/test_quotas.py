"""Quotas and statements: what is held, what is settled, and that nothing is spent twice."""

import csv
import io
import threading

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from tests.webhook.people import browser
from tests.webhook.people import said
from webhook import database
from webhook.desk import quotas
from webhook.desk.desk import Desk
from webhook.models import Holding
from webhook.models import Quota
from webhook.models import Task
from webhook.runs import ledger

PLAN = {
    "caps": {"card_s": 3600, "wall_s": 10, "money_fen": 500},
    "components": [{"id": "train", "kind": "run", "nodes": 1, "accelerators": 2, "cpu": 4, "wall_s": 1800, "retry": 0}],
}


def task(desk, requester="requester@lab.invalid", tenant="demo"):
    run, now = desk.new_id(), desk.now()
    with desk.database.write() as session:
        return database.add_task(
            session, id=run, name="=n", tenant=tenant, requester=requester, source="api", document="{}",
            created_at=now, updated_at=now,
        )  # fmt: skip


def hold(desk, row, plan=PLAN):
    with desk.database.write() as session:
        ledger.hold(session, row, plan, desk.now())


def ran(desk, row, seconds, begun="2026-11-25T03:00:00Z"):
    """Let a task have a plan, an estimate and a journal in the store, as if it had run so long."""
    plan = {**PLAN, "run": row.id, "schema": "urn:suanwang:brain:plan:1"}
    prices = {"p": {"price": {"accelerator_fen_h": 900, "cpu_fen_h": 0}}}
    digest, _folder = desk.store.save_plan(plan, {"facts": {"pools": prices}})
    at = clock.after(begun, seconds)
    for event in (
        {"event": "placed", "pool": "p"},
        {"event": "used", "attempt": 0, "started": begun, "ended": at},
        {"event": "used", "attempt": 0, "started": begun, "ended": at},  # a later pass sees the same job again
    ):
        desk.store.note(row.id, {"at": at, "pass": "1", "component": "train", **event})
    with desk.database.write() as session:
        kept = session.get(Task, row.id)
        kept.digest, kept.created_at = digest, begun
    row.digest = digest
    return at


def put(desk, resource, amount, person=""):
    with desk.database.write() as session:
        session.merge(
            Quota(tenant="demo", person=person, resource=resource, amount=amount, by="o", at=desk.now())
        )  # fmt: skip


def test_what_does_not_fit_is_refused_with_what_is_left(desk):
    put(desk, "card_s", 5400)
    hold(desk, task(desk))
    with pytest.raises(ledger.Over) as caught:
        hold(desk, task(desk))
    said_ = str(caught.value)
    assert "may use 1 card-hours" in said_ and "of the 1.5 card-hours a month of demo 0.5" in said_


def test_a_persons_quota_is_his_alone(desk):
    put(desk, "money_fen", 600, person="requester@lab.invalid")
    hold(desk, task(desk))
    hold(desk, task(desk, requester="other@lab.invalid"))
    with pytest.raises(ledger.Over, match="requester@lab.invalid in demo"):
        hold(desk, task(desk))


def test_cores_are_held_by_the_plans_wall_limits(desk):
    put(desk, "core_s", 4 * 1800)
    hold(desk, task(desk))
    with pytest.raises(ledger.Over, match="core-hours"):
        hold(desk, task(desk))


def test_a_run_that_ended_counts_what_it_used(desk):
    put(desk, "card_s", 5400)
    row = task(desk)
    hold(desk, row)
    ran(desk, row, 600)
    with desk.database.write() as session:
        ledger.settle(session, desk.store, row, desk.now())
        ledger.settle(session, desk.store, row, desk.now())
    with desk.database.read() as session:
        kept = session.get(Holding, row.id)
        assert (kept.card_s, kept.core_s, kept.money_fen) == (1200, 2400, 300)
        assert ledger.spent(session, "demo", kept.month)["card_s"] == (1200, 0)
    hold(desk, task(desk))


def test_what_was_never_begun_counts_nothing(desk):
    row = task(desk)
    hold(desk, row)
    plan = {**PLAN, "run": row.id}
    row.digest, _folder = desk.store.save_plan(plan, {})
    with desk.database.write() as session:
        ledger.settle(session, desk.store, row, desk.now())
    with desk.database.read() as session:
        assert ledger.spent(session, "demo", ledger.month_of(desk.now()))["card_s"] == (0, 0)


def race(desks, count):
    """Hold for `count` tasks at once, each in a thread of its own; return how many fitted."""
    rows, fitted, start = [task(desks[0]) for _one in range(count)], [], threading.Barrier(count)

    def work(number):
        start.wait()
        try:
            hold(desks[number % len(desks)], rows[number])
            fitted.append(number)
        except ledger.Over:
            pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(fitted)


def test_nothing_is_spent_twice_at_once(desk):
    put(desk, "card_s", 3 * 3600)
    assert race([desk], 8) == 3


def test_nothing_is_spent_twice_by_two_instances_on_postgresql(settings, desk, postgres):
    made = [database.Database(postgres) for _one in range(2)]
    made[0].migrate()
    desks = [Desk(settings, one, desk.planner) for one in made]
    put(desks[0], "card_s", 3 * 3600)
    assert race(desks, 8) == 3
    for one in made:
        one.close()


def test_a_statement_is_the_sum_of_its_lines_and_no_formula(app, desk):
    for seconds in (600, 1800):
        ran(desk, task(desk), seconds)
    ran(desk, task(desk), 60, begun="2026-10-31T15:58:00Z")  # October in China
    who = browser(app)
    text = who.get("/api/v1/usage/statement?tenant=demo&month=2026-11&language=zh").get_data(as_text=True)
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert lines[0][10] == "卡时" and len(lines) == 4
    assert {line[1] for line in lines[1:3]} == {"'=n"}
    hours = [2 * seconds / 3600 for seconds in (600, 1800)]
    assert [float(line[10]) for line in lines[1:3]] == pytest.approx(hours, abs=1e-6)
    assert float(lines[3][10]) == pytest.approx(sum(hours), abs=1e-5)
    (sums,) = said(who.get("/api/v1/usage?tenant=demo&month=2026-11"))["items"]
    assert sums["runs"] == 2 and sums["yuan"] == pytest.approx(sum(hours) * 9, abs=0.01)
    assert said(who.get("/api/v1/usage?month=2026-10"))["items"][0]["runs"] == 1


def test_operators_set_quotas_and_others_do_not(app, desk):
    body = {"tenant": "demo", "person": None, "resource": "card_s", "amount": 7200}
    assert browser(app).post("/api/v1/quotas", body).status_code == 403
    operator = browser(app, "operator@lab.invalid", ("operator",))
    (found,) = said(operator.post("/api/v1/quotas", body))["items"]
    assert found["left"] == 7200 and found["by"] == "operator@lab.invalid"
    assert operator.post("/api/v1/quotas", {**body, "amount": -1}).status_code == 422
    assert operator.post("/api/v1/quotas", {**body, "tenant": "none"}).status_code == 404
    stranger = browser(app, "o@lab.invalid", ("operator",), tenants=("another",))
    assert stranger.post("/api/v1/quotas", body).status_code == 404
    assert said(stranger.get("/api/v1/quotas"))["items"] == []
    page = operator.get("/usage").get_data(as_text=True)
    assert "2.00" in page and 'name="amount"' in page
    assert said(operator.post("/api/v1/quotas", {**body, "amount": None}))["items"] == []


def test_months_are_those_of_china():
    assert ledger.month_of("2026-10-31T15:59:59Z") == "2026-10"
    assert ledger.month_of("2026-10-31T16:00:00Z") == "2026-11"
    assert ledger.bounds("2026-12") == ("2026-11-30T16:00:00Z", "2026-12-31T16:00:00Z")
    assert quotas.MONTH.fullmatch("2026-13") is None

"""What deployments keep: told before their lease ends, ended once when it is over, put off by operators, counted."""

import json

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import leases
from tests.webhook.people import browser
from tests.webhook.people import said
from webhook import database
from webhook.desk import chores
from webhook.desk import deployments
from webhook.models import Entry
from webhook.models import Holding
from webhook.models import Launch
from webhook.models import Quota
from webhook.models import Task
from webhook.notices import outbox
from webhook.runs import ledger
from webhook.runs import specs
from webhook.runs.ends import finish

HOUR = 3600
POOL = "hangzhou-b/aofei/h800"


def plan_of(run, lease_s, name="digits", tenant="demo"):
    web = {"id": "web", "kind": "serve", "nodes": 2, "accelerators": 2, "cpu": 3, "wall_s": 60, "retry": 0,
           "lease_s": lease_s, "pools": [POOL], "needs": []}  # fmt: skip
    return {"schema": "urn:suanwang:brain:plan:1", "run": run, "tenant": tenant, "deployment": name,
            "components": [web], "caps": {"card_s": 2 * lease_s, "wall_s": 60}, "sites": {"hangzhou-b": "0" * 64},
            "window": {"start_by": "2099-01-01T00:00:00Z"}}  # fmt: skip


def stands(desk, ago_s, lease_s=24 * HOUR, moves=("propose", "confirm", "approve", "start", "succeed"), **more):
    """Let a deployment stand since so long; return its task, with what its plan holds of quotas."""
    run, now = desk.new_id(), desk.now()
    since = clock.after(now, -ago_s)
    plan = plan_of(run, lease_s, **more)
    estimate = {"components": [{"id": "web", "pool": POOL, "start_s": 0, "end_s": 60, "lease_s": lease_s}],
                "facts": {"pools": {POOL: {"price": {"accelerator_fen_h": 100, "cpu_fen_h": 0}}}},
                "made_at": since}  # fmt: skip
    digest, _path = desk.store.save_plan(plan, estimate)
    with desk.database.write() as session:
        row = database.add_task(
            session, id=run, name="serving", tenant=plan["tenant"], requester="requester@lab.invalid", source="api",
            document="{}", created_at=since, updated_at=since,
        )  # fmt: skip
        for move in moves:
            database.move(session, row, move, now, digest=digest)
        ledger.hold(session, row, plan, now)
    for event in (
        {"event": "loaded", "purpose": "apply", "component": None},
        {"event": "placed", "component": "web", "pool": POOL},
        {"event": "end", "component": "web", "state": "succeeded"},
        {"event": "closed", "component": None, "state": "succeeded"},
    ):
        desk.store.note(run, {"at": since, "pass": "1", **event})
    return row


def given_back(desk, row):
    """Write into the journal what release.yml -e deployment= writes."""
    for event in (
        {"event": "loaded", "purpose": "release", "only": ["web"]},
        {"event": "closed", "state": "released"},
    ):
        desk.store.note(row.id, {"at": desk.now(), "pass": "2", "component": None, **event})


def launches(desk, row, kind="retire"):
    with desk.database.read() as session:
        return session.query(Launch).filter(Launch.task == row.id, Launch.kind == kind).all()


def told(desk, action):
    with desk.database.read() as session:
        return session.query(Entry).filter(Entry.action == action).all()


def test_a_lease_is_told_of_once_and_ended_once_when_it_is_over(desk, settings):
    row = stands(desk, ago_s=23 * HOUR)
    for _again in range(3):
        deployments.end_overdue(desk)
    (notice,) = told(desk, "deployment.ending")
    assert notice.object == row.id and notice.details["deployment"] == "demo/digits" and launches(desk, row) == []

    old = stands(desk, ago_s=25 * HOUR, name="old")
    for _again in range(3):
        deployments.end_overdue(desk)
    (launch,) = launches(desk, old)
    assert launches(desk, row) == [] and launch.asked_by == "service"
    (entry,) = told(desk, "deployment.end")
    assert entry.actor == "service" and entry.object == old.id
    spec = specs.spec(settings, launch)
    assert spec["playbook"].endswith("/release.yml") and spec["cmdline"] == "-e deployment=demo/old"

    with desk.database.write() as session:
        database.move(session, session.get(Launch, launch.id), "claim", desk.now(), attempts=1)
    given_back(desk, old)
    finish(settings, desk.database, launch, {"exit_code": 0, "cancelled": False})
    deployments.end_overdue(desk)
    assert [one.state for one in launches(desk, old)] == ["succeeded"] and len(told(desk, "deployment.ended")) == 1
    with desk.database.read() as session:
        assert session.get(Task, old.id).state == "succeeded", "its run went well, whatever became of it later"


def test_one_that_could_not_be_given_back_is_told_and_left_to_people(desk, settings):
    row = stands(desk, ago_s=25 * HOUR)
    deployments.end_overdue(desk)
    (launch,) = launches(desk, row)
    with desk.database.write() as session:
        database.move(session, session.get(Launch, launch.id), "claim", desk.now(), attempts=1)
    desk.store.note(row.id, {"at": desk.now(), "event": "loaded", "purpose": "release", "only": ["web"]})
    desk.store.note(row.id, {"at": desk.now(), "event": "closed", "state": "failed"})
    finish(settings, desk.database, launch, {"exit_code": 2, "cancelled": False})
    deployments.end_overdue(desk)
    assert [one.state for one in launches(desk, row)] == ["failed"] and len(told(desk, "deployment.stuck")) == 1
    assert leases.standing(desk.store)[0].state(desk.now()) == "overdue"


@pytest.mark.parametrize("event", ["deployment.ending", "deployment.ended", "deployment.stuck"])
def test_what_is_told_of_a_lease_is_a_notice(event):
    assert outbox.EVENTS[event] in ("ending", "ended", "stuck")


def test_what_a_plan_is_about_to_change_is_not_ended(app, desk):
    row = stands(desk, ago_s=25 * HOUR)
    stands(desk, ago_s=25 * HOUR, moves=("propose", "confirm", "approve"))
    newest = leases.standing(desk.store)[0].run
    deployments.end_overdue(desk)
    with desk.database.read() as session:
        assert session.query(Launch).filter(Launch.kind == "retire").all() == []
    answer = browser(app, "o@lab.invalid", ("operator",)).post("/api/v1/deployments/demo/digits/end")
    assert answer.status_code == 409 and "approved or runs" in said(answer)["detail"] and row.id != newest


def test_operators_let_it_stay_and_that_is_held(app, desk):
    row = stands(desk, ago_s=23 * HOUR)
    operator, asking = browser(app, "o@lab.invalid", ("operator",)), browser(app)
    path = "/api/v1/deployments/demo/digits/extend"
    assert asking.post(path, {"hours": 5}).status_code == 403
    before = said(operator.get("/api/v1/deployments"))["items"][0]
    assert before["state"] == "ending" and before["pools"] == [{"component": "web", "pool": POOL}]
    longer = said(operator.post(path, {"hours": 5}))
    assert longer["state"] == "ending" and longer["until"] > before["until"]
    assert abs(clock.seconds_between(desk.now(), longer["until"]) - 5 * HOUR) < 30
    with desk.database.read() as session:
        more = session.get(Holding, row.id)
        assert more.card_s == 2 * 24 * HOUR + 2 * round(clock.seconds_between(before["until"], longer["until"]))
    for hours, words in ((25, "24 h that were approved"), (1, "ends at")):
        answer = operator.post(path, {"hours": hours})
        assert answer.status_code == 422 and words in said(answer)["detail"]
    with desk.database.write() as session:
        session.merge(Quota(tenant="demo", person="", resource="card_s", amount=more.card_s, by="o", at=desk.now()))
    assert "card-hours" in said(operator.post(path, {"hours": 20}))["detail"]
    assert said(operator.get("/api/v1/deployments"))["items"][0]["until"] == longer["until"]


def test_who_asked_ends_it_and_others_do_not(app, desk):
    row = stands(desk, ago_s=HOUR)
    path = "/api/v1/deployments/demo/digits/end"
    assert browser(app, "other@lab.invalid").post(path).status_code == 403
    assert browser(app, tenants=["else"]).post(path).status_code == 404
    assert browser(app).post(path).status_code == 202
    assert browser(app).post(path).status_code == 409
    (launch,) = launches(desk, row)
    assert launch.asked_by == "requester@lab.invalid"
    assert said(browser(app).get("/api/v1/deployments"))["items"][0]["state"] == "stopping"


def test_what_stands_keeps_its_hold_and_is_counted_for_as_long_as_it_stood(app, desk):
    row = stands(desk, ago_s=2 * HOUR)
    with desk.database.write() as session:
        ledger.settle(session, desk.store, row, desk.now())
    month = ledger.month_of(desk.now())

    def spent():
        with desk.database.read() as session:
            return ledger.spent(session, "demo", month)

    assert spent()["card_s"] == (0, 2 * 24 * HOUR), "its run is over, and it holds its quota"
    given_back(desk, row)
    deployments.settle(desk)
    used, held = spent()["card_s"]
    assert held == 0 and used == pytest.approx(2 * 2 * HOUR, abs=60)
    assert spent()["core_s"][0] == pytest.approx(2 * 3 * 2 * HOUR, abs=180)
    assert spent()["money_fen"][0] == pytest.approx(400, abs=5)


def test_a_statement_counts_what_stands_so_far(app, desk):
    stands(desk, ago_s=2 * HOUR)
    month = ledger.month_of(desk.now())
    (sums,) = said(browser(app).get(f"/api/v1/usage?tenant=demo&month={month}"))["items"]
    of_it = min(2, clock.seconds_between(ledger.bounds(month)[0], desk.now()) / HOUR)
    assert sums["card_hours"] == pytest.approx(2 * of_it, abs=0.1)


def test_a_newer_plan_takes_over_and_the_older_one_is_settled(desk):
    first = stands(desk, ago_s=4 * HOUR)
    stands(desk, ago_s=HOUR)
    deployments.settle(desk)
    with desk.database.read() as session:
        kept = session.get(Holding, first.id)
    assert kept.settled_at and kept.card_s == pytest.approx(2 * 3 * HOUR, abs=60)


def test_the_page_shows_it_to_whom_it_concerns(app, desk):
    stands(desk, ago_s=25 * HOUR)
    stands(desk, ago_s=0, name="theirs", tenant="else")
    who = browser(app, "o@lab.invalid", ("operator",), tenants=["demo"])
    text = who.get("/deployments", headers={"Accept-Language": "zh-CN"}).get_data(as_text=True)
    assert "已到期" in text and POOL in text and "theirs" not in text
    fields = {"csrf": who.csrf, "hours": "x"}
    assert who.client.post("/deployments/demo/digits/extend", data=fields).status_code == 422
    assert who.client.post("/deployments/demo/digits/extend", data={**fields, "hours": "2"}).status_code == 303


def test_the_launcher_does_it():
    assert {deployments.end_overdue, deployments.settle} <= set(chores.SELDOM)


def test_it_is_ended_in_the_journal_of_its_newest_plan_though_an_older_one_keeps_it(desk, settings):
    """release.yml writes to the newest plan that was applied, even where that made nothing."""
    old = stands(desk, ago_s=25 * HOUR)
    newer = stands(desk, ago_s=25 * HOUR, moves=("propose", "confirm", "approve", "start", "fail"))
    lines = [event for event in desk.store.journal(newer.id) if event["event"] == "loaded"]
    path = desk.store.journal_path(newer.id)
    path.write_text(
        "".join(f"{json.dumps(one)}\n" for one in [*lines, {**lines[0], "event": "closed", "state": "failed"}])
    )
    (there,) = leases.standing(desk.store)
    assert (there.run, there.keeps) == (newer.id, old.id)
    deployments.end_overdue(desk)
    (launch,) = launches(desk, newer)
    with desk.database.write() as session:
        database.move(session, session.get(Launch, launch.id), "claim", desk.now(), attempts=1)
    given_back(desk, newer)
    finish(settings, desk.database, launch, {"exit_code": 0, "cancelled": False})
    assert [one.state for one in launches(desk, newer)] == ["succeeded"] and leases.standing(desk.store) == []
    deployments.settle(desk)
    with desk.database.read() as session:
        assert session.get(Holding, old.id).settled_at
